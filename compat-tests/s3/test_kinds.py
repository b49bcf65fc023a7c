"""Storage classes and restores through boto3, and symlinks of the other dialect as it sees them."""

import boto3
import botocore.config
import botocore.exceptions
import oss2
import pytest

BUCKET = "kinds"


@pytest.fixture(scope="module")
def client(server):
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    client = boto3.client(
        "s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", config=config,
        aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
    )
    client.create_bucket(Bucket=BUCKET)
    return client


def fails(code: str, status: int, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call(Bucket=BUCKET, **arguments)
    response = error.value.response
    assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_archived_object_is_restored(client, storage_class):
    key = f"cold/{storage_class}"
    client.put_object(Bucket=BUCKET, Key=key, Body=b"cold", StorageClass=storage_class)
    fails("InvalidObjectState", 403, client.get_object, Key=key)
    request = {"Days": 2, "GlacierJobParameters": {"Tier": "Standard"}}
    restored = client.restore_object(Bucket=BUCKET, Key=key, RestoreRequest=request)
    assert restored["ResponseMetadata"]["HTTPStatusCode"] == 202
    head = client.head_object(Bucket=BUCKET, Key=key)
    assert head["StorageClass"] == storage_class
    assert head["Restore"].startswith('ongoing-request="false", expiry-date="')
    client.get_waiter("object_exists").wait(Bucket=BUCKET, Key=key)
    assert client.get_object(Bucket=BUCKET, Key=key)["Body"].read() == b"cold"
    again = client.restore_object(Bucket=BUCKET, Key=key, RestoreRequest={"Days": 1})
    assert again["ResponseMetadata"]["HTTPStatusCode"] == 200
    (listed,) = client.list_objects_v2(Bucket=BUCKET, Prefix=key, OptionalObjectAttributes=["RestoreStatus"])["Contents"]
    assert listed["StorageClass"] == storage_class
    assert listed["RestoreStatus"]["IsRestoreInProgress"] is False
    (listed,) = client.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
    assert "RestoreStatus" not in listed


def test_classes_are_kept_told_and_changed(client):
    client.put_object(Bucket=BUCKET, Key="warm", Body=b"warm")
    assert "StorageClass" not in client.head_object(Bucket=BUCKET, Key="warm")
    for asked, told in [("STANDARD_IA", "STANDARD_IA"), ("ONEZONE_IA", "STANDARD_IA"), ("INTELLIGENT_TIERING", None)]:
        source = {"Bucket": BUCKET, "Key": "warm"}
        client.copy_object(Bucket=BUCKET, Key="warm", CopySource=source, StorageClass=asked)
        assert client.head_object(Bucket=BUCKET, Key="warm").get("StorageClass") == told
    fails("InvalidObjectState", 403, client.restore_object, Key="warm", RestoreRequest={"Days": 1})
    fails("InvalidStorageClass", 400, client.put_object, Key="x", Body=b"", StorageClass="SNOW")
    upload = client.create_multipart_upload(Bucket=BUCKET, Key="parts", StorageClass="GLACIER")["UploadId"]
    assert client.list_multipart_uploads(Bucket=BUCKET)["Uploads"][0]["StorageClass"] == "GLACIER"
    assert client.list_parts(Bucket=BUCKET, Key="parts", UploadId=upload)["StorageClass"] == "GLACIER"
    client.abort_multipart_upload(Bucket=BUCKET, Key="parts", UploadId=upload)


def test_symlink_of_the_other_dialect_reads_through(server, client):
    twin = oss2.Bucket(oss2.Auth(server.access_key, server.secret_key), server.ip_endpoint, BUCKET)
    client.put_object(Bucket=BUCKET, Key="target", Body=b"hello")
    twin.put_symlink("target", "link")
    got = client.get_object(Bucket=BUCKET, Key="link")
    assert (got["Body"].read(), got["ContentLength"]) == (b"hello", 5)
    client.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "link"})
    assert twin.head_object("copy").object_type == "Normal"
    (listed,) = client.list_objects_v2(Bucket=BUCKET, Prefix="link")["Contents"]
    assert listed["Size"] == 0
    client.delete_object(Bucket=BUCKET, Key="target")
    fails("NoSuchKey", 404, client.get_object, Key="link")
