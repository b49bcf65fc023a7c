"""A tree of 2 000 files, there and back: rclone over S3, its checksums compared by rclone itself and by us."""

import hashlib
import pathlib
import random

import pytest

from harness.commands import run

FILES = 2_000


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Names and sizes of a seed: empty files, small ones in the database, larger ones in files, three folders deep."""
    root, chance = tmp_path_factory.mktemp("tree"), random.Random(2_000)
    words = ["a", "b c", "ü", "d+e", "f&g", "%20", "h'i", "j=k", "(l)", "漢字"]
    for number in range(FILES):
        folder = root.joinpath(*chance.choices(words, k=chance.randrange(4)))
        folder.mkdir(parents=True, exist_ok=True)
        size = chance.choice([0, 1, 700, 4_000, 33_000, 90_000])
        (folder / f"{chance.choice(words)}-{number}").write_bytes(chance.randbytes(size))
    return root


def sums(root: pathlib.Path) -> dict:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.md5(path.read_bytes()).hexdigest() for path in files}


def test_rclone_syncs_two_thousand_files_there_and_back(server, tree, tmp_path, figure):
    config = tmp_path / "rclone.conf"
    config.write_text(
        f"[here]\ntype = s3\nprovider = Other\naccess_key_id = {server.access_key}\n"
        f"secret_access_key = {server.secret_key}\nendpoint = {server.ip_endpoint}\nforce_path_style = true\n"
    )

    def rclone(*arguments):
        return run("rclone", "--config", config, "--transfers", "8", "--checkers", "16", *arguments)

    here = sums(tree)
    assert len(here) == FILES
    rclone("mkdir", "here:sync-tree")
    before = server.cpu_seconds()
    rclone("sync", tree, "here:sync-tree/deep/down")
    there = dict(line.split("  ", 1)[::-1] for line in rclone("md5sum", "here:sync-tree/deep/down").splitlines())
    assert there == here, "the server's checksums"
    rclone("check", tree, "here:sync-tree/deep/down")
    rclone("sync", "here:sync-tree/deep/down", tmp_path / "back")
    assert sums(tmp_path / "back") == here
    figure("server CPU for 2 000 files there and back", f"{server.cpu_seconds() - before:.1f} s")
    # A second sync with a few changes moves those alone.
    changed = sorted(here)[::400]
    for name in changed:
        (tree / name).write_bytes(b"changed")
    (tree / sorted(here)[1]).unlink()
    told = run("rclone", "--config", config, "--stats-one-line", "-v", "--checksum", "sync", tree,
               "here:sync-tree/deep/down", everything=True)
    assert told.count("Copied (replaced existing)") == len(changed) and told.count(": Deleted") == 1, told[-3000:]
    rclone("purge", "here:sync-tree")
    assert "sync-tree" not in rclone("lsd", "here:")
