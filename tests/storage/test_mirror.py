"""A ledger on a storage, by way of its mirror."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.paths import LEDGER_FOLDER
from deblur_cli.storage import mirror
from deblur_cli.storage.remote import RemotePath
from tests.storage.memory import new_folder, put


@pytest.fixture
def out() -> RemotePath:
    return new_folder()


def _complete(out: RemotePath, name: str, folder: Path) -> Path:
    source = folder / name
    source.write_bytes(b"picture")
    ledger = Ledger(out)
    assert ledger.claim(out / name)
    begun = ledger.begin(source, Fingerprint.of(source), out / name, "settings")
    put(out / name, b"result", folder)
    ledger.finish(begun, out / name)
    ledger.close()
    return source


def test_what_one_process_did_others_know(out: RemotePath, tmp_path: Path) -> None:
    source = _complete(out, "a.jpg", tmp_path)
    ledger = Ledger(out)
    assert ledger.verdict(source, out / "a.jpg", "settings") is Verdict.DONE
    assert ledger.verdict(source, out / "a.jpg", "others") is Verdict.IN_THE_WAY
    assert ledger.verdict(source, out / "b.jpg", "settings") is Verdict.FREE
    assert ledger.source_of(out / "a.jpg") == source
    source.write_bytes(b"another picture")
    assert ledger.verdict(source, out / "a.jpg", "settings") is Verdict.IN_THE_WAY


def test_a_process_that_died_between_result_and_record(out: RemotePath, tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(b"picture")
    died = Ledger(out)
    died.begin(source, Fingerprint.of(source), out / "a.jpg", "settings")
    assert Ledger(out).verdict(source, out / "a.jpg", "settings") is Verdict.FREE
    put(out / "a.jpg", b"result", tmp_path)
    assert Ledger(out).verdict(source, out / "a.jpg", "settings") is Verdict.DONE


def test_a_claim_is_for_one_process_until_it_ends(out: RemotePath) -> None:
    mine, other = Ledger(out), Ledger(out)
    assert mine.claim(out / "a.jpg")
    assert not other.claim(out / "a.jpg")
    assert other.claim(out / "b.jpg")
    mine.release(out / "a.jpg")
    assert other.claim(out / "a.jpg")
    mine.close()
    other.close()


def test_a_full_file_is_followed_by_another_that_knows_what_is_in_hand(
    out: RemotePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirror, "FULL_BYTES", 2000)
    mine, other = Ledger(out), Ledger(out)
    source = tmp_path / "source.jpg"
    source.write_bytes(b"picture")
    assert mine.claim(out / "first.jpg")
    for number in range(12):
        target = out / f"{number}.jpg"
        assert mine.claim(target)
        begun = mine.begin(source, Fingerprint.of(source), target, "settings")
        put(target, b"result", tmp_path)
        mine.finish(begun, target)
    files = (out / LEDGER_FOLDER).entries()
    assert len(files) > 2
    assert max(status.st_size for status in files.values()) < 4000
    assert not other.claim(out / "first.jpg")
    assert sum(record.result_size == 6 for _, record in other.records()) == 12
    mine.close()
    assert other.claim(out / "first.jpg")
    other.close()


def test_only_what_was_added_is_fetched(
    out: RemotePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = Ledger(out), Ledger(out)
    fetched: list[bytes] = []
    read_from = RemotePath.read_from

    def reading(path: RemotePath, start: int) -> bytes:
        fetched.append(read_from(path, start))
        return fetched[-1]

    monkeypatch.setattr(RemotePath, "read_from", reading)
    for number in range(3):
        assert writer.claim(out / f"{number}.jpg")
        reader.refresh()
        reader.refresh()
    written = next(iter((out / LEDGER_FOLDER).entries().values())).st_size
    assert len(fetched) == 3
    assert sum(map(len, fetched)) == written
    writer.close()


@pytest.mark.parametrize(
    ("number", "is_fatal"),
    [(errno.EACCES, True), (errno.EROFS, True), (errno.ENOSPC, False), (errno.EIO, False)],
)
def test_a_ledger_that_may_not_be_written_ends_everything_at_the_first_claim(
    out: RemotePath, monkeypatch: pytest.MonkeyPatch, number: int, is_fatal: bool
) -> None:
    def fail(path: RemotePath, file: Path) -> None:
        raise OSError(number, "this is the trouble", str(path))

    monkeypatch.setattr(RemotePath, "put", fail)
    ledger = Ledger(out)
    if is_fatal:
        with pytest.raises(ImageWriteError, match="this is the trouble") as caught:
            ledger.claim(out / "a.jpg")
        assert caught.value.path == out / LEDGER_FOLDER
        assert "-o" in caught.value.remedy
    else:
        assert ledger.claim(out / "a.jpg")


def test_what_cannot_be_recorded_is_named(
    out: RemotePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: RemotePath, file: Path) -> None:
        raise PermissionError(errno.EACCES, "the credentials have expired", str(path))

    source = tmp_path / "a.jpg"
    source.write_bytes(b"picture")
    ledger = Ledger(out)
    monkeypatch.setattr(RemotePath, "put", fail)
    with pytest.raises(ImageWriteError, match=r"a\.jpg: the ledger cannot be written"):
        ledger.begin(source, Fingerprint.of(source), out / "a.jpg", "settings")


def test_who_is_alone_looks_once_for_each_claim(
    out: RemotePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[RemotePath] = []
    entries = RemotePath.entries

    def looking(path: RemotePath) -> dict[str, os.stat_result]:
        looks.append(path)
        return entries(path)

    mine, other = Ledger(out), Ledger(out)
    monkeypatch.setattr(RemotePath, "entries", looking)
    for number in range(3):
        assert mine.claim(out / f"{number}.jpg")
    assert len(looks) == 3
    assert not other.claim(out / "0.jpg")
    looks.clear()
    assert other.claim(out / "a.jpg")
    assert not other.claim(out / "1.jpg")
    assert len(looks) == 3
    for ledger in (mine, other):
        ledger.close()


def test_what_was_listed_counts_until_the_last_look(out: RemotePath, tmp_path: Path) -> None:
    source, target = tmp_path / "a.jpg", out / "a.jpg"
    source.write_bytes(b"picture")
    ledger = Ledger(out)
    put(target, b"somebody's", tmp_path)
    assert ledger.verdict(source, target, "settings", is_last=False) is Verdict.FREE
    assert ledger.verdict(source, target, "settings") is Verdict.IN_THE_WAY
    begun = ledger.begin(source, Fingerprint.of(source), target, "settings")
    assert begun.replaces == Fingerprint.of(target)
    target.unlink()
    assert ledger.verdict(source, target, "settings") is Verdict.FREE
    assert ledger.begin(source, Fingerprint.of(source), target, "settings").replaces is None
    ledger.close()


def test_place_of_a_result_that_cannot_be_looked_at(
    out: RemotePath, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: RemotePath) -> bool:
        raise PermissionError(errno.EACCES, "access is denied", str(path))

    source = tmp_path / "a.jpg"
    source.write_bytes(b"picture")
    monkeypatch.setattr(RemotePath, "is_object", fail)
    with pytest.raises(ImageWriteError, match=r"a\.jpg: it cannot be told whether it exists"):
        Ledger(out).verdict(source, out / "a.jpg", "settings")


def test_storage_that_fails_is_one_error(out: RemotePath, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: RemotePath) -> None:
        raise OSError(5, "there is no connection to the storage", str(path))

    monkeypatch.setattr(RemotePath, "entries", fail)
    with pytest.raises(ImageWriteError, match="the ledger cannot be read: there is no connection"):
        Ledger(out)
