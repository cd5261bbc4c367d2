"""Netpbm: binary PGM and PPM of any maximum, and float PFM; the other kinds through Pillow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from deblur_cli.imaging.depth import Samples, full_scale, gathered, require, spread
from deblur_cli.imaging.formats import pillow
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.source import Source, Stored

_HEAD_BYTES = 4096
_SPACE = rb"(?:\s|#[^\n]*\n)+"
_HEAD = re.compile(
    rb"P([56Ff])" + _SPACE + rb"(\d+)" + _SPACE + rb"(\d+)" + _SPACE + rb"(-?[\d.]+)\s"
)
_CHANNELS = {b"5": 1, b"6": 3, b"f": 1, b"F": 3}


@dataclass(frozen=True)
class NetpbmEncoding:
    """Binary PGM or PPM; PFM for floats.

    Attributes:
        maximum: the greatest sample of integers; None for their dtype's.
    """

    format: ClassVar[str] = "Netpbm"
    suffix: ClassVar[str] = ".ppm"

    maximum: int | None = None

    def encode(self, samples: Image, _metadata: Metadata) -> bytes:
        """The file's content; the format holds neither alpha nor metadata."""
        height, width, channels = samples.shape
        if channels in (2, 4):
            raise ValueError("it has no alpha channel")
        if samples.dtype == np.float32:
            kind = "Pf" if channels == 1 else "PF"
            head = f"{kind}\n{width} {height}\n-1.0\n"
            return head.encode() + samples[::-1].astype("<f4").tobytes()
        require(samples, np.uint8, np.uint16)
        maximum = self.maximum or full_scale(samples.dtype)
        kind = "P5" if channels == 1 else "P6"
        codes = gathered(samples, maximum).astype("u1" if maximum <= 255 else ">u2")
        return f"{kind}\n{width} {height}\n{maximum}\n".encode() + codes.tobytes()


def read(source: Source) -> Stored:
    """Decode a Netpbm file of one picture."""
    source.file.seek(0)
    head = _HEAD.match(source.file.read(_HEAD_BYTES))
    if head is None:
        return _through_pillow(source)
    kind, width, height = head[1], int(head[2]), int(head[3])
    source.admit(width, height)
    shape = (height, width, _CHANNELS[kind])
    source.file.seek(head.end())
    if kind in (b"F", b"f"):
        order = "<f4" if head[4].startswith(b"-") else ">f4"
        return Stored(_samples(source, shape, order)[::-1].astype(np.float32), NetpbmEncoding())
    maximum = int(head[4])
    if not 0 < maximum < 65536:
        raise ValueError(f"its maximum is {maximum}")
    codes = _samples(source, shape, "u1" if maximum <= 255 else ">u2")
    return Stored(spread(codes, maximum), NetpbmEncoding(maximum))


def _samples(source: Source, shape: tuple[int, int, int], dtype: str) -> Samples:
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    content = source.file.read(length)
    if len(content) < length:
        raise ValueError("its pixels are cut off")
    return np.frombuffer(content, dtype).reshape(shape)


def _through_pillow(source: Source) -> Stored:
    from PIL import PpmImagePlugin

    source.file.seek(0)
    with PpmImagePlugin.PpmImageFile(source.file) as image:
        pillow.check(image, source, "Netpbm")
        return pillow.stored(image, NetpbmEncoding())
