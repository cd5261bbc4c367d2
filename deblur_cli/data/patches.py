"""The stream of training batches: weighted sources, cropped, augmented, and exactly resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from deblur_cli.data.camera import Picture
from deblur_cli.data.crops import Augment, PicturePair, augment, random_crop
from deblur_cli.data.disk_pairs import DiskPairs
from deblur_cli.data.pool import RollingPool, Source

Weight = float | Callable[[float], float]
"""How often a source is drawn, relative to the others; may follow the progress in [0, 1]."""

Size = int | Callable[[float], int]
"""Of patches or batches; may follow the progress."""


class StreamState(TypedDict):
    """All that a stream needs to go on where it stood."""

    step: int
    """Batches drawn so far."""
    draws: list[int]
    """Draws so far from each rolling pool, in the order of the sources."""
    faults: list[str]
    """What is wrong with each pair that was skipped in this sitting."""


class PatchStream:
    """Batches of blurred and sharp patches.

    Batch number k depends on the seed, k, its progress, and the pools' draws before it.
    """

    def __init__(
        self,
        sources: Sequence[tuple[Weight, Source]],
        patch: Size,
        count: Size,
        seed: int,
        augment: Augment = augment,
    ) -> None:
        """Take the sources.

        Args:
            sources: weight and source each; their pairs must be at least ``patch`` pixels wide.
            patch: side of the patches, in pixels.
            count: patches in a batch.
            seed: of the crops, the augmentation and the choice among the sources.
            augment: applied to every patch.
        """
        self.sources = sources
        self.patch = patch
        self.count = count
        self.seed = seed
        self.augment = augment
        self.step = 0

    def weights(self, progress: float) -> npt.NDArray[np.float64]:
        """Probability of each source at a progress in [0, 1]."""
        weights = np.array([w(progress) if callable(w) else w for w, _ in self.sources])
        return np.asarray(weights / weights.sum())

    def batch(self, progress: float) -> tuple[Picture, Picture]:
        """The next batch.

        Args:
            progress: of the training, in [0, 1].

        Returns:
            Blurred and sharp patches, each ``(count, patch, patch, 3)`` RGB uint8.
        """
        rng = np.random.default_rng((self.seed, self.step))
        self.step += 1
        patch, count = (s(progress) if callable(s) else s for s in (self.patch, self.count))
        chosen = rng.choice(len(self.sources), size=count, p=self.weights(progress))
        pairs = [self._cut(rng, self.sources[index][1](rng), patch) for index in chosen]
        return np.stack([blurred for blurred, _ in pairs]), np.stack([sharp for _, sharp in pairs])

    def _cut(self, rng: np.random.Generator, pair: PicturePair, patch: int) -> PicturePair:
        return self.augment(rng, random_crop(rng, pair, patch))

    def state(self) -> StreamState:
        """What ``resume`` needs, to be saved with a checkpoint."""
        draws = [pool.draws for pool in self._pools()]
        return {"step": self.step, "draws": draws, "faults": self.faults}

    @property
    def faults(self) -> list[str]:
        """What is wrong with each pair of a set on disk that was skipped so far."""
        readers = (source.source for source in self._pools())
        return [
            fault
            for reader in readers
            if isinstance(reader, DiskPairs)
            for fault in reader.faults.values()
        ]

    def resume(self, state: StreamState) -> None:
        """Go on exactly where another stream of the same sources and seed stood."""
        self.step = state["step"]
        for pool, draws in zip(self._pools(), state["draws"], strict=True):
            pool.draws = draws

    def _pools(self) -> list[RollingPool]:
        return [source for _, source in self.sources if isinstance(source, RollingPool)]
