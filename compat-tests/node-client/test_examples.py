"""The programs in `clients/node/examples`, as they stand, against a live publish."""

import re
import subprocess
import time

import pytest

from harness.live import create_channel, fragments, live_playlist, wait_idle
from harness.media import make_sample, publish_file
from harness.playlist import parse
from harness.server import OUT, ROOT
from harness.waiting import wait_until

BUCKET = "node-client"
PACKAGE = ROOT / "clients" / "node"


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket(BUCKET)


@pytest.fixture(scope="module")
def run(server, bucket):
    def example(name: str, *arguments: str, **environment: str) -> list:
        result = subprocess.run(
            ["node", f"examples/{name}.mjs", *arguments], cwd=PACKAGE, capture_output=True, text=True, timeout=60,
            env=server.environment(LIVEBUCKET_BUCKET=BUCKET, **environment),
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.splitlines()

    return example


def test_create(server, run):
    publish, play, described = run("create", "created")
    assert publish == f"publish: rtmp://127.0.0.1:{server.port}/{BUCKET}/live/created"
    assert play == f"play: http://127.0.0.1:{server.port}/{BUCKET}/created/playlist.m3u8"
    created = re.fullmatch(r"My Live Stream: 3 fragments of 5 s, created (\d{4}-\d\d-\d\dT\S+Z)", described)
    assert created, described


def test_a_second_put_changes_the_last_modified_time_and_not_the_creation(server, run, bucket):
    def times():
        head = subprocess.run(
            ["node", "--input-type=module", "-e",
             "import { connect } from './examples/connect.mjs';"
             "const c = await connect().getChannel('timed');"
             "console.log(JSON.stringify([c.name, c.createTime, c.lastModified]))"],
            cwd=PACKAGE, capture_output=True, text=True, check=True, env=server.environment(LIVEBUCKET_BUCKET=BUCKET),
        )
        return head.stdout.strip()

    run("create", "timed")
    first = times()
    time.sleep(1.1)
    run("create", "timed")
    second = times()
    assert first != second
    assert first.split(",")[:2] == second.split(",")[:2], (first, second)


def test_create_many_and_list(run):
    lines = run("create-many", "Main stage", "Zelt & Wiese", "第三舞台")
    assert [line.rsplit(" ", 1)[0] for line in lines] == ["stage-1 Main stage", "stage-2 Zelt & Wiese", "stage-3 第三舞台"]
    listed = run("list", "stage-")
    assert [line.split(" ")[:2] for line in listed] == [[f"stage-{n}", "enabled"] for n in (1, 2, 3)]
    assert run("list", "no-such-prefix") == []


def test_publish_monitor_history_and_highlights(run, bucket):
    create_channel(bucket, "event", frag_duration=2)
    create_channel(bucket, "quiet")
    create_channel(bucket, "off")
    bucket.put_live_channel_status("off", "disabled")
    (url,) = run("publish-url", "event")
    for parameter in ("stream-key=secure-stream-key-123", "auth-token=token-456", "user-id=user-789"):
        assert parameter in url
    sample = make_sample(OUT / "node-client.flv", 14)
    with publish_file(url, sample, real_time=True) as publisher:
        wait_until(lambda: live_playlist(bucket, "event"), 15, "a playlist")
        lines = run("monitor", "event", "quiet", "off", MONITOR_SECONDS="1", MONITOR_ROUNDS="2")
        publisher.finish(40)
    assert sorted(set(lines) - {"quiet: Idle", "off: Disabled"}) == sorted(
        {line for line in lines if re.fullmatch(r"event: Live 640x360 25 fps from 127\.0\.0\.1:\d+", line)}
    )
    assert (lines.count("quiet: Idle"), lines.count("off: Disabled"), len(lines)) == (2, 2, 6)
    wait_idle(bucket, "event")

    (history,) = run("history", "event")
    count, hours, addresses = re.fullmatch(r"(\d+) broadcasts, ([\d.]+) hours, (\d+) addresses", history).groups()
    assert (count, addresses) == ("1", "1")
    assert abs(float(hours) * 3600 - 14) <= 3

    lines = run("highlights", "event")
    assert [line.split(":")[0] for line in lines] == [f"event/{name}.m3u8" for name in ("opening", "peak", "closing")]
    every = [key.removeprefix("event/") for key in fragments(bucket, "event")]
    seen = []
    for name in ("opening", "peak", "closing"):
        vod = parse(bucket.get_object(f"event/{name}.m3u8").read().decode())
        assert vod.ended and vod.uris
        seen += vod.uris
    assert set(seen) == set(every)


def test_errors_by_code(run, bucket):
    create_channel(bucket, "there")
    assert run("errors", "there") == [
        "an invalid name: InvalidChannelName",
        "a channel that is not there: NoSuchLiveChannel",
        "a channel that is there already: ChannelAlreadyExists",
        "a channel that is not live: ChannelNotLive",
        "a range without fragments: InvalidArgument",
    ]
