"""Streams that ffmpeg can make odd, and what ffmpeg and GStreamer make of the fragments: every picture and every frame, and not a
word about them. What no encoder can be made to send is told in `tests/it/streams.rs`."""

import re
import subprocess
import time

import oss2
import pytest

from harness.live import create_channel, encoded, fragments, live_playlist, signed_fields, store, wait_idle
from harness.media import Publisher, continuity_faults, decode, frame_hashes, streams

BUCKET = "odd"
PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=6"]
TONE = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=6"]
X264 = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-sc_threshold", "0", "-threads", "1"]
GOP = ["-g", "50", "-keyint_min", "50"]
AAC = ["-c:a", "aac", "-ac", "1"]
BOTH = [*PICTURE, *TONE, *X264, *GOP, "-bf", "2", *AAC]


def channels(layout: str, count: int) -> list:
    """Noise in a layout that no channel configuration of AAC says."""
    mix = "|".join(f"c{n}=c0" for n in range(count))
    return ["-f", "lavfi", "-i", "anoisesrc=sample_rate=48000:duration=6", "-af", f"pan={layout}|{mix}", "-c:a", "aac", "-b:a", "256k"]


# What is sent, and how many discontinuities it has.
STREAMS = {
    "open-gop": ([*PICTURE, *TONE, *X264, *GOP, "-bf", "3", "-x264-params", "open-gop=1", *AAC], 0),
    "slices-delimiters-sei": ([*PICTURE, *TONE, *X264, *GOP, "-x264-params", "slices=4:aud=1:nal-hrd=cbr:vbv-maxrate=500:vbv-bufsize=500:filler=1",
                               "-b:v", "500k", *AAC], 0),
    "gop-of-one": ([*PICTURE, *TONE, *X264, "-g", "1", *AAC], 0),
    "gop-of-all": ([*PICTURE, *TONE, *X264, "-g", "1000", "-keyint_min", "1000", *AAC], 0),
    "intra-refresh": ([*PICTURE, *TONE, *X264, *GOP, "-x264-params", "intra-refresh=1", *AAC], 0),
    "24-bit-edge": ([*BOTH, "-output_ts_offset", "16774.2"], 0),
    "31-bit-edge": ([*BOTH, "-output_ts_offset", "2147480"], 1),
    "sound-first": ([*PICTURE, *TONE, "-vf", "setpts=PTS+2/TB", *X264, *GOP, *AAC], 0),
    "aac-96-khz": ([*PICTURE, *TONE, *X264, *GOP, *AAC, "-ar", "96000"], 0),
    "aac-7-1": ([*PICTURE, *TONE, *X264, *GOP, "-c:a", "aac", "-ac", "8", "-b:a", "400k"], 0),
    "aac-quad": (channels("quad", 4), 0),
    "aac-5-1-side": (channels("5.1(side)", 6), 0),
}


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket(BUCKET)


def url(server, channel: str) -> str:
    """Without asking ali-oss for each."""
    fields = encoded(signed_fields(server, BUCKET, channel))
    return f"rtmp://127.0.0.1:{server.rtmp_port}/{BUCKET}/live/{channel}?{fields}"


def reference(path, source: list):
    """The same stream in a file; encoders of one thread make the same of the same."""
    return Publisher(str(path), [*source, "-y"]).finish(60)


