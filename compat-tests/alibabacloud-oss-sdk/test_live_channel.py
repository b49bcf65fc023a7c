"""All nine live operations through the generated SDK.

What this client cannot do is not asked of it: its V1 signs neither `comp` nor `status` and does not sort `vod`, so
five of the nine need its V2; it reads no history of exactly one record, no list of more than one channel, and drops
the body of GetVodPlaylist.
"""

import time

import pytest
from alibabacloud_oss_sdk import models
from alibabacloud_oss_sdk.client import Client
from alibabacloud_oss_util.models import RuntimeOptions
from Tea.exceptions import TeaException

from harness.media import make_sample, publish_file
from harness.oss2_ways import DOMAIN, SERVER as SERVER, domain_resolved
from harness.server import OUT
from harness.waiting import wait_until

BUCKET = "generated-sdk"
RUNTIME = RuntimeOptions(autoretry=False)


@pytest.fixture(scope="module", params=["name/V1", "name/V2", "ip/V1", "ip/V2"])
def client(request, server, make_bucket):
    addressing, signature = request.param.split("/")
    make_bucket(BUCKET)
    with domain_resolved():
        yield connect(server, addressing, signature)


@pytest.fixture(scope="module", params=["name", "ip"])
def complete(request, server, make_bucket):
    """A client with the signature that covers all nine."""
    make_bucket(BUCKET)
    with domain_resolved():
        yield connect(server, request.param, "V2")


def connect(server, addressing, signature, secret=None) -> Client:
    return Client(models.Config(
        access_key_id=server.access_key, access_key_secret=secret or server.secret_key, type="access_key",
        endpoint=f"{ {'name': DOMAIN, 'ip': '127.0.0.1'}[addressing]}:{server.port}", protocol="http",
        host_model="ip" if addressing == "ip" else None, signature_version=signature,
    ))


def configuration(description="d", status="enabled", **target):
    settings = {"type": "HLS", "frag_duration": "2", "frag_count": "3", "playlist_name": "p.m3u8", **target}
    return models.PutLiveChannelRequestBody(
        live_channel_configuration=models.PutLiveChannelRequestBodyLiveChannelConfiguration(
            description=description, status=status,
            target=models.PutLiveChannelRequestBodyLiveChannelConfigurationTarget(**settings),
        )
    )


def put(client, channel, **settings):
    return client.put_live_channel(models.PutLiveChannelRequest(BUCKET, channel, configuration(**settings)), RUNTIME)


def test_put_gives_urls(client):
    answer = put(client, "put")
    answer.validate()
    assert len(answer.request_id) == 24
    assert answer.create_live_channel_result.publish_urls.url.endswith("/live/put")
    assert answer.create_live_channel_result.play_urls.url.endswith("/put/p.m3u8")


def test_info_echoes(client):
    put(client, "info", description="<a> & ü", frag_duration="7")
    answer = client.get_live_channel_info(models.GetLiveChannelInfoRequest(BUCKET, "info"), RUNTIME)
    configured = answer.live_channel_configuration
    assert (configured.description, configured.status) == ("<a> & ü", "enabled")
    target = configured.target
    assert (target.type, target.frag_duration, target.frag_count, target.playlist_name) == ("HLS", "7", "3", "p.m3u8")


def test_status_and_stat(complete):
    put(complete, "stat")
    stat = models.GetLiveChannelStatRequest(BUCKET, "stat", models.GetLiveChannelStatRequestFilter(comp="stat"))
    assert complete.get_live_channel_stat(stat, RUNTIME).live_channel_stat.status == "Idle"
    change = models.PutLiveChannelStatusRequest(BUCKET, "stat", models.PutLiveChannelStatusRequestFilter(status="disabled"))
    assert len(complete.put_live_channel_status(change, RUNTIME).request_id) == 24
    assert complete.get_live_channel_stat(stat, RUNTIME).live_channel_stat.status == "Disabled"


def test_list(client):
    for number in range(3):
        put(client, f"list-{number}")
    query = models.ListLiveChannelRequestFilter(prefix="list-", marker="list-0", max_keys="1")
    result = client.list_live_channel(models.ListLiveChannelRequest(BUCKET, query), RUNTIME).list_live_channel_result
    assert (result.prefix, result.marker, result.max_keys) == ("list-", "list-0", "1")
    assert (result.is_truncated, result.next_marker, result.live_channel.name) == ("true", "list-1", "list-1")


def test_delete(client):
    put(client, "delete")
    delete = models.DeleteLiveChannelRequest(BUCKET, "delete")
    assert len(client.delete_live_channel(delete, RUNTIME).request_id) == 24
    with pytest.raises(TeaException) as error:
        client.get_live_channel_info(models.GetLiveChannelInfoRequest(BUCKET, "delete"), RUNTIME)
    assert error.value.code == "NoSuchLiveChannel"
    assert error.value.data["httpCode"] == 404


def test_history_and_both_vod_operations_after_a_publish(complete, make_bucket):
    channel = "vod"
    put(complete, channel)
    bucket = make_bucket(BUCKET)
    url = bucket.sign_rtmp_url(channel, "p.m3u8", 3600)
    before = int(time.time())
    sample = make_sample(OUT / "generated-sdk.flv", 4)
    known = len(bucket.get_live_channel_history(channel).records)
    # Twice: the client cannot read a history of one record.
    for count in (1, 2):
        publish_file(url, sample).finish(30)
        wait_until(lambda: len(bucket.get_live_channel_history(channel).records) == known + count, 10, "the publish ends")

    history = models.GetLiveChannelHistoryRequest(BUCKET, channel, models.GetLiveChannelHistoryRequestFilter(comp="history"))
    records = complete.get_live_channel_history(history, RUNTIME).live_channel_history.live_record
    assert len(records) == known + 2
    assert all(record.remote_addr.startswith("127.0.0.1:") and record.start_time.endswith(".000Z") for record in records)

    span = {"start_time": str(before - 1), "end_time": str(int(time.time()) + 60)}
    post = models.PostVodPlaylistRequest(BUCKET, channel, "whole.m3u8", models.PostVodPlaylistRequestFilter(**span))
    assert len(complete.post_vod_playlist(post, RUNTIME).request_id) == 24
    assert b"#EXT-X-ENDLIST" in bucket.get_object(f"{channel}/whole.m3u8").read()
    get = models.GetVodPlaylistRequest(BUCKET, channel, models.GetVodPlaylistRequestFilter(**span))
    assert len(complete.get_vod_playlist(get, RUNTIME).request_id) == 24


def test_an_empty_vod_range_says_so(complete):
    put(complete, "no-vod")
    get = models.GetVodPlaylistRequest(BUCKET, "no-vod", models.GetVodPlaylistRequestFilter(start_time="100", end_time="200"))
    with pytest.raises(TeaException) as error:
        complete.get_vod_playlist(get, RUNTIME)
    assert error.value.code == "InvalidArgument"
    assert error.value.message == "No ts file found in specified time span."


def test_a_wrong_secret_is_refused(server, client):
    wrong = connect(server, "name", "V1", secret="wrong")
    with pytest.raises(TeaException) as error:
        wrong.get_live_channel_info(models.GetLiveChannelInfoRequest(BUCKET, "x"), RUNTIME)
    assert error.value.code == "SignatureDoesNotMatch"
