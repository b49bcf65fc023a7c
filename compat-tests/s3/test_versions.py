"""Versions through boto3: its resource interface empties a bucket of them, its client does everything else."""

import boto3
import pytest

from harness.boto3_ways import SERVER as SERVER, WAYS, code_of, connect, domain_resolved, status_of


@pytest.fixture(scope="module", params=WAYS)
def way(request, server):
    name = "kept-" + request.param.replace("/", "-")
    with domain_resolved():
        client = connect(server, request.param)
        client.create_bucket(Bucket=name)
        versioning(client, name, "Enabled")
        yield client, name
        # As everybody empties a bucket.
        resource = boto3.resource(
            "s3", endpoint_url=client.meta.endpoint_url, region_name="us-east-1", config=client.meta.config,
            aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
        )
        resource.Bucket(name).object_versions.delete()
        left = client.list_object_versions(Bucket=name)
        assert "Versions" not in left and "DeleteMarkers" not in left
        client.delete_bucket(Bucket=name)


def versioning(client, bucket: str, status: str):
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == status


def put(client, bucket: str, key: str, body: bytes) -> str:
    return client.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"]


def history(client, bucket: str, prefix: str) -> list[tuple[str, bool]]:
    found = client.list_object_versions(Bucket=bucket, Prefix=prefix)
    return [(one["VersionId"], False) for one in found.get("Versions", [])] + [
        (one["VersionId"], True) for one in found.get("DeleteMarkers", [])
    ]


def test_versions_are_read_by_id(way):
    client, bucket = way
    first, second = put(client, bucket, "read/a", b"first"), put(client, bucket, "read/a", b"second")
    assert client.get_object(Bucket=bucket, Key="read/a")["Body"].read() == b"second"
    old = client.get_object(Bucket=bucket, Key="read/a", VersionId=first)
    assert (old["Body"].read(), old["VersionId"]) == (b"first", first)
    assert client.head_object(Bucket=bucket, Key="read/a", VersionId=second)["ContentLength"] == 6
    attributes = client.get_object_attributes(
        Bucket=bucket, Key="read/a", VersionId=first, ObjectAttributes=["ObjectSize"]
    )
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (5, first)
    with pytest.raises(client.exceptions.ClientError) as missing:
        client.get_object(Bucket=bucket, Key="read/a", VersionId="0" * 32)
    assert (code_of(missing), status_of(missing)) == ("NoSuchVersion", 404)
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.get_object(Bucket=bucket, Key="read/a", VersionId="nonsense")
    assert (code_of(refused), status_of(refused)) == ("InvalidArgument", 400)


def test_a_delete_is_undone(way):
    client, bucket = way
    key = "undo/ä + 1"
    first = put(client, bucket, key, b"kept")
    deleted = client.delete_object(Bucket=bucket, Key=key)
    assert deleted["DeleteMarker"] is True
    with pytest.raises(client.exceptions.NoSuchKey) as missing:
        client.get_object(Bucket=bucket, Key=key)
    assert missing.value.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.get_object(Bucket=bucket, Key=key, VersionId=deleted["VersionId"])
    assert (code_of(refused), status_of(refused)) == ("MethodNotAllowed", 405)
    undone = client.delete_object(Bucket=bucket, Key=key, VersionId=deleted["VersionId"])
    assert (undone["DeleteMarker"], undone["VersionId"]) == (True, deleted["VersionId"])
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"kept"
    gone = client.delete_object(Bucket=bucket, Key=key, VersionId=first)
    assert gone["VersionId"] == first and "DeleteMarker" not in gone
    assert history(client, bucket, key) == []


