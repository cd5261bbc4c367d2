"""Files of networks that others trained, which some metrics need: here already, or fetched once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias
from urllib.error import URLError
from urllib.request import Request, urlopen

from deblur_cli.errors import WeightsError

Tell: TypeAlias = Callable[[str], None]
"""Takes a line for the user."""

_PATIENCE = 30.0
"""Seconds within which a server has to say how large a file is."""


class NetworkFile(NamedTuple):
    """A file as its authors publish it."""

    name: str
    url: str
    content: str
    """What is in it, for messages."""

    sha256: str | None = None
    """Its checksum, or how that begins; None if it is not known."""


def network_file(file: NetworkFile, *, offline: bool, tell: Tell) -> Path:
    """The file in torch's cache of checkpoints (`TORCH_HOME`), fetched if it is not there.

    Args:
        file: what is wanted.
        offline: open no connection.
        tell: is told what is fetched, how large it is, and where it goes, before that begins.

    Raises:
        WeightsError: it is not there, and cannot or may not be fetched.
    """
    from torch import hub

    path = Path(hub.get_dir(), "checkpoints", file.name)
    if path.is_file():
        return path
    remedy = f"bring {file.url} there"
    if offline:
        problem = f"{file.content} is not here, and offline it is not fetched"
        raise WeightsError(problem, path=path, remedy=remedy)
    try:
        with urlopen(Request(file.url, method="HEAD"), timeout=_PATIENCE) as answer:
            size = int(answer.headers.get("Content-Length") or 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        tell(f"fetching {file.content}: {size / 1e6:.1f} MB from {file.url} to {path}")
        hub.download_url_to_file(file.url, str(path), file.sha256, progress=False)
    except URLError as error:
        problem = f"{file.content} cannot be fetched: {error.reason}"
        raise WeightsError(problem, path=path, remedy=remedy) from error
    except (OSError, RuntimeError) as error:
        problem = f"{file.content} cannot be fetched: {error}"
        raise WeightsError(problem, path=path, remedy=remedy) from error
    return path
