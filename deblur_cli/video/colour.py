"""Between the samples of a video and RGB, so that what the network leaves alone stays as it was."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from deblur_cli.video import planar
from deblur_cli.video.containers import library
from deblur_cli.video.h273 import RGB, UNSPECIFIED, usual_matrix
from deblur_cli.video.planar import Coding, Image

if TYPE_CHECKING:
    import av

__all__ = [
    "Image",
    "bits_per_pixel",
    "converted",
    "has_alpha",
    "painted",
    "repainted",
    "sample_bits",
    "to_rgb",
]

_FULL = 2
_RGB = {8: "rgb24", 16: "rgb48le"}
_UNPADDED = {
    "p010le": "yuv420p10le",
    "p016le": "yuv420p16le",
    "p210le": "yuv422p10le",
    "p216le": "yuv422p16le",
}


def sample_bits(pix_fmt: str) -> int:
    """Bits of the deepest component of a pixel format."""
    return int(max(component.bits for component in library().VideoFormat(pix_fmt).components))


def bits_per_pixel(pix_fmt: str) -> int:
    """Of all components together, with the subsampled ones counted for what they take."""
    return int(library().VideoFormat(pix_fmt).bits_per_pixel)


def has_alpha(pix_fmt: str) -> bool:
    """Whether a pixel format has transparency."""
    return any(component.is_alpha for component in library().VideoFormat(pix_fmt).components)


def to_rgb(frame: av.video.frame.VideoFrame) -> Image:
    """The frame's picture, `(H,W,3)`: uint8 up to 8 bits of a sample, else uint16.

    Matrix and range are the frame's own; where no matrix is stated, it is BT.709 for pictures of
    720 lines or more, and BT.601 below. Transparency is left out.
    """
    coding = _coding_of(frame)
    if coding is not None:
        return planar.to_rgb(_samples(frame), coding)
    depth = 8 if sample_bits(frame.format.name) <= 8 else 16
    converted = _reformatted(
        frame, _RGB[depth], src_colorspace=_matrix_of(frame), dst_color_range=_FULL
    )
    picture: Image = converted.to_ndarray()
    return picture.copy() if converted is frame else picture


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
    canvas = converted(frame, _painted_as(pix_fmt))
    _paint(canvas, before, after)
    return canvas if canvas.format.name == pix_fmt else _reformatted(canvas, pix_fmt)


def converted(frame: av.video.frame.VideoFrame, pix_fmt: str) -> av.video.frame.VideoFrame:
    """The frame's picture in other samples, its own to be changed."""
    is_rgb = library().VideoFormat(pix_fmt).is_rgb
    canvas = _reformatted(
        frame,
        pix_fmt,
        src_colorspace=_matrix_of(frame),
        dst_colorspace=_matrix_of(frame),
        dst_color_range=_FULL if is_rgb else _range_of(frame),
    )
    canvas.make_writable()
    return canvas


def _painted_as(pix_fmt: str) -> str:
    """The same samples in the order of this machine's bytes, without padding."""
    return _UNPADDED.get(pix_fmt, re.sub("be$", "le", pix_fmt))


def _paint(canvas: av.video.frame.VideoFrame, before: Image, after: Image) -> None:
    pix_fmt = canvas.format.name
    coding = _coding_of(canvas)
    if coding is not None and (coding.bits == 8) == (before.dtype == np.uint8):
        planar.add_difference(_samples(canvas), before, after, coding)
        return
    old, new = (painted(picture, canvas, pix_fmt) for picture in (before, after))
    largest = (1 << sample_bits(pix_fmt)) - 1
    transparency = _alpha_plane(pix_fmt)
    for number, plane in enumerate(canvas.planes):
        if number != transparency:
            _add_difference(plane, old.planes[number], new.planes[number], largest)


def painted(
    picture: Image, like: av.video.frame.VideoFrame, pix_fmt: str
) -> av.video.frame.VideoFrame:
    """A picture `(H,W,3)` in the samples of `pix_fmt`, with matrix and range of another frame."""
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
    return usual_matrix(frame.height) if matrix in (UNSPECIFIED, RGB) else matrix


def _range_of(frame: av.video.frame.VideoFrame) -> int:
    """1 limited, 2 full, 0 unknown, which counts as limited; the formats `yuvj` are full."""
    return _FULL if frame.format.name.startswith("yuvj") else int(frame.color_range)


def _coding_of(frame: av.video.frame.VideoFrame) -> Coding | None:
    """None where libswscale has to do it."""
    pix_fmt = frame.format.name
    is_full = _range_of(frame) == _FULL
    return Coding.of(pix_fmt, _matrix_of(frame), is_full, sample_bits(pix_fmt))


def _samples(frame: av.video.frame.VideoFrame) -> list[planar.Samples]:
    """Luma and chroma in the frame's own memory."""
    dtype = np.uint8 if sample_bits(frame.format.name) == 8 else np.uint16
    return [
        np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes[:3]
    ]


def _alpha_plane(pix_fmt: str) -> int | None:
    """The plane that holds nothing but transparency."""
    components = library().VideoFormat(pix_fmt).components
    shared = {component.plane for component in components if not component.is_alpha}
    alone = [each.plane for each in components if each.is_alpha and each.plane not in shared]
    return alone[0] if alone else None
