"""Networks that are not ours: spandrel knows them, the optional extra `foreign` brings it.

Whatever restores RGB pictures at their own size is taken: Uformer, FFTformer, KBNet, SCUNet and
others, and Restormer, M3SNet and MIRNet2 where `spandrel_extra_arches` is installed too.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models.descriptor import SizeRule
from deblur_cli.models.restoration import Network, RestorationModel

if TYPE_CHECKING:
    from spandrel import ArchRegistry, ImageModelDescriptor

RGB = 3


class ForeignNetwork(Network):
    """A network of spandrel behind our interface; its results are clipped to [0,1].

    Half precision is automatic mixed precision: the parameters stay float32.

    Args:
        described: what spandrel says of it.
    """

    padding_mode = "reflect"

    def __init__(self, described: ImageModelDescriptor[Any]) -> None:
        super().__init__()
        size = described.size_requirements
        self.size_multiple = size.multiple_of
        self.model = described.model
        self._described = described
        self._size_rule = SizeRule(size.multiple_of, max(size.minimum, 1), size.square)
        self._dtype = torch.float32
        allowed = {
            torch.bfloat16: described.supports_bfloat16,
            torch.float16: described.supports_half,
        }
        self.half_precision = frozenset(dtype for dtype, safe in allowed.items() if safe)

    @property
    def size_rule(self) -> SizeRule:
        """What images are padded to."""
        return self._size_rule

    def forward(self, image: Tensor, side_outputs: bool = True) -> list[Tensor]:
        """Restore an image; there are no coarser scales.

        Args:
            image: `(B,3,H,W)`, RGB in [0,1], of a size that suits the network.
            side_outputs: as in every network; without effect.
        """
        half = self._dtype != torch.float32
        with torch.autocast(image.device.type, self._dtype, enabled=half):
            return [self._described(image)]

    def set_precision(self, dtype: torch.dtype) -> None:
        """Run what is safe in `dtype` in it."""
        self._dtype = dtype

    def set_local_pooling(self, train_size: int | None) -> None:
        """There is no test-time local converter.

        Raises:
            UsageError: one is asked for.
        """
        if train_size is not None:
            raise UsageError(
                f"{self._described.architecture.name} has no local pooling",
                remedy="leave pooling at 0",
            )


def load_foreign(state: dict[str, Tensor], path: Path, known: Iterable[str]) -> RestorationModel:
    """Load the parameters of a network that spandrel recognises.

    Args:
        state: parameters by name, without wrappers and prefixes.
        path: where they come from, for messages.
        known: names of our own networks, for messages.

    Returns:
        The model in evaluation mode, float32, on the CPU.

    Raises:
        WeightsError: spandrel is not installed or does not know them either, they do not fit, or
            the network does something else than restoring RGB pictures.
    """
    registry = _registry(path, f"known: {', '.join(known)}")
    found = next((arch for arch in registry.architectures("detection") if arch.detect(state)), None)
    if found is None:
        raise WeightsError(
            "is of no architecture known here or to spandrel",
            path=path,
            remedy=f"known: {', '.join(known)}, and with spandrel_extra_arches Restormer",
        )
    name = found.architecture.name
    try:
        described = found.architecture.load(state)
    except Exception as error:  # it reads shapes as they come, and stumbles in every way
        reason = shorten(str(error) or type(error).__name__, 200, placeholder=" …")
        raise WeightsError(f"does not fit {name}: {reason}", path=path) from error
    _check_task(described, name, path)
    return RestorationModel(ForeignNetwork(described), found.architecture.id.lower(), {}).eval()


def _registry(path: Path, known: str) -> ArchRegistry:
    """All architectures of spandrel, and those with licences of their own if they are there."""
    try:
        import spandrel
    except ModuleNotFoundError as error:
        raise WeightsError(
            "is of no architecture known here",
            path=path,
            remedy=f"{known}; pip install 'deblur-cli[foreign]' for Uformer, FFTformer and others",
        ) from error
    except Exception as error:  # a torchvision for another torch fails in several ways
        raise WeightsError(
            "is of no architecture known here, and spandrel, which knows others, cannot be "
            f"imported: {error}",
            path=path,
            remedy=f"{known}; or install the torchvision that belongs to torch {torch.__version__}",
        ) from error
    registry = spandrel.MAIN_REGISTRY.copy()
    try:
        from spandrel_extra_arches import EXTRA_REGISTRY
    except ModuleNotFoundError:
        return registry
    registry.add(*EXTRA_REGISTRY, ignore_duplicates=True)
    return registry


def _check_task(described: Any, name: str, path: Path) -> None:
    from spandrel import ImageModelDescriptor

    if not isinstance(described, ImageModelDescriptor):
        raise WeightsError(f"is {name}, which fills in what a mask hides", path=path)
    if described.scale != 1 or described.purpose == "FaceSR":
        raise WeightsError(f"is {name}, which enlarges pictures or paints faces", path=path)
    channels = described.input_channels, described.output_channels
    if channels != (RGB, RGB):
        raise WeightsError(
            f"is {name} for {channels[0]} channels in and {channels[1]} out, not for RGB pictures",
            path=path,
        )
