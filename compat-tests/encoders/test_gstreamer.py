"""GStreamer's two RTMP sinks: `rtmp2sink`, its own, and `rtmpsink`, which is librtmp."""

import subprocess

import pytest

from harness.live import ali_oss_url, create_channel, fragments, live_playlist, store, wait_idle
from harness.media import continuity_faults, decode, streams
from harness.waiting import wait_until

BUCKET = "gstreamer-show"
FRAMES, RATE = 240, 30
AUDIO_BUFFERS = FRAMES * 44100 // RATE // 1024


def pipeline(sink: str, location: str) -> list:
    return [
        "gst-launch-1.0", "-q",
        "videotestsrc", f"num-buffers={FRAMES}", "is-live=true",
        "!", f"video/x-raw,width=480,height=270,framerate={RATE}/1", "!", "queue",
        "!", "x264enc", "bframes=2", f"key-int-max={RATE}", "bitrate=400", "speed-preset=veryfast",
        "!", "h264parse", "!", "video/x-h264,stream-format=avc", "!", "queue", "!", "mux.",
        "audiotestsrc", f"num-buffers={AUDIO_BUFFERS}", "samplesperbuffer=1024", "is-live=true",
        "!", "audio/x-raw,rate=44100,channels=2", "!", "queue",
        "!", "voaacenc", "bitrate=96000", "!", "aacparse", "!", "queue", "!", "mux.",
        "flvmux", "name=mux", "streamable=true", "!", sink, f"location={location}",
    ]


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket(BUCKET)


@pytest.mark.parametrize("sink", ["rtmp2sink", "rtmpsink"])
def test_a_publish_by(server, bucket, tmp_path, sink):
    create_channel(bucket, sink)
    url = ali_oss_url(server, BUCKET, sink, params={"user-id": "a+b/c"})
    process = subprocess.Popen(pipeline(sink, url), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: live_playlist(bucket, sink), 20, "a playlist while it publishes")
        stat = bucket.get_live_channel_stat(sink)
        assert (stat.status, stat.video.width, stat.video.height, stat.video.frame_rate) == ("Live", 480, 270, RATE)
        assert (stat.video.codec, stat.audio.codec, stat.audio.sample_rate) == ("H264", "AAC", 44100)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert len(wait_idle(bucket, sink)) == 1
    joined = store(tmp_path, fragments(bucket, sink))
    assert continuity_faults(joined.read_bytes()) == []
    # The source is live: on a busy machine it stamps a picture late, and ffmpeg remarks on the longer step.
    remarks = [line for line in decode(joined).splitlines() if "DTS discontinuity" not in line]
    assert remarks == []
    found = streams(joined)
    assert int(found["video"]["nb_read_frames"]) == FRAMES
    # The encoder adds its delay and may hold a frame back at the end.
    assert abs(int(found["audio"]["nb_read_frames"]) - AUDIO_BUFFERS) <= 2
