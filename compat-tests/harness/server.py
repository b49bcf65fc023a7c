"""Starts the built server on free ports with a data directory of its own, and proves the directory at the end."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import typing
import urllib.error
import urllib.request

from .ports import free_port
from .waiting import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "compat-tests" / "out"
BINARY = pathlib.Path(os.environ.get("LIVEBUCKET_BIN", ROOT / "target" / "debug" / "livebucket")).resolve()

ACCESS_KEY = "compatAccessKeyId"
SECRET_KEY = "compatAccessKeySecret0123456789"
REGION = "cn-hangzhou"


class Session(typing.NamedTuple):
    """A temporary credential."""

    access_key: str
    secret_key: str
    token: str


class Server:
    """One server process. `stop` and `kill` leave the data directory; `start` may be called again on it."""

    def __init__(self, name: str, tls: bool = False, extra: tuple = (), master_key: str = ""):
        if not BINARY.exists():
            raise AssertionError(f"no server at {BINARY}: build it with `cargo build`, or set LIVEBUCKET_BIN")
        self.name = name
        self.access_key, self.secret_key = ACCESS_KEY, SECRET_KEY
        self.data = pathlib.Path(tempfile.mkdtemp(prefix=f"livebucket-{name}-"))
        self.port, self.rtmp_port, self.admin_port = free_port(), free_port(), free_port()
        self.extra = list(extra)
        # Encrypts what is stored; the commands that open the directory need it, too.
        self.secrets = {"LIVEBUCKET_MASTER_KEY": master_key} if master_key else {}
        OUT.mkdir(exist_ok=True)
        self.log = OUT / f"{name}.server.log"
        self.log.unlink(missing_ok=True)
        self.process = None
        if tls:
            self.certificate, key = _certificate(self.data.with_suffix(".tls"))
            self.extra += ["--tls-cert", str(self.certificate), "--tls-key", str(key)]

    # Addresses.

    @property
    def ip_endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def name_endpoint(self) -> str:
        """`{bucket}.localhost` resolves to loopback through libnss-myhostname."""
        return f"http://localhost:{self.port}"

    # Life.

    def start(self):
        command = [
            BINARY, "serve",
            "--data", self.data / "data",
            "--listen", f"127.0.0.1:{self.port}",
            "--rtmp-listen", f"127.0.0.1:{self.rtmp_port}",
            "--admin-listen", f"127.0.0.1:{self.admin_port}",
            "--base-domain", "localhost",
            "--region", REGION,
            *self.extra,
        ]
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LIVEBUCKET_")},
            "LIVEBUCKET_ACCESS_KEY": self.access_key,
            "LIVEBUCKET_SECRET_KEY": self.secret_key,
            **self.secrets,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=log, stderr=log, env=environment, cwd=self.data
            )
        wait_until(self._ready, 20, f"server {self.name} ready; its log: {self.log}")
        return self

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(
                f"the server ended with {self.process.returncode} at start:\n{self.log.read_text()[-4000:]}"
            )
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/health/ready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self):
        """Ends the server as an operator does; it must take the hint in time and leave with 0."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("the server did not end within 30 s of SIGTERM") from None
        finally:
            self.process = None
        assert code == 0, f"the server ended with {code} after SIGTERM:\n{self.log.read_text()[-4000:]}"

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def run(self, *arguments, check: bool = True) -> subprocess.CompletedProcess:
        """A subcommand of the binary."""
        result = subprocess.run(
            [str(BINARY), *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=self.data,
            env={**os.environ, **self.secrets},
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"livebucket {' '.join(map(str, arguments))}: exit {result.returncode}\n{result.stdout}{result.stderr}"
            )
        return result

    def check(self, *options: str) -> str:
        """`livebucket check` on the stopped data directory: every storage invariant holds. After a crash that no start has
        recovered yet, blobs that were in flight are still there: then `--recover` belongs with it."""
        result = self.run("check", *options, "--data", self.data / "data", check=False)
        report = result.stdout + result.stderr
        assert result.returncode == 0, f"livebucket check: exit {result.returncode}\n{report}"
        return report

    def remove(self):
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.data.with_suffix(".tls"), ignore_errors=True)

    def cpu_seconds(self) -> float:
        """Processor time that the running server has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self) -> float:
        """Resident memory of the running server."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    def session(self, *options: str) -> "Session":
        """A temporary credential of the server's own key."""
        told = self.run("key", "session", "--data", self.data / "data", *options).stdout
        fields = dict(line.split("  ", 1) for line in told.splitlines())
        return Session(*(fields[name].strip() for name in ("access key", "secret key", "security token")))

    def environment(self, **more: str) -> dict:
        """What the JavaScript suites read."""
        session = self.session()
        return {
            **os.environ,
            "LIVEBUCKET_ENDPOINT": self.ip_endpoint,
            "LIVEBUCKET_NAME_ENDPOINT": self.name_endpoint,
            "LIVEBUCKET_ACCESS_KEY": self.access_key,
            "LIVEBUCKET_SECRET_KEY": self.secret_key,
            "LIVEBUCKET_STS_ACCESS_KEY": session.access_key,
            "LIVEBUCKET_STS_SECRET_KEY": session.secret_key,
            "LIVEBUCKET_STS_TOKEN": session.token,
            "LIVEBUCKET_REGION": REGION,
            "COMPAT_OUT": str(OUT),
            **more,
        }


def _certificate(directory: pathlib.Path):
    """A self-signed certificate for localhost."""
    directory.mkdir()
    certificate, key = directory / "cert.pem", directory / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,DNS:*.localhost,IP:127.0.0.1"],
        check=True, capture_output=True,
    )
    return certificate, key
