"""Buckets and objects through boto3: path style and virtual host, V4 and V2, its checksums on as they come."""

import datetime
import hashlib
import io
import os
import time
import urllib.error
import urllib.request
from xml.etree import ElementTree

import boto3
import botocore.exceptions
import oss2
import pytest
import requests

from harness.boto3_ways import SERVER as SERVER, WAYS, code_of, connect, domain_resolved, status_of


@pytest.fixture(scope="module", params=WAYS)
def way(request, server):
    name = "boto-" + request.param.replace("/", "-")
    with domain_resolved():
        client = connect(server, request.param)
        client.create_bucket(Bucket=name)
        yield client, name
        while found := client.list_objects_v2(Bucket=name).get("Contents"):
            client.delete_objects(Bucket=name, Delete={"Objects": [{"Key": one["Key"]} for one in found]})
        client.delete_bucket(Bucket=name)
        with pytest.raises(client.exceptions.ClientError, match="404"):
            client.head_bucket(Bucket=name)


def test_buckets_are_listed_and_described(way):
    client, bucket = way
    answer = client.list_buckets(Prefix="boto-")
    assert bucket in [one["Name"] for one in answer["Buckets"]] and answer["Owner"]["ID"]
    assert client.head_bucket(Bucket=bucket)["BucketRegion"] == "cn-hangzhou"
    assert client.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "cn-hangzhou"
    assert "Status" not in client.get_bucket_versioning(Bucket=bucket)
    with pytest.raises(client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=bucket)
    with pytest.raises(client.exceptions.NoSuchBucket):
        client.list_objects_v2(Bucket="boto-there-is-none")


@pytest.mark.parametrize("key", ["plain", "a/b c/d+e", "f%2F%20g", "ü/漢字.txt", "a//b", "x=y&z?w#v", "./dots/../x", "~!*'()"])
def test_an_object_comes_back_as_it_was_put(way, key):
    client, bucket = way
    body = os.urandom(70_000)
    put = client.put_object(
        Bucket=bucket, Key=key, Body=body, ContentType="Text/X; a=b", CacheControl="no-cache",
        ContentDisposition="inline", ContentLanguage="de", Metadata={"one": "1", "Two": "2 2"},
    )
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    got = client.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == body
    assert (got["ContentType"], got["CacheControl"], got["ContentDisposition"], got["ContentLanguage"]) == (
        "Text/X; a=b", "no-cache", "inline", "de")
    assert got["Metadata"] == {"one": "1", "two": "2 2"}
    head = client.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (len(body), put["ETag"])
    assert key in [one["Key"] for one in client.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]]
    client.delete_object(Bucket=bucket, Key=key)
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket=bucket, Key=key)
    with pytest.raises(client.exceptions.ClientError) as error:
        client.head_object(Bucket=bucket, Key=key)
    assert status_of(error) == 404


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_verified_and_echoed(way, algorithm):
    client, bucket = way
    put = client.put_object(Bucket=bucket, Key="sum", Body=b"123456789", ChecksumAlgorithm=algorithm)
    assert put[f"Checksum{algorithm}"]
    with pytest.raises(client.exceptions.ClientError) as error:
        client.put_object(Bucket=bucket, Key="sum", Body=b"other", **{f"Checksum{algorithm}": put[f"Checksum{algorithm}"]})
    assert code_of(error) == "BadDigest"
    assert client.get_object(Bucket=bucket, Key="sum")["Body"].read() == b"123456789"


def test_a_file_object_is_uploaded_and_downloaded(way, tmp_path):
    client, bucket = way
    data = os.urandom(3_000_000)
    client.upload_fileobj(io.BytesIO(data), bucket, "file", ExtraArgs={"ContentType": "video/mp2t"})
    target = tmp_path / "file"
    client.download_file(bucket, "file", str(target))
    assert target.read_bytes() == data
    assert client.head_object(Bucket=bucket, Key="file")["ContentType"] == "video/mp2t"


