"""Files of the Hugging Face Hub: from the cache, or fetched into it.

HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and proxies work as everywhere.
"""

from __future__ import annotations

import re
from pathlib import Path

from deblur_cli.checkpoints.manifest import HubFile
from deblur_cli.errors import UsageError, WeightsError

PREFIX = "hub:"
_REFERENCE = re.compile(r"hub:(?P<repo>[^/@]+/[^/@]+)/(?P<file>[^@]+)@(?P<revision>[^@]+)")


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


def fetch(file: HubFile, offline: bool) -> Path:
    """Path of a file in the local cache, fetched first if it is not there.

    Args:
        file: what is wanted.
        offline: look into the cache only and open no connection.

    Raises:
        WeightsError: not cached and offline, no such file, no access, or no connection.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(
            hf_hub_download(file.repo, file.file, revision=file.revision, local_files_only=offline)
        )
    except LocalEntryNotFoundError as error:
        raise _offline(file) if offline else _unreachable(file, error) from error
    except GatedRepoError as error:
        raise WeightsError(
            f"{file} needs its owner's permission",
            remedy="ask for access on its page and set HF_TOKEN",
        ) from error
    except (
        RepositoryNotFoundError,
        RevisionNotFoundError,
        EntryNotFoundError,
        ValueError,  # names that cannot exist, such as those with '..' in them
    ) as error:
        raise WeightsError(
            f"{file} does not exist, or is private",
            remedy="check owner, repository, file and revision, or set HF_TOKEN",
        ) from error
    except Exception as error:  # its HTTP libraries' errors have no base of their own in common
        raise _unreachable(file, error) from error


def _offline(file: HubFile) -> WeightsError:
    return WeightsError(
        f"{file} is not in the cache and may not be fetched offline",
        remedy="run once without --offline",
    )


def _unreachable(file: HubFile, error: Exception) -> WeightsError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return WeightsError(
        f"{file} cannot be fetched: {reason}",
        remedy="check the connection, HF_ENDPOINT and proxies, or use bundled weights",
    )
