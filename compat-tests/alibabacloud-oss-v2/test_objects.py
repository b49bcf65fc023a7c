"""Buckets and objects through alibabacloud-oss-v2, its CRC checks on."""

import base64
import datetime
import hashlib
import io
import os

import alibabacloud_oss_v2 as oss
import pytest
import requests

from harness.oss2_ways import DOMAIN, domain_resolved
from harness.oss_v2_ways import WAYS, bucket_name, connect, empty, refused
from harness.server import REGION

BOUND = "bound-compat.test"
SERVER = {"extra": ("--base-domain", DOMAIN, "--cname", f"{BOUND}={bucket_name('v2', 'IP/v4')}")}


class Way:
    """A client and its bucket."""

    def __init__(self, server, way: str):
        self.way, self.client, self.bucket = way, connect(server, way), bucket_name("v2", way)

    def put(self, key: str, body, **more) -> oss.PutObjectResult:
        return self.client.put_object(oss.PutObjectRequest(bucket=self.bucket, key=key, body=body, **more))

    def get(self, key: str, **more) -> oss.GetObjectResult:
        return self.client.get_object(oss.GetObjectRequest(bucket=self.bucket, key=key, **more))

    def read(self, key: str, **more) -> bytes:
        with self.get(key, **more).body as body:
            return body.read()

    def head(self, key: str) -> oss.HeadObjectResult:
        return self.client.head_object(oss.HeadObjectRequest(bucket=self.bucket, key=key))

    def copy(self, source: str, key: str, **more) -> oss.CopyObjectResult:
        return self.client.copy_object(oss.CopyObjectRequest(bucket=self.bucket, key=key, source_key=source, **more))

    def append(self, key: str, position: int, body, **more) -> oss.AppendObjectResult:
        request = oss.AppendObjectRequest(bucket=self.bucket, key=key, position=position, body=body, **more)
        return self.client.append_object(request)

    def tags(self, key: str) -> dict:
        got = self.client.get_object_tagging(oss.GetObjectTaggingRequest(bucket=self.bucket, key=key))
        return {one.key: one.value or "" for one in got.tag_set.tags or []}


@pytest.fixture(scope="module", params=WAYS)
def way(request, server):
    with domain_resolved():
        way = Way(server, request.param)
        way.client.put_bucket(oss.PutBucketRequest(bucket=way.bucket))
        yield way
        empty(way.client, way.bucket)
        way.client.delete_bucket(oss.DeleteBucketRequest(bucket=way.bucket))
        assert not way.client.is_bucket_exist(way.bucket)


def etag(data: bytes) -> str:
    return f'"{hashlib.md5(data).hexdigest().upper()}"'


def tagging(**pairs) -> oss.Tagging:
    return oss.Tagging(tag_set=oss.TagSet(tags=[oss.Tag(key=key, value=value) for key, value in pairs.items()]))


# Buckets.


def test_buckets_are_listed_page_by_page(way):
    pages = way.client.list_buckets_paginator(limit=2).iter_page(oss.ListBucketsRequest(prefix="v2-"))
    found = {one.name: one for page in pages for one in page.buckets}
    assert found[way.bucket].region == REGION
    assert found[way.bucket].location == f"oss-{REGION}"
    assert way.client.is_bucket_exist(way.bucket) and not way.client.is_bucket_exist("v2-no-such-bucket")


def test_info_location_stat_and_regions(way):
    info = way.client.get_bucket_info(oss.GetBucketInfoRequest(bucket=way.bucket)).bucket_info
    assert (info.name, info.location, info.acl) == (way.bucket, f"oss-{REGION}", "private")
    location = way.client.get_bucket_location(oss.GetBucketLocationRequest(bucket=way.bucket))
    assert location.location == f"oss-{REGION}"
    way.put("stat", b"12345")
    stat = way.client.get_bucket_stat(oss.GetBucketStatRequest(bucket=way.bucket))
    assert stat.object_count >= 1 and stat.storage >= 5 and stat.live_channel_count == 0
    regions = way.client.describe_regions(oss.DescribeRegionsRequest(regions=f"oss-{REGION}"))
    assert [one.region for one in regions.region_info] == [f"oss-{REGION}"]


def test_a_bucket_is_made_once_and_not_deleted_while_it_holds_objects(way):
    way.client.put_bucket(oss.PutBucketRequest(bucket=way.bucket, acl="private"))
    way.put("keeps", b"x")
    with refused(409, "BucketNotEmpty"):
        way.client.delete_bucket(oss.DeleteBucketRequest(bucket=way.bucket))


