#!/usr/bin/env bash
# livebucket beside nginx-rtmp and nginx, one after the other in one run on this machine, by the same load generator
# (`livebucket bench`). Prints each run's JSON line and, at the end, ratios: those hold on other machines, absolute figures do
# not.
#
#   benches/compare.sh [--publishers N] [--seconds S] [--data DIR]
#
# DIR (default /dev/shm, where the disk limits nobody) holds the media of all servers. Installs nginx and its RTMP module with
# apt when they are missing, which needs root. On a busy machine run it under `nice -n -10`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

publishers=200 seconds=14 data=/dev/shm
while [ $# -gt 0 ]; do
    case "$1" in
    --publishers) publishers=$2 ;;
    --seconds) seconds=$2 ;;
    --data) data=$2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
    shift 2
done

module=/usr/lib/nginx/modules/ngx_rtmp_module.so
if ! command -v nginx >/dev/null || [ ! -e "$module" ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends nginx libnginx-mod-rtmp >/dev/null
fi
livebucket=${LIVEBUCKET:-target/release/livebucket}
[ -x "$livebucket" ] || cargo build --locked --release --bin livebucket

work=$(mktemp -d "$data/livebucket-compare.XXXXXX")
server=
finish() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || true
    server=
}
trap 'finish; rm -rf "$work"' EXIT
# Sockets of publishers and players beside each other.
ulimit -n "$(ulimit -Hn)"

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
until_it_listens() {
    for _ in $(seq 100); do
        listens "$1" && return
        sleep 0.1
    done
    printf 'nothing listens on port %s\n' "$1" >&2
    return 1
}

# NAME ARGUMENTS: one bench; its line is kept as $work/NAME.json.
bench() {
    local name=$1
    shift
    "$livebucket" bench "$@" >"$work/$name.json"
    printf '%s %s\n' "$name" "$(cat "$work/$name.json")"
}

http=18300 rtmp=18301
start_livebucket() {
    LIVEBUCKET_ACCESS_KEY=comparecompare LIVEBUCKET_SECRET_KEY=comparecomparecompare "$livebucket" serve \
        --data "$work/livebucket" --listen 127.0.0.1:$http --rtmp-listen 127.0.0.1:$rtmp --admin-listen none \
        >"$work/livebucket.log" 2>&1 &
    server=$!
    worker=$server
    until_it_listens $http
    "$livebucket" bench setup --endpoint http://127.0.0.1:$http --access-key comparecompare \
        --secret-key comparecomparecompare --channels "$publishers" >/dev/null
}

start_nginx() {
    mkdir -p "$work/nginx/logs" "$work/nginx/hls"
    # Temporary files below the prefix: only the packaged service may write elsewhere.
    cat >"$work/nginx/nginx.conf" <<CONF
load_module $module;
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log warn;
$([ "$(id -u)" -ne 0 ] || printf 'user root;')
events { worker_connections 16384; }
rtmp {
    server {
        listen 127.0.0.1:$rtmp;
        chunk_size 4096;
        application live {
            live on;
            hls on;
            hls_path $work/nginx/hls;
            hls_fragment 5s;
            hls_playlist_length 15s;
        }
    }
}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    sendfile on;
    keepalive_requests 1000000;
    server { listen 127.0.0.1:$http; root $work/nginx/hls; }
}
CONF
    nginx -p "$work/nginx" -c "$work/nginx/nginx.conf" >"$work/nginx.log" 2>&1 &
    server=$!
    until_it_listens $http
    worker=$(pgrep -P "$server" | head -1)
}

ingest() {
    local name=$1 url=$2 playlist=$3
    bench "$name-real-time" ingest --url "$url" --publishers "$publishers" --seconds "$seconds" --pid "$worker" \
        --playlist "$playlist"
    bench "$name-flat-out" ingest --url "$url" --flat-out --megabytes 1000 --pid "$worker"
    bench "$name-flat-out-4" ingest --url "$url" --publishers 4 --flat-out --megabytes 300 --pid "$worker"
    bench "$name-playlist-get" get --url "${playlist//%n/1}" --connections 8 --seconds 5 --pid "$worker"
}

start_nginx
ingest nginx "rtmp://127.0.0.1:$rtmp/live/ch-%n" "http://127.0.0.1:$http/ch-%n.m3u8"
finish
start_livebucket
ingest livebucket "rtmp://127.0.0.1:$rtmp/bench/live/ch-%n" "http://127.0.0.1:$http/bench/ch-%n/playlist.m3u8"
finish

python3 - "$work" <<'PYTHON'
import json
import sys

def figure(server, bench, *path):
    with open(f"{sys.argv[1]}/{server}-{bench}.json") as line:
        value = json.load(line)
    for key in path:
        value = value.get(key) if value else None
    return value

print(f"\n{'':44}{'livebucket':>12}{'nginx':>12}{'ratio':>8}")
for title, bench, *path in [
    ("real time: CPU s a stream-minute", "real-time", "server", "cpu_seconds_per_stream_minute"),
    ("real time: resident MB a publisher", "real-time", "resident_mb_per_publisher"),
    ("real time: latest send, ms", "real-time", "late_ms", "max"),
    ("real time: publish accepted, ms (p99)", "real-time", "accepted_ms", "p99"),
    ("real time: playlist after a cut, ms (p50)", "real-time", "playlist_ms", "p50"),
    ("real time: playlist after a cut, ms (p99)", "real-time", "playlist_ms", "p99"),
    ("flat out, 1 connection: MB/s", "flat-out", "mb_per_second"),
    ("flat out, 1 connection: CPU s a GB", "flat-out", "server", "cpu_seconds_per_gb"),
    ("flat out, 4 connections: MB/s", "flat-out-4", "mb_per_second"),
    ("flat out, 4 connections: CPU s a GB", "flat-out-4", "server", "cpu_seconds_per_gb"),
    ("GET of a playlist: CPU us a request", "playlist-get", "cpu_micros_per_request"),
]:
    ours, theirs = figure("livebucket", bench, *path), figure("nginx", bench, *path)
    ratio = f"{ours / theirs:8.2f}" if ours and theirs else "       -"
    print(f"{title:44}{ours if ours is not None else '-':>12}{theirs if theirs is not None else '-':>12}{ratio}")
PYTHON
