"""One store, two faces: what is written over one dialect is read over the other. oss2 speaks OSS, boto3 speaks S3."""

import hashlib
import os

import boto3
import botocore.config
import botocore.exceptions
import oss2
import pytest
import requests

BUCKET = "cross"
PART = 5 * 1024 * 1024
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"
HEADERS = {
    "Content-Type": "Text/X; a=B", "Cache-Control": "max-age=5", "Content-Disposition": 'inline; filename="a b"',
    "Content-Encoding": "identity", "Content-Language": "de",
}
TAGS = {"a b": "1+2", "ü": "", "k:/": "="}
SMALL, LARGE = b"over the border", os.urandom(PART + 70_001)


class Oss:
    """The everyday calls in one vocabulary. ETags are without quotes, as the dialect writes them."""

    name = "OSS"

    def __init__(self, server):
        auth = oss2.AuthV4(server.access_key, server.secret_key)
        self.bucket = oss2.Bucket(auth, server.ip_endpoint, BUCKET, region="cn-hangzhou")

    def headers(self, meta: dict, tags: dict, acl: str | None) -> dict:
        told = {**HEADERS, **{f"x-oss-meta-{name}": value for name, value in meta.items()}}
        if tags:
            told["x-oss-tagging"] = "&".join(f"{oss2.urlquote(k, '')}={oss2.urlquote(v, '')}" for k, v in tags.items())
        if acl:
            told["x-oss-object-acl"] = acl
        return told

    def put(self, key, body, meta={}, tags={}, acl=None):
        return self.bucket.put_object(key, body, headers=self.headers(meta, tags, acl)).etag

    def get(self, key, span=None):
        return self.bucket.get_object(key, byte_range=span, headers={"x-oss-range-behavior": "standard"}).read()

    def head(self, key):
        head = self.bucket.head_object(key)
        meta = {k.lower().removeprefix("x-oss-meta-"): v for k, v in head.headers.items() if k.lower().startswith("x-oss-meta-")}
        return {name: head.headers.get(name) for name in HEADERS}, meta, head.content_length, head.etag

    def tags(self, key):
        return dict(self.bucket.get_object_tagging(key).tag_set.tagging_rule)

    def set_tags(self, key, tags):
        rule = oss2.models.TaggingRule()
        for name, value in tags.items():
            rule.add(name, value)
        self.bucket.put_object_tagging(key, oss2.models.Tagging(rule))

    def acl(self, key):
        return self.bucket.get_object_acl(key).acl

    def set_acl(self, key, acl):
        self.bucket.put_object_acl(key, acl)

    def begin(self, key, meta={}, tags={}):
        return self.bucket.init_multipart_upload(key, headers=self.headers(meta, tags, None)).upload_id

    def part(self, key, upload, number, body):
        return self.bucket.upload_part(key, upload, number, body).etag

    def parts(self, key, upload):
        return [(one.part_number, one.size) for one in oss2.PartIterator(self.bucket, key, upload)]

    def complete(self, key, upload, etags):
        parts = [oss2.models.PartInfo(number, etag) for number, etag in enumerate(etags, 1)]
        return self.bucket.complete_multipart_upload(key, upload, parts).etag

    def uploads(self):
        return [(one.key, one.upload_id) for one in oss2.MultipartUploadIterator(self.bucket)]

    def abort(self, key, upload):
        self.bucket.abort_multipart_upload(key, upload)

    def copy(self, source, key):
        self.bucket.copy_object(BUCKET, source, key)

    def delete(self, *keys):
        self.bucket.batch_delete_objects(list(keys))

    def keys(self, prefix):
        return {one.key: (one.size, one.etag) for one in oss2.ObjectIteratorV2(self.bucket, prefix=prefix)}

    def folders(self, prefix):
        return [one.key for one in oss2.ObjectIterator(self.bucket, prefix=prefix, delimiter="/", max_keys=2)]

    def url(self, method, key):
        return self.bucket.sign_url(method, key, 60, slash_safe=True)

    def cors(self):
        return [(one.allowed_origins, one.allowed_methods, one.max_age_seconds) for one in self.bucket.get_bucket_cors().rules]

    def set_cors(self, origin, methods, seconds):
        rule = oss2.models.CorsRule(allowed_origins=[origin], allowed_methods=methods, max_age_seconds=seconds)
        self.bucket.put_bucket_cors(oss2.models.BucketCors([rule]))

    def etag(self, digest: str) -> str:
        return digest.upper()


