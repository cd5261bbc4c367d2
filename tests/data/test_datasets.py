from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from deblur_cli.data.datasets import PairedDataset, open_dataset
from deblur_cli.data.published import PUBLISHED, RECOGNISED
from deblur_cli.errors import UsageError
from tests.data.layouts import REALBLUR_J, WRITERS, numbered, write_flat, write_picture
from tests.shared import shared_file

PAIRED = [name for name in WRITERS if PUBLISHED[name].has_truth]


def numbers(dataset: PairedDataset) -> list[tuple[int, int]]:
    """What the pictures of a `numbered` set tell: each pair's blurred and sharp number."""
    pairs = [pair.read() for pair in dataset]
    return [(int(blurred[0, 0, 0]), int(sharp[0, 0, 0])) for blurred, sharp in pairs]


def in_order(count: int) -> list[tuple[int, int]]:
    return [(number + 1, number + 101) for number in range(count)]


@pytest.mark.parametrize("name", PAIRED)
def test_each_layout_is_read_by_its_own_rule(tmp_path: Path, name: str) -> None:
    train = WRITERS[name](tmp_path, "train", numbered(3))
    test = WRITERS[name](tmp_path, "test", numbered(5))
    for split, names in (("train", train), ("test", test)):
        dataset = open_dataset(name, tmp_path, split)
        assert [pair.name for pair in dataset] == names
        assert numbers(dataset) == in_order(len(names))
        assert (dataset.name, dataset.split) == (name, split)
        assert (dataset.task, dataset.bits) == (PUBLISHED[name].task, PUBLISHED[name].bits)
        assert dataset.has_truth


@pytest.mark.parametrize("name", PAIRED)
def test_the_root_may_be_the_set_itself(tmp_path: Path, name: str) -> None:
    names = WRITERS[name](tmp_path, "test", numbered(3))
    (home,) = tmp_path.iterdir()
    assert [pair.name for pair in open_dataset(name, home, "test")] == names


@pytest.mark.parametrize("name", RECOGNISED)
def test_a_path_is_recognised_by_its_layout(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / "somewhere", "test", numbered(3))
    by_path = open_dataset("somewhere", tmp_path, "test")
    assert by_path == open_dataset(name, tmp_path / "somewhere", "test")
    assert open_dataset(str(tmp_path / "somewhere"), Path("elsewhere"), "test") == by_path


def test_a_path_with_several_sets_must_be_named(tmp_path: Path) -> None:
    for name in ("realblur-j", "realblur-r"):
        WRITERS[name](tmp_path, "test", numbered(2))
    with pytest.raises(UsageError, match="several data sets: realblur-j, realblur-r"):
        open_dataset(".", tmp_path, "test")
    assert len(open_dataset("realblur-r", tmp_path, "test")) == 2


def test_gopro_is_linear_unless_gamma_is_asked_for(tmp_path: Path) -> None:
    WRITERS["gopro"](tmp_path, "test", [(picture * 2, picture) for picture, _ in numbered(3)])
    assert numbers(open_dataset("gopro", tmp_path, "test")) == [(2, 1), (4, 2), (6, 3)]
    assert numbers(open_dataset("gopro-gamma", tmp_path, "test")) == [(1, 1), (2, 2), (3, 3)]


def test_dpdd_is_read_in_sixteen_bits_or_as_eight(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (2, 8, 9, 3), np.uint16)
    WRITERS["dpdd"](tmp_path, "val", [(deep[0], deep[1])])
    (pair,) = open_dataset("dpdd", tmp_path, "val")
    blurred, sharp = pair.read_native()
    assert blurred.dtype == sharp.dtype == np.uint16
    assert np.array_equal(blurred, deep[0])
    assert np.array_equal(sharp, deep[1])
    assert np.array_equal(pair.read()[0], deep[0] >> 8)


def test_dpdd_views_of_restormer_are_found(tmp_path: Path) -> None:
    for number, (folder, view) in enumerate({"inputC": 5, "inputL": 6, "target": 7}.items()):
        write_picture(
            tmp_path / f"test/{folder}/{number}.png", np.full((4, 4, 3), view * 257, np.uint16)
        )
    assert numbers(open_dataset("dpdd", tmp_path, "test")) == [(5, 7)]
    assert numbers(open_dataset("dpdd-left", tmp_path, "test")) == [(6, 7)]


def test_rwbi_has_no_truth(tmp_path: Path) -> None:
    names = WRITERS["rwbi"](tmp_path, "test", numbered(3))
    dataset = open_dataset("rwbi", tmp_path, "test")
    assert [pair.name for pair in dataset] == names
    assert not dataset.has_truth
    assert not dataset.warnings
    with pytest.raises(UsageError, match=r"0000\.jpg: has no truth"):
        dataset.pairs[0].read()


@pytest.mark.parametrize("folder", ["GoPro", "test/GoPro", "."])
def test_a_named_set_may_be_flat(tmp_path: Path, folder: str) -> None:
    write_flat(tmp_path, "test", numbered(3))
    if folder != ".":
        (tmp_path / "moved" / folder).mkdir(parents=True)
        shutil.copytree(tmp_path / "test", tmp_path / "moved" / folder, dirs_exist_ok=True)
    dataset = open_dataset("gopro", tmp_path / ("" if folder == "." else "moved"), "test")
    assert numbers(dataset) == in_order(3)
    assert dataset.expected == 1111


