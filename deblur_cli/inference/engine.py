"""`Deblurrer`: picture in, sharper picture out, whatever its size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.errors import UsageError
from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.inference.blend import Canvas, blend_across
from deblur_cli.inference.cost import bytes_per_pixel
from deblur_cli.inference.device import resolve_device
from deblur_cli.inference.guard import GuardedNetwork, Outcome
from deblur_cli.inference.memory import (
    affordable_tile,
    network_budget,
    parse_memory,
    ran_out_of_memory,
)
from deblur_cli.inference.precision import choose_dtype, dtype_name
from deblur_cli.inference.samples import Image, check_image, to_unit
from deblur_cli.inference.tile_size import DEFAULT_OVERLAP, TileChoice, TileSize, check_tile
from deblur_cli.inference.tiles import Size, smallest_tile, tile_grid
from deblur_cli.models import RestorationModel


@dataclass(frozen=True)
class Restoration:
    """A restored picture and how it came about."""

    image: Image
    """Shape and dtype of the input."""
    tile: int
    """Longest side a tile might have, in pixels."""
    tiles: int
    """Tiles that went through the network."""
    redone: int
    """Tiles that came out implausible and were redone in float32."""
    kept: int
    """Tiles that stayed implausible and were left as they were."""
    warnings: tuple[str, ...]
    """What the user should know, one sentence each."""


@dataclass
class _Progress:
    """What happened to one picture so far."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    shortages: list[str] = field(default_factory=list)

    def warnings(self) -> tuple[str, ...]:
        doubtful = (
            f"the output of {self.outcomes[outcome]} of {self.outcomes.total()} tiles was "
            f"implausible; {outcome.value}"
            for outcome in (Outcome.REDONE, Outcome.KEPT)
            if self.outcomes[outcome]
        )
        return (*self.shortages, *doubtful)


