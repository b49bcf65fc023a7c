"""The ways in which alibabacloud-oss-v2 can be aimed at a server: three kinds of address, two signatures."""

import contextlib

import alibabacloud_oss_v2 as oss
import pytest

from .oss2_ways import DOMAIN
from .server import REGION

WAYS = [f"{addressing}/{version}" for addressing in ("virtual host", "path style", "IP") for version in ("v1", "v4")]


def connect(server, way: str = "IP/v4", key: str | None = None, secret: str | None = None, **more) -> oss.Client:
    """A client whose CRC checks are on, which is its default."""
    return oss.Client(configuration(server, way, key, secret, **more))


def configuration(server, way: str, key: str | None = None, secret: str | None = None, **more) -> oss.config.Config:
    addressing, version = way.split("/")
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        key or server.access_key, secret or server.secret_key
    )
    config.region, config.signature_version = REGION, version
    config.endpoint = f"http://{'127.0.0.1' if addressing == 'IP' else DOMAIN}:{server.port}"
    config.use_path_style = addressing == "path style"
    # What fails is to be seen failing; with fewer than two attempts the client reads nothing into files.
    config.retry_max_attempts = 2
    for name, value in more.items():
        setattr(config, name, value)
    return config


def bucket_name(prefix: str, way: str) -> str:
    return f"{prefix}-{way.replace(' ', '-').replace('/', '-').lower()}"


def empty(client: oss.Client, bucket: str):
    for page in client.list_objects_v2_paginator().iter_page(oss.ListObjectsV2Request(bucket=bucket)):
        if page.contents:
            gone = [oss.DeleteObject(key=one.key) for one in page.contents]
            client.delete_multiple_objects(oss.DeleteMultipleObjectsRequest(bucket=bucket, objects=gone, quiet=True))


@contextlib.contextmanager
def refused(status: int, code: str):
    """The service's own error, as the client gives it to its user; the caller may look at it."""
    seen = []
    with pytest.raises(oss.exceptions.OperationError) as raised:
        yield seen
    error = raised.value.unwrap()
    assert isinstance(error, oss.exceptions.ServiceError), error
    assert (error.status_code, error.code) == (status, code), error
    # A HEAD has no body; its error comes in a header.
    assert error.request_id and error.headers.get("x-oss-request-id") == error.request_id
    seen.append(error)
