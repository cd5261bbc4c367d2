from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.data.photos import load_sharp, read_rgb
from deblur_cli.errors import ImageReadError, UsageError


def test_photos_come_in_the_order_of_their_names_as_rgb(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    for name, red, size in (("b.png", 20, 8), ("a.png", 10, 6), ("below/c.PNG", 30, 9)):
        bgr = np.zeros((size, 12, 3), np.uint8)
        bgr[..., 2] = red
        cv2.imwrite(str(tmp_path / name), bgr)
    (tmp_path / "index.csv").write_text("not a photo")
    photos = load_sharp(tmp_path)
    assert [photo.shape for photo in photos] == [(6, 12, 3), (8, 12, 3), (9, 12, 3)]
    assert [photo[0, 0].tolist() for photo in photos] == [[10, 0, 0], [20, 0, 0], [30, 0, 0]]


def test_sixteen_bits_keep_their_upper_eight(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.full((4, 4, 3), 0x8F21, np.uint16))
    assert np.all(read_rgb(path) == 0x8F)


def test_a_missing_and_an_empty_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere: no such folder"):
        load_sharp(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no photos"):
        load_sharp(tmp_path)


def test_a_damaged_photo_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    with pytest.raises(ImageReadError, match=r"broken\.jpg"):
        load_sharp(tmp_path)
