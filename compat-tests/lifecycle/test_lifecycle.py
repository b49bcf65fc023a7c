"""Lifecycle rules through oss2 and boto3, carried out by a server that looks every second."""

import datetime
import time

import boto3
import botocore.config
import botocore.exceptions
import oss2
import pytest
from oss2.models import (
    AbortMultipartUpload,
    BucketLifecycle,
    LifecycleExpiration,
    LifecycleFilter,
    LifecycleRule,
    FilterNot,
    StorageTransition,
)

SERVER = {"extra": ("--lifecycle-interval", "1")}
TOMORROW = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def oss(server):
    bucket = oss2.Bucket(oss2.Auth(server.access_key, server.secret_key), f"http://127.0.0.1:{server.port}", "rules")
    bucket.create_bucket()
    return bucket


@pytest.fixture(scope="module")
def s3(server, oss):
    return boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{server.port}", region_name="us-east-1",
        aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )


def eventually(holds):
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "the rules were not carried out"
        time.sleep(0.2)


def test_oss2_rules_read_back_and_end_what_they_name(oss):
    with pytest.raises(oss2.exceptions.NoSuchLifecycle):
        oss.get_bucket_lifecycle()
    for key in ("tmp/a", "tmp/keep/b", "other"):
        oss.put_object(key, key)
    upload = oss.init_multipart_upload("tmp/upload").upload_id
    past = LifecycleRule(
        "past", "tmp/", LifecycleRule.ENABLED,
        expiration=LifecycleExpiration(created_before_date=TOMORROW),
        abort_multipart_upload=AbortMultipartUpload(created_before_date=TOMORROW),
        filter=LifecycleFilter(filter_not=[FilterNot("tmp/keep/")]),
    )
    later = LifecycleRule(
        "later", "films/", LifecycleRule.DISABLED, expiration=LifecycleExpiration(days=30),
        storage_transitions=[StorageTransition(days=10, storage_class=oss2.BUCKET_STORAGE_CLASS_IA)],
    )
    oss.put_bucket_lifecycle(BucketLifecycle([past, later]))
    first, second = oss.get_bucket_lifecycle().rules
    assert (first.id, first.prefix, first.status, first.expiration.created_before_date) == (
        "past", "tmp/", "Enabled", TOMORROW,
    )
    assert first.filter.filter_not[0].prefix == "tmp/keep/"
    assert (second.status, second.expiration.days, second.storage_transitions[0].storage_class) == ("Disabled", 30, "IA")
    eventually(lambda: not oss.object_exists("tmp/a"))
    eventually(lambda: not oss.list_multipart_uploads().upload_list)
    with pytest.raises(oss2.exceptions.NoSuchUpload):
        oss.upload_part("tmp/upload", upload, 1, b"late")
    assert oss.get_object("tmp/keep/b").read() == b"tmp/keep/b" and oss.object_exists("other")
    oss.delete_bucket_lifecycle()
    with pytest.raises(oss2.exceptions.NoSuchLifecycle):
        oss.get_bucket_lifecycle()


def test_boto3_rules_read_back_and_end_what_they_name(oss, s3):
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        s3.get_bucket_lifecycle_configuration(Bucket="rules")
    assert missing.value.response["Error"]["Code"] == "NoSuchLifecycleConfiguration"
    for key, tags in (("logs/a", "team=a"), ("logs/b", "team=b")):
        s3.put_object(Bucket="rules", Key=key, Body=b"x" * 10, Tagging=tags)
    yesterday = datetime.datetime.combine(TOMORROW, datetime.time(), datetime.timezone.utc) - datetime.timedelta(days=2)
    rules = [
        {
            "ID": "tagged", "Status": "Enabled", "Expiration": {"Date": yesterday},
            "Filter": {"And": {
                "Prefix": "logs/", "Tags": [{"Key": "team", "Value": "a"}],
                "ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 50,
            }},
        },
        {
            "ID": "later", "Status": "Enabled", "Filter": {"Prefix": "films/"},
            "Transitions": [{"Days": 0, "StorageClass": "STANDARD_IA"}, {"Days": 90, "StorageClass": "GLACIER"}],
            "NoncurrentVersionExpiration": {"NoncurrentDays": 5, "NewerNoncurrentVersions": 2},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
    s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": rules})
    assert s3.get_bucket_lifecycle_configuration(Bucket="rules")["Rules"] == rules
    eventually(lambda: not oss.object_exists("logs/a"))
    assert oss.object_exists("logs/b")
    bad = [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 0}}]
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": bad})
    assert refused.value.response["Error"]["Code"] == "InvalidArgument"
    s3.delete_bucket_lifecycle(Bucket="rules")
