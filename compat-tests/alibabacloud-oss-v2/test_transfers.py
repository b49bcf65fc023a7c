"""Multipart uploads, the transfer managers, file-like objects and the asynchronous client of alibabacloud-oss-v2."""

import asyncio
import hashlib
import io
import os

import alibabacloud_oss_v2 as oss
import alibabacloud_oss_v2.aio as aio
import pytest
import requests

from harness.oss2_ways import DOMAIN, domain_resolved
from harness.oss_v2_ways import WAYS, bucket_name, configuration, connect, empty, refused

SERVER = {"extra": ("--base-domain", DOMAIN)}
PART = 100 * 1024


@pytest.fixture(scope="module", params=WAYS)
def way(request, server):
    with domain_resolved():
        client, bucket = connect(server, request.param), bucket_name("v2parts", request.param)
        client.put_bucket(oss.PutBucketRequest(bucket=bucket))
        yield client, bucket, request.param
        empty(client, bucket)
        client.delete_bucket(oss.DeleteBucketRequest(bucket=bucket))


@pytest.fixture
def client(way):
    return way[0]


@pytest.fixture
def bucket(way):
    return way[1]


def read(client, bucket: str, key: str) -> bytes:
    with client.get_object(oss.GetObjectRequest(bucket=bucket, key=key)).body as body:
        return body.read()


def begin(client, bucket: str, key: str, **more) -> str:
    request = oss.InitiateMultipartUploadRequest(bucket=bucket, key=key, **more)
    return client.initiate_multipart_upload(request).upload_id


def put_part(client, bucket: str, key: str, upload: str, number: int, body) -> oss.UploadPart:
    request = oss.UploadPartRequest(bucket=bucket, key=key, upload_id=upload, part_number=number, body=body)
    return oss.UploadPart(part_number=number, etag=client.upload_part(request).etag)


def complete(client, bucket: str, key: str, upload: str, parts: list | None):
    body = None if parts is None else oss.CompleteMultipartUpload(parts=parts)
    return client.complete_multipart_upload(oss.CompleteMultipartUploadRequest(
        bucket=bucket, key=key, upload_id=upload, complete_multipart_upload=body,
        complete_all="yes" if parts is None else None,
    ))


def tag_of(*parts: bytes) -> str:
    whole = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest().upper()
    return f'"{whole}-{len(parts)}"'


def open_uploads(client, bucket: str) -> list:
    found = client.list_multipart_uploads(oss.ListMultipartUploadsRequest(bucket=bucket))
    return [(one.key, one.upload_id) for one in found.uploads or []]


def test_parts_in_any_order_make_the_object(client, bucket):
    key = "parts/ä +1"
    parts = [os.urandom(PART), os.urandom(PART + 7), b"the end"]
    upload = begin(client, bucket, key, metadata={"a": "1"}, content_type="video/x", tagging="t=1")
    told = {number: put_part(client, bucket, key, upload, number, parts[number - 1]) for number in (3, 1, 2)}
    done = complete(client, bucket, key, upload, [told[number] for number in (1, 2, 3)])
    assert (done.key, done.bucket, done.etag) == (key, bucket, tag_of(*parts))
    assert read(client, bucket, key) == b"".join(parts)
    head = client.head_object(oss.HeadObjectRequest(bucket=bucket, key=key))
    assert (head.object_type, dict(head.metadata), head.content_type) == ("Multipart", {"a": "1"}, "video/x")
    assert head.tagging_count == 1
    with refused(404, "NoSuchUpload"):
        client.abort_multipart_upload(oss.AbortMultipartUploadRequest(bucket=bucket, key=key, upload_id=upload))


def test_an_upload_is_resumed_from_its_list_of_parts(client, bucket):
    key = "resumed"
    parts = [os.urandom(PART + number) for number in range(5)]
    upload = begin(client, bucket, key)
    for number in (1, 2, 4):
        put_part(client, bucket, key, upload, number, parts[number - 1])
    pages = client.list_parts_paginator(limit=2).iter_page(
        oss.ListPartsRequest(bucket=bucket, key=key, upload_id=upload)
    )
    there = {one.part_number: one for page in pages for one in page.parts}
    assert {number: one.size for number, one in there.items()} == {1: PART, 2: PART + 1, 4: PART + 3}
    for number in {1, 2, 3, 4, 5} - set(there):
        put_part(client, bucket, key, upload, number, parts[number - 1])
    complete(client, bucket, key, upload, None)
    assert read(client, bucket, key) == b"".join(parts)


def test_parts_copied_from_an_object(client, bucket):
    source = os.urandom(3 * PART)
    client.put_object(oss.PutObjectRequest(bucket=bucket, key="copy/from ä", body=source))
    upload = begin(client, bucket, "copy/to")
    parts = []
    for number, span in enumerate(("0-102399", "102400-307199"), 1):
        result = client.upload_part_copy(oss.UploadPartCopyRequest(
            bucket=bucket, key="copy/to", upload_id=upload, part_number=number, source_bucket=bucket,
            source_key="copy/from ä", source_range=f"bytes={span}",
        ))
        parts.append(oss.UploadPart(part_number=number, etag=result.etag))
    complete(client, bucket, "copy/to", upload, parts)
    assert read(client, bucket, "copy/to") == source


