"""The page as people see it, in a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deblur_cli.reporting.report import Report
from tests.reporting.chromium import PROGRAM, Browser, browser
from tests.reporting.reports import SUMMARY, report_of_all_kinds, restored

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium, absent here")

SLIDER = "document.querySelector('.compare input')"
FIRST = "document.querySelector('.compare')"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report_of_all_kinds(path).write(SUMMARY)
    return path


@pytest.fixture
def shown(chromium: Browser, report: Path) -> Browser:
    chromium.open(report)
    return chromium


def _columns(page: Browser) -> list[str]:
    rows = "[...document.querySelectorAll('#rows tbody th')].map(cell => cell.textContent)"
    names: list[str] = page.value(rows)
    return [name.removeprefix("photos/").split(" ")[0].removesuffix(".png") for name in names]


def _seen(page: Browser) -> np.ndarray:
    """The first comparison, as it is on the screen."""
    left, top, width, height = page.value(
        f"{FIRST}.scrollIntoView(), (box => [box.x, box.y, box.width, box.height])"
        f"({FIRST}.getBoundingClientRect())"
    )
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        area = (round(left), round(top), round(left + width), round(top + height))
        return np.asarray(shot.convert("RGB").crop(area)).astype(int)


def test_no_complaints_and_nothing_fetched(shown: Browser) -> None:
    shown.screenshot()
    assert shown.complaints == []
    schemes = {url.partition(":")[0] for url in shown.requested}
    assert schemes == {"file", "data"}
    pictures = "[...document.images]"
    assert shown.value(f"{pictures}.length") > 2 * 2
    assert shown.value(f"{pictures}.every(each => each.complete && each.naturalWidth > 0)")


def test_keys_move_the_divider_between_before_and_after(shown: Browser) -> None:
    shown.value(f"{SLIDER}.focus()")
    halves = _seen(shown)
    shown.press("End", 35)
    before = _seen(shown)
    shown.press("Home", 36)
    after = _seen(shown)
    assert shown.value(f"{SLIDER}.getAttribute('aria-valuetext')") == "0 % before, 100 % after"
    shown.press("ArrowRight", 39)
    assert shown.value(f"{FIRST}.style.getPropertyValue('--at')") == "1%"
    width = halves.shape[1]
    left, right = slice(80, width // 2 - 40), slice(width // 2 + 40, width - 80)
    assert np.abs(before - after)[80:, left].mean() > 5
    assert np.abs(halves - before)[80:, left].mean() < 0.5
    assert np.abs(halves - after)[80:, right].mean() < 0.5


def test_pointer_moves_the_divider(shown: Browser) -> None:
    x, y, width = shown.value(
        f"{FIRST}.scrollIntoView(), (box => [box.x, box.y, box.width])"
        f"({FIRST}.getBoundingClientRect())"
    )
    shown.click(x + width / 4, y + 40)
    assert abs(int(shown.value(f"{SLIDER}.value")) - 25) <= 1


def test_headings_sort_the_table(shown: Browser) -> None:
    buttons = "[...document.querySelectorAll('#rows thead button')]"
    names = ["a", "b", "c", "d", "e9", "e10"]
    assert sorted(_columns(shown)) == sorted(names)
    shown.value(f"{buttons}[0].click()")
    assert _columns(shown) == names[::-1]
    shown.value(f"{buttons}[0].click()")
    assert _columns(shown) == names
    sharpness = "document.querySelectorAll('#rows thead th')[3]"
    shown.value(f"{sharpness}.firstElementChild.click()")
    shown.value(f"{sharpness}.firstElementChild.click()")
    assert shown.value(f"{sharpness}.getAttribute('aria-sort')") == "descending"
    assert _columns(shown)[0] == "d"


@pytest.mark.parametrize("dark", [False, True])
def test_follows_the_light_or_dark_scheme(chromium: Browser, report: Path, dark: bool) -> None:
    chromium.open(report, dark=dark)
    with Image.open(io.BytesIO(chromium.screenshot())) as shot:
        brightness = np.asarray(shot.convert("L"))[:, :10].mean()
    assert (brightness < 60) if dark else (brightness > 200)


def test_fits_a_narrow_window(chromium: Browser, report: Path) -> None:
    chromium.open(report, width=400, height=800)
    assert chromium.value("document.documentElement.scrollWidth") == 400


def test_long_table_shows_its_rest_when_asked(chromium: Browser, tmp_path: Path) -> None:
    report = Report(tmp_path / "report.html", {})
    for number in range(502):
        report.tell(restored(f"{number:03}.png"))
    report.write(SUMMARY)
    chromium.open(tmp_path / "report.html")
    visible = "[...document.querySelectorAll('#rows tbody tr')].filter(row => row.offsetHeight > 0)"
    assert chromium.value(f"{visible}.length") == 500
    chromium.value("document.querySelector('#rows thead button').click()")
    assert chromium.value(f"{visible}[0].cells[0].textContent") == "501.png"
    chromium.value("document.querySelector('#all').click()")
    assert chromium.value(f"{visible}.length") == 502
