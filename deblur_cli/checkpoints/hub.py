"""Files of the Hugging Face Hub: from the cache, or fetched into it.

HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and proxies work as everywhere.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar, cast

from deblur_cli.checkpoints.download import download
from deblur_cli.checkpoints.manifest import HubFile
from deblur_cli.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

Answer = TypeVar("Answer")
PREFIX = "hub:"
PATIENCE = 5.0
"""Seconds within which the Hub has to answer before anything is fetched or pushed."""
_unreachable: dict[str, Exception] = {}
"""Hubs that did not answer this process, and why: nobody waits for the same one twice."""
_REFERENCE = re.compile(r"hub:(?P<repo>[^/@]+/[^/@]+)/(?P<file>[^@]+)@(?P<revision>[^@]+)")
_COMMIT = re.compile("[0-9a-f]{40}")


def parse_hub(reference: str) -> HubFile:
    """Read `hub:owner/repo/path/in/repo@revision`.

    Raises:
        UsageError: not of that form.
    """
    match = _REFERENCE.fullmatch(reference)
    if match is None:
        raise UsageError(
            f"'{reference}' names no file on the Hub",
            remedy="write hub:owner/repo/file@revision, revision being a commit, a tag or main",
        )
    return HubFile(**match.groupdict())


def fetch(file: HubFile, offline: bool, anew: bool = False) -> Path:
    """Path of a file in the local cache, fetched first if it is not there.

    What a branch or tag stands for is asked for each time; if the Hub does not answer, it is what
    it was when the file was fetched.

    Args:
        file: what is wanted.
        offline: look into the cache only and open no connection.
        anew: fetch it although it may be in the cache, where it is replaced then.

    Raises:
        WeightsError: not cached and offline, no such file, no access, or no connection.
    """
    instead = ", or use bundled weights" if file.repo_type == HubFile.repo_type else ""
    with explained(str(file), instead):
        return _locate(file, offline, anew)


@contextmanager
def explained(name: str, instead: str = "") -> Iterator[None]:
    """Within the block whatever goes wrong with something of the Hub is told as one should know it.

    Args:
        name: what is being asked for.
        instead: what else helps, as the end of a sentence.

    Raises:
        WeightsError: it is not there, not for everybody, or cannot be had now.
    """
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except WeightsError:
        raise
    except LocalEntryNotFoundError as error:  # an EntryNotFoundError that means no connection
        raise _not_fetched(name, error, instead) from error
    except GatedRepoError as error:
        raise WeightsError(
            f"{name} needs its owner's permission",
            remedy="ask for access on its page and set HF_TOKEN",
        ) from error
    except (
        RepositoryNotFoundError,
        RevisionNotFoundError,
        EntryNotFoundError,
        ValueError,  # names that cannot exist, such as those with '..' in them
    ) as error:
        raise WeightsError(
            f"{name} does not exist, or is private",
            remedy="check owner, repository, file and revision, or set HF_TOKEN",
        ) from error
    except Exception as error:  # its HTTP libraries' errors have no base of their own in common
        raise _not_fetched(name, error, instead) from error


def find_cached(file: HubFile) -> Path | None:
    """Where the file is in the local cache, if it is; opens no connection."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(
        file.repo, file.file, revision=file.revision, repo_type=file.repo_type
    )
    return Path(found) if isinstance(found, str) else None


def _locate(file: HubFile, offline: bool, anew: bool) -> Path:
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    kept = find_cached(file)
    cached = None if anew else kept
    if cached is not None and (offline or _COMMIT.fullmatch(file.revision)):
        return cached
    if offline or constants.HF_HUB_OFFLINE:
        if cached is not None:
            return cached
        raise WeightsError(
            f"{file} is not in the cache and may not be fetched offline",
            remedy="run once without --offline and HF_HUB_OFFLINE",
        )
    try:
        told = soon_answered(lambda: _ask_for(file))
    except HfHubHTTPError:
        raise
    except Exception:
        if cached is not None:
            return cached
        raise
    return download(file, told, anew=anew and kept is not None)


def soon_answered(question: Callable[[], Answer]) -> Answer:
    """What the Hub answers within `PATIENCE`.

    The library would ask for minutes, and the look-up of a host's name knows no limit.

    Raises:
        TimeoutError: no answer in time.
        Exception: whatever the question raises; the same again without asking, if the Hub could not
            be reached before.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    if constants.ENDPOINT in _unreachable:
        raise _unreachable[constants.ENDPOINT]
    answers: SimpleQueue[tuple[Answer | None, Exception | None]] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put((question(), None))
        except Exception as error:
            answers.put((None, error))

    Thread(target=ask, daemon=True).start()
    try:
        answer, error = answers.get(timeout=PATIENCE)
    except Empty:
        answer, error = None, TimeoutError(f"no answer within {PATIENCE:.0f} seconds")
    if error is None:
        return cast(Answer, answer)
    if not isinstance(error, HfHubHTTPError):
        _unreachable[constants.ENDPOINT] = error
    raise error


def _ask_for(file: HubFile) -> HfFileMetadata:
    """What the Hub says of a file, once the place where it keeps the file answers, too."""
    from huggingface_hub import get_hf_file_metadata, get_session, hf_hub_url
    from huggingface_hub.utils import hf_raise_for_status  # type: ignore[attr-defined]

    url = hf_hub_url(file.repo, file.file, revision=file.revision, repo_type=file.repo_type)
    told = get_hf_file_metadata(url, timeout=PATIENCE)
    if told.location != url:
        storage = get_session().head(told.location, timeout=PATIENCE)
        if storage.status_code == 429 or storage.status_code >= 500:
            hf_raise_for_status(storage)
    return told


def _not_fetched(name: str, error: Exception, instead: str) -> WeightsError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        remedy = "check that HF_TOKEN is valid and may read it"
    elif status == 429:
        remedy = "wait some minutes, or set HF_TOKEN, which raises the limit"
    elif isinstance(status, int) and status >= 500:
        remedy = f"try again later{instead}"
    elif isinstance(error, OSError) and error.errno == errno.ENOSPC:
        remedy = "make room on the disk, or let HF_HOME name another one"
    else:
        remedy = f"check the connection, HF_ENDPOINT and proxies{instead}"
    return WeightsError(f"{name} cannot be fetched: {reason}", remedy=remedy)
