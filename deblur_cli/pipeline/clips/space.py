"""How much room a video needs while it is made, roughly, and whether it is there."""

from __future__ import annotations

import shutil
from pathlib import Path

from deblur_cli.pipeline.clips.job import ClipJob
from deblur_cli.video.clip import Clip
from deblur_cli.video.colour import bits_per_pixel
from deblur_cli.video.encoding import Encoding

_SHARE_OF_LOSSLESS = 0.5
_BITS_OF_PRORES = {"hq": 3.6, "4444": 5.4}
_BITS_OF_OTHERS = 0.25


def shortage_of_space(job: ClipJob, clip: Clip, encoding: Encoding, frames: int) -> tuple[str, ...]:
    """A warning if the disk may not hold the work folder and the result, each as large.

    Args:
        job: whose output folder exists.
        clip: its input.
        encoding: of the result.
        frames: how many there will be.
    """
    bits = clip.width * clip.height * frames * _bits_of_a_pixel(encoding)
    alike = 0 if encoding.is_lossless or clip.is_stream else job.source_bytes
    needed = 2 * max(round(bits / 8), alike)
    free = shutil.disk_usage(job.target.parent).free
    if free >= needed:
        return ()
    return (_told(job.target.parent, free, needed),)


def _bits_of_a_pixel(encoding: Encoding) -> float:
    if encoding.is_lossless:
        return _SHARE_OF_LOSSLESS * bits_per_pixel(encoding.pix_fmt)
    return _BITS_OF_PRORES.get(encoding.options.get("profile", ""), _BITS_OF_OTHERS)


def _told(folder: Path, free: int, needed: int) -> str:
    return f"{free >> 20} MiB are free at {folder}, {needed >> 20} MiB may be needed"
