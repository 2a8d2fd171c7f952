# Folder, ports, processes and packages; sourced by scripts/services.
# shellcheck shell=bash

# A server is ready within this time, or has failed. Three nodes on two busy cores are slow.
readonly READY_SECONDS=120
# A server that is asked to end does so within this time, or is killed.
readonly END_SECONDS=60
# Below the range from which the system itself takes ports for connections.
readonly FIRST_PORT=20000 LAST_PORT=31999
readonly CLAIMS=/tmp/orchard-ports

DIR=

fail() {
    printf 'scripts/services: %s\n' "$1" >&2
    exit 1
}

# make_folder [D]: the folder of one set of servers, in $DIR.
make_folder() {
    if [ -z "$1" ]; then
        DIR=$(mktemp -d "${TMPDIR:-/tmp}/orchard-services.XXXXXX")
    else
        mkdir -p "$1"
        DIR=$(cd "$1" && pwd)
        [ -z "$(ls -A "$DIR")" ] || fail "$DIR is not empty: name a new folder, or stop what is in it"
    fi
    # PostgreSQL's user looks for its data below.
    chmod 711 "$DIR"
    : >"$DIR/orchard-services"
}

use_folder() {
    [ -e "$1/orchard-services" ] || fail "$1 is no folder that \`scripts/services start\` made"
    DIR=$(cd "$1" && pwd)
}

need_server() {
    case $1 in
    1 | 2 | 3 | postgres) [ -d "$DIR/$1" ] || fail "there is no $1 in $DIR" ;;
    *) fail "'$1' is no server: write 1, 2, 3 or postgres" ;;
    esac
}

# take_port: prints a port that is free, and stays this folder's even while its server is down.
take_port() {
    local port claim
    mkdir -p "$CLAIMS" && chmod 1777 "$CLAIMS" 2>/dev/null || true
    for _ in $(seq 200); do
        port=$((FIRST_PORT + (RANDOM * 32768 + RANDOM) % (LAST_PORT - FIRST_PORT + 1)))
        claim=$CLAIMS/$port
        if [ -e "$claim" ] && [ ! -e "$(cat "$claim")" ]; then
            rm -f "$claim" # its folder is gone
        fi
        (set -o noclobber && echo "$DIR" >"$claim") 2>/dev/null || continue
        answers "$port" && continue
        echo "$port"
        return
    done
    fail "no free port was found between $FIRST_PORT and $LAST_PORT"
}

release_ports() {
    local claim
    for claim in "$CLAIMS"/*; do
        if [ -e "$claim" ] && [ "$(cat "$claim")" = "$DIR" ]; then
            rm -f "$claim"
        fi
    done
}

# answers PORT: whether somebody listens there.
answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# servers_of DIR: the processes that were started in this folder, by the mark in their environment.
servers_of() {
    local environment pid
    for environment in /proc/[0-9]*/environ; do
        pid=${environment#/proc/}
        pid=${pid%/environ}
        grep -qzxF "ORCHARD_SERVER_OF=$1" "$environment" 2>/dev/null && echo "$pid"
    done
    return 0
}

# launch LOG COMMAND…: starts a server that outlives this script; puts its pid into $launched.
launched=
launch() {
    local log=$1
    shift
    ORCHARD_SERVER_OF=$DIR setsid "$@" >>"$log" 2>&1 </dev/null &
    launched=$!
}

# is_ours PID: whether the process is there and was started in this folder.
is_ours() {
    [ -n "$1" ] && grep -qzxF "ORCHARD_SERVER_OF=$DIR" "/proc/$1/environ" 2>/dev/null
}

# lives PID: whether the process is there, and is not only waiting for its parent to notice its end.
lives() {
    local status
    status=$(cat "/proc/$1/status" 2>/dev/null) && [[ $status != *$'\nState:\tZ'* ]]
}

# send SIGNAL FOLDER: to the server whose pid is kept in that folder.
send() {
    local pid
    pid=$(cat "$2/pid" 2>/dev/null || true)
    is_ours "$pid" || fail "${2##*/} does not run"
    kill "-$1" "$pid"
}

# wait_gone FOLDER: until that server has ended; kills it where that takes too long.
wait_gone() {
    local pid deadline=$((SECONDS + END_SECONDS))
    pid=$(cat "$1/pid")
    while is_ours "$pid"; do
        [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
        sleep 0.05
    done
}

# wait_ready NAME PID LOG PORT…: until the server answers on all its ports.
wait_ready() {
    local name=$1 pid=$2 log=$3 port deadline=$((SECONDS + READY_SECONDS))
    shift 3
    for port; do
        until answers "$port"; do
            if ! lives "$pid"; then
                tail -n 30 "$log" >&2
                fail "$name has ended before it was ready, see above"
            fi
            if [ "$SECONDS" -ge "$deadline" ]; then
                tail -n 30 "$log" >&2
                fail "$name was not ready after $READY_SECONDS s, see above"
            fi
            sleep 0.1
        done
    done
}

# wait_silent PORT…: until nobody answers there any more.
wait_silent() {
    local port deadline=$((SECONDS + END_SECONDS))
    for port; do
        while answers "$port"; do
            [ "$SECONDS" -lt "$deadline" ] || fail "port $port is still taken after $END_SECONDS s"
            sleep 0.05
        done
    done
}

wait_for_all() {
    local job status=0
    for job; do
        wait "$job" || status=$?
    done
    [ "$status" = 0 ] || exit "$status"
}

# need_package PACKAGE FILE: a Debian package, by a file that it brings. No system service is started.
need_package() {
    local package=$1 file=$2 policy=/usr/sbin/policy-rc.d
    compgen -G "$file" >/dev/null && return
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        fail "$package is not installed: install it, on Debian with \`apt-get install $package\`"
    fi
    printf 'installing %s\n' "$package" >&2
    (
        flock 9 # two of us at once would meet at the package manager's lock
        if [ ! -e $policy ]; then
            printf '#!/bin/sh\nexit 101\n' >$policy
            chmod +x $policy
            trap 'rm -f '$policy EXIT
        fi
        export DEBIAN_FRONTEND=noninteractive
        { apt-get install -qy --no-install-recommends "$package" ||
            { apt-get update -q && apt-get install -qy --no-install-recommends "$package"; }; } >&2 </dev/null
    ) 9>/tmp/orchard-packages.lock || fail "$package could not be installed, see above"
    compgen -G "$file" >/dev/null || fail "$package was installed, and yet $file is not there"
}
