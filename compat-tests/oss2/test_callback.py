"""Upload callbacks, browser forms and limited transfers, as oss2 and a page with a form send them."""

import base64
import datetime
import hashlib
import hmac
import json
import time
import urllib.parse
import xml.etree.ElementTree as ElementTree

import oss2
import pytest
import requests

from harness.application import application
from harness.server import REGION

SERVER = {"extra": ("--outbound-allow", "127.0.0.1")}
BODY = "bucket=${bucket}&object=${object}&etag=${etag}&size=${size}&mimeType=${mimeType}&my_var=${x:my_var}"


@pytest.fixture
def app():
    with application() as running:
        yield running


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket("callbacks")


def encoded(value: dict) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


def callback(app, **more) -> dict:
    return {
        "x-oss-callback": encoded({"callbackUrl": app.url, "callbackBody": BODY, **more}),
        "x-oss-callback-var": encoded({"x:my_var": "a b&c"}),
    }


def pairs(text: str) -> dict:
    return {name: values[0] for name, values in urllib.parse.parse_qs(text, keep_blank_values=True).items()}


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest().upper()


def test_put_object_calls_back(bucket, app):
    headers = {**callback(app, callbackHost="app.example"), "Content-Type": "text/plain"}
    result = bucket.put_object("a b/\u4e2d.txt", b"hello", headers=headers)
    assert (result.status, json.loads(result.resp.read())) == (200, {"Status": "OK"})
    ((path, seen, body),) = app.seen
    assert path == "/callback?from=oss"
    assert (seen["host"], seen["content-type"]) == ("app.example", "application/x-www-form-urlencoded")
    assert seen["x-oss-request-id"] == result.request_id
    assert pairs(body) == {
        "bucket": "callbacks", "object": "a b/\u4e2d.txt", "etag": md5(b"hello"), "size": "5", "mimeType": "text/plain",
        "my_var": "a b&c",
    }
    assert bucket.get_object("a b/\u4e2d.txt").read() == b"hello"


def test_a_json_body(bucket, app):
    body = '{"object":${object},"size":${size},"my_var":${x:my_var}}'
    bucket.put_object('q"uote', b"hello", headers=callback(app, callbackBody=body, callbackBodyType="application/json"))
    ((_, seen, body),) = app.seen
    assert seen["content-type"] == "application/json"
    assert json.loads(body) == {"object": 'q"uote', "size": 5, "my_var": "a b&c"}


def test_complete_multipart_upload_calls_back(bucket, app):
    upload = bucket.init_multipart_upload("large", headers={"Content-Type": "video/mp2t"}).upload_id
    part = bucket.upload_part("large", upload, 1, b"part")
    done = bucket.complete_multipart_upload("large", upload, [oss2.models.PartInfo(1, part.etag)], headers=callback(app))
    assert json.loads(done.resp.read()) == {"Status": "OK"}
    told = pairs(app.seen[0][2])
    assert (told["object"], told["size"], told["mimeType"]) == ("large", "4", "video/mp2t")
    assert told["etag"] == done.etag


@pytest.mark.parametrize("status, answer, message", [
    (404, b"{}", "Error status : 404."),
    (200, b"<html>", "Response body is not valid json format."),
])
def test_a_callback_that_fails_is_203_and_the_object_is_there(bucket, app, status, answer, message):
    app.status, app.answer = status, answer
    result = bucket.put_object("failed", b"kept", headers=callback(app))
    assert result.status == 203
    error = ElementTree.fromstring(result.resp.read())
    assert (error.findtext("Code"), error.findtext("Message")) == ("CallbackFailed", message)
    assert bucket.get_object("failed").read() == b"kept"


def test_what_cannot_be_called_is_refused(bucket):
    for headers in [
        {"x-oss-callback": "no base64!"},
        {"x-oss-callback": encoded({"callbackUrl": "http://10.0.0.1/", "callbackBody": "a"})},
        {"x-oss-callback": encoded({"callbackUrl": "http://127.0.0.1:1/", "callbackBody": ""})},
    ]:
        with pytest.raises(oss2.exceptions.InvalidArgument):
            bucket.put_object("refused", b"x", headers=headers)
    assert not bucket.object_exists("refused")


@pytest.mark.parametrize("make_auth", [oss2.Auth, oss2.AuthV2, oss2.AuthV4])
def test_a_signed_url_calls_back(server, bucket, app, make_auth):
    signer = oss2.Bucket(
        make_auth(server.access_key, server.secret_key), server.ip_endpoint, bucket.bucket_name, region=REGION
    )
    headers = callback(app)
    arguments = {"callback": headers["x-oss-callback"], "callback-var": headers["x-oss-callback-var"]}
    url = signer.sign_url("PUT", "by/url", 60, params=arguments, slash_safe=True)
    answer = requests.put(url, data=b"hello")
    assert (answer.status_code, answer.json()) == (200, {"Status": "OK"})
    assert pairs(app.seen[0][2])["object"] == "by/url"


