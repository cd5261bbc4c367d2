"""The report as one HTML file that needs nothing else: styles, script and pictures are inside."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from deblur_cli.pipeline.events import DeviceLost, Failed, Restored
from deblur_cli.reporting.gallery import Exhibit
from deblur_cli.reporting.rows import Row

if TYPE_CHECKING:
    from jinja2 import Environment

_STAGES = ("read", "network", "write")


@dataclass(frozen=True)
class Page:
    """Everything that is on the page.

    Args:
        about: of the run as a whole, by name.
        summary: the fields of the JSON line `summary`; None while the batch goes on.
        rows: one for each picture that ended.
        exhibits: the pictures that are shown, in this order.
        places: how many there can be.
        lost: devices that stopped working.
        first_rows: of the table that are shown until the rest is asked for.
    """

    about: Mapping[str, str]
    summary: Mapping[str, Any] | None
    rows: Sequence[Row]
    exhibits: Sequence[Exhibit]
    places: int
    lost: Sequence[DeviceLost]
    first_rows: int = 500

    @property
    def sorted_rows(self) -> list[Row]:
        """The rows by the names of their inputs."""
        return sorted(self.rows, key=lambda row: row.event.source)

    @property
    def is_long(self) -> bool:
        """Whether the table has more rows than are shown at first."""
        return len(self.rows) > self.first_rows

    @property
    def failures(self) -> list[Failed]:
        """The pictures that failed, by name."""
        return [row.event for row in self.sorted_rows if isinstance(row.event, Failed)]

    @property
    def numbers(self) -> dict[Path, int]:
        """Inputs of the pictures that are shown, with their numbers on the page."""
        return {exhibit.source: number for number, exhibit in enumerate(self.exhibits, 1)}

    @property
    def stages(self) -> dict[str, float]:
        """Seconds that all restored pictures together took in each stage."""
        restored = [row.event for row in self.rows if isinstance(row.event, Restored)]
        seconds = (
            sum(each.read_seconds for each in restored),
            sum(each.seconds for each in restored),
            sum(each.write_seconds for each in restored),
        )
        return dict(zip(_STAGES, seconds, strict=True))

    @property
    def sharpness(self) -> tuple[float, float] | None:
        """Medians before and after of the pictures that were seen."""
        seen = [row.scores for row in self.rows if row.scores is not None]
        if not seen:
            return None
        return median(each.before for each in seen), median(each.after for each in seen)


def write_page(path: Path, page: Page, folder: Path) -> None:
    """Write the page to `path`; its links are relative to `folder`.

    Raises:
        OSError: it cannot be written.
    """
    template = _environment(folder).get_template("page.html")
    with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(template.generate(page=page))


def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("deblur_cli.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "jpeg_uri": _jpeg_uri,
        "link": lambda path: _link(path, folder),
        "box_style": _box_style,
        "several": _several,
    }
    return environment


def _jpeg_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def _link(path: Path, folder: Path) -> str:
    """The path as a relative link, or, on another drive, as an absolute one."""
    try:
        return quote(os.fsencode(os.path.relpath(path, folder)).replace(os.sep.encode(), b"/"))
    except ValueError:
        return path.absolute().as_uri()


def _box_style(box: Iterable[int], whole: Sequence[int]) -> str:
    """CSS that marks a part of a picture, whatever size that is shown in."""
    left, top, right, bottom = box
    width, height = whole[2] / 100, whole[3] / 100
    return (
        f"left:{left / width:.2f}%;top:{top / height:.2f}%;"
        f"width:{(right - left) / width:.2f}%;height:{(bottom - top) / height:.2f}%"
    )


def _several(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