def test_uploads_are_listed_and_aborted(client, bucket):
    made = [(key, begin(client, bucket, key)) for key in ("up/a", "up/b +é", "up/b +é", "up/c")]
    pages = client.list_multipart_uploads_paginator(limit=3).iter_page(
        oss.ListMultipartUploadsRequest(bucket=bucket, prefix="up/")
    )
    assert sorted((one.key, one.upload_id) for page in pages for one in page.uploads) == sorted(made)
    for key, upload in made:
        client.abort_multipart_upload(oss.AbortMultipartUploadRequest(bucket=bucket, key=key, upload_id=upload))
    assert open_uploads(client, bucket) == []


def test_what_cannot_be_completed_is_refused(client, bucket):
    upload = begin(client, bucket, "refused")
    small = put_part(client, bucket, "refused", upload, 1, b"small")
    last = put_part(client, bucket, "refused", upload, 2, b"last")
    with refused(400, "EntityTooSmall"):
        complete(client, bucket, "refused", upload, [small, last])
    with refused(400, "InvalidPart"):
        complete(client, bucket, "refused", upload, [oss.UploadPart(part_number=1, etag=last.etag)])
    with refused(400, "InvalidPartOrder"):
        complete(client, bucket, "refused", upload, [last, small])
    client.abort_multipart_upload(oss.AbortMultipartUploadRequest(bucket=bucket, key="refused", upload_id=upload))


def test_presigned_multipart_in_the_browser(client, bucket):
    """Every step by URL alone."""
    begun = client.presign(oss.InitiateMultipartUploadRequest(bucket=bucket, key="by url"))
    answer = requests.request(begun.method, begun.url, headers=dict(begun.signed_headers), timeout=10)
    assert answer.status_code == 200, answer.text
    upload = answer.text.split("<UploadId>")[1].split("<")[0]
    part = client.presign(oss.UploadPartRequest(bucket=bucket, key="by url", upload_id=upload, part_number=1))
    put = requests.put(part.url, data=b"from a browser", headers=dict(part.signed_headers), timeout=10)
    assert put.headers["ETag"]
    done = client.presign(oss.CompleteMultipartUploadRequest(bucket=bucket, key="by url", upload_id=upload, complete_all="yes"))
    assert requests.post(done.url, headers=dict(done.signed_headers), timeout=10).status_code == 200
    assert read(client, bucket, "by url") == b"from a browser"


# Transfer managers.


def test_uploader_and_downloader(client, bucket, tmp_path):
    body = os.urandom(7 * PART + 11)
    file, back = tmp_path / "file", tmp_path / "back"
    file.write_bytes(body)
    told = []
    uploader = client.uploader(part_size=PART, parallel_num=3)
    request = oss.PutObjectRequest(
        bucket=bucket, key="managed/ä", metadata={"a": "1"}, progress_fn=lambda n, done, total: told.append(done)
    )
    up = uploader.upload_file(request, str(file))
    assert up.etag.endswith('-8"') and max(told) == len(body)
    head = client.head_object(oss.HeadObjectRequest(bucket=bucket, key="managed/ä"))
    assert dict(head.metadata) == {"a": "1"}
    get = oss.GetObjectRequest(bucket=bucket, key="managed/ä")
    downloader = client.downloader(part_size=PART, parallel_num=3, use_temp_file=True)
    assert downloader.download_file(get, str(back)).written == len(body)
    assert back.read_bytes() == body
    into = io.BytesIO()
    assert downloader.download_to(get, into).written == len(body) and into.getvalue() == body
    assert uploader.upload_from(oss.PutObjectRequest(bucket=bucket, key="managed/stream"), io.BytesIO(body)).etag
    assert read(client, bucket, "managed/stream") == body


def test_an_interrupted_upload_goes_on_where_it_stopped(client, bucket, tmp_path):
    body = os.urandom(6 * PART)
    file = tmp_path / "file"
    file.write_bytes(body)

    def stops_at_the_fourth(n, done, total):
        if done >= 3 * PART:
            raise InterruptedError("unplugged")

    uploader = client.uploader(part_size=PART, parallel_num=1, enable_checkpoint=True, checkpoint_dir=str(tmp_path))
    with pytest.raises(Exception, match="unplugged"):
        uploader.upload_file(oss.PutObjectRequest(bucket=bucket, key="resume", progress_fn=stops_at_the_fourth), str(file))
    ((key, upload),) = open_uploads(client, bucket)
    genuine, sent = client.upload_part, []
    client.upload_part = lambda request, **more: sent.append(request.part_number) or genuine(request, **more)
    try:
        uploader.upload_file(oss.PutObjectRequest(bucket=bucket, key="resume"), str(file))
    finally:
        del client.upload_part
    assert open_uploads(client, bucket) == []
    assert key == "resume" and read(client, bucket, "resume") == body
    assert sent and 1 not in sent, f"what was there is not sent again: {sent}"
    assert [one for one in tmp_path.iterdir() if one != file] == [], "the checkpoint is gone"


