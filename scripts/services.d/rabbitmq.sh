# RabbitMQ nodes; sourced by scripts/services. Node N lives in $DIR/N.
# shellcheck shell=bash

# The scripts in sbin would change to the system's own user, these do not.
readonly RABBITMQ_BIN=/usr/lib/rabbitmq/bin
readonly MEMORY_LIMIT=2GB DISK_LIMIT=50MB

need_rabbitmq() {
    need_package rabbitmq-server $RABBITMQ_BIN/rabbitmq-server
    need_package openssl /usr/bin/openssl
}

# rabbitmq_start_all COUNT CLUSTERED
rabbitmq_start_all() {
    local node
    mkdir -p "$DIR/home" "$DIR/tls"
    make_certificates >"$DIR/tls/log" 2>&1 || fail "no certificates could be made, see $DIR/tls/log"
    # Erlang's own name server would be started by the first node and stay for ever.
    take_port >"$DIR/epmd-port"
    launch "$DIR/epmd-log" epmd -port "$(cat "$DIR/epmd-port")" -address 127.0.0.1
    wait_ready epmd "$launched" "$DIR/epmd-log" "$(cat "$DIR/epmd-port")"
    # All nodes of a folder share it; made here, as nodes that start together would each make one.
    head -c 15 /dev/urandom | base64 | tr -d '+/=\n' >"$DIR/home/.erlang.cookie"
    chmod 400 "$DIR/home/.erlang.cookie"

    for node in $(seq "$1"); do
        rabbitmq_create "$node"
    done
    # shellcheck disable=SC2046 # numbers
    if [ "$2" = no ]; then
        up $(seq "$1")
    else
        # The first one makes the cluster that the others find.
        for node in $(seq "$1"); do
            rabbitmq_cluster_with "$node" "$1"
        done
        up 1
        up $(seq 2 "$1")
    fi
}

rabbitmq_create() {
    local home=$DIR/$1
    mkdir -p "$home"
    : >"$home/conf-env"
    echo '[rabbitmq_management,rabbitmq_prometheus].' >"$home/plugins"
    {
        for port in AMQP AMQPS MANAGEMENT PROMETHEUS DIST; do
            printf '%s=%s\n' $port "$(take_port)"
        done
    } >"$home/ports"
    local AMQP AMQPS MANAGEMENT PROMETHEUS DIST
    # shellcheck disable=SC1091
    . "$home/ports"
    cat >"$home/rabbitmq.conf" <<-CONF
		listeners.tcp.1 = 127.0.0.1:$AMQP
		listeners.ssl.1 = 127.0.0.1:$AMQPS
		ssl_options.cacertfile = $DIR/tls/ca.pem
		ssl_options.certfile = $DIR/tls/server.pem
		ssl_options.keyfile = $DIR/tls/server-key.pem
		ssl_options.verify = verify_peer
		ssl_options.fail_if_no_peer_cert = true
		management.tcp.ip = 127.0.0.1
		management.tcp.port = $MANAGEMENT
		prometheus.tcp.ip = 127.0.0.1
		prometheus.tcp.port = $PROMETHEUS
		loopback_users = none
		vm_memory_high_watermark.absolute = $MEMORY_LIMIT
		disk_free_limit.absolute = $DISK_LIMIT
		# A killed client makes it write whole queues as text: minutes of work and gigabytes of memory.
		log.file.level = ${ORCHARD_TEST_BROKER_LOG:-critical}
	CONF
    cat "${ORCHARD_TEST_BROKER_CONF:-$here/../deploy/rabbitmq/rabbitmq.conf}" >>"$home/rabbitmq.conf"
    local congestion=reno # who may not choose cubic may choose this one
    if [ "$(id -u)" = 0 ] || grep -qw cubic /proc/sys/net/ipv4/tcp_allowed_congestion_control; then
        congestion=cubic
    fi
    sed "s/cubic/$congestion/" "${ORCHARD_TEST_BROKER_ADVANCED:-$here/../deploy/rabbitmq/advanced.config}" \
        >"$home/advanced.config"
}

