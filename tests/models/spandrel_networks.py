"""Small networks of spandrel; tests that need them are skipped, saying so, where it is absent."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import pytest
from torch import nn

EXTRA = {"restormer", "m3snet"}
"""Networks of spandrel_extra_arches."""


def import_spandrel() -> Any:
    """The package, with a stand-in for the little it takes of torchvision if that is unusable."""
    if find_spec("spandrel") is None:
        pytest.skip("needs the optional extra 'foreign', which is not installed")
    try:
        import spandrel
    except (ImportError, RuntimeError):
        with pytest.MonkeyPatch.context() as patch:
            _stand_in_for_torchvision(patch)
            import spandrel
    return spandrel


def _stand_in_for_torchvision(patch: pytest.MonkeyPatch) -> None:
    for name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        patch.setitem(sys.modules, name, ModuleType(name))
    functional: Any = sys.modules["torchvision.transforms.functional"]
    functional.InterpolationMode = functional.rotate = functional.normalize = object


def build(name: str) -> nn.Module:
    """A small network with random parameters, in evaluation mode."""
    import_spandrel()
    if name in EXTRA and find_spec("spandrel_extra_arches") is None:
        pytest.skip(f"{name} needs spandrel_extra_arches, which is not installed")
    return _MAKERS[name]().eval()


def _uformer() -> nn.Module:
    from spandrel.architectures.Uformer import Uformer

    return Uformer(img_size=128, embed_dim=8, depths=[1] * 9)


def _fftformer() -> nn.Module:
    from spandrel.architectures.FFTformer import FFTformer

    return FFTformer(dim=8, num_blocks=[1, 1, 1], num_refinement_blocks=1)


def _restormer() -> nn.Module:
    from spandrel_extra_arches.architectures.Restormer import Restormer

    return Restormer(dim=8, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1)


def _m3snet() -> nn.Module:
    from spandrel_extra_arches.architectures.M3SNet import M3SNet

    return M3SNet(width=8, middle_blk_num=1, enc_blk_nums=[1] * 4, dec_blk_nums=[1] * 4)


def _compact(scale: int = 1, channels: int = 3) -> nn.Module:
    from spandrel.architectures.Compact import Compact

    return Compact(num_in_ch=channels, num_out_ch=channels, num_feat=8, num_conv=2, upscale=scale)


_MAKERS: dict[str, Callable[[], nn.Module]] = {
    "uformer": _uformer,
    "fftformer": _fftformer,
    "restormer": _restormer,
    "m3snet": _m3snet,
    "compact": _compact,
    "compact-2x": lambda: _compact(scale=2),
    "compact-grey": lambda: _compact(channels=1),
}