def test_bucket_acl(way):
    get = lambda: way.client.get_bucket_acl(oss.GetBucketAclRequest(bucket=way.bucket)).acl
    assert get() == "private"
    way.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=way.bucket, acl="public-read"))
    assert get() == "public-read"
    way.client.put_bucket_acl(oss.PutBucketAclRequest(bucket=way.bucket, acl="private"))


def test_bucket_tags(way):
    way.client.put_bucket_tags(oss.PutBucketTagsRequest(bucket=way.bucket, tagging=tagging(team="ä 1", cost="b")))
    got = way.client.get_bucket_tags(oss.GetBucketTagsRequest(bucket=way.bucket))
    assert {one.key: one.value for one in got.tagging.tag_set.tags} == {"team": "ä 1", "cost": "b"}
    way.client.delete_bucket_tags(oss.DeleteBucketTagsRequest(bucket=way.bucket))


def test_cors_and_its_preflight(way):
    with refused(404, "NoSuchCORSConfiguration"):
        way.client.get_bucket_cors(oss.GetBucketCorsRequest(bucket=way.bucket))
    rule = oss.CORSRule(
        allowed_origins=["https://a.example"], allowed_methods=["PUT", "GET"], allowed_headers=["x-oss-meta-a"],
        expose_headers=["ETag"], max_age_seconds=60,
    )
    configuration = oss.CORSConfiguration(cors_rules=[rule], response_vary=False)
    way.client.put_bucket_cors(oss.PutBucketCorsRequest(bucket=way.bucket, cors_configuration=configuration))
    (got,) = way.client.get_bucket_cors(oss.GetBucketCorsRequest(bucket=way.bucket)).cors_configuration.cors_rules
    assert (got.allowed_methods, got.allowed_origins, got.max_age_seconds) == (["PUT", "GET"], ["https://a.example"], 60)

    def ask(origin: str):
        return way.client.option_object(oss.OptionObjectRequest(
            bucket=way.bucket, key="a/b", origin=origin, access_control_request_method="PUT",
            access_control_request_headers="x-oss-meta-a",
        ))

    allowed = ask("https://a.example")
    assert allowed.access_control_allow_origin == "https://a.example"
    assert "PUT" in allowed.access_control_allow_methods.split(", ")
    assert allowed.access_control_max_age == 60
    with refused(403, "AccessForbidden"):
        ask("https://b.example")
    way.client.delete_bucket_cors(oss.DeleteBucketCorsRequest(bucket=way.bucket))


# Objects.


@pytest.mark.parametrize("size", [0, 1, 32 * 1024 + 1, 2 * 1024 * 1024 + 3])
def test_put_and_get_with_crc(way, size):
    body = os.urandom(size)
    put = way.put("sized", body)
    assert put.etag == etag(body) and put.hash_crc64 is not None
    assert put.content_md5 == base64.b64encode(hashlib.md5(body).digest()).decode()
    got = way.get("sized")
    assert got.body.content == body
    assert (got.content_length, got.hash_crc64, got.etag) == (size, put.hash_crc64, put.etag)
    assert (got.object_type, got.storage_class) == ("Normal", "Standard")


def test_every_kind_of_body(way, tmp_path):
    body = os.urandom(700_001)
    file = tmp_path / "body"
    file.write_bytes(body)
    way.put("kinds/stream", io.BytesIO(body))
    way.put("kinds/generated", (body[at : at + 70_000] for at in range(0, len(body), 70_000)))
    way.put("kinds/text", "text")
    request = oss.PutObjectRequest(bucket=way.bucket, key="kinds/file")
    way.client.put_object_from_file(request, str(file))
    for key in ("kinds/stream", "kinds/generated", "kinds/file"):
        assert way.read(key) == body, key
    assert way.read("kinds/text") == b"text"
    back = tmp_path / "back"
    way.client.get_object_to_file(oss.GetObjectRequest(bucket=way.bucket, key="kinds/file"), str(back))
    assert back.read_bytes() == body