# rabbitmq_cluster_with NODE COUNT: an empty node joins those that it finds.
rabbitmq_cluster_with() {
    local other
    {
        echo 'cluster_partition_handling = pause_minority'
        echo 'cluster_formation.peer_discovery_backend = classic_config'
        for other in $(seq "$2"); do
            echo "cluster_formation.classic_config.nodes.$other = n$other@localhost"
        done
    } >>"$DIR/$1/rabbitmq.conf"
}

# in_node NODE COMMAND…: with the environment that the node and its tools want.
in_node() (
    home=$DIR/$1
    # shellcheck disable=SC1091
    . "$home/ports"
    export HOME=$DIR/home
    ERL_EPMD_PORT=$(cat "$DIR/epmd-port")
    export ERL_EPMD_PORT ERL_EPMD_ADDRESS=127.0.0.1
    export RABBITMQ_NODENAME=n$1@localhost RABBITMQ_DIST_PORT=$DIST
    export RABBITMQ_CONF_ENV_FILE=$home/conf-env
    export RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config
    export RABBITMQ_ENABLED_PLUGINS_FILE=$home/plugins RABBITMQ_GENERATED_CONFIG_DIR=$home/generated
    export RABBITMQ_MNESIA_BASE=$home/data RABBITMQ_LOG_BASE=$home/log RABBITMQ_PID_FILE=$home/own-pid
    # Idle schedulers sleep at once: tests share few cores with the node.
    export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+sbwt none +sbwtdcpu none +sbwtdio none
        -kernel inet_dist_use_interface {127,0,0,1}'
    # The start script becomes the node, rather than its parent: so the pid is the node's.
    export RUNNING_UNDER_SYSTEMD=1
    shift
    "$@"
)

launch_node() {
    launch "$DIR/$1/output" $RABBITMQ_BIN/rabbitmq-server
    echo "$launched" >"$DIR/$1/pid"
}

rabbitmq_up() {
    local AMQP AMQPS MANAGEMENT PROMETHEUS DIST
    # shellcheck disable=SC1091
    . "$DIR/$1/ports"
    is_ours "$(cat "$DIR/$1/pid" 2>/dev/null)" && fail "node $1 is up already"
    rm -f "$DIR/$1/own-pid"
    # One that was killed listens until its last thread has ended, and would be taken for the new one.
    wait_silent "$MANAGEMENT" "$PROMETHEUS" "$AMQP" "$AMQPS"
    in_node "$1" launch_node "$1"
    # AMQP comes last, when the node has all its plugins and its queues.
    wait_ready "RabbitMQ node $1" "$(cat "$DIR/$1/pid")" "$DIR/$1/output" \
        "$MANAGEMENT" "$PROMETHEUS" "$AMQP" "$AMQPS"
}

rabbitmq_down() {
    send TERM "$DIR/$1"
    wait_gone "$DIR/$1"
}

rabbitmq_kill() {
    send KILL "$DIR/$1"
    wait_gone "$DIR/$1"
}

rabbitmq_pause() { send STOP "$DIR/$1"; }
rabbitmq_continue() { send CONT "$DIR/$1"; }

rabbitmq_reset() {
    grep -q '^cluster_formation' "$DIR/$1/rabbitmq.conf" && fail 'reset is for an independent node'
    if is_ours "$(cat "$DIR/$1/pid")"; then
        rabbitmq_kill "$1"
    fi
    rm -rf "$DIR/$1/data"
    rabbitmq_up "$1"
}

rabbitmq_ctl() {
    local node=$1
    shift
    in_node "$node" $RABBITMQ_BIN/rabbitmqctl -q "$@"
}

