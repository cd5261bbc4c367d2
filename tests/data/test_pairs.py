from __future__ import annotations

from itertools import product
from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.data.pairs import BLURRED_FOLDERS, SHARP_FOLDERS, find_pairs
from deblur_cli.errors import UsageError
from tests.shared import shared_file


def write_photo(path: Path, value: int, side: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((side, side, 3), value, np.uint8))


@pytest.mark.parametrize(("blurred", "sharp"), [*product(BLURRED_FOLDERS, SHARP_FOLDERS)])
def test_photos_pair_by_name_whatever_their_suffix(
    tmp_path: Path, blurred: str, sharp: str
) -> None:
    for name in ("b.two", "a"):
        write_photo(tmp_path / blurred / f"{name}.png", 50)
        write_photo(tmp_path / sharp / f"{name}.bmp", 60)
    pairs = find_pairs(tmp_path)
    assert [pair.name for pair in pairs] == ["a", "b.two"]
    assert pairs[0].blurred == tmp_path / blurred / "a.png"
    low, high = pairs[1].read()
    assert np.all(low == 50)
    assert np.all(high == 60)


def test_photos_without_partner_are_named(tmp_path: Path) -> None:
    for name in "abcdefgh":
        write_photo(tmp_path / "blur" / f"{name}.png", 50)
    write_photo(tmp_path / "sharp" / "a.png", 50)
    write_photo(tmp_path / "sharp" / "z.png", 50)
    with pytest.raises(UsageError, match="without partner: b, c, d, e, f and 3 more"):
        find_pairs(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    write_photo(tmp_path / "blur" / "a.png", 50)
    with pytest.raises(UsageError, match="no folder named sharp or target or gt or GT"):
        find_pairs(tmp_path)


def test_one_stem_twice_in_a_folder_is_an_error(tmp_path: Path) -> None:
    for folder in ("blur", "sharp"):
        write_photo(tmp_path / folder / "a.png", 50)
    write_photo(tmp_path / "blur" / "a.jpg", 50)
    with pytest.raises(UsageError, match="two photos named 'a'"):
        find_pairs(tmp_path)


def test_a_pair_of_two_sizes_is_an_error(tmp_path: Path) -> None:
    write_photo(tmp_path / "blur" / "a.png", 50, side=8)
    write_photo(tmp_path / "sharp" / "a.png", 50, side=9)
    with pytest.raises(UsageError, match="pair 'a' differs in size, 8x8 and 9x9"):
        find_pairs(tmp_path)[0].read()


def test_photos_without_partner_are_counted(tmp_path: Path) -> None:
    for name in "abc":
        write_photo(tmp_path / "blur" / f"{name}.png", 50)
    write_photo(tmp_path / "sharp" / "a.png", 50)
    with pytest.raises(UsageError, match="2 photos without partner: b, c"):
        find_pairs(tmp_path)


def test_a_pair_of_two_depths_is_an_error_only_at_its_native_depth(tmp_path: Path) -> None:
    write_photo(tmp_path / "blur" / "a.png", 50)
    (tmp_path / "sharp").mkdir()
    cv2.imwrite(str(tmp_path / "sharp" / "a.png"), np.full((8, 8, 3), 60 * 257, np.uint16))
    (pair,) = find_pairs(tmp_path)
    assert np.all(pair.read()[1] == 60)
    with pytest.raises(UsageError, match="pair 'a' differs in depth, uint8 and uint16"):
        pair.read_native()


def test_real_defocus_pairs_are_found() -> None:
    pairs = find_pairs(shared_file("pairs", "defocus-dpdd1024", "val"))
    assert len(pairs) == 5
    blurred, sharp = pairs[0].read()
    assert blurred.shape == sharp.shape == (1024, 1024, 3)