def test_headers_and_metadata_round_trip(way):
    expires = "Thu, 01 Dec 2033 16:00:00 GMT"
    way.put(
        "headers", b"x", metadata={"note": "n", "Upper-Case": "V"}, content_type="Text/X; a=B", cache_control="max-age=5",
        content_disposition='attachment; filename="a b.txt"', content_encoding="identity", expires=expires,
    )
    for found in (way.head("headers"), way.get("headers")):
        assert dict(found.metadata) == {"note": "n", "upper-case": "V"}
        assert (found.content_type, found.cache_control) == ("Text/X; a=B", "max-age=5")
        assert found.content_disposition == 'attachment; filename="a b.txt"'
        assert (found.content_encoding, found.expires) == ("identity", expires)
        assert found.last_modified.tzinfo is not None
    meta = way.client.get_object_meta(oss.GetObjectMetaRequest(bucket=way.bucket, key="headers"))
    assert (meta.content_length, meta.etag) == (1, etag(b"x"))


def test_odd_keys_go_up_come_down_and_are_listed(way):
    keys = ["odd/a//b...c", "odd/+ %25&=?#测试", "odd/ lead and trail ", "odd/dir/", "odd/~!@$^*()_-'\"<>|", "odd/\u0001\t"]
    for key in keys:
        way.put(key, key.encode())
        assert way.read(key) == key.encode()
        assert way.client.is_object_exist(way.bucket, key)
    wanted = sorted(keys, key=str.encode)
    one = way.client.list_objects_paginator(limit=2).iter_page(oss.ListObjectsRequest(bucket=way.bucket, prefix="odd/"))
    assert [found.key for page in one for found in page.contents] == wanted
    two = way.client.list_objects_v2_paginator(limit=2).iter_page(
        oss.ListObjectsV2Request(bucket=way.bucket, prefix="odd/", fetch_owner=True)
    )
    found = [found for page in two for found in page.contents]
    assert [one.key for one in found] == wanted
    assert all(one.owner.id and one.size == len(one.key.encode()) and one.etag == etag(one.key.encode()) for one in found)


def test_listing_with_delimiters(way):
    for key in ("l/1", "l/2/a", "l/2/b", "l/3", "l/4 + é/x"):
        way.put(key, key.encode())
    page = way.client.list_objects_v2(oss.ListObjectsV2Request(bucket=way.bucket, prefix="l/", delimiter="/", max_keys=2))
    assert ([one.key for one in page.contents], [one.prefix for one in page.common_prefixes]) == (["l/1"], ["l/2/"])
    assert (page.is_truncated, page.key_count, page.max_keys) == (True, 2, 2)
    rest = way.client.list_objects_v2(oss.ListObjectsV2Request(
        bucket=way.bucket, prefix="l/", delimiter="/", continuation_token=page.next_continuation_token
    ))
    assert ([one.key for one in rest.contents], [one.prefix for one in rest.common_prefixes]) == (["l/3"], ["l/4 + é/"])
    after = way.client.list_objects_v2(oss.ListObjectsV2Request(bucket=way.bucket, prefix="l/", start_after="l/2/a"))
    assert [one.key for one in after.contents] == ["l/2/b", "l/3", "l/4 + é/x"]
    marked = way.client.list_objects(oss.ListObjectsRequest(bucket=way.bucket, prefix="l/", marker="l/2/b"))
    assert [one.key for one in marked.contents] == ["l/3", "l/4 + é/x"]
    nothing = way.client.list_objects(oss.ListObjectsRequest(bucket=way.bucket, prefix="nothing"))
    assert not nothing.contents and not nothing.is_truncated
    with refused(400, "InvalidArgument"):
        way.client.list_objects(oss.ListObjectsRequest(bucket=way.bucket, max_keys=1001))


def test_ranges_and_response_headers(way):
    way.put("range", b"0123456789" * 100)
    part = way.get("range", range_header="bytes=2-5", range_behavior="standard")
    assert (part.status_code, part.body.content, part.content_range) == (206, b"2345", "bytes 2-5/1000")
    assert way.read("range", range_header="bytes=995-") == b"56789"
    assert way.read("range", range_header="bytes=-3") == b"789"
    with refused(416, "InvalidRange"):
        way.get("range", range_header="bytes=1000-2000", range_behavior="standard")
    wanted = way.get("range", response_content_type="text/x; a=b+c", response_cache_control="no-store")
    assert (wanted.content_type, wanted.cache_control) == ("text/x; a=b+c", "no-store")


