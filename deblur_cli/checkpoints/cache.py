"""The cache of converted weights, by their id and own checksum, and of what was told once."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from deblur_cli.checkpoints.manifest import Entry

ENVIRONMENT = "DEBLUR_CACHE"


def cache_folder() -> Path:
    """What `DEBLUR_CACHE` says, else `deblur` in the platform's folder for caches of this user."""
    if told := os.environ.get(ENVIRONMENT):
        return Path(told).expanduser()
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "deblur"


def converted_path(entry: Entry, sha256: str) -> Path:
    """Where the converted weights of this checksum belong."""
    return cache_folder() / "weights" / f"{entry.id}-{sha256}.safetensors"


def find_converted(entry: Entry) -> tuple[Path, str] | None:
    """The converted weights of an entry, if there are some, and the checksum they must have.

    If the manifest pins none, the checksum is that at the time of conversion, and the newest is
    taken.
    """
    name = rf"{re.escape(entry.id)}-({entry.sha256 or '[0-9a-f]{64}'})\.safetensors"
    folder = converted_path(entry, "").parent
    found = [
        (path, match[1])
        for path in (folder.iterdir() if folder.is_dir() else ())
        if (match := re.fullmatch(name, path.name))
    ]
    return max(found, key=lambda one: one[0].stat().st_mtime_ns, default=None)


def first_use(entry_id: str) -> bool:
    """Whether weights are used for the first time by this user; later calls say no.

    Where nothing can be remembered, every use is the first.
    """
    mark = cache_folder() / "used" / entry_id
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch(exist_ok=False)
    except FileExistsError:
        return not mark.exists()
    except OSError:
        return True
    return True
