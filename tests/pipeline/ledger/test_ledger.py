from __future__ import annotations

import dataclasses
import errno
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.atomic import TEMPORARY_SUFFIX
from deblur_cli.pipeline.ledger.ledger import (
    Ledger,
    Verdict,
    settings_hash,
)
from deblur_cli.pipeline.ledger.processes import SILENT_SECONDS, Process
from deblur_cli.pipeline.ledger.records import (
    Claim,
    Entry,
    Failure,
    Fingerprint,
    Record,
    Release,
    key_of,
    kind_and_key,
    line_of,
    name_of,
    parsed,
    time_of,
)
from deblur_cli.pipeline.paths import LEDGER_FOLDER

SETTINGS = settings_hash({"model": "m", "tile": 256})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"picture")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out/a.jpg"


def _begin(source: Path, target: Path, settings: str = SETTINGS) -> tuple[Ledger, Record]:
    ledger = Ledger(target.parent)
    return ledger, ledger.begin(source, Fingerprint.of(source), target, settings)


def _complete(
    source: Path, target: Path, content: bytes = b"result", settings: str = SETTINGS
) -> None:
    ledger, begun = _begin(source, target, settings)
    target.write_bytes(content)
    ledger.finish(begun, target)
    ledger.close()


def _verdict(source: Path, target: Path, settings: str = SETTINGS) -> Verdict:
    return Ledger(target.parent).verdict(source, target, settings)


def test_nothing_is_written_before_something_begins(source: Path, target: Path) -> None:
    assert _verdict(source, target) is Verdict.FREE
    assert list(target.parent.iterdir()) == []


def test_complete_result_is_done(source: Path, target: Path) -> None:
    _complete(source, target)
    assert _verdict(source, target) is Verdict.DONE


def test_foreign_file_is_in_the_way(source: Path, target: Path) -> None:
    target.write_bytes(b"somebody's")
    assert _verdict(source, target) is Verdict.IN_THE_WAY


def test_other_settings_changed_input_and_changed_result(source: Path, target: Path) -> None:
    _complete(source, target)
    assert _verdict(source, target, settings_hash({"model": "n"})) is Verdict.IN_THE_WAY
    target.write_bytes(b"edited by hand")
    assert _verdict(source, target) is Verdict.IN_THE_WAY
    target.write_bytes(b"result")
    assert _verdict(source, target) is Verdict.DONE
    os.utime(source, ns=(1, 1))
    assert _verdict(source, target) is Verdict.IN_THE_WAY


def test_deleted_result_is_made_again(source: Path, target: Path) -> None:
    _complete(source, target)
    target.unlink()
    assert _verdict(source, target) is Verdict.FREE


def test_killed_before_the_result_appeared(source: Path, target: Path) -> None:
    _begin(source, target)
    assert _verdict(source, target) is Verdict.FREE


def test_killed_between_result_and_record(source: Path, target: Path) -> None:
    _begin(source, target)
    target.write_bytes(b"complete, as it was renamed")
    assert _verdict(source, target) is Verdict.DONE


def test_file_that_came_after_a_failed_write_is_in_the_way(source: Path, target: Path) -> None:
    ledger, begun = _begin(source, target)
    ledger.abandon(begun)
    target.write_bytes(b"somebody's")
    assert _verdict(source, target) is Verdict.IN_THE_WAY


def test_killed_before_the_older_file_was_replaced(source: Path, target: Path) -> None:
    target.write_bytes(b"older")
    _begin(source, target)
    assert _verdict(source, target) is Verdict.IN_THE_WAY
    target.write_bytes(b"the new one")
    assert _verdict(source, target) is Verdict.DONE


def test_the_latest_record_counts(source: Path, target: Path) -> None:
    _complete(source, target, settings="one")
    _complete(source, target, settings="two")
    assert _verdict(source, target, "one") is Verdict.IN_THE_WAY
    assert _verdict(source, target, "two") is Verdict.DONE


