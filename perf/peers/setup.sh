# What the peers' setup scripts share. Sourced.

# skip WHY: this peer cannot be had here.
skip() {
    echo "$1"
    exit 3
}

# quietly COMMAND…: its output only when it fails, and then its last line as the reason.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        local why
        why=$(grep -iE 'error' "$log" | tail -n 1 || true)
        rm -f "$log"
        skip "'$1' failed: ${why:-see above}"
    fi
    rm -f "$log"
}

# need_program NAME ADVICE
need_program() {
    command -v "$1" >/dev/null || skip "there is no $1; $2"
}

# need_debian PACKAGE PROOF [MORE…]: PROOF is a program or a C header that says whether it is there.
need_debian() {
    local package=$1 proof=$2
    shift
    shift
    case $proof in
    *.h) [ ! -e "/usr/include/$proof" ] || return 0 ;;
    *) ! command -v "$proof" >/dev/null || return 0 ;;
    esac
    command -v apt-get >/dev/null || skip "install $package; only Debian's is installed for you"
    [ "$(id -u)" = 0 ] || skip "install $package as root: apt-get install $package"
    install_debian "$package" "$@"
}

# install_debian PACKAGE…: servers among them are not started, as each peer starts its own.
install_debian() {
    local policy=/usr/sbin/policy-rc.d
    exec 9>/tmp/orchard-packages.lock
    flock -w 600 9 || skip 'another installation does not end; see which'
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly timeout 120 apt-get update -q
    quietly timeout 300 apt-get install -y -q --no-install-recommends "$@"
    exec 9>&-
}

# need_venv FOLDER REQUIREMENTS: a Python environment with these packages, made once.
need_venv() {
    local venv=$1 requirements=$2
    need_program python3 'install Python 3.11 or newer'
    if [ -e "$venv/ready" ] && cmp -s "$venv/ready" "$requirements"; then
        return 0
    fi
    quietly python3 -m venv "$venv"
    quietly timeout 600 "$venv/bin/pip" install -q --disable-pip-version-check -r "$requirements"
    cp "$requirements" "$venv/ready"
}

# need_cargo_program NAME FOLDER: a program of the workspace `rust`, by its own lock file. All of them share
# what they build, beside FOLDER or where CARGO_TARGET_DIR says.
need_cargo_program() {
    local name=$1 folder=$2 sources target
    need_program cargo 'install Rust'
    sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/rust" && pwd)
    mkdir -p "$folder"
    target=${CARGO_TARGET_DIR:-$(cd "$folder/.." && pwd)/rust-target}
    quietly cargo build --release --locked --manifest-path "$sources/Cargo.toml" -p "$name" --target-dir "$target"
    cp "$target/release/$name" "$folder/$name.new"
    mv "$folder/$name.new" "$folder/$name"
}
