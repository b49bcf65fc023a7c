"""Publishes FLV files one after another in one connection, each from a time of its own: what no encoder does on purpose.

    python3 send_tags.py RTMP_URL FILE@MILLISECONDS...
"""

import pathlib
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.rtmp_probe import Probe  # noqa: E402

AUDIO, VIDEO = 8, 9


def tags(flv: bytes):
    """Kind, milliseconds and body of each audio and video tag (Adobe FLV 10.1, annex E)."""
    at = 9 + 4
    while at + 11 <= len(flv):
        kind, size = flv[at], int.from_bytes(flv[at + 1 : at + 4], "big")
        millis = flv[at + 7] << 24 | int.from_bytes(flv[at + 4 : at + 7], "big")
        if kind in (AUDIO, VIDEO):
            yield kind, millis, flv[at + 11 : at + 11 + size]
        at += 11 + size + 4


def main(url: str, *parts: str):
    parsed = urllib.parse.urlsplit(url)
    app, name = parsed.path.lstrip("/").rsplit("/", 1)
    tc_url = f"{parsed.scheme}://{parsed.netloc}/{app}"
    with Probe(parsed.port or 1935, app, tc_url) as probe:
        answer = probe.publish(f"{name}?{parsed.query}")
        assert answer.accepted, answer
        for part in parts:
            file, shift = part.rsplit("@", 1)
            for kind, millis, body in tags(pathlib.Path(file).read_bytes()):
                probe.send_tag(kind, millis + int(shift), body)
        probe.unpublish()


if __name__ == "__main__":
    main(*sys.argv[1:])
