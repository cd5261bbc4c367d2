"""Which encoder writes the pictures, in which samples, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from deblur_cli.errors import UsageError
from deblur_cli.video.clip import Clip
from deblur_cli.video.colour import has_alpha, sample_bits
from deblur_cli.video.containers import Container, library, reason

_ENCODER_OF_CODEC = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
    "ffv1": "ffv1",
}
_SOFTWARE_OF_HARDWARE = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
}
_HARDWARE = ("nvenc", "videotoolbox", "qsv", "vaapi", "amf", "v4l2m2m", "mf", "vulkan")
_DEFAULTS: dict[str, dict[str, str]] = {
    "libx264": {"crf": "16"},
    "libx265": {"crf": "18", "x265-params": "log-level=error"},
    "libsvtav1": {"crf": "20", "preset": "6"},
    "libvpx-vp9": {"crf": "20", "cpu-used": "3", "row-mt": "1"},
    "ffv1": {"level": "3", "slicecrc": "1"},
    "prores_ks": {"profile": "hq"},
}
_QUALITY_OPTIONS = ("crf", "cq", "global_quality", "qp")
_RATE_OPTIONS = {*_QUALITY_OPTIONS, "b", "rc"}
_LONGEST_GOP = 240
_LARGEST_RATE = 60_000


@dataclass(frozen=True)
class Wish:
    """What was asked for; None and nothing leave it to the container and the source."""

    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Encoding:
    """How the pictures are written."""

    encoder: str
    pix_fmt: str
    options: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, object]:
        """What decides the bytes of a segment."""
        return {
            "encoder": self.encoder,
            "pix_fmt": self.pix_fmt,
            "encoder_options": dict(self.options),
        }

    @property
    def summary(self) -> str:
        """One line for the log."""
        options = " ".join(f"{name}={value}" for name, value in self.options.items())
        return " ".join(part for part in (self.encoder, self.pix_fmt, options) if part)


def choose_encoding(clip: Clip, container: Container, wish: Wish) -> Encoding:
    """What is wanted where that can be had, else what comes near the source.

    A hardware encoder that does not work here gives way to the software one of its codec, with a
    warning.

    Raises:
        UsageError: no such encoder, option or pixel format, or they do not go together.
    """
    encoder = wish.codec or _encoder_like(clip, container)
    _check_known(encoder, container)
    chosen = _encoding(encoder, clip, wish)
    try:
        check_opens(chosen, clip)
    except UsageError as unusable:
        substitute = _software_for(encoder)
        if substitute is None:
            raise
        _check_known(substitute, container)
        chosen = _encoding(substitute, clip, replace(wish, preset=None, options={}))
        check_opens(chosen, clip)
        warning = f"{encoder} does not work here, {substitute} is used instead: {unusable.problem}"
        chosen = replace(chosen, warnings=(warning, *chosen.warnings))
    return chosen


def configure(context: Any, encoding: Encoding, clip: Clip) -> None:
    """Tell an encoder (or its stream) what it will get; each frame's timestamp is its number."""
    context.width, context.height = clip.width, clip.height
    context.pix_fmt = encoding.pix_fmt
    context.time_base = 1 / frame_rate(clip)
    context.gop_size = _LONGEST_GOP
    if clip.aspect is not None:
        context.sample_aspect_ratio = clip.aspect
    set_colours(context, clip, encoding)
    context.options = dict(encoding.options)
    context.thread_type = "AUTO"


def set_colours(context: Any, clip: Clip, encoding: Encoding) -> None:
    """State the clip's colours; the range is full where only the format's name `yuvj` said so."""
    colours = clip.colours
    context.color_primaries = colours.primaries
    context.color_trc = colours.transfer
    is_rgb = bool(library().VideoFormat(encoding.pix_fmt).is_rgb)
    was_rgb = bool(library().VideoFormat(clip.pix_fmt).is_rgb)
    if is_rgb == was_rgb:
        context.colorspace = colours.matrix
        context.color_range = 2 if clip.pix_fmt.startswith("yuvj") else colours.range


def frame_rate(clip: Clip) -> Fraction:
    """The rate that encoders are told, with a denominator that all of them take."""
    return min(clip.rate, Fraction(_LARGEST_RATE)).limit_denominator(1001)


