from __future__ import annotations

import socket
from pathlib import Path
from unittest.mock import Mock

import huggingface_hub
import pytest
from huggingface_hub import errors

from deblur_cli.checkpoints.hub import fetch, parse_hub
from deblur_cli.checkpoints.manifest import HubFile
from deblur_cli.errors import UsageError, WeightsError

FILE = HubFile("someone/weights", "nets/large.safetensors", "0123abc")


def test_a_reference_is_read_and_written_alike() -> None:
    assert parse_hub(str(FILE)) == FILE


@pytest.mark.parametrize(
    "reference",
    ["hub:", "hub:weights@main", "hub:someone/weights@main", "hub:someone/weights/file", "x/y/z@1"],
)
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(UsageError, match="hub:owner/repo/file@revision"):
        parse_hub(reference)


def test_offline_opens_no_socket(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "create_connection", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    with pytest.raises(WeightsError, match="not in the cache") as caught:
        fetch(FILE, offline=True)
    assert str(FILE) in str(caught.value)


def test_a_cached_file_is_found_offline(empty_cache: Path) -> None:
    commit = "0" * 40
    snapshot = empty_cache / "models--someone--weights" / "snapshots" / commit
    (snapshot / "nets").mkdir(parents=True)
    (snapshot / "nets" / "large.safetensors").write_bytes(b"weights")
    pinned = HubFile(FILE.repo, FILE.file, commit)
    assert fetch(pinned, offline=True).read_bytes() == b"weights"


class ConnectionLostError(Exception):
    """As HTTP libraries raise in the middle of a download: of a class of their own."""


def failing(error: Exception) -> Mock:
    return Mock(side_effect=error)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.LocalEntryNotFoundError("no connection"), "cannot be fetched: no connection"),
        (errors.RepositoryNotFoundError("404", response=Mock()), "does not exist"),
        (errors.RevisionNotFoundError("404", response=Mock()), "does not exist"),
        (errors.EntryNotFoundError("404"), "does not exist"),
        (errors.GatedRepoError("403", response=Mock()), "permission"),
        (errors.HfHubHTTPError("500 server", response=Mock()), "cannot be fetched: 500 server"),
        (errors.HFValidationError("bad repo id"), "does not exist"),
        (ValueError("Invalid filename '../x'"), "does not exist"),
        (
            ConnectionLostError("peer closed connection"),
            "cannot be fetched: peer closed connection",
        ),
        (OSError("No space left on device"), "cannot be fetched: No space left"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_failure_is_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", failing(error))
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(FILE, offline=False)
    assert str(FILE) in str(caught.value)


def test_the_pinned_revision_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    download = Mock(return_value=str(tmp_path / "large.safetensors"))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert fetch(FILE, offline=False) == tmp_path / "large.safetensors"
    download.assert_called_once_with(
        FILE.repo, FILE.file, revision=FILE.revision, local_files_only=False
    )
