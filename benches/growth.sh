#!/usr/bin/env bash
# How cost grows: 10 to 1000 publishers, and 1 k to 1 M objects. Prints each run's JSON line and draws docs/plots/*.svg.
#
#   benches/growth.sh [--publishers "10 50 200"] [--objects "1000 100000 1000000"] [--seconds S] [--data DIR] [--keep DIR]
#                     [--plots DIR]
#
# DIR of --data (default: a temporary one) holds the media, DIR of --keep the buckets, which take minutes to fill and are used
# again when they are there. An empty list leaves its half out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

publishers="10 50 200" objects="1000 100000 1000000" seconds=12 data=${TMPDIR:-/tmp} keep= plots=docs/plots
while [ $# -gt 0 ]; do
    case "$1" in
    --publishers) publishers=$2 ;;
    --objects) objects=$2 ;;
    --seconds) seconds=$2 ;;
    --data) data=$2 ;;
    --keep) keep=$2 ;;
    --plots) plots=$2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
    shift 2
done

livebucket=${LIVEBUCKET:-target/release/livebucket}
[ -x "$livebucket" ] || cargo build --locked --release --bin livebucket
work=$(mktemp -d "$data/livebucket-growth.XXXXXX")
keep=${keep:-$work}
server=
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    server=
}
trap 'finish; rm -rf "$work"' EXIT
ulimit -n "$(ulimit -Hn)"
mkdir -p "$keep" "$plots"

http=18310 rtmp=18311
export LIVEBUCKET_ACCESS_KEY=growthgrowth LIVEBUCKET_SECRET_KEY=growthgrowthgrowthgrowth
# DIR: a server; `started_ms` is the time from its birth to the first answer that it is there.
start() {
    local begin=${EPOCHREALTIME/./}
    "$livebucket" serve --data "$1" --listen 127.0.0.1:$http --rtmp-listen 127.0.0.1:$rtmp --admin-listen none \
        >"$work/log" 2>&1 &
    server=$!
    until (exec 3<>"/dev/tcp/127.0.0.1/$http") 2>/dev/null; do
        kill -0 "$server" || { cat "$work/log" >&2; exit 1; }
        sleep 0.002
    done
    started_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
}

# FILE ARGUMENTS: one bench; its line goes to the screen and, as the last, to $work/line.
bench() {
    "$livebucket" bench "$@" --pid "$server" | tee "$work/line"
}

# PLOT SERIES X FIGURE: a point from the last bench; FIGURE is a path into its line.
point() {
    printf '%s\t%s\t%s\n' "$2" "$3" "$(python3 -c '
import functools, json, sys
line = json.load(open(sys.argv[1]))
print(functools.reduce(lambda value, key: value[key], sys.argv[2].split("/"), line))
' "$work/line" "$4")" >>"$work/$1.tsv"
}

draw() {
    [ ! -s "$work/$1.tsv" ] || "$livebucket" bench plot --title "$2" --x "$3" --y "$4" <"$work/$1.tsv" >"$plots/$1.svg"
}

for n in $publishers; do
    rm -rf "$work/live" && mkdir "$work/live"
    start "$work/live"
    "$livebucket" bench setup --endpoint http://127.0.0.1:$http --channels "$n" >/dev/null
    bench ingest --url "rtmp://127.0.0.1:$rtmp/bench/live/ch-%n" --publishers "$n" --seconds "$seconds"
    point ingest-cpu 'user and system' "$n" server/cpu_seconds_per_stream_minute
    point ingest-memory 'whole server' "$n" server/resident_mb
    finish
done

for n in $objects; do
    if [ ! -e "$keep/$n/filled" ]; then
        rm -rf "${keep:?}/$n" && mkdir -p "$keep/$n/data"
        start "$keep/$n/data"
        "$livebucket" bench setup --endpoint http://127.0.0.1:$http >/dev/null
        bench put --url "http://127.0.0.1:$http/bench/%k" --bytes 100 --connections 128 --requests "$n"
        finish
        touch "$keep/$n/filled"
    fi
    start "$keep/$n/data"
    printf '{"bench":"start","objects":%s,"ms":%s}\n' "$n" "$started_ms" | tee "$work/line"
    point objects-start 'until it serves' "$n" ms
    bench list --url "http://127.0.0.1:$http/bench" --keys "$n" --pages 100
    point objects-list 'from anywhere' "$n" 'pages/from anywhere/wait_ms/p50'
    point objects-list 'a prefix of nothing' "$n" pages/nothing/wait_ms/p50
    bench get --url "http://127.0.0.1:$http/bench/000/000/001" --connections 8 --seconds 2
    point objects-request 'GET of 100 bytes' "$n" cpu_micros_per_request
    # Over what is there: the bucket stays as it is.
    bench put --url "http://127.0.0.1:$http/bench/%k" --bytes 100 --connections 64 --requests "$((n < 20000 ? n : 20000))"
    point objects-request 'PUT of 100 bytes' "$n" cpu_micros_per_request
    finish
done

draw ingest-cpu 'What a publisher costs' 'publishers at once' 'CPU seconds a stream-minute'
draw ingest-memory 'Memory of the server' 'publishers at once' 'resident MB'
draw objects-start 'From the start of the process to its first connection' 'objects in the bucket' 'milliseconds'
draw objects-list 'A page of a listing, half of all' 'objects in the bucket' 'milliseconds'
draw objects-request 'What a request costs' 'objects in the bucket' 'CPU microseconds'
