"""An S3 server on loopback, and buckets in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deblur_cli.storage import remote

SECRET = "a-secret-that-nobody-may-see"
OBJECT_ACTIONS = ("Get", "Head", "Put", "Delete")


@contextmanager
def serving() -> Iterator[str]:
    """Runs the server; gives its URL."""
    server = pytest.importorskip("moto.server", reason="needs moto")
    pytest.importorskip("s3fs", reason="needs s3fs")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "tester")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_MAX_ATTEMPTS", "1")
        forget()
        try:
            yield f"http://{host}:{port}"
        finally:
            running.stop()
            forget()


def forget() -> None:
    """Let the next use of a storage look at the environment anew."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    remote._file_system.cache_clear()
    remote.require_bucket.cache_clear()


def upload(folder: Path, url: str) -> None:
    """Put all files of a folder below a URL."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            target = remote.located(f"{url}/{path.relative_to(folder).as_posix()}")
            assert isinstance(target, remote.RemotePath)
            target.put(path)


def names(url: str) -> list[str]:
    """The names of all objects below a URL, without it."""
    found = remote._file_system("s3").find(url)
    return sorted(name.removeprefix(url.removeprefix("s3://")).lstrip("/") for name in found)


def allow_only(url: str, *actions: str) -> None:
    """Let nobody do anything else with the objects of a bucket, or of a folder in it."""
    bucket, _, folder = url.removeprefix("s3://").partition("/")
    forbidden = [f"s3:{action}Object" for action in OBJECT_ACTIONS if action not in actions]
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": forbidden,
        "Resource": f"arn:aws:s3:::{bucket}/{folder}*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement] if forbidden else []}
    system = remote._file_system("s3")
    system.call_s3("put_bucket_policy", Bucket=bucket, Policy=json.dumps(policy))


def make_bucket(name: str) -> str:
    """The URL of a new bucket."""
    remote._file_system("s3").mkdir(name)
    return f"s3://{name}"
