#!/usr/bin/env bash
# livebucket beside nginx-rtmp and nginx, one after the other in one run on this machine, by the same load generator
# (`livebucket bench`). Prints each run's JSON line and, at the end, ratios: those hold on other machines, absolute figures do
# not.
#
#   benches/compare.sh [--publishers N] [--seconds S] [--data DIR] [--only ingest|delivery]
#
# DIR (default /dev/shm, where the disk limits nobody) holds the media of all servers. Installs nginx and its RTMP module with
# apt when they are missing, which needs root. On a busy machine run it under `nice -n -10`.
set -euo pipefail

publishers=200 seconds=14 data=/dev/shm only=
while [ $# -gt 0 ]; do
    case "$1" in
    --publishers) publishers=$2 ;;
    --seconds) seconds=$2 ;;
    --data) data=$2 ;;
    --only) only=$2 ;;
    *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
    esac
    shift 2
done

module=/usr/lib/nginx/modules/ngx_rtmp_module.so
if ! command -v nginx >/dev/null || [ ! -e "$module" ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends nginx libnginx-mod-rtmp >/dev/null
fi
# shellcheck source=benches/server.sh
. "$(dirname "${BASH_SOURCE[0]}")/server.sh"
scratch "$data"

# LEVEL: nginx runs without an access log, so delivery is compared without one, too.
start_livebucket() {
    serve "$work/livebucket" --log-level "$1"
    channels "$publishers"
}

# STATIC: settings of nginx for files that do not change.
start_nginx() {
    local static=${1:-}
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
    tcp_nopush on;
    $static
    types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; }
    keepalive_requests 1000000000;
    server { listen 127.0.0.1:$http; root $work/nginx/hls; }
}
CONF
    nginx -p "$work/nginx" -c "$work/nginx/nginx.conf" >"$work/log" 2>&1 &
    server=$!
    until_it_listens $http
    worker=$(pgrep -P "$server" | head -1)
}

ingest() {
    local name=$1 url=$2 playlist=$3
    bench "$name-real-time" ingest --url "$url" --publishers "$publishers" --seconds "$seconds" --playlist "$playlist"
    bench "$name-flat-out" ingest --url "$url" --flat-out --megabytes 1000
    bench "$name-flat-out-4" ingest --url "$url" --publishers 4 --flat-out --megabytes 300
    bench "$name-playlist-get" get --url "${playlist//%n/1}" --connections 8 --seconds 5
}

# A playlist of five fragments, and a fragment of 6 s at 2 Mbit/s.
fragment_bytes=1500000
put_files() {
    mkdir -p "$work/files"
    head -c $fragment_bytes /dev/urandom >"$work/files/fragment.ts"
    {
        printf '#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:1234\n'
        for n in 1 2 3 4 5; do printf '#EXTINF:6.000,\n176383610000%d.ts\n' "$n"; done
    } >"$work/files/playlist.m3u8"
}

# NAME FOLDER [ARGUMENTS]: GETs of both over kept-alive connections.
delivery() {
    local name=$1 folder=$2
    shift 2
    bench "$name-playlist" get --url "http://127.0.0.1:$http/$folder/playlist.m3u8" --connections 16 --seconds 5 "$@"
    bench "$name-playlist-one" get --url "http://127.0.0.1:$http/$folder/playlist.m3u8" --connections 1 --seconds 3 "$@"
    bench "$name-fragment" get --url "http://127.0.0.1:$http/$folder/fragment.ts" --connections 16 --seconds 5 "$@"
    bench "$name-fragment-one" get --url "http://127.0.0.1:$http/$folder/fragment.ts" --connections 1 --seconds 3 "$@"
}

if [ "$only" != delivery ]; then
    start_nginx
    ingest nginx "rtmp://127.0.0.1:$rtmp/live/ch-%n" "http://127.0.0.1:$http/ch-%n.m3u8"
    finish
    start_livebucket info
    ingest livebucket "rtmp://127.0.0.1:$rtmp/bench/live/ch-%n" "http://127.0.0.1:$http/bench/ch-%n/playlist.m3u8"
    finish
    rm -rf "$work/livebucket" "$work/nginx"
fi
if [ "$only" != ingest ]; then
    put_files
    start_nginx 'open_file_cache max=10000 inactive=60s; open_file_cache_valid 60s;'
    mkdir -p "$work/nginx/hls/bench"
    cp "$work/files/"* "$work/nginx/hls/bench/"
    delivery nginx bench
    finish
    start_livebucket warn
    for file in playlist.m3u8 fragment.ts; do
        curl --silent --fail --upload-file "$work/files/$file" "http://127.0.0.1:$http/bench/$file"
    done
    delivery livebucket bench
    delivery livebucket-signed-1 bench --sign 1
    delivery livebucket-signed-4 bench --sign 4
    delivery livebucket-signed-s3 bench --sign s3
    finish
fi

python3 - "$work" <<'PYTHON'
import json
import sys

def figure(server, bench, *path):
    try:
        with open(f"{sys.argv[1]}/{server}-{bench}.json") as line:
            value = json.load(line)
    except FileNotFoundError:
        return None
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
    if ours is None and theirs is None:
        continue
    ratio = f"{ours / theirs:8.2f}" if ours and theirs else "       -"
    print(f"{title:44}{ours if ours is not None else '-':>12}{theirs if theirs is not None else '-':>12}{ratio}")

for bench, unit, *path in [
    ("playlist", "CPU us a request", "cpu_micros_per_request"),
    ("playlist", "requests/s", "requests_per_second"),
    ("playlist", "wait ms (p99)", "wait_ms", "p99"),
    ("playlist-one", "CPU us a request", "cpu_micros_per_request"),
    ("fragment", "CPU s a GB", "server", "cpu_seconds_per_gb"),
    ("fragment", "MB/s", "mb_per_second"),
    ("fragment-one", "CPU s a GB", "server", "cpu_seconds_per_gb"),
    ("fragment-one", "MB/s", "mb_per_second"),
]:
    theirs = figure("nginx", bench, *path)
    for server in ["livebucket", "livebucket-signed-1", "livebucket-signed-4", "livebucket-signed-s3"]:
        ours = figure(server, bench, *path)
        if ours and theirs:
            title = f"{bench}{server.removeprefix('livebucket').replace('-', ' ')}: {unit}"
            print(f"{title:44}{ours:>12}{theirs:>12}{ours / theirs:8.2f}")
PYTHON
