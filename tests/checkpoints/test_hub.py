from __future__ import annotations

import errno
import hashlib
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from pathlib import Path
from queue import Queue
from unittest.mock import Mock

import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from deblur_cli.checkpoints import hub
from deblur_cli.checkpoints.download import log
from deblur_cli.checkpoints.hub import PATIENCE, fetch, find_cached, parse_hub
from deblur_cli.checkpoints.manifest import HubFile
from deblur_cli.errors import UsageError, WeightsError
from tests.checkpoints.hub_server import COMMIT, REPO, FakeHub, point_to, serving

FILE = HubFile(REPO, "nets/large.safetensors", COMMIT)
LATEST = HubFile(REPO, FILE.file, "main")
CONTENT = os.urandom(300_000)


def test_a_reference_is_read_and_written_alike() -> None:
    assert parse_hub(str(FILE)) == FILE


@pytest.mark.parametrize(
    "reference",
    ["hub:", "hub:weights@main", "hub:someone/weights@main", "hub:someone/weights/file", "x/y/z@1"],
)
def test_what_is_no_reference_is_refused(reference: str) -> None:
    with pytest.raises(UsageError, match="hub:owner/repo/file@revision"):
        parse_hub(reference)


@pytest.fixture
def server(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with serving(FakeHub({FILE.file: CONTENT})) as running:
        point_to(running.endpoint, monkeypatch)
        yield running


@pytest.fixture
def no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, forbidden)


def digest() -> str:
    return hashlib.sha256(CONTENT).hexdigest()


def bodies(server: FakeHub) -> list[tuple[str, str]]:
    """What was fetched from behind the redirect, and the range."""
    asked = [one for one in server.asked if one[1].startswith("/blobs/")]
    return [(path, wanted) for method, path, wanted in asked if method == "GET"]


def questions(server: FakeHub) -> int:
    """How often it was asked for the file."""
    return len([path for _, path, _ in server.asked if path.endswith(FILE.file)])


def test_a_file_is_fetched_through_the_redirect_and_kept(server: FakeHub) -> None:
    path = fetch(FILE, offline=False)
    assert path.read_bytes() == CONTENT
    assert bodies(server) == [(f"/blobs/{digest()}", "")]
    before = questions(server)
    assert fetch(FILE, offline=False) == fetch(FILE, offline=True) == path
    assert questions(server) == before