def test_a_large_file_goes_in_parts(way, tmp_path):
    client, bucket = way
    data = os.urandom(20_000_000)
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    client.upload_file(str(source), bucket, "large", ExtraArgs={"Metadata": {"m": "1"}})
    head = client.head_object(Bucket=bucket, Key="large")
    assert head["ETag"].endswith('-3"') and head["Metadata"] == {"m": "1"}
    client.download_file(bucket, "large", str(target))
    assert target.read_bytes() == data


def test_multipart_by_hand(way):
    client, bucket = way
    upload = client.create_multipart_upload(Bucket=bucket, Key="parts ü", ContentType="a/b")["UploadId"]
    named = {"Bucket": bucket, "Key": "parts ü", "UploadId": upload}
    client.put_object(Bucket=bucket, Key="part-source", Body=b"0123456789")
    big = os.urandom(5 * 1024 * 1024)
    tags = [
        client.upload_part(**named, PartNumber=1, Body=big)["ETag"],
        client.upload_part_copy(**named, PartNumber=2, CopySource={"Bucket": bucket, "Key": "part-source"},
                                CopySourceRange="bytes=2-4")["CopyPartResult"]["ETag"],
    ]
    assert [part["Size"] for part in client.list_parts(**named)["Parts"]] == [len(big), 3]
    found = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [one["UploadId"] for one in found if one["Key"] == "parts ü"] == [upload]
    parts = [{"PartNumber": number, "ETag": tag} for number, tag in enumerate(tags, 1)]
    with pytest.raises(client.exceptions.ClientError) as error:
        client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts[::-1]})
    assert code_of(error) == "InvalidPartOrder"
    done = client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})
    assert client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts})["ETag"] == done["ETag"]
    got = client.get_object(Bucket=bucket, Key="parts ü")
    assert (got["Body"].read(), got["ContentType"]) == (big + b"234", "a/b")
    other = client.create_multipart_upload(Bucket=bucket, Key="given up")["UploadId"]
    client.abort_multipart_upload(Bucket=bucket, Key="given up", UploadId=other)
    with pytest.raises(client.exceptions.NoSuchUpload):
        client.list_parts(Bucket=bucket, Key="given up", UploadId=other)


def test_ranges(way):
    client, bucket = way
    client.put_object(Bucket=bucket, Key="digits", Body=b"0123456789")
    for given, expected in [("bytes=0-", "0-9"), ("bytes=2-4", "2-4"), ("bytes=8-99", "8-9"), ("bytes=-3", "7-9")]:
        got = client.get_object(Bucket=bucket, Key="digits", Range=given)
        assert got["ContentRange"] == f"bytes {expected}/10"
        first, last = map(int, expected.split("-"))
        assert got["Body"].read() == b"0123456789"[first : last + 1]
    assert client.get_object(Bucket=bucket, Key="digits", Range="bytes=0-1,3-4")["Body"].read() == b"0123456789"
    with pytest.raises(client.exceptions.ClientError) as error:
        client.get_object(Bucket=bucket, Key="digits", Range="bytes=10-")
    assert (code_of(error), status_of(error)) == ("InvalidRange", 416)
    assert client.head_object(Bucket=bucket, Key="digits", PartNumber=1)["ContentLength"] == 10


def test_conditions(way):
    client, bucket = way
    etag = client.put_object(Bucket=bucket, Key="cond", Body=b"1")["ETag"]
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    client.get_object(Bucket=bucket, Key="cond", IfMatch=etag)
    for condition, status in [({"IfNoneMatch": etag}, 304), ({"IfMatch": '"x"'}, 412), ({"IfUnmodifiedSince": past}, 412)]:
        with pytest.raises(client.exceptions.ClientError) as error:
            client.get_object(Bucket=bucket, Key="cond", **condition)
        assert status_of(error) == status, condition
    with pytest.raises(client.exceptions.ClientError) as error:
        client.put_object(Bucket=bucket, Key="cond", Body=b"2", IfNoneMatch="*")
    assert (code_of(error), status_of(error)) == ("PreconditionFailed", 412)
    client.put_object(Bucket=bucket, Key="cond", Body=b"2", IfMatch=etag)
    with pytest.raises(client.exceptions.ClientError) as error:
        client.put_object(Bucket=bucket, Key="cond", Body=b"3", IfMatch=etag)
    assert code_of(error) == "PreconditionFailed"
    assert client.get_object(Bucket=bucket, Key="cond")["Body"].read() == b"2"