def test_conditions(way):
    put = way.put("conditional", b"x")
    modified = way.head("conditional").last_modified.strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert way.read("conditional", if_match=put.etag, if_unmodified_since=modified) == b"x"
    with refused(412, "PreconditionFailed"):
        way.get("conditional", if_match='"other"')
    # 304 has no body, so the client has no code to give.
    for condition in ({"if_none_match": put.etag}, {"if_modified_since": modified}):
        with pytest.raises(oss.exceptions.OperationError) as raised:
            way.get("conditional", **condition)
        assert raised.value.unwrap().status_code == 304
    with refused(409, "FileAlreadyExists") as seen:
        way.put("conditional", b"y", forbid_overwrite=True)
    assert seen[0].ec == "0026-00000002"
    assert way.read("conditional") == b"x"


def test_append(way):
    first = way.append("log", 0, b"one,", metadata={"a": "1"}, init_crc=0)
    second = way.append("log", first.next_position, b"two", init_crc=first.hash_crc64)
    assert (second.next_position, way.read("log")) == (7, b"one,two")
    head = way.head("log")
    assert (head.object_type, head.next_append_position, dict(head.metadata)) == ("Appendable", 7, {"a": "1"})
    assert head.hash_crc64 == second.hash_crc64
    with refused(409, "PositionNotEqualToLength"):
        way.append("log", 3, b"x")
    way.put("plain", b"x")
    with refused(409, "ObjectNotAppendable"):
        way.append("plain", 1, b"y")


def test_copy(way):
    way.put("from/ä b+c", b"body", metadata={"a": "1"}, tagging="t=1", content_type="text/x")
    copied = way.copy("from/ä b+c", "to", source_bucket=way.bucket)
    assert copied.etag == etag(b"body")
    head = way.head("to")
    assert (dict(head.metadata), head.content_type, way.tags("to")) == ({"a": "1"}, "text/x", {"t": "1"})
    way.copy("to", "to", metadata_directive="REPLACE", metadata={"b": "2"}, tagging_directive="REPLACE", tagging="u=2")
    assert (dict(way.head("to").metadata), way.tags("to")) == ({"b": "2"}, {"u": "2"})
    with refused(412, "PreconditionFailed"):
        way.copy("to", "other", if_match='"other"')
    with refused(404, "NoSuchKey"):
        way.copy("nothing", "other")


def test_object_tags(way):
    way.put("tagged", b"x", tagging="first=1%202&second=")
    assert way.tags("tagged") == {"first": "1 2", "second": ""}
    assert way.head("tagged").tagging_count == 2
    way.client.put_object_tagging(oss.PutObjectTaggingRequest(
        bucket=way.bucket, key="tagged", tagging=tagging(a="1+2", b="x:y/z")
    ))
    assert way.tags("tagged") == {"a": "1+2", "b": "x:y/z"}
    way.client.delete_object_tagging(oss.DeleteObjectTaggingRequest(bucket=way.bucket, key="tagged"))
    assert way.tags("tagged") == {}


def test_object_acl(way):
    way.put("acl", b"x", acl="private")
    get = lambda: way.client.get_object_acl(oss.GetObjectAclRequest(bucket=way.bucket, key="acl")).acl
    assert get() == "private"
    way.client.put_object_acl(oss.PutObjectAclRequest(bucket=way.bucket, key="acl", acl="public-read"))
    assert get() == "public-read"
    way.client.put_object_acl(oss.PutObjectAclRequest(bucket=way.bucket, key="acl", acl="default"))
    assert get() == "default"
    assert way.read("acl") == b"x"


def test_anonymous_reads_and_writes(server, way):
    way.put("open", b"x", acl="public-read")
    way.put("closed", b"x")
    anonymous = connect(server, way.way, credentials_provider=oss.credentials.AnonymousCredentialsProvider())
    got = anonymous.get_object(oss.GetObjectRequest(bucket=way.bucket, key="open"))
    assert got.body.content == b"x"
    for key, request in (
        ("closed", lambda key: anonymous.get_object(oss.GetObjectRequest(bucket=way.bucket, key=key))),
        ("open", lambda key: anonymous.put_object(oss.PutObjectRequest(bucket=way.bucket, key=key, body=b"y"))),
    ):
        with refused(403, "AccessDenied"):
            request(key)


