from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.ledger import (
    LEDGER_FOLDER,
    Ledger,
    Verdict,
    settings_hash,
)
from deblur_cli.pipeline.records import Fingerprint, Record

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
    assert ledger.failure(target) is None
    ledger.fail(source, target, "unreadable", "a.jpg: damaged")
    ledger.close()
    assert Ledger(target.parent).failure(target) is not None
    assert Ledger(target.parent).failure(target.with_name("b.jpg")) is None
    assert _verdict(source, target) is Verdict.FREE
    _begin(source, target)
    assert Ledger(target.parent).failure(target) is not None
    _complete(source, target)
    assert Ledger(target.parent).failure(target) is None
    assert Ledger(target.parent).source_of(target) == source


def test_failure_after_a_result_does_not_hide_it(source: Path, target: Path) -> None:
    _complete(source, target)
    Ledger(target.parent).fail(source, target, "unwritable", "a.jpg: exists")
    assert Ledger(target.parent).failure(target) is not None
    assert _verdict(source, target) is Verdict.DONE


def test_failure_on_a_full_disk_is_not_told_twice(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    Ledger(target.parent).fail(source, target, "unwritable", "full")
