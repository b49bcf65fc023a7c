"""Fixtures, and the collection of the JavaScript suites: each `*.test.mjs` is one test item that runs `node --test`."""

import pathlib
import subprocess

import oss2
import pytest

from harness.server import OUT, Server

HERE = pathlib.Path(__file__).parent
FIGURES = "figure"


@pytest.fixture(scope="module")
def server(request):
    """A server for the module. It must stop when asked, and its data directory must hold every invariant."""
    options = getattr(request.module, "SERVER", {})
    running = Server(_suite_name(request.path), **options).start()
    yield running
    try:
        if running.process is not None:
            running.stop()
        running.check()
    finally:
        if running.process is not None:
            running.kill()
        running.remove()


@pytest.fixture(scope="module")
def make_bucket(server):
    """Makes a bucket on the module's server and gives an oss2 client for it (path style over the IP)."""

    def make(name: str, acl: str = oss2.BUCKET_ACL_PRIVATE) -> oss2.Bucket:
        bucket = oss2.Bucket(oss2.Auth(server.access_key, server.secret_key), server.ip_endpoint, name)
        bucket.create_bucket(acl)
        return bucket

    return make


@pytest.fixture
def figure(record_property):
    """Reports a measured figure at the end of the run: `figure("first playlist", "2.1 s")`."""

    def report(what: str, value: str):
        record_property(FIGURES, f"{what}: {value}")

    return report


@pytest.fixture(autouse=True)
def _out_directory():
    OUT.mkdir(exist_ok=True)


def pytest_terminal_summary(terminalreporter):
    figures = [
        f"{report.nodeid.split('::')[-1]}: {value}"
        for report in terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
        for name, value in getattr(report, "user_properties", [])
        if name == FIGURES
    ]
    if figures:
        terminalreporter.section("figures")
        for line in figures:
            terminalreporter.line(line)


def pytest_collect_file(parent, file_path):
    if file_path.name.endswith(".test.mjs"):
        return NodeFile.from_parent(parent, path=file_path)
    return None


class NodeFile(pytest.File):
    def collect(self):
        yield NodeTest.from_parent(self, name="node --test")


class NodeTest(pytest.Item):
    """Runs one file of node tests against a server of its own."""

    def runtest(self):
        running = Server(_suite_name(self.path), extra=_server_arguments(self.path)).start()
        try:
            result = subprocess.run(
                ["node", "--test", str(self.path)],
                cwd=HERE,
                env=running.environment(),
                capture_output=True,
                text=True,
                timeout=200,
            )
            (OUT / f"{running.name}.tap").write_text(result.stdout + result.stderr)
            if result.returncode != 0:
                raise NodeFailure(_failures(result.stdout) + result.stderr)
            running.stop()
            running.check()
        finally:
            if running.process is not None:
                running.kill()
            running.remove()

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, NodeFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, None, f"{self.path.relative_to(HERE)}"


class NodeFailure(Exception):
    """Node's own report of what failed."""


def _failures(report: str) -> str:
    """The report without the tests that passed."""
    kept, dropping = [], False
    for line in report.splitlines():
        bare = line.strip()
        if bare.startswith("ok "):
            dropping = True
        elif bare.startswith(("not ok ", "# ", "Bail")):
            dropping = False
        if not dropping and not bare.startswith("# Subtest"):
            kept.append(line)
    return "\n".join(kept[-200:])


def _server_arguments(path: pathlib.Path) -> tuple:
    """What a suite's first line asks of its server: `// Server: --flag value`."""
    first = path.read_text().split("\n", 1)[0]
    return tuple(first.removeprefix("// Server:").split()) if first.startswith("// Server:") else ()


def _suite_name(path: pathlib.Path) -> str:
    relative = path.relative_to(HERE)
    return f"{relative.parent.name}-{relative.name.split('.')[0].removeprefix('test_')}"
