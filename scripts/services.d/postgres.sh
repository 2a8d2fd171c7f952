# PostgreSQL; sourced by scripts/services. It lives in $DIR/postgres.
# shellcheck shell=bash

need_postgres() {
    need_package postgresql '/usr/lib/postgresql/*/bin/postgres'
}

# postgres_tool NAME: of the newest version that is there.
postgres_tool() {
    local folders=(/usr/lib/postgresql/*/bin)
    printf '%s\n' "${folders[@]/%//$1}" | sort -V | tail -n 1
}

# PostgreSQL refuses to run as root.
readonly AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups)
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        "${AS_POSTGRES[@]}" "$@"
    else
        "$@"
    fi
}

postgres_create() {
    local home=$DIR/postgres
    mkdir -p "$home/data"
    take_port >"$home/port"
    # Only the data is PostgreSQL's own; what this script keeps beside it stays this script's.
    chmod 700 "$home/data"
    [ "$(id -u)" != 0 ] || chown postgres:postgres "$home/data"
    (cd / && as_postgres "$(postgres_tool initdb)" -D "$home/data" -U postgres -A trust --no-sync -E UTF8 --locale=C) \
        >"$home/initdb" 2>&1 || fail "initdb failed: $(cat "$home/initdb")"
    cat >>"$home/data/postgresql.conf" <<-CONF
		listen_addresses = '127.0.0.1'
		port = $(cat "$home/port")
		unix_socket_directories = ''
		max_connections = 300
		log_min_messages = fatal
	CONF
}

postgres_up() {
    local home=$DIR/postgres command port deadline=$((SECONDS + READY_SECONDS))
    port=$(cat "$home/port")
    is_ours "$(cat "$home/pid" 2>/dev/null)" && fail 'postgres is up already'
    command=("$(postgres_tool postgres)" -D "$home/data")
    [ "$(id -u)" != 0 ] || command=("${AS_POSTGRES[@]}" "${command[@]}")
    wait_silent "$port"
    launch "$home/log" "${command[@]}"
    echo "$launched" >"$home/pid"
    wait_ready PostgreSQL "$launched" "$home/log" "$port"
    # It listens before it has recovered from a crash.
    until "$(postgres_tool pg_isready)" -q -U postgres -h 127.0.0.1 -p "$port"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "PostgreSQL was not ready after $READY_SECONDS s, see $home/log"
        sleep 0.1
    done
}

# SIGINT ends its sessions and then itself, SIGTERM would wait for the sessions.
postgres_down() {
    send INT "$DIR/postgres"
    wait_gone "$DIR/postgres"
}

# With its children: those that are at work would hold its memory, and a new one would refuse to start.
postgres_kill() {
    local children
    children=$(postgres_children)
    send KILL "$DIR/postgres"
    # shellcheck disable=SC2086 # numbers
    [ -z "$children" ] || kill -KILL $children 2>/dev/null || true
    wait_gone "$DIR/postgres"
    # A new one would take an ended process that nobody has waited for yet for a living server.
    rm -f "$DIR/postgres/data/postmaster.pid"
}

postgres_pause() {
    local children
    children=$(postgres_children)
    send STOP "$DIR/postgres"
    # shellcheck disable=SC2086 # numbers
    kill -STOP $children 2>/dev/null || true
}

postgres_continue() {
    local children
    children=$(postgres_children)
    # shellcheck disable=SC2086 # numbers
    kill -CONT $children 2>/dev/null || true
    send CONT "$DIR/postgres"
}

postgres_children() {
    local pid
    pid=$(cat "$DIR/postgres/pid")
    is_ours "$pid" || fail 'postgres does not run'
    cat "/proc/$pid/task/$pid/children"
}

postgres_env() {
    [ -d "$DIR/postgres" ] || return 0
    printf 'export ORCHARD_TEST_POSTGRES=postgres://postgres@127.0.0.1:%s/postgres\n' "$(cat "$DIR/postgres/port")"
}
