from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_cli.data.photos import load_sharp, photos_below, read_native, read_rgb
from deblur_cli.errors import ImageReadError, UsageError
from tests.shared import shared_file


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


@pytest.mark.parametrize("channels", [1, 3])
def test_the_native_depth_is_kept_as_rgb(tmp_path: Path, channels: int) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7, channels), np.uint16)
    for name, picture in (("deep.png", deep), ("plain.png", (deep >> 8).astype(np.uint8))):
        cv2.imwrite(str(tmp_path / name), picture)
        read = read_native(tmp_path / name)
        assert read.dtype == picture.dtype
        assert np.array_equal(read, np.broadcast_to(picture[..., ::-1], (5, 7, 3)))


def test_a_jpeg_whose_end_is_missing_is_refused_whatever_cameras_add(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    content = cv2.imencode(".jpg", picture)[1].tobytes()
    preview = b"\xff\xe1" + (len(content) + 2).to_bytes(2, "big") + content
    with_preview = content[:2] + preview + content[2:]
    contents = {"whole": content, "preview": with_preview, "video": content + b"mp4 \xff\xda"}
    for name, whole in contents.items():
        (tmp_path / f"{name}.jpg").write_bytes(whole)
        assert read_rgb(tmp_path / f"{name}.jpg").shape == (40, 40, 3)
    for name, cut in (("end", content[:-9]), ("scan", with_preview[:-900]), ("head", content[:99])):
        (tmp_path / f"{name}.jpg").write_bytes(cut)
        with pytest.raises(ImageReadError, match=rf"{name}\.jpg: incomplete JPEG"):
            read_rgb(tmp_path / f"{name}.jpg")


@pytest.mark.parametrize("name", ["truncated_jpeg.jpg", "incomplete_image.jpg", "broken.png"])
def test_real_damaged_photos_are_refused(name: str) -> None:
    with pytest.raises(ImageReadError, match=name):
        read_rgb(shared_file("odd", "corrupt", name))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match=r"gone\.png: cannot be read: No such file"):
        read_native(tmp_path / "gone.png")


def test_hidden_files_are_no_photos(tmp_path: Path) -> None:
    for name in ("a.png", "._a.png", "b.txt"):
        (tmp_path / name).touch()
    assert photos_below(tmp_path) == [tmp_path / "a.png"]
    assert photos_below(tmp_path / "nowhere") == []
