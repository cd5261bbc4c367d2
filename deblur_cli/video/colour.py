"""Between the samples of a video and RGB, so that what the network leaves alone stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from deblur_cli.video.clip import UNSPECIFIED
from deblur_cli.video.containers import library

if TYPE_CHECKING:
    import av

Image = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_FULL = 2
_BT709, _BT601 = 1, 6
_RGB = {8: "rgb24", 16: "rgb48le"}
_HD_HEIGHT = 720


def sample_bits(pix_fmt: str) -> int:
    """Bits of the deepest component of a pixel format."""
    return int(max(component.bits for component in library().VideoFormat(pix_fmt).components))


def has_alpha(pix_fmt: str) -> bool:
    """Whether a pixel format has transparency."""
    return any(component.is_alpha for component in library().VideoFormat(pix_fmt).components)


def to_rgb(frame: av.video.frame.VideoFrame) -> Image:
    """The frame's picture, `(H,W,3)`: uint8 up to 8 bits of a sample, else uint16.

    Matrix and range are the frame's own; where no matrix is stated, it is BT.709 for pictures of
    720 lines or more, and BT.601 below. Transparency is left out.
    """
    depth = 8 if sample_bits(frame.format.name) <= 8 else 16
    converted = _reformatted(
        frame, _RGB[depth], src_colorspace=_matrix_of(frame), dst_color_range=_FULL
    )
    picture: Image = converted.to_ndarray()
    return picture


def repainted(
    frame: av.video.frame.VideoFrame, before: Image, after: Image, pix_fmt: str
) -> av.video.frame.VideoFrame:
    """The frame with the difference between two pictures added, in the samples of `pix_fmt`.

    Only the difference passes through RGB. So where the pictures agree the frame keeps its exact
    samples, those outside the nominal range and its transparency included.

    Args:
        frame: as it was decoded; may be changed.
        before: its picture, by `to_rgb`.
        after: what shall be seen instead; shape and dtype of `before`.
        pix_fmt: of the result; up to 16 bits, integers.
    """
    canvas = _reformatted(frame, pix_fmt, dst_color_range=_range_of(frame))
    canvas.make_writable()
    old, new = (_as_samples(picture, canvas, pix_fmt) for picture in (before, after))
    largest = (1 << sample_bits(pix_fmt)) - 1
    transparency = _alpha_plane(pix_fmt)
    for number, plane in enumerate(canvas.planes):
        if number != transparency:
            _add_difference(plane, old.planes[number], new.planes[number], largest)
    return canvas


def _as_samples(
    picture: Image, like: av.video.frame.VideoFrame, pix_fmt: str
) -> av.video.frame.VideoFrame:
    av = library()
    rgb = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(picture), _RGB[8 * picture.dtype.itemsize]
    )
    return _reformatted(
        rgb,
        pix_fmt,
        src_color_range=_FULL,
        dst_colorspace=_matrix_of(like),
        dst_color_range=_range_of(like),
    )


def _add_difference(plane: Any, old: Any, new: Any, largest: int) -> None:
    """Add `new - old` to a plane's samples, which stay within 0 and `largest`."""
    import cv2

    small = largest <= 255
    dtype = np.dtype(np.uint8 if small else np.uint16)
    length = min(each.line_size for each in (plane, old, new)) // dtype.itemsize
    mine, before, after = (
        np.frombuffer(each, dtype).reshape(each.height, -1)[:, :length]
        for each in (plane, old, new)
    )
    change = cv2.subtract(after, before, dtype=cv2.CV_16S if small else cv2.CV_32S)
    changed = cv2.add(mine, change, dtype=cv2.CV_8U if small else cv2.CV_16U)
    mine[...] = np.minimum(changed, dtype.type(largest))


def _reformatted(
    frame: av.video.frame.VideoFrame, pix_fmt: str, **colours: int
) -> av.video.frame.VideoFrame:
    from av.video.reformatter import Interpolation

    return frame.reformat(
        format=pix_fmt,
        interpolation=Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT
        | Interpolation.FULL_CHR_H_INP,
        **colours,
    )


def _matrix_of(frame: av.video.frame.VideoFrame) -> int:
    matrix = int(frame.colorspace)
    if matrix != UNSPECIFIED:
        return matrix
    return _BT709 if frame.height >= _HD_HEIGHT else _BT601


def _range_of(frame: av.video.frame.VideoFrame) -> int:
    """1 limited, 2 full, 0 unknown, which counts as limited; the formats `yuvj` are full."""
    return _FULL if frame.format.name.startswith("yuvj") else int(frame.color_range)


def _alpha_plane(pix_fmt: str) -> int | None:
    planes = [
        component.plane
        for component in library().VideoFormat(pix_fmt).components
        if component.is_alpha
    ]
    return planes[0] if planes else None
