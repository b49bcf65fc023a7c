#!/usr/bin/env bash
# How cost grows: 10 to 1000 publishers, and 1 k to 1 M objects. Prints each run's JSON line and draws docs/plots/*.svg.
#
#   benches/growth.sh [--publishers "10 50 200"] [--objects "1000 100000 1000000"] [--seconds S] [--data DIR] [--keep DIR]
#                     [--plots DIR]
#
# DIR of --data (default: a temporary one) holds the media, DIR of --keep the buckets, which take minutes to fill and are used
# again when they are there. An empty list leaves its half out.
set -euo pipefail

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

# shellcheck source=benches/server.sh
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"
scratch "$data"
keep=${keep:-$work}
mkdir -p "$keep" "$plots"

# PLOT SERIES X NAME FIGURE: a point from the bench NAME; FIGURE is a path into its line.
point() {
    printf '%s\t%s\t%s\n' "$2" "$3" "$(python3 -c '
import functools, json, sys
line = json.load(open(sys.argv[1]))
print(functools.reduce(lambda value, key: value[key], sys.argv[2].split("/"), line))
' "$work/$4.json" "$5")" >>"$work/$1.tsv"
}

draw() {
    [ ! -s "$work/$1.tsv" ] || "$livebucket" bench plot --title "$2" --x "$3" --y "$4" <"$work/$1.tsv" >"$plots/$1.svg"
}

for n in $publishers; do
    rm -rf "$work/live" && mkdir "$work/live"
    serve "$work/live"
    channels "$n"
    bench ingest ingest --url "rtmp://127.0.0.1:$rtmp/bench/live/ch-%n" --publishers "$n" --seconds "$seconds"
    point ingest-cpu 'user and system' "$n" ingest server/cpu_seconds_per_stream_minute
    point ingest-memory 'whole server' "$n" ingest server/resident_mb
    finish
done

bucket=http://127.0.0.1:$http/bench
for n in $objects; do
    if [ ! -e "$keep/$n/filled" ]; then
        rm -rf "${keep:?}/$n" && mkdir -p "$keep/$n/data"
        serve "$keep/$n/data"
        channels 0
        bench fill put --url "$bucket/%k" --bytes 100 --connections 128 --requests "$n"
        finish
        touch "$keep/$n/filled"
    fi
    serve "$keep/$n/data"
    printf '{"bench":"start","objects":%s,"ms":%s}\n' "$n" "$started_ms" | tee "$work/start.json"
    point objects-start 'until it serves' "$n" start ms
    bench list list --url "$bucket" --keys "$n" --pages 100
    point objects-list 'from anywhere' "$n" list 'pages/from anywhere/wait_ms/p50'
    point objects-list 'a prefix of nothing' "$n" list pages/nothing/wait_ms/p50
    bench get get --url "$bucket/000/000/001" --connections 8 --seconds 2
    point objects-request 'GET of 100 bytes' "$n" get cpu_micros_per_request
    # Over what is there: the bucket stays as it is.
    bench put put --url "$bucket/%k" --bytes 100 --connections 64 --requests "$((n < 20000 ? n : 20000))"
    point objects-request 'PUT of 100 bytes' "$n" put cpu_micros_per_request
    finish
done

draw ingest-cpu 'What a publisher costs' 'publishers at once' 'CPU seconds a stream-minute'
draw ingest-memory 'Memory of the server' 'publishers at once' 'resident MB'
draw objects-start 'From the start of the process to its first connection' 'objects in the bucket' 'milliseconds'
draw objects-list 'A page of a listing, half of all' 'objects in the bucket' 'milliseconds'
draw objects-request 'What a request costs' 'objects in the bucket' 'CPU microseconds'
