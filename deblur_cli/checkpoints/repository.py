"""What a repository of data on the Hub holds, before anything of it is fetched."""

from __future__ import annotations

from dataclasses import dataclass

from deblur_cli.checkpoints import hub
from deblur_cli.checkpoints.manifest import HubDatasetFile

LATEST = "main"
_LISTING_SECONDS = 60.0
"""For the sizes of thousands of files, once the Hub has shown that it answers."""


@dataclass(frozen=True)
class RemoteFile:
    """A file in a repository, as the Hub describes it."""

    file: HubDatasetFile
    bytes: int
    sha256: str | None
    """None for small files, which the Hub keeps in git."""


def list_repository(repo: str) -> list[RemoteFile]:
    """The files of a repository of data as it is now, each pinned to the present commit.

    Raises:
        WeightsError: no such repository, no access, or no connection.
    """
    from huggingface_hub import HfApi, constants

    with hub.explained(f"hub:datasets/{repo}"):
        api = HfApi(endpoint=constants.ENDPOINT)
        now = hub.soon_answered(
            lambda: api.dataset_info(repo, revision=LATEST, timeout=hub.PATIENCE)
        )
        commit = now.sha or LATEST
        told = api.dataset_info(
            repo, revision=commit, timeout=_LISTING_SECONDS, files_metadata=True
        )
    return [
        RemoteFile(
            HubDatasetFile(repo, one.rfilename, commit),
            one.size or 0,
            one.lfs.sha256 if one.lfs is not None else None,
        )
        for one in told.siblings or ()
    ]
