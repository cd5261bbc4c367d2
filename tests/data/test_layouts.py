from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from deblur_cli.data.datasets import open_dataset
from deblur_cli.errors import UsageError
from tests.data.layouts import REALBLUR_J, WRITERS, numbered, write_picture


def removed(root: Path, pattern: str) -> None:
    (path,) = root.glob(pattern)
    path.unlink()


@pytest.mark.parametrize(
    ("name", "pattern", "message"),
    [
        ("gopro", "*/test/*/blur/000003.png", "1 photos without partner: GOPR0001_11_00/000003"),
        ("gopro", "*/test/*/sharp/000000.png", "1 photos without partner: GOPR0000_11_00/000000"),
        ("hide", "*/GT/2from*.png", "1 photos without partner: 2fromGOPR0test"),
        (
            "realblur-j",
            "*/*/scene002test/gt/gt_2.png",
            r"1 of 10 listed photos are missing: scene002test/gt/gt_2\.png",
        ),
        (
            "realblur-r",
            "*/*/scene004test/blur/blur_4.png",
            r"1 of 10 listed photos are missing: scene004test/blur/blur_4\.png",
        ),
        ("dpdd", "*/test_c/target/1P0A1003.png", r"5 blurred photos \(1P0A1000.*4 sharp ones"),
    ],
)
def test_a_missing_file_is_counted_and_named(
    tmp_path: Path, name: str, pattern: str, message: str
) -> None:
    WRITERS[name](tmp_path, "test", numbered(5))
    removed(tmp_path, pattern)
    with pytest.raises(UsageError, match=message):
        open_dataset(name, tmp_path, "test")


def test_a_scene_without_truth_is_named_whole(tmp_path: Path) -> None:
    WRITERS["gopro"](tmp_path, "test", numbered(20))
    for scene in (tmp_path / "GOPRO_Large" / "test").iterdir():
        if scene.name != "GOPR0009_11_00":
            shutil.rmtree(scene / "sharp")
    with pytest.raises(UsageError, match=r"18 photos without partner: .* and 13 more"):
        open_dataset("gopro", tmp_path, "test")


def test_hide_may_have_truth_of_the_other_split(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        WRITERS["hide"](tmp_path, split, numbered(count))
    removed(tmp_path, "*/train/3from*.png")
    assert len(open_dataset("hide", tmp_path, "train")) == 3
    assert len(open_dataset("hide", tmp_path, "test")) == 2


def test_hide_names_are_unique_over_its_folders(tmp_path: Path) -> None:
    WRITERS["hide"](tmp_path, "test", numbered(2))
    (photo,) = tmp_path.glob("*/test/test-close-ups/*.png")
    shutil.copy(photo, photo.parents[1] / "test-long-shot")
    with pytest.raises(UsageError, match="two photos named '0fromGOPR0test'"):
        open_dataset("hide", tmp_path, "test")


def test_realblur_lists_decide_what_belongs_to_a_split(tmp_path: Path) -> None:
    WRITERS["realblur-j"](tmp_path, "test", numbered(3))
    home = tmp_path / "RealBlur"
    write_picture(home / REALBLUR_J / "scene999" / "blur" / "blur_1.png", numbered(1)[0][0])
    listed = home / "RealBlur_J_test_list.txt"
    lines = listed.read_text().splitlines()
    listed.write_text("\n".join([lines[2], "", lines[0]]))
    names = [pair.name for pair in open_dataset("realblur-j", tmp_path, "test")]
    assert names == ["scene002test/blur_2", "scene000test/blur_0"]


def test_realblur_scene244_lies_in_its_reflected_folder(tmp_path: Path) -> None:
    WRITERS["realblur-j"](tmp_path, "test", numbered(2))
    scenes = tmp_path / "RealBlur" / REALBLUR_J
    (scenes / "scene001test").rename(scenes / "scene001test_reflect")
    pairs = open_dataset("realblur-j", tmp_path, "test").pairs
    assert pairs[1].blurred == scenes / "scene001test_reflect" / "blur" / "blur_1.png"
    assert pairs[1].read()[1][0, 0, 0] == 102


@pytest.mark.parametrize(
    "line", ["only-one.png", "a b c", f"{REALBLUR_J}/scene/gt/gt_1.png other/blur_1.png"]
)
def test_a_damaged_realblur_list_is_named(tmp_path: Path, line: str) -> None:
    WRITERS["realblur-j"](tmp_path, "test", numbered(2))
    listed = tmp_path / "RealBlur" / "RealBlur_J_test_list.txt"
    listed.write_text(listed.read_text() + line)
    with pytest.raises(UsageError, match=r"_list\.txt: entry 3 does not name a truth and a blur"):
        open_dataset("realblur-j", tmp_path, "test")


def test_a_missing_or_binary_realblur_list_is_named(tmp_path: Path) -> None:
    WRITERS["realblur-j"](tmp_path, "train", numbered(2))
    with pytest.raises(UsageError, match=r"J_test_list\.txt: the list .* cannot be read"):
        open_dataset("realblur-j", tmp_path, "test")
    (tmp_path / "RealBlur" / "RealBlur_J_test_list.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"J_test_list\.txt: the list .* cannot be read"):
        open_dataset("realblur-j", tmp_path, "test")


def test_dpdd_without_any_truth_is_an_error(tmp_path: Path) -> None:
    WRITERS["dpdd"](tmp_path, "test", numbered(2))
    shutil.rmtree(tmp_path / "dd_dp_dataset_png" / "test_c" / "target")
    with pytest.raises(UsageError, match=r"2 blurred .* but 0 sharp ones in .* \(none\)"):
        open_dataset("dpdd", tmp_path, "test")


def test_hidden_files_and_notes_are_left_alone(tmp_path: Path) -> None:
    names = WRITERS["gopro"](tmp_path, "test", numbered(3))
    (scene, _) = sorted((tmp_path / "GOPRO_Large" / "test").iterdir())
    (scene / "blur" / "._000000.png").write_bytes(b"resource fork")
    (scene / "frames.txt").touch()
    assert [pair.name for pair in open_dataset("gopro", tmp_path, "test")] == names
