from __future__ import annotations

import struct
from pathlib import Path

import pytest
from PIL import Image

from deblur_cli.video.sidedata import display_matrix_of, side_data_of
from tests.video.clips import Recipe, first_frame, picture, write_clip

ROTATED = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
ORIENTATION, TURN_RIGHT, TURN_LEFT = 0x0112, 6, 8


def test_matrix_of_a_video(tmp_path: Path) -> None:
    frame = first_frame(write_clip(tmp_path / "in.mp4", Recipe(display_matrix=ROTATED)))
    assert display_matrix_of(frame) == ROTATED
    assert side_data_of(frame)["DISPLAYMATRIX"] == struct.pack("=9i", *ROTATED)


def test_no_matrix(tmp_path: Path) -> None:
    assert display_matrix_of(first_frame(write_clip(tmp_path / "in.mp4"))) is None


@pytest.mark.parametrize(("orientation", "across"), [(TURN_RIGHT, 65536), (TURN_LEFT, -65536)])
def test_rotation_beside_what_the_library_does_not_know(
    tmp_path: Path, orientation: int, across: int
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(picture(0, (64, 48))).save(tmp_path / "in.png", exif=exif)
    frame = first_frame(tmp_path / "in.png")
    with pytest.raises(ValueError, match="not a valid Type"):
        frame.side_data.keys()
    assert display_matrix_of(frame) == (0, across, 0, -across, 0, 0, 0, 0, 1 << 30)
