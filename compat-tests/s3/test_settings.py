"""Settings of a bucket through boto3, and what they do to plain HTTP."""

import urllib.error
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import pytest

SERVER = {"master_key": "ef" * 32}


@pytest.fixture(scope="module")
def s3(server):
    config = botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1})
    return boto3.client(
        "s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", config=config,
        aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
    )


@pytest.fixture
def bucket(s3, request):
    name = request.node.name.removeprefix("test_").replace("_", "-")[:60]
    s3.create_bucket(Bucket=name)
    return name


def refused(call, status: int, code: str):
    with pytest.raises(botocore.exceptions.ClientError) as error:
        call()
    response = error.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (status, code)


def public_acl(s3, bucket: str):
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")


class NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def get(server, path: str):
    """Status, text and location of a plain GET."""
    opener = urllib.request.build_opener(NoRedirects)
    try:
        answer = opener.open(f"{server.ip_endpoint}/{path}", timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer.read().decode(), answer.headers.get("Location")


def test_website(server, s3, bucket):
    refused(lambda: s3.get_bucket_website(Bucket=bucket), 404, "NoSuchWebsiteConfiguration")
    public_acl(s3, bucket)
    for key, body in {"index.html": "root", "a/index.html": "folder", "404.html": "none"}.items():
        s3.put_object(Bucket=bucket, Key=key, Body=body.encode())
    website = {
        "IndexDocument": {"Suffix": "index.html"},
        "ErrorDocument": {"Key": "404.html"},
        "RoutingRules": [
            {"Condition": {"KeyPrefixEquals": "docs/"}, "Redirect": {"ReplaceKeyPrefixWith": "a/"}},
            {
                "Condition": {"HttpErrorCodeReturnedEquals": "404", "KeyPrefixEquals": "old/"},
                "Redirect": {"HostName": "b.example", "Protocol": "https", "HttpRedirectCode": "308"},
            },
        ],
    }
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=website)
    got = s3.get_bucket_website(Bucket=bucket)
    assert {name: got[name] for name in website} == website
    for path, expected in {
        "/": (200, "root", None),
        "/a/": (200, "folder", None),
        "/a": (302, "", f"/{bucket}/a/"),
        "/nothing": (404, "none", None),
        "/docs/": (301, "", f"/{bucket}/a/"),
        "/old/page": (308, "", "https://b.example/old/page"),
    }.items():
        assert get(server, bucket + path) == expected, path
    redirect = {"RedirectAllRequestsTo": {"HostName": "c.example", "Protocol": "https"}}
    s3.put_bucket_website(Bucket=bucket, WebsiteConfiguration=redirect)
    assert get(server, f"{bucket}/a/b")[::2] == (301, "https://c.example/a/b")
    s3.delete_bucket_website(Bucket=bucket)
    refused(lambda: s3.get_bucket_website(Bucket=bucket), 404, "NoSuchWebsiteConfiguration")


def test_logging(s3, bucket):
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)
    enabled = {"TargetBucket": bucket, "TargetPrefix": "logs/"}
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": enabled})
    assert s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"] == enabled
    nowhere = {"LoggingEnabled": {"TargetBucket": "nowhere", "TargetPrefix": ""}}
    refused(
        lambda: s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus=nowhere), 400, "InvalidTargetBucketForLogging"
    )
    s3.put_bucket_logging(Bucket=bucket, BucketLoggingStatus={})
    assert "LoggingEnabled" not in s3.get_bucket_logging(Bucket=bucket)


def test_encryption(s3, bucket):
    refused(
        lambda: s3.get_bucket_encryption(Bucket=bucket), 404, "ServerSideEncryptionConfigurationNotFoundError"
    )
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"] == [rule]
    assert s3.put_object(Bucket=bucket, Key="default", Body=b"x")["ServerSideEncryption"] == "AES256"
    s3.delete_bucket_encryption(Bucket=bucket)
    assert "ServerSideEncryption" not in s3.put_object(Bucket=bucket, Key="unasked", Body=b"x")
    asked = s3.put_object(Bucket=bucket, Key="asked", Body=b"x", ServerSideEncryption="AES256")
    assert asked["ServerSideEncryption"] == "AES256"
    assert s3.get_object(Bucket=bucket, Key="asked")["ServerSideEncryption"] == "AES256"
    assert s3.head_object(Bucket=bucket, Key="default")["ServerSideEncryption"] == "AES256"
    refused(
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms"), 501, "NotImplemented"
    )
    refused(
        lambda: s3.put_object(
            Bucket=bucket, Key="k", Body=b"x", SSECustomerAlgorithm="AES256", SSECustomerKey="k" * 32
        ),
        501, "NotImplemented",
    )


def test_request_payment_and_acceleration(s3, bucket):
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    s3.put_bucket_request_payment(Bucket=bucket, RequestPaymentConfiguration={"Payer": "Requester"})
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "Requester"
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", RequestPayer="requester")
    assert s3.get_object(Bucket=bucket, Key="k", RequestPayer="requester")["Body"].read() == b"x"
    assert "Status" not in s3.get_bucket_accelerate_configuration(Bucket=bucket)
    s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_accelerate_configuration(Bucket=bucket)["Status"] == "Enabled"


def test_public_access_block(server, s3, bucket):
    refused(
        lambda: s3.get_public_access_block(Bucket=bucket), 404, "NoSuchPublicAccessBlockConfiguration"
    )
    public_acl(s3, bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert get(server, f"{bucket}/k")[0] == 200
    block = {
        "BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False, "RestrictPublicBuckets": False
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    assert get(server, f"{bucket}/k")[0] == 403
    refused(lambda: public_acl(s3, bucket), 403, "AccessDenied")
    refused(lambda: s3.put_object_acl(Bucket=bucket, Key="k", ACL="public-read"), 403, "AccessDenied")
    refused(lambda: s3.put_object(Bucket=bucket, Key="n", Body=b"x", ACL="public-read"), 403, "AccessDenied")
    s3.delete_public_access_block(Bucket=bucket)
    assert get(server, f"{bucket}/k")[0] == 200


def test_ownership_controls(s3, bucket):
    refused(
        lambda: s3.get_bucket_ownership_controls(Bucket=bucket), 404, "OwnershipControlsNotFoundError"
    )
    controls = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == controls
    refused(lambda: public_acl(s3, bucket), 400, "AccessControlListNotSupported")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="bucket-owner-full-control")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    public_acl(s3, bucket)
    s3.create_bucket(Bucket="made-enforced", ObjectOwnership="BucketOwnerEnforced")
    assert s3.get_bucket_ownership_controls(Bucket="made-enforced")["OwnershipControls"] == controls


def test_what_a_look_at_the_whole_bucket_asks_for(s3, bucket):
    refused(lambda: s3.get_bucket_replication(Bucket=bucket), 404, "ReplicationConfigurationNotFoundError")
    refused(lambda: s3.get_bucket_tagging(Bucket=bucket), 404, "NoSuchTagSet")
    notification = s3.get_bucket_notification_configuration(Bucket=bucket)
    assert set(notification) == {"ResponseMetadata"}
    for call in (
        lambda: s3.list_bucket_inventory_configurations(Bucket=bucket),
        lambda: s3.list_bucket_analytics_configurations(Bucket=bucket),
        lambda: s3.list_bucket_metrics_configurations(Bucket=bucket),
        lambda: s3.list_bucket_intelligent_tiering_configurations(Bucket=bucket),
    ):
        refused(call, 501, "NotImplemented")