def test_listings(way):
    client, bucket = way
    keys = sorted(f"list/{name}" for name in ["a", "b/1", "b/2", "c d+e", "ü", "z/"])
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    for version in ("list_objects", "list_objects_v2"):
        pages = client.get_paginator(version).paginate(Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 2})
        assert [one["Key"] for page in pages for one in page.get("Contents", [])] == keys
        pages = client.get_paginator(version).paginate(
            Bucket=bucket, Prefix="list/", Delimiter="/", PaginationConfig={"PageSize": 2})
        pages = list(pages)
        assert [p["Prefix"] for page in pages for p in page.get("CommonPrefixes", [])] == ["list/b/", "list/z/"]
        assert [o["Key"] for page in pages for o in page.get("Contents", [])] == ["list/a", "list/c d+e", "list/ü"]
    first = client.list_objects_v2(Bucket=bucket, Prefix="list/", StartAfter="list/b/1", FetchOwner=True)
    assert first["Contents"][0]["Key"] == "list/b/2" and first["Contents"][0]["Owner"]["ID"]
    assert first["Contents"][0]["StorageClass"] == "STANDARD"


def test_many_are_deleted_at_once(way):
    client, bucket = way
    keys = [f"many/{n}" for n in range(5)] + ["many/<&>"]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"")
    wanted = [{"Key": key} for key in [*keys, "many/none"]]
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": wanted})
    assert sorted(one["Key"] for one in answer["Deleted"]) == sorted(one["Key"] for one in wanted)
    assert "Deleted" not in client.delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
    assert client.list_objects_v2(Bucket=bucket, Prefix="many/")["KeyCount"] == 0


def test_copies(way):
    client, bucket = way
    client.put_object(Bucket=bucket, Key="from ü+", Body=b"hello", ContentType="text/plain", Metadata={"a": "1"})
    source = {"Bucket": bucket, "Key": "from ü+"}
    copied = client.copy_object(Bucket=bucket, Key="to", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == f'"{hashlib.md5(b"hello").hexdigest()}"'
    got = client.get_object(Bucket=bucket, Key="to")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"hello", "text/plain", {"a": "1"})
    client.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "to"},
                       MetadataDirective="REPLACE", ContentType="x/y", Metadata={"b": "2"})
    got = client.head_object(Bucket=bucket, Key="to")
    assert (got["ContentType"], got["Metadata"]) == ("x/y", {"b": "2"})
    with pytest.raises(client.exceptions.ClientError) as error:
        client.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch='"x"')
    assert status_of(error) == 412


def test_acls(way):
    client, bucket = way
    everybody = "http://acs.amazonaws.com/groups/global/AllUsers"

    def granted(acl):
        return [g["Permission"] for g in acl["Grants"] if g["Grantee"].get("URI") == everybody]

    client.put_object(Bucket=bucket, Key="public", Body=b"x", ACL="public-read")
    assert granted(client.get_object_acl(Bucket=bucket, Key="public")) == ["READ"]
    acl = client.get_object_acl(Bucket=bucket, Key="public")
    client.put_object_acl(Bucket=bucket, Key="public", ACL="private")
    assert granted(client.get_object_acl(Bucket=bucket, Key="public")) == []
    policy = {"Grants": acl["Grants"], "Owner": acl["Owner"]}
    client.put_object_acl(Bucket=bucket, Key="public", AccessControlPolicy=policy)
    assert granted(client.get_object_acl(Bucket=bucket, Key="public")) == ["READ"]
    client.put_bucket_acl(Bucket=bucket, ACL="public-read-write")
    assert granted(client.get_bucket_acl(Bucket=bucket)) == ["READ", "WRITE"]
    client.put_bucket_acl(Bucket=bucket, ACL="private")


