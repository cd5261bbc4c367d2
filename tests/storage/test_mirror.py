"""A ledger on a storage, by way of its mirror."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.verdict import Verdict
from deblur_cli.pipeline.paths import LEDGER_FOLDER
from deblur_cli.storage import mirror
from deblur_cli.storage.remote import RemotePath, located

_numbers = itertools.count()


@pytest.fixture
def out() -> RemotePath:
    path = located(f"memory://ledgers/{next(_numbers)}")
    assert isinstance(path, RemotePath)
    return path


def _put(path: Path, content: bytes, folder: Path) -> None:
    assert isinstance(path, RemotePath)
    (folder / "local").write_bytes(content)
    path.put(folder / "local")


def _complete(out: RemotePath, name: str, folder: Path) -> Path:
    source = folder / name
    source.write_bytes(b"picture")
    ledger = Ledger(out)
    assert ledger.claim(out / name)
    begun = ledger.begin(source, Fingerprint.of(source), out / name, "settings")
    _put(out / name, b"result", folder)
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
    _put(out / "a.jpg", b"result", tmp_path)
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
        _put(target, b"result", tmp_path)
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


def test_storage_that_fails_is_one_error(out: RemotePath, monkeypatch: pytest.MonkeyPatch) -> None:
    from deblur_cli.errors import ImageWriteError

    def fail(path: RemotePath) -> None:
        raise OSError(5, "there is no connection to the storage", str(path))

    monkeypatch.setattr(RemotePath, "entries", fail)
    with pytest.raises(ImageWriteError, match="the ledger cannot be read: there is no connection"):
        Ledger(out)