def test_an_interrupted_download_goes_on_where_it_stopped(client, bucket, tmp_path):
    body = os.urandom(6 * PART)
    client.put_object(oss.PutObjectRequest(bucket=bucket, key="resume down", body=body))
    back = tmp_path / "back"
    options = {
        "part_size": PART, "parallel_num": 1, "enable_checkpoint": True, "checkpoint_dir": str(tmp_path),
        "verify_data": True, "use_temp_file": True,
    }
    genuine, asked = client.get_object, []

    class Unplugged:
        """The client with every request beyond the third cut off."""

        def __getattr__(self, name):
            return getattr(client, name)

        def __str__(self):
            return str(client)

        def get_object(self, request, **more):
            asked.append(request.range_header)
            if len(asked) == 4:
                raise InterruptedError("unplugged")
            return genuine(request, **more)

    get = oss.GetObjectRequest(bucket=bucket, key="resume down")
    downloader = oss.Downloader(Unplugged(), **options)
    with pytest.raises(oss.DownloadError):
        downloader.download_file(get, str(back))
    assert not back.exists()
    downloader.download_file(get, str(back))
    assert back.read_bytes() == body
    assert asked[4] == asked[3] and len(asked) == 7, "the three parts that were there are not fetched again"


def test_copier(client, bucket):
    body = os.urandom(5 * PART)
    client.put_object(oss.PutObjectRequest(bucket=bucket, key="copier/from", body=body, metadata={"a": "1"}, tagging="t=1"))
    copier = client.copier(part_size=PART, parallel_num=2, multipart_copy_threshold=2 * PART, disable_shallow_copy=True)
    result = copier.copy(oss.CopyObjectRequest(bucket=bucket, key="copier/to", source_bucket=bucket, source_key="copier/from"))
    assert result.etag.endswith('-5"')
    head = client.head_object(oss.HeadObjectRequest(bucket=bucket, key="copier/to"))
    assert (dict(head.metadata), head.tagging_count) == ({"a": "1"}, 1)
    assert read(client, bucket, "copier/to") == body
    shallow = client.copier(multipart_copy_threshold=PART).copy(
        oss.CopyObjectRequest(bucket=bucket, key="copier/shallow", source_bucket=bucket, source_key="copier/from")
    )
    assert shallow.etag and read(client, bucket, "copier/shallow") == body


def test_file_like_objects(client, bucket):
    body = os.urandom(4 * PART)
    first = oss.AppendObjectRequest(bucket=bucket, key="appended", metadata={"a": "1"})
    with client.append_file(bucket, "appended", create_parameter=first) as file:
        file.write(body[:1000])
        file.write(body[1000:PART])
        assert file.tell() == PART
    with client.append_file(bucket, "appended") as file:
        file.write_from(io.BytesIO(body[PART:]))
    for options in ({}, {"enable_prefetch": True, "prefetch_num": 2, "chunk_size": PART, "prefetch_threshold": 0}):
        with client.open_file(bucket, "appended", **options) as file:
            assert file.read(10) == body[:10]
            file.seek(-100, os.SEEK_END)
            assert file.read() == body[-100:]
            file.seek(PART - 5)
            assert file.read(10) == body[PART - 5 : PART + 5]
            file.seek(0)
            assert file.readall() == body


def test_the_asynchronous_client(server, way):
    _, bucket, name = way

    async def story():
        async with aio.AsyncClient(configuration(server, name)) as client:
            bodies = {f"aio/{number}": os.urandom(50_000 * number + 1) for number in range(8)}
            await asyncio.gather(*(
                client.put_object(oss.PutObjectRequest(bucket=bucket, key=key, body=body)) for key, body in bodies.items()
            ))
            for key, body in bodies.items():
                got = await client.get_object(oss.GetObjectRequest(bucket=bucket, key=key))
                async with got.body as stream:
                    assert await stream.read() == body
            listed = await client.list_objects_v2(oss.ListObjectsV2Request(bucket=bucket, prefix="aio/"))
            assert [one.key for one in listed.contents] == sorted(bodies)
            appended = await client.append_object(
                oss.AppendObjectRequest(bucket=bucket, key="aio-log", position=0, body=b"x")
            )
            assert appended.next_position == 1
            gone = [oss.DeleteObject(key=key) for key in bodies]
            told = await client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(bucket=bucket, objects=gone))
            assert len(told.deleted_objects) == len(bodies)

    asyncio.run(story())
