# shellcheck shell=bash disable=SC2034  # what is set here is read by the scripts that source this file
# SPDX-License-Identifier: Apache-2.0
# Where things lie, who owns them and how a command fails: what every script in this folder agrees on.
# Sourced, never run. After sourcing: `repository` and `cache` are absolute paths.

set -euo pipefail

# The one system user that owns database files when root runs the commands.
readonly server_account=switchyard
# Holds clusters whose own directory that user cannot reach.
readonly server_home=/var/lib/switchyard

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly repository
readonly postgres_wheel_version=0.6.0

# Says what is going on, without touching stdout: some commands print a value there.
say() {
    printf '%s\n' "$*" >&2
}

# Ends the command with one sentence.
fail() {
    say "${0##*/}: $*"
    exit 1
}

# Prints the comment block at the head of the calling script: its manual.
show_help() {
    awk 'NR <= 2 { next } /^#/ { sub(/^# ?/, ""); print; next } { exit }' "$0"
}

is_root() {
    [[ $EUID -eq 0 ]]
}

# Prints the cache directory, whether or not it exists.
cache_directory() {
    local chosen
    if [[ -n ${SWITCHYARD_CACHE:-} ]]; then
        chosen=$SWITCHYARD_CACHE
    elif is_root; then
        chosen=/var/cache/switchyard
    elif [[ -n ${XDG_CACHE_HOME:-} || -n ${HOME:-} ]]; then
        chosen=${XDG_CACHE_HOME:-$HOME/.cache}/switchyard
    else
        fail "neither HOME nor SWITCHYARD_CACHE is set, so there is no place for the cache; set SWITCHYARD_CACHE."
    fi
    realpath -m -- "$chosen"
}
cache=$(cache_directory)
readonly cache

# Prints where the embedded PostgreSQL is unpacked; present means complete, because it is renamed into place.
postgres_home() {
    printf '%s/postgresql-%s-%s\n' "$cache" "$postgres_wheel_version" "$(uname -m)"
}

# Prints the directory a run keeps its data in.
data_directory() {
    (cd -- "$repository" && realpath -m -- "${SWITCHYARD_DATA:-.data}")
}

# Makes a directory that can be traversed by the server's account when root makes it, and is private otherwise.
make_data_directory() {
    [[ -d $1 ]] && return
    if is_root; then
        (umask 022 && mkdir -p -- "$1")
    else
        (umask 077 && mkdir -p -- "$1")
    fi
}

# Prints bytes from the kernel's generator as hex digits.
# $1: how many bytes
random_hex() {
    od -An -vtx1 -N"$1" /dev/urandom | tr -d ' \n'
}

# True when something accepts connections there.
# $1: host, $2: port
accepts_connections() {
    (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

# Prints a TCP port nobody listens on, below the range the kernel takes for outgoing connections: a client that
# reconnects while a server is down can then neither take the server's port nor reach itself.
free_port() {
    local port attempt
    for attempt in {1..50}; do
        port=$((20000 + SRANDOM % 12000))
        if ! accepts_connections 127.0.0.1 "$port"; then
            printf '%s\n' "$port"
            return
        fi
    done
    fail "no free port was found between 20000 and 32000 in $attempt attempts."
}

# Exports NAME=value lines of a file for names the environment does not set already; nothing in it is evaluated.
# $1: file, may be missing
load_environment_file() {
    local line name value
    [[ -f $1 ]] || return 0
    while IFS= read -r line || [[ -n $line ]]; do
        line=${line%$'\r'}
        [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
        name=${BASH_REMATCH[2]}
        value=${BASH_REMATCH[3]}
        [[ -z ${!name+set} ]] || continue
        if [[ $value =~ ^\"(.*)\"[[:space:]]*$ || $value =~ ^\'(.*)\'[[:space:]]*$ ]]; then
            value=${BASH_REMATCH[1]}
        fi
        export "$name=$value"
    done <"$1"
}
