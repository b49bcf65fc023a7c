"""Every form of a publish URL that a client library builds or an encoder puts on the wire.

ffmpeg publishes what it can express; the probe puts the rest on the wire byte by byte.
"""

import urllib.parse

import pytest

from harness.live import ali_oss_url, create_channel, encoded, fragments, signed_fields, store, wait_idle
from harness.media import continuity_faults, decode, frame_hashes, make_sample, publish_file
from harness.rtmp_probe import Probe
from harness.server import OUT

BUCKET = "url-forms"
NAMES = {"plain": "test-channel", "unicode": "测试 ch", "dotted": "take.mp4", "extended": "take.flv"}


@pytest.fixture(scope="module")
def bucket(make_bucket):
    made = make_bucket(BUCKET)
    for name in NAMES.values():
        create_channel(made, name)
    return made


@pytest.fixture(scope="module")
def sample():
    return make_sample(OUT / "url-forms.flv", 4)


class Form:
    """The pieces that forms are built of."""

    def __init__(
        self, server, channel: str = NAMES["plain"], params: dict | None = None, signed: dict | None = None, by=None
    ):
        self.ip = f"rtmp://127.0.0.1:{server.port}"
        self.host = f"rtmp://{BUCKET}.localhost:{server.port}"
        self.rtmp = f"rtmp://127.0.0.1:{server.rtmp_port}"
        self.raw = channel
        self.channel = urllib.parse.quote(channel)
        self.fields = signed_fields(by or server, BUCKET, channel, signed if signed is not None else params)
        self.params = params or {}
        self.query = encoded({**self.fields, **self.params})
        self.decoded = "&".join(f"{key}={value}" for key, value in {**self.fields, **self.params}.items())

    @classmethod
    def temporary(cls, server, signs_token: bool) -> "Form":
        """By a temporary credential. Some libraries sign its token with the other parameters, some do not."""
        session = server.session()
        token = {"security-token": session.token}
        return cls(server, params=token, signed=token if signs_token else {}, by=session)

    def ordered(self, *keys: str) -> str:
        everything = {**self.fields, **self.params}
        return encoded({key: everything[key] for key in keys})


PLAYLIST = {"playlistName": "named.m3u8"}

#: What a library or a person writes -> the URL that ffmpeg is given.
URLS = {
    "bucket in the host": lambda s: (f := Form(s)) and f"{f.host}/live/{f.channel}?{f.query}",
    "IP without a bucket (ali-oss, Java, PHP)": lambda s: (f := Form(s)) and f"{f.ip}/live/{f.channel}?{f.query}",
    "bucket first (oss2, Go, C#, path style)": lambda s: (f := Form(s)) and f"{f.ip}/{BUCKET}/live/{f.channel}?{f.query}",
    "bucket after live (C++)": lambda s: (f := Form(s)) and f"{f.ip}/live/{BUCKET}/{f.channel}?{f.query}",
    "encoded slash, host (C)": lambda s: (f := Form(s, params=PLAYLIST)) and f"{f.host}/live%2F{f.channel}?{f.query}",
    "encoded slashes, IP (C)": lambda s: (f := Form(s, params=PLAYLIST)) and f"{f.ip}/{BUCKET}%2Flive%2F{f.channel}?{f.query}",
    "the RTMP port": lambda s: (f := Form(s)) and f"{f.rtmp}/{BUCKET}/live/{f.channel}?{f.query}",
    "the RTMP port without a bucket": lambda s: (f := Form(s)) and f"{f.rtmp}/live/{f.channel}?{f.query}",
    "order of oss2": lambda s: (f := Form(s, params=PLAYLIST))
    and f"{f.ip}/{BUCKET}/live/{f.channel}?{f.ordered('playlistName', 'OSSAccessKeyId', 'Expires', 'Signature')}",
    "order of Java": lambda s: (f := Form(s, params=PLAYLIST))
    and f"{f.ip}/live/{f.channel}?{f.ordered('Expires', 'OSSAccessKeyId', 'Signature', 'playlistName')}",
    "token signed (oss2, Java)": lambda s: (f := Form.temporary(s, True)) and f"{f.ip}/live/{f.channel}?{f.query}",
    "token not signed (Go, C#)": lambda s: (f := Form.temporary(s, False)) and f"{f.ip}/live/{f.channel}?{f.query}",
    "parameters of the application's own": lambda s: (
        f := Form(s, params={"user-id": "a b+c/ü", "auth-token": "x", "Zeta": "1"})
    )
    and f"{f.ip}/live/{f.channel}?{f.query}",
    "a channel outside of ASCII, encoded": lambda s: (f := Form(s, NAMES["unicode"])) and f"{f.ip}/live/{f.channel}?{f.query}",
    "a channel with an extension": lambda s: (f := Form(s, NAMES["dotted"])) and f"{f.ip}/live/{f.channel}?{f.query}",
    "a query that is not encoded": lambda s: (f := Form(s)) and f"{f.ip}/live/{f.channel}?{f.decoded}",
}


