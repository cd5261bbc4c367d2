"""A photo to be written in another format, depth or quality than its source has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from deblur_cli.imaging.colour import decode_srgb, encode_srgb
from deblur_cli.imaging.formats import heif
from deblur_cli.imaging.formats.avif import AvifEncoding
from deblur_cli.imaging.formats.exr import ExrEncoding
from deblur_cli.imaging.formats.heif import HeifEncoding
from deblur_cli.imaging.formats.jpeg import JpegEncoding
from deblur_cli.imaging.formats.jpeg2000 import Jpeg2000Encoding
from deblur_cli.imaging.formats.png import TEXT_CHUNKS, PngEncoding
from deblur_cli.imaging.formats.table import FORMATS
from deblur_cli.imaging.formats.tiff import TiffEncoding
from deblur_cli.imaging.formats.webp import WebpEncoding
from deblur_cli.imaging.photo import Encoding, Image, Photo
from deblur_cli.imaging.rendition import meaning

DType: TypeAlias = np.dtype[Any]

DEPTHS: Mapping[str, DType] = {
    "8": np.dtype(np.uint8),
    "16": np.dtype(np.uint16),
    "float": np.dtype(np.float32),
}
"""The depths that can be asked for, from the least to the most."""


@dataclass(frozen=True)
class _Holds:
    """What files of a format can hold; `encoding` makes one of the usual settings."""

    encoding: Callable[[], Encoding]
    depths: tuple[str, ...]
    alpha: bool = True
    metadata: bool = True


_WRITABLE: Mapping[str, _Holds] = {
    "JPEG": _Holds(JpegEncoding, ("8",), alpha=False),
    "PNG": _Holds(PngEncoding, ("8", "16")),
    "TIFF": _Holds(TiffEncoding, ("8", "16", "float")),
    "WebP": _Holds(WebpEncoding, ("8",)),
    "AVIF": _Holds(AvifEncoding, ("8", "16")),
    "HEIF": _Holds(HeifEncoding, ("8", "16")),
    "JPEG 2000": _Holds(Jpeg2000Encoding, ("8", "16")),
    "OpenEXR": _Holds(ExrEncoding, ("float",), metadata=False),
}


def format_of(suffix: str) -> str:
    """Name of the format that a file's ending, with or without its dot, asks for.

    Raises:
        ValueError: there is no such format, or it cannot be written; lists those that can.
    """
    wanted = f".{suffix.lower().removeprefix('.')}"
    for name in _WRITABLE:
        if wanted in FORMATS[name].suffixes:
            return name
    able = ", ".join(FORMATS[name].suffixes[0][1:] for name in _WRITABLE)
    raise ValueError(f"'{suffix}' is no format that can be written ({able} are)")


def check_depth(form: str, depth: str) -> None:
    """Refuse a depth that a format cannot have; raises `ValueError`."""
    if form in _WRITABLE and depth not in _WRITABLE[form].depths:
        able = ", ".join(name for name, each in _WRITABLE.items() if depth in each.depths)
        raise ValueError(f"{form} has no depth of {depth} ({able} have)")


def check_library(form: str) -> None:
    """Refuse a format whose library is absent; raises `MissingExtraError`."""
    if form == HeifEncoding.format:
        heif.require_library()


def recast(
    photo: Photo, form: str | None, depth: str | None, quality: int | None
) -> tuple[Photo, DType]:
    """The photo in the encoding that is wanted, and the dtype its pixels shall be written in.

    If that is deeper than the photo's it has it already, so that work on it gains from the depth.

    Args:
        photo: as it was read.
        form: a name as from `format_of`; None keeps the photo's.
        depth: one of `DEPTHS`; None keeps the photo's, or takes the nearest that the format has.
        quality: 1 to 100, for lossy formats; None comes near the source's.

    Raises:
        ValueError: the format cannot hold the photo, or has not that depth.
    """
    name = form or photo.encoding.format
    before = _depth_of(photo)
    after = depth or before
    if depth is None and form is not None and before not in _WRITABLE[form].depths:
        after = _WRITABLE[form].depths[-1]
    check_depth(name, after)
    is_other = name != photo.encoding.format
    if is_other:
        photo = _in_format(photo, name)
    if is_other or after != before:
        photo = replace(photo, encoding=_of_depth(photo.encoding, after))
    if quality is not None:
        photo = replace(photo, encoding=_of_quality(photo.encoding, quality))
    ranks = list(DEPTHS)
    if ranks.index(after) > ranks.index(before):
        return with_depth(photo, DEPTHS[after]), DEPTHS[after]
    if after != before:
        photo = replace(photo, notes=(*photo.notes, f"its depth of {before} becomes {after}"))
    return photo, DEPTHS[after]


def with_depth(photo: Photo, dtype: DType) -> Photo:
    """The photo with samples of another dtype that mean the same.

    Integers end at 0 and 1; without a profile they are sRGB, while floats are linear light.
    """
    if photo.pixels.dtype == dtype:
        return photo
    pixels: Any = photo.pixels
    if photo.metadata.icc is None and dtype == np.float32:
        pixels = decode_srgb(_scaled(pixels, DEPTHS["16"]))
    elif photo.metadata.icc is None and pixels.dtype == np.float32:
        pixels = encode_srgb(pixels)
    alpha = None if photo.alpha is None else _scaled(photo.alpha, dtype)
    return replace(photo, pixels=_scaled(pixels, dtype), alpha=alpha)


def _in_format(photo: Photo, name: str) -> Photo:
    holds = _WRITABLE[name]
    if photo.alpha is not None and not holds.alpha:
        raise ValueError(f"{name} has no transparency, and this picture has")
    lost = list(_left_behind(photo, holds))
    if lost:
        photo = replace(photo, notes=(*photo.notes, f"left out in {name}: {', '.join(lost)}"))
    if photo.metadata.icc and not holds.metadata:
        photo = _without_profile(photo)
    return replace(photo, encoding=holds.encoding())


def _left_behind(photo: Photo, holds: _Holds) -> Iterator[str]:
    """What the photo says besides its pixels and another format has no place for."""
    if photo.metadata.exif and not holds.metadata:
        yield "its EXIF"
    if photo.metadata.xmp and not holds.metadata:
        yield "its XMP"
    match photo.encoding:
        case JpegEncoding(comment=comment, segments=segments):
            yield from ("its comment",) if comment else ()
            yield from ("its IPTC or extended XMP",) if segments else ()
        case PngEncoding(chunks):
            yield from ("its text",) if any(kind in TEXT_CHUNKS for kind, _ in chunks) else ()
        case ExrEncoding(further=further):
            yield from ("its further channels",) if further else ()


def _without_profile(photo: Photo) -> Photo:
    """The photo with the colours that its profile means, as samples without one are understood."""
    space, notes = meaning(photo)
    metadata = replace(photo.metadata, icc=None)
    bare = replace(photo, metadata=metadata, notes=(*photo.notes, *notes))
    if space is None:
        return bare
    float32 = DEPTHS["float"]
    alpha = None if photo.alpha is None else _scaled(photo.alpha, float32)
    return replace(bare, pixels=space.to_linear(photo.pixels), alpha=alpha)


def _of_depth(encoding: Encoding, depth: str) -> Encoding:
    match encoding:
        case TiffEncoding():
            return replace(encoding, bits=None, half=False)
        case AvifEncoding() | HeifEncoding():
            return replace(encoding, bits=8 if depth == "8" else 12)
        case Jpeg2000Encoding():
            return replace(encoding, bits=int(depth))
        case _:
            return encoding


def _of_quality(encoding: Encoding, quality: int) -> Encoding:
    match encoding:
        case JpegEncoding():
            return replace(encoding, quantisation=(), quality=quality)
        case WebpEncoding():
            return replace(encoding, lossless=False, quality=quality)
        case AvifEncoding() | HeifEncoding():
            return replace(encoding, quality=quality)
        case _:
            return encoding


def _depth_of(photo: Photo) -> str:
    return next(name for name, dtype in DEPTHS.items() if dtype == photo.pixels.dtype)


def _scaled(samples: Image, dtype: DType) -> Any:
    """Samples in another dtype, full range to full range, rounded to the nearest."""
    if samples.dtype == dtype:
        return samples
    light = samples.astype(np.float32) / np.float32(_full_scale(samples.dtype))
    if dtype == np.float32:
        return light
    return np.rint(np.nan_to_num(light).clip(0, 1) * _full_scale(dtype)).astype(dtype)


def _full_scale(dtype: DType) -> int:
    return 1 if dtype == np.float32 else int(np.iinfo(dtype).max)
