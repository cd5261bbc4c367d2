"""What one pass through a network takes, counted without running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from deblur_cli.models import create_model
from deblur_cli.models.mamba import Mamba

UPDATE_MACS = 4
"""Multiplications of a state update: `delta * A`, `(delta * u) * B`, `decay * h` and `C * h`."""


@dataclass(frozen=True)
class MambaCall:
    """One call of a Mamba module; the shapes of its weights say what a token takes."""

    mamba: Mamba
    tokens: int
    """Of all images together."""

    @property
    def projections(self) -> int:
        """Multiply-accumulates of the four matrix products."""
        linears = (part for part in self.mamba.children() if isinstance(part, nn.Linear))
        return self.tokens * sum(linear.weight.numel() for linear in linears)

    @property
    def convolution(self) -> int:
        """Multiply-accumulates of the causal convolution."""
        return self.tokens * self.mamba.conv1d.weight.numel()

    @property
    def updates(self) -> int:
        """State updates of the scan, `h = decay * h + delta * B * u` with its share of `C * h`."""
        return self.tokens * self.mamba.A_log.numel()


@dataclass(frozen=True)
class Work:
    """What one pass takes. Norms, activations and element-wise products are not counted."""

    outside: int
    """Multiply-accumulates of convolutions and matrix products outside of Mamba."""
    calls: tuple[MambaCall, ...]
    """Those of Mamba, in their order."""
    parameters: int
    """In all."""
    used: int
    """Parameters that take part in the pass."""

    @property
    def macs(self) -> int:
        """Multiply-accumulates of every convolution and matrix product."""
        return self.outside + sum(call.projections + call.convolution for call in self.calls)

    @property
    def updates(self) -> int:
        """State updates of all scans."""
        return sum(call.updates for call in self.calls)

    @property
    def macs_with_scan(self) -> int:
        """`macs`, and `UPDATE_MACS` for each state update."""
        return self.macs + UPDATE_MACS * self.updates


def count_work(
    architecture: str,
    config: Mapping[str, Any],
    size: tuple[int, int],
    side_outputs: bool = True,
) -> Work:
    """Count a pass of one image through a network, on shapes alone.

    Args:
        architecture: as `deblur_cli.models.create_model`.
        config: its layout; what is not given has the paper's value.
        size: height and width in pixels, multiples of the network's.
        side_outputs: with all outputs of its release, or with the restored image only.

    Raises:
        UsageError: as `deblur_cli.models.create_model`.
    """
    with torch.device("meta"):
        network = create_model(architecture, **config).network.eval().requires_grad_(False)
        image = torch.empty(1, 3, *size)
    parameters = list(network.parameters())
    counted = _without_mamba(network)
    counter, touched = FlopCounterMode(display=False), _Touched()
    with counter, touched:
        network(image, side_outputs=side_outputs)
    calls = tuple(call for stand_in in counted for call in stand_in.calls)
    inside = {id(parameter) for call in calls for parameter in call.mamba.parameters()}
    return Work(
        outside=counter.get_total_flops() // 2,
        calls=calls,
        parameters=sum(parameter.numel() for parameter in parameters),
        used=sum(x.numel() for x in parameters if id(x) in touched.ids | inside),
    )


class _CountedMamba(nn.Module):
    """Stands in for a Mamba: keeps the shape of the tokens and notes how many there were."""

    def __init__(self, mamba: Mamba) -> None:
        super().__init__()
        self.calls: list[MambaCall] = []
        self._mamba = (mamba,)  # not as a part

    def forward(self, tokens: Tensor, scale: Tensor | None = None) -> Tensor:
        """Map `(B,L,C)` to `(B,L,C)`; the factors are used, but not multiplied."""
        (mamba,) = self._mamba
        self.calls.append(MambaCall(mamba, tokens.shape[0] * tokens.shape[1]))
        return torch.empty_like(tokens)


def _without_mamba(network: nn.Module) -> list[_CountedMamba]:
    """Put stand-ins into the places of all Mamba modules."""
    stand_ins = []
    for name, module in list(network.named_modules()):
        if isinstance(module, Mamba):
            stand_ins.append(_CountedMamba(module))
            network.set_submodule(name, stand_ins[-1])
    return stand_ins


class _Touched(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes which parameters the operations of torch are given."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ids: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation of torch."""
        self.ids |= {id(argument) for argument in args if isinstance(argument, nn.Parameter)}
        return func(*args, **(kwargs or {}))