def test_a_listing_pages_and_rolls_up(way):
    client, bucket = way
    for n in range(3):
        for key in ("list/a", "list/dir/b", "list/c"):
            put(client, bucket, key, str(n).encode())
    client.delete_object(Bucket=bucket, Key="list/c")
    seen, newest = [], []
    pages = client.get_paginator("list_object_versions").paginate(
        Bucket=bucket, Prefix="list/", PaginationConfig={"PageSize": 2}
    )
    for page in pages:
        entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
        assert len(entries) <= 2
        seen += [(one["Key"], one["VersionId"]) for one in entries]
        newest += [one["Key"] for one in entries if one["IsLatest"]]
    assert len(seen) == len(set(seen)) == 10
    assert sorted(newest) == ["list/a", "list/c", "list/dir/b"]
    rolled = client.list_object_versions(Bucket=bucket, Prefix="list/", Delimiter="/")
    assert [one["Prefix"] for one in rolled["CommonPrefixes"]] == ["list/dir/"]
    assert {one["Key"] for one in rolled["Versions"]} == {"list/a", "list/c"}


def test_settings_and_copies_of_a_version(way):
    client, bucket = way
    first = put(client, bucket, "of/a", b"first")
    put(client, bucket, "of/a", b"second")
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    assert client.put_object_tagging(Bucket=bucket, Key="of/a", VersionId=first, Tagging=tags)["VersionId"] == first
    assert client.get_object_tagging(Bucket=bucket, Key="of/a", VersionId=first)["TagSet"] == tags["TagSet"]
    assert client.get_object_tagging(Bucket=bucket, Key="of/a")["TagSet"] == []
    client.put_object_acl(Bucket=bucket, Key="of/a", VersionId=first, ACL="public-read")
    assert len(client.get_object_acl(Bucket=bucket, Key="of/a", VersionId=first)["Grants"]) == 2
    source = {"Bucket": bucket, "Key": "of/a", "VersionId": first}
    copied = client.copy_object(Bucket=bucket, Key="of/copy", CopySource=source)
    assert copied["CopySourceVersionId"] == first and copied["VersionId"] != first
    assert client.get_object(Bucket=bucket, Key="of/copy")["Body"].read() == b"first"
    upload = client.create_multipart_upload(Bucket=bucket, Key="of/parts")["UploadId"]
    part = client.upload_part_copy(Bucket=bucket, Key="of/parts", UploadId=upload, PartNumber=1, CopySource=source)
    assert part["CopySourceVersionId"] == first
    done = client.complete_multipart_upload(
        Bucket=bucket, Key="of/parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]},
    )
    assert done["VersionId"]
    assert client.get_object(Bucket=bucket, Key="of/parts")["Body"].read() == b"first"


def test_many_are_deleted_at_once(way):
    client, bucket = way
    first = put(client, bucket, "many/a", b"1")
    second = put(client, bucket, "many/a", b"2")
    put(client, bucket, "many/b", b"1")
    done = client.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "many/a", "VersionId": first}, {"Key": "many/b"}]}
    )
    by_key = {one["Key"]: one for one in done["Deleted"]}
    assert by_key["many/a"] == {"Key": "many/a", "VersionId": first}
    assert by_key["many/b"]["DeleteMarker"] and by_key["many/b"]["DeleteMarkerVersionId"]
    assert history(client, bucket, "many/a") == [(second, False)]


def test_suspending_keeps_what_is_there(way):
    client, bucket = way
    first = put(client, bucket, "still/a", b"first")
    versioning(client, bucket, "Suspended")
    try:
        assert put(client, bucket, "still/a", b"second") == "null"
        assert put(client, bucket, "still/a", b"third") == "null"
        assert sorted(history(client, bucket, "still/a")) == sorted([("null", False), (first, False)])
        deleted = client.delete_object(Bucket=bucket, Key="still/a")
        assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    finally:
        versioning(client, bucket, "Enabled")
    assert client.get_object(Bucket=bucket, Key="still/a", VersionId=first)["Body"].read() == b"first"


def test_a_second_factor_is_not_promised(way):
    client, bucket = way
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled", "MFADelete": "Enabled"}, MFA="serial 123456"
        )
    assert (code_of(refused), status_of(refused)) == ("NotImplemented", 501)
