"""Versions, symlinks, classes and upload callbacks through alibabacloud-oss-v2."""

import base64
import json

import alibabacloud_oss_v2 as oss
import pytest

from harness.application import application
from harness.oss_v2_ways import connect, refused

SERVER = {"extra": ("--outbound-allow", "127.0.0.1")}
BUCKET = "v2-later"


@pytest.fixture(scope="module")
def client(server):
    made = connect(server, "IP/v4")
    made.put_bucket(oss.PutBucketRequest(bucket=BUCKET))
    return made


def put(client, key: str, body: bytes, **more) -> oss.PutObjectResult:
    return client.put_object(oss.PutObjectRequest(bucket=BUCKET, key=key, body=body, **more))


def read(client, key: str, **more) -> bytes:
    with client.get_object(oss.GetObjectRequest(bucket=BUCKET, key=key, **more)).body as body:
        return body.read()


def versions(client, prefix: str) -> oss.ListObjectVersionsResult:
    return client.list_object_versions(oss.ListObjectVersionsRequest(bucket=BUCKET, prefix=prefix, max_keys=100))


def set_versioning(client, status: str):
    configuration = oss.VersioningConfiguration(status=status)
    client.put_bucket_versioning(oss.PutBucketVersioningRequest(bucket=BUCKET, versioning_configuration=configuration))
    assert client.get_bucket_versioning(oss.GetBucketVersioningRequest(bucket=BUCKET)).version_status == status


def test_versions_are_made_hidden_brought_back_and_removed(client):
    set_versioning(client, "Enabled")
    first, second = (put(client, "kept/a", body).version_id for body in (b"one", b"two"))
    assert first and second and first != second
    assert (read(client, "kept/a"), read(client, "kept/a", version_id=first)) == (b"two", b"one")

    hidden = client.delete_object(oss.DeleteObjectRequest(bucket=BUCKET, key="kept/a"))
    assert hidden.delete_marker is True
    with refused(404, "NoSuchKey"):
        read(client, "kept/a")
    with refused(405, "MethodNotAllowed"):
        read(client, "kept/a", version_id=hidden.version_id)
    listed = versions(client, "kept/")
    assert [one.version_id for one in listed.version] == [second, first]
    assert [(one.version_id, one.is_latest) for one in listed.delete_marker] == [(hidden.version_id, True)]

    client.delete_object(oss.DeleteObjectRequest(bucket=BUCKET, key="kept/a", version_id=hidden.version_id))
    assert read(client, "kept/a") == b"two"
    gone = [oss.DeleteObject(key="kept/a", version_id=version) for version in (first, second)]
    client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(bucket=BUCKET, objects=gone))
    assert not versions(client, "kept/").version
    with refused(404, "NoSuchVersion"):
        read(client, "kept/a", version_id=first)
    set_versioning(client, "Suspended")
    assert put(client, "kept/b", b"null").version_id == "null"


def test_a_symlink_leads_to_its_target(client):
    put(client, "target/中 +", b"behind")
    client.put_symlink(oss.PutSymlinkRequest(bucket=BUCKET, key="link", symlink_target="target/%E4%B8%AD%20%2B"))
    link = client.get_symlink(oss.GetSymlinkRequest(bucket=BUCKET, key="link"))
    assert link.target == "target/%E4%B8%AD%20%2B" or link.target == "target/中 +"
    assert read(client, "link") == b"behind"
    assert client.head_object(oss.HeadObjectRequest(bucket=BUCKET, key="link")).object_type == "Symlink"
    client.delete_object(oss.DeleteObjectRequest(bucket=BUCKET, key="target/中 +"))
    with refused(404, "SymlinkTargetNotExist"):
        read(client, "link")


def test_an_archived_object_is_restored_before_it_is_read(client):
    put(client, "cold", b"cold", storage_class="Archive")
    with refused(403, "InvalidObjectState"):
        read(client, "cold")
    client.restore_object(oss.RestoreObjectRequest(bucket=BUCKET, key="cold"))
    head = client.head_object(oss.HeadObjectRequest(bucket=BUCKET, key="cold"))
    assert head.storage_class == "Archive" and 'ongoing-request="false"' in head.restore
    assert read(client, "cold") == b"cold"


def test_an_upload_calls_back(client):
    with application() as app:
        told = {"callbackUrl": app.url, "callbackBody": "object=${object}&size=${size}&mine=${x:mine}"}
        encoded = [base64.b64encode(json.dumps(value).encode()).decode() for value in (told, {"x:mine": "a b"})]
        result = put(client, "called", b"12345", callback=encoded[0], callback_var=encoded[1])
        assert (result.status_code, json.loads(result.callback_result)) == (200, {"Status": "OK"})
        ((_, _, body),) = app.seen
        assert body == "object=called&size=5&mine=a%20b"
        app.status = 500
        # The library takes every 2xx for success and leaves it to its user to look.
        failed = put(client, "called", b"again", callback=encoded[0], callback_var=encoded[1])
        assert failed.status_code == 203 and "CallbackFailed" in failed.callback_result
    assert read(client, "called") == b"again"
