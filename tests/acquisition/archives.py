"""Small sets as their authors' archives, and a Hub that has them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.data.published import PUBLISHED
from tests.data.layouts import WRITERS, numbered

COUNTS = {"train": 3, "val": 2, "test": 4}
"""Pairs of each split of the small sets."""


def shrink_published(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every set have been published with `COUNTS`."""
    for name, published in PUBLISHED.items():
        counts = {split: COUNTS[split] for split in published.counts}
        if published.has_truth:
            monkeypatch.setitem(PUBLISHED, name, replace(published, counts=counts))  # type: ignore[arg-type]


def write_set(root: Path, name: str) -> Path:
    """All splits of a small set below `root`; returns the folder they lie in."""
    for split in PUBLISHED[name].counts:
        WRITERS[name.removesuffix("-gamma")](root, split, numbered(COUNTS[split]))
    return root / PUBLISHED[name].folders[0]


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file by its path below a folder."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def zipped(files: Mapping[str, bytes] | Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """A zip archive of them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], others: Iterable[tarfile.TarInfo] = ()) -> bytes:
    """A tar.gz archive of them, and of members without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for other in others:
            archive.addfile(other)
    return buffer.getvalue()
