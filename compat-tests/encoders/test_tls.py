"""HTTPS and RTMPS on the port that carries HTTP and RTMP, with a self-signed certificate."""

import ssl
import urllib.request

import pytest

from harness.live import ali_oss_url, create_channel, encoded, fragments, signed_fields, store, wait_idle
from harness.media import decode, frame_hashes, make_sample, publish_file
from harness.rtmp_probe import Probe
from harness.server import OUT

SERVER = {"tls": True}
BUCKET = "tls-show"


@pytest.fixture(scope="module")
def bucket(make_bucket):
    made = make_bucket(BUCKET)
    create_channel(made, "secure")
    return made


@pytest.fixture(scope="module")
def trust(server):
    return ssl.create_default_context(cafile=str(server.certificate))


def test_https_with_the_certificate_that_was_given(server, bucket, trust):
    bucket.put_object("hello", b"over TLS")
    url = bucket.sign_url("GET", "hello", 60).replace("http://127.0.0.1", "https://localhost")
    # The signature covers no host: the same URL holds on both.
    with urllib.request.urlopen(url, context=trust, timeout=10) as answer:
        assert answer.read() == b"over TLS"


def test_plain_http_and_rtmp_go_on_beside_it(server, bucket):
    assert bucket.get_live_channel("secure").status == "enabled"
    with Probe(server.port, f"{BUCKET}/live", f"rtmp://127.0.0.1/{BUCKET}/live") as probe:
        assert probe.publish(f"secure?{encoded(signed_fields(server, BUCKET, 'secure'))}").accepted
    wait_idle(bucket, "secure")


def test_rtmps_is_the_same_protocol_inside(server, bucket, trust):
    with Probe(server.port, f"{BUCKET}/live", f"rtmps://localhost/{BUCKET}/live", tls_context=trust) as probe:
        assert probe.publish(f"secure?{encoded(signed_fields(server, BUCKET, 'secure'))}").accepted
    wait_idle(bucket, "secure")


def test_ffmpeg_publishes_over_rtmps(server, bucket, tmp_path):
    sample = make_sample(OUT / "tls.flv", 6)
    create_channel(bucket, "rtmps")
    url = ali_oss_url(server, BUCKET, "rtmps").replace("rtmp://", "rtmps://")
    sent = publish_file(url, sample, options=("-tls_verify", "0")).finish(40)
    wait_idle(bucket, "rtmps")
    joined = store(tmp_path, fragments(bucket, "rtmps"))
    assert sent.video_packets == 150
    assert decode(joined) == ""
    assert frame_hashes(joined, "v") == frame_hashes(sample, "v")
