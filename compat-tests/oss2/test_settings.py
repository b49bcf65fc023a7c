"""Settings of a bucket through oss2, and what they do to plain HTTP."""

import oss2
import pytest
import requests
from oss2.models import (
    BucketLogging, BucketReferer, BucketWebsite, Condition, ConditionInlcudeHeader, REDIRECT_TYPE_EXTERNAL,
    REDIRECT_TYPE_MIRROR, Redirect, RoutingRule, ServerSideEncryptionRule,
)

SERVER = {"master_key": "cd" * 32}
SSE = "x-oss-server-side-encryption"


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket("settings")


@pytest.fixture(scope="module")
def site(make_bucket):
    bucket = make_bucket("site", oss2.BUCKET_ACL_PUBLIC_READ)
    for key, body in {"index.html": "root", "a/index.html": "folder", "404.html": "none"}.items():
        bucket.put_object(key, body, headers={"Content-Type": "text/html"})
    return bucket


def get(server, path: str, **headers):
    return requests.get(f"{server.ip_endpoint}/site{path}", headers=headers, allow_redirects=False, timeout=10)


def missing(call, status: int, code: str):
    with pytest.raises(oss2.exceptions.ServerError) as error:
        call()
    assert (error.value.status, error.value.code) == (status, code)


def test_website(server, site):
    missing(site.get_bucket_website, 404, "NoSuchWebsiteConfiguration")
    site.put_bucket_website(BucketWebsite("index.html", "404.html"))
    got = site.get_bucket_website()
    assert (got.index_file, got.error_file, got.rules) == ("index.html", "404.html", [])
    for path, status, text in [("/", 200, "root"), ("/a/", 200, "root"), ("/nothing", 404, "none"), ("/a", 404, "none")]:
        answer = get(server, path)
        assert (answer.status_code, answer.text) == (status, text), path
        assert answer.headers["Content-Type"] == "text/html"
    # Whoever signs sees objects.
    assert [one.key for one in site.list_objects().object_list] == ["404.html", "a/index.html", "index.html"]
    with pytest.raises(oss2.exceptions.NoSuchKey):
        site.get_object("nothing")
    site.delete_bucket_website()
    site.delete_bucket_website()
    assert "<ListBucketResult>" in get(server, "/").text


def test_website_routing_rules(server, site):
    rules = [
        RoutingRule(
            2,
            Condition("old/", 404, [ConditionInlcudeHeader("host", server.ip_endpoint.split("//")[1])]),
            Redirect(REDIRECT_TYPE_EXTERNAL, replace_key_prefix_with="new/", proto="https", host_name="b.example",
                     http_redirect_code=302, pass_query_string=True),
        ),
        RoutingRule(1, Condition("gone/", 404), Redirect(REDIRECT_TYPE_EXTERNAL, replace_key_with="index.html",
                                                         http_redirect_code=307)),
    ]
    site.put_bucket_website(BucketWebsite("index.html", "", rules))
    got = site.get_bucket_website()
    assert [(rule.rule_num, rule.condition.key_prefix_equals) for rule in got.rules] == [(1, "gone/"), (2, "old/")]
    assert got.rules[1].redirect.host_name == "b.example" and got.rules[1].redirect.http_redirect_code == 302
    answer = get(server, "/old/a%20b?c=d")
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://b.example/new/a%20b?c=d")
    answer = get(server, "/gone/a")
    assert (answer.status_code, answer.headers["Location"]) == (307, "/site/index.html")
    assert requests.get(f"{server.ip_endpoint}/site/gone/a", timeout=10).text == "root"
    mirror = Redirect(REDIRECT_TYPE_MIRROR, mirror_url="http://b.example/")
    missing(
        lambda: site.put_bucket_website(BucketWebsite("index.html", "", [RoutingRule(1, Condition("a", 404), mirror)])),
        501, "NotImplemented",
    )
    site.delete_bucket_website()


