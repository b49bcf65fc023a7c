"""Who may not publish, and how he is told: `onStatus` first, with OSS code and EC, then the close."""

import time

import oss2
import pytest

from harness.live import ali_oss_url, create_channel, encoded, fragments, signed_fields, wait_idle
from harness.media import make_sample, publish_file
from harness.rtmp_probe import Probe
from harness.server import OUT
from harness.waiting import wait_until

BUCKET, CHANNEL = "guarded-show", "event"


@pytest.fixture(scope="module")
def bucket(make_bucket):
    made = make_bucket(BUCKET)
    create_channel(made, CHANNEL)
    create_channel(made, "disabled")
    made.put_live_channel_status("disabled", "disabled")
    return made


@pytest.fixture(scope="module")
def sample():
    return make_sample(OUT / "refusals.flv", 6)


def ask(server, query: str | dict, channel: str = CHANNEL, bucket: str = BUCKET):
    text = encoded(query) if isinstance(query, dict) else query
    with Probe(server.port, f"{bucket}/live", f"rtmp://127.0.0.1:{server.port}/{bucket}/live") as probe:
        return probe.publish(f"{channel}?{text}" if text else channel)


def without(fields: dict, key: str) -> dict:
    return {name: value for name, value in fields.items() if name != key}


REFUSED_SIGNATURES = {
    "no query": (lambda fields: "", "0002-00000801"),
    "no key id": (lambda fields: without(fields, "OSSAccessKeyId"), "0002-00000801"),
    "unknown key id": (lambda fields: {**fields, "OSSAccessKeyId": "nobody"}, "0002-00000802"),
    "no expiry": (lambda fields: without(fields, "Expires"), "0002-00000803"),
    "expiry not a number": (lambda fields: {**fields, "Expires": "soon"}, "0002-00000804"),
    "expired": (lambda fields: {**fields, "Expires": str(int(time.time()) - 1)}, "0002-00000805"),
    "no signature": (lambda fields: without(fields, "Signature"), "0002-00000806"),
    "another signature": (lambda fields: {**fields, "Signature": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "0002-00000807"),
    "expiry moved": (lambda fields: {**fields, "Expires": str(int(fields["Expires"]) + 1)}, "0002-00000807"),
    "parameter not signed": (lambda fields: {**fields, "user-id": "7"}, "0002-00000807"),
    "signature version 4": (lambda fields: {**fields, "SignatureVersion": "OSS4-HMAC-SHA256"}, "0002-00000808"),
}


@pytest.mark.parametrize("case", REFUSED_SIGNATURES)
def test_a_signature_that_does_not_hold_is_denied(server, bucket, case):
    change, ec = REFUSED_SIGNATURES[case]
    answer = ask(server, change(signed_fields(server, BUCKET, CHANNEL)))
    assert (answer.level, answer.code) == ("error", "NetStream.Publish.Denied")
    assert ec in answer.description
    assert answer.closed
    assert bucket.get_live_channel_stat(CHANNEL).status == "Idle"


def test_a_signature_that_holds_is_accepted(server, bucket):
    answer = ask(server, signed_fields(server, BUCKET, CHANNEL))
    assert answer.accepted, answer
    assert "publish success" in answer.description.lower()


def test_a_disabled_channel(server, bucket):
    answer = ask(server, signed_fields(server, BUCKET, "disabled"), channel="disabled")
    assert (answer.code, answer.closed) == ("NetStream.Publish.Denied", True)
    assert "LiveChannelDisabled" in answer.description


def test_a_channel_that_does_not_exist(server, bucket):
    answer = ask(server, signed_fields(server, BUCKET, "nothing"), channel="nothing")
    assert (answer.code, answer.closed) == ("NetStream.Publish.Failed", True)
    assert "NoSuchLiveChannel" in answer.description
    assert "0026-00000021" in answer.description


def test_a_bucket_that_does_not_exist(server, bucket):
    answer = ask(server, signed_fields(server, "no-such-bucket", CHANNEL), bucket="no-such-bucket")
    assert (answer.code, answer.closed) == ("NetStream.Publish.Failed", True)
    assert "NoSuch" in answer.description


def test_ffmpeg_shows_the_reason(server, bucket, sample):
    good = ali_oss_url(server, BUCKET, CHANNEL)
    bad = good.replace("Signature=", "Signature=x")
    publisher = publish_file(bad, sample, options=("-loglevel", "debug"))
    log = publisher.wait(30)
    assert publisher.process.returncode != 0
    assert "0002-00000807" in log


def test_a_second_publisher_is_refused_and_the_first_goes_on(server, bucket, sample):
    create_channel(bucket, "contested")
    with publish_file(ali_oss_url(server, BUCKET, "contested"), sample, real_time=True) as first:
        wait_until(lambda: bucket.get_live_channel_stat("contested").status == "Live", 10, "the first is live")
        holder = bucket.get_live_channel_stat("contested").remote_addr
        answer = ask(server, signed_fields(server, BUCKET, "contested"), channel="contested")
        assert (answer.level, answer.code, answer.closed) == ("error", "NetStream.Publish.BadName", True)
        assert bucket.get_live_channel_stat("contested").remote_addr == holder
        sent = first.finish(30)
    assert sent.video_packets == 150
    records = wait_idle(bucket, "contested")
    assert [one.remote_addr for one in records] == [holder], "a refused publish is not in the history"
    again = ask(server, signed_fields(server, BUCKET, "contested"), channel="contested")
    assert again.accepted, again


def test_disabling_cuts_a_publisher_and_keeps_what_he_sent(server, bucket, sample):
    create_channel(bucket, "cut")
    with publish_file(ali_oss_url(server, BUCKET, "cut"), sample, real_time=True, loop=True) as publisher:
        wait_until(lambda: fragments(bucket, "cut"), 15, "a fragment")
        bucket.put_live_channel_status("cut", "disabled")
        disabled = time.monotonic()
        wait_until(lambda: not publisher.running(), 12, "the publisher is cut")
        assert time.monotonic() - disabled < 11
        assert "LiveChannelDisabled" in publisher.wait(5), "onStatus comes before the close"
    records = wait_idle(bucket, "cut")
    assert len(records) == 1
    assert bucket.get_live_channel_stat("cut").status == "Disabled"
    assert len(fragments(bucket, "cut")) >= 2, "the fragment in progress is closed and kept"
    answer = ask(server, signed_fields(server, BUCKET, "cut"), channel="cut")
    assert "LiveChannelDisabled" in answer.description
    bucket.put_live_channel_status("cut", "enabled")
    assert ask(server, signed_fields(server, BUCKET, "cut"), channel="cut").accepted


def test_a_running_publish_outlives_its_expiry(server, bucket, sample):
    create_channel(bucket, "expiring")
    url = ali_oss_url(server, BUCKET, "expiring", expires=2)
    with publish_file(url, sample, real_time=True) as publisher:
        assert publisher.finish(30).video_packets == 150
    wait_idle(bucket, "expiring")
    answer = ask(server, url.split("?", 1)[1], channel="expiring")
    assert "0002-00000805" in answer.description, "a reconnect with it fails"


def test_a_public_read_write_bucket_needs_no_signature(server, make_bucket, sample):
    public = make_bucket("open-show", oss2.BUCKET_ACL_PUBLIC_READ_WRITE)
    create_channel(public, "open")
    url = f"rtmp://127.0.0.1:{server.port}/open-show/live/open?playlistName=named.m3u8"
    sent = publish_file(url, sample).finish(30)
    wait_idle(public, "open")
    assert public.object_exists("open/named.m3u8"), "playlistName names the playlist of this publish"
    assert not public.object_exists("open/playlist.m3u8")
    assert sent.video_packets == 150
    read_only = make_bucket("read-show", oss2.BUCKET_ACL_PUBLIC_READ)
    create_channel(read_only, "open")
    assert ask(server, "", channel="open", bucket="read-show").code == "NetStream.Publish.Denied"
