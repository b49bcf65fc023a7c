"""Versions through oss2: enable, read, list, delete and bring back, and emptying a bucket of all it has kept."""

import oss2
import pytest
from oss2.models import BatchDeleteObjectVersion, BatchDeleteObjectVersionList, BucketVersioningConfig, Tagging, TaggingRule

from harness.oss2_ways import ADDRESSING, SERVER as SERVER, SIGNATURES, connect, domain_resolved


@pytest.fixture(scope="module", params=[f"{a}/{s}" for a in ADDRESSING for s in SIGNATURES])
def bucket(request, server):
    addressing, signature = request.param.split("/")
    name = f"kept-{addressing.replace(' ', '-').lower()}-{signature.lower()}"
    with domain_resolved():
        bucket = connect(server, addressing, signature, name)
        bucket.create_bucket()
        assert bucket.get_bucket_versioning().status is None
        versioning(bucket, oss2.BUCKET_VERSIONING_ENABLE)
        yield bucket
        empty(bucket)
        bucket.delete_bucket()


def versioning(bucket, status: str):
    config = BucketVersioningConfig()
    config.status = status
    bucket.put_bucket_versioning(config)
    assert bucket.get_bucket_versioning().status == status


def history(bucket, key: str) -> list[tuple[str, bool]]:
    """Versions and markers of a key, whatever the order: id, and whether it is a marker."""
    found = bucket.list_object_versions(prefix=key, max_keys=1000)
    return [(one.versionid, False) for one in found.versions] + [(one.versionid, True) for one in found.delete_marker]


def empty(bucket):
    """Page by page, the markers of each page deleted with it."""
    key_marker = version_marker = ""
    while True:
        page = bucket.list_object_versions(max_keys=7, key_marker=key_marker, versionid_marker=version_marker)
        found = BatchDeleteObjectVersionList()
        for one in [*page.versions, *page.delete_marker]:
            found.append(BatchDeleteObjectVersion(key=one.key, versionid=one.versionid))
        if found.len() > 0:
            assert len(bucket.delete_object_versions(found).delete_versions) == found.len()
        if not page.is_truncated:
            break
        key_marker, version_marker = page.next_key_marker, page.next_versionid_marker
    left = bucket.list_object_versions()
    assert (left.versions, left.delete_marker) == ([], [])


def test_versions_are_read_by_id(bucket):
    first = bucket.put_object("read/a", b"first").versionid
    second = bucket.put_object("read/a", b"second").versionid
    assert first and second and first != second
    assert bucket.get_object("read/a").read() == b"second"
    old = bucket.get_object("read/a", params={"versionId": first})
    assert (old.read(), old.versionid, old.client_crc) == (b"first", first, old.server_crc)
    assert bucket.head_object("read/a", params={"versionId": first}).content_length == 5
    assert bucket.get_object_meta("read/a", params={"versionId": second}).versionid == second
    assert bucket.get_object("read/a", byte_range=(1, 2), params={"versionId": first}).read() == b"ir"
    with pytest.raises(oss2.exceptions.ServerError) as missing:
        bucket.get_object("read/a", params={"versionId": "0" * 32})
    assert (missing.value.status, missing.value.code) == (404, "NoSuchVersion")
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.get_object("read/a", params={"versionId": "nonsense"})
    assert (refused.value.status, refused.value.code) == (400, "InvalidArgument")


def test_a_delete_is_undone(bucket):
    key = "undo/ä + 1"
    first = bucket.put_object(key, b"kept").versionid
    deleted = bucket.delete_object(key)
    assert deleted.delete_marker is True and deleted.versionid
    with pytest.raises(oss2.exceptions.NoSuchKey) as missing:
        bucket.get_object(key)
    assert missing.value.headers["x-oss-delete-marker"] == "true"
    with pytest.raises(oss2.exceptions.ServerError) as refused:
        bucket.get_object(key, params={"versionId": deleted.versionid})
    assert (refused.value.status, refused.value.code, refused.value.headers["Allow"]) == (405, "MethodNotAllowed", "DELETE")
    assert not bucket.object_exists(key)
    undone = bucket.delete_object(key, params={"versionId": deleted.versionid})
    assert (undone.delete_marker, undone.versionid) == (True, deleted.versionid)
    assert bucket.get_object(key).read() == b"kept"
    gone = bucket.delete_object(key, params={"versionId": first})
    assert gone.versionid == first and not gone.delete_marker
    assert history(bucket, key) == []