def test_referer(server, site):
    got = site.get_bucket_referer()
    assert (got.allow_empty_referer, got.referers) == (True, [])
    site.put_bucket_referer(BucketReferer(False, ["http://*.example.com"], True, ["http://bad.example.com"]))
    got = site.get_bucket_referer()
    assert (got.allow_empty_referer, got.referers) == (False, ["http://*.example.com"])
    assert got.black_referers == ["http://bad.example.com"]
    signed = site.sign_url("GET", "index.html", 60)
    for referer, status in [
        ("http://www.example.com/page?a=b", 200), ("http://bad.example.com/", 403), ("http://other.example/", 403), ("", 403)
    ]:
        headers = {"Referer": referer} if referer else {}
        plain = get(server, "/index.html", **headers)
        presigned = requests.get(signed, headers=headers, timeout=10)
        assert (plain.status_code, presigned.status_code) == (status, status), referer
        if status == 403:
            assert "You are denied by bucket referer policy." in plain.text
    assert site.get_object("index.html").read() == b"root"
    site.put_bucket_referer(BucketReferer(True, []))
    assert get(server, "/index.html", Referer="http://other.example/").status_code == 200


def test_logging(bucket):
    assert bucket.get_bucket_logging().target_bucket == ""
    bucket.put_bucket_logging(BucketLogging(bucket.bucket_name, "logs/"))
    got = bucket.get_bucket_logging()
    assert (got.target_bucket, got.target_prefix) == (bucket.bucket_name, "logs/")
    missing(lambda: bucket.put_bucket_logging(BucketLogging("nowhere", "")), 400, "InvalidTargetBucketForLogging")
    bucket.delete_bucket_logging()
    assert bucket.get_bucket_logging().target_bucket == ""


def test_encryption(bucket):
    missing(bucket.get_bucket_encryption, 404, "NoSuchServerSideEncryptionRule")
    bucket.put_bucket_encryption(ServerSideEncryptionRule("AES256"))
    assert bucket.get_bucket_encryption().sse_algorithm == "AES256"
    assert bucket.get_bucket_info().bucket_encryption_rule.sse_algorithm == "AES256"
    assert bucket.put_object("k", b"x").headers[SSE] == "AES256"
    assert bucket.head_object("k").headers[SSE] == "AES256"
    missing(lambda: bucket.put_bucket_encryption(ServerSideEncryptionRule("KMS")), 501, "NotImplemented")
    bucket.delete_bucket_encryption()
    missing(bucket.get_bucket_encryption, 404, "NoSuchServerSideEncryptionRule")


def test_request_payment(bucket):
    assert bucket.get_bucket_request_payment().payer == "BucketOwner"
    bucket.put_bucket_request_payment("Requester")
    assert bucket.get_bucket_request_payment().payer == "Requester"
    bucket.put_object("paid", b"x", headers={"x-oss-request-payer": "requester"})
    assert bucket.get_object("paid", headers={"x-oss-request-payer": "requester"}).read() == b"x"


def test_transfer_acceleration(bucket):
    missing(bucket.get_bucket_transfer_acceleration, 404, "NoSuchTransferAccelerationConfiguration")
    bucket.put_bucket_transfer_acceleration("true")
    assert bucket.get_bucket_transfer_acceleration().enabled == "true"
    assert bucket.get_bucket_info().transfer_acceleration == "Enabled"


def test_public_access_block(server, make_bucket):
    open_to_all = make_bucket("open", oss2.BUCKET_ACL_PUBLIC_READ)
    open_to_all.put_object("k", b"x")
    plain = f"{server.ip_endpoint}/open/k"
    assert open_to_all.get_bucket_public_access_block().block_public_access is False
    assert requests.get(plain, timeout=10).status_code == 200
    open_to_all.put_bucket_public_access_block(True)
    assert open_to_all.get_bucket_public_access_block().block_public_access is True
    assert requests.get(plain, timeout=10).status_code == 403
    missing(lambda: open_to_all.put_bucket_acl(oss2.BUCKET_ACL_PUBLIC_READ), 403, "AccessDenied")
    missing(lambda: open_to_all.put_object_acl("k", oss2.OBJECT_ACL_PUBLIC_READ), 403, "AccessDenied")
    open_to_all.delete_bucket_public_access_block()
    assert requests.get(plain, timeout=10).status_code == 200
