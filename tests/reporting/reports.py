"""Batches that are reported on, without a network or files."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from deblur_cli.errors import ImageReadError
from deblur_cli.pipeline.events import AlreadyDone, Failed, LeftSharp, Restored
from deblur_cli.reporting.report import Report

SUMMARY = {
    "restored": 2,
    "left_sharp": 0,
    "already_done": 0,
    "failed": 0,
    "remaining": 0,
    "left_out": 0,
    "skipped": 0,
    "seconds": 4.0,
    "exit_code": 0,
}
ABOUT = {"Network": "inverter on cpu"}


def restored(source: Path | str, **fields: Any) -> Restored:
    """A picture of 800 x 600 pixels that was restored into the folder `out`."""
    values: dict[str, Any] = {
        "source": Path(source),
        "target": Path("out") / Path(source).name,
        "height": 600,
        "width": 800,
        "device": "cpu",
        "seconds": 1.0,
        "tile": 64,
        "tiles": 1,
        "redone": 0,
        "kept": 0,
        "warnings": (),
        "read_seconds": 0.25,
        "write_seconds": 0.5,
    }
    return Restored(**values | fields)


def pair(change: int = 40, seed: int = 0, size: tuple[int, int] = (800, 600)) -> Any:
    """A blurred picture of `size`, width first, and one that is sharper and brighter."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 200, (9, 12, 3), np.uint8)
    after = cv2.resize(coarse, size, interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(after, (0, 0), 3), cv2.add(after, np.full_like(after, change))


def report_of_all_kinds(path: Path) -> Report:
    """Two pictures that were seen, and one of each other kind; odd names among them."""
    report = Report(path, ABOUT)
    for number, name in enumerate(("photos/b <script>alert(1)</script>.jpg", "photos/a.png")):
        report.look(Path(name), *pair(seed=number, size=(900, 700)))
        report.tell(restored(name, width=900, height=700))
    missing = ImageReadError("no such <b>file</b>", path="photos/c.png", remedy="check the path")
    report.tell(Failed(Path("photos/c.png"), missing))
    report.tell(LeftSharp(Path("photos/d.png"), Path("out/d.png"), 0.61))
    report.tell(AlreadyDone(Path("photos/e10.png"), Path("out/e10.png")))
    report.tell(AlreadyDone(Path("photos/e9.png"), Path("out/e9.png")))
    return report


class Read(HTMLParser):
    """A page as a browser would take it apart: its elements, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str | None]]] = []
        self.text = ""
        self.source = path.read_text("utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[Mapping[str, str | None]]:
        """The attributes of every element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]
