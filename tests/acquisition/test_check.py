from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deblur_cli.acquisition.check import State, check_split, exit_code, splits_of
from deblur_cli.data.published import PUBLISHED
from deblur_cli.errors import UsageError
from tests.acquisition.archives import COUNTS, shrink_published, write_set
from tests.data.layouts import numbered, write_gopro, write_picture

COMPLETE, INCOMPLETE, ABSENT = State


@pytest.fixture(autouse=True)
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_published(monkeypatch)


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    return write_set(tmp_path, "gopro")


@pytest.mark.parametrize("name", [name for name in PUBLISHED if PUBLISHED[name].has_truth])
def test_a_whole_set_is_complete_in_its_layout(name: str, tmp_path: Path) -> None:
    folder = write_set(tmp_path, name)
    for decode in (False, True):
        for split in PUBLISHED[name].counts:
            found = check_split(name, split, tmp_path, decode)
            assert (found.state, found.pairs, found.problems) == (COMPLETE, COUNTS[split], ())
            assert found.folder == folder


def test_the_published_counts_are_those_of_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    names = ("gopro", "hide", "realblur-j", "realblur-r", "dpdd")
    counts = [check_split(name, "test", Path("/nowhere")).expected for name in names]
    assert counts == [1111, 2025, 980, 980, 76]


def test_what_is_not_there_is_absent(gopro: Path) -> None:
    shutil.rmtree(gopro / "train")
    data = gopro.parent
    checks = [check_split("gopro", split, data) for split in ("train", "test")]
    assert [check.state for check in checks] == [ABSENT, COMPLETE]
    assert check_split("hide", "test", data).state is ABSENT


def test_too_few_pairs_are_counted(gopro: Path) -> None:
    for kind in ("blur", "blur_gamma", "sharp"):
        next((gopro / "test").glob(f"*/{kind}/*.png")).unlink()
    found = check_split("gopro", "test", gopro.parent)
    assert (found.state, found.pairs) == (INCOMPLETE, 3)
    assert found.problems == ("3 pairs are here, 4 were published",)


def test_a_photo_alone_is_named(gopro: Path) -> None:
    (photo,) = (gopro / "test").glob("*/sharp/000002.png")
    photo.unlink()
    found = check_split("gopro", "test", gopro.parent)
    assert (found.state, found.pairs) == (INCOMPLETE, 0)
    assert "1 photos without partner" in found.problems[0]
    assert photo.stem in found.problems[0]


def test_a_photo_that_a_list_names_and_is_not_there(tmp_path: Path) -> None:
    folder = write_set(tmp_path, "realblur-j")
    next(folder.glob("*/scene000test/gt/*.png")).unlink()
    assert check_split("realblur-j", "train", tmp_path).state is COMPLETE
    found = check_split("realblur-j", "test", tmp_path)
    assert found.state is INCOMPLETE
    assert "1 of 8 listed photos are missing" in found.problems[0]


def test_damage_is_found_at_the_beginning_always_and_further_on_by_decoding(gopro: Path) -> None:
    photos = sorted((gopro / "test").glob("*/sharp/*.png"))
    content = photos[0].read_bytes()
    photos[0].write_bytes(content[: len(content) // 2])
    data = gopro.parent
    assert check_split("gopro", "test", data).state is COMPLETE
    (problem,) = check_split("gopro", "test", data, decode=True).problems
    assert problem.startswith(f"{photos[0]}: damaged or incomplete PNG file")
    photos[1].write_bytes(b"")
    write_picture(photos[2], numbered(1, height=9)[0][0])
    told = check_split("gopro", "test", data, decode=True).problems
    assert len(told) == 3
    assert "cannot be read as an image" in told[0]
    assert "differs in size" in told[1]


def test_photos_without_truth_are_not_taken_from_another_set(tmp_path: Path) -> None:
    write_gopro(tmp_path, "test", numbered(2))
    shutil.move(tmp_path / "GOPRO_Large" / "test", tmp_path / "test")
    assert check_split("rwbi", "test", tmp_path).state is ABSENT
    write_set(tmp_path, "rwbi")
    found = check_split("rwbi", "test", tmp_path)
    assert (found.state, found.pairs, found.expected) == (COMPLETE, COUNTS["test"], None)
    assert check_split("rwbi", "test", tmp_path / "RWBI").state is COMPLETE


def test_exit_codes(tmp_path: Path) -> None:
    def code(*states: State) -> int:
        absent = check_split("gopro", "test", tmp_path)
        return exit_code(absent.__class__("gopro", "test", state) for state in states)

    assert code(COMPLETE, COMPLETE) == 0
    assert code(COMPLETE, ABSENT) == code(INCOMPLETE) == code(ABSENT, INCOMPLETE) == 1
    assert code(ABSENT, ABSENT) == 3


def test_splits_of_a_set() -> None:
    assert splits_of(["gopro"], None) == [("gopro", "train"), ("gopro", "test")]
    assert splits_of(["gopro", "dpdd"], "test") == [("gopro", "test"), ("dpdd", "test")]
    with pytest.raises(UsageError, match="gopro has no split 'val'"):
        splits_of(["gopro"], "val")
