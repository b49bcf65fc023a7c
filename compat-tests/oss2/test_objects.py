"""Buckets and objects through oss2, its CRC checks on."""

import hashlib
import io
import os

import oss2
import pytest
import requests
from oss2.models import BucketCors, CorsRule

from harness.oss2_ways import ADDRESSING, SERVER as SERVER, SIGNATURES, auth, connect, domain_resolved, endpoint
from harness.server import REGION


@pytest.fixture(scope="module", params=[f"{a}/{s}" for a in ADDRESSING for s in SIGNATURES])
def way(request, server):
    addressing, signature = request.param.split("/")
    name = f"obj-{addressing.replace(' ', '-').lower()}-{signature.lower()}"
    with domain_resolved():
        bucket = connect(server, addressing, signature, name)
        bucket.create_bucket()
        yield bucket, addressing, signature
        bucket.batch_delete_objects([one.key for one in oss2.ObjectIterator(bucket)] or ["nothing"])
        bucket.delete_bucket()
        with pytest.raises(oss2.exceptions.NoSuchBucket):
            bucket.get_bucket_info()


@pytest.fixture
def bucket(way):
    return way[0]


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest().upper()


def test_the_service_lists_the_bucket(server, way):
    bucket, addressing, signature = way
    service = oss2.Service(auth(server, signature), endpoint(server, addressing), region=REGION)
    assert bucket.bucket_name in [one.name for one in oss2.BucketIterator(service, prefix="obj-", max_keys=2)]


def test_info_location_and_acl(bucket):
    details = bucket.get_bucket_info()
    assert (details.name, details.location, details.acl.grant) == (bucket.bucket_name, f"oss-{REGION}", "private")
    assert bucket.get_bucket_location().location == f"oss-{REGION}"
    bucket.put_bucket_acl(oss2.BUCKET_ACL_PUBLIC_READ)
    assert bucket.get_bucket_acl().acl == "public-read"
    bucket.put_bucket_acl(oss2.BUCKET_ACL_PRIVATE)


def test_stat(bucket):
    before = bucket.get_bucket_stat()
    bucket.put_object("stat/a", b"four")
    bucket.put_object("stat/b", b"seven77")
    upload = bucket.init_multipart_upload("stat/m").upload_id
    bucket.upload_part("stat/m", upload, 1, b"part")
    stat = bucket.get_bucket_stat()
    assert stat.storage_size_in_bytes - before.storage_size_in_bytes == 11
    assert stat.object_count - before.object_count == 2
    assert (stat.multi_part_upload_count, stat.multipart_part_count) == (1, 1)
    assert (stat.standard_storage, stat.standard_object_count) == (stat.storage_size_in_bytes, stat.object_count)
    assert (stat.live_channel_count, stat.delete_marker_count, stat.deep_cold_archive_object_count) == (0, 0, 0)
    assert stat.last_modified_time > 1_700_000_000
    bucket.abort_multipart_upload("stat/m", upload)
    bucket.batch_delete_objects(["stat/a", "stat/b"])
    after = bucket.get_bucket_stat()
    assert (after.storage_size_in_bytes, after.object_count) == (before.storage_size_in_bytes, before.object_count)
    assert after.multi_part_upload_count == 0


def test_regions(server, way):
    _, addressing, signature = way
    service = oss2.Service(auth(server, signature), endpoint(server, addressing), region=REGION)
    for wanted in ["", f"oss-{REGION}"]:
        (region,) = service.describe_regions(wanted).regions
        assert region.region == f"oss-{REGION}"
        assert region.internet_endpoint
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        service.describe_regions("oss-nowhere")
    assert refused.value.code == "InvalidArgument"


def test_tagging(bucket):
    def tagging(**pairs):
        rule = oss2.models.TaggingRule()
        for key, value in pairs.items():
            rule.add(key, value)
        return oss2.models.Tagging(rule)

    def tags(got):
        return got.tag_set.tagging_rule

    bucket.put_object("tagged", b"x", headers={"x-oss-tagging": "first=1%202&second="})
    assert tags(bucket.get_object_tagging("tagged")) == {"first": "1 2", "second": ""}
    assert bucket.head_object("tagged").headers["x-oss-tagging-count"] == "2"
    bucket.put_object_tagging("tagged", tagging(a="1+2", b="x:y/z"))
    bucket.copy_object(bucket.bucket_name, "tagged", "copied")
    assert tags(bucket.get_object_tagging("copied")) == {"a": "1+2", "b": "x:y/z"}
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.put_object_tagging("tagged", tagging(a="*"))
    assert refused.value.code == "InvalidTag"
    bucket.delete_object_tagging("tagged")
    assert tags(bucket.get_object_tagging("tagged")) == {}

    assert tags(bucket.get_bucket_tagging()) == {}
    bucket.put_bucket_tagging(tagging(team="a"))
    assert tags(bucket.get_bucket_tagging()) == {"team": "a"}
    bucket.delete_bucket_tagging()
    bucket.batch_delete_objects(["tagged", "copied"])