def test_deletes(way):
    keys = ["d/1", "d/2 & <x>", "d/3", "d/\u0002"]
    for key in keys:
        way.put(key, b"x")
    assert way.client.delete_object(oss.DeleteObjectRequest(bucket=way.bucket, key="d/1")).status_code == 204
    assert way.client.delete_object(oss.DeleteObjectRequest(bucket=way.bucket, key="d/1")).status_code == 204
    gone = [oss.DeleteObject(key=key) for key in (*keys[1:], "d/never")]
    told = way.client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(
        bucket=way.bucket, objects=gone, encoding_type="url"
    ))
    assert [one.key for one in told.deleted_objects] == [*keys[1:], "d/never"]
    way.put("d/4", b"x")
    quiet = way.client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(
        bucket=way.bucket, objects=[oss.DeleteObject(key="d/4")], quiet=True
    ))
    assert not quiet.deleted_objects
    assert not way.client.list_objects_v2(oss.ListObjectsV2Request(bucket=way.bucket, prefix="d/")).contents


def test_progress_is_told_to_the_end(way):
    told = []
    body = os.urandom(300_000)
    way.put("progress", body, progress_fn=lambda n, done, total: told.append((n, done, total)))
    assert told[-1][1:] == (len(body), len(body)) and sum(n for n, _, _ in told) == len(body)


def test_presigned_requests_need_nothing_but_what_they_name(way):
    """As a browser sends them: the method, the URL, the signed headers; nothing of the client."""
    lives = {"expires": datetime.timedelta(seconds=60)}
    signed = way.client.presign(
        oss.PutObjectRequest(bucket=way.bucket, key="signed/ü x", content_type="text/plain", metadata={"a": "1"}), **lives
    )
    put = requests.request(signed.method, signed.url, data=b"signed", headers=dict(signed.signed_headers), timeout=10)
    assert put.status_code == 200, put.text
    without = requests.request(signed.method, signed.url, data=b"signed", timeout=10)
    assert (without.status_code, "SignatureDoesNotMatch" in without.text) == (403, True)
    get = way.client.presign(oss.GetObjectRequest(bucket=way.bucket, key="signed/ü x", response_content_type="a/b"), **lives)
    got = requests.get(get.url, timeout=10)
    assert (got.content, got.headers["Content-Type"], got.headers["x-oss-meta-a"]) == (b"signed", "a/b", "1")
    head = way.client.presign(oss.HeadObjectRequest(bucket=way.bucket, key="signed/ü x"), **lives)
    assert requests.head(head.url, timeout=10).headers["Content-Length"] == "6"
    assert requests.get(head.url, timeout=10).status_code == 403
    past = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=5)
    if way.way.endswith("v1"):
        late = way.client.presign(oss.GetObjectRequest(bucket=way.bucket, key="signed/ü x"), expiration=past)
        assert requests.get(late.url, timeout=10).status_code == 403


def test_errors_have_every_field(server, way):
    with refused(404, "NoSuchKey") as seen:
        way.get("no/such & key")
    error = seen[0]
    assert error.ec == "0026-00000001" and error.message
    assert error.error_fileds["Key"] == "no/such & key" and error.error_fileds["HostId"]
    assert error.request_target.startswith("GET http://") and error.timestamp
    with refused(404, "NoSuchKey"):
        way.head("no/such & key")
    with refused(404, "NoSuchBucket") as seen:
        way.client.get_object(oss.GetObjectRequest(bucket="v2-no-such-bucket", key="x"))
    assert seen[0].error_fileds["BucketName"] == "v2-no-such-bucket"
    with refused(400, "InvalidDigest"):
        way.put("digest", b"x", content_md5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert not way.client.is_object_exist(way.bucket, "digest")
    with refused(403, "InvalidAccessKeyId"):
        connect(server, way.way, key="nobody").get_object(oss.GetObjectRequest(bucket=way.bucket, key="x"))
    with refused(403, "SignatureDoesNotMatch") as seen:
        connect(server, way.way, secret="wrong").get_object(oss.GetObjectRequest(bucket=way.bucket, key="x"))
    assert seen[0].error_fileds["StringToSign"]


def test_more_headers_may_be_signed(server, way):
    if way.way.endswith("v1"):
        pytest.skip("V1 signs a fixed set")
    client = connect(server, way.way, additional_headers=["host", "cache-control"])
    client.put_object(oss.PutObjectRequest(bucket=way.bucket, key="signed more", body=b"x", cache_control="no-store"))
    assert way.head("signed more").cache_control == "no-store"


def test_a_bound_domain(server, way):
    if way.bucket != bucket_name("v2", "IP/v4"):
        pytest.skip("the domain is bound to one bucket")
    client = connect(server, "IP/v4", endpoint=f"http://{BOUND}:{server.port}", use_cname=True)
    client.put_object(oss.PutObjectRequest(bucket=way.bucket, key="bound/ä", body=b"x"))
    assert way.read("bound/ä") == b"x"
