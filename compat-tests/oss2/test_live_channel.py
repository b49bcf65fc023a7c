"""Live channels through oss2. What is expected follows the SDK's own test of them: exact URLs, its exceptions."""

import time

import oss2
import pytest
from oss2.models import LiveChannelInfo, LiveChannelInfoTarget

from harness.oss2_ways import ADDRESSING, SERVER as SERVER, SIGNATURES, auth, connect, domain_resolved, url_base


@pytest.fixture(scope="module", params=[f"{a}/{s}" for a in ADDRESSING for s in SIGNATURES])
def way(request, server):
    addressing, signature = request.param.split("/")
    name = f"live-{addressing.replace(' ', '-').lower()}-{signature.lower()}"
    with domain_resolved():
        bucket = connect(server, addressing, signature, name)
        bucket.create_bucket()
        yield bucket, addressing, signature
        for channel in oss2.LiveChannelIterator(bucket):
            bucket.delete_live_channel(channel.name)
        bucket.delete_bucket()


@pytest.fixture
def bucket(way):
    return way[0]


def info(playlist="test.m3u8", **more) -> LiveChannelInfo:
    return LiveChannelInfo(target=LiveChannelInfoTarget(playlist_name=playlist), **more)


def test_create_gives_exact_urls_and_get_echoes(server, way):
    bucket, addressing, _ = way
    publish, play = url_base(server, addressing, bucket.bucket_name)
    target = LiveChannelInfoTarget(playlist_name="test.m3u8", frag_duration=7, frag_count=9)
    created = bucket.create_live_channel(
        "rtmp-channel", LiveChannelInfo(target=target, description='<>{}=?//& "ü"', status="disabled")
    )
    assert created.publish_url == f"{publish}/rtmp-channel"
    assert created.play_url == f"{play}/rtmp-channel/test.m3u8"

    got = bucket.get_live_channel("rtmp-channel")
    assert (got.status, got.description) == ("disabled", '<>{}=?//& "ü"')
    assert (got.target.type, got.target.frag_duration, got.target.frag_count) == ("HLS", "7", "9")
    assert got.target.playlist_name == "test.m3u8"


def test_a_target_without_a_playlist_has_the_default(bucket):
    created = bucket.create_live_channel("default", LiveChannelInfo(target=LiveChannelInfoTarget()))
    assert created.play_url.endswith("/default/playlist.m3u8")
    got = bucket.get_live_channel("default")
    assert (got.target.frag_duration, got.target.frag_count, got.target.playlist_name) == ("5", "3", "playlist.m3u8")
    assert not got.description and got.status == "enabled"


def test_list_on_a_fresh_prefix_and_iterator(server, way):
    bucket, addressing, _ = way
    assert bucket.list_live_channel(prefix="fresh").channels == []
    publish, play = url_base(server, addressing, bucket.bucket_name)
    names = [f"list-{number:02}" for number in range(12)]
    before = int(time.time()) - 1
    for name in names:
        bucket.create_live_channel(name, info(description=name))
    page = bucket.list_live_channel(prefix="list-", marker="list-02", max_keys=3)
    assert (page.prefix, page.marker, page.max_keys, page.is_truncated) == ("list-", "list-02", 3, True)
    assert [channel.name for channel in page.channels] == names[3:6]
    assert page.next_marker == "list-05"
    first = page.channels[0]
    assert (first.description, first.status) == ("list-03", "enabled")
    assert first.publish_url == f"{publish}/list-03"
    assert first.play_url == f"{play}/list-03/test.m3u8"
    assert before <= first.last_modified <= time.time() + 1
    assert [channel.name for channel in oss2.LiveChannelIterator(bucket, prefix="list-", max_keys=5)] == names


def test_status_and_stat(bucket):
    bucket.create_live_channel("stat", info())
    stat = bucket.get_live_channel_stat("stat")
    assert (stat.status, stat.remote_addr, stat.video, stat.audio) == ("Idle", "", None, None)
    bucket.put_live_channel_status("stat", "disabled")
    assert bucket.get_live_channel_stat("stat").status == "Disabled"
    assert bucket.get_live_channel("stat").status == "disabled"
    bucket.put_live_channel_status("stat", "enabled")
    assert bucket.get_live_channel_stat("stat").status == "Idle"
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.put_live_channel_status("stat", "live")


def test_history_is_empty_before_a_publish(bucket):
    bucket.create_live_channel("history", info())
    assert bucket.get_live_channel_history("history").records == []


