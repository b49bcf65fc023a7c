#!/usr/bin/env bash
# What docs/performance.md promises, measured in one run: ingest, delivery beside nginx, objects beside dd, start. Prints each
# bench's JSON line and, at the end, a table of goals and figures. Some ten minutes, on a machine with nothing else to do: a
# figure taken beside other work says little.
#
#   benches/goals.sh [--memory DIR] [--disk DIR] [--million DIR] [--quick]
#
# DIR of --memory (default /dev/shm) is for what the disk should not limit, DIR of --disk (default: a temporary one; 20 GB) for what is
# to wait for it. DIR of --million holds a bucket of a million objects as `benches/growth.sh --keep` leaves it (default: made and
# thrown away, which takes two minutes). Publishers are of 2.63 Mbit/s in real time. --quick does a little of everything, to see that
# it works: its figures mean nothing.
set -euo pipefail

memory=/dev/shm disk=${TMPDIR:-/tmp} million=
publishers=200 many=1000 idle=5000 players=10000 seconds=20 megabytes=3000 bytes=1073741824 objects=1000000
while [ $# -gt 0 ]; do
    case "$1" in
    --memory) memory=$2 ;;
    --disk) disk=$2 ;;
    --million) million=$2 ;;
    --quick)
        publishers=10 many=20 idle=20 players=100 seconds=14 megabytes=100 bytes=67108864 objects=10000
        shift
        continue
        ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
    shift 2
done
here=$(realpath "$(dirname "${BASH_SOURCE[0]}")") memory=$(realpath "$memory") disk=$(realpath "$disk")
# shellcheck source=benches/server.sh
. "$here/server.sh"

live="rtmp://127.0.0.1:$rtmp/bench/live/ch-%n" playlist="http://127.0.0.1:$http/bench/ch-%n/playlist.m3u8"
bucket=http://127.0.0.1:$http/bench

# NAME JSON: a line that is no bench's.
note() { printf '%s %s\n' "$1" "$2" && printf '%s\n' "$2" >"$lines/$1.json"; }
# N: a server over an empty directory, and so many channels.
fresh() {
    finish
    rm -rf "$work/data"
    serve "$work/data" --log-level warn
    channels "$1"
}
# ARGUMENTS of the floor: reads and writes the same bytes, and does nothing else.
floor() {
    finish
    rm -rf "$work/floor" && mkdir "$work/floor"
    "$floor" "127.0.0.1:$rtmp" "$work/floor" "$@" >"$work/log" 2>&1 &
    server=$! worker=$!
    until_it_listens $rtmp
}
quantile() {
    curl --silent --fail "http://127.0.0.1:$admin/metrics" |
        sed -n "s/^livebucket_fragment_visible_seconds{quantile=\"$1\"} //p"
}
resident_mb() { awk '/^VmRSS/ { print $2 / 1000 }' "/proc/$worker/status"; }

