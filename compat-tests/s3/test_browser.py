"""Presigned requests of boto3 as a page of another origin sends them; listings of odd keys; an upload that is resumed."""

import os

import boto3
import botocore.config
import pytest

from harness.browser import ORIGIN, Kept, exposed, fetch


@pytest.fixture(scope="module", params=["s3v4", "s3"])
def way(request, server):
    client = boto3.client(
        "s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        config=botocore.config.Config(signature_version=request.param, s3={"addressing_style": "path"}, retries={"max_attempts": 1}),
    )
    bucket = f"page-{request.param}"
    client.create_bucket(Bucket=bucket)
    yield client, bucket
    while found := client.list_objects_v2(Bucket=bucket).get("Contents"):
        client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": one["Key"]} for one in found]})
    client.delete_bucket(Bucket=bucket)


def test_a_page_uploads_and_reads(way):
    client, bucket = way
    named = {"Bucket": bucket, "Key": "from/a page ü"}
    put = client.generate_presigned_url("put_object", Params={**named, "ContentType": "text/plain"}, ExpiresIn=60)
    with pytest.raises(Kept):
        fetch(put, "PUT", {"Content-Type": "text/plain"}, b"x")
    rule = {"AllowedOrigins": [ORIGIN], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    answer = fetch(put, "PUT", {"Content-Type": "text/plain"}, b"from a page")
    assert answer.status_code == 200 and "etag" in exposed(answer)
    get = client.generate_presigned_url("get_object", Params=named, ExpiresIn=60)
    assert fetch(get).content == b"from a page"
    assert fetch(get, headers={"Range": "bytes=5-5"}).content == b"a"
    with pytest.raises(Kept):
        fetch(get, origin="https://elsewhere.example")
    refused = fetch(client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "none"}))
    assert refused.status_code == 404 and "NoSuchKey" in refused.text


def test_multipart_in_a_page(way):
    """The page is given a URL a part; who made them completes."""
    client, bucket = way
    rule = {"AllowedOrigins": ["*"], "AllowedMethods": ["PUT"], "AllowedHeaders": ["*"], "ExposeHeaders": ["ETag"]}
    client.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    upload = {"Bucket": bucket, "Key": "by parts"}
    upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
    bodies, parts = [os.urandom(5 * 1024 * 1024), b"end"], []
    for number, body in enumerate(bodies, 1):
        url = client.generate_presigned_url("upload_part", Params={**upload, "PartNumber": number})
        answer = fetch(url, "PUT", body=body)
        assert "etag" in exposed(answer)
        parts.append({"PartNumber": number, "ETag": answer.headers["ETag"]})
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert client.get_object(Bucket=bucket, Key="by parts")["Body"].read() == b"".join(bodies)


def test_an_upload_is_resumed_from_its_list_of_parts(way):
    client, bucket = way
    bodies = [os.urandom(5 * 1024 * 1024 + number) for number in range(3)] + [b"end"]
    upload = {"Bucket": bucket, "Key": "resumed"}
    upload["UploadId"] = client.create_multipart_upload(**upload)["UploadId"]
    for number in (1, 3):
        client.upload_part(**upload, PartNumber=number, Body=bodies[number - 1])
    # Another process, that knows the key alone.
    (found,) = client.list_multipart_uploads(Bucket=bucket, Prefix="resumed")["Uploads"]
    assert found["UploadId"] == upload["UploadId"]
    pages = client.get_paginator("list_parts").paginate(**upload, PaginationConfig={"PageSize": 1})
    there = {one["PartNumber"]: one["ETag"] for page in pages for one in page.get("Parts", [])}
    assert sorted(there) == [1, 3]
    for number in {1, 2, 3, 4} - set(there):
        there[number] = client.upload_part(**upload, PartNumber=number, Body=bodies[number - 1])["ETag"]
    parts = [{"PartNumber": number, "ETag": there[number]} for number in sorted(there)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert client.get_object(Bucket=bucket, Key="resumed")["Body"].read() == b"".join(bodies)


def test_listing_of_odd_keys(way):
    client, bucket = way
    keys = ["odd/%2F", "odd/&amp;", "odd/+ +", "odd/<x>", "odd/a//b/../c", "odd/dir/", "odd/é\u0301", "odd/😀", "odd/]]>",
            "odd/\u0001\u001f", "odd/\t\r\n"]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    wanted = sorted(keys, key=str.encode)
    for call in ("list_objects", "list_objects_v2"):
        pages = client.get_paginator(call).paginate(Bucket=bucket, Prefix="odd/", PaginationConfig={"PageSize": 2})
        assert [one["Key"] for page in pages for one in page["Contents"]] == wanted
    gone = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys if key.isprintable()]})
    assert len(gone["Deleted"]) == 9
    for key in keys:
        client.delete_object(Bucket=bucket, Key=key)
    assert client.list_objects_v2(Bucket=bucket, Prefix="odd/")["KeyCount"] == 0
