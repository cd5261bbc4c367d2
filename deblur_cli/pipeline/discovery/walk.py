"""Goes through a folder to its bottom: one look at each folder, none at the files in it."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.discovery.listed import remember
from deblur_cli.pipeline.paths import identity, is_folder, is_special
from deblur_cli.storage.remote import RemotePath


@dataclass(frozen=True)
class Listing:
    """What a folder holds, without what is hidden.

    Attributes:
        folder: where.
        files: the names of its files, sorted.
        special: the names of its pipes, devices and the like.
        folders: those in it, sorted.
        links: those that its symbolic links lead to, sorted.
    """

    folder: Path
    files: list[str] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    links: list[Path] = field(default_factory=list)


def walk(
    top: Path,
    apart: Iterable[Path],
    miss: Callable[[str, Path], None],
    depth: int | None = None,
) -> Iterator[Listing]:
    """Every folder of a folder's own tree, then of those that its symbolic links lead to.

    Args:
        top: the folder.
        apart: folders that are left out, but for the top itself.
        miss: told of each folder that cannot be read, and why.
        depth: how many folders deep; None for all.
    """
    seen = {identity(path) for path in apart} - {identity(top), None}
    tops = deque([top])
    while tops:
        waiting = [tops.popleft()]
        while waiting:
            folder = waiting.pop()
            found = identity(folder)
            if found in seen:
                continue
            if found is not None:
                seen.add(found)
            try:
                listing = listed(folder)
            except OSError as error:
                miss(f"the folder cannot be read: {error.strerror}", folder)
                continue
            yield listing
            if depth is None or len(folder.relative_to(top).parts) < depth:
                waiting.extend(reversed(listing.folders))
                tops.extend(listing.links)


def listed(folder: Path) -> Listing:
    """What a folder holds; raises `OSError`."""
    if isinstance(folder, RemotePath):
        return _listed_objects(folder)
    listing = Listing(folder)
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                _put(entry, listing)
    for names in (listing.files, listing.special, listing.folders, listing.links):
        names.sort()
    return listing


def _listed_objects(folder: RemotePath) -> Listing:
    found = {name: status for name, status in folder.entries().items() if name[0] != "."}
    files = sorted(name for name, status in found.items() if stat.S_ISREG(status.st_mode))
    folders: list[Path] = [folder / name for name in sorted(found.keys() - set(files))]
    for name in files:
        remember(folder / name, found[name].st_size, found[name].st_mtime_ns)
    return Listing(folder, files, [], folders)


def _put(entry: os.DirEntry[str], listing: Listing) -> None:
    if entry.is_symlink():
        path = listing.folder / entry.name
        if is_folder(path):
            listing.links.append(path)
        else:
            (listing.special if is_special(path) else listing.files).append(entry.name)
    elif entry.is_dir(follow_symlinks=False):
        listing.folders.append(listing.folder / entry.name)
    elif entry.is_file(follow_symlinks=False):
        listing.files.append(entry.name)
    else:
        listing.special.append(entry.name)


def remember_all(top: RemotePath) -> None:
    """Have every object below a folder listed; raises `ImageWriteError` if that fails."""

    def fail(problem: str, folder: Path) -> None:
        raise ImageWriteError(problem, path=folder, remedy="the same command resumes")

    for _ in walk(top, (), fail):
        pass