def test_a_download_is_told_when_it_begins_and_when_it_ends(
    server: FakeHub, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: Queue[logging.LogRecord] = Queue()
    monkeypatch.setattr(log, "handlers", [QueueHandler(told)])
    caplog.set_level("INFO", logger=log.name)
    for _ in range(2):
        fetch(FILE, offline=False)
    begun, ended = [record.getMessage() for record in told.queue]
    assert begun.startswith(f"fetching {FILE} (0.3 MB) into {constants.HF_HUB_CACHE}")
    assert ended == f"fetched {FILE}"


def test_a_branch_is_asked_for_again_but_not_fetched_if_its_etag_is_known(server: FakeHub) -> None:
    first = fetch(LATEST, offline=False)
    before = questions(server)
    assert fetch(LATEST, offline=False) == first
    assert questions(server) > before
    assert len(bodies(server)) == 1
    assert fetch(LATEST, offline=True) == first


def test_a_branch_is_what_it_was_if_the_hub_is_silent(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fetch(LATEST, offline=False)
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    with silent_server() as endpoint:
        point_to(endpoint, monkeypatch)
        assert fetch(LATEST, offline=False) == first


def test_a_broken_download_goes_on_where_it_stopped(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    server.cut_after = 100_000
    assert fetch(FILE, offline=False).read_bytes() == CONTENT
    assert [wanted for _, wanted in bodies(server)] == ["", "bytes=100000-"]


def test_the_next_process_goes_on_where_a_download_was_interrupted(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr(time, "sleep", Mock(side_effect=KeyboardInterrupt))  # before it tries again
    server.cut_after = 100_000
    with pytest.raises(KeyboardInterrupt):
        fetch(FILE, offline=False)
    assert find_cached(FILE) is None
    assert fetch(FILE, offline=False).read_bytes() == CONTENT
    assert [wanted for _, wanted in bodies(server)] == ["", "bytes=100000-"]


def test_a_host_without_ranges_sends_everything_again(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    server.cut_after, server.knows_ranges = 100_000, False
    assert fetch(FILE, offline=False).read_bytes() == CONTENT


def test_what_was_changed_on_its_way_is_not_kept(
    server: FakeHub, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = empty_cache / "models--someone--weights/blobs" / f"{digest()}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"?" * 100_000)
    with pytest.raises(WeightsError, match=r"was changed on its way \(try again\)"):
        fetch(FILE, offline=False)
    assert fetch(FILE, offline=False).read_bytes() == CONTENT
    assert not part.exists()


def test_a_damaged_file_is_replaced_if_that_is_asked_for(server: FakeHub) -> None:
    path = fetch(FILE, offline=False)
    path.write_bytes(b"damaged")
    assert fetch(FILE, offline=False).read_bytes() == b"damaged"
    server.status = 503
    with pytest.raises(WeightsError):
        fetch(FILE, offline=False, anew=True)
    assert path.read_bytes() == b"damaged"
    server.status = 200
    assert fetch(FILE, offline=False, anew=True).read_bytes() == CONTENT


def test_a_renamed_repository_is_found(server: FakeHub) -> None:
    former = HubFile(server.former_name, FILE.file, COMMIT)
    assert fetch(former, offline=False).read_bytes() == CONTENT


def test_only_the_hub_sees_the_token(server: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch(FILE, offline=False)
    seen = {path.startswith("/blobs/"): token for path, token in server.tokens}
    assert seen == {False: "Bearer hf_secret", True: ""}


def test_a_truncated_file_is_refused_and_not_kept(server: FakeHub, empty_cache: Path) -> None:
    server.missing_bytes = 1
    with pytest.raises(WeightsError, match=r"cannot be fetched: .*299999"):
        fetch(FILE, offline=False)
    assert not [path for path in empty_cache.rglob("*") if path.suffix == ".safetensors"]
    server.missing_bytes = 0
    assert fetch(FILE, offline=False).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "code", "message", "remedy"),
    [
        (401, "", "cannot be fetched: .*401", "HF_TOKEN"),
        (401, "RepoNotFound", "does not exist, or is private", "HF_TOKEN"),
        (403, "GatedRepo", "needs its owner's permission", "HF_TOKEN"),
        (404, "RepoNotFound", "does not exist", "check owner, repository"),
        (404, "RevisionNotFound", "does not exist", "revision"),
        (404, "EntryNotFound", "does not exist", "file"),
        (429, "", "cannot be fetched: .*429", "wait some minutes"),
        (500, "", "cannot be fetched: .*500", "try again later"),
        (503, "", "cannot be fetched: .*503", "try again later"),
    ],
)
def test_every_answer_but_the_file_is_one_clear_error_at_once(
    server: FakeHub, status: int, code: str, message: str, remedy: str
) -> None:
    server.status, server.error_code = status, code
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(FILE, offline=False)
    assert str(FILE) in str(caught.value)
    assert remedy in caught.value.remedy
    assert questions(server) == 1


@pytest.mark.parametrize(
    ("status", "message", "remedy"),
    [
        (403, "cannot be fetched: .*403", "HF_TOKEN"),
        (429, "cannot be fetched: .*429", "wait some minutes"),
        (503, "cannot be fetched: .*503", "try again later"),
    ],
)
def test_storage_that_refuses_is_one_clear_error(
    server: FakeHub, status: int, message: str, remedy: str
) -> None:
    server.storage_status = status
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(FILE, offline=False)
    assert remedy in caught.value.remedy


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_nobody_waits_long_for_a_silent_host(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert PATIENCE <= 5
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    with silent_server() as endpoint:
        point_to(endpoint, monkeypatch)
        with pytest.raises(WeightsError, match="cannot be fetched") as caught:
            fetch(FILE, offline=False)
    assert "check the connection" in caught.value.remedy


def test_silent_storage_is_found_out_before_the_download(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", Mock(side_effect=AssertionError))
    with silent_server() as storage:
        server.storage = storage
        with pytest.raises(WeightsError, match=r"cannot be fetched: .*(timed out|no answer)"):
            fetch(FILE, offline=False)
    assert not bodies(server)


def test_nobody_waits_twice_for_the_same_host(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to("http://127.0.0.1:1", monkeypatch)
    ask = Mock(side_effect=lambda *args, **kwargs: time.sleep(60))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", ask)
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    for file in (FILE, LATEST, HubFile("another/repo", "net.pth", COMMIT)):
        with pytest.raises(WeightsError, match="no answer within"):
            fetch(file, offline=False)
    assert ask.call_count == 1


def test_nobody_waits_long_for_a_name_that_is_not_found(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to("http://127.0.0.1:1", monkeypatch)
    stuck = Mock(side_effect=lambda *args, **kwargs: time.sleep(60))
    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", stuck)
    monkeypatch.setattr(hub, "PATIENCE", 0.2)
    with pytest.raises(WeightsError, match="no answer within"):
        fetch(FILE, offline=False)


def test_a_host_that_refuses_is_one_clear_error(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with silent_server() as endpoint:
        pass  # nobody listens there any more
    point_to(endpoint, monkeypatch)
    with pytest.raises(WeightsError, match=r"cannot be fetched: .*refused") as caught:
        fetch(FILE, offline=False)
    assert "check the connection, HF_ENDPOINT and proxies" in caught.value.remedy


@pytest.mark.usefixtures("no_socket")
def test_offline_opens_no_socket(empty_cache: Path) -> None:
    with pytest.raises(WeightsError, match="not in the cache") as caught:
        fetch(FILE, offline=True)
    assert str(FILE) in str(caught.value)


@pytest.mark.usefixtures("no_socket")
def test_the_library_s_own_offline_mode_is_respected(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        fetch(FILE, offline=False)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.HFValidationError("bad repo id"), "does not exist"),
        (errors.LocalEntryNotFoundError("no connection"), "cannot be fetched: no connection"),
        (ValueError("Invalid filename '../x'"), "does not exist"),
        (RuntimeError("peer closed connection\nand more"), "fetched: peer closed connection \\("),
        (RuntimeError(), "cannot be fetched: RuntimeError"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left.*make room"),
    ],
)
def test_every_failure_of_the_download_is_one_clear_error(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", Mock(side_effect=error))
    with pytest.raises(WeightsError, match=message) as caught:
        fetch(FILE, offline=False)
    assert str(FILE) in str(caught.value)
