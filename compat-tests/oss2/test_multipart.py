"""Multipart uploads through oss2, its CRC checks on."""

import hashlib
import os

import oss2
import pytest
from oss2.models import PartInfo

from harness.oss2_ways import ADDRESSING, SERVER as SERVER, SIGNATURES, connect, domain_resolved

PART = 100 * 1024


@pytest.fixture(scope="module", params=[f"{a}/{s}" for a in ADDRESSING for s in SIGNATURES])
def bucket(request, server):
    addressing, signature = request.param.split("/")
    name = f"parts-{addressing.replace(' ', '-').lower()}-{signature.lower()}"
    with domain_resolved():
        bucket = connect(server, addressing, signature, name)
        bucket.create_bucket()
        yield bucket
        bucket.batch_delete_objects([one.key for one in oss2.ObjectIterator(bucket)])
        bucket.delete_bucket()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest().upper()


def tag_of(*parts: bytes) -> str:
    """The tag that S3 gives an object of these parts, in OSS's upper case."""
    return f"{md5(b''.join(hashlib.md5(part).digest() for part in parts))}-{len(parts)}"


def put_parts(bucket, key: str, upload_id: str, parts: dict[int, bytes]) -> list[PartInfo]:
    infos = []
    for number, data in parts.items():
        result = bucket.upload_part(key, upload_id, number, data)
        assert result.etag == md5(data)
        infos.append(PartInfo(number, result.etag, size=len(data), part_crc=result.crc))
    return infos


def test_init_parts_and_complete_with_crc(bucket):
    key = "hand/ä + 1"
    upload_id = bucket.init_multipart_upload(key, headers={"x-oss-meta-a": "1", "Content-Type": "Text/X"}).upload_id
    parts = {7: os.urandom(5), 1: os.urandom(PART), 4: os.urandom(PART + 1)}
    infos = put_parts(bucket, key, upload_id, parts)
    done = bucket.complete_multipart_upload(key, upload_id, infos)
    ordered = [parts[number] for number in sorted(parts)]
    assert done.etag == tag_of(*ordered)
    got = bucket.get_object(key)
    assert got.read() == b"".join(ordered)
    assert got.client_crc == got.server_crc == done.crc
    assert (got.headers["x-oss-object-type"], got.headers["x-oss-meta-a"]) == ("Multipart", "1")
    assert got.content_type == "Text/X"
    across = bucket.get_object(key, byte_range=(PART - 3, PART + 3))
    assert across.read() == b"".join(ordered)[PART - 3 : PART + 4]
    again = bucket.complete_multipart_upload(key, upload_id, infos)
    assert (again.etag, again.crc) == (done.etag, done.crc)


def test_sequential_upload_is_taken(bucket):
    upload_id = bucket.init_multipart_upload("sequential", params={"sequential": ""}).upload_id
    infos = put_parts(bucket, "sequential", upload_id, {1: b"a" * PART, 2: b"b"})
    bucket.complete_multipart_upload("sequential", upload_id, infos)
    assert bucket.get_object("sequential").read() == b"a" * PART + b"b"


def test_complete_all(bucket):
    upload_id = bucket.init_multipart_upload("all").upload_id
    put_parts(bucket, "all", upload_id, {2: b"two", 1: b"1" * PART})
    done = bucket.complete_multipart_upload("all", upload_id, None, headers={"x-oss-complete-all": "yes"})
    assert done.etag == tag_of(b"1" * PART, b"two")
    assert bucket.get_object("all").read() == b"1" * PART + b"two"


def test_complete_all_with_a_list_is_refused(bucket):
    upload_id = bucket.init_multipart_upload("all").upload_id
    infos = put_parts(bucket, "all", upload_id, {1: b"x"})
    with pytest.raises(oss2.exceptions.InvalidArgument):
        bucket.complete_multipart_upload("all", upload_id, infos, headers={"x-oss-complete-all": "yes"})
    bucket.abort_multipart_upload("all", upload_id)


def test_resumable_upload_with_progress(bucket, tmp_path):
    body = os.urandom(5 * PART + 77)
    file = tmp_path / "body"
    file.write_bytes(body)
    seen = []
    store = oss2.ResumableStore(root=str(tmp_path / "store"))
    done = oss2.resumable_upload(
        bucket, "resumable", str(file), store=store, multipart_threshold=PART, part_size=PART, num_threads=3,
        progress_callback=lambda consumed, total: seen.append(consumed),
    )
    assert done.etag == tag_of(*(body[at : at + PART] for at in range(0, len(body), PART)))
    assert seen[-1] == len(body)
    assert bucket.get_object("resumable").read() == body
    oss2.resumable_download(bucket, "resumable", str(tmp_path / "down"), multiget_threshold=PART, part_size=PART,
                            store=oss2.ResumableDownloadStore(root=str(tmp_path / "down-store")))
    assert (tmp_path / "down").read_bytes() == body