def test_cors(way):
    client, bucket = way
    with pytest.raises(client.exceptions.ClientError) as error:
        client.get_bucket_cors(Bucket=bucket)
    assert code_of(error) == "NoSuchCORSConfiguration"
    rule = {"AllowedOrigins": ["https://*.example"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    assert client.get_bucket_cors(Bucket=bucket)["CORSRules"] == [rule]
    client.delete_bucket_cors(Bucket=bucket)


def fetch(url: str, method: str = "GET", data: bytes | None = None, headers: dict | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_presigned_urls(way):
    client, bucket = way
    put = client.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "pre signed", "ContentType": "text/x"})
    assert fetch(put, "PUT", b"by url", {"Content-Type": "text/x"})[0] == 200
    get = client.generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "pre signed", "ResponseContentType": "a/b"}, ExpiresIn=60)
    assert fetch(get) == (200, b"by url")
    status, document = fetch(get.replace("ignature=", "ignature=0"))
    assert status in (400, 403) and b"<Code>" in document
    gone = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "pre signed"}, ExpiresIn=1)
    time.sleep(2.1)
    assert fetch(gone)[0] == 403


def test_attributes_and_tags(way):
    client, bucket = way
    client.put_object(Bucket=bucket, Key="attr", Body=b"hello")
    told = client.get_object_attributes(Bucket=bucket, Key="attr", ObjectAttributes=["ETag", "ObjectSize", "StorageClass"])
    assert (told["ETag"], told["ObjectSize"], told["StorageClass"]) == (hashlib.md5(b"hello").hexdigest(), 5, "STANDARD")
    assert client.get_object_tagging(Bucket=bucket, Key="attr")["TagSet"] == []


def test_tagging(way):
    client, bucket = way
    tags = [{"Key": "a b", "Value": "1+2"}, {"Key": "\u00e9", "Value": ""}]
    client.put_object(Bucket=bucket, Key="tagged", Body=b"x", Tagging="first=1%202&second=")
    got = client.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"]
    assert got == [{"Key": "first", "Value": "1 2"}, {"Key": "second", "Value": ""}]
    assert client.get_object(Bucket=bucket, Key="tagged")["TagCount"] == 2
    client.put_object_tagging(Bucket=bucket, Key="tagged", Tagging={"TagSet": tags})
    client.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "tagged"})
    assert client.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == tags
    with pytest.raises(client.exceptions.ClientError) as error:
        client.put_object_tagging(Bucket=bucket, Key="tagged", Tagging={"TagSet": [{"Key": "a*", "Value": ""}]})
    assert (code_of(error), status_of(error)) == ("InvalidTag", 400)
    client.delete_object_tagging(Bucket=bucket, Key="tagged")
    assert client.get_object_tagging(Bucket=bucket, Key="tagged")["TagSet"] == []

    with pytest.raises(client.exceptions.ClientError) as error:
        client.get_bucket_tagging(Bucket=bucket)
    assert code_of(error) == "NoSuchTagSet"
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert client.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    client.delete_bucket_tagging(Bucket=bucket)


def test_what_is_not_built_says_so_and_touches_nothing(way):
    client, bucket = way
    client.put_object(Bucket=bucket, Key="kept", Body=b"kept")
    for call in [
        lambda: client.list_bucket_inventory_configurations(Bucket=bucket),
        lambda: client.get_bucket_analytics_configuration(Bucket=bucket, Id="x"),
        lambda: client.delete_bucket_replication(Bucket=bucket),
    ]:
        with pytest.raises(client.exceptions.ClientError) as error:
            call()
        assert (code_of(error), status_of(error)) == ("NotImplemented", 501)
    assert client.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"kept"


