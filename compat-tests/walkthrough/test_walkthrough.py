"""`docs/walkthrough.md`, run as it stands. The convention of its blocks: `harness/console.py`."""

import os

import pytest

from harness import console
from harness.ports import free_port
from harness.server import BINARY, ROOT

PAGE = ROOT / "docs" / "walkthrough.md"


def environment() -> dict:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("LIVEBUCKET_")},
        "PATH": f"{BINARY.parent}:{ROOT / 'compat-tests' / '.venv' / 'bin'}:{os.environ['PATH']}",
        "NODE_PATH": str(ROOT / "compat-tests" / "node_modules"),
        "LC_ALL": "C.UTF-8",
    }


def test_the_page_runs_as_it_is_printed(tmp_path):
    ports = {"9000": free_port(), "1935": free_port(), "9001": free_port()}
    # The server takes its ports from the environment where the page leaves them at their defaults.
    defaults = {
        "LIVEBUCKET_LISTEN": f"127.0.0.1:{ports['9000']}",
        "LIVEBUCKET_RTMP_LISTEN": f"127.0.0.1:{ports['1935']}",
        "LIVEBUCKET_ADMIN_LISTEN": f"127.0.0.1:{ports['9001']}",
    }
    commands = console.check(PAGE, tmp_path, {**environment(), **defaults}, ports)
    assert commands >= 5


EXAMPLE = """
Text, and a block that is not run:

```sh
exit 1
```

```console
$ name=world
$ echo hello $name; echo again
hello world
again
$ printf 'at %s by %s\\n' \\
> 2026-01-02T03:04:05.678Z 0123456789ABCDEF01234567
at 2025-12-31T00:00:00Z by ABCDEF0123456789ABCDEF01
$ seq 10
1
...
9
10
$ echo "rtmp://127.0.0.1:9000/x?Expires=$(date +%s)&Signature=$RANDOM"
rtmp://127.0.0.1:9000/x?Expires=1700000000&Signature=abc
$ false # fails
```
"""


@pytest.mark.parametrize("change, fault", [
    (("", ""), None),
    (("hello world", "hello moon"), "hello moon"),
    (("world\nagain\n", "world\n"), "again"),
    (("9\n10\n", "11\n"), "seq"),
    (("# fails", ""), "exit 1"),
    (("127.0.0.1:9000/x?Expires=1700000000", "127.0.0.1:1935/x?Expires=1700000000"), "1935"),
])
def test_the_runner_finds_a_page_that_is_not_true(tmp_path, change, fault):
    page = tmp_path / "page.md"
    page.write_text(EXAMPLE.replace(*change) if change[0] else EXAMPLE)
    arguments = (page, tmp_path, environment(), {"9000": 29000, "1935": 21935})
    if fault is None:
        assert console.check(*arguments) == 6
    else:
        with pytest.raises(AssertionError, match=fault):
            console.check(*arguments)
