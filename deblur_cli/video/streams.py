"""Which streams of a source stand in the result; known before any work is done."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import UsageError
from deblur_cli.video.clip import Clip
from deblur_cli.video.containers import Container, library, reason
from deblur_cli.video.encoding import Encoding, configure, frame_rate

if TYPE_CHECKING:
    import av


@dataclass(frozen=True)
class StreamPlan:
    """Numbers of the streams that are copied, and warnings that name those left behind."""

    copied: frozenset[int]
    warnings: tuple[str, ...]


def plan_streams(clip: Clip, container: Container, encoding: Encoding) -> StreamPlan:
    """What becomes of the streams beside the pictures.

    Raises:
        VideoReadError: the source cannot be read.
        UsageError: the container takes each stream, and not all of them together.
    """
    if clip.is_stream:
        return StreamPlan(frozenset(), ())
    with clip.open() as source:
        others = [stream for stream in source.streams if not _stands_elsewhere(stream, clip)]
        taken = [stream for stream in others if container.takes_stream(stream)]
        if taken:
            _check_mix(taken, clip, container, encoding)
        copied = frozenset(stream.index for stream in taken)
        warnings = tuple(
            f"stream {stream.index} ({_title(stream)}) is left out: "
            f"{container.title} do not take it"
            for stream in others
            if stream.index not in copied
        )
        return StreamPlan(copied, warnings)


def _stands_elsewhere(stream: Any, clip: Clip) -> bool:
    """Whether it is the pictures, or the text of chapters, which are copied as such."""
    return bool(stream.index == clip.index or stream.discard == library().stream.Discard.all)


def _check_mix(
    streams: Sequence[Any], clip: Clip, container: Container, encoding: Encoding
) -> None:
    """Write a header with all of them in memory."""
    av = library()
    trial = av.open(io.BytesIO(), "w", format=container.muxer)
    try:
        pictures = trial.add_stream(encoding.encoder, rate=frame_rate(clip))
        configure(pictures.codec_context, encoding, clip)
        for stream in streams:
            trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
    except (av.FFmpegError, ValueError) as error:
        titles = ", ".join(_title(stream) for stream in streams)
        raise UsageError(
            f"{container.title} do not take {encoding.encoder} together with {titles}: "
            f"{reason(error)}",
            path=clip.path,
            remedy="let the output end in .mkv, which takes most streams",
        ) from error
    finally:
        with suppress(av.FFmpegError):
            trial.close()


def _title(stream: av.stream.Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    return " ".join(part for part in (stream.type, codec, stream.language) if part)
