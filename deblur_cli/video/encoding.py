"""Which encoder writes the pictures, in which samples, with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from deblur_cli.errors import UsageError
from deblur_cli.video.clip import Clip
from deblur_cli.video.colour import sample_bits
from deblur_cli.video.containers import Container, library, reason
from deblur_cli.video.h273 import usual_matrix
from deblur_cli.video.light import Light
from deblur_cli.video.samples import choose_samples, keeps_depth, samples_of

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
_LOSSLESS: dict[str, dict[str, str]] = {
    "libx264": {"qp": "0"},
    "libx265": {"x265-params": "log-level=error:lossless=1"},
    "libsvtav1": {"preset": "6", "svtav1-params": "lossless=1"},
    "libvpx-vp9": {"lossless": "1", "cpu-used": "3", "row-mt": "1"},
    "ffv1": {"level": "3", "slicecrc": "1"},
    "png": {},
    "tiff": {},
    "rawvideo": {},
}
_DEEP_ENCODERS = ("libx264", "libx265", "libsvtav1")
_DEPTH_OF_HDR = 10
_QUALITY_OPTIONS = ("crf", "cq", "global_quality", "qp")
_RATE_OPTIONS = {*_QUALITY_OPTIONS, "b", "rc"}
_LIMITED, _FULL = 1, 2
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
    lossless: bool = False


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
    def is_lossless(self) -> bool:
        """Whether the samples come back as they were written."""
        exact = _LOSSLESS.get(self.encoder)
        return exact is not None and all(
            f"{self.options.get(name, '')}:".startswith(f"{value}:")
            for name, value in exact.items()
        )

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
    encoder = wish.codec or _encoder_like(clip, container, wish)
    substitute = _software_for(encoder)
    try:
        chosen = _opened(encoder, clip, container, wish)
    except UsageError as unusable:
        if substitute is None:
            raise
        plain = replace(wish, preset=None, options={})
        if wish.pix_fmt not in samples_of(substitute, container.keeps_alpha_beside):
            plain = replace(plain, pix_fmt=None)
        chosen = _opened(substitute, clip, container, plain)
        warning = f"{encoder} does not work here, {substitute} is used instead: {unusable.problem}"
        chosen = replace(chosen, warnings=(warning, *chosen.warnings))
    return chosen


def _opened(encoder: str, clip: Clip, container: Container, wish: Wish) -> Encoding:
    """With an encoder that is there and that opens; raises `UsageError`."""
    _check_known(encoder, container)
    chosen = _encoding(encoder, clip, container, wish)
    check_opens(chosen, clip)
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
        context.color_range = _FULL if clip.pix_fmt.startswith("yuvj") else colours.range
    elif was_rgb:
        context.colorspace, context.color_range = usual_matrix(clip.height), _LIMITED


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


def _encoder_like(clip: Clip, container: Container, wish: Wish) -> str:
    """That of the source's codec, or of the container; another if it has too few bits."""
    alike = _ENCODER_OF_CODEC.get(clip.codec, "")
    likely = [
        encoder
        for encoder in dict.fromkeys((alike, container.default_encoder, *_DEEP_ENCODERS))
        if _exists(encoder)
        and container.takes_encoder(encoder)
        and (encoder in _LOSSLESS or not wish.lossless)
    ]
    deep = [encoder for encoder in likely if keeps_depth(encoder, clip.pix_fmt)]
    return (deep or likely or [container.default_encoder])[0]


def _check_known(encoder: str, container: Container) -> None:
    if not _exists(encoder):
        raise UsageError(
            f"there is no video encoder called '{encoder}'",
            remedy="such as libx264, libx265, libsvtav1, libvpx-vp9, prores_ks or ffv1",
        )
    if not container.takes_encoder(encoder):
        raise UsageError(
            f"{container.title} do not take pictures of {encoder}",
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


def _encoding(encoder: str, clip: Clip, container: Container, wish: Wish) -> Encoding:
    pix_fmt, warnings = choose_samples(
        encoder, clip.pix_fmt, wish.pix_fmt, container.keeps_alpha_beside
    )
    options = _quality(encoder, wish)
    if encoder == "prores_ks" and "444" in pix_fmt:
        options["profile"] = "4444"
    if wish.preset is not None:
        options["preset"] = wish.preset
    options |= wish.options
    lost = _add_light(options, encoder, pix_fmt, clip)
    return Encoding(encoder, pix_fmt, options, (*clip.cautions, *warnings, *lost))


def _quality(encoder: str, wish: Wish) -> dict[str, str]:
    if wish.lossless:
        if wish.crf is not None:
            raise UsageError("--lossless has no --crf", remedy="leave out one of them")
        if encoder not in _LOSSLESS:
            raise UsageError(
                f"{encoder} is not known to be lossless",
                remedy=f"choose one of {', '.join(_LOSSLESS)}",
            )
        return dict(_LOSSLESS[encoder])
    options = dict(_DEFAULTS.get(encoder, {}))
    if wish.crf is not None:
        return options | {_quality_option(encoder): f"{wish.crf:g}"}
    if wish.options.keys() & _RATE_OPTIONS:
        options.pop("crf", None)
    return options


def _add_light(options: dict[str, str], encoder: str, pix_fmt: str, clip: Clip) -> tuple[str, ...]:
    """Have the encoder tell what the source tells of its screen and light, else warn."""
    if clip.is_hdr and sample_bits(pix_fmt) < _DEPTH_OF_HDR:
        raise UsageError(
            f"a high dynamic range needs {_DEPTH_OF_HDR} bits of a sample, and {pix_fmt} has fewer",
            remedy="choose --codec libx265 --pix-fmt yuv420p10le",
        )
    option, parameters = clip.light.parameters(encoder)
    if option:
        options[option] = ":".join(filter(None, (options.get(option), parameters)))
    elif clip.light != Light():
        return (f"mastering display and content light are left behind: {encoder} has no such tags",)
    return ()


def _quality_option(encoder: str) -> str:
    context = library().CodecContext.create(encoder, "w")
    known = {option.name for option in context.supported_options.private}
    for name in _QUALITY_OPTIONS:
        if name in known:
            return name
    raise UsageError(f"the encoder {encoder} has no --crf", remedy="use --encoder-option")
