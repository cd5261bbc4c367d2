"""The way of a video's frames: decoded ahead of the network, painted and encoded behind it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeAlias

from deblur_cli.pipeline.ahead import ahead
from deblur_cli.pipeline.clips.events import Shares
from deblur_cli.pipeline.clips.gaps import Gap
from deblur_cli.pipeline.clips.sharp import looks, shares
from deblur_cli.pipeline.clips.stages import Clock, behind, clocked
from deblur_cli.pipeline.clips.work import Recorder
from deblur_cli.video.colour import Image, converted, repainted, to_rgb
from deblur_cli.video.raw_output import RawRecorder
from deblur_cli.video.reader import Frame

if TYPE_CHECKING:
    from deblur_cli.inference.engine import Restoration
    from deblur_cli.pipeline.loaded import FrameNetwork

_DECODED = 4
_RESTORED = 2
_PAINTED = 4

Encode: TypeAlias = Callable[[Callable[[], None]], None]


@dataclass(frozen=True)
class FrameTreatment:
    """What is done to each frame.

    Args:
        pix_fmt: its samples when it is encoded.
        strength: 0 leaves the picture as it is, 1 takes the network's result.
        sharp: frames of this score are left alone, as `sharp.shares` has it; None for none.
    """

    pix_fmt: str
    strength: float
    sharp: float | None = None


@dataclass(frozen=True)
class Passed:
    """A frame that the network is through with, or that was left alone."""

    frame: Frame
    left_alone: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Picture:
    """A frame, how it looks, and the share of the network's result that it gets."""

    frame: Frame
    image: Image
    share: float


class Passage:
    """Brings frames through a network, with a thread each for decoding, painting and encoding.

    Args:
        deblurrer: the network on its device.
        treatment: of each frame.
    """

    def __init__(self, deblurrer: FrameNetwork, treatment: FrameTreatment) -> None:
        self._deblurrer = deblurrer
        self._treatment = treatment
        self._decoding, self._network, self._waiting = Clock(), Clock(), Clock()
        self._painting, self._encoding = Clock(), Clock()

    @property
    def shares(self) -> Shares:
        """How long each stage has worked so far."""
        network = max(0.0, self._network.seconds - self._waiting.seconds)
        encode = self._painting.seconds + self._encoding.seconds
        return Shares(self._decoding.seconds, network, encode)

    def run(
        self,
        frames: Iterator[Frame],
        gap: Gap,
        recorder: Recorder | RawRecorder,
        stop: threading.Event,
    ) -> Iterator[Passed]:
        """Frames in their order, once they are restored; they are encoded some time later.

        Args:
            frames: of a reader.
            gap: those that are wanted; others only tell what these get.
            recorder: encodes them.
            stop: once set, only the frames in hand are restored.

        Raises:
            DeblurError: reading, the network or the recorder failed.
        """
        pictures = ahead(clocked(self._pictures(frames, gap), self._decoding), _DECODED)
        with closing(pictures), behind(_PAINTED) as encode:
            try:
                with behind(_RESTORED) as paint:
                    for picture, restoration in self._restored(_until(stop, pictures)):
                        paint(partial(self._paint, picture, restoration, recorder, encode))
                        warnings = () if restoration is None else restoration.warnings
                        yield Passed(picture.frame, restoration is None, warnings)
            finally:
                encode(recorder.finish)

    def _pictures(self, frames: Iterator[Frame], gap: Gap) -> Iterator[_Picture]:
        for frame, share in self._shared(frames):
            if gap.holds(frame.pts):
                yield _Picture(frame, to_rgb(frame.picture), share)

    def _shared(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, float]]:
        """Frames that wait for their share are held as they were decoded, which takes less room."""
        sharp = self._treatment.sharp
        if sharp is None:
            return ((frame, 1.0) for frame in frames)
        return shares(looks((frame, to_rgb(frame.picture)) for frame in frames), sharp)

    def _restored(
        self, pictures: Iterator[_Picture]
    ) -> Iterator[tuple[_Picture, Restoration | None]]:
        for left_alone, run in groupby(pictures, key=lambda picture: picture.share == 0):
            if left_alone:
                yield from ((picture, None) for picture in run)
            else:
                yield from self._through_network(run)

    def _through_network(self, run: Iterator[_Picture]) -> Iterator[tuple[_Picture, Restoration]]:
        in_hand: deque[_Picture] = deque()

        def images() -> Iterator[Image]:
            for picture in clocked(run, self._waiting):
                in_hand.append(picture)
                yield picture.image

        restored = self._deblurrer.stream(images(), self._treatment.strength)
        for restoration in clocked(iter(restored), self._network):
            yield in_hand.popleft(), restoration

    def _paint(
        self,
        picture: _Picture,
        restoration: Restoration | None,
        recorder: Recorder | RawRecorder,
        encode: Encode,
    ) -> None:
        frame, pix_fmt = picture.frame, self._treatment.pix_fmt
        with self._painting.running():
            if restoration is None:
                painted = converted(frame.picture, pix_fmt)
            else:
                after = _mixed(picture.image, restoration.image, picture.share)
                painted = repainted(frame.picture, picture.image, after, pix_fmt)

        def record() -> None:
            with self._encoding.running():
                recorder.add(frame, painted, left_alone=restoration is None)

        encode(record)


def _until(stop: threading.Event, pictures: Iterator[_Picture]) -> Iterator[_Picture]:
    for picture in pictures:
        if stop.is_set():
            return
        yield picture


def _mixed(before: Image, after: Image, share: float) -> Image:
    import cv2

    if share == 1:
        return after
    mixed: Image = cv2.addWeighted(after, share, before, 1 - share, 0)
    return mixed