@pytest.mark.parametrize("name", STREAMS)
def test_every_picture_and_frame_arrives_and_nothing_is_said(server, bucket, tmp_path, name):
    source, marks = STREAMS[name]
    create_channel(bucket, name, frag_duration=2, frag_count=50)
    file = tmp_path / "reference.flv"
    sent = reference(file, source)
    Publisher(url(server, name), ["-i", str(file), "-c", "copy", "-copyts"]).finish(60)
    wait_idle(bucket, name)
    playlist = live_playlist(bucket, name)
    assert sum(segment.discontinuity for segment in playlist.segments) == marks
    joined = store(tmp_path, fragments(bucket, name))
    assert continuity_faults(joined.read_bytes()) == []
    # Of nothing but a layout that ffmpeg has no name for.
    said = [line for line in decode(joined).splitlines() if "Guessed Channel Layout" not in line]
    assert said == []
    found = streams(joined)
    if sent.video_packets:
        assert int(found["video"]["nb_read_frames"]) == sent.video_packets
        assert frame_hashes(joined, "v") == frame_hashes(file, "v")
    heard = int(found["audio"]["nb_read_frames"])
    assert heard == sent.audio_packets or name == "sound-first"
    if name != "sound-first":
        assert found["audio"]["channels"] == streams(file)["audio"]["channels"]
        assert frame_hashes(joined, "a") == frame_hashes(file, "a")


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1", "7.1"])
def test_silence_stands_in_for_sound_that_stops(server, bucket, tmp_path, layout):
    channel = "sound-stops-" + re.sub(r"\W", "-", layout).strip("-")
    create_channel(bucket, channel, frag_duration=2, frag_count=50)
    count = {"mono": 1, "stereo": 2, "5.1": 6, "7.1": 8}[layout]
    sound = ["-f", "lavfi", "-i", "sine=sample_rate=48000:duration=2", "-ac", str(count), "-c:a", "aac"]
    sent = Publisher(url(server, channel), [*PICTURE, *sound, *X264, *GOP]).finish(60)
    wait_idle(bucket, channel)
    joined = store(tmp_path, fragments(bucket, channel))
    assert decode(joined) == "" and continuity_faults(joined.read_bytes()) == []
    found = streams(joined)
    assert int(found["video"]["nb_read_frames"]) == sent.video_packets
    # Six seconds in frames of 1024 samples, but for half a second at the end: silence stays that far behind the picture.
    assert 5.4 * 48000 / 1024 < int(found["audio"]["nb_read_frames"]) <= 6.1 * 48000 / 1024 and sent.audio_packets < 100


def gstreamer(source, pictures, sound) -> subprocess.CompletedProcess:
    """Decodes both tracks of a transport stream into files of raw pictures and samples."""
    pipeline = (
        f"{source} ! tsdemux name=demux "
        f"demux. ! queue ! h264parse ! avdec_h264 ! video/x-raw,format=I420 ! filesink location={pictures} "
        f"demux. ! queue ! aacparse ! avdec_aac ! filesink location={sound}"
    )
    return subprocess.run(["gst-launch-1.0", "-q", *pipeline.split()], capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", ["open-gop", "slices-delimiters-sei", "24-bit-edge"])
def test_gstreamer_decodes_every_picture(server, bucket, tmp_path, name):
    create_channel(bucket, f"{name}-gst", frag_duration=2, frag_count=50)
    sent = Publisher(url(server, f"{name}-gst"), STREAMS[name][0]).finish(60)
    wait_idle(bucket, f"{name}-gst")
    pictures, sound = tmp_path / "pictures.yuv", tmp_path / "sound.raw"
    played = gstreamer(f"filesrc location={store(tmp_path, fragments(bucket, f'{name}-gst'))}", pictures, sound)
    assert (played.returncode, played.stdout, played.stderr) == (0, "", "")
    assert pictures.stat().st_size / (320 * 180 * 3 / 2) == sent.video_packets
    # 32-bit samples, one channel, 1024 in a frame.
    assert sound.stat().st_size / 4 / 1024 == sent.audio_packets


@pytest.mark.parametrize("name", ["open-gop", "31-bit-edge"])
def test_gstreamer_plays_a_playlist(server, bucket, tmp_path, name):
    channel = f"{name}-hls"
    create_channel(bucket, channel, frag_duration=2, frag_count=50)
    since = int(time.time()) - 5
    sent = Publisher(url(server, channel), STREAMS[name][0]).finish(60)
    wait_idle(bucket, channel)
    bucket.post_vod_playlist(channel, "whole.m3u8", since, int(time.time()) + 60)
    assert sum(segment.discontinuity for segment in live_playlist(bucket, channel, "whole.m3u8").segments) == STREAMS[name][1]
    bucket.put_bucket_acl(oss2.BUCKET_ACL_PUBLIC_READ)
    pictures, sound = tmp_path / "pictures.yuv", tmp_path / "sound.raw"
    source = f"souphttpsrc location=http://127.0.0.1:{server.port}/{BUCKET}/{channel}/whole.m3u8 ! hlsdemux"
    played = gstreamer(source, pictures, sound)
    assert (played.returncode, played.stdout, played.stderr) == (0, "", "")
    assert pictures.stat().st_size / (320 * 180 * 3 / 2) == sent.video_packets
    assert sound.stat().st_size / 4 / 1024 == sent.audio_packets
