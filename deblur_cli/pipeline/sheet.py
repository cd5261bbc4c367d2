"""Sheets that show a picture before and after: side by side, and at 100 % where it changed most."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageDraw

from deblur_cli.errors import ImageWriteError
from deblur_cli.imaging.atomic import atomic_path
from deblur_cli.imaging.photo import Image
from deblur_cli.imaging.read import read_photo
from deblur_cli.imaging.rendition import render
from deblur_cli.pipeline.paths import is_regular_file
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.problems import require_folder

Pixels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels."""

ELSEWHERE = "choose another folder with --compare"
"""What helps if sheets cannot be written where they should."""

_PANEL = 800
_CROP = (_PANEL, 304)
_CROPS = 3
_CELL = 8
_GAP = 8
_HEADER = 28
_QUALITY = 90
_INK, _PAPER = (40, 40, 40), (255, 255, 255)
_MARK = (255, 60, 60)


def write_sheet(path: Path, before: Image, after: Image) -> None:
    """Write the sheet of one picture as a JPEG, complete or not at all.

    Args:
        path: where it goes; its folder is made.
        before: `(H, W, 3)` sRGB, uint8, uint16, or float32 in [0, 1].
        after: the same.

    Raises:
        ImageWriteError: it cannot be written.
    """
    require_folder(path.parent, remedy=ELSEWHERE)
    sheet = draw_sheet(in_8_bits(before), in_8_bits(after))
    try:
        with atomic_path(path) as temporary:
            sheet.save(temporary, "JPEG", quality=_QUALITY, subsampling=0)
    except OSError as error:
        raise ImageWriteError(
            f"the comparison cannot be written: {error.strerror or error}",
            path=path,
            remedy="check its folder's permissions and space, or leave out --compare",
        ) from error


def write_missing_sheet(job: Job) -> None:
    """The sheet of a result that is complete, if one is wanted and not there.

    Raises:
        ImageReadError: the input or the result cannot be read.
        ImageWriteError: the sheet cannot be written.
    """
    if job.sheet is None or is_regular_file(job.sheet):
        return
    before, after = (render(read_photo(path)).pixels for path in (job.source, job.target))
    write_sheet(job.sheet, before, after)


def draw_sheet(before: Pixels, after: Pixels) -> PIL.Image.Image:
    """Both pictures beside each other, below them pairs of crops at 100 %.

    A picture that fits as it is has no crops.
    """
    boxes = most_changed(before, after) if max(before.shape[:2]) > _PANEL else []
    overviews = [_overview(pixels, boxes) for pixels in (before, after)]
    rows = [overviews] + [
        [PIL.Image.fromarray(pixels).crop(box) for pixels in (before, after)] for box in boxes
    ]
    column = max(left.width for left, _ in rows)
    height = _HEADER + sum(left.height + _GAP for left, _ in rows)
    sheet = PIL.Image.new("RGB", (2 * column + 3 * _GAP, height), _PAPER)
    draw = PIL.ImageDraw.Draw(sheet)
    top = _HEADER
    for place, caption in enumerate(("before", "after")):
        draw.text((_GAP + place * (column + _GAP), _GAP), caption, fill=_INK)
    for row in rows:
        for place, picture in enumerate(row):
            sheet.paste(picture, (_GAP + place * (column + _GAP), top))
        top += row[0].height + _GAP
    return sheet


def most_changed(
    before: Pixels, after: Pixels, size: tuple[int, int] = _CROP, count: int = _CROPS
) -> list[Box]:
    """Boxes for crops, apart from each other, where the pictures differ most; the most first.

    None in a picture of a few rows or columns.

    Args:
        before: `(H, W, 3)` uint8.
        after: the same.
        size: width and height of a crop, in pixels.
        count: the most crops there are.
    """
    rows, columns = before.shape[0] // _CELL, before.shape[1] // _CELL
    if not rows or not columns:
        return []
    cells = (slice(rows * _CELL), slice(columns * _CELL))
    change = cv2.absdiff(before[cells], after[cells]).reshape(rows, _CELL, columns, -1)
    corners = cv2.integral(change.sum(axis=(1, 3), dtype=np.float64))
    wide, high = min(size[0] // _CELL, columns), min(size[1] // _CELL, rows)
    columns_summed = corners[:, wide:] - corners[:, :-wide]
    sums = columns_summed[high:] - columns_summed[:-high]
    boxes: list[Box] = []
    while len(boxes) < count and sums.max() > 0:
        top, left = divmod(int(sums.argmax()), sums.shape[1])
        x, y = left * _CELL, top * _CELL
        boxes.append((x, y, x + wide * _CELL, y + high * _CELL))
        sums[max(0, top - high + 1) : top + high, max(0, left - wide + 1) : left + wide] = 0
    return boxes


def _overview(pixels: Pixels, boxes: list[Box]) -> PIL.Image.Image:
    picture = PIL.Image.fromarray(pixels)
    scale = min(1.0, _PANEL / max(picture.size))
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    picture = picture.resize(size, PIL.Image.Resampling.LANCZOS, reducing_gap=3.0)
    draw = PIL.ImageDraw.Draw(picture)
    for box in boxes:
        draw.rectangle([round(edge * scale) for edge in box], outline=_MARK, width=2)
    return picture


def in_8_bits(pixels: Image) -> Pixels:
    """`(H, W, 3)` sRGB, uint8, uint16, or float32 in [0, 1], as uint8."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    full = 1 if pixels.dtype == np.float32 else 65535
    return np.rint(pixels.clip(0, full) * np.float32(255 / full)).astype(np.uint8)