@pytest.mark.parametrize("form", URLS)
def test_ffmpeg_publishes_to(server, bucket, sample, tmp_path, form):
    url = URLS[form](server)
    channel = next(name for name in NAMES.values() if name in urllib.parse.unquote(url))
    arrives_whole(bucket, channel, sample, tmp_path, lambda: publish_file(url, sample))


#: ffmpeg's own options for app, stream and tcUrl: what other clients send.
OPTIONS = {
    # ffmpeg reads options of its own after a space in a URL, so the URL of oss2 for such a name goes in pieces.
    "a channel outside of ASCII, raw (oss2)": lambda f: (
        f"{f.ip}/live", f"{BUCKET}/live", f"{f.raw}?{f.query}", f"{f.ip}/{BUCKET}/live"),
    # OBS: server `rtmp://host/live`, stream key `CH?query`. librtmp percent-decodes the key once.
    "server and key as OBS splits them": lambda f: (f"{f.ip}/live", "live", f"{f.raw}?{f.decoded}", f"{f.ip}/live"),
    "server with a slash at its end": lambda f: (f"{f.ip}/live/", "live/", f"{f.raw}?{f.decoded}", f"{f.ip}/live/"),
    "server on the bucket's host": lambda f: (f"{f.ip}/live", "live", f"{f.raw}?{f.decoded}", f"{f.host}/live"),
    "server with the bucket": lambda f: (f"{f.ip}/{BUCKET}/live", f"{BUCKET}/live", f"{f.raw}?{f.decoded}", f"{f.ip}/{BUCKET}/live"),
    "the query in app and tcUrl": lambda f: (f"{f.ip}/live", f"live?{f.query}", f.raw, f"{f.ip}/live?{f.query}"),
    "the query in tcUrl alone": lambda f: (f"{f.ip}/live", "live", f.raw, f"{f.ip}/live?{f.query}"),
    "the whole URL in tcUrl (Node-Media-Server)": lambda f: (
        f"{f.ip}/live", "live", f"{f.channel}?{f.query}", f"{f.ip}/live/{f.channel}?{f.query}"),
    "bucket in the stream name": lambda f: (f"{f.ip}/live", "live", f"{BUCKET}/{f.raw}?{f.query}", f"{f.ip}/live"),
    "bucket alone as app": lambda f: (f"{f.ip}/{BUCKET}", BUCKET, f"live/{f.raw}?{f.query}", f"{f.ip}/{BUCKET}"),
}


@pytest.mark.parametrize("form", OPTIONS)
def test_ffmpeg_publishes_as(server, bucket, sample, tmp_path, form):
    pieces = Form(server, NAMES["unicode"] if "ASCII" in form else NAMES["plain"])
    url, app, play_path, tc_url = OPTIONS[form](pieces)
    options = ("-rtmp_app", app, "-rtmp_playpath", play_path, "-rtmp_tcurl", tc_url)
    arrives_whole(bucket, pieces.raw, sample, tmp_path, lambda: publish_file(url, sample, options=options))


