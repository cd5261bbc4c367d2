"""LPIPS (Zhang et al. 2018) and ST-LPIPS (Ghildyal and Liu 2022): what AlexNet sees apart.

Both sum over five layers the mean over places of squared differences between features of unit
length, each channel weighted as people judged. ST-LPIPS blurs before it thins out, so that a shift
by a pixel changes little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from deblur_cli.errors import MissingExtraError, WeightsError
from deblur_cli.metrics.error import Array, check_colour, check_comparable, peak
from deblur_cli.metrics.fetching import NetworkFile, Tell, network_file

if TYPE_CHECKING:
    from torch import Tensor

Distance: TypeAlias = Callable[[Array, Array], float]
"""Of a restored picture from the truth, both (H, W, 3) RGB with sides of 31 pixels or more; raises
`IncomparableError` for others."""

ALEXNET = NetworkFile(
    "alexnet-owt-7be5be79.pth",
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "AlexNet (for LPIPS)",
    "7be5be79",
)
_LAYERS = 5
_SMALLEST = 31
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class _Weights(NamedTuple):
    convolutions: list[tuple[Tensor, Tensor]]
    heads: list[Tensor]
    """Of each channel in each layer."""


def load_lpips(
    weights: Path | None = None, *, device: str = "cpu", offline: bool, tell: Tell
) -> Distance:
    """LPIPS by AlexNet, version 0.1, as papers on DPDD report it.

    Args:
        weights: AlexNet as torchvision publishes it, or LPIPS as one file [fetched once, 244 MB].
        device: of torch.
        offline: open no connection.
        tell: is told what is fetched, before it is.

    Raises:
        MissingExtraError: neither the file nor an installed package `lpips` has the heads.
        WeightsError: the file is missing, damaged, or of another network.
    """
    heads = _heads(device) if weights is None else {}
    path = weights or network_file(ALEXNET, offline=offline, tell=tell)
    state = heads | _read(path, device)
    if "lin0.model.1.weight" not in state:
        state |= _heads(device)
    return _distance(_alexnet, _weights(state, path))


def load_st_lpips(weights: Path | None = None, *, device: str = "cpu") -> Distance:
    """ST-LPIPS by AlexNet, version ST0.0.

    Args:
        weights: `alex_shift_tolerant.pth` [the one in the package `stlpips_pytorch`].
        device: of torch.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    if weights is None:
        folder = _package("stlpips_pytorch")
        if folder is None:
            raise WeightsError(
                "ST-LPIPS needs weights that come with the package stlpips_pytorch",
                remedy="pip install --no-deps stlpips_pytorch; nothing but its weights is used",
            )
        weights = folder / "weights" / "vST0.0" / "alex_shift_tolerant.pth"
    return _distance(_shift_tolerant_alexnet, _weights(_read(weights, device), weights))


def _heads(device: str) -> dict[str, Tensor]:
    folder = _package("lpips")
    if folder is None:
        raise MissingExtraError("LPIPS", "eval")
    return _read(folder / "weights" / "v0.1" / "alex.pth", device)


def _package(name: str) -> Path | None:
    """Folder of an installed package, which is not imported: that would need torchvision."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _read(path: Path, device: str) -> dict[str, Tensor]:
    import torch

    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"these weights cannot be read: {reason}", path=path) from error
    return dict(state) if isinstance(state, dict) else {}


def _weights(state: dict[str, Tensor], path: Path) -> _Weights:
    """Its five convolutions, in order, and their heads."""
    names = [name.removesuffix(".bias") for name in state if name.endswith(".bias")]
    kernels = [(state[f"{name}.weight"], state[f"{name}.bias"]) for name in names]
    convolutions = [(kernel, bias) for kernel, bias in kernels if kernel.ndim == 4]
    heads = [state.get(f"lin{layer}.model.1.weight") for layer in range(_LAYERS)]
    widths = [kernel.shape[0] for kernel, _ in convolutions]
    if widths != [head.shape[1] for head in heads if head is not None] or len(widths) != _LAYERS:
        raise WeightsError("these are no weights of AlexNet with heads for LPIPS", path=path)
    return _Weights(convolutions, [head for head in heads if head is not None])


def _distance(trunk: Callable[[Tensor, _Weights], Iterator[Tensor]], weights: _Weights) -> Distance:
    import torch
    from torch.nn import functional

    def distance(restored: Array, truth: Array) -> float:
        check_comparable(restored, truth, smallest=_SMALLEST)
        check_colour(truth)
        total = 0.0
        with torch.inference_mode():
            layers = (trunk(_input(image, weights), weights) for image in (restored, truth))
            for seen, expected, head in zip(*layers, weights.heads, strict=True):
                difference = _unit(seen) - _unit(expected)
                total += functional.conv2d(difference.square(), head).mean().item()
        return total

    return distance


def _input(image: Array, weights: _Weights) -> Tensor:
    """(1, 3, H, W), standardised as ImageNet's pictures in [-1, 1] are."""
    import torch

    like = weights.heads[0]
    values = torch.from_numpy(2 * (image / peak(image)) - 1).to(like)
    return ((values - like.new_tensor(_SHIFT)) / like.new_tensor(_SCALE)).permute(2, 0, 1)[None]


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)


def _alexnet(x: Tensor, weights: _Weights) -> Iterator[Tensor]:
    from torch.nn import functional

    for layer, (kernel, bias) in enumerate(weights.convolutions):
        if layer in (1, 2):
            x = functional.max_pool2d(x, 3, 2)
        stride, padding = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))[layer]
        x = functional.conv2d(x, kernel, bias, stride, padding).relu()
        yield x


def _shift_tolerant_alexnet(x: Tensor, weights: _Weights) -> Iterator[Tensor]:
    from torch.nn import functional

    for layer, (kernel, bias) in enumerate(weights.convolutions):
        if layer in (1, 2):
            x = _blur_and_halve(functional.max_pool2d(x, 3, 1))
        x = functional.conv2d(x, kernel, bias, padding=(2, 2, 1, 1, 1)[layer])
        x = (_blur_and_halve(x) if layer == 0 else x).relu()
        yield x


def _blur_and_halve(x: Tensor) -> Tensor:
    """Every second pixel after a binomial filter of 3x3 taps (Zhang 2019), edges mirrored."""
    from torch.nn import functional

    taps = x.new_tensor([0.25, 0.5, 0.25])
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    mirrored = functional.pad(x, (2, 2, 2, 2), mode="reflect")
    return functional.conv2d(mirrored, kernel, stride=2, groups=x.shape[1])
