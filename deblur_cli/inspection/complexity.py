"""The networks of the papers: what each costs, beside what was published of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deblur_cli.errors import RestoreError
from deblur_cli.inference.device import resolve_device
from deblur_cli.inspection.speed import Forward, Size, time_forward
from deblur_cli.inspection.work import UPDATE_MACS, Work, count_work
from deblur_cli.models import create_model

COUNTED_SIZE = (256, 256)
"""Height and width at which papers count."""


@dataclass(frozen=True)
class Published:
    """What the authors give."""

    parameters: float | None = None
    """In millions."""
    gmacs: float | None = None
    """For `COUNTED_SIZE`."""
    seconds: float | None = None
    """For a picture of 1280x720, on their GPU."""


@dataclass(frozen=True)
class Variant:
    """One size of a network."""

    name: str
    architecture: str
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Where it differs from the registered layout."""
    published: Published = Published()

    @property
    def registered(self) -> bool:
        """Whether it is what `create_model` makes of the architecture's name alone."""
        return not self.config

    def count(self) -> Work:
        """What a picture of `COUNTED_SIZE` takes, all outputs of the release included."""
        return count_work(self.architecture, self.config, COUNTED_SIZE)


@dataclass(frozen=True)
class Complexity:
    """What one size of a network costs."""

    variant: Variant
    work: Work
    forward: Forward | None = None
    """On this machine; None for sizes that are only counted, and if it could not be timed."""
    problem: str = ""
    """Why it could not be timed."""


ALGNET = Variant("ALGNet", "algnet", published=Published(gmacs=17, seconds=0.237))
CONCATENATION = Variant(
    "ALGNet, branches concatenated", "algnet", {"fusion": "concat"}, Published(gmacs=22)
)

VARIANTS = (
    ALGNET,
    CONCATENATION,
    Variant("ALGNet-B", "algnet", {"width": 64}),
    Variant("XYScanNet", "xyscannet"),
    Variant("XYScanNet, ablations", "xyscannet", {"width": 48}, Published(parameters=7.30)),
    Variant("XYScanNetP", "xyscannet", {"width": 144}),
    Variant("NAFNet", "nafnet"),
    Variant("NAFNet, width 64", "nafnet", {"width": 64}),
    Variant("MPRNet", "mprnet"),
    Variant("FCN", "fcn", published=Published(parameters=20.309)),
    Variant("MAXIM-3S", "maxim"),
)


def compare(device: str, dtype: str, size: Size, runs: int) -> Iterator[Complexity]:
    """Count all variants, and time those that are registered, with random weights.

    Args:
        device, dtype: as `--device` and `--dtype`.
        size: of the picture that is timed.
        runs: as `time_forward`.

    Raises:
        DeviceError, UsageError: there is no such device or dtype.
    """
    resolve_device(device)
    for variant in VARIANTS:
        work = variant.count()
        if not variant.registered:
            yield Complexity(variant, work)
            continue
        try:
            model = create_model(variant.architecture).eval()
            yield Complexity(variant, work, time_forward(model, device, dtype, size, runs))
        except RestoreError as error:
            yield Complexity(variant, work, problem=str(error))


def explain_published(costs: Sequence[Complexity]) -> Sequence[str]:
    """Why ALGNet's published figure is what it is, in sentences that quote the counts."""
    counted = {cost.variant: cost.work for cost in costs}
    sum_of_both, concatenation = counted[ALGNET], counted[CONCATENATION]
    share = sum_of_both.macs_with_scan / sum_of_both.outside
    projections = sum(call.projections for call in sum_of_both.calls)
    return (
        "Why ALGNet's published 17 G is 17 G: its authors count with hooks on the modules of torch "
        "(thop or ptflops). Mamba runs as one fused function on bare weights, so such a counter "
        "sees nothing of the global branch.",
        f"Outside of Mamba there are {_giga(sum_of_both.outside)} G here, and with the branches "
        f"concatenated {_giga(concatenation.outside)} G; the paper's 17 and 22 are these without "
        "their fractions (thop adds some 0.1 G for norms and pools).",
        f"Mamba's projections are {_giga(projections)} G more: all convolutions and matrix "
        f"products are {_giga(sum_of_both.macs)} G; with the scan's "
        f"{sum_of_both.updates / 1e9:.2f} G state updates, at {UPDATE_MACS} multiplications each, "
        f"{_giga(sum_of_both.macs_with_scan)} G: {share:.1f} times what was published.",
    )


def _giga(count: int) -> str:
    return f"{count / 1e9:.1f}"
