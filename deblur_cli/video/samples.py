"""In which samples an encoder writes pictures."""

from __future__ import annotations

from typing import Any

from deblur_cli.errors import UsageError
from deblur_cli.video.colour import has_alpha, sample_bits
from deblur_cli.video.containers import RAW, library

_ODD = ("yuvj", "x2", "f16", "f32", "msb")
_OF_PICTURES = ("png", "tiff")
_WITH_ALPHA_BESIDE = ("libvpx-vp9",)


def samples_of(encoder: str, alpha_beside: bool = True) -> list[str]:
    """The pixel formats that an encoder takes and that pictures can be painted in.

    Args:
        encoder: its name.
        alpha_beside: whether the file keeps transparency that is hidden beside the pictures.
    """
    av = library()
    if encoder == RAW:
        names = sorted(av.video.format.names)
    else:
        names = [each.name for each in av.Codec(encoder, "w").video_formats or ()]
    loses_alpha = encoder in _WITH_ALPHA_BESIDE and not alpha_beside
    return [
        name
        for name in names
        if _is_usable(av.VideoFormat(name), encoder) and not (loses_alpha and has_alpha(name))
    ]


def choose_samples(
    encoder: str, own: str, wanted: str | None, alpha_beside: bool = True
) -> tuple[str, tuple[str, ...]]:
    """The samples to be written, and what is lost by them.

    Args:
        encoder: its name.
        own: pixel format of the source.
        wanted: what the user asked for.
        alpha_beside: as for `samples_of`.

    Raises:
        UsageError: the encoder does not take what is wanted.
    """
    takes = samples_of(encoder, alpha_beside)
    if wanted is not None:
        if wanted not in takes:
            raise UsageError(
                f"{encoder} does not write the pixel format '{wanted}'",
                remedy=f"choose one of {', '.join(takes)}",
            )
        return wanted, ()
    own = own.replace("yuvj", "yuv")
    if own in takes or not takes:
        return own, ()
    nearest, _ = library().codec.find_best_pix_fmt_of_list(takes, own, has_alpha=has_alpha(own))
    return nearest.name, _losses(own, nearest.name, encoder)


def keeps_depth(encoder: str, own: str) -> bool:
    """Whether an encoder takes samples as deep as those of the source, or of 10 bits."""
    chosen, _ = choose_samples(encoder, own, None)
    return sample_bits(chosen) >= min(sample_bits(own), 10)


def _is_usable(pix_fmt: Any, encoder: str) -> bool:
    """Whether it has whole samples of luma and chroma, or of RGB where pictures need that."""
    is_colour = pix_fmt.is_rgb or pix_fmt.name.startswith(("gray", "ya"))
    return (
        bool(pix_fmt.components)
        and min(component.bits for component in pix_fmt.components) >= 8
        and not pix_fmt.has_palette
        and not any(part in pix_fmt.name for part in _ODD)
        and (is_colour or encoder not in _OF_PICTURES)
    )


def _losses(own: str, nearest: str, encoder: str) -> tuple[str, ...]:
    lost = []
    if has_alpha(own) and not has_alpha(nearest):
        lost.append("transparency")
    if sample_bits(nearest) < sample_bits(own):
        lost.append(f"{sample_bits(own)} bits of a sample")
    if lost:
        return (f"{own} becomes {nearest}: {encoder} does not keep {' and '.join(lost)}",)
    if encoder in _OF_PICTURES:
        return ()
    return (f"{own} becomes {nearest}, which is as near as {encoder} comes",)