rabbitmq_alarm() {
    case ${2:-} in on | off) ;; *) fail 'write alarm DIR NODE on|off [memory|disk]' ;; esac
    case ${3:-memory}-$2 in
    memory-on) rabbitmq_ctl "$1" set_vm_memory_high_watermark 0 ;;
    memory-off) rabbitmq_ctl "$1" set_vm_memory_high_watermark absolute $MEMORY_LIMIT ;;
    disk-on) rabbitmq_ctl "$1" set_disk_free_limit 1000000GB ;;
    disk-off) rabbitmq_ctl "$1" set_disk_free_limit $DISK_LIMIT ;;
    *) fail "'$3' is no alarm: write memory or disk" ;;
    esac
}

# rabbitmq_partition NODE: the nodes refuse each other by a false cookie, both ways. Their clients
# stay connected, and nothing else on the machine notices.
rabbitmq_partition() {
    rabbitmq_ctl "$1" eval '
        [begin
            true = erlang:set_cookie(Peer, cut_off_here),
            true = rpc:call(Peer, erlang, set_cookie, [node(), cut_off_there], 5000),
            erlang:disconnect_node(Peer)
        end || Peer <- nodes()], ok.' >"$DIR/$1/partition"
}

# rabbitmq_heal NODE: ends that, and waits until all nodes that live are one cluster again.
rabbitmq_heal() {
    local other living=0 asked=$1
    for other in 1 2 3; do
        if [ -d "$DIR/$other" ] && is_ours "$(cat "$DIR/$other/pid")"; then
            rabbitmq_ctl "$other" eval '
                [erlang:set_cookie(list_to_atom("n" ++ N ++ "@localhost"), erlang:get_cookie())
                    || N <- ["1", "2", "3"], list_to_atom("n" ++ N ++ "@localhost") =/= node()], ok.' >"$DIR/$other/heal"
            living=$((living + 1))
            # One that has not paused itself knows.
            [ "$other" = "$1" ] || asked=$other
        fi
    done
    rabbitmq_ctl "$asked" await_online_nodes "$living" --timeout 60 >>"$DIR/$asked/heal"
    # It is online before its queues are.
    rabbitmq_ctl "$1" await_startup --timeout 60 >>"$DIR/$1/heal"
}

rabbitmq_env() {
    local node suffix AMQP AMQPS MANAGEMENT PROMETHEUS DIST
    for node in 1 2 3; do
        [ -d "$DIR/$node" ] || continue
        # shellcheck disable=SC1091
        . "$DIR/$node/ports"
        for suffix in '' _"$node"; do
            [ -n "$suffix" ] || [ "$node" = 1 ] || continue
            printf 'export ORCHARD_TEST_AMQP%s=amqp://guest:guest@127.0.0.1:%s/%%2f\n' "$suffix" "$AMQP"
            printf 'export ORCHARD_TEST_AMQPS%s=amqps://guest:guest@localhost:%s/%%2f\n' "$suffix" "$AMQPS"
            printf 'export ORCHARD_TEST_MANAGEMENT%s=http://127.0.0.1:%s\n' "$suffix" "$MANAGEMENT"
            printf 'export ORCHARD_TEST_PROMETHEUS%s=http://127.0.0.1:%s/metrics\n' "$suffix" "$PROMETHEUS"
        done
    done
    [ ! -d "$DIR/tls" ] || printf 'export ORCHARD_TEST_TLS_DIR=%q\n' "$DIR/tls"
}

# A private authority with one certificate for the nodes and one for clients, and a stranger's.
make_certificates() (
    cd "$DIR/tls" || exit
    authority() {
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj "/CN=$1" \
            -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' \
            -keyout "$1-key.pem" -out "$1.pem"
    }
    # certificate NAME AUTHORITY USAGE
    certificate() {
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$1" \
            -keyout "$1-key.pem" -out "$1.csr"
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2-key.pem" -CAcreateserial -days 30 -out "$1.pem" \
            -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=%s\n' "$3")
    }
    authority ca
    certificate server ca serverAuth
    certificate client ca clientAuth
    authority stranger-ca
    certificate stranger stranger-ca clientAuth
)