def test_a_listing_pages_and_rolls_up(bucket):
    for n in range(3):
        for key in ("list/a", "list/dir/b", "list/c"):
            bucket.put_object(key, str(n).encode())
    bucket.delete_object("list/c")
    seen, newest = [], []
    key_marker = version_marker = ""
    while True:
        page = bucket.list_object_versions(
            prefix="list/", max_keys=2, key_marker=key_marker, versionid_marker=version_marker
        )
        entries = [*page.versions, *page.delete_marker]
        assert 1 <= len(entries) <= 2
        seen += [(one.key, one.versionid) for one in entries]
        newest += [one.key for one in entries if one.is_latest]
        if not page.is_truncated:
            break
        key_marker, version_marker = page.next_key_marker, page.next_versionid_marker
    assert len(seen) == len(set(seen)) == 10
    assert sorted(newest) == ["list/a", "list/c", "list/dir/b"]
    rolled = bucket.list_object_versions(prefix="list/", delimiter="/")
    assert rolled.common_prefix == ["list/dir/"] and {one.key for one in rolled.versions} == {"list/a", "list/c"}
    assert [one.key for one in rolled.delete_marker] == ["list/c"]
    assert rolled.versions[0].owner.id and rolled.versions[0].etag and rolled.versions[0].size == 1


def test_settings_and_copies_of_a_version(bucket):
    first = bucket.put_object("of/a", b"first").versionid
    bucket.put_object("of/a", b"second")
    bucket.put_object_acl("of/a", oss2.OBJECT_ACL_PUBLIC_READ, params={"versionId": first})
    assert bucket.get_object_acl("of/a", params={"versionId": first}).acl == "public-read"
    assert bucket.get_object_acl("of/a").acl == "default"
    rule = TaggingRule()
    rule.add("k", "v")
    bucket.put_object_tagging("of/a", Tagging(rule), params={"versionId": first})
    assert bucket.get_object_tagging("of/a", params={"versionId": first}).tag_set.tagging_rule == {"k": "v"}
    assert bucket.get_object_tagging("of/a").tag_set.tagging_rule == {}
    bucket.delete_object_tagging("of/a", params={"versionId": first})
    copied = bucket.copy_object(bucket.bucket_name, "of/a", "of/copy", params={"versionId": first})
    assert copied.versionid
    assert bucket.get_object("of/copy").read() == b"first"
    upload_id = bucket.init_multipart_upload("of/parts").upload_id
    part = bucket.upload_part_copy(
        bucket.bucket_name, "of/a", (0, 4), "of/parts", upload_id, 1, params={"versionId": first}
    )
    done = bucket.complete_multipart_upload("of/parts", upload_id, [oss2.models.PartInfo(1, part.etag)])
    assert done.versionid
    assert bucket.get_object("of/parts").read() == b"first"


def test_appending_makes_no_version(bucket):
    made = bucket.append_object("log", 0, b"one ")
    more = bucket.append_object("log", made.next_position, b"two")
    assert more.versionid == made.versionid
    assert bucket.get_object("log").read() == b"one two"
    assert history(bucket, "log") == [(made.versionid, False)]


def test_suspending_keeps_what_is_there(bucket):
    first = bucket.put_object("still/a", b"first").versionid
    versioning(bucket, oss2.BUCKET_VERSIONING_SUSPEND)
    try:
        assert bucket.put_object("still/a", b"second").versionid == "null"
        assert bucket.put_object("still/a", b"third").versionid == "null"
        assert sorted(history(bucket, "still/a")) == sorted([("null", False), (first, False)])
        deleted = bucket.delete_object("still/a")
        assert (deleted.delete_marker, deleted.versionid) == (True, "null")
        bucket.delete_object("still/a", params={"versionId": "null"})
        assert bucket.get_object("still/a").read() == b"first"
    finally:
        versioning(bucket, oss2.BUCKET_VERSIONING_ENABLE)
    info = bucket.get_bucket_info()
    assert info.versioning_status == "Enabled"


def test_a_bucket_with_versions_is_not_deleted(bucket):
    bucket.put_object("held", b"x")
    bucket.delete_object("held")
    with pytest.raises(oss2.exceptions.BucketNotEmpty):
        bucket.delete_bucket()
    assert bucket.get_bucket_stat().delete_marker_count >= 1