class S3:
    """The same vocabulary."""

    name = "S3"

    def __init__(self, server):
        self.client = boto3.client(
            "s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
            config=botocore.config.Config(signature_version="s3v4", retries={"max_attempts": 1}),
        )

    def headers(self, meta: dict, tags: dict, acl: str | None) -> dict:
        told = {name.replace("-", ""): value for name, value in HEADERS.items()}
        told["Metadata"] = meta
        if tags:
            told["Tagging"] = "&".join(f"{oss2.urlquote(k, '')}={oss2.urlquote(v, '')}" for k, v in tags.items())
        if acl:
            told["ACL"] = acl
        return told

    def put(self, key, body, meta={}, tags={}, acl=None):
        return self.client.put_object(Bucket=BUCKET, Key=key, Body=body, **self.headers(meta, tags, acl))["ETag"].strip('"')

    def get(self, key, span=None):
        ask = {} if span is None else {"Range": f"bytes={span[0]}-{span[1]}"}
        return self.client.get_object(Bucket=BUCKET, Key=key, **ask)["Body"].read()

    def head(self, key):
        head = self.client.head_object(Bucket=BUCKET, Key=key)
        return ({name: head.get(name.replace("-", "")) for name in HEADERS}, head["Metadata"], head["ContentLength"],
                head["ETag"].strip('"'))

    def tags(self, key):
        return {one["Key"]: one["Value"] for one in self.client.get_object_tagging(Bucket=BUCKET, Key=key)["TagSet"]}

    def set_tags(self, key, tags):
        told = [{"Key": name, "Value": value} for name, value in tags.items()]
        self.client.put_object_tagging(Bucket=BUCKET, Key=key, Tagging={"TagSet": told})

    def acl(self, key):
        grants = self.client.get_object_acl(Bucket=BUCKET, Key=key)["Grants"]
        open_to_all = sorted(one["Permission"] for one in grants if one["Grantee"].get("URI") == EVERYBODY)
        return {(): "private", ("READ",): "public-read", ("READ", "WRITE"): "public-read-write"}[tuple(open_to_all)]

    def set_acl(self, key, acl):
        self.client.put_object_acl(Bucket=BUCKET, Key=key, ACL=acl)

    def begin(self, key, meta={}, tags={}):
        return self.client.create_multipart_upload(Bucket=BUCKET, Key=key, **self.headers(meta, tags, None))["UploadId"]

    def part(self, key, upload, number, body):
        told = self.client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body)
        return told["ETag"].strip('"')

    def parts(self, key, upload):
        told = self.client.list_parts(Bucket=BUCKET, Key=key, UploadId=upload)
        return [(one["PartNumber"], one["Size"]) for one in told["Parts"]]

    def complete(self, key, upload, etags):
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        told = self.client.complete_multipart_upload(
            Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
        return told["ETag"].strip('"')

    def uploads(self):
        told = self.client.list_multipart_uploads(Bucket=BUCKET)
        return [(one["Key"], one["UploadId"]) for one in told.get("Uploads", [])]

    def abort(self, key, upload):
        self.client.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=upload)

    def copy(self, source, key):
        self.client.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})

    def delete(self, *keys):
        self.client.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys]})

    def keys(self, prefix):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix, PaginationConfig={"PageSize": 3})
        return {one["Key"]: (one["Size"], one["ETag"].strip('"')) for page in pages for one in page.get("Contents", [])}

    def folders(self, prefix):
        pages = self.client.get_paginator("list_objects").paginate(
            Bucket=BUCKET, Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": 2})
        return sorted(one for page in pages for one in (
            *(each["Key"] for each in page.get("Contents", [])), *(each["Prefix"] for each in page.get("CommonPrefixes", []))))

    def url(self, method, key):
        return self.client.generate_presigned_url(f"{method.lower()}_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=60)

    def cors(self):
        return [(one["AllowedOrigins"], one["AllowedMethods"], one["MaxAgeSeconds"])
                for one in self.client.get_bucket_cors(Bucket=BUCKET)["CORSRules"]]

    def set_cors(self, origin, methods, seconds):
        rule = {"AllowedOrigins": [origin], "AllowedMethods": methods, "MaxAgeSeconds": seconds}
        self.client.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})

    def etag(self, digest: str) -> str:
        return digest.lower()


