"""Objects in the storage of this process."""

from __future__ import annotations

import itertools
from pathlib import Path

from deblur_cli.storage.remote import RemotePath, located

_numbers = itertools.count()


def new_folder() -> RemotePath:
    """A folder of its own, with nothing in it."""
    path = located(f"memory://bucket/{next(_numbers)}")
    assert isinstance(path, RemotePath)
    return path


def put(path: Path, content: bytes, folder: Path) -> RemotePath:
    """An object of that content, put by way of a file in a folder of this machine."""
    assert isinstance(path, RemotePath)
    (folder / "local").write_bytes(content)
    path.put(folder / "local")
    return path
