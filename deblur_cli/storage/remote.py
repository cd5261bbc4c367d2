"""Object storage by URL: a path whose file lies there, read and put as a whole."""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from deblur_cli.errors import MissingExtraError, UsageError

_URL = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.DOTALL)
_SECOND = 1_000_000_000


class RemotePath(Path, PurePosixPath):
    """The URL of an object or of a folder of objects, with the names and parts of a path.

    Whatever needs a file of this machine fails with it (`TypeError`) rather than finding another
    one. What asks the storage raises `OSError`, with a `strerror` for the user.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """The URL."""
        _, scheme, *names = self.parts
        return f"{scheme}//{'/'.join(names)}"

    def __fspath__(self) -> str:
        """There is no such file."""
        raise TypeError(f"{self} is no file of this machine")

    @property
    def bucket(self) -> RemotePath:
        """The top of what it is in."""
        return type(self)(*self.parts[:3])

    def relative_to(self, *other: str | PurePath) -> Path:  # type: ignore[override]
        """The rest of the path, which is no URL."""
        return Path(*super().relative_to(*other).parts)

    @property
    def is_in_memory(self) -> bool:
        """Whether buckets come into being as they are used."""
        return self.parts[1] == "memory:"

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size, kind and time; an object's time has its version below the second."""
        with _told(self):
            return _status(_system(self).info(str(self)))

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> Any:
        """The whole content, in memory; only for reading bytes."""
        if mode != "rb":
            raise TypeError(f"{self} can only be read, or put as a whole")
        with _told(self):
            return io.BytesIO(_system(self).cat_file(str(self)))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: folders are but parts of names."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        with _told(self):
            _system(self).rm_file(str(self))

    def read_from(self, start: int) -> bytes:
        """The content from a byte on."""
        with _told(self):
            return bytes(_system(self).cat_file(str(self), start=start))

    def put(self, file: Path) -> None:
        """Let the object be what the file is, all at once."""
        with _told(self):
            _system(self).put_file(str(file), str(self))

    def entries(self) -> dict[str, os.stat_result]:
        """What the folder holds, by the names; nothing where there is none."""
        system = _system(self)
        try:
            with _told(self):
                found = system.ls(str(self), detail=True, refresh=True)
        except FileNotFoundError:
            return {}
        own = str(system._strip_protocol(str(self))).rstrip("/")
        named = ((str(info["name"]).rstrip("/"), info) for info in found)
        return {name.rpartition("/")[2]: _status(info) for name, info in named if name != own}


def is_url(text: str) -> bool:
    """Whether a text begins as a URL does, or a path that was made of one."""
    return re.match(r"[a-z][a-z0-9+.-]+:/", text) is not None


def located(text: str | PurePath) -> Path:
    """The path that a text means: a URL's or a file's.

    Raises:
        UsageError: the URL holds a password, or of its kind of storage nothing is known.
        MissingExtraError: the library for it is not installed.
    """
    if isinstance(text, Path):
        return text
    matched = _URL.fullmatch(str(text))
    if matched is None:
        return Path(text)
    scheme, rest = matched.groups()
    account, at, _ = rest.partition("/")[0].rpartition("@")
    if at and ":" in account:
        raise UsageError("a URL holds a password", remedy="give credentials by the environment")
    if scheme == "file":
        return Path(rest)
    if not rest.strip("/"):
        raise UsageError(f"{scheme}:// names no bucket", remedy=f"{scheme}://bucket/folder")
    _file_system(scheme)
    return RemotePath("/", f"{scheme}:", *rest.split("/"))


@cache
def require_bucket(bucket: RemotePath) -> None:
    """Raise `OSError` if a bucket cannot be reached; one that was reached is not asked again."""
    if not bucket.is_in_memory:
        bucket.stat()


def _system(path: RemotePath) -> Any:
    return _file_system(path.parts[1].removesuffix(":"))


@cache
def _file_system(scheme: str) -> Any:
    try:
        import fsspec
    except ImportError as error:
        raise MissingExtraError("object storage", "cloud") from error
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        if scheme in ("s3", "s3a"):
            raise MissingExtraError("object storage", "cloud") from error
        raise UsageError(f"{scheme}:// cannot be reached: {error}") from error
    except ValueError as error:
        raise UsageError(f"{scheme}:// is no known storage", remedy="such as s3://") from error


@contextmanager
def _told(path: RemotePath) -> Iterator[None]:
    """What goes wrong, as an `OSError` whose `strerror` says nothing secret."""
    try:
        yield
    except FileNotFoundError as error:
        is_bucket = "bucket does not exist" in str(error) or len(path.parts) <= 3
        problem = "no such bucket" if is_bucket else "no such object or folder"
        raise FileNotFoundError(errno.ENOENT, problem, str(path)) from error
    except PermissionError as error:
        problem = "access is denied (are the credentials right?)"
        raise PermissionError(errno.EACCES, problem, str(path)) from error
    except Exception as error:
        kind = type(error).__name__
        if "Credentials" in kind:
            problem = "there are no credentials, or only some"
            raise PermissionError(errno.EACCES, problem, str(path)) from error
        if "Connection" in kind or "Timeout" in kind:
            raise OSError(errno.EIO, "there is no connection to the storage", str(path)) from error
        problem = f"the storage does not answer as it should ({kind})"
        raise OSError(errno.EIO, problem, str(path)) from error


def _status(info: Mapping[str, Any]) -> os.stat_result:
    is_folder = info["type"] == "directory"
    mode = stat.S_IFDIR if is_folder else stat.S_IFREG
    size = int(info.get("size") or 0)
    changed = _seconds(info)
    version = str(info.get("ETag") or info.get("etag") or "").strip('"')
    nanoseconds = (
        changed * _SECOND + zlib.crc32(version.encode()) % _SECOND
        if version
        else (changed * _SECOND)
    )
    times = {"st_mtime_ns": nanoseconds, "st_mtime": float(changed), "st_atime_ns": nanoseconds}
    return os.stat_result((mode, 0, 0, 1, 0, 0, size, changed, changed, changed), times)


def _seconds(info: Mapping[str, Any]) -> int:
    """When the object was last changed, in seconds since 1970."""
    for field in ("LastModified", "last_modified", "updated", "mtime", "created"):
        match info.get(field):
            case datetime() as when:
                return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
            case int() | float() as when:
                return int(when)
            case str() as when:
                return int(datetime.fromisoformat(when).timestamp())
    return 0