def test_missing_channels_are_no_such_live_channel(bucket):
    for call in (
        lambda: bucket.get_live_channel("missing"),
        lambda: bucket.get_live_channel_stat("missing"),
        lambda: bucket.get_live_channel_history("missing"),
        lambda: bucket.put_live_channel_status("missing", "enabled"),
    ):
        with pytest.raises(oss2.exceptions.NoSuchLiveChannel) as error:
            call()
        assert error.value.status == 404
        assert error.value.ec == "0026-00000021"
    assert bucket.delete_live_channel("missing").status == 204


def test_names_outside_of_ascii_and_with_spaces(server, way):
    bucket, addressing, _ = way
    publish, _ = url_base(server, addressing, bucket.bucket_name)
    created = bucket.create_live_channel("测试 频道", info())
    assert created.publish_url == f"{publish}/%E6%B5%8B%E8%AF%95%20%E9%A2%91%E9%81%93"
    assert bucket.get_live_channel("测试 频道").target.type == "HLS"
    bucket.create_live_channel("测试+频道", info())
    assert [one.name for one in bucket.list_live_channel(prefix="测试 ").channels] == ["测试 频道"]
    assert [one.name for one in bucket.list_live_channel(prefix="测试", marker="测试 频道").channels] == ["测试+频道"]
    assert bucket.delete_live_channel("测试 频道").status == 204


def test_names_that_are_too_long_or_have_a_slash(bucket):
    for name in ("n" * 64, "a/b"):
        with pytest.raises(oss2.exceptions.ServerError) as error:
            bucket.create_live_channel(name, info())
        assert (error.value.status, error.value.code) == (400, "InvalidChannelName")


def test_vod_over_nothing(bucket):
    bucket.create_live_channel("vod", info())
    now = int(time.time())
    for call in (
        lambda: bucket.post_vod_playlist("vod", "vod.m3u8", now - 100, now + 3600),
        lambda: bucket.get_vod_playlist("vod", now - 100, now + 3600),
    ):
        with pytest.raises(oss2.exceptions.InvalidArgument) as error:
            call()
        assert error.value.details["Message"] == "No ts file found in specified time span."
        assert error.value.ec == "0044-00000308"


def test_vod_ranges_that_are_none(bucket):
    bucket.create_live_channel("vod", info())
    for start, end, ec in ((200, 100, "306"), (0, 86401, "307")):
        with pytest.raises(oss2.exceptions.InvalidArgument) as error:
            bucket.get_vod_playlist("vod", start, end)
        assert error.value.ec == f"0044-00000{ec}"


def test_sign_rtmp_url_has_the_signature_of_the_documentation(server, way):
    bucket, addressing, _ = way
    url = bucket.sign_rtmp_url("rtmp-channel", "test.m3u8", 3600)
    base = {"IP": f"rtmp://127.0.0.1:{server.port}/{bucket.bucket_name}",
            "localhost": f"rtmp://localhost:{server.port}/{bucket.bucket_name}",
            "virtual host": f"rtmp://{bucket.bucket_name}.compat.test:{server.port}",
            "path style": f"rtmp://compat.test:{server.port}/{bucket.bucket_name}"}[addressing]
    assert url.startswith(f"{base}/live/rtmp-channel?playlistName=test.m3u8&OSSAccessKeyId={server.access_key}&Expires=")


def test_anonymous_and_wrong_keys(server, way):
    bucket, addressing, signature = way
    bucket.create_live_channel("guarded", info())
    anonymous = connect(server, addressing, signature, bucket.bucket_name, oss2.AnonymousAuth())
    for call in (
        lambda: anonymous.get_live_channel("guarded"),
        lambda: anonymous.delete_live_channel("guarded"),
        lambda: anonymous.create_live_channel("guarded", info()),
        lambda: anonymous.list_live_channel(),
    ):
        with pytest.raises(oss2.exceptions.AccessDenied):
            call()
    wrong = connect(server, addressing, signature, bucket.bucket_name, auth(server, signature, secret="wrong"))
    with pytest.raises(oss2.exceptions.SignatureDoesNotMatch):
        wrong.get_live_channel("guarded")
    assert bucket.get_live_channel("guarded").status == "enabled"


def test_a_missing_bucket(server, way):
    _, addressing, signature = way
    elsewhere = connect(server, addressing, signature, "no-such-bucket-at-all")
    with pytest.raises(oss2.exceptions.NoSuchBucket):
        elsewhere.create_live_channel("c", info())
