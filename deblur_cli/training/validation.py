"""Choosing the best weights of a run by whole pictures that it was not trained on."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from safetensors import safe_open

from deblur_cli.checkpoints.origin import BEST_FILE
from deblur_cli.checkpoints.split import join_if_split
from deblur_cli.data.crops import PicturePair
from deblur_cli.data.datasets import open_dataset
from deblur_cli.errors import UsageError
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.inference.precision import dtype_name
from deblur_cli.metrics import psnr
from deblur_cli.models import RestorationModel
from deblur_cli.training.events import Example, Validation
from deblur_cli.training.state import export_weights

MOST_PAIRS = 16
"""Pairs of a larger set are taken evenly from all of it."""

SHARE = 0.05
"""Of the time, at most: the dearer a validation, the longer until the next."""

_EXAMPLES = 3
_TEST = "test"
_PSNR = "validation_psnr"


def open_validation(folder: str, root: Path) -> list[PicturePair]:
    """Read the pairs that weights are chosen by.

    Args:
        folder: of pairs, or a published set, as for `open_dataset`; of a set with splits it is
            `val`.
        root: what the folder's path is relative to.

    Raises:
        UsageError: there are no pairs, or they are a test set: figures on it would mean nothing
            once weights were chosen by it.
        ImageReadError: a picture is damaged.
    """
    if (root / folder).name.lower() == _TEST:
        raise UsageError(
            "weights must not be chosen by a test set",
            path=root / folder,
            remedy="name other pairs, such as some that are kept from the training",
        )
    pairs = open_dataset(folder, root, "val").pairs
    chosen = np.linspace(0, len(pairs) - 1, min(len(pairs), MOST_PAIRS)).round().astype(int)
    return [pairs[index].read() for index in chosen]


def best_psnr(folder: Path) -> float:
    """PSNR in dB of the best weights that a run has left so far; -inf without any.

    Raises:
        DeblurError: their pieces do not fit together.
    """
    path = join_if_split(folder / BEST_FILE)
    if path is None:
        return -math.inf
    with safe_open(path, "pt") as file:
        return float((file.metadata() or {}).get(_PSNR, -math.inf))


@dataclass
class Validator:
    """Restores the validation pairs every so often, and keeps the weights that do it best."""

    pairs: Sequence[PicturePair]
    folder: Path
    """Of the run."""
    device: torch.device
    precision: torch.dtype
    best: float = -math.inf
    """Mean PSNR of the best weights so far, in dB."""
    step: int | None = None
    """At which the pairs were last restored in this sitting."""
    _free_from: float = -math.inf
    """When the next validation keeps to its share of the time."""

    @property
    def due(self) -> bool:
        """Whether another validation keeps to its share of the time."""
        return time.monotonic() >= self._free_from

    def validate(self, model: RestorationModel, step: int, seconds: float) -> Validation:
        """Restore every pair as `deblur run` does, and write the weights if they are the best.

        Args:
            model: float32; left unchanged.
            step: how far it was trained.
            seconds: for how long.

        Raises:
            RestoreError: memory does not suffice.
            DeblurError: the weights cannot be written.
        """
        began = time.monotonic()
        restored = self._restore(model)
        after = [psnr(r, sharp) for r, (_, sharp) in zip(restored, self.pairs, strict=True)]
        before = [psnr(blurred, sharp) for blurred, sharp in self.pairs]
        mean = fmean(after)
        if best := mean > self.best:
            origin = {"step": step, _PSNR: mean}
            export_weights(self.folder / BEST_FILE, model, origin)
            self.best = mean
        self.step = step
        now = time.monotonic()
        self._free_from = now + (now - began) * (1 - SHARE) / SHARE
        examples = zip(self.pairs[:_EXAMPLES], restored, strict=False)
        return Validation(
            step=step,
            seconds=seconds,
            psnr=mean,
            gain=mean - fmean(before),
            best=best,
            examples=[Example(blurred, r, sharp) for (blurred, sharp), r in examples],
        )

    def _restore(self, model: RestorationModel) -> list[np.ndarray]:
        deblurrer = Deblurrer(
            copy.deepcopy(model).eval().requires_grad_(False),
            name="validation",
            device=str(self.device),
            dtype=dtype_name(self.precision),
        )
        return [deblurrer(blurred) for blurred, _ in self.pairs]