def test_a_presigned_form_uploads_within_its_conditions(way):
    client, bucket = way
    fields = {"acl": "public-read", "Content-Type": "image/png", "success_action_status": "201"}
    conditions = [{"acl": "public-read"}, ["starts-with", "$Content-Type", "image/"], {"success_action_status": "201"},
                  ["content-length-range", 1, 100]]
    form = client.generate_presigned_post(bucket, "form/${filename}", Fields=fields, Conditions=conditions, ExpiresIn=60)

    def post(content, **more):
        answer = requests.post(form["url"], data={**form["fields"], **more}, files={"file": ("a b.png", content, "x/y")})
        return answer.status_code, ElementTree.fromstring(answer.content)

    status, told = post(b"png")
    assert (status, told.findtext("Key"), told.findtext("Bucket")) == (201, "form/a b.png", bucket)
    assert told.findtext("ETag") == f'"{hashlib.md5(b"png").hexdigest()}"'
    got = client.get_object(Bucket=bucket, Key="form/a b.png")
    assert (got["Body"].read(), got["ContentType"]) == (b"png", "image/png")
    assert requests.get(told.findtext("Location")).content == b"png", "everybody may read it"
    for content, more, status, code in [
        (b"x" * 101, {}, 400, "EntityTooLarge"),
        (b"", {}, 400, "EntityTooSmall"),
        (b"png", {"Content-Type": "text/html"}, 403, "AccessDenied"),
        (b"png", {"acl": "private"}, 403, "AccessDenied"),
        (b"png", {"key": "elsewhere"}, 403, "AccessDenied"),
        (b"png", {"x-amz-meta-extra": "1"}, 403, "AccessDenied"),
    ]:
        answered, error = post(content, **more)
        assert (answered, error.findtext("Code")) == (status, code)
        assert error.findtext("RequestId") and error.findtext("HostId")
    form = client.generate_presigned_post(bucket, "form/late", ExpiresIn=-1)
    status, error = post(b"png")
    assert (status, error.findtext("Code")) == (403, "AccessDenied")
    assert client.get_object(Bucket=bucket, Key="form/a b.png")["Body"].read() == b"png"


def test_wrong_keys_are_told_apart(server, way):
    client, bucket = way
    for key, secret, code in [
        (server.access_key, "wrong", "SignatureDoesNotMatch"),
        ("nobody", "x", "InvalidAccessKeyId"),
    ]:
        other = boto3.client("s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", aws_access_key_id=key,
                             aws_secret_access_key=secret)
        with pytest.raises(client.exceptions.ClientError) as error:
            other.list_objects_v2(Bucket=bucket)
        assert code_of(error) == code
        assert error.value.response["ResponseMetadata"]["RequestId"]


def test_both_dialects_show_one_object(server, way):
    client, bucket = way
    auth = oss2.Auth(server.access_key, server.secret_key)
    twin = oss2.Bucket(auth, server.ip_endpoint, bucket)
    client.put_object(Bucket=bucket, Key="twin/s3", Body=b"over s3", ContentType="a/b", Metadata={"m": "1"}, ACL="public-read")
    got = twin.get_object("twin/s3")
    assert (got.read(), got.content_type, got.headers["x-oss-meta-m"]) == (b"over s3", "a/b", "1")
    assert got.etag == hashlib.md5(b"over s3").hexdigest().upper()
    assert twin.get_object_acl("twin/s3").acl == "public-read"
    twin.put_object("twin/oss", b"over oss", headers={"Content-Type": "c/d", "x-oss-meta-n": "2"})
    twin.append_object("twin/appended", 0, b"0123")
    got = client.get_object(Bucket=bucket, Key="twin/oss")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"over oss", "c/d", {"n": "2"})
    assert got["ETag"] == f'"{hashlib.md5(b"over oss").hexdigest()}"'
    assert client.get_object(Bucket=bucket, Key="twin/appended")["Body"].read() == b"0123"
    listed = {one["Key"] for one in client.list_objects_v2(Bucket=bucket, Prefix="twin/")["Contents"]}
    assert listed == {one.key for one in oss2.ObjectIterator(twin, prefix="twin/")}
