"""Stands in for the npm program: packs what a test has put somewhere, or fails as npm does."""

from __future__ import annotations

import base64
import hashlib
import io
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

PROGRAM = """#!{python}
import pathlib, shutil, sys
folder = pathlib.Path({folder!r})
(folder / "arguments").write_text("\\n".join(sys.argv[1:]))
if (folder / "stderr").exists():
    sys.exit((folder / "stderr").read_text())
shutil.copy(folder / "package.tgz", "some-package-1.0.0.tgz")
"""


def install(folder: Path, package: bytes) -> None:
    """Put a program `npm` into `folder` that packs this package."""
    folder.mkdir(exist_ok=True)
    (folder / "package.tgz").write_bytes(package)
    (folder / "npm").write_text(PROGRAM.format(python=sys.executable, folder=str(folder)))
    (folder / "npm").chmod(0o755)


def fail(folder: Path, stderr: str) -> None:
    """Let it fail with these words from now on."""
    (folder / "stderr").write_text(stderr)


def package(files: Iterable[tuple[str, bytes]], links: Iterable[tuple[str, str]] = ()) -> bytes:
    """A package of files by their full names, and of links by what they point to."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as archive:
        for name, target in links:
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()


def integrity(package: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(package).digest()).decode()}"
