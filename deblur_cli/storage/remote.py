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
_ONE_REQUEST = {"s3:": {"max_concurrency": 1}, "s3a:": {"max_concurrency": 1}}
"""What lets a storage's library ask for the content only: not for its length first."""


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
            wishes = _ONE_REQUEST.get(self.parts[1], {})
            return io.BytesIO(_system(self).cat_file(str(self), **wishes))

    def is_object(self) -> bool:
        """Whether there is an object of this name, which one request tells where there is none.

        It is asked for its first byte: after its status, a folder of this name would be asked for.
        """
        try:
            with _told(self):
                _system(self).cat_file(str(self), start=0, end=1)
        except FileNotFoundError:
            return False
        except OSError:  # an empty one has no first byte
            return self.is_file()
        return True

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
    except Exception as error:
        number, problem = _trouble(error, path)
        raise OSError(number, problem, str(path)) from error


def _trouble(error: Exception, path: RemotePath) -> tuple[int, str]:
    kind, said = type(error).__name__, str(error)
    if isinstance(error, FileNotFoundError):
        is_bucket = "bucket does not exist" in said or len(path.parts) <= 3
        return errno.ENOENT, "no such bucket" if is_bucket else "no such object or folder"
    if isinstance(error, PermissionError):
        if "expired" in said:
            return errno.EACCES, "the credentials have expired"
        return errno.EACCES, "access is denied (are the credentials right?)"
    if "Bad Request" in said:
        return errno.EACCES, "the request is refused (have the credentials expired?)"
    if kind in ("NoCredentialsError", "PartialCredentialsError"):
        return errno.EACCES, "there are no credentials, or only some"
    if "Credential" in kind or "Token" in kind:
        return errno.EACCES, "the credentials cannot be fetched or renewed"
    if getattr(error, "errno", None) == errno.EBUSY:
        return errno.EIO, "the storage is too busy"
    if "Connection" in kind or "Timeout" in kind:
        return errno.EIO, "there is no connection to the storage"
    return errno.EIO, f"the storage does not answer as it should ({kind})"


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
