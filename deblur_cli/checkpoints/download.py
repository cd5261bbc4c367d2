"""A file brought from the Hub into its cache; it goes on where an earlier download broke off.

The library's own downloads begin anew in each process. So large files are brought here, next to
where the cache keeps them, under a name of their own until they are complete and their checksum is
the one that the Hub states; the library then finds them there.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import HubFile
from deblur_cli.errors import WeightsError

if TYPE_CHECKING:
    from huggingface_hub import HfFileMetadata

log = logging.getLogger(__name__)
"""What is downloaded, and when that is done: a line each."""

_SHA256_DIGITS = 64


def download(file: HubFile, told: HfFileMetadata, anew: bool) -> Path:
    """Bring a file into the cache, with a progress bar on a terminal.

    Args:
        file: what is wanted.
        told: what the Hub says of it.
        anew: replace a file that is in the cache; it stays until the new one is complete.

    Returns:
        Its path in the cache.

    Raises:
        WeightsError: it was changed on its way.
        Exception: whatever the library raises.
    """
    from huggingface_hub import hf_hub_download

    if told.etag is not None and len(told.etag) == _SHA256_DIGITS and not anew:
        _bring(file, told, told.etag)
    return Path(
        hf_hub_download(
            file.repo,
            file.file,
            revision=file.revision,
            repo_type=file.repo_type,
            force_download=anew,
        )
    )


def cache_folder() -> Path:
    """Where the library keeps what it fetched, of all repositories."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def bytes_to_come(file: HubFile, size: int, sha256: str | None) -> int:
    """How much of a file of `size` bytes is not in the cache yet."""
    if sha256 is None:
        return size
    blob = _place(file) / "blobs" / sha256
    if blob.exists():
        return 0
    partial = _partial(blob)
    return size - (partial.stat().st_size if partial.exists() else 0)


def _bring(file: HubFile, told: HfFileMetadata, sha256: str) -> None:
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    with _alone(file, sha256) as blob:
        if blob.exists():
            return
        partial = _partial(blob)
        size = f"{(told.size or 0) / 1e6:.1f} MB"
        log.info("fetching %s (%s) into %s", file, size, blob.parents[1])
        with partial.open("ab") as content:
            http_get(
                told.location,
                content,
                resume_size=content.tell(),
                headers=build_hf_headers(token=None if _of_the_hub(told.location) else False),
                expected_size=told.size,
                displayed_filename=Path(file.file).name,
            )
        if file_sha256(partial) != sha256:
            partial.unlink()
            raise WeightsError(f"{file} was changed on its way", remedy="try again")
        partial.replace(blob)
        log.info("fetched %s", file)


@contextmanager
def _alone(file: HubFile, sha256: str) -> Iterator[Path]:
    """Where the cache keeps the content, while no other process brings it."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    folder = _place(file)
    blob = folder / "blobs" / sha256
    lock = folder.parent / ".locks" / folder.name / f"{sha256}.lock"
    for parent in (blob.parent, lock.parent):
        parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        yield blob


def _place(file: HubFile) -> Path:
    """Where the cache keeps everything of the file's repository."""
    from huggingface_hub.file_download import repo_folder_name

    return cache_folder() / repo_folder_name(repo_id=file.repo, repo_type=file.repo_type)


def _partial(blob: Path) -> Path:
    return blob.with_name(f"{blob.name}.part")


def _of_the_hub(location: str) -> bool:
    """Whether the Hub itself answers there: nobody else may see the token."""
    from huggingface_hub import constants

    return urlsplit(location).netloc == urlsplit(constants.ENDPOINT).netloc
