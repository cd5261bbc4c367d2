"""The lines of a ledger: what each says, and how much of it can be told without reading it all.

A line is a JSON object whose first field names its kind and the result it is about, and whose last
field is the time. A ledger may have a million of them, so one is taken apart when it is asked for.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from deblur_cli.errors import ImageReadError


@dataclass(frozen=True)
class Fingerprint:
    """What tells one version of a file from another without reading it: bytes and nanoseconds."""

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Fingerprint:
        """Fingerprint of a file; raises `ImageReadError` where there is none."""
        try:
            status = path.stat()
        except OSError as error:
            raise ImageReadError(f"cannot be read: {error.strerror}", path=path) from error
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Record:
    """A result that was begun, and its size in bytes once it was done.

    `target` is relative to the output folder, `source` likewise where that is possible.
    `replaces` is the file that lay there before, so that it is never mistaken for the result.
    A record without `settings` says that the result will not appear after all.
    """

    KIND: ClassVar = b"target"

    target: str
    source: str
    source_file: Fingerprint
    settings: str
    replaces: Fingerprint | None
    result_size: int | None
    time: float

    def is_of(self, found: Fingerprint) -> bool:
        """Whether the file that lies there is the result."""
        if self.result_size is None:
            return found != self.replaces
        return found.size == self.result_size


@dataclass(frozen=True)
class Failure:
    """A result that could not be made, and why; paths as in `Record`."""

    KIND: ClassVar = b"failed"

    failed: str
    source: str
    code: str
    message: str
    time: float


@dataclass(frozen=True)
class Claim:
    """A process has a result in hand, and what lies `beside` it."""

    KIND: ClassVar = b"claimed"

    claimed: str
    beside: list[str] = field(default_factory=list)
    time: float = 0.0


@dataclass(frozen=True)
class Release:
    """A process has a result in hand no more, though there is nothing else to say of it."""

    KIND: ClassVar = b"released"

    released: str
    time: float


Entry = Record | Failure | Claim | Release
_Kind = TypeVar("_Kind", Record, Failure, Claim, Release)
_FINGERPRINTS = {"source_file", "replaces"}


def line_of(entry: Entry) -> bytes:
    """The entry as a line, without its end."""
    return json.dumps(asdict(entry)).encode()


def parsed(kind: type[_Kind], line: bytes | None) -> _Kind | None:
    """The entry in a line, or None when there is none or it is damaged."""
    if line is None:
        return None
    try:
        fields: dict[str, Any] = json.loads(line)
        for name in _FINGERPRINTS & fields.keys():
            fields[name] = fields[name] and Fingerprint(**fields[name])
        return kind(**fields)
    except (ValueError, TypeError, AttributeError):
        return None


def key_of(name: str) -> bytes:
    """A result's name as lines have it."""
    return json.dumps(name)[1:-1].encode()


def name_of(key: bytes) -> str:
    """A result's name as it is."""
    if b"\\" not in key:
        return key.decode()
    return str(json.loads(b'"' + key + b'"'))


def kind_and_key(line: bytes) -> tuple[bytes, bytes]:
    """What a line begins with; two empty texts if it is damaged or of another make."""
    kind, opened, rest = line.partition(b'": "')
    key, closed, _ = rest.partition(b'", "')
    if not (opened and closed and kind.startswith(b'{"') and line.endswith(b"}")):
        return b"", b""
    return kind[2:], key


def time_of(line: bytes | None) -> float:
    """When an entry was written, in seconds since 1970; 0 for none or a damaged one."""
    try:
        return 0.0 if line is None else float(line[line.rindex(b" ") : -1])
    except ValueError:
        return 0.0


def ends_claim(line: bytes) -> bool:
    """Whether a record says that its process has the result in hand no more."""
    return b'"result_size": null' not in line or b'"settings": ""' in line
