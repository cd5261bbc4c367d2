"""What is done for each of many pictures: counted, as time depends on the machine."""

from __future__ import annotations

import os
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.ledger.standing import standing
from deblur_cli.pipeline.plan import Destination, plan
from tests.pipeline.fakes import save_picture

COUNTED = ("stat", "lstat", "scandir", "open")


def _tree(top: Path, folders: int, each: int) -> Path:
    first = save_picture(top / "0/0.png")
    for folder in range(folders):
        (top / f"{folder}").mkdir(exist_ok=True)
        for number in range(each):
            if folder or number:
                os.link(first, top / f"{folder}/{number}.png")
    return top


@contextmanager
def _counted(top: Path) -> Iterator[Counter[str]]:
    """Counts calls that ask the file system something about what lies below a folder."""
    counts: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            counts[name] += os.fspath(arguments[0]).startswith(f"{top}{os.sep}")
            return function(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in COUNTED:
            patch.setattr(os, name, counting(name, getattr(os, name)))
        patch.setattr(os.path, "realpath", counting("realpath", os.path.realpath))
        yield counts


def _planned(top: Path) -> Counter[str]:
    with _counted(top.parent) as counts:
        jobs = plan(
            discover([top], top.parent / "out").sources, Destination(str(top.parent / "out"))
        )
    assert len(jobs) > 0
    return counts


def test_folders_are_looked_at_once_and_files_for_their_format_and_target(tmp_path: Path) -> None:
    counts = _planned(_tree(tmp_path / "photos", folders=5, each=20))
    assert counts["scandir"] == 6
    assert counts["realpath"] <= 4 * 6
    assert counts["stat"] <= 1 * 100 + 10 * 6


def test_more_pictures_take_no_more_for_each(tmp_path: Path) -> None:
    few = _planned(_tree(tmp_path / "few/photos", folders=5, each=10))
    many = _planned(_tree(tmp_path / "many/photos", folders=5, each=40))
    assert many["realpath"] == few["realpath"]
    assert many["stat"] - few["stat"] == 150


def test_each_folder_with_a_ledger_is_asked_about_its_own_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = _tree(tmp_path / "photos", folders=8, each=3)
    for folder in top.iterdir():
        source, target = folder / "0.png", folder / "0_deblurred.png"
        ledger = Ledger(folder)
        begun = ledger.begin(source, Fingerprint.of(source), target, "settings")
        ledger.finish(begun, save_picture(target))
        ledger.close()
    asked: list[Path] = []
    source_of = Ledger.source_of

    def asking(ledger: Ledger, path: Path) -> Path | None:
        if ledger.folder.is_relative_to(tmp_path):
            asked.append(path)
        return source_of(ledger, path)

    monkeypatch.setattr(Ledger, "source_of", asking)
    found = discover([top])
    assert (len(found.sources), found.skipped) == (24, 8)
    assert len(asked) == 32


def test_a_picture_of_a_plan_takes_few_bytes(tmp_path: Path) -> None:
    top = _tree(tmp_path / "photos", folders=4, each=250)
    tracemalloc.start()
    try:
        jobs = plan(discover([top], tmp_path / "out").sources, Destination(str(tmp_path / "out")))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(jobs) == 1000
    assert kept / len(jobs) < 200


def test_standing_looks_at_each_result_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    source = save_picture(tmp_path / "source.png")
    for number in range(50):
        target = tmp_path / f"{number}.png"
        begun = ledger.begin(source, Fingerprint.of(source), target, "settings")
        ledger.finish(begun, save_picture(target))
        if number % 2:
            target.unlink()
    ledger.close()
    with _counted(tmp_path) as counts:
        found = standing(tmp_path)
    assert (found.done, len(found.missing)) == (25, 25)
    assert counts["stat"] <= 50 + 10
