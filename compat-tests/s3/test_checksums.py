"""Checksums, parts and conditions through boto3, which verifies by itself whatever the server shows; and awscli's options."""

import base64
import concurrent.futures
import hashlib
import os
import subprocess
import sys
import pathlib
import zlib

import boto3
import botocore.config
import botocore.exceptions
import botocore.httpchecksum
import pytest
from boto3.s3.transfer import TransferConfig

ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]
MIB = 1024 * 1024
AWS = pathlib.Path(sys.executable).parent / "aws"


@pytest.fixture(scope="module")
def client(server):
    found = boto3.client(
        "s3", endpoint_url=server.ip_endpoint, region_name="us-east-1", aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key, config=botocore.config.Config(retries={"max_attempts": 1}),
    )
    found.create_bucket(Bucket="sums")
    return found


@pytest.fixture
def verified(monkeypatch):
    """Algorithms that botocore has compared a body by."""
    seen = []
    genuine = botocore.httpchecksum.StreamingChecksumBody._validate_checksum

    def validate(body):
        seen.append(type(body._checksum).__name__)
        return genuine(body)

    monkeypatch.setattr(botocore.httpchecksum.StreamingChecksumBody, "_validate_checksum", validate)
    return seen


def code_of(error) -> str:
    return error.value.response["Error"]["Code"]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def crc32(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(4, "big")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_put_keeps_its_checksum_and_boto3_compares_it(client, verified, algorithm):
    body, name = os.urandom(100_000), f"Checksum{algorithm}"
    put = client.put_object(Bucket="sums", Key=algorithm, Body=body, ChecksumAlgorithm=algorithm)
    assert put[name] and put["ChecksumType"] == "FULL_OBJECT"
    got = client.get_object(Bucket="sums", Key=algorithm, ChecksumMode="ENABLED")
    assert got["Body"].read() == body
    assert (got[name], got["ChecksumType"]) == (put[name], "FULL_OBJECT") and len(verified) == 1
    head = client.head_object(Bucket="sums", Key=algorithm, ChecksumMode="ENABLED")
    assert head[name] == put[name]
    told = client.get_object_attributes(Bucket="sums", Key=algorithm, ObjectAttributes=["Checksum"])
    assert told["Checksum"] == {name: put[name], "ChecksumType": "FULL_OBJECT"}
    listed = client.list_objects_v2(Bucket="sums", Prefix=algorithm)["Contents"]
    assert {one["Key"]: one["ChecksumAlgorithm"] for one in listed}[algorithm] == [algorithm]
    part = client.get_object(Bucket="sums", Key=algorithm, Range="bytes=10-20", ChecksumMode="ENABLED")
    assert part["Body"].read() == body[10:21] and name not in part
    copied = client.copy_object(Bucket="sums", Key="copy", CopySource={"Bucket": "sums", "Key": algorithm})
    assert copied["CopyObjectResult"][name] == put[name]
    for other in ALGORITHMS:
        asked = client.copy_object(
            Bucket="sums", Key="copy", CopySource={"Bucket": "sums", "Key": algorithm}, ChecksumAlgorithm=other)
        assert asked["CopyObjectResult"][f"Checksum{other}"]
        assert client.get_object(Bucket="sums", Key="copy", ChecksumMode="ENABLED")["Body"].read() == body


def test_by_default_crc32_goes_there_and_comes_back(client, verified):
    put = client.put_object(Bucket="sums", Key="default", Body=b"123456789")
    assert put["ChecksumCRC32"] == text(crc32(b"123456789"))
    assert client.get_object(Bucket="sums", Key="default")["Body"].read() == b"123456789"
    assert verified == ["CrtCrc32Checksum"] or verified == ["Crc32Checksum"]


@pytest.mark.parametrize("algorithm,kind", [
    ("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("CRC32C", "COMPOSITE"), ("CRC32C", "FULL_OBJECT"),
    ("CRC64NVME", "FULL_OBJECT"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")])
def test_parts_by_hand(client, verified, algorithm, kind):
    name = f"Checksum{algorithm}"
    bodies = [os.urandom(5 * MIB), os.urandom(6 * MIB), b"tail"]
    begun = client.create_multipart_upload(Bucket="sums", Key="parts", ChecksumAlgorithm=algorithm, ChecksumType=kind)
    assert (begun["ChecksumAlgorithm"], begun["ChecksumType"]) == (algorithm, kind)
    named = {"Bucket": "sums", "Key": "parts", "UploadId": begun["UploadId"]}
    parts = []
    for number, body in enumerate(bodies, 1):
        put = client.upload_part(**named, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": put["ETag"], name: put[name]})
    listed = client.list_parts(**named)
    assert [part[name] for part in listed["Parts"]] == [part[name] for part in parts]
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, kind)
    wrong = [{**parts[0], name: parts[1][name]}, *parts[1:]]
    with pytest.raises(client.exceptions.ClientError) as error:
        client.complete_multipart_upload(**named, MultipartUpload={"Parts": wrong})
    assert code_of(error) == "InvalidPart"
    with pytest.raises(client.exceptions.ClientError) as error:
        client.complete_multipart_upload(**named, MultipartUpload={"Parts": parts}, MpuObjectSize=7)
    assert code_of(error) == "InvalidRequest"
    size = sum(map(len, bodies))
    done = client.complete_multipart_upload(
        **named, MultipartUpload={"Parts": parts}, MpuObjectSize=size, ChecksumType=kind)
    assert done["ChecksumType"] == kind and done[name].endswith("-3") == (kind == "COMPOSITE")
    got = client.get_object(Bucket="sums", Key="parts", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(bodies) and got[name] == done[name]
    # The library compares a checksum of all bytes; a composite one it cannot.
    assert len(verified) == (kind == "FULL_OBJECT")

    for number, body in enumerate(bodies, 1):
        got = client.get_object(Bucket="sums", Key="parts", PartNumber=number, ChecksumMode="ENABLED")
        assert got["Body"].read() == body and got["PartsCount"] == 3
    assert len(verified) == (1 if kind == "FULL_OBJECT" else 3), "each part by its own"
    with pytest.raises(client.exceptions.ClientError) as error:
        client.get_object(Bucket="sums", Key="parts", PartNumber=4)
    assert code_of(error) == "InvalidPartNumber"
    told = client.get_object_attributes(
        Bucket="sums", Key="parts", ObjectAttributes=["ObjectParts", "Checksum", "ObjectSize"], MaxParts=2)
    assert told["Checksum"][name] == done[name] and told["ObjectSize"] == size
    page = told["ObjectParts"]
    assert (page["TotalPartsCount"], page["IsTruncated"], page["NextPartNumberMarker"]) == (3, True, 2)
    assert [(part["PartNumber"], part["Size"], part[name]) for part in page["Parts"]] == [
        (number, len(bodies[number - 1]), parts[number - 1][name]) for number in (1, 2)]
    rest = client.get_object_attributes(
        Bucket="sums", Key="parts", ObjectAttributes=["ObjectParts"], PartNumberMarker=2)["ObjectParts"]
    assert [part["PartNumber"] for part in rest["Parts"]] == [3] and not rest["IsTruncated"]


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
def test_upload_file_and_download_file(client, tmp_path, algorithm):
    source, target = tmp_path / "source", tmp_path / "target"
    data = os.urandom(12 * MIB + 5)
    source.write_bytes(data)
    extra = {"ChecksumAlgorithm": algorithm} if algorithm else {}
    client.upload_file(str(source), "sums", "file", ExtraArgs=extra, Config=TransferConfig(multipart_chunksize=5 * MIB))
    head = client.head_object(Bucket="sums", Key="file", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"') and head[f"Checksum{algorithm or 'CRC32'}"]
    if algorithm in (None, "CRC32"):
        pieces = b"".join(crc32(data[at : at + 5 * MIB]) for at in range(0, len(data), 5 * MIB))
        assert head["ChecksumCRC32"] == text(crc32(pieces)) + "-3"
    client.download_file("sums", "file", str(target))
    assert target.read_bytes() == data
    # In parts again: the library copies what is large part by part.
    client.copy({"Bucket": "sums", "Key": "file"}, "sums", "file-copy", ExtraArgs=extra,
                Config=TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB))
    assert client.get_object(Bucket="sums", Key="file-copy", ChecksumMode="ENABLED")["Body"].read() == data


def test_of_ten_writers_one_is_the_first(client):
    def put(number: int) -> bool:
        try:
            client.put_object(Bucket="sums", Key="first", Body=b"%d" % number, IfNoneMatch="*")
            return True
        except client.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"
            return False

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        won = [number for number, first in enumerate(pool.map(put, range(10))) if first]
    assert len(won) == 1
    assert client.get_object(Bucket="sums", Key="first")["Body"].read() == b"%d" % won[0]


def aws(server, *arguments) -> str:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **inherited, "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
    command = [str(part) for part in (AWS, "--endpoint-url", server.ip_endpoint, *arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_awscli_checksum_algorithm(server, client, tmp_path, algorithm):
    for name, size in [("small", 1_000), ("large", 20 * MIB)]:
        source, target = tmp_path / name, tmp_path / f"{name}.back"
        source.write_bytes(os.urandom(size))
        url = f"s3://sums/cli/{algorithm}/{name}"
        aws(server, "s3", "cp", "--checksum-algorithm", algorithm, source, url)
        aws(server, "s3", "cp", "--checksum-mode", "ENABLED", url, target)
        assert target.read_bytes() == source.read_bytes()
        head = client.head_object(Bucket="sums", Key=f"cli/{algorithm}/{name}", ChecksumMode="ENABLED")
        assert head[f"Checksum{algorithm}"]