def test_resumable_upload_goes_on_where_it_stopped(bucket, tmp_path):
    body = os.urandom(4 * PART)
    file = tmp_path / "body"
    file.write_bytes(body)
    store = oss2.ResumableStore(root=str(tmp_path / "store"))
    arguments = dict(store=store, multipart_threshold=PART, part_size=PART, num_threads=1)

    class Stop(Exception):
        pass

    def stop_in_the_third_part(consumed, _total):
        if consumed >= 2 * PART:
            raise Stop

    with pytest.raises(Stop):
        oss2.resumable_upload(bucket, "stopped", str(file), progress_callback=stop_in_the_third_part, **arguments)
    (open_upload,) = [one for one in oss2.MultipartUploadIterator(bucket, prefix="stopped")]
    before = [part.part_number for part in oss2.PartIterator(bucket, "stopped", open_upload.upload_id)]
    assert before == [1, 2]
    oss2.resumable_upload(bucket, "stopped", str(file), **arguments)
    assert bucket.get_object("stopped").read() == body
    assert list(oss2.MultipartUploadIterator(bucket, prefix="stopped")) == []


def test_part_iterator_and_replaced_parts(bucket):
    upload_id = bucket.init_multipart_upload("iterated").upload_id
    put_parts(bucket, "iterated", upload_id, {n: b"%d" % n for n in (1, 2, 3, 10_000)})
    put_parts(bucket, "iterated", upload_id, {2: b"again"})
    found = list(oss2.PartIterator(bucket, "iterated", upload_id, max_parts=1))
    assert [(part.part_number, part.size, part.etag) for part in found] == [
        (1, 1, md5(b"1")), (2, 5, md5(b"again")), (3, 1, md5(b"3")), (10_000, 5, md5(b"10000"))]
    assert all(part.last_modified > 1_600_000_000 for part in found)
    for number in (0, 10_001):
        with pytest.raises(oss2.exceptions.InvalidArgument):
            bucket.upload_part("iterated", upload_id, number, b"x")
    bucket.abort_multipart_upload("iterated", upload_id)


def test_parts_are_copied_with_ranges_and_conditions(bucket):
    source = os.urandom(3 * PART)
    etag = bucket.put_object("from/ä b", source).etag
    upload_id = bucket.init_multipart_upload("copied").upload_id
    copy = lambda number, byte_range, headers=None: bucket.upload_part_copy(
        bucket.bucket_name, "from/ä b", byte_range, "copied", upload_id, number, headers=headers)
    first = copy(1, (0, PART - 1), {"x-oss-copy-source-if-match": etag})
    assert (first.etag, first.crc is not None) == (md5(source[:PART]), True)
    second = copy(2, (PART, None))
    whole = copy(3, None)
    assert whole.etag == md5(source)
    with pytest.raises(oss2.exceptions.PreconditionFailed):
        copy(4, None, {"x-oss-copy-source-if-match": '"other"'})
    with pytest.raises(oss2.exceptions.NotModified):
        copy(4, None, {"x-oss-copy-source-if-none-match": etag})
    infos = [PartInfo(number, part.etag) for number, part in enumerate((first, second, whole), start=1)]
    # The SDK has no CRC of copied parts to compare with.
    bucket.enable_crc = False
    try:
        bucket.complete_multipart_upload("copied", upload_id, infos)
    finally:
        bucket.enable_crc = True
    bucket.delete_object("from/ä b")
    assert bucket.get_object("copied").read() == source + source


def test_uploads_are_listed_and_aborted(bucket):
    keys = ["list/a", "list/b/1", "list/b/2", "list/b/2", "list/c + ä"]
    ids = {bucket.init_multipart_upload(key).upload_id: key for key in keys}
    found = list(oss2.MultipartUploadIterator(bucket, prefix="list/", max_uploads=1))
    assert [one.key for one in found] == sorted(keys, key=str.encode)
    assert {one.upload_id: one.key for one in found} == ids
    page = bucket.list_multipart_uploads(prefix="list/", delimiter="/", max_uploads=2)
    assert ([one.key for one in page.upload_list], page.prefix_list, page.is_truncated) == (["list/a"], ["list/b/"], True)
    rest = bucket.list_multipart_uploads(prefix="list/", delimiter="/", key_marker=page.next_key_marker)
    assert [one.key for one in rest.upload_list] == ["list/c + ä"]
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.delete_bucket()
    assert (error.value.status, error.value.code) == (409, "BucketNotEmpty")
    for upload_id, key in ids.items():
        assert bucket.abort_multipart_upload(key, upload_id).status == 204
        with pytest.raises(oss2.exceptions.NoSuchUpload):
            bucket.abort_multipart_upload(key, upload_id)
    assert list(oss2.MultipartUploadIterator(bucket, prefix="list/")) == []


def test_completions_that_cannot_be(bucket):
    upload_id = bucket.init_multipart_upload("refused").upload_id
    infos = put_parts(bucket, "refused", upload_id, {1: b"short", 2: b"x" * PART})

    def refused(parts, code, headers=None):
        with pytest.raises(oss2.exceptions.ServerError) as error:
            bucket.complete_multipart_upload("refused", upload_id, parts, headers=headers)
        assert (error.value.status, error.value.code) == ((409 if code == "FileAlreadyExists" else 400), code)

    refused(infos, "EntityTooSmall")
    refused([PartInfo(1, "0" * 32)], "InvalidPart")
    refused([PartInfo(3, infos[0].etag)], "InvalidPart")
    refused([], "MalformedXML")
    bucket.put_object("refused", b"there")
    refused([infos[1]], "FileAlreadyExists", {"x-oss-forbid-overwrite": "true"})
    bucket.complete_multipart_upload("refused", upload_id, [infos[1]])
    assert bucket.head_object("refused").content_length == PART