#: app, tcUrl and stream name as bytes on the wire that ffmpeg does not send.
WIRE = {
    "the whole URL in OBS's server field": lambda f: (f"live/{f.channel}?{f.query}", f"{f.ip}/live/{f.channel}?{f.query}", ""),
    "mp4: before the name (librtmp)": lambda f: ("live", f"{f.ip}/live", f"mp4:{f.raw.removesuffix('.mp4')}?{f.decoded}"),
    "the suffix .flv lost (librtmp)": lambda f: ("live", f"{f.ip}/live", f"{f.raw.removesuffix('.flv')}?{f.decoded}"),
    "a slash before the name": lambda f: ("live", f"{f.ip}/live", f"/{f.raw}?{f.query}"),
    "bucket, slash at the end": lambda f: (f"{BUCKET}/live/", f"{f.ip}/{BUCKET}/live/", f"{f.raw}?{f.query}"),
    "live, bucket, slash at the end": lambda f: (f"live/{BUCKET}/", f"{f.ip}/live/{BUCKET}/", f"{f.raw}?{f.query}"),
}


@pytest.mark.parametrize("form", WIRE)
@pytest.mark.parametrize("release", [True, False], ids=["with releaseStream", "without releaseStream"])
def test_the_server_accepts(server, bucket, form, release):
    channel = NAMES["dotted"] if "mp4" in form else NAMES["extended"] if "flv" in form else NAMES["plain"]
    app, tc_url, name = WIRE[form](Form(server, channel))
    with Probe(server.port, app, tc_url) as probe:
        answer = probe.publish(name, release=release)
        assert answer.accepted, answer
        assert bucket.get_live_channel_stat(channel).status == "Live"
    wait_idle(bucket, channel)


@pytest.mark.parametrize("addressing, client", [
    ("IP", {}), ("IP", {"sldEnable": True}), ("name", {}), ("name", {"sldEnable": True}), ("IP", {"authorizationV4": True}),
])
def test_the_url_of_ali_oss_unchanged(server, bucket, sample, tmp_path, addressing, client):
    endpoint = server.ip_endpoint if addressing == "IP" else server.name_endpoint
    url = ali_oss_url(server, BUCKET, NAMES["plain"], endpoint, client, params={"stream-key": "k", "user-id": "7"})
    arrives_whole(bucket, NAMES["plain"], sample, tmp_path, lambda: publish_file(url, sample))


@pytest.mark.parametrize("playlist_name", ["playlist.m3u8", ""])
def test_the_url_of_oss2_unchanged(bucket, sample, tmp_path, playlist_name):
    url = bucket.sign_rtmp_url(NAMES["plain"], playlist_name, 600)
    arrives_whole(bucket, NAMES["plain"], sample, tmp_path, lambda: publish_file(url, sample))


def test_the_url_of_the_command(server, bucket, sample, tmp_path):
    """`livebucket url publish`, which needs nothing but the data directory."""
    found = [
        word
        for word in server.run(
            "url", "publish", "--data", server.data / "data", "--endpoint", server.ip_endpoint, BUCKET, NAMES["plain"]
        ).stdout.split()
        if word.startswith("rtmp://")
    ]
    assert found, "the command prints a URL"
    arrives_whole(bucket, NAMES["plain"], sample, tmp_path, lambda: publish_file(found[0], sample))


def arrives_whole(bucket, channel: str, sample, directory, publish):
    """Publishes; afterwards the fragments of this publish decode to exactly the frames of the sample."""
    bucket.batch_delete_objects([*fragments(bucket, channel), f"{channel}/playlist.m3u8"])
    known = len(bucket.get_live_channel_history(channel).records)
    sent = publish().finish(30)
    wait_idle(bucket, channel, records=min(known + 1, 10))
    joined = store(directory, fragments(bucket, channel))
    assert sent.video_packets == 100
    assert continuity_faults(joined.read_bytes()) == []
    assert decode(joined) == ""
    for kind in "va":
        assert frame_hashes(joined, kind) == frame_hashes(sample, kind), f"{kind}: the decoded frames are the sample's"
