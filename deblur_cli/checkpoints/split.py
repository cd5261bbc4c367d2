"""Files in pieces that fit through channels with a limit, beside a list with their checksums."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.errors import WeightsError

SUFFIX = ".split"
"""Of the list: pieces of `a.pt` are `a.pt.000`, `a.pt.001` and so on, their list `a.pt.split`."""


def split_file(path: Path, size: int) -> Path:
    """Replace a file by pieces of at most `size` bytes and their list, whose path is returned.

    The file is deleted when everything else is written.

    Raises:
        WeightsError: something cannot be read, written or deleted.
    """
    listing = path.with_name(path.name + SUFFIX)
    content = {"sha256": file_sha256(path), "pieces": list(_write_pieces(path, size))}
    _write(listing, json.dumps(content, indent=1).encode())
    try:
        path.unlink()
    except OSError as error:
        raise _failed("deleted", path, error) from error
    return listing


def whole_file(path: Path) -> Path:
    """The file itself, or if `path` is a list of pieces, the file they make, written beside it.

    Raises:
        WeightsError: a piece is missing or damaged, another file is in the way, or the disk full.
    """
    return _join(path) if path.suffix == SUFFIX else path


def join_if_split(path: Path) -> Path | None:
    """`path` if there is such a file, else made from its pieces; None if there are none either.

    Raises:
        WeightsError: as for `whole_file`.
    """
    listing = path.with_name(path.name + SUFFIX)
    if not path.exists() and listing.exists():
        return _join(listing)
    return path if path.exists() else None


def _write_pieces(path: Path, size: int) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as whole:
            for number, content in enumerate(iter(lambda: whole.read(size), b"")):
                _write(_piece(path, number), content)
                yield {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    except OSError as error:
        raise _failed("read", path, error) from error


def _piece(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number:03}")


def _join(listing: Path) -> Path:
    target = listing.with_suffix("")
    whole, pieces = _read_listing(listing)
    if target.exists():
        if file_sha256(target) == whole:
            return target
        raise WeightsError(
            f"is not what '{listing.name}' lists", path=target, remedy="move one of them away"
        )
    content = []
    for number, checksum in enumerate(pieces):
        piece = _piece(target, number)
        if file_sha256(piece) != checksum:
            raise WeightsError("is damaged", path=piece, remedy="fetch it again")
        content.append(piece.read_bytes())
    _write(target, b"".join(content))
    return target


def _read_listing(listing: Path) -> tuple[str, list[str]]:
    """Checksums of the whole and of its pieces."""
    try:
        content = json.loads(listing.read_bytes())
        return content["sha256"], [piece["sha256"] for piece in content["pieces"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            "cannot be read as a list of pieces", path=listing, remedy="fetch it again"
        ) from error


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _failed(done: str, path: Path, error: OSError) -> WeightsError:
    return WeightsError(
        f"cannot be {done}: {error.strerror}", path=path, remedy="check its permissions"
    )