def test_a_flat_set_is_never_taken_for_a_variant(tmp_path: Path) -> None:
    write_flat(tmp_path, "test", numbered(3))
    for name in ("gopro-gamma", "dpdd-left"):
        with pytest.raises(UsageError, match=f"test split of {name} is not there"):
            open_dataset(name, tmp_path, "test")


@pytest.mark.parametrize("place", ["{split}/input", "blur"])
def test_a_flat_folder_needs_no_name(tmp_path: Path, place: str) -> None:
    blurred = place.format(split="val")
    sharp = blurred.replace("input", "target").replace("blur", "GT")
    for number, (low, high) in enumerate(numbered(3)):
        write_picture(tmp_path / "mine" / blurred / f"{number}.png", low)
        write_picture(tmp_path / "mine" / sharp / f"{number}.jpg", high)
    dataset = open_dataset("mine", tmp_path, "val")
    assert numbers(dataset) == in_order(3)
    assert (dataset.name, dataset.task, dataset.bits, dataset.expected) == ("mine", *[None] * 3)
    assert dataset.warnings == ()


def test_another_number_than_published_is_told(tmp_path: Path) -> None:
    WRITERS["gopro"](tmp_path, "test", numbered(3))
    dataset = open_dataset("gopro", tmp_path, "test")
    (warning,) = dataset.warnings
    assert "gopro test has 3 pairs here, 1,111 were published" in warning
    whole = PairedDataset("gopro", "test", dataset.pairs, expected=3)
    assert whole.warnings == ()


def test_published_counts() -> None:
    tests = {name: published.counts["test"] for name, published in PUBLISHED.items()}
    assert tests == {
        "gopro": 1111,
        "gopro-gamma": 1111,
        "hide": 2025,
        "realblur-j": 980,
        "realblur-r": 980,
        "dpdd": 76,
        "dpdd-left": 76,
        "dpdd-right": 76,
        "rwbi": None,
    }
    assert PUBLISHED["gopro"].counts["train"] == 2103
    assert PUBLISHED["dpdd"].counts == {"train": 350, "val": 74, "test": 76}


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("gopro", "val", "gopro has no split 'val' .one of train, test"),
        ("hide", "test", "test split of hide is not there"),
        ("nonsense", "test", "no such folder, and no data set of that name .the names are gopro"),
        ("empty", "test", "no pairs of a test split in any layout"),
    ],
)
def test_what_is_not_there_is_said(tmp_path: Path, name: str, split: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        open_dataset(name, tmp_path, split)


def test_folders_without_photos_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "test" / "scene" / "blur").mkdir(parents=True)
    with pytest.raises(UsageError, match="no photos"):
        open_dataset("gopro", tmp_path, "test")
    (tmp_path / REALBLUR_J).mkdir()
    (tmp_path / "RealBlur_J_test_list.txt").touch()
    with pytest.raises(UsageError, match="no photos"):
        open_dataset("realblur-j", tmp_path, "test")


@pytest.mark.parametrize("suffix", ["txt", "npy"])
def test_an_index_file_picks_a_part_in_its_order(tmp_path: Path, suffix: str) -> None:
    WRITERS["dpdd"](tmp_path, "test", numbered(6))
    dataset = open_dataset("dpdd", tmp_path, "test")
    index_file = tmp_path / f"indoor.{suffix}"
    if suffix == "npy":
        np.save(index_file, np.array([4, 0, 5]))
    else:
        index_file.write_text("4, 0\n5\n")
    indoor = dataset.part(index_file)
    assert numbers(indoor) == [(5, 105), (1, 101), (6, 106)]
    assert (indoor.name, indoor.task, indoor.warnings) == ("dpdd indoor", "defocus", ())


@pytest.mark.parametrize(
    ("content", "message"),
    [("1 2 three", "no list of indices"), ("1 9", "index 9 is outside the 3"), ("1 1", "twice: 1")],
)
def test_a_bad_index_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    WRITERS["dpdd"](tmp_path, "test", numbered(3))
    (tmp_path / "outdoor.txt").write_text(content)
    with pytest.raises(UsageError, match=rf"outdoor\.txt: .*{message}"):
        open_dataset("dpdd", tmp_path, "test").part(tmp_path / "outdoor.txt")


def test_an_array_of_other_numbers_or_a_missing_file_is_no_index_file(tmp_path: Path) -> None:
    WRITERS["dpdd"](tmp_path, "test", numbered(3))
    dataset = open_dataset("dpdd", tmp_path, "test")
    np.save(tmp_path / "halves.npy", np.array([0.5]))
    for name in ("halves.npy", "missing.npy", "missing.txt"):
        with pytest.raises(UsageError, match=f"{name}: is no list of indices"):
            dataset.part(tmp_path / name)


def test_real_validation_pairs_are_found_by_their_path() -> None:
    pairs = shared_file("pairs")
    assert len(open_dataset("motion-gopro", pairs, "val")) == 3
    assert len(open_dataset("defocus-dpdd1024", pairs, "train")) == 44
