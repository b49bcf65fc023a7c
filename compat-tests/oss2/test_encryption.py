"""A server with a master key through oss2: the header is confirmed, ranges and appends work, the disk shows nothing."""

import oss2
import pytest

SERVER = {"master_key": "ab" * 32}
SSE = "x-oss-server-side-encryption"
MARKER = b"nobody reads this on the disk\n"
BODY = MARKER * 10_000


@pytest.fixture(scope="module")
def bucket(make_bucket):
    return make_bucket("sealed")


def on_disk(server) -> list:
    files = [path for path in (server.data / "data").rglob("*") if path.is_file()]
    assert files
    return [path for path in files if MARKER in path.read_bytes()]


def test_an_upload_that_asks_for_aes256_is_confirmed_and_reads_back(server, bucket):
    put = bucket.put_object("large", BODY, headers={SSE: "AES256"})
    assert put.headers[SSE] == "AES256"
    assert bucket.get_object("large").read() == BODY
    assert bucket.get_object("large", byte_range=(65_530, 131_080)).read() == BODY[65_530:131_081]
    bucket.put_object("small", MARKER, headers={SSE: "AES256"})
    assert bucket.get_object("small").read() == MARKER
    assert on_disk(server) == []


def test_without_the_header_it_is_encrypted_all_the_same(server, bucket):
    assert SSE not in bucket.put_object("unasked", BODY).headers
    assert on_disk(server) == []


def test_appends_and_copies(server, bucket):
    first = bucket.append_object("log", 0, BODY, headers={SSE: "AES256"})
    bucket.append_object("log", first.next_position, MARKER)
    assert bucket.get_object("log").read() == BODY + MARKER
    bucket.copy_object("sealed", "log", "copy", headers={SSE: "AES256"})
    assert bucket.get_object("copy").read() == BODY + MARKER
    assert on_disk(server) == []


@pytest.mark.parametrize("algorithm, status, code", [
    ("KMS", 501, "NotImplemented"),
    ("ROT13", 400, "InvalidEncryptionAlgorithmError"),
])
def test_other_algorithms_are_refused(bucket, algorithm, status, code):
    with pytest.raises(oss2.exceptions.ServerError) as error:
        bucket.put_object("x", b"x", headers={SSE: algorithm})
    assert (error.value.status, error.value.code) == (status, code)
    assert not bucket.object_exists("x")


def test_a_restart_with_the_key_reads_and_one_without_it_names_it(server, bucket):
    server.stop()
    report = server.check()
    assert "clean" in report
    secrets, server.secrets = server.secrets, {}
    try:
        refused = server.run("check", "--data", server.data / "data", check=False)
    finally:
        server.secrets = secrets
    assert refused.returncode == 1
    assert "is sealed with master key" in refused.stderr and "not configured" in refused.stderr
    server.start()
    assert bucket.get_object("large").read() == BODY
