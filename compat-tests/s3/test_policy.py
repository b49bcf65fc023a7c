"""Bucket policies and temporary credentials through boto3."""

import json
import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

BUCKET = "boto-policies"


def connect(server, key, secret, token=None, signature="s3v4"):
    config = botocore.config.Config(
        signature_version=signature, s3={"addressing_style": "path"}, retries={"max_attempts": 1}
    )
    return boto3.client(
        "s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", config=config,
        aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
    )


@pytest.fixture(scope="module")
def owner(server):
    client = connect(server, server.access_key, server.secret_key)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="k", Body=b"text")
    return client


@pytest.fixture(scope="module")
def other(server, owner):
    told = server.run("key", "create", "--data", server.data / "data", "--account", "other").stdout
    fields = dict(line.split("  ", 1) for line in told.splitlines())
    return connect(server, fields["access key"].strip(), fields["secret key"].strip())


def policy(effect: str, principal, action, resource: str, **more) -> str:
    one = {"Effect": effect, "Principal": principal, "Action": action, "Resource": f"arn:aws:s3:::{resource}", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [one]})


def code_of(error) -> tuple:
    answer = error.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def refuses(call, status: int, code: str, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(Bucket=BUCKET, **arguments)
    assert code_of(error) == (status, code)


def test_a_policy_is_put_read_judged_and_deleted(owner):
    refuses(owner.get_bucket_policy, 404, "NoSuchBucketPolicy")
    refuses(owner.get_bucket_policy_status, 404, "NoSuchBucketPolicy")
    text = policy("Allow", "*", "s3:GetObject", f"{BUCKET}/*")
    assert owner.put_bucket_policy(Bucket=BUCKET, Policy=text)["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert owner.get_bucket_policy(Bucket=BUCKET)["Policy"] == text
    assert owner.get_bucket_policy_status(Bucket=BUCKET)["PolicyStatus"]["IsPublic"] is True
    refuses(owner.put_bucket_policy, 400, "MalformedPolicy", Policy="{}")
    refuses(owner.put_bucket_policy, 400, "MalformedPolicy", Policy=text.replace(BUCKET, "another"))
    owner.delete_bucket_policy(Bucket=BUCKET)
    refuses(owner.get_bucket_policy, 404, "NoSuchBucketPolicy")


def test_a_policy_opens_and_closes(owner, other):
    refuses(other.get_object, 403, "AccessDenied", Key="k")
    anybody = {"AWS": "*"}
    listing = policy("Allow", anybody, "s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": "home/*"}})
    owner.put_bucket_policy(Bucket=BUCKET, Policy=listing)
    assert other.list_objects_v2(Bucket=BUCKET, Prefix="home/")["KeyCount"] == 0
    refuses(other.list_objects_v2, 403, "AccessDenied")
    owner.put_bucket_policy(Bucket=BUCKET, Policy=policy("Allow", anybody, ["s3:Get*"], f"{BUCKET}/*"))
    assert other.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"text"
    refuses(other.put_object, 403, "AccessDenied", Key="k", Body=b"new")
    owner.put_bucket_policy(Bucket=BUCKET, Policy=policy("Deny", "*", "s3:*", f"{BUCKET}/*"))
    refuses(owner.get_object, 403, "AccessDenied", Key="k")
    owner.delete_bucket_policy(Bucket=BUCKET)
    assert owner.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"text"


@pytest.mark.parametrize("signature", ["s3v4", "s3"])
def test_a_temporary_credential_signs_headers_and_urls(server, owner, signature):
    session = server.session()
    mine = connect(server, session.access_key, session.secret_key, session.token, signature)
    mine.put_object(Bucket=BUCKET, Key="sts", Body=b"mine")
    assert mine.get_object(Bucket=BUCKET, Key="sts")["Body"].read() == b"mine"
    url = mine.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "sts"}, ExpiresIn=60)
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"mine"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(url.replace(session.token, session.token[::-1]))
    refuses(
        connect(server, session.access_key, session.secret_key, "another", signature).get_object,
        400, "InvalidToken", Key="sts",
    )
    refuses(
        connect(server, session.access_key, session.secret_key, None, signature).get_object,
        403, "InvalidAccessKeyId", Key="sts",
    )


def test_a_policy_narrows_a_temporary_credential(server, owner, tmp_path):
    narrow = tmp_path / "policy.json"
    narrow.write_text(json.dumps({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"},
    }))
    session = server.session("--policy", str(narrow))
    reader = connect(server, session.access_key, session.secret_key, session.token)
    assert reader.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"text"
    refuses(reader.put_object, 403, "AccessDenied", Key="k", Body=b"new")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        reader.list_buckets()
    assert code_of(error) == (403, "AccessDenied")
