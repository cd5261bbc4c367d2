"""The report of one batch: takes in how its pictures ended, and what some of them look like."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deblur_cli.errors import DeblurError
from deblur_cli.imaging.photo import Image
from deblur_cli.imaging.read import read_photo
from deblur_cli.imaging.rendition import render
from deblur_cli.imaging.write import new_file
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Event,
    Failed,
    LeftSharp,
    Restored,
    Told,
)
from deblur_cli.pipeline.problems import require_folder
from deblur_cli.pipeline.sheet import in_8_bits
from deblur_cli.reporting.gallery import Exhibit, Gallery
from deblur_cli.reporting.page import Page, write_page
from deblur_cli.reporting.rows import Row
from deblur_cli.reporting.views import Scores, View, compared, drawn

PLACES = 24
"""How many pictures a report shows."""


@dataclass(frozen=True)
class Look:
    """What was seen of a picture; the view only if the gallery would take it."""

    scores: Scores
    view: View | None


def look_at(before: Image, after: Image) -> Look:
    """See a picture where there is no report, for its `keep`; arguments as of `Report.look`."""
    return Look(compared(before, after), drawn(before, after))


class Report:
    """Becomes an HTML file. Pictures are held only as far as they are shown.

    Args:
        path: of the file, which is replaced.
        about: what the page says of the run as a whole, by name.
        places: how many pictures it shows.
    """

    def __init__(self, path: Path, about: Mapping[str, str], places: int = PLACES) -> None:
        self._path = path
        self._about = about
        self._rows: list[Row] = []
        self._lost: list[DeviceLost] = []
        self._gallery = Gallery(places)
        self._looks: dict[Path, Look] = {}
        self._lock = threading.Lock()

    def look(self, source: Path, before: Image, after: Image) -> None:
        """See a picture before its event is told; for any thread.

        Args:
            source: the input.
            before: `(H, W, 3)` sRGB, uint8, uint16, or float32 in [0, 1].
            after: the same.
        """
        scores = compared(before, after)
        with self._lock:
            is_shown = self._gallery.would_take(scores)
        view = drawn(before, after) if is_shown else None
        with self._lock:
            self._looks[source] = Look(scores, view)

    def keep(self, source: Path, look: Look) -> None:
        """Take in what was seen elsewhere of a picture, before its event is told."""
        with self._lock:
            is_shown = self._gallery.would_take(look.scores)
            self._looks[source] = look if is_shown else replace(look, view=None)

    def tell(self, event: Told) -> None:
        """Take in how a picture ended.

        As long as there is room, pictures that an earlier run has done are read to be shown.
        """
        match event:
            case DeviceLost():
                self._lost.append(event)
            case Failed() | LeftSharp():
                self._take(event)
                self._rows.append(Row(event))
            case Restored() | AlreadyDone():
                if isinstance(event, AlreadyDone) and self._gallery.has_room:
                    self._look_again(event)
                look = self._take(event)
                self._rows.append(Row(event, look.scores if look else None))
                self._show(event, look)

    def write(self, summary: Mapping[str, Any] | None = None) -> None:
        """Write the page, complete or not at all.

        Args:
            summary: how the batch ended; None while it goes on, which the page then says, as it
                does for good if the run is killed.

        Raises:
            ImageWriteError: it cannot be written.
        """
        require_folder(self._path.parent, remedy="choose another place for the report")
        gallery = self._gallery
        page = Page(self._about, summary, self._rows, list(gallery), gallery.places, self._lost)
        with new_file(self._path) as temporary:
            write_page(temporary, page, self._path.parent)

    def _take(self, event: Event) -> Look | None:
        with self._lock:
            return self._looks.pop(event.source, None)

    def _show(self, event: Restored | AlreadyDone, look: Look | None) -> None:
        if look is not None and look.view is not None:
            with self._lock:
                self._gallery.offer(Exhibit(event.source, event.target, look.scores, look.view))

    def _look_again(self, event: AlreadyDone) -> None:
        try:
            if event.source.samefile(event.target):
                return
            before, after = (
                in_8_bits(render(read_photo(path)).pixels) for path in (event.source, event.target)
            )
        except (DeblurError, OSError):
            return
        if before.shape == after.shape:
            self.look(event.source, before, after)