def test_processes_have_files_of_their_own_and_see_each_other(source: Path, target: Path) -> None:
    mine = Ledger(target.parent)
    _complete(source, target)
    other = target.with_name("b.jpg")
    _complete(source, other)
    assert len(list((target.parent / LEDGER_FOLDER).iterdir())) == 2
    assert mine.verdict(source, target, SETTINGS) is Verdict.IN_THE_WAY
    mine.refresh()
    assert mine.verdict(source, target, SETTINGS) is Verdict.DONE
    assert mine.verdict(source, other, SETTINGS) is Verdict.DONE


@settings(deadline=None, max_examples=30)
@given(keep=st.floats(0, 1, exclude_max=True), rubbish=st.binary(max_size=20))
def test_torn_line_is_ignored(
    tmp_path_factory: pytest.TempPathFactory, keep: float, rubbish: bytes
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    source, target = folder / "a.jpg", folder / "out/a.jpg"
    source.write_bytes(b"picture")
    target.parent.mkdir()
    _complete(source, target)
    (file,) = (target.parent / LEDGER_FOLDER).iterdir()
    process, begun, done, _ = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(process + begun + done[: int(keep * len(done))] + rubbish)
    assert _verdict(source, target) is Verdict.DONE
    file.write_bytes(process + begun[: int(keep * (len(begun) - 1))] + rubbish)
    assert _verdict(source, target) is Verdict.IN_THE_WAY


def test_line_of_foreign_json_is_ignored(source: Path, target: Path) -> None:
    _complete(source, target)
    (file,) = (target.parent / LEDGER_FOLDER).iterdir()
    file.write_text(file.read_text() + "[]\n3\n{}\n" + json.dumps({"target": "a.jpg"}) + "\n")
    assert _verdict(source, target) is Verdict.DONE


def test_results_are_known_with_their_sources(source: Path, target: Path) -> None:
    _complete(source, target)
    assert Ledger(target.parent).source_of(target) == source


def test_moving_everything_together_keeps_the_ledger_true(
    tmp_path: Path, source: Path, target: Path
) -> None:
    _complete(source, target)
    moved = tmp_path / "moved"
    moved.mkdir()
    source.rename(moved / source.name)
    target.parent.rename(moved / "out")
    assert _verdict(moved / "a.jpg", moved / "out/a.jpg") is Verdict.DONE
    assert Ledger(moved / "out").source_of(moved / "out/a.jpg") == moved / "a.jpg"


def test_ledger_that_cannot_be_written(source: Path, target: Path) -> None:
    (target.parent / LEDGER_FOLDER).write_text("a file where the folder should be")
    with pytest.raises(ImageWriteError, match="ledger"):
        _begin(source, target)


def test_settings_hash_depends_on_values_not_on_order() -> None:
    assert settings_hash({"a": 1, "b": 2}) == settings_hash({"b": 2, "a": 1})
    assert settings_hash({"a": 1, "b": 2}) != settings_hash({"a": 1, "b": 3})


def test_unreadable_ledger_is_named(source: Path, target: Path) -> None:
    unreadable = target.parent / LEDGER_FOLDER / "other-process.jsonl"
    unreadable.mkdir(parents=True)
    with pytest.raises(ImageWriteError, match=r"other-process\.jsonl: .* cannot be read"):
        Ledger(target.parent)


def _in_place(path: Path, settings: str = SETTINGS) -> Verdict:
    return Ledger(path.parent).verdict_in_place(path, settings)


def test_picture_in_place_is_restored_once(source: Path) -> None:
    assert _in_place(source) is Verdict.FREE
    ledger, begun = _begin(source, source)
    assert _in_place(source) is Verdict.FREE
    source.write_bytes(b"sharper picture")
    assert _in_place(source) is Verdict.DONE
    ledger.finish(begun, source)
    assert _in_place(source) is Verdict.DONE
    assert _in_place(source, settings_hash({"model": "n"})) is Verdict.IN_THE_WAY
    source.write_bytes(b"sharper picture, and edited")
    assert _in_place(source) is Verdict.IN_THE_WAY


def test_picture_in_place_that_could_not_be_written_is_free(source: Path) -> None:
    ledger, begun = _begin(source, source)
    ledger.abandon(begun)
    assert _in_place(source) is Verdict.FREE


def test_failures_are_known_until_the_result_is_there(source: Path, target: Path) -> None:
    ledger = Ledger(target.parent)
    assert not ledger.has_failed(target)
    ledger.fail(source, target, "unreadable", "a.jpg: damaged")
    ledger.close()
    assert Ledger(target.parent).has_failed(target)
    assert not Ledger(target.parent).has_failed(target.with_name("b.jpg"))
    assert _verdict(source, target) is Verdict.FREE
    _begin(source, target)
    assert Ledger(target.parent).has_failed(target)
    _complete(source, target)
    assert not Ledger(target.parent).has_failed(target)
    assert Ledger(target.parent).source_of(target) == source


def test_failure_after_a_result_does_not_hide_it(source: Path, target: Path) -> None:
    _complete(source, target)
    Ledger(target.parent).fail(source, target, "unwritable", "a.jpg: exists")
    assert Ledger(target.parent).has_failed(target)
    assert _verdict(source, target) is Verdict.DONE


def test_failure_on_a_full_disk_is_not_told_twice(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    Ledger(target.parent).fail(source, target, "unwritable", "full")
    assert list((target.parent / LEDGER_FOLDER).iterdir()) == []


def _page(ledger_folder: Path, process: Process, *entries: Entry) -> Path:
    """A file that another process would have written."""
    ledger_folder.mkdir(parents=True, exist_ok=True)
    path = ledger_folder / f"{process.host}-{process.pid}-{process.owner}.jsonl"
    lines = (process.to_line(), *(line_of(entry) for entry in entries))
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def _elsewhere(host: str = "other", owner: str = "0123") -> Process:
    return Process(host, 17, "another boot", "1", owner)


def test_a_claim_is_for_one_process_until_it_ends(source: Path, target: Path) -> None:
    mine, other = Ledger(target.parent), Ledger(target.parent)
    assert mine.claim(target)
    assert not other.claim(target)
    assert other.claim(target.with_name("b.jpg"))
    mine.release(target)
    assert other.claim(target)
    other.fail(source, target, "unreadable", "damaged")
    assert mine.claim(target)
    mine.close()
    assert other.claim(target)
    begun = other.begin(source, Fingerprint.of(source), target, SETTINGS)
    assert not mine.claim(target)
    target.write_bytes(b"result")
    other.finish(begun, target)
    assert mine.claim(target)
    assert mine.verdict(source, target, SETTINGS) is Verdict.DONE
    for ledger in (mine, other):
        ledger.close()


def test_of_many_that_claim_at_once_each_target_has_one(target: Path) -> None:
    ledgers = [Ledger(target.parent) for _ in range(4)]
    targets = [target.with_name(f"{number}.jpg") for number in range(12)]
    at_once = threading.Barrier(len(ledgers))

    def claim_all(ledger: Ledger) -> list[Path]:
        at_once.wait(10)
        return [path for path in targets if ledger.claim(path)]

    with ThreadPoolExecutor(len(ledgers)) as pool:
        claimed = Counter(path for each in pool.map(claim_all, ledgers) for path in each)
    assert max(claimed.values(), default=1) == 1
    for ledger in ledgers:
        ledger.close()


def test_the_claim_of_a_dead_process_counts_for_nothing(target: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    dead = dataclasses.replace(Process.this(), pid=ended.pid)
    reborn = dataclasses.replace(Process.this(), started="1")
    for process in (dead, reborn):
        _page(target.parent / LEDGER_FOLDER, process, Claim(target.name))
        ledger = Ledger(target.parent)
        assert {each.is_at_work for each in ledger.in_hand()} == {False}
        assert ledger.claim(target)
        ledger.close()


def test_on_another_machine_a_process_lives_as_long_as_it_touches_its_file(target: Path) -> None:
    page = _page(target.parent / LEDGER_FOLDER, _elsewhere(), Claim(target.name))
    ledger = Ledger(target.parent)
    assert not ledger.claim(target)
    silent = time.time() - SILENT_SECONDS - 1
    os.utime(page, (silent, silent))
    assert ledger.claim(target)
    ledger.close()


def test_the_drives_clock_decides_not_ours(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(target.parent)
    assert ledger.claim(target.with_name("mine.jpg"))
    _page(target.parent / LEDGER_FOLDER, _elsewhere(), Claim(target.name))
    ours = time.time() + 1e6
    monkeypatch.setattr(time, "time", lambda: ours)
    assert not ledger.claim(target)
    ledger.close()


def test_a_clock_that_is_ahead_does_not_win_for_ever(source: Path, target: Path) -> None:
    target.write_bytes(b"older result")
    ahead = Record(
        target.name, "../a.jpg", Fingerprint.of(source), "one", None, 12, time.time() + 1e6
    )
    _page(target.parent / LEDGER_FOLDER, _elsewhere(), ahead)
    assert _verdict(source, target, "one") is Verdict.DONE
    _complete(source, target, settings="two")
    assert _verdict(source, target, "one") is Verdict.IN_THE_WAY
    assert _verdict(source, target, "two") is Verdict.DONE


def test_half_written_files_of_the_dead_are_swept(target: Path) -> None:
    sheets = target.parents[1] / "sheets"
    sheets.mkdir()
    dead = dataclasses.replace(Process.this(), started="1", owner="dead")
    alive = _elsewhere(owner="alive")
    beside = [os.path.relpath(sheets / "a.jpg.jpg", target.parent)]
    for process in (dead, alive):
        _page(target.parent / LEDGER_FOLDER, process, Claim(target.name, beside))
    for folder in (target.parent, sheets):
        for name in ("dead", "alive", "stranger"):
            (folder / f".{name}-01234567{TEMPORARY_SUFFIX}").touch()
    Ledger(target.parent).sweep()
    for folder in (target.parent, sheets):
        left = {path.name.partition("-")[0] for path in folder.glob(f".*{TEMPORARY_SUFFIX}")}
        assert left == {".alive", ".stranger"}


def test_a_line_that_the_disk_had_no_space_for_spoils_no_other(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(target.parent)
    assert ledger.claim(target)
    written: list[io.FileIO] = []

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if written:
                raise OSError(errno.ENOSPC, "No space left on device")
            written.append(self)
            return super().write(data[:30])

    journal: Any = ledger._journal
    with Full(journal.path, "ab") as full, monkeypatch.context() as patch:
        patch.setattr(journal, "_file", full)
        with pytest.raises(ImageWriteError, match="No space left"):
            ledger.begin(source, Fingerprint.of(source), target, SETTINGS)
    begun = ledger.begin(source, Fingerprint.of(source), target, SETTINGS)
    target.write_bytes(b"result")
    ledger.finish(begun, target)
    ledger.close()
    assert _verdict(source, target) is Verdict.DONE


def test_what_grows_is_read_once(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Ledger(target.parent)
    read: list[bytes] = []
    known = reader._known
    remember = known._remember
    monkeypatch.setattr(
        known, "_remember", lambda kind, key, line: (read.append(line), remember(kind, key, line))
    )
    writer = Ledger(target.parent)
    for number in range(5):
        assert writer.claim(target.with_name(f"{number}.jpg"))
        reader.refresh()
    writer.close()
    for _ in range(3):
        reader.refresh()
    assert len(read) == len(set(read)) == 7


names = st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=30).filter(
    lambda name: name not in (".", "..")
)


@settings(deadline=None)
@given(name=names, size=st.none() | st.integers(0), when=st.floats(1, 1e10))
def test_lines_tell_what_was_put_into_them(name: str, size: int | None, when: float) -> None:
    record = Record(name, name, Fingerprint(3, 4), "", Fingerprint(5, 6), size, when)
    failure = Failure(name, name, "unreadable", f'{name}", "time": 3}}', when)
    for entry in (record, failure, Claim(name, [name], when), Release(name, when)):
        line = line_of(entry)
        assert b"\n" not in line
        assert kind_and_key(line) == (type(entry).KIND, key_of(name))
        assert name_of(key_of(name)) == name
        assert time_of(line) == when
        assert parsed(type(entry), line) == entry
        assert parsed(type(entry), line[:-1]) is None
