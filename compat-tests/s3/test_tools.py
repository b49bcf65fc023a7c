"""Command-line clients of S3: awscli (PyPI), s3cmd and rclone (Debian), each on a small tree there and back."""

import os
import pathlib
import sys

import pytest

from harness.commands import run

SCRIPTS = pathlib.Path(sys.executable).parent


@pytest.fixture
def tree(tmp_path):
    """A few files of odd names and sizes; one is cut into parts by every tool."""
    root = tmp_path / "tree"
    for name, size in [("a.txt", 5), ("b/c d+e.bin", 70_000), ("b/ü.bin", 1_000_000), ("b/f/empty", 0),
                       ("large.bin", 20_000_000)]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return root


def contents(root: pathlib.Path) -> dict:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_awscli(server, tree, tmp_path):
    def aws(*arguments, check=True):
        return run(SCRIPTS / "aws", "--endpoint-url", server.ip_endpoint, *arguments, check=check,
                   AWS_ACCESS_KEY_ID=server.access_key, AWS_SECRET_ACCESS_KEY=server.secret_key,
                   AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true", AWS_CONFIG_FILE="/dev/null",
                   AWS_SHARED_CREDENTIALS_FILE="/dev/null")

    aws("s3", "mb", "s3://aws-tree")
    aws("s3", "sync", tree, "s3://aws-tree/t")
    assert "c d+e.bin" in aws("s3", "ls", "--recursive", "s3://aws-tree")
    aws("s3", "sync", "s3://aws-tree/t", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    assert aws("s3", "sync", tree, "s3://aws-tree/t") == "", "nothing has changed"
    aws("s3", "mv", "s3://aws-tree/t/a.txt", "s3://aws-tree/moved.txt")
    assert aws("s3", "cp", "s3://aws-tree/moved.txt", tmp_path / "moved") and (tmp_path / "moved").stat().st_size == 5
    aws("s3", "rb", "--force", "s3://aws-tree")
    assert "aws-tree" not in aws("s3", "ls")


@pytest.mark.parametrize("signature", ["V4", "V2"])
def test_s3cmd(server, tree, tmp_path, signature):
    name = f"s3cmd-{signature.lower()}"
    config = tmp_path / "s3cfg"
    config.write_text(
        f"[default]\naccess_key = {server.access_key}\nsecret_key = {server.secret_key}\nuse_https = False\n"
        f"host_base = 127.0.0.1:{server.port}\nhost_bucket = 127.0.0.1:{server.port}\n"
        f"signature_v2 = {signature == 'V2'}\n"
    )

    def s3cmd(*arguments):
        return run("s3cmd", "--config", config, "--no-progress", "--multipart-chunk-size-mb=5", *arguments)

    s3cmd("mb", f"s3://{name}")
    s3cmd("sync", f"{tree}/", f"s3://{name}/t/")
    assert "c d+e.bin" in s3cmd("ls", "--recursive", f"s3://{name}")
    s3cmd("sync", f"s3://{name}/t/", f"{tmp_path}/back/")
    assert contents(tmp_path / "back") == contents(tree)
    s3cmd("cp", f"s3://{name}/t/a.txt", f"s3://{name}/copied")
    assert s3cmd("info", f"s3://{name}/copied").count("File size: 5") == 1
    s3cmd("setacl", "--acl-public", f"s3://{name}/copied")
    s3cmd("rb", "--recursive", "--force", f"s3://{name}")


def test_rclone(server, tree, tmp_path):
    config = tmp_path / "rclone.conf"
    config.write_text(
        f"[here]\ntype = s3\nprovider = Other\naccess_key_id = {server.access_key}\n"
        f"secret_access_key = {server.secret_key}\nendpoint = {server.ip_endpoint}\nforce_path_style = true\n"
    )

    def rclone(*arguments):
        return run("rclone", "--config", config, "--s3-upload-cutoff=8M", *arguments)

    rclone("mkdir", "here:rclone-tree")
    rclone("sync", tree, "here:rclone-tree/t")
    rclone("check", tree, "here:rclone-tree/t")
    rclone("sync", "here:rclone-tree/t", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    (tree / "a.txt").unlink()
    rclone("sync", tree, "here:rclone-tree/t")
    assert "a.txt" not in rclone("lsf", "--recursive", "here:rclone-tree/t")
    rclone("purge", "here:rclone-tree")
    assert "rclone-tree" not in rclone("lsd", "here:")
