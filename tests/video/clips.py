"""Videos made by code, and what is in a video, looked at packet by packet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[Any]

SAMPLE_RATE = 48000
FULL_RANGE = 2


@dataclass(frozen=True)
class Recipe:
    """What a test video shall be like."""

    frames: int = 12
    size: tuple[int, int] = (64, 48)
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    rate: Fraction = Fraction(25)
    times: Sequence[int] | None = None
    """Timestamps in units of `time_base`; none for a constant rate from 0."""
    time_base: Fraction | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    colours: tuple[int, int, int, int] = (2, 2, 2, 0)
    """Primaries, transfer, matrix, range."""
    aspect: Fraction | None = None
    display_matrix: Sequence[int] | None = None
    see_through: bool = False
    """Whether the picture fades out to the right, in pixel formats with transparency."""
    sounds: int = 0
    sounds_from: Fraction = Fraction(0)
    subtitles: bool = False
    chapters: bool = False
    attachment: bytes = b""
    metadata: Mapping[str, str] = field(default_factory=dict)


def picture(number: int, size: tuple[int, int], bits: int = 8) -> Samples:
    """A gradient that moves, with some noise, RGB."""
    width, height = size
    rng = np.random.default_rng(number)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    planes = [(x * 3 + number * 5) % 200, (y * 4) % 220, (x + y + number) % 240]
    rgb = np.stack(planes, axis=-1) + rng.integers(0, 16, (height, width, 3))
    return rgb.astype(np.uint8) if bits == 8 else (rgb * 257).astype(np.uint16)


def write_clip(path: Path, recipe: Recipe | None = None) -> Path:
    """Write the video of a recipe; the kind of file follows the name."""
    recipe = recipe or Recipe()
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as file:
        file.metadata.update(recipe.metadata)
        video = _video_stream(file, recipe)
        sounds = [file.add_stream("aac", rate=SAMPLE_RATE) for _ in range(recipe.sounds)]
        for sound, language in zip(sounds, ("eng", "deu"), strict=False):
            sound.metadata["language"] = language
        kind = "mov_text" if path.suffix in (".mp4", ".mov") else "subrip"
        subtitles = file.add_mux_stream(kind) if recipe.subtitles else None
        if recipe.attachment:
            file.add_attachment("font.ttf", "application/x-truetype-font", recipe.attachment)
        if recipe.chapters:
            file.set_chapters([_chapter(number) for number in range(2)])
        _encode_frames(file, video, recipe)
        for number, sound in enumerate(sounds):
            _encode_sound(file, sound, 220.0 * (number + 1), recipe)
        if subtitles is not None:
            file.mux(_subtitle(subtitles, kind))
    return path


def write_pictures(
    pattern: Path,
    numbers: Sequence[int],
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "rgb24",
) -> Path:
    """Write an image sequence of PNG files, each of which shows the picture of its number."""
    pattern.parent.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        frame = av.VideoFrame.from_ndarray(picture(number, size), "rgb24")
        context = av.CodecContext.create("png", "w")
        context.width, context.height, context.pix_fmt = *size, pix_fmt
        context.time_base = Fraction(1, 25)
        (packet,) = context.encode(frame.reformat(format=pix_fmt))
        (pattern.parent / (pattern.name % number)).write_bytes(bytes(packet))
    return pattern


def _video_stream(file: Any, recipe: Recipe) -> Any:
    stream = file.add_stream(recipe.codec, rate=recipe.rate, options=dict(recipe.options))
    context = stream.codec_context
    context.width, context.height = recipe.size
    context.pix_fmt = recipe.pix_fmt
    context.time_base = recipe.time_base or 1 / recipe.rate
    primaries, transfer, matrix, colour_range = recipe.colours
    context.color_primaries, context.color_trc = primaries, transfer
    context.colorspace, context.color_range = matrix, colour_range
    if recipe.aspect is not None:
        context.sample_aspect_ratio = recipe.aspect
    if recipe.display_matrix is not None:
        stream.set_display_matrix(recipe.display_matrix)
    return stream


def _encode_frames(file: Any, stream: Any, recipe: Recipe) -> None:
    bits = 8 if recipe.pix_fmt.isalnum() and "10" not in recipe.pix_fmt else 16
    for number in range(recipe.frames):
        rgb = picture(number, recipe.size, bits)
        frame = av.VideoFrame.from_ndarray(rgb, "rgb24" if bits == 8 else "rgb48le")
        frame = frame.reformat(format=recipe.pix_fmt)
        if recipe.see_through:
            _fade_out(frame)
        frame.colorspace, frame.color_range = recipe.colours[2:]
        frame.pts = number if recipe.times is None else recipe.times[number]
        frame.time_base = recipe.time_base or 1 / recipe.rate
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def _fade_out(frame: Any) -> None:
    plane = frame.planes[3]
    dtype = np.uint8 if frame.format.components[3].bits == 8 else np.uint16
    largest = (1 << frame.format.components[3].bits) - 1
    lines = np.frombuffer(plane, dtype).reshape(plane.height, -1)
    lines[:, : plane.width] = np.linspace(largest, 0, plane.width).astype(dtype)


def _encode_sound(file: Any, stream: Any, hertz: float, recipe: Recipe) -> None:
    seconds = recipe.frames / recipe.rate
    late = int(recipe.sounds_from * SAMPLE_RATE)
    for start in range(0, int(seconds * SAMPLE_RATE), 1024):
        wave = np.sin((start + np.arange(1024)) * hertz * 2 * np.pi / SAMPLE_RATE)
        frame = av.AudioFrame.from_ndarray(
            np.stack([wave, wave]).astype(np.float32), format="fltp", layout="stereo"
        )
        frame.sample_rate, frame.pts = SAMPLE_RATE, start + late
        frame.time_base = Fraction(1, SAMPLE_RATE)
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def _subtitle(stream: Any, kind: str) -> Any:
    text = b"a word"
    packet = av.Packet(len(text).to_bytes(2, "big") + text if kind == "mov_text" else text)
    packet.stream = stream
    packet.time_base = Fraction(1, 1000)
    packet.pts = packet.dts = 100
    packet.duration = 200
    return packet


def _chapter(number: int) -> Any:
    return {
        "id": number + 1,
        "start": number * 200,
        "end": (number + 1) * 200,
        "time_base": Fraction(1, 1000),
        "metadata": {"title": f"part {number}"},
    }


@dataclass(frozen=True)
class Packets:
    """One stream of a file: what is in it, and when."""

    kind: str
    codec: str
    data: tuple[bytes, ...]
    times: tuple[Fraction, ...]
    """Of presentation, sorted."""
    metadata: Mapping[str, str]
    disposition: int


def streams_of(path: Path) -> list[Packets]:
    """All streams of a file."""
    found = []
    with av.open(str(path)) as file:
        for stream in file.streams:
            with av.open(str(path)) as again:
                packets = [
                    packet
                    for packet in again.demux(again.streams[stream.index])
                    if packet.pts is not None
                ]
                data = tuple(bytes(packet) for packet in packets)
                times = sorted(packet.pts * packet.time_base for packet in packets)
            codec = stream.codec_context.name if stream.codec_context else ""
            disposition = int(stream.disposition)
            found.append(
                Packets(stream.type, codec, data, tuple(times), dict(stream.metadata), disposition)
            )
    return found


def decoded(path: Path, pix_fmt: str | None = None) -> list[Samples]:
    """The samples of all frames of the first video stream, in their own pixel format."""
    with av.open(str(path)) as file:
        frames = list(file.decode(video=0))
        return [frame.to_ndarray(format=pix_fmt or frame.format.name) for frame in frames]


def times_shown(path: Path) -> tuple[Fraction, ...]:
    """When the frames of the first video stream are shown, in seconds."""
    with av.open(str(path)) as file:
        return tuple(frame.pts * frame.time_base for frame in file.decode(video=0))


def first_frame(path: Path) -> Any:
    """The first frame of the first video stream."""
    with av.open(str(path)) as file:
        return next(file.decode(video=0))


SHARP, BLURRED = 0.0, 3.0
BLURS = [BLURRED] * 12 + [SHARP] * 6 + [BLURRED] * 10 + [SHARP] * 4 + [BLURRED] * 8
CUT = 32


def write_blurred(path: Path) -> Path:
    """A texture that moves, blurred by `BLURS`, and another one from `CUT` on; 4:4:4, lossless."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 30, 40, 3), dtype=np.uint8)
    coarse[1] //= 2
    textures = [cv2.resize(each, (320, 240), interpolation=cv2.INTER_NEAREST) for each in coarse]
    options = {"qp": "0", "g": "10", "preset": "ultrafast"}
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 192, 144, "yuv444p"
        for number, blur in enumerate(BLURS):
            part = np.ascontiguousarray(textures[number >= CUT][10:154, number : number + 192])
            shown = cv2.GaussianBlur(part, (0, 0), blur) if blur else part
            file.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        file.mux(stream.encode(None))
    return path
