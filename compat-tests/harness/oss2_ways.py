"""The ways in which oss2 can be aimed at a server: four kinds of address, three signatures."""

import contextlib
import socket

import oss2

from .server import REGION

# Virtual-host addressing needs a name that is not `localhost`, which oss2 takes for an address. The suite resolves it.
DOMAIN = "compat.test"
SERVER = {"extra": ("--base-domain", DOMAIN)}

ADDRESSING = ["virtual host", "localhost", "IP", "path style"]
SIGNATURES = ["V1", "V2", "V4"]


@contextlib.contextmanager
def domain_resolved():
    """Resolves `*.compat.test` to loopback inside this process."""
    genuine = socket.getaddrinfo

    def resolve(host, *arguments, **named):
        name = host.decode() if isinstance(host, bytes) else host
        return genuine("127.0.0.1" if name and name.endswith(DOMAIN) else host, *arguments, **named)

    socket.getaddrinfo = resolve
    try:
        yield
    finally:
        socket.getaddrinfo = genuine


def endpoint(server, addressing: str) -> str:
    host = {"virtual host": DOMAIN, "localhost": "localhost", "IP": "127.0.0.1", "path style": DOMAIN}[addressing]
    return f"http://{host}:{server.port}"


def auth(server, signature: str, key: str | None = None, secret: str | None = None):
    kind = {"V1": oss2.Auth, "V2": oss2.AuthV2, "V4": oss2.AuthV4}[signature]
    return kind(key or server.access_key, secret or server.secret_key)


def connect(server, addressing: str, signature: str, name: str, authority=None) -> oss2.Bucket:
    return oss2.Bucket(
        authority or auth(server, signature), endpoint(server, addressing), name,
        region=REGION, is_path_style=addressing == "path style", enable_crc=True,
    )


def url_base(server, addressing: str, bucket: str) -> tuple:
    """Publish and play URLs that the service is to give for this way of addressing, up to the channel."""
    if addressing == "IP":
        return (f"rtmp://127.0.0.1:{server.port}/{bucket}/live", f"http://127.0.0.1:{server.port}/{bucket}")
    host = f"{bucket}.{endpoint(server, addressing).removeprefix('http://')}"
    return (f"rtmp://{host}/live", f"http://{host}")
