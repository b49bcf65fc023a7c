"""Playing from a private bucket: fragments are closed, `x-oss-process=hls/sign` opens them."""

import time

import oss2
import pytest
import requests

from harness.live import ali_oss_url, create_channel, fragments, wait_idle
from harness.media import decode, make_sample, publish_file, streams
from harness.playlist import parse
from harness.server import OUT, REGION

BUCKET, CHANNEL = "private-show", "event"


@pytest.fixture(scope="module")
def published(server, make_bucket):
    bucket = make_bucket(BUCKET)
    create_channel(bucket, CHANNEL)
    sample = make_sample(OUT / "private.flv", 8)
    before = int(time.time())
    sent = publish_file(ali_oss_url(server, BUCKET, CHANNEL), sample).finish(30)
    wait_idle(bucket, CHANNEL)
    bucket.post_vod_playlist(CHANNEL, "vod.m3u8", before - 1, before + 60)
    return bucket, sent


def test_nothing_is_open_without_a_signature(server, published):
    bucket, _ = published
    for key in [*fragments(bucket, CHANNEL), f"{CHANNEL}/playlist.m3u8", f"{CHANNEL}/vod.m3u8"]:
        answer = requests.get(f"{server.ip_endpoint}/{BUCKET}/{key}", timeout=10)
        assert (answer.status_code, "<Code>AccessDenied</Code>" in answer.text) == (403, True), key


@pytest.mark.parametrize("signature", ["V1", "V4"])
def test_a_signed_playlist_plays_whole(server, published, signature):
    _, sent = published
    kind = {"V1": oss2.Auth, "V4": oss2.AuthV4}[signature]
    bucket = oss2.Bucket(kind(server.access_key, server.secret_key), server.ip_endpoint, BUCKET, region=REGION)
    url = bucket.sign_url("GET", f"{CHANNEL}/vod.m3u8", 600, params={"x-oss-process": "hls/sign"}, slash_safe=True)
    text = requests.get(url, timeout=10).text
    for uri in parse(text).uris:
        assert "Signature=" in uri or "x-oss-signature=" in uri, uri
    assert decode(url) == ""
    assert int(streams(url)["video"]["nb_read_frames"]) == sent.video_packets


def test_only_url_signed_requests_are_rewritten(published):
    bucket, _ = published
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_object(f"{CHANNEL}/vod.m3u8", process="hls/sign").read()
    assert error.value.status == 400
