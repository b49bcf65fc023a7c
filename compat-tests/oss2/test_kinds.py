"""Symlinks, storage classes and restores through oss2."""

import oss2
import pytest
from oss2.models import RestoreConfiguration, RestoreJobParameters


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket("kinds")


def test_symlink_is_made_told_and_read_through(bucket):
    bucket.put_object("dir/ü a+b", b"hello", headers={"x-oss-meta-a": "target"})
    bucket.put_symlink("dir/ü a+b", "link", headers={"x-oss-meta-a": "link", "Content-Type": "text/plain"})
    told = bucket.get_symlink("link")
    assert told.target_key == "dir/ü a+b"
    got = bucket.get_object("link")
    assert (got.read(), got.content_type, got.headers["x-oss-meta-a"]) == (b"hello", "text/plain", "link")
    head = bucket.head_object("link")
    assert (head.object_type, head.content_length) == ("Symlink", 5)
    assert head.etag == bucket.head_object("dir/ü a+b").etag
    assert bucket.get_object_meta("link").content_length == 0
    listed = {one.key: one for one in oss2.ObjectIterator(bucket, prefix="link")}
    assert (listed["link"].type, listed["link"].size) == ("Symlink", 0)
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_symlink("dir/ü a+b")
    assert error.value.code == "NotSymlink"


def test_symlink_is_copied_as_one_and_may_lead_nowhere(bucket):
    bucket.put_symlink("later", "early")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_object("early")
    assert (error.value.status, error.value.code) == (404, "SymlinkTargetNotExist")
    bucket.copy_object(bucket.bucket_name, "early", "copy")
    assert bucket.get_symlink("copy").target_key == "later"
    bucket.put_object("later", b"now")
    assert bucket.get_object("copy").read() == b"now"
    bucket.put_symlink("copy", "of-a-link")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_object("of-a-link")
    assert (error.value.status, error.value.code) == (400, "InvalidTargetType")
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.put_symlink("later", "copy", headers={"x-oss-forbid-overwrite": "true"})
    assert error.value.code == "FileAlreadyExists"


@pytest.mark.parametrize(
    "storage_class",
    [oss2.BUCKET_STORAGE_CLASS_ARCHIVE, oss2.BUCKET_STORAGE_CLASS_COLD_ARCHIVE, oss2.BUCKET_STORAGE_CLASS_DEEP_COLD_ARCHIVE],
)
def test_archived_object_is_restored(bucket, storage_class):
    key = f"cold/{storage_class}"
    bucket.put_object(key, b"cold", headers={"x-oss-storage-class": storage_class})
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.get_object(key)
    assert (error.value.status, error.value.code) == (403, "InvalidObjectState")
    restored = bucket.restore_object(key, input=RestoreConfiguration(2, RestoreJobParameters(oss2.models.RESTORE_TIER_EXPEDITED)))
    assert restored.status == 202
    # What clients poll for.
    assert bucket.head_object(key).headers["x-oss-restore"].startswith('ongoing-request="false", expiry-date="')
    assert bucket.get_object(key).read() == b"cold"
    assert bucket.restore_object(key).status == 200
    (listed,) = oss2.ObjectIteratorV2(bucket, prefix=key)
    assert listed.storage_class == storage_class
    assert listed.restore_info.startswith('ongoing-request="false"')


def test_class_is_changed_by_a_copy_onto_itself(bucket):
    bucket.put_object("warm", b"warm")
    for storage_class in ("IA", "Standard"):
        bucket.copy_object(bucket.bucket_name, "warm", "warm", headers={"x-oss-storage-class": storage_class})
        assert bucket.head_object("warm").headers["x-oss-storage-class"] == storage_class
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.restore_object("warm")
    assert (error.value.status, error.value.code) == (400, "OperationNotSupported")


def test_bucket_has_a_class_of_its_own_and_counts_each(server):
    bucket = oss2.Bucket(oss2.Auth(server.access_key, server.secret_key), server.ip_endpoint, "kinds-ia")
    bucket.create_bucket(input=oss2.models.BucketCreateConfig(oss2.BUCKET_STORAGE_CLASS_IA))
    assert bucket.get_bucket_info().storage_class == "IA"
    bucket.put_object("a", b"12345")
    bucket.put_object("b", b"123", headers={"x-oss-storage-class": "Archive"})
    upload = bucket.init_multipart_upload("c").upload_id
    bucket.upload_part("c", upload, 1, b"1")
    bucket.complete_multipart_upload("c", upload, [oss2.models.PartInfo(1, bucket.upload_part("c", upload, 1, b"1").etag)])
    stat = bucket.get_bucket_stat()
    assert (stat.infrequent_access_storage, stat.infrequent_access_object_count) == (6, 2)
    assert (stat.archive_storage, stat.archive_real_storage, stat.archive_object_count) == (3, 3, 1)
    assert (stat.standard_storage, stat.object_count, stat.storage_size_in_bytes) == (0, 3, 9)
