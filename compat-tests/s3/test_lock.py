"""Object lock through boto3: defaults, retention in both modes, legal holds. Nothing is locked for longer than the tests need."""

import datetime
import time

import pytest

from harness.boto3_ways import SERVER as SERVER, WAYS, code_of, connect, domain_resolved, status_of


@pytest.fixture(scope="module", params=WAYS)
def way(request, server):
    name = "locked-" + request.param.replace("/", "-")
    with domain_resolved():
        client = connect(server, request.param)
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
        yield client, name
        # Whatever a test left: holds are let go, governance is bypassed, compliance has run out.
        for one in client.list_object_versions(Bucket=name).get("Versions", []):
            client.put_object_legal_hold(
                Bucket=name, Key=one["Key"], VersionId=one["VersionId"], LegalHold={"Status": "OFF"}
            )
        found = client.list_object_versions(Bucket=name)
        for one in found.get("Versions", []) + found.get("DeleteMarkers", []):
            client.delete_object(
                Bucket=name, Key=one["Key"], VersionId=one["VersionId"], BypassGovernanceRetention=True
            )
        client.delete_bucket(Bucket=name)


def soon(seconds: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def denied(call):
    with pytest.raises(Exception) as refused:
        call()
    assert (code_of(refused), status_of(refused)) == ("AccessDenied", 403)


def test_default_retention(way):
    client, bucket = way
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
    client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration=configuration)
    try:
        assert client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"] == configuration
        version = client.put_object(Bucket=bucket, Key="default", Body=b"x")["VersionId"]
        head = client.head_object(Bucket=bucket, Key="default")
        assert head["ObjectLockMode"] == "GOVERNANCE"
        assert abs((head["ObjectLockRetainUntilDate"] - soon(86_400)).total_seconds()) < 60
        denied(lambda: client.delete_object(Bucket=bucket, Key="default", VersionId=version))
        client.delete_object(Bucket=bucket, Key="default", VersionId=version, BypassGovernanceRetention=True)
    finally:
        client.put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
        )
    assert "Rule" not in client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    with pytest.raises(client.exceptions.ClientError) as refused:
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    assert (code_of(refused), status_of(refused)) == ("InvalidBucketState", 409)


def test_retention(way):
    client, bucket = way
    until = soon(3)
    version = client.put_object(
        Bucket=bucket, Key="kept", Body=b"x", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]
    which = {"Bucket": bucket, "Key": "kept", "VersionId": version}
    found = client.get_object_retention(**which)["Retention"]
    assert found["Mode"] == "COMPLIANCE" and abs((found["RetainUntilDate"] - until).total_seconds()) <= 1
    denied(lambda: client.delete_object(**which, BypassGovernanceRetention=True))
    weaker = {"Mode": "GOVERNANCE", "RetainUntilDate": soon(60)}
    denied(lambda: client.put_object_retention(**which, Retention=weaker, BypassGovernanceRetention=True))
    errors = client.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "kept", "VersionId": version}]}, BypassGovernanceRetention=True
    )["Errors"]
    assert [(one["Key"], one["VersionId"], one["Code"]) for one in errors] == [("kept", version, "AccessDenied")]
    while soon(0) <= until + datetime.timedelta(seconds=1):
        time.sleep(0.2)
    client.delete_object(**which)
    with pytest.raises(client.exceptions.ClientError) as gone:
        client.get_object_retention(**which)
    assert code_of(gone) == "NoSuchVersion"


def test_governance_is_prolonged_shortened_and_ended(way):
    client, bucket = way
    version = client.put_object(Bucket=bucket, Key="governed", Body=b"x")["VersionId"]
    which = {"Bucket": bucket, "Key": "governed", "VersionId": version}

    def put(seconds: int, **more):
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": soon(seconds)}
        client.put_object_retention(**which, Retention=retention, **more)

    put(1_000)
    put(2_000)
    denied(lambda: put(500))
    put(500, BypassGovernanceRetention=True)
    denied(lambda: client.delete_object(**which))
    client.put_object_retention(**which, Retention={}, BypassGovernanceRetention=True)
    client.delete_object(**which)


def test_legal_hold(way):
    client, bucket = way
    version = client.put_object(Bucket=bucket, Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON")["VersionId"]
    which = {"Bucket": bucket, "Key": "held", "VersionId": version}
    assert client.get_object_legal_hold(**which)["LegalHold"]["Status"] == "ON"
    assert client.get_object(**which)["ObjectLockLegalHoldStatus"] == "ON"
    denied(lambda: client.delete_object(**which, BypassGovernanceRetention=True))
    client.put_object_legal_hold(**which, LegalHold={"Status": "OFF"})
    assert client.head_object(**which)["ObjectLockLegalHoldStatus"] == "OFF"
    client.delete_object(**which)


def test_parts_and_copies_bring_their_locks(way):
    client, bucket = way
    upload = client.create_multipart_upload(
        Bucket=bucket, Key="parts", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=soon(1_000)
    )["UploadId"]
    part = client.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x")
    client.complete_multipart_upload(
        Bucket=bucket, Key="parts", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert client.head_object(Bucket=bucket, Key="parts")["ObjectLockMode"] == "GOVERNANCE"
    source = {"Bucket": bucket, "Key": "parts"}
    client.copy_object(Bucket=bucket, Key="free", CopySource=source)
    assert "ObjectLockMode" not in client.head_object(Bucket=bucket, Key="free")
    client.copy_object(Bucket=bucket, Key="held", CopySource=source, ObjectLockLegalHoldStatus="ON")
    assert client.head_object(Bucket=bucket, Key="held")["ObjectLockLegalHoldStatus"] == "ON"


def test_a_bucket_without_locks_has_none(way):
    client, _ = way
    name = "unlocked-" + way[1]
    client.create_bucket(Bucket=name)
    client.put_object(Bucket=name, Key="a", Body=b"x")
    try:
        for call, code in [
            (lambda: client.get_object_lock_configuration(Bucket=name), "ObjectLockConfigurationNotFoundError"),
            (lambda: client.get_object_retention(Bucket=name, Key="a"), "InvalidRequest"),
            (lambda: client.put_object_legal_hold(Bucket=name, Key="a", LegalHold={"Status": "ON"}), "InvalidRequest"),
            (
                lambda: client.put_object_lock_configuration(
                    Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
                ),
                "InvalidBucketState",
            ),
        ]:
            with pytest.raises(client.exceptions.ClientError) as refused:
                call()
            assert code_of(refused) == code
    finally:
        client.delete_object(Bucket=name, Key="a")
        client.delete_bucket(Bucket=name)