cargo build --locked --quiet --release --bench floor
floor=$(find target/release/deps -name 'floor-*' -executable -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
lines=$(mktemp -d) && trap 'finish; rm -rf "$work" "$lines"' EXIT
scratch_in() { finish && rm -rf "$work" && work=$(mktemp -d "$1/livebucket-goals.XXXXXX"); }
keep() { cp "$work"/*.json "$lines/"; }

# Start, and what an idle service holds.
scratch_in "$disk"
fresh 0
sleep 2
note start "{\"empty_ms\":$started_ms,\"idle_mb\":$(resident_mb),\"binary_mb\":$(stat --dereference --format=%s "$livebucket" | awk '{ print $1 / 1e6 }')}"

# Ingest in memory, and the floor before and after it: what it costs drifts with the host.
scratch_in "$memory"
floor
bench floor-real-time ingest --url "$live" --publishers "$publishers" --seconds "$seconds"
fresh "$publishers"
bench real-time ingest --url "$live" --publishers "$publishers" --seconds "$seconds"
fresh 4
bench flat-out ingest --url "$live" --flat-out --megabytes "$megabytes"
fresh 4
bench flat-out-4 ingest --url "$live" --publishers 4 --flat-out --megabytes "$((megabytes / 4))"
floor --tick 0
bench floor-flat-out ingest --url "$live" --flat-out --megabytes "$megabytes"
floor
bench floor-real-time-again ingest --url "$live" --publishers "$publishers" --seconds "$seconds"
fresh "$((idle + 1))"
bench idle ingest --url "$live" --publishers 1 --idle "$idle" --seconds 10
keep

# Ten thousand players while 200 publish.
fresh "$publishers"
"$livebucket" bench ingest --url "$live" --publishers "$publishers" --warmup 0 --seconds "$((seconds + 16))" >/dev/null &
publishing=$!
sleep 14
bench players play --url "$playlist" --connections "$players" --channels "$publishers" --fetching 10 --seconds "$seconds"
wait "$publishing"
keep

# Ingest on the disk.
scratch_in "$disk"
fresh "$publishers"
bench disk ingest --url "$live" --publishers "$publishers" --seconds "$((seconds + 4))" --playlist "$playlist" --watch "$((publishers / 5))"
note visible "{\"p50_s\":$(quantile 0.5),\"p90_s\":$(quantile 0.9),\"p99_s\":$(quantile 0.99)}"
fresh "$many"
bench thousand ingest --url "$live" --publishers "$many" --seconds "$((seconds + 10))"
keep

# Objects on the disk.
fresh 0
bench put-16k put --url "$bucket/%k" --bytes 16384 --connections 64 --seconds 8
fresh 0
bench put-1g put --url "$bucket/big-1" --bytes "$bytes" --connections 1 --requests 1
bench get-1g get --url "$bucket/big-1" --connections 1 --requests 1
# The second copy: the first pays for memory that the host has to give.
head -c "$bytes" /dev/urandom >"$work/source"
for _ in 1 2; do
    rm -f "$work/copy"
    copied=${EPOCHREALTIME/./}
    dd if="$work/source" of="$work/copy" bs=1M conv=fsync status=none
    copied=$((${EPOCHREALTIME/./} - copied))
done
note dd "{\"mb_per_second\":$((bytes / copied))}"
keep
rm -f "$work/source" "$work/copy"

# A start with a million objects.
if [ -z "$million" ]; then
    million=$work/keep && mkdir "$million"
fi
finish
"$here/growth.sh" --publishers '' --objects "$objects" --data "$disk" --keep "$million" --plots "$work" | tee "$work/growth"
note million "$(sed -n 's/^{"bench":"start"/&/p' "$work/growth" | tail -1)"

finish
"$here/compare.sh" --only delivery --data "$memory" | tee "$work/compare"
sed -n 's/^\([a-z0-9-]*\) {/\1\t{/p' "$work/compare" | while IFS=$'\t' read -r name line; do
    printf '%s\n' "$line" >"$lines/delivery-$name.json"
done

python3 - "$lines" <<'PYTHON'
import json
import sys


def figure(name, *path):
    with open(f"{sys.argv[1]}/{name}.json") as line:
        value = json.load(line)
    for key in path:
        value = value[key]
    return value


def delivery(server, of, *path):
    return figure(f"delivery-{server}-{of}", *path) / figure(f"delivery-nginx-{of}", *path)


def row(what, goal, value, beside=""):
    met = "" if goal is None else "met" if (value <= goal[1] if goal[0] == "<=" else value >= goal[1]) else "**not met**"
    goal = "" if goal is None else f"{'at most' if goal[0] == '<=' else 'at least'} {goal[1]:g}"
    print(f"| {what} | {goal} | {value:.4g} | {met} | {beside} |")


minute = ("server", "cpu_seconds_per_stream_minute")
gigabyte = ("server", "cpu_seconds_per_gb")
request = ("cpu_micros_per_request",)
floors = sorted(figure(name, *minute) for name in ["floor-real-time", "floor-real-time-again"])
print("\n| what | goal | figure | | beside it |\n|---|---|---|---|---|")
row("200 publishers: CPU s a stream-minute", ("<=", 0.018), figure("real-time", *minute), f"floor {floors[0]:.4f} to {floors[1]:.4f}")
row("200 publishers: resident MB each", ("<=", 0.3), figure("real-time", "resident_mb_per_publisher"))
row("200 publishers: latest send, ms", None, figure("real-time", "late_ms", "max"))
row("1000 publishers, disk: latest send, ms", ("<=", 250), figure("thousand", "late_ms", "max"), f"CPU s a stream-minute {figure('thousand', *minute):.4f}")
row("5000 connected and idle: lost", ("<=", 0), figure("idle", "idle", "lost"))
row("one connection flat out: MB/s", (">=", 1200), figure("flat-out", "mb_per_second"), f"floor {figure('floor-flat-out', 'mb_per_second'):.0f}")
row("one connection flat out: CPU s a GB", ("<=", 0.7), figure("flat-out", *gigabyte), f"floor {figure('floor-flat-out', *gigabyte):.2f}")
row("four connections flat out: MB/s", None, figure("flat-out-4", "mb_per_second"), f"CPU s a GB {figure('flat-out-4', *gigabyte):.2f}")
row("publish accepted, ms (p99 of 200)", ("<=", 5), figure("real-time", "accepted_ms", "p99"), f"p50 {figure('real-time', 'accepted_ms', 'p50'):.2f}")
row("disk: from the cutting read to the playlist, ms (p50)", ("<=", 8), figure("visible", "p50_s") * 1e3, f"p90 {figure('visible', 'p90_s') * 1e3:.1f}")
row("disk: from the cutting read to the playlist, ms (p99)", ("<=", 40), figure("visible", "p99_s") * 1e3)
row("disk: 200 publishers: CPU s a stream-minute", None, figure("disk", *minute), f"from the sender: p50 {figure('disk', 'playlist_ms', 'p50'):.0f}, p99 {figure('disk', 'playlist_ms', 'p99'):.0f} ms")
ways = [("anonymous", "livebucket"), ("OSS version 1", "livebucket-signed-1"), ("OSS version 4", "livebucket-signed-4"), ("S3 version 4", "livebucket-signed-s3")]
for how, server in ways:
    row(f"playlist GET, {how}: CPU, times nginx", ("<=", 1.3), delivery(server, "playlist", *request))
for how, server in ways:
    row(f"fragment GET, {how}: CPU a GB, times nginx", ("<=", 1.2), delivery(server, "fragment", *gigabyte))
row("10 000 players of 200 channels: playlist p99, ms", ("<=", 50), figure("players", "playlist_ms", "p99"))
row("PUT of 16 KiB, 64 clients: requests a second", (">=", 8000), figure("put-16k", "requests_per_second"))
copy = figure("dd", "mb_per_second")
row("PUT of 1 GiB: share of dd's rate", (">=", 0.7), figure("put-1g", "mb_per_second") / copy, f"dd {copy} MB/s")
row("GET of 1 GiB: share of dd's rate", (">=", 0.7), figure("get-1g", "mb_per_second") / copy)
row("start on an empty directory, ms", ("<=", 100), figure("start", "empty_ms"))
row("start with a million objects, ms", ("<=", 1000), figure("million", "ms"))
row("idle: resident MB", ("<=", 25), figure("start", "idle_mb"))
row("release binary, MB", ("<=", 25), figure("start", "binary_mb"))
PYTHON
