"""Channels, publish URLs and what a publish left behind, as the suites ask for them."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import time
import urllib.parse
import urllib.request

import oss2
from oss2.models import LiveChannelInfo, LiveChannelInfoTarget

from . import playlist
from .waiting import wait_until

_URL_SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "publish" / "rtmp-url.mjs"


def create_channel(bucket: oss2.Bucket, channel: str, frag_duration: int = 2, frag_count: int = 5, name: str = "playlist.m3u8"):
    target = LiveChannelInfoTarget(frag_duration=frag_duration, frag_count=frag_count, playlist_name=name)
    return bucket.create_live_channel(channel, LiveChannelInfo(target=target))


def ali_oss_url(server, bucket: str, channel: str, endpoint: str | None = None, client: dict | None = None, **url) -> str:
    """What `client.getRtmpUrl(channel)` of ali-oss gives."""
    return subprocess.run(
        ["node", str(_URL_SCRIPT), endpoint or server.ip_endpoint, bucket, channel,
         json.dumps({"client": client or {}, "url": url})],
        env=server.environment(), capture_output=True, text=True, check=True,
    ).stdout.strip()


def signed_fields(server, bucket: str, channel: str, params: dict | None = None, seconds: int = 3600) -> dict:
    """The signature's query fields as the documentation defines them, not encoded."""
    expires = int(time.time()) + seconds
    lines = "".join(f"{key}:{value}\n" for key, value in sorted((params or {}).items()))
    text = f"{expires}\n{lines}/{bucket}/{channel}"
    signature = base64.b64encode(hmac.new(server.secret_key.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return {"OSSAccessKeyId": server.access_key, "Expires": str(expires), "Signature": signature}


def encoded(fields: dict) -> str:
    return "&".join(f"{key}={urllib.parse.quote(value, safe='')}" for key, value in fields.items())


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


def live_playlist(bucket: oss2.Bucket, channel: str, name: str = "playlist.m3u8"):
    """The stored live playlist, None before the first fragment."""
    try:
        return playlist.parse(bucket.get_object(f"{channel}/{name}").read().decode())
    except oss2.exceptions.NoSuchKey:
        return None


def fragments(bucket: oss2.Bucket, channel: str) -> dict:
    """The bodies of a channel's fragments by key, in order."""
    keys = [one.key for one in oss2.ObjectIterator(bucket, prefix=f"{channel}/") if one.key.endswith(".ts")]
    return {key: bucket.get_object(key).read() for key in keys}


def wait_idle(bucket: oss2.Bucket, channel: str, records: int = 1, seconds: float = 10):
    """Waits until the publish is over: nobody connected, and its record in the history."""
    wait_until(lambda: bucket.get_live_channel_stat(channel).status != "Live", seconds, f"{channel} leaves Live")
    return wait_until(
        lambda: (found := bucket.get_live_channel_history(channel).records) and len(found) >= records and found,
        seconds, f"{channel} has {records} records in its history",
    )


def store(directory: pathlib.Path, found: dict) -> pathlib.Path:
    """Writes the fragments one after another into one file."""
    joined = directory / "joined.ts"
    joined.write_bytes(b"".join(found.values()))
    return joined
