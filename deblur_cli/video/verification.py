"""Whether a finished video is what it should be."""

from __future__ import annotations

from pathlib import Path

from deblur_cli.errors import VideoWriteError
from deblur_cli.video.containers import library, open_input, reason
from deblur_cli.video.sequences import is_sequence


def verify(path: Path, index: int, frames: int, seconds: float) -> None:
    """Decode the restored stream of a finished file to its end, or an image sequence.

    Args:
        path: of the file or the sequence, which has no times to be looked at.
        index: of the stream.
        frames: how many there must be.
        seconds: from the first frame to the last, which may be off by 2 ms in containers that
            count in milliseconds.

    Raises:
        VideoWriteError: it is not as it should be.
    """
    av = library()
    count = 0
    times: list[float] = []
    with open_input(path) as file:
        stream = file.streams[index]
        stream.thread_type = "AUTO"
        try:
            for frame in file.decode(stream):
                count += 1
                times = [*times[:1], frame.time]
        except av.FFmpegError as error:
            raise _unlike(path, f"it cannot be decoded: {reason(error)}") from error
    if count != frames:
        raise _unlike(path, f"it has {count} frames instead of {frames}")
    if not is_sequence(path) and abs(times[-1] - times[0] - seconds) > 0.002:
        raise _unlike(path, f"it shows {times[-1] - times[0]:.3f} s instead of {seconds:.3f} s")


def _unlike(path: Path, problem: str) -> VideoWriteError:
    return VideoWriteError(
        f"the finished video is not as it should be: {problem}",
        path=path,
        remedy="choose another --codec, or let the output end in .mkv",
    )
