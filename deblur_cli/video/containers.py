"""Files that hold streams: opening them, and which of them can be written."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deblur_cli.errors import MissingExtraError, UsageError, VideoReadError

if TYPE_CHECKING:
    import av

_MUXERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
_DEFAULT_ENCODER = "libx264"
_DEFAULT_ENCODERS = {"webm": "libvpx-vp9"}


def library() -> Any:
    """The module `av`; raises `MissingExtraError` where it is not installed.

    SVT-AV1 tells of its settings on stderr unless its own variable says otherwise.
    """
    os.environ.setdefault("SVT_LOG", "1")
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("deblur video", "video") from error
    return av


def open_input(path: Path) -> av.container.InputContainer:
    """Open a video for reading; raises `VideoReadError`.

    The name is that of a file, whatever colons it holds, and metadata that is no UTF-8 is kept.
    """
    av = library()
    try:
        return av.open(f"file:{path}", metadata_errors="surrogateescape")
    except (av.FFmpegError, OSError) as error:
        raise VideoReadError(
            f"cannot be read as a video: {reason(error)}",
            path=path,
            remedy="check that it is a complete video file",
        ) from error


def reason(error: BaseException) -> str:
    """What a library says went wrong, without its decoration."""
    return str(getattr(error, "strerror", None) or error).strip() or type(error).__name__


@dataclass(frozen=True)
class Container:
    """A kind of file to be written, known by its muxer's name."""

    muxer: str

    @classmethod
    def of(cls, path: Path) -> Container:
        """The kind that a file's name asks for; raises `UsageError`."""
        muxer = _MUXERS.get(path.suffix.lower())
        if muxer is None:
            raise UsageError(
                f"no video is written as '{path.suffix}'",
                path=path,
                remedy=f"name it {', '.join(sorted(_MUXERS))}",
            )
        return cls(muxer)

    @property
    def default_encoder(self) -> str:
        """The encoder for pictures whose own codec cannot be written."""
        return _DEFAULT_ENCODERS.get(self.muxer, _DEFAULT_ENCODER)

    def takes_encoder(self, encoder: str) -> bool:
        """Whether pictures of an encoder may stand in it."""
        av = library()
        with av.open(io.BytesIO(), "w", format=self.muxer) as trial, suppress(ValueError):
            trial.add_stream(encoder)
            return True
        return False

    def takes_stream(self, template: av.stream.Stream) -> bool:
        """Whether a stream can be copied into it; tried with a header in memory."""
        av = library()
        trial = av.open(io.BytesIO(), "w", format=self.muxer)
        try:
            trial.add_stream_from_template(template, opaque=True)
            trial.start_encoding()
        except (ValueError, av.FFmpegError):
            return False
        finally:
            with suppress(av.FFmpegError):
                trial.close()
        return True
