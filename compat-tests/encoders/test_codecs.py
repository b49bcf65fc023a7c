"""What kinds of stream a channel takes, and what becomes of the others."""

import pytest

from harness.live import ali_oss_url, create_channel, fragments, live_playlist, store, wait_idle
from harness.media import Publisher, continuity_faults, decode, frame_hashes, publish_file, streams
from harness.playlist import parse
from harness.waiting import wait_until

BUCKET = "codecs"


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket(BUCKET)


def picture(seconds: float, rate: str = "25", size: str = "320x180") -> list:
    return ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}"]


def tone(seconds: float, rate: int = 48000) -> list:
    return ["-f", "lavfi", "-i", f"sine=sample_rate={rate}:duration={seconds}"]


H264 = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
AAC = ["-c:a", "aac", "-ac", "1"]


def sent_to(server, bucket, channel: str, arguments: list, frag_duration: int = 2):
    """Publishes as fast as it goes; gives what ffmpeg sent and the stored fragments."""
    create_channel(bucket, channel, frag_duration=frag_duration)
    sent = Publisher(ali_oss_url(server, BUCKET, channel), arguments).finish(60)
    wait_idle(bucket, channel)
    return sent, fragments(bucket, channel)


def playing(bucket, channel: str):
    """The whole of a channel as a VOD playlist."""
    names = [int(key.removeprefix(f"{channel}/").removesuffix(".ts")) for key in fragments(bucket, channel)]
    return parse(bucket.get_vod_playlist(channel, names[0] // 1000 - 1, names[-1] // 1000 + 1).playlist)


def test_video_alone(server, bucket, tmp_path):
    sent, found = sent_to(server, bucket, "video", [*picture(6), *H264])
    joined = store(tmp_path, found)
    assert sorted(streams(joined)) == ["video"]
    assert int(streams(joined)["video"]["nb_read_frames"]) == sent.video_packets == 150
    assert decode(joined) == "" and continuity_faults(joined.read_bytes()) == []
    assert [segment.seconds for segment in playing(bucket, "video").segments] == [2.0, 2.0, 2.0]


def test_audio_alone_is_cut_by_time(server, bucket, tmp_path):
    sent, found = sent_to(server, bucket, "audio", [*tone(7), *AAC])
    joined = store(tmp_path, found)
    assert sorted(streams(joined)) == ["audio"]
    assert int(streams(joined)["audio"]["nb_read_frames"]) == sent.audio_packets
    assert decode(joined) == "" and continuity_faults(joined.read_bytes()) == []
    durations = [segment.seconds for segment in playing(bucket, "audio").segments]
    assert all(abs(one - 2) < 0.1 for one in durations[:-1]) and len(durations) == 4, durations
    assert abs(sum(durations) - sent.audio_packets * 1024 / 48000) < 0.05


def test_audio_that_is_not_aac_is_dropped_and_the_video_kept(server, bucket, tmp_path):
    sent, found = sent_to(server, bucket, "mp3", [*picture(4), *tone(4, 44100), *H264, "-c:a", "libmp3lame"])
    joined = store(tmp_path, found)
    assert sent.audio_packets > 0
    assert sorted(streams(joined)) == ["video"]
    assert int(streams(joined)["video"]["nb_read_frames"]) == sent.video_packets
    assert decode(joined) == ""


def test_video_that_is_not_h264_is_refused_by_name(server, bucket):
    create_channel(bucket, "sorenson")
    publisher = Publisher(ali_oss_url(server, BUCKET, "sorenson"), ["-re", *picture(10), "-c:v", "flv1"], ("-loglevel", "debug"))
    log = publisher.wait(30)
    assert publisher.process.returncode != 0, "ffmpeg sees that it is cut off"
    assert fragments(bucket, "sorenson") == {} and live_playlist(bucket, "sorenson") is None
    assert "H.264" in log or "H264" in log, log[-1500:]


@pytest.mark.parametrize("rate, reported", [("30000/1001", 30), ("24000/1001", 24), ("60", 60), ("12.5", 13)])
def test_stat_rounds_the_frame_rate(server, bucket, rate, reported):
    channel = f"rate-{reported}"
    create_channel(bucket, channel)
    source = ["-re", *picture(20, rate, "320x180"), "-re", *tone(20), *H264, *AAC]
    with Publisher(ali_oss_url(server, BUCKET, channel), source) as publisher:
        stat = wait_until(
            lambda: (found := bucket.get_live_channel_stat(channel)).audio and found.video and found,
            10, "video and audio in stat",
        )
        assert (stat.video.frame_rate, stat.audio.sample_rate) == (reported, 48000)
        publisher.end()


def test_without_key_frames_it_is_cut_by_force(server, bucket, tmp_path):
    """One key frame in 150 s: cut at 60 s of media, twice."""
    source = [*picture(150, "10", "160x90"), *tone(150), *H264, "-g", "100000", "-keyint_min", "100000", *AAC]
    sent, found = sent_to(server, bucket, "long-gop", source)
    durations = [segment.seconds for segment in playing(bucket, "long-gop").segments]
    assert len(durations) == 3 and all(abs(one - 60) < 1 for one in durations[:2]), durations
    joined = store(tmp_path, found)
    assert int(streams(joined)["video"]["nb_read_frames"]) == sent.video_packets == 1500
    assert decode(joined) == "" and continuity_faults(joined.read_bytes()) == []


def test_pictures_of_odd_size_and_other_profiles_keep_every_frame(server, bucket, tmp_path):
    """Baseline without B-frames, and five B-frames in a pyramid, both cropped to 322x182."""
    for channel, options in {
        "baseline": ["-c:v", "libx264", "-profile:v", "baseline", "-pix_fmt", "yuv420p", "-g", "25"],
        "pyramid": ["-c:v", "libx264", "-preset", "slow", "-bf", "5", "-b-pyramid", "normal", "-refs", "5", "-g", "50", "-pix_fmt", "yuv420p"],
    }.items():
        reference = tmp_path / f"{channel}.flv"
        Publisher(str(reference), [*picture(5, size="322x182"), *options, "-y"]).finish(60)
        create_channel(bucket, channel)
        publish_file(ali_oss_url(server, BUCKET, channel), reference).finish(30)
        wait_idle(bucket, channel)
        joined = store(tmp_path, fragments(bucket, channel))
        assert decode(joined) == ""
        assert frame_hashes(joined, "v") == frame_hashes(reference, "v")
