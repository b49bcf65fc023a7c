"""Bucket policies and temporary credentials through oss2."""

import json
import urllib.error
import urllib.request

import oss2
import pytest

from harness.server import REGION

VERSIONS = {"V1": oss2.AUTH_VERSION_1, "V2": oss2.AUTH_VERSION_2, "V4": oss2.AUTH_VERSION_4}


@pytest.fixture(scope="module")
def bucket(make_bucket):
    bucket = make_bucket("policies")
    bucket.put_object("k", b"text")
    return bucket


@pytest.fixture(scope="module")
def other(server, bucket):
    """The same bucket, as another account sees it."""
    told = server.run("key", "create", "--data", server.data / "data", "--account", "other").stdout
    fields = dict(line.split("  ", 1) for line in told.splitlines())
    auth = oss2.Auth(fields["access key"].strip(), fields["secret key"].strip())
    return oss2.Bucket(auth, server.ip_endpoint, bucket.bucket_name)


def statement(effect: str, principal: str, actions: list, resource: str, **more) -> str:
    one = {"Effect": effect, "Principal": [principal], "Action": actions, "Resource": [f"acs:oss:*:*:{resource}"], **more}
    return json.dumps({"Version": "1", "Statement": [one]})


def test_a_policy_is_put_read_and_deleted(bucket):
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_bucket_policy()
    assert (error.value.status, error.value.code) == (404, "NoSuchBucketPolicy")
    text = statement("Allow", "other", ["oss:GetObject"], "policies/*")
    assert bucket.put_bucket_policy(text).status == 200
    assert bucket.get_bucket_policy().policy == text
    assert bucket.delete_bucket_policy().status == 204
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.put_bucket_policy(text.replace("Allow", "Permit"))
    assert (error.value.status, error.value.code) == (400, "InvalidPolicyDocument")


def test_a_policy_opens_and_closes(bucket, other):
    with pytest.raises(oss2.exceptions.AccessDenied):
        other.get_object("k")
    bucket.put_bucket_policy(statement("Allow", "other", ["oss:GetObject", "oss:ListObjects"], "policies*"))
    assert other.get_object("k").read() == b"text"
    assert [one.key for one in oss2.ObjectIterator(other)] == ["k"]
    with pytest.raises(oss2.exceptions.AccessDenied):
        other.put_object("k", b"new")
    elsewhere = {"Condition": {"NotIpAddress": {"acs:SourceIp": ["192.0.2.0/24"]}}}
    bucket.put_bucket_policy(statement("Deny", "*", ["oss:GetObject"], "policies/*", **elsewhere))
    with pytest.raises(oss2.exceptions.AccessDenied):
        bucket.get_object("k")
    bucket.delete_bucket_policy()
    assert bucket.get_object("k").read() == b"text"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_temporary_credential_signs_headers_and_urls(server, bucket, version):
    session = server.session()

    def connect(token):
        auth = oss2.StsAuth(session.access_key, session.secret_key, token, auth_version=VERSIONS[version])
        return oss2.Bucket(auth, server.ip_endpoint, bucket.bucket_name, region=REGION)

    mine = connect(session.token)
    mine.put_object(f"sts/{version}", b"mine")
    assert mine.get_object(f"sts/{version}").read() == b"mine"
    upload = mine.init_multipart_upload("sts/parts").upload_id
    part = mine.upload_part("sts/parts", upload, 1, b"part")
    mine.complete_multipart_upload("sts/parts", upload, [oss2.models.PartInfo(1, part.etag)])
    url = mine.sign_url("GET", f"sts/{version}", 60, slash_safe=True)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"mine"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(url.replace(session.token, session.token[::-1]))
    with pytest.raises(oss2.exceptions.ServerError) as error:
        connect("another").get_object(f"sts/{version}")
    assert (error.value.status, error.value.code) == (403, "InvalidSecurityToken")


def test_a_policy_narrows_a_temporary_credential(server, bucket, tmp_path):
    policy = tmp_path / "policy.json"
    allow = {"Effect": "Allow", "Action": ["oss:PutObject"], "Resource": ["acs:oss:*:*:policies/drop/*"]}
    policy.write_text(json.dumps({"Version": "1", "Statement": [allow]}))
    session = server.session("--policy", str(policy), "--expires", "15m")
    auth = oss2.StsAuth(session.access_key, session.secret_key, session.token)
    narrow = oss2.Bucket(auth, server.ip_endpoint, bucket.bucket_name)
    narrow.put_object("drop/a", b"text")
    for refused in (lambda: narrow.put_object("a", b"text"), lambda: narrow.get_object("drop/a"), narrow.get_bucket_info):
        with pytest.raises(oss2.exceptions.AccessDenied):
            refused()
