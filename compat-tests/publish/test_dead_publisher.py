"""A publisher that falls silent with its connection open gives up its place within half a minute."""

import signal
import time

from harness.live import ali_oss_url, create_channel, encoded, signed_fields, wait_idle
from harness.media import make_sample, publish_file
from harness.rtmp_probe import Probe
from harness.server import OUT
from harness.waiting import wait_until

BUCKET, CHANNEL = "silent-show", "event"


def test_a_silent_publisher_is_noticed_and_replaced(server, make_bucket, figure):
    bucket = make_bucket(BUCKET)
    create_channel(bucket, CHANNEL)
    url = ali_oss_url(server, BUCKET, CHANNEL)
    name = f"{CHANNEL}?{encoded(signed_fields(server, BUCKET, CHANNEL))}"
    with publish_file(url, make_sample(OUT / "silent.flv", 6), real_time=True, loop=True) as silent:
        wait_until(lambda: bucket.get_live_channel_stat(CHANNEL).status == "Live", 10, "live")
        time.sleep(3)
        silent.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            with Probe(server.port, f"{BUCKET}/live", f"rtmp://127.0.0.1/{BUCKET}/live") as early:
                assert early.publish(name).code == "NetStream.Publish.BadName"
            wait_until(lambda: bucket.get_live_channel_stat(CHANNEL).status == "Idle", 35, "the silence is noticed", pause=0.5)
            figure("a silent publisher noticed after", f"{time.monotonic() - stopped:.1f} s")
            with Probe(server.port, f"{BUCKET}/live", f"rtmp://127.0.0.1/{BUCKET}/live") as late:
                assert late.publish(name).accepted
        finally:
            silent.process.send_signal(signal.SIGCONT)
    assert wait_idle(bucket, CHANNEL)
