"""OpenEXR: half and full floats, linear light; further channels and attributes stay as they are."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from deblur_cli.imaging.depth import require
from deblur_cli.imaging.photo import Image, Metadata
from deblur_cli.imaging.premultiplied import multiplied, straightened
from deblur_cli.imaging.source import Source, Stored, UnsupportedError

_HALF_MAX = 65504
_DTYPES = (np.uint32, np.float16, np.float32)
_LAYOUTS = ("Y",), ("Y", "A"), ("R", "G", "B"), ("R", "G", "B", "A")
_OWN_ATTRIBUTES = frozenset({"channels", "preview"})


@dataclass(frozen=True)
class ExrEncoding:
    """OpenEXR with the source's header, compression and further channels.

    Attributes:
        attributes: of the header.
        further: channels that are no colours, by name.
        half: colours are written with 16 bits.
    """

    format: ClassVar[str] = "OpenEXR"
    suffix: ClassVar[str] = ".exr"

    attributes: dict[str, Any] = field(default_factory=dict, compare=False)
    further: dict[str, Any] = field(default_factory=dict, compare=False)
    half: bool = True

    def encode(self, samples: Image, _metadata: Metadata) -> bytes:
        """The file's content; float32 samples. The format holds no ICC profile, EXIF or XMP."""
        import OpenEXR

        require(samples, np.float32)
        channels = samples.shape[2]
        stored = multiplied(samples) if channels in (2, 4) else samples
        if self.half:
            stored = _in_half(stored)
        colours = {
            name: np.ascontiguousarray(stored[:, :, i])
            for i, name in enumerate(_LAYOUTS[channels - 1])
        }
        buffer = io.BytesIO()
        header = self.attributes or {
            "compression": OpenEXR.ZIP_COMPRESSION,
            "type": OpenEXR.scanlineimage,
        }
        OpenEXR.File(dict(header), {**colours, **self.further}).write(buffer)
        return buffer.getvalue()


def read(source: Source) -> Stored:
    """Decode an OpenEXR file of one part with RGB or grey (Y) channels."""
    attributes = _attributes(source)
    channels = _channels(source)
    names = next((names for names in reversed(_LAYOUTS) if set(names) <= channels.keys()), None)
    if names is None:
        raise UnsupportedError(f"OpenEXR files of channels {', '.join(sorted(channels))}")
    colours = [channels.pop(name) for name in names]
    if any(colour.dtype.kind != "f" for colour in colours):
        raise UnsupportedError("OpenEXR files of integers")
    samples = np.dstack(colours).astype(np.float32)
    return Stored(
        samples=straightened(samples) if "A" in names else samples,
        encoding=ExrEncoding(attributes, channels, half=colours[0].dtype == np.float16),
    )


def _attributes(source: Source) -> dict[str, Any]:
    """The header, once the size of its picture was let pass."""
    import OpenEXR

    source.file.seek(0)
    file = OpenEXR.File(source.file, separate_channels=True, header_only=True)
    if len(file.parts) > 1:
        raise UnsupportedError("multi-part OpenEXR files")
    (left, upper), (right, lower) = file.header()["dataWindow"]
    source.admit(int(right) - int(left) + 1, int(lower) - int(upper) + 1)
    _require_legible(file.header()["channels"])
    return {name: v for name, v in file.header().items() if name not in _OWN_ATTRIBUTES}


def _require_legible(channels: list[Any]) -> None:
    """Read every name, which fails on what is no text; the older interface would crash on it.

    Raises:
        UnicodeDecodeError: a name is no text.
    """
    for channel in channels:
        str(channel.name)


def _channels(source: Source) -> dict[str, Any]:
    """(H, W) samples of every channel; by the older interface, as it fails on damaged files."""
    import OpenEXR

    source.file.seek(0)
    file = OpenEXR.InputFile(source.file)
    header = file.header()
    window, kinds = header["dataWindow"], header["channels"]
    shape = (window.max.y - window.min.y + 1, window.max.x - window.min.x + 1)
    if any((kind.xSampling, kind.ySampling) != (1, 1) for kind in kinds.values()):
        raise UnsupportedError("OpenEXR files of channels of unequal size")
    contents = file.channels(list(kinds))
    return {
        name: np.frombuffer(content, _DTYPES[kind.type.v]).reshape(shape)
        for (name, kind), content in zip(kinds.items(), contents, strict=True)
    }


def _in_half(samples: Image) -> Any:
    """float16; what was finite stays so."""
    limited = np.where(np.isfinite(samples), samples.clip(-_HALF_MAX, _HALF_MAX), samples)
    return limited.astype(np.float16)
