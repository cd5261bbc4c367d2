"""`deblur weights push`: converted weights into a repository of the user's on the Hub."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.convert import card_of
from deblur_cli.checkpoints.hub import soon_answered
from deblur_cli.checkpoints.manifest import HubFile, Manifest
from deblur_cli.checkpoints.metadata import Metadata, from_text, read_text
from deblur_cli.errors import DeblurError, UsageError, WeightsError

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONFIG, CARD = "config.json", "README.md"
_UNTOUCHED = {".gitattributes"}
"""What the Hub itself puts into a new repository."""
_REMEDIES = {
    401: "set HF_TOKEN to a valid token of yours that may write",
    403: "choose a repository of your own, and a token that may write there",
    409: "somebody else changed the repository meanwhile: look at it, and try again",
    412: "somebody else changed the repository meanwhile: look at it, and try again",
    429: "wait some minutes",
}


@dataclass(frozen=True)
class Release:
    """Converted weights with everything that goes with them."""

    weights: Path
    config: bytes
    """Content of `config.json`: what makes the network, and how it is best run."""
    card: bytes
    """Content of `README.md`: the model card under the front matter that the Hub reads."""


def prepare_release(weights: Path, licence: str | None, manifest: Manifest) -> Release:
    """Read converted weights and the card beside them; opens no connection.

    Args:
        weights: a safetensors file that says what it is, as `deblur weights convert` writes it.
        licence: its name as on the Hub or in SPDX, such as `apache-2.0`; None if the manifest knows
            these weights.
        manifest: of the known weights.

    Raises:
        UsageError: the licence is not known, the file does not say what it is, or has no card.
        WeightsError: the file is missing or damaged.
    """
    sha256 = file_sha256(weights)
    metadata = from_text(read_text(weights))
    if metadata is None:
        raise UsageError(
            "does not say what it is", path=weights, remedy="deblur weights convert it first"
        )
    known = manifest.with_checksum(sha256)
    licence = licence or (known.licence if known is not None else None)
    if licence is None:
        raise UsageError(
            "nothing is known of its licence",
            path=weights,
            remedy="say under which one you publish it, such as --licence apache-2.0",
        )
    try:
        card = card_of(weights).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            "has no model card beside it that can be read",
            path=weights,
            remedy=f"deblur weights convert writes one, {card_of(weights).name}",
        ) from error
    front_matter = _front_matter(metadata, licence, manifest)
    return Release(
        weights, _config(metadata, weights.name), f"---\n{front_matter}\n---\n\n{card}".encode()
    )


def push_release(release: Release, repo: str, public: bool, overwrite: bool) -> HubFile:
    """Put it into a repository, which is made if there is none, in one commit.

    The token is that of HF_TOKEN, or the one that the Hub's own program keeps.

    Args:
        release: what is put there.
        repo: `owner/name`.
        public: whether everybody may see a repository that is made here.
        overwrite: replace files of these names; the repository's history keeps them.

    Returns:
        The weights, as everybody who may can refer to them now.

    Raises:
        UsageError: no repository's name, no token, or other files are there already.
        WeightsError: the Hub refuses, or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_session, get_token

    if not re.fullmatch(r"[^/\s]+/[^/\s]+", repo):
        raise UsageError(f"'{repo}' is no repository of the Hub", remedy="write OWNER/NAME")
    if get_token() is None:
        raise UsageError("the Hub takes weights only from somebody it knows", remedy=_REMEDIES[401])
    contents: dict[str, Path | bytes] = {
        release.weights.name: release.weights,
        CONFIG: release.config,
        CARD: release.card,
    }
    api = HfApi()
    with _refusing(repo), _bars_on_a_terminal():
        soon_answered(lambda: get_session().head(api.endpoint))
        api.create_repo(repo, private=not public, exist_ok=True)
        if not overwrite:
            _refuse_present(api, repo)
        commit = api.create_commit(
            repo,
            [CommitOperationAdd(name, content) for name, content in contents.items()],
            commit_message=f"{release.weights.stem}, by deblur weights push",
        )
    return HubFile(repo, release.weights.name, commit.oid)


def _refuse_present(api: HfApi, repo: str) -> None:
    if present := set(api.list_repo_files(repo)) - _UNTOUCHED:
        raise UsageError(
            f"the repository {repo} holds {', '.join(sorted(present)[:3])} already",
            remedy="choose another name, or --overwrite what has the same names there",
        )


@contextmanager
def _bars_on_a_terminal() -> Iterator[None]:
    """Let the library show how far it is only where somebody looks."""
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    if sys.stderr.isatty() or are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


@contextmanager
def _refusing(repo: str) -> Iterator[None]:
    """Say in one sentence why the Hub did not take it."""
    try:
        yield
    except DeblurError:
        raise
    except Exception as error:  # its HTTP libraries' errors have no base of their own in common
        status = getattr(getattr(error, "response", None), "status_code", None)
        remedy = _REMEDIES.get(status or 0, "check the connection, HF_ENDPOINT and proxies")
        if status is not None and status >= 500:
            remedy = "try again later"
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(f"{repo} cannot be pushed to: {reason}", remedy=remedy) from error


def _front_matter(metadata: Metadata, licence: str, manifest: Manifest) -> str:
    """What the Hub shows and finds a model by, as YAML."""
    from huggingface_hub import ModelCardData

    init = metadata.training.init if metadata.training is not None else None
    base = manifest.with_checksum(init) if init else None
    task = [f"{metadata.task}-deblurring"] if metadata.task else []
    return ModelCardData(
        license=licence.lower(),
        library_name="deblur-cli",
        pipeline_tag="image-to-image",
        tags=["deblurring", *task, metadata.architecture],
        base_model=base.hub.repo if base is not None and base.hub is not None else None,
    ).to_yaml()


def _config(metadata: Metadata, weights: str) -> bytes:
    content = {
        "architecture": metadata.architecture,
        "config": metadata.config,
        "parameters": metadata.parameters,
        "dtype": metadata.dtype,
        "task": metadata.task,
        "inference": metadata.inference,
        "weights": weights,
    }
    return (json.dumps(content, indent=2) + "\n").encode()