class Deblurrer:
    """Restores pictures with one network on one device.

    >>> deblurrer = Deblurrer.from_pretrained(task="motion")  # doctest: +SKIP
    >>> restored = deblurrer(image)  # doctest: +SKIP

    Args:
        model: float32, in evaluation mode. Belongs to the Deblurrer from now on.
        name: what `settings` and `summary` call it.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        dtype: `auto`, `float32`, `bfloat16` or `float16`, for convolutions and projections.
        tile: side in pixels, 0 for whole pictures, or `auto` for what memory allows.
        overlap: pixels that tiles share; None for the weights' advice, else 32.
        max_memory: bytes, or text like `3GiB`, that the program may take on the device while it
            restores a tile; None for a safe share of what is free. Decides `auto` tiles. On a CPU
            the picture's result and one row of tiles in float32 come on top.
        sha256: of the weights, for `settings`.
        advice: the manifest's `inference` table: `tile` and `overlap` where the caller leaves them
            open, `pooling` (train size of local pooling, 0 global), `match_mean` (give every tile
            its input's mean colour).
        warnings: what choosing the weights already gave rise to.

    Raises:
        UsageError: options that make no sense.
        DeviceError: the device or dtype is not available here.
    """

    def __init__(
        self,
        model: RestorationModel,
        *,
        name: str = "custom",
        device: str = "auto",
        dtype: str = "auto",
        tile: TileChoice = "auto",
        overlap: int | None = None,
        max_memory: int | str | None = None,
        sha256: str = "",
        advice: Mapping[str, int | bool] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        advice = advice or {}
        self._device = resolve_device(device)
        self._multiple = model.descriptor.size_multiple
        self._overlap = int(advice.get("overlap", DEFAULT_OVERLAP)) if overlap is None else overlap
        check_tile(tile, self._overlap, self._multiple)
        self._match_mean = bool(advice.get("match_mean", False))
        self.warnings = tuple(warnings)
        if self._device.type == "cpu":
            reuse_freed_memory()
        pooling = int(advice.get("pooling", 0))
        if pooling:
            model.set_local_pooling(pooling)
        precision = choose_dtype(dtype, self._device, model)
        self._network = GuardedNetwork(model, self._device, precision)
        limit = self._automatic_limit(advice, max_memory) if tile == "auto" else tile or None
        self._tile = TileSize(limit, self._overlap, self._multiple)
        self.settings: dict[str, str | int | float] = {
            "model": name,
            "weights": sha256,
            "dtype": dtype,
            "tile": tile,
            "overlap": self._overlap,
            "pooling": pooling,
            "match_mean": self._match_mean,
        }
        """Everything asked for that decides the pixels. What `auto` became is left out: it differs
        between machines and moments, and is no reason to restore a picture again."""
        tiles = "whole pictures" if limit is None else f"tiles of up to {limit}"
        self.summary = (
            f"{name} on {self._device}, {dtype_name(precision)}, {tiles}, overlap {self._overlap}"
        )
        """One line for the log."""

    @classmethod
    def from_pretrained(
        cls,
        task: str = "motion",
        model: str | None = None,
        weights: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        tile: TileChoice = "auto",
        overlap: int | None = None,
        max_memory: int | str | None = None,
        offline: bool = False,
    ) -> Deblurrer:
        """Make a Deblurrer from the manifest's best weights for a task, or from given ones.

        Args:
            task: `motion` or `defocus`.
            model: id of a manifest entry instead.
            weights: a file or `hub:owner/repo/file@revision` instead.
            device, dtype, tile, overlap, max_memory: as for `Deblurrer`.
            offline: use only what is on this machine.

        Raises:
            WeightsError: the weights cannot be had, are damaged or of no known network.
            UsageError, DeviceError: as for `Deblurrer`; an unknown task or model id.
        """
        resolved = resolve_weights(task, model=model, weights=weights, offline=offline)
        return cls(
            load_weights(resolved),
            name=resolved.id,
            device=device,
            dtype=dtype,
            tile=tile,
            overlap=overlap,
            max_memory=max_memory,
            sha256=resolved.sha256,
            advice=resolved.entry.inference if resolved.entry else None,
            warnings=resolved.warnings,
        )

    def __call__(self, image: Image, strength: float = 1.0) -> Image:
        """Restore one picture; the `image` of `restore`."""
        return self.restore(image, strength).image

    @torch.inference_mode()
    def restore(self, image: Image, strength: float = 1.0) -> Restoration:
        """Restore one picture.

        Args:
            image: `(H,W,3)` RGB, uint8, uint16 or float32 in [0,1]; left unchanged.
            strength: 0 gives the input, 1 the network's result, between them a mixture.

        Raises:
            RestoreError: not a picture, or memory does not suffice for the smallest tile.
            UsageError: a strength outside [0,1].
        """
        check_image(image)
        if not 0 <= strength <= 1:
            raise UsageError(f"a strength of {strength} makes no sense", remedy="use 0 to 1")
        progress = _Progress()
        canvas = Canvas(image.shape, image.dtype, self._overlap)
        side = self._tile.side(Size(*image.shape[:2]))
        while not self._paint(canvas, image, side, strength, progress):
            self._tile.shrink(side)
            smaller = self._tile.side(Size(*image.shape[:2]))
            progress.shortages.append(f"out of memory: tiles of {side} cut to {smaller} pixels")
            side = smaller
        return Restoration(
            image=canvas.result,
            tile=side,
            tiles=progress.outcomes.total(),
            redone=progress.outcomes[Outcome.REDONE],
            kept=progress.outcomes[Outcome.KEPT],
            warnings=progress.warnings(),
        )

    def _paint(
        self, canvas: Canvas, image: Image, side: int, strength: float, progress: _Progress
    ) -> bool:
        """Go on where the canvas stands; False if memory ran out on the way."""
        rest = image[canvas.finished :]
        offset = canvas.finished
        height, width = rest.shape[:2]
        grid = tile_grid(Size(height, width), side, self._overlap, self._multiple)
        try:
            for row in grid.rows():
                tiles = (
                    (tile.left, self._restore(rest[tile.rows, tile.columns], strength, progress))
                    for tile in row
                )
                canvas.add(offset + row[0].top, blend_across(tiles, width, self._overlap))
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
        else:
            return True
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return False

    def _restore(
        self, pixels: Image, strength: float, progress: _Progress
    ) -> npt.NDArray[np.float32]:
        """One tile `(h,w,3)` through the network, as float32 with full scale at 1."""
        x = torch.from_numpy(to_unit(pixels)).permute(2, 0, 1)[None].to(self._device)
        restored, outcome = self._network(x)
        progress.outcomes[outcome] += 1
        if self._match_mean and outcome is not Outcome.KEPT:
            restored = restored + (_mean_colour(x) - _mean_colour(restored))
        mixed = torch.lerp(x, restored, strength)
        return np.ascontiguousarray(mixed[0].permute(1, 2, 0).cpu().numpy())

    def _automatic_limit(
        self, advice: Mapping[str, int | bool], max_memory: int | str | None
    ) -> int:
        allowed = parse_memory(max_memory) if isinstance(max_memory, str) else max_memory
        cost = bytes_per_pixel(self._network.working, self._device)
        budget = network_budget(self._device, allowed)
        affordable = affordable_tile(budget, cost, self._multiple)
        smallest = smallest_tile(self._overlap, self._multiple)
        if affordable < smallest and allowed is not None:
            needed = allowed - budget + int(cost * smallest**2)
            raise UsageError(
                f"the memory limit of {allowed >> 20} MiB is too small for this network",
                remedy=f"allow {(needed >> 20) + 1} MiB or more",
            )
        advised = int(advice.get("tile", 0)) or affordable
        return max(min(affordable, advised), smallest)


def _mean_colour(x: Tensor) -> Tensor:
    return x.mean(dim=(-2, -1), keepdim=True)
