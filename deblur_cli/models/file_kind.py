"""What a file that should hold weights is, by its first bytes and not by its name."""

from __future__ import annotations

import zipfile
from pathlib import Path

from deblur_cli.errors import WeightsError

_ANOTHER = "fetch the checkpoint as safetensors or .pth"

_STRANGERS = {
    b"\x93numpy": ("is a numpy array", _ANOTHER),
    b"\x89hdf": ("is an HDF5 file", _ANOTHER),
    b"<!doctype html": ("is a web page", "download the file itself, not the page about it"),
    b"<html": ("is a web page", "download the file itself, not the page about it"),
    b"version https://git-lfs": ("is a pointer of git-lfs, not the file itself", "git lfs pull"),
}
"""Problem and remedy by the first bytes, in lower case."""

_ARCHIVED_STRANGERS = {
    "constants.pkl": "is a TorchScript archive, which holds code",
    ".npy": "is an archive of numpy arrays",
}
"""Problem by the end of a name in a zip archive."""

_LONGEST_HEADER = 100_000_000
"""Bytes; the limit of the safetensors library."""


def holds_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a header, and the header in JSON."""
    head = _head(path)
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= _LONGEST_HEADER


def holds_pickle(path: Path) -> bool:
    """Whether a file begins as pickles do, or as the zip archives that torch puts them into."""
    return _head(path).startswith((b"\x80", b"PK"))


def refuse_other_kinds(path: Path) -> None:
    """Refuse what people take for weights, by its right name.

    Raises:
        WeightsError: it is empty, cannot be read, or of a known other kind.
    """
    head = _head(path)
    if not head:
        raise WeightsError("is empty", path=path, remedy="fetch it again")
    if path.suffix.lower() == ".onnx":
        raise WeightsError("is an ONNX graph", path=path, remedy=_ANOTHER)
    for beginning, (problem, remedy) in _STRANGERS.items():
        if head.lstrip().lower().startswith(beginning):
            raise WeightsError(problem, path=path, remedy=remedy)
    for ending, problem in _ARCHIVED_STRANGERS.items():
        if any(name.endswith(ending) for name in _archived(path)):
            raise WeightsError(problem, path=path, remedy=_ANOTHER)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", path=path) from error


def _archived(path: Path) -> list[str]:
    """Names in a zip archive; none if it is no intact one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return []
