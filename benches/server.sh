# Sourced by the scripts beside it: a scratch directory and at most one server at a time, both gone when the script ends.
cd "$(dirname "${BASH_SOURCE[0]}")/.."

livebucket=${LIVEBUCKET:-target/release/livebucket}
[ -n "${LIVEBUCKET:-}" ] || cargo build --locked --quiet --release --bin livebucket

# Sockets of publishers and players beside each other.
ulimit -n "$(ulimit -Hn)"
export LIVEBUCKET_ACCESS_KEY=benchbenchbench LIVEBUCKET_SECRET_KEY=benchbenchbenchbenchbench
http=18300 rtmp=18301 admin=18302
work= server= worker=

# DIR: makes the scratch directory $work in it.
scratch() {
    work=$(mktemp -d "$1/livebucket-bench.XXXXXX")
    trap 'finish; rm -rf "$work"' EXIT
}

# Ends the server, if there is one.
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    server=
}

# PORT: waits for the server; `started_ms` is the time since $1 was called for.
until_it_listens() {
    local begin=${EPOCHREALTIME/./}
    until (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; do
        if ! kill -0 "$server" || [ $((${EPOCHREALTIME/./} - begin)) -gt 20000000 ]; then
            printf 'nothing listens on port %s\n' "$1" >&2
            cat "$work/log" >&2
            exit 1
        fi
        sleep 0.002
    done
    started_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

# DATA [ARGUMENTS]: livebucket over this data directory.
serve() {
    local data=$1
    shift
    "$livebucket" serve --data "$data" --listen 127.0.0.1:$http --rtmp-listen 127.0.0.1:$rtmp \
        --admin-listen 127.0.0.1:$admin "$@" >"$work/log" 2>&1 &
    server=$! worker=$!
    until_it_listens $http
}

# N: the bucket of the benches, with so many channels.
channels() {
    "$livebucket" bench setup --endpoint http://127.0.0.1:$http --channels "$1" >/dev/null
}

# NAME ARGUMENTS: one bench against the server; its line is shown and kept as $work/NAME.json.
bench() {
    local name=$1
    shift
    "$livebucket" bench "$@" --pid "$worker" >"$work/$name.json"
    printf '%s %s\n' "$name" "$(cat "$work/$name.json")"
}
