"""What a video costs around the network: an identity in it, against plain decoding and encoding.

    python -m benchmarks.video
    python -m benchmarks.video --clip CLIP

A clip of 720 lines, made here, or a given one, is decoded and nothing else; its frames, which are
in memory, are encoded and nothing else; and it is decoded, converted to RGB and back, and encoded
by what `deblur video` does with it. Encoder, options and threads are the same. Shown is the speed
relative to the slower of decoding and encoding, by the clock and by processor time: of the frames'
way to the last segment, and of the whole job, for which the result is also put together and decoded
once more. Medians over rounds, in each of which all are measured in turn, after one that does not
count. Exits with 1 if the frames reach less than `BAR` of the slower one's speed by the clock.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.batch import Cost, Identity, measured, scene
from deblur_cli.imaging.photo import Image
from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.inference.painting import Restoration
from deblur_cli.pipeline.clips.events import ClipRestored
from deblur_cli.pipeline.clips.gaps import Gap
from deblur_cli.pipeline.clips.job import ClipJob, Wish
from deblur_cli.pipeline.clips.passage import FrameTreatment, Passage
from deblur_cli.pipeline.clips.plan import ClipPlan
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder
from deblur_cli.pipeline.clips.work import Recorder, WorkFolder
from deblur_cli.video.reader import Reader
from deblur_cli.video.segments import SegmentWriter

BAR = 0.85
HEIGHT, WIDTH = 720, 1280
_STEP = 2
_NOISE = 2.0


class IdentityOfFrames(Identity):
    """What a video asks of a `Deblurrer`, with nothing done to the frames but a copy."""

    def stream(self, images: Iterable[Image], strength: float = 1.0) -> Iterator[Restoration]:
        """The frames as they are."""
        return (self.restore(image.copy(), strength) for image in images)


@dataclass(frozen=True)
class Round:
    """What everything cost, once."""

    decode: Cost
    encode: Cost
    frames: Cost
    job: Cost

    @property
    def bound(self) -> Cost:
        """The slower of decoding and encoding."""
        return max(self.decode, self.encode, key=lambda cost: cost.clock)


def make_clip(path: Path, frames: int, height: int = HEIGHT, width: int = WIDTH) -> Path:
    """A camera that pans over a scene, with noise, in H.264."""
    random = np.random.default_rng(0)
    wide = scene(0, height, width + _STEP * frames)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=Fraction(25), options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            part = wide[:, _STEP * number : _STEP * number + width]
            noise = _NOISE * random.standard_normal((height, width, 1), np.float32)
            noisy = (part + noise).clip(0, 255).astype(np.uint8)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(noisy, "rgb24")))
        file.mux(stream.encode(None))
    return path


class Contest:
    """One clip, to be decoded, encoded and restored.

    Args:
        clip: the input.
        folder: for results.
    """

    def __init__(self, clip: Path, folder: Path) -> None:
        self._job = ClipJob(clip, folder / "restored.mkv", Wish(codec="libx264"))
        self._plan = ClipPlan.of(self._job)
        self._folder = folder
        self._pictures = list(self._reader.frames())

    @property
    def frames(self) -> int:
        """How many the clip has."""
        return len(self._pictures)

    @property
    def _reader(self) -> Reader:
        return Reader(self._plan.clip)

    def decode(self) -> None:
        """Decode and nothing else."""
        for _ in self._reader.frames():
            pass

    def encode(self) -> None:
        """Encode and nothing else."""
        writer = SegmentWriter(self._folder / "plain", self._plan.clip, self._plan.encoding)
        for frame in self._pictures:
            writer.add(frame, frame.picture)
        writer.close()

    def bring_through(self) -> None:
        """All that is done with the frames until they lie in segments."""
        work = WorkFolder(self._folder / "work")
        work.open({})
        recorder = Recorder(work, self._plan.clip, self._plan.encoding, [])
        passage = Passage(IdentityOfFrames(), FrameTreatment(self._plan.encoding.pix_fmt, 1.0))  # type: ignore[arg-type]
        for _ in passage.run(self._reader.frames(), Gap(), recorder, threading.Event()):
            pass
        work.remove()

    def restore(self) -> None:
        """The whole job; raises RuntimeError if it has not all frames."""
        restoration = ClipRestoration(self._job, InOrder(IdentityOfFrames()))  # type: ignore[arg-type]
        *_, ended = restoration.run(threading.Event())
        if not isinstance(ended, ClipRestored) or ended.frames != self.frames:
            raise RuntimeError(f"not every frame was restored: {ended}")
        self._job.target.unlink()

    def round(self) -> Round:
        """Everything in turn."""
        return Round(*map(measured, (self.decode, self.encode, self.bring_through, self.restore)))


def reached(rounds: Sequence[Round], name: str) -> Cost:
    """How near `frames` or `job` come to the slower of decoding and encoding; medians of ratios."""
    pairs = [(each.bound, getattr(each, name)) for each in rounds]
    return Cost(
        float(np.median([bound.clock / cost.clock for bound, cost in pairs])),
        float(np.median([bound.processor / cost.processor for bound, cost in pairs])),
    )


def tell(rounds: Sequence[Round], frames: int) -> None:
    """A line for each thing that was measured."""
    for name in ("decode", "encode", "frames", "job"):
        costs = [getattr(each, name) for each in rounds]
        clock = np.median([cost.clock for cost in costs]) * 1000 / frames
        processor = np.median([cost.processor for cost in costs]) * 1000 / frames
        line = f"{name:7}{clock:6.1f} ms a frame by the clock, {processor:5.1f} of processors"
        if name in ("frames", "job"):
            share = reached(rounds, name)
            line += f": {share.clock:4.0%} and {share.processor:4.0%} of the slower one's speed"
        print(line)


def main() -> int:
    """Compare on one clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", type=Path, help="a video, instead of one made here")
    parser.add_argument("--frames", type=int, default=132, help="of the video made here")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    reuse_freed_memory()  # as a Deblurrer does
    with tempfile.TemporaryDirectory() as folder:
        clip = options.clip or make_clip(Path(folder, "clip.mkv"), options.frames)
        contest = Contest(clip, Path(folder))
        rounds = [contest.round() for _ in range(1 + options.rounds)][1:]
    tell(rounds, contest.frames)
    passed = reached(rounds, "frames").clock >= BAR
    print("ok" if passed else "MISSED")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
