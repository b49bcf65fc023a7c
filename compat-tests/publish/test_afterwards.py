"""What a channel's objects are after the publish: ordinary objects, that outlive it."""

import time

import oss2
import pytest

from harness import playlist
from harness.live import ali_oss_url, create_channel, fragments, live_playlist, wait_idle
from harness.media import make_sample, publish_file
from harness.server import OUT

BUCKET = "afterwards"


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket(BUCKET)


@pytest.fixture(scope="module")
def sample():
    return make_sample(OUT / "afterwards.flv", 8)


def publish(server, bucket, channel, sample, records=1):
    publish_file(ali_oss_url(server, BUCKET, channel), sample).finish(30)
    return wait_idle(bucket, channel, records)


def vod(bucket, channel):
    now = int(time.time())
    return playlist.parse(bucket.get_vod_playlist(channel, now - 3600, now + 60).playlist)


def test_objects_outlive_their_channel_and_names_never_repeat(server, bucket, sample):
    create_channel(bucket, "reborn")
    publish(server, bucket, "reborn", sample)
    first = fragments(bucket, "reborn")
    last_sequence = live_playlist(bucket, "reborn").media_sequence
    bucket.delete_live_channel("reborn")
    with pytest.raises(oss2.exceptions.NoSuchLiveChannel):
        bucket.get_live_channel("reborn")
    assert fragments(bucket, "reborn") == first
    assert bucket.object_exists("reborn/playlist.m3u8")

    create_channel(bucket, "reborn")
    assert bucket.get_live_channel_stat("reborn").status == "Idle"
    publish(server, bucket, "reborn", sample)
    both = fragments(bucket, "reborn")
    assert list(both)[: len(first)] == list(first) and len(both) == 2 * len(first)
    assert {key: both[key] for key in first} == first
    assert live_playlist(bucket, "reborn").media_sequence >= last_sequence


def test_a_fragment_that_was_deleted_leaves_later_vod_playlists(server, bucket, sample):
    create_channel(bucket, "trimmed")
    publish(server, bucket, "trimmed", sample)
    keys = list(fragments(bucket, "trimmed"))
    assert len(vod(bucket, "trimmed").segments) == len(keys) == 4
    bucket.delete_object(keys[1])
    left = vod(bucket, "trimmed")
    assert left.uris == [key.removeprefix("trimmed/") for key in keys if key != keys[1]]
    assert [segment.discontinuity for segment in left.segments] == [False, True, False], "marked where it is missing"


def test_fragments_are_copied_and_read_in_parts_like_any_object(server, bucket, sample):
    create_channel(bucket, "copied")
    publish(server, bucket, "copied", sample)
    key, body = next(iter(fragments(bucket, "copied").items()))
    bucket.copy_object(BUCKET, key, "elsewhere/one.ts")
    bucket.delete_object(key)
    assert bucket.get_object("elsewhere/one.ts").read() == body
    assert bucket.get_object("elsewhere/one.ts", byte_range=(188, 375)).read() == body[188:376]
    assert bucket.head_object("elsewhere/one.ts").content_type == "video/mp2t"


def test_the_history_has_the_last_ten_in_order(server, bucket, sample):
    create_channel(bucket, "often")
    began = int(time.time())
    for number in range(1, 13):
        publish(server, bucket, "often", sample, records=min(number, 10))
    records = bucket.get_live_channel_history("often").records
    assert len(records) == 10
    starts = [record.start_time for record in records]
    assert starts == sorted(starts)
    assert all(began - 1 <= record.start_time <= record.end_time <= time.time() + 1 for record in records)
    borders = [at for at, segment in enumerate(vod(bucket, "often").segments) if segment.discontinuity]
    assert borders == list(range(4, 48, 4)), "a discontinuity at each session's border"


def test_a_playlist_of_its_own_for_one_publish(server, bucket, sample):
    create_channel(bucket, "named")
    publish(server, bucket, "named", sample)
    before = bucket.get_object("named/playlist.m3u8").read()
    url = ali_oss_url(server, BUCKET, "named", params={"playlistName": "second.m3u8"})
    publish_file(url, sample).finish(30)
    wait_idle(bucket, "named", 2)
    assert bucket.get_object("named/playlist.m3u8").read() == before
    assert live_playlist(bucket, "named", "second.m3u8").uris == [
        key.removeprefix("named/") for key in list(fragments(bucket, "named"))[4:]
    ]


def test_a_channel_that_is_replaced_takes_its_new_settings(server, bucket, sample):
    create_channel(bucket, "changed", frag_duration=2, frag_count=5)
    publish(server, bucket, "changed", sample)
    create_channel(bucket, "changed", frag_duration=4, frag_count=2, name="other.m3u8")
    publish(server, bucket, "changed", sample, 2)
    other = live_playlist(bucket, "changed", "other.m3u8")
    # The last one ends with the audio.
    assert [round(segment.seconds) for segment in other.segments] == [4, 4]
