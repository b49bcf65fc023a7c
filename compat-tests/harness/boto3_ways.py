"""The ways in which boto3 can be aimed at a server: two kinds of address, two signatures."""

import contextlib
import socket

import boto3
import botocore.config

DOMAIN = "compat.test"
SERVER = {"extra": ("--base-domain", DOMAIN)}

WAYS = [f"{addressing}/{signature}" for addressing in ("path", "virtual") for signature in ("s3v4", "s3")]


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


def connect(server, way: str, **more):
    addressing, signature = way.split("/")
    config = botocore.config.Config(
        signature_version=signature, s3={"addressing_style": addressing}, retries={"max_attempts": 1}, **more
    )
    host = "127.0.0.1" if addressing == "path" else DOMAIN
    return boto3.client(
        "s3", endpoint_url=f"http://{host}:{server.port}", region_name="us-east-1", config=config,
        aws_access_key_id=server.access_key, aws_secret_access_key=server.secret_key,
    )


def code_of(error) -> str:
    return error.value.response["Error"]["Code"]


def status_of(error) -> int:
    return error.value.response["ResponseMetadata"]["HTTPStatusCode"]