# Browser forms.

def policy(*conditions, minutes=5) -> str:
    ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    return encoded({"expiration": ends.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "conditions": list(conditions)})


def form_v1(server, text: str) -> dict:
    signature = base64.b64encode(hmac.new(server.secret_key.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return {"OSSAccessKeyId": server.access_key, "policy": text, "Signature": signature}


def form_v4(server, text: str) -> dict:
    now = datetime.datetime.now(datetime.timezone.utc)
    scope = [now.strftime("%Y%m%d"), REGION, "oss", "aliyun_v4_request"]
    key = ("aliyun_v4" + server.secret_key).encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return {
        "policy": text,
        "x-oss-signature-version": "OSS4-HMAC-SHA256",
        "x-oss-credential": "/".join([server.access_key, *scope]),
        "x-oss-date": now.strftime("%Y%m%dT%H%M%SZ"),
        "x-oss-signature": hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
    }


@pytest.fixture(params=[form_v1, form_v4], ids=["V1", "V4"])
def signed(request, server):
    return lambda *conditions, **more: request.param(server, policy(*conditions, **more))


def test_a_form_uploads(server, bucket, signed):
    for url in [f"{server.ip_endpoint}/{bucket.bucket_name}", f"{server.ip_endpoint}/{bucket.bucket_name}/"]:
        fields = {
            "key": "user/${filename}", "success_action_status": "201", "x-oss-meta-uuid": "u",
            **signed(["starts-with", "$key", "user/"], {"bucket": bucket.bucket_name}, ["content-length-range", 1, 1000]),
        }
        answer = requests.post(url, data=fields, files={"file": ("c\u00e4t.jpg", b"jpeg", "image/jpeg")})
        assert answer.status_code == 201, answer.text
        told = ElementTree.fromstring(answer.content)
        assert (told.findtext("Key"), told.findtext("ETag")) == ("user/c\u00e4t.jpg", f'"{md5(b"jpeg")}"')
        head = bucket.head_object("user/c\u00e4t.jpg")
        assert (head.headers["x-oss-meta-uuid"], head.content_type) == ("u", "image/jpeg")
        assert requests.get(told.findtext("Location")).status_code == 403, "it leads to a private object"


def test_what_the_policy_does_not_allow_is_refused(server, bucket, signed):
    def post(content: bytes, *conditions, **more):
        url = f"{server.ip_endpoint}/{bucket.bucket_name}"
        fields = {"key": "never", **signed(*conditions, **more)}
        answer = requests.post(url, data=fields, files={"file": content})
        return answer.status_code, ElementTree.fromstring(answer.content).findtext("Code")

    assert post(b"x", {"key": "other"}) == (403, "AccessDenied")
    assert post(b"x", minutes=-1) == (403, "AccessDenied")
    assert post(b"12345", ["content-length-range", 1, 4]) == (400, "EntityTooLarge")
    assert post(b"12345" * 1_000_000, ["content-length-range", 1, 4]) == (400, "EntityTooLarge")
    assert post(b"", ["content-length-range", 1, 4]) == (400, "EntityTooSmall")
    assert not bucket.object_exists("never")


def test_a_form_calls_back(server, bucket, app, signed):
    fields = {"key": "told", "callback": callback(app)["x-oss-callback"], "x:my_var": "of the form", **signed()}
    answer = requests.post(f"{server.ip_endpoint}/{bucket.bucket_name}", data=fields, files={"file": b"12345"})
    assert (answer.status_code, answer.json()) == (200, {"Status": "OK"})
    told = pairs(app.seen[0][2])
    assert (told["object"], told["size"], told["my_var"]) == ("told", "5", "of the form")


# Limited transfers.

def test_a_transfer_is_held_back(bucket):
    limit = {oss2.models.OSS_TRAFFIC_LIMIT: str(100 * 1024 * 8)}
    content = b"x" * 250_000
    for what, transfer in [
        ("put", lambda: bucket.put_object("slow", content, headers=limit)),
        ("get", lambda: bucket.get_object("slow", headers=limit).read()),
        ("get by URL", lambda: bucket.get_object("slow", params=limit).read()),
    ]:
        begin = time.monotonic()
        transfer()
        took = time.monotonic() - begin
        assert 2 <= took < 10, f"{what}: {took}"
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.put_object("slow", content, headers={oss2.models.OSS_TRAFFIC_LIMIT: "1"})
