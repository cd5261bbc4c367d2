from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from deblur_cli.inspection.canvas import (
    BARS,
    PANEL_SIDE,
    Panel,
    bar_chart,
    colour_bar,
    fitted,
    heat_map,
    sheet,
)

VIRIDIS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_VIRIDIS)[0, :, ::-1]


def test_heat_map_runs_through_the_colours() -> None:
    pixels = heat_map(np.array([[-1.0, 0.0], [2.0, 9.0]]), 0, 2)
    assert pixels.shape == (PANEL_SIDE, PANEL_SIDE, 3)
    corners = [pixels[0, 0], pixels[0, -1], pixels[-1, 0], pixels[-1, -1]]
    expected = [VIRIDIS[0], VIRIDIS[0], VIRIDIS[255], VIRIDIS[255]]
    assert np.array_equal(corners, expected)


def test_flat_values_have_one_colour() -> None:
    assert (heat_map(np.ones((3, 3)), 1, 1) == VIRIDIS[0]).all()


def test_colour_bar_runs_from_left_to_right() -> None:
    bar = colour_bar(512)
    assert bar.shape == (16, 512, 3)
    assert np.array_equal(bar[0, 0], VIRIDIS[0])
    assert np.array_equal(bar[-1, -1], VIRIDIS[255])


@pytest.mark.parametrize(("size", "shape"), [((10, 20), (128, 256)), ((800, 400), (256, 128))])
def test_pictures_are_fitted(size: tuple[int, int], shape: tuple[int, int]) -> None:
    assert fitted(np.zeros((*size, 3), np.uint8)).shape == (*shape, 3)


@pytest.mark.parametrize("count", [4, 300, 1024])
def test_bars_are_as_high_as_their_values(count: int) -> None:
    width, height = BARS
    values = np.linspace(0, 5, count)
    chart = bar_chart(values, (0, 0, 0))
    drawn = (chart[:-1] == 0).all(-1).sum(0)
    assert drawn.max() == height - 2
    middles = ((np.arange(count) + 0.4) * width / count).astype(int)
    assert np.abs(drawn[middles] - values / 5 * (height - 2)).max() <= 1


def test_bars_of_nothing_are_an_empty_chart() -> None:
    assert (bar_chart(np.zeros(7), (0, 0, 0))[:-1] == 255).all()


def test_sheet_shows_every_panel_and_text() -> None:
    red = np.full((30, 40, 3), (255, 0, 0), np.uint8)
    blue = np.full((20, 60, 3), (0, 0, 255), np.uint8)
    content = sheet(["a heading"], [[Panel("red", red), Panel("blue\ntwo lines", blue)]])
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    assert (pixels == (255, 0, 0)).all(-1).sum() == red.shape[0] * red.shape[1]
    assert (pixels == (0, 0, 255)).all(-1).sum() == blue.shape[0] * blue.shape[1]
    first = int(np.argmax((pixels == (255, 0, 0)).all(-1).any(1)))
    assert (pixels[:first] < 100).any()


def test_long_headings_are_not_cut_off() -> None:
    panel = Panel("p", np.zeros((8, 8, 3), np.uint8))
    short, long = (Image.open(io.BytesIO(sheet([text], [[panel]]))) for text in ("a", "word " * 30))
    assert long.width > short.width + 500