def check_opens(encoding: Encoding, clip: Clip) -> None:
    """Open the encoder once and let it go; raises `UsageError` if that fails."""
    av = library()
    context = av.CodecContext.create(encoding.encoder, "w")
    configure(context, encoding, clip)
    context.framerate = frame_rate(clip)
    try:
        context.open()
    except (av.FFmpegError, ValueError) as error:
        raise UsageError(
            f"the encoder cannot be opened for {clip.width}x{clip.height} pixels as "
            f"{encoding.summary}: {reason(error)}",
            remedy="choose another --codec, --pix-fmt or --encoder-option",
        ) from error
    if context.options:
        unknown = ", ".join(context.options)
        raise UsageError(f"the encoder {encoding.encoder} has no option called {unknown}")


def _encoder_like(clip: Clip, container: Container) -> str:
    alike = _ENCODER_OF_CODEC.get(clip.codec)
    if alike is not None and _exists(alike) and container.takes_encoder(alike):
        return alike
    return container.default_encoder


def _check_known(encoder: str, container: Container) -> None:
    if not _exists(encoder):
        raise UsageError(
            f"there is no video encoder called '{encoder}'",
            remedy="such as libx264, libx265, libsvtav1, libvpx-vp9, prores_ks or ffv1",
        )
    if not container.takes_encoder(encoder):
        raise UsageError(
            f"the file format {container.muxer} does not take pictures of {encoder}",
            remedy="choose another --codec, or let the output end in .mkv",
        )


def _software_for(encoder: str) -> str | None:
    codec, _, maker = encoder.partition("_")
    return _SOFTWARE_OF_HARDWARE.get(codec) if maker in _HARDWARE else None


def _exists(encoder: str) -> bool:
    av = library()
    try:
        return bool(av.Codec(encoder, "w").type == "video")
    except (av.FFmpegError, ValueError):
        return False


def _encoding(encoder: str, clip: Clip, wish: Wish) -> Encoding:
    pix_fmt, warnings = _pixel_format(encoder, clip, wish.pix_fmt)
    options = dict(_DEFAULTS.get(encoder, {}))
    if encoder == "prores_ks" and "444" in pix_fmt:
        options["profile"] = "4444"
    if wish.crf is not None:
        options |= {_quality_option(encoder): f"{wish.crf:g}"}
    elif wish.options.keys() & _RATE_OPTIONS:
        options.pop("crf", None)
    if wish.preset is not None:
        options |= {"preset": wish.preset}
    return Encoding(encoder, pix_fmt, options | dict(wish.options), warnings)


def _quality_option(encoder: str) -> str:
    context = library().CodecContext.create(encoder, "w")
    known = {option.name for option in context.supported_options.private}
    for name in _QUALITY_OPTIONS:
        if name in known:
            return name
    raise UsageError(f"the encoder {encoder} has no --crf", remedy="use --encoder-option")


def _pixel_format(encoder: str, clip: Clip, wanted: str | None) -> tuple[str, tuple[str, ...]]:
    """The samples to be written, and what is lost by them."""
    av = library()
    formats = [each.name for each in av.Codec(encoder, "w").video_formats or ()]
    takes = [name for name in formats if not name.startswith("yuvj") and _is_integer(name)]
    if wanted is not None:
        if wanted not in takes:
            raise UsageError(
                f"{encoder} does not write the pixel format '{wanted}'",
                remedy=f"choose one of {', '.join(takes)}",
            )
        return wanted, ()
    own = clip.pix_fmt.replace("yuvj", "yuv")
    if own in takes or not takes:
        return own, ()
    nearest, _ = av.codec.find_best_pix_fmt_of_list(takes, own, has_alpha=has_alpha(own))
    return nearest.name, _losses(own, nearest.name, encoder)


def _is_integer(pix_fmt: str) -> bool:
    return "f16" not in pix_fmt and "f32" not in pix_fmt


def _losses(own: str, nearest: str, encoder: str) -> tuple[str, ...]:
    lost = []
    if has_alpha(own) and not has_alpha(nearest):
        lost.append("transparency")
    if sample_bits(nearest) < sample_bits(own):
        lost.append(f"{sample_bits(own)} bits of a sample")
    if not lost and sample_bits(nearest) >= sample_bits(own):
        return (f"{own} becomes {nearest}, which is as near as {encoder} comes",)
    return (f"{own} becomes {nearest}: {encoder} does not keep {' and '.join(lost)}",)
