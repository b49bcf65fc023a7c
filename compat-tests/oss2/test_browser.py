"""Presigned requests of oss2 as a page of another origin sends them, under the bucket's CORS rules."""

from xml.etree import ElementTree

import oss2
import pytest
from oss2.models import BucketCors, CorsRule

from harness.browser import ORIGIN, Kept, exposed, fetch
from harness.oss2_ways import SERVER as SERVER, SIGNATURES, connect, domain_resolved


@pytest.fixture(scope="module", params=[f"{a}/{s}" for a in ("virtual host", "IP") for s in SIGNATURES])
def bucket(request, server):
    addressing, signature = request.param.split("/")
    with domain_resolved():
        bucket = connect(server, addressing, signature, f"page-{addressing.replace(' ', '-').lower()}-{signature.lower()}")
        bucket.create_bucket()
        yield bucket
        bucket.batch_delete_objects([one.key for one in oss2.ObjectIterator(bucket)])
        bucket.delete_bucket()


def allow(bucket, methods: list, headers: list, origins: list):
    rule = CorsRule(allowed_origins=origins, allowed_methods=methods, allowed_headers=headers,
                    expose_headers=["ETag", "x-oss-meta-a"], max_age_seconds=60)
    bucket.put_bucket_cors(BucketCors([rule]))


def test_a_page_uploads_and_reads(bucket):
    headers = {"Content-Type": "text/plain", "x-oss-meta-a": "1"}
    put = bucket.sign_url("PUT", "from/a page ü", 60, slash_safe=True, headers=headers)
    with pytest.raises(Kept):
        fetch(put, "PUT", headers, b"x")
    allow(bucket, ["GET", "PUT", "HEAD"], ["content-type", "x-oss-*"], [ORIGIN])
    answer = fetch(put, "PUT", headers, b"from a page")
    assert answer.status_code == 200 and "etag" in exposed(answer)
    got = fetch(bucket.sign_url("GET", "from/a page ü", 60, slash_safe=True), headers={"Range": "bytes=0-3"})
    assert (got.status_code, got.content, got.headers["x-oss-meta-a"]) == (206, b"from", "1")
    assert bucket.get_object("from/a page ü").read() == b"from a page"
    # What is refused for another reason is still the page's to read.
    refused = fetch(bucket.sign_url("GET", "from/none", 60, slash_safe=True))
    assert refused.status_code == 404 and "NoSuchKey" in refused.text


def test_what_no_rule_allows_stays_in_the_browser(bucket):
    allow(bucket, ["GET"], [], ["https://*.elsewhere.example"])
    bucket.put_object("mine", b"x")
    get = bucket.sign_url("GET", "mine", 60)
    with pytest.raises(Kept):
        fetch(get)
    assert fetch(get, origin="https://a.elsewhere.example").content == b"x"
    with pytest.raises(Kept):
        fetch(get, headers={"x-oss-range-behavior": "standard"}, origin="https://a.elsewhere.example")
    with pytest.raises(Kept):
        fetch(bucket.sign_url("DELETE", "mine", 60), "DELETE", origin="https://a.elsewhere.example")
    assert bucket.object_exists("mine")


@pytest.mark.parametrize("encoded", [True, False], ids=["url-encoded", "as they are"])
def test_listing_of_odd_keys(bucket, encoded):
    """The SDK asks for URL-encoded listings by itself; other clients do not."""
    keys = ["odd/%2F", "odd/&amp;", "odd/+ +", "odd/<x>", "odd/a//b/../c", "odd/dir/", "odd/é\u0301", "odd/😀", "odd/]]>"]
    if encoded:
        keys += ["odd/\u0001\u001f", "odd/\t\r\n"]
    for key in keys:
        bucket.put_object(key, b"x")
    try:
        if encoded:
            found = [one.key for one in oss2.ObjectIteratorV2(bucket, prefix="odd/", max_keys=2)]
        else:
            answer = bucket._do("GET", bucket.bucket_name, "", params={"prefix": "odd/"})
            found = [one.text for one in ElementTree.fromstring(answer.read()).iter("Key")]
        assert found == sorted(keys, key=str.encode)
    finally:
        # One by one: a document cannot carry a carriage return as it is.
        for key in keys:
            bucket.delete_object(key)