@pytest.fixture(scope="module", params=["OSS to S3", "S3 to OSS"])
def faces(request, server):
    """Who writes, who reads."""
    oss, s3 = Oss(server), S3(server)
    oss.bucket.create_bucket()
    yield (oss, s3) if request.param == "OSS to S3" else (s3, oss)
    s3.delete(*s3.keys(""))
    oss.bucket.delete_bucket()


@pytest.mark.parametrize("body", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("key", ["plain", "a//b c/+%25&=?#测试", "dir/"])
def test_bytes_headers_metadata_and_tags(faces, key, body):
    writer, reader = faces
    meta = {"one": "1", "two-2": "x  y", "empty": ""}
    etag = writer.put(key, body, meta=meta, tags=TAGS)
    digest = hashlib.md5(body).hexdigest()
    assert etag == writer.etag(digest)
    assert reader.get(key) == body
    assert reader.head(key) == (HEADERS, meta, len(body), reader.etag(digest))
    assert reader.tags(key) == TAGS
    assert reader.keys(key)[key] == (len(body), reader.etag(digest))
    if len(body) > 10:
        assert reader.get(key, (2, 9)) == body[2:10]
    reader.delete(key)
    assert key not in writer.keys(key)


def test_the_other_face_replaces(faces):
    writer, reader = faces
    writer.put("replaced", b"old", meta={"old": "1"}, tags=TAGS)
    reader.put("replaced", LARGE, meta={"new": "2"})
    assert writer.get("replaced") == LARGE
    assert writer.head("replaced")[1] == {"new": "2"} and writer.tags("replaced") == {}


def test_tags_set_and_read(faces):
    writer, reader = faces
    writer.put("tags", b"x")
    writer.set_tags("tags", TAGS)
    assert reader.tags("tags") == TAGS
    reader.set_tags("tags", {"b": "2"})
    assert writer.tags("tags") == {"b": "2"}


def test_acls_set_and_read(faces, server):
    writer, reader = faces
    writer.put("acl", b"x", acl="public-read")
    assert reader.acl("acl") == "public-read"
    assert requests.get(f"{server.ip_endpoint}/{BUCKET}/acl", timeout=10).content == b"x"
    reader.set_acl("acl", "private")
    assert writer.acl("acl") == "private"
    assert requests.get(f"{server.ip_endpoint}/{BUCKET}/acl", timeout=10).status_code == 403


def test_multipart_uploads(faces):
    writer, reader = faces
    pieces = [LARGE[:PART], LARGE[PART:]]
    upload = writer.begin("parts", meta={"a": "1"}, tags=TAGS)
    etags = [writer.part("parts", upload, number, piece) for number, piece in enumerate(pieces, 1)]
    assert reader.uploads() == [("parts", upload)]
    assert reader.parts("parts", upload) == [(1, PART), (2, len(LARGE) - PART)]
    etag = writer.complete("parts", upload, etags)
    whole = hashlib.md5(b"".join(hashlib.md5(piece).digest() for piece in pieces)).hexdigest()
    assert etag == writer.etag(f"{whole}-2")
    assert reader.get("parts") == LARGE
    assert reader.head("parts") == (HEADERS, {"a": "1"}, len(LARGE), reader.etag(f"{whole}-2"))
    assert reader.tags("parts") == TAGS
    assert reader.get("parts", (PART - 3, PART + 3)) == LARGE[PART - 3 : PART + 4]


def test_an_upload_begun_over_one_face_is_finished_over_the_other(faces):
    writer, reader = faces
    upload = writer.begin("mixed")
    first = writer.part("mixed", upload, 1, LARGE[:PART])
    second = reader.part("mixed", upload, 2, LARGE[PART:])
    reader.complete("mixed", upload, [reader.etag(first), second])
    assert writer.get("mixed") == LARGE
    given_up = writer.begin("given up")
    reader.abort("given up", given_up)
    assert writer.uploads() == []


def test_copies(faces):
    writer, reader = faces
    writer.put("copy/from ü", LARGE, meta={"a": "1"}, tags=TAGS)
    reader.copy("copy/from ü", "copy/to")
    assert writer.get("copy/to") == LARGE
    assert writer.head("copy/to")[:2] == (HEADERS, {"a": "1"}) and writer.tags("copy/to") == TAGS


def test_listings_agree(faces):
    writer, reader = faces
    names = ["l/1", "l/2/a", "l/2/b", "l/3 +ü", "l/4/", "l/5&<>", "l/~"]
    for name in names:
        writer.put(name, name.encode())
    assert list(reader.keys("l/")) == sorted(names, key=str.encode)
    assert {name: size for name, (size, _) in reader.keys("l/").items()} == {name: size for name, (size, _) in writer.keys("l/").items()}
    assert reader.folders("l/") == writer.folders("l/") == ["l/1", "l/2/", "l/3 +ü", "l/4/", "l/5&<>", "l/~"]


def test_presigned_urls_of_one_face_show_objects_of_the_other(faces):
    writer, reader = faces
    assert requests.put(writer.url("PUT", "url ü"), data=b"by url", timeout=10).status_code == 200
    assert requests.get(reader.url("GET", "url ü"), timeout=10).content == b"by url"


def test_cors_rules(faces, server):
    writer, reader = faces
    writer.set_cors("https://a.example", ["GET", "PUT"], 60)
    assert reader.cors() == [(["https://a.example"], ["GET", "PUT"], 60)]
    asked = requests.options(f"{server.ip_endpoint}/{BUCKET}/x", headers={
        "Origin": "https://a.example", "Access-Control-Request-Method": "PUT"}, timeout=10)
    assert asked.headers["Access-Control-Allow-Origin"] == "https://a.example"


def test_appended_objects(faces):
    """Only OSS appends; S3 reads, copies and replaces what grew, and an object of S3's is not appendable."""
    oss, s3 = sorted(faces, key=lambda face: face.name)
    position = 0
    for piece in (b"one,", LARGE[:100_000], b"three"):
        position = oss.bucket.append_object("log", position, piece).next_position
    whole = b"one," + LARGE[:100_000] + b"three"
    assert s3.get("log") == whole and s3.get("log", (2, 6)) == whole[2:7]
    s3.copy("log", "log copy")
    assert oss.get("log copy") == whole
    s3.put("normal", b"x")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        oss.bucket.append_object("normal", 1, b"y")
    s3.put("log", b"replaced")
    assert (oss.get("log"), oss.bucket.head_object("log").object_type) == (b"replaced", "Normal")


def test_errors_follow_the_dialect_that_asks(faces):
    oss, s3 = sorted(faces, key=lambda face: face.name)
    with pytest.raises(oss2.exceptions.NoSuchKey) as missing:
        oss.get("none")
    assert missing.value.details["EC"] == "0026-00000001"
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        s3.get("none")
    assert missing.value.response["Error"]["Code"] == "NoSuchKey"
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        oss.bucket.create_bucket("public-everything")
    assert refused.value.code == "InvalidArgument"
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        s3.client.create_bucket(Bucket=BUCKET)
    assert refused.value.response["Error"]["Code"] == "BucketAlreadyOwnedByYou"
