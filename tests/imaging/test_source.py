from __future__ import annotations

import io

import pytest

from deblur_cli.imaging.source import MAX_PIXELS, PLAUSIBLE_PIXELS, Source, TooLargeError


def source(size: int, max_pixels: int | None = None) -> Source:
    return Source(io.BytesIO(b""), size, max_pixels)


def test_photos_of_today_and_tomorrow_pass():
    source(15_000_000).admit(14204, 10652)
    source(20_000_000).admit(16320, 12240)


@pytest.mark.parametrize("max_pixels", [None, 10**9])
def test_small_pictures_pass_however_well_compressed(max_pixels):
    source(100, max_pixels).admit(PLAUSIBLE_PIXELS - 1, 1)


def test_a_large_picture_in_a_small_file_is_a_bomb():
    with pytest.raises(TooLargeError, match="bomb"):
        source(PLAUSIBLE_PIXELS // 200 - 1).admit(PLAUSIBLE_PIXELS, 1)
    source(PLAUSIBLE_PIXELS // 200).admit(PLAUSIBLE_PIXELS, 1)


def test_the_limit_can_be_set():
    with pytest.raises(TooLargeError, match="more than the 250 million allowed"):
        source(10**9).admit(MAX_PIXELS + 1, 1)
    source(10, MAX_PIXELS + 1).admit(MAX_PIXELS + 1, 1)
    with pytest.raises(TooLargeError, match="3 x 5 pixels are more than"):
        source(10**9, 14).admit(3, 5)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (-1, 5)])
def test_no_pixels_are_damage(size):
    with pytest.raises(ValueError, match="a picture of"):
        source(100).admit(*size)