def test_cors(bucket):
    with pytest.raises(oss2.exceptions.NoSuchCors):
        bucket.get_bucket_cors()
    rule = CorsRule(allowed_origins=["https://a.example", "https://b.example"], allowed_methods=["GET", "HEAD"],
                    allowed_headers=["*"], expose_headers=["ETag"], max_age_seconds=1000)
    bucket.put_bucket_cors(BucketCors([rule]))
    (got,) = bucket.get_bucket_cors().rules
    assert got.allowed_origins == ["https://a.example", "https://b.example"]
    assert (got.allowed_methods, got.expose_headers, got.max_age_seconds) == (["GET", "HEAD"], ["ETag"], 1000)
    bucket.delete_bucket_cors()


@pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 2 * 1024 * 1024 + 3])
def test_put_and_get_with_crc(bucket, size):
    body = os.urandom(size)
    put = bucket.put_object("sized", body)
    assert put.etag == md5(body)
    assert put.crc is not None
    got = bucket.get_object("sized")
    assert got.read() == body
    assert got.client_crc == got.server_crc == put.crc


def test_a_stream_goes_up_and_comes_down(bucket, tmp_path):
    body = os.urandom(3_000_001)
    bucket.put_object("stream", io.BytesIO(body))
    bucket.put_object("generated", (body[at : at + 70_000] for at in range(0, len(body), 70_000)))
    for key in ("stream", "generated"):
        bucket.get_object_to_file(key, str(tmp_path / key))
        assert (tmp_path / key).read_bytes() == body


def test_keys_metadata_and_headers_round_trip(bucket):
    for key in ("a//b/./../c", "+ %25&=?#测试", " lead and trail ", "dir/", "~!@$^*()_-'\"<>|"):
        bucket.put_object(key, key, headers={"x-oss-meta-note": "n", "Content-Type": "Text/X; a=B"})
        assert bucket.get_object(key).read() == key.encode()
        head = bucket.head_object(key)
        assert head.headers["x-oss-meta-note"] == "n"
        assert head.content_type == "Text/X; a=B"
        assert head.content_length == len(key.encode())
        assert bucket.get_object_meta(key).etag == md5(key.encode())
        assert bucket.object_exists(key)
    found = {one.key for one in oss2.ObjectIterator(bucket)}
    assert {"a//b/./../c", "+ %25&=?#测试", " lead and trail ", "dir/"} <= found


def test_ranges(bucket):
    bucket.put_object("range", b"0123456789" * 100)
    assert bucket.get_object("range", byte_range=(0, 4)).read() == b"01234"
    assert bucket.get_object("range", byte_range=(995, None)).read() == b"56789"
    assert bucket.get_object("range", byte_range=(None, 3)).read() == b"789"
    past = bucket.get_object("range", byte_range=(500, 2000))
    assert (past.status, len(past.read())) == (200, 1000)
    standard = bucket.get_object("range", byte_range=(500, 2000), headers={"x-oss-range-behavior": "standard"})
    assert (standard.status, len(standard.read())) == (206, 500)
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_object("range", byte_range=(1000, 2000), headers={"x-oss-range-behavior": "standard"})
    assert (error.value.status, error.value.code) == (416, "InvalidRange")


def test_conditions(bucket):
    etag = bucket.put_object("conditional", b"x").etag
    with pytest.raises(oss2.exceptions.NotModified):
        bucket.get_object("conditional", headers={"If-None-Match": f'"{etag}"'})
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        bucket.get_object("conditional", headers={"If-Match": '"other"'})
    assert bucket.get_object("conditional", headers={"If-Match": etag.lower()}).read() == b"x"


def test_append_with_crc(bucket):
    first = bucket.append_object("log", 0, b"one,", init_crc=0)
    second = bucket.append_object("log", first.next_position, b"two", init_crc=first.crc)
    assert second.next_position == 7
    assert bucket.get_object("log").read() == b"one,two"
    with pytest.raises(oss2.exceptions.PositionNotEqualToLength) as error:
        bucket.append_object("log", 3, b"x")
    assert error.value.next_position == 7
    bucket.put_object("plain", b"x")
    with pytest.raises(oss2.exceptions.ObjectNotAppendable):
        bucket.append_object("plain", 1, b"y")


def test_copy_and_metadata(bucket):
    bucket.put_object("from/ä b", b"body", headers={"x-oss-meta-a": "1"})
    assert bucket.copy_object(bucket.bucket_name, "from/ä b", "to").etag == md5(b"body")
    assert bucket.head_object("to").headers["x-oss-meta-a"] == "1"
    bucket.update_object_meta("to", {"x-oss-meta-b": "2"})
    head = bucket.head_object("to")
    assert "x-oss-meta-a" not in head.headers and head.headers["x-oss-meta-b"] == "2"
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.copy_object(bucket.bucket_name, "nothing", "to")


