"""`Deblurrer`: picture in, sharper picture out, whatever its size."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence

from deblur_cli.checkpoints.advice import DEFAULT_OVERLAP
from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.errors import UsageError
from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.inference.device import resolve_device, resolve_devices
from deblur_cli.inference.fit import fit_tiles
from deblur_cli.inference.guard import GuardedNetwork
from deblur_cli.inference.lanes import lane_to
from deblur_cli.inference.painting import Painting, Restoration, Style
from deblur_cli.inference.precision import choose_dtype, dtype_name
from deblur_cli.inference.samples import Image, check_image
from deblur_cli.inference.schedule import Schedule
from deblur_cli.inference.tile_size import TileChoice, check_tile
from deblur_cli.models import RestorationModel

__all__ = ["Deblurrer", "Restoration"]


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
            restores; None for a safe share of what is free. Decides `auto` tiles, and on a GPU how
            many go through the network at a time. On a CPU the picture's result and one row of
            tiles in float32 come on top.
        sha256: of the weights, for `settings`.
        source: where the weights come from, for those who ask.
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
        source: str = "",
        advice: Mapping[str, int | bool] | None = None,
        warnings: Sequence[str] = (),
    ) -> None:
        advice = advice or {}
        self.source = source
        """Where the weights come from, as `ResolvedWeights.source` says it."""
        self._device = resolve_device(device)
        described = model.descriptor
        if overlap is None:
            overlap = int(advice.get("overlap", DEFAULT_OVERLAP))
        multiple = described.size.multiple
        check_tile(tile, overlap, multiple)
        match_mean = bool(advice.get("match_mean", False))
        self._style = Style(overlap, multiple, described.tiling.step, match_mean)
        self.warnings = (*warnings, *model.cautions(self._device))
        reuse_freed_memory()
        pooling = int(advice.get("pooling", 0))
        if pooling:
            model.set_local_pooling(pooling)
        precision = choose_dtype(dtype, self._device, model)
        self._network = GuardedNetwork(model, self._device, precision)
        self._lane = lane_to(self._device)
        with self._lane.computing():
            self._tiles = fit_tiles(
                self._network.working,
                self._device,
                tile,
                overlap,
                int(advice.get("tile", described.tiling.largest)),
                max_memory,
            )
        self.settings: dict[str, str | int | float] = {
            "model": name,
            "weights": sha256,
            "dtype": dtype,
            "tile": tile,
            "overlap": overlap,
            "pooling": pooling,
            "match_mean": self._style.match_mean,
        }
        """Everything asked for that decides the pixels. What `auto` became is left out: it differs
        between machines and moments, and is no reason to restore a picture again."""
        self.computing = {"device": self._device.type, "dtype": dtype_name(precision)}
        """What `auto` became: the kind of device, and the number format."""
        self._title = f"{name} on {self._device}, {dtype_name(precision)}"

    @property
    def summary(self) -> str:
        """One line for the log: network, device, precision, tiles, and what CUDA graphs are for."""
        limit = self._tiles.limit
        tiles = "whole pictures" if limit is None else f"tiles of up to {limit}"
        parts = [self._title, tiles, f"overlap {self._style.overlap}"]
        graphs = self._network.graphs
        if graphs is not None and graphs.tried:
            parts.append(f"CUDA graphs for {graphs.kept} of {graphs.tried} tile shapes")
        return ", ".join(parts)

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
        only = str(resolve_device(device))
        fleet = cls.fleet(task, model, weights, only, dtype, tile, overlap, max_memory, offline)
        return fleet[only]

    @classmethod
    def fleet(
        cls,
        task: str = "motion",
        model: str | None = None,
        weights: str | None = None,
        device: str = "all",
        dtype: str = "auto",
        tile: TileChoice = "auto",
        overlap: int | None = None,
        max_memory: int | str | None = None,
        offline: bool = False,
    ) -> dict[str, Deblurrer]:
        """Make a Deblurrer for each of several devices; the weights are read once.

        Args:
            device: names with commas between them, such as `cuda:0,cuda:1`, or `all` CUDA GPUs.
            task, model, weights, dtype, tile, overlap, max_memory, offline: as for
                `from_pretrained`, which also says what is raised.

        Returns:
            The Deblurrers by the names of their devices.
        """
        names = [str(one) for one in resolve_devices(device)]
        resolved = resolve_weights(task, model=model, weights=weights, offline=offline)
        network = load_weights(resolved)
        networks = [network, *(copy.deepcopy(network) for _ in names[1:])]
        return {
            name: cls(
                network,
                name=resolved.id,
                device=name,
                dtype=dtype,
                tile=tile,
                overlap=overlap,
                max_memory=max_memory,
                sha256=resolved.sha256,
                source=resolved.source,
                advice=resolved.advice,
                warnings=resolved.warnings,
            )
            for name, network in zip(names, networks, strict=True)
        }

    def __call__(self, image: Image, strength: float = 1.0) -> Image:
        """Restore one picture; the `image` of `restore`."""
        return self.restore(image, strength).image

    def restore(self, image: Image, strength: float = 1.0) -> Restoration:
        """Restore one picture.

        Args:
            image: `(H,W,3)` RGB, uint8, uint16 or float32 in [0,1]; left unchanged.
            strength: 0 gives the input, 1 the network's result, between them a mixture.

        Raises:
            RestoreError: not a picture, or memory does not suffice for the smallest tile.
            UsageError: a strength outside [0,1].
        """
        (restoration,) = self.stream((image,), strength)
        return restoration

    def stream(self, images: Iterable[Image], strength: float = 1.0) -> Iterator[Restoration]:
        """Restore pictures one after the other, such as the frames of a video.

        The results are those of `restore`, in the same order. On a CUDA GPU the next picture is
        brought there while the one before is still computed, and small ones of equal size go
        through the network together; for this three pictures, or three such batches, are asked for
        before the first result comes, and what is on the way is lost if one of them is refused.

        Args:
            images: as for `restore`.
            strength: as for `restore`.

        Raises:
            RestoreError: as `restore`, when the picture's turn comes.
            UsageError: a strength outside [0,1], at once.
        """
        if not 0 <= strength <= 1:
            raise UsageError(f"a strength of {strength} makes no sense", remedy="use 0 to 1")
        return self._stream(images, strength)

    def _stream(self, images: Iterable[Image], strength: float) -> Iterator[Restoration]:
        schedule = Schedule(self._network, self._lane, self._tiles)
        for image in images:
            check_image(image)
            schedule.add(Painting(image, strength, self._style, self._lane))
            yield from (painting.restoration() for painting in schedule.complete())
        schedule.settle()
        yield from (painting.restoration() for painting in schedule.complete())
