"""Rust clients: the package beside this file is built once, then each of its tests is run against the module's server."""

import json
import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent
TESTS = re.findall(r"#\[tokio::test\]\nasync fn (\w+)", (HERE / "tests/ali_oss_rs.rs").read_text())


@pytest.fixture(scope="module")
def binary() -> str:
    """The test program. Its dependencies are built from nothing the first time, which takes a minute or two."""
    result = subprocess.run(
        ["cargo", "test", "--locked", "--no-run", "--message-format=json"], cwd=HERE, capture_output=True, text=True,
        # The product's target directory and its flags are not this package's.
        env={name: value for name, value in os.environ.items() if name not in ("CARGO_TARGET_DIR", "RUSTFLAGS")},
    )
    assert result.returncode == 0, result.stderr
    built = (json.loads(line) for line in result.stdout.splitlines() if line.startswith("{"))
    (program,) = [one["executable"] for one in built if one.get("executable") and one["target"]["name"] == "ali_oss_rs"]
    return program


def test_every_test_is_found():
    assert len(TESTS) >= 8, TESTS


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TESTS)
def test_ali_oss_rs(server, binary, name):
    result = subprocess.run(
        [binary, "--exact", name], env=server.environment(RUST_BACKTRACE="0"), capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0 and "1 passed" in result.stdout, result.stdout + result.stderr