def test_object_acl(server, way):
    bucket, addressing, signature = way
    bucket.put_object("acl", b"x")
    assert bucket.get_object_acl("acl").acl == "default"
    anonymous = connect(server, addressing, signature, bucket.bucket_name, oss2.AnonymousAuth())
    with pytest.raises(oss2.exceptions.AccessDenied):
        anonymous.get_object("acl")
    bucket.put_object_acl("acl", oss2.OBJECT_ACL_PUBLIC_READ)
    assert anonymous.get_object("acl").read() == b"x"
    with pytest.raises(oss2.exceptions.AccessDenied):
        anonymous.put_object("acl", b"y")


def test_listing_with_delimiter_and_pages(bucket):
    for key in ("p/1", "p/2/a", "p/2/b", "p/3"):
        bucket.put_object(key, key)
    page = bucket.list_objects(prefix="p/", delimiter="/", max_keys=2)
    assert ([one.key for one in page.object_list], page.prefix_list, page.is_truncated) == (["p/1"], ["p/2/"], True)
    rest = bucket.list_objects(prefix="p/", delimiter="/", marker=page.next_marker)
    assert [one.key for one in rest.object_list] == ["p/3"]
    assert [one.key for one in oss2.ObjectIteratorV2(bucket, prefix="p/", max_keys=1)] == ["p/1", "p/2/a", "p/2/b", "p/3"]
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.list_objects(max_keys=1001)


def test_spaces_and_pluses_in_query_values(bucket):
    """The SDK sends a space in a query as `+` and a plus as `%2B`, and signs what they stand for."""
    for key in ("q + x/ä 1", "q + x/2", "q   x/3"):
        bucket.put_object(key, key)
    assert [one.key for one in oss2.ObjectIterator(bucket, prefix="q + x/")] == ["q + x/2", "q + x/ä 1"]
    assert [one.key for one in oss2.ObjectIteratorV2(bucket, prefix="q + x/", max_keys=1)] == ["q + x/2", "q + x/ä 1"]
    assert bucket.list_objects(prefix="q ", delimiter=" x/").prefix_list == ["q   x/", "q + x/"]
    wanted = {"response-content-type": "text/x; a=b+c ~*", "response-content-disposition": 'attachment; filename="ü +.ts"'}
    got = bucket.get_object("q + x/2", params=wanted)
    assert got.headers["Content-Type"] == "text/x; a=b+c ~*"
    signed = requests.get(bucket.sign_url("GET", "q + x/2", 60, params={"response-content-type": "a b+c"}), timeout=10)
    assert (signed.status_code, signed.headers["Content-Type"]) == (200, "a b+c")


def test_deletes(bucket):
    for key in ("d1", "d2 &", "d3"):
        bucket.put_object(key, b"x")
    assert bucket.delete_object("d1").status == 204
    assert bucket.delete_object("d1").status == 204
    assert bucket.batch_delete_objects(["d2 &", "d3", "never"]).deleted_keys == ["d2 &", "d3", "never"]
    with pytest.raises(oss2.exceptions.NoSuchKey):
        bucket.get_object("d3")


def test_signed_urls(bucket):
    url = bucket.sign_url("PUT", "signed/ü x", 60, slash_safe=True, headers={"Content-Type": "text/plain"})
    assert requests.put(url, data=b"signed", headers={"Content-Type": "text/plain"}, timeout=10).status_code == 200
    get = requests.get(bucket.sign_url("GET", "signed/ü x", 60), timeout=10)
    assert (get.status_code, get.content) == (200, b"signed")
    expired = requests.get(bucket.sign_url("GET", "signed/ü x", -60), timeout=10)
    assert expired.status_code in (400, 403), expired.text
    broken = requests.get(bucket.sign_url("GET", "signed/ü x", 60) + "x", timeout=10)
    assert broken.status_code == 403


def test_wrong_digest_and_unknown_key(server, way):
    bucket, addressing, signature = way
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.put_object("digest", b"x", headers={"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
    assert (error.value.status, error.value.code) == (400, "InvalidDigest")
    assert not bucket.object_exists("digest")
    unknown = connect(server, addressing, signature, bucket.bucket_name, auth(server, signature, key="nobody"))
    with pytest.raises(oss2.exceptions.ServerError) as error:
        unknown.get_object("x")
    assert (error.value.status, error.value.code) == (403, "InvalidAccessKeyId")


def test_select_is_refused_and_leaves_the_object(bucket):
    bucket.put_object("data.csv", b"a,b\n1,2\n")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.select_object("data.csv", "select * from ossobject").read()
    assert (error.value.status, error.value.code) == (501, "NotImplemented")
    assert bucket.get_object("data.csv").read() == b"a,b\n1,2\n"
