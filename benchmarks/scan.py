"""How fast the selective scan is: the back end `cpu` beside plain torch, in one process.

The sizes are those of one 1280x720 frame in ALGNet of width 32; slow competitors get fewer tokens.
Times are CPU times, median of several runs, in ns per state update (one image, token, channel and
state); 'frame' is the mean over the updates of a frame in the paper's layout. `torch` is our own
best eager formulation (two-level, in place), `reference` our sequential recurrence, `loop` the one
mamba-ssm falls back to, in its layout (B, D, L) while the others get token-major views as our
network has them, `views` the same loop on those views (shown, not judged), `autograd` the gradient
of the two-level formulation. Bars are judged on the frame. Prints every bar with its verdict; exits
with 1 if one is missed.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import argparse
import functools
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from deblur_cli.inference.allocator import reuse_freed_memory
from deblur_cli.ops import selective_scan
from deblur_cli.ops.chunked import scan_span

Arguments = dict[str, Tensor]
ARGUMENT_ORDER = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias")


@dataclass(frozen=True)
class Level:
    """One resolution of the network: channels of the scan, tokens, blocks in the paper's layout."""

    channels: int
    tokens: int
    blocks: int


LEVELS = (
    Level(64, 1280 * 720, 2),
    Level(128, 640 * 360, 2),
    Level(256, 320 * 180, 2),
    Level(512, 160 * 90, 29),
    Level(1024, 80 * 45, 1),
)


@dataclass(frozen=True)
class Bars:
    """What is asked of one thread with AVX-512; half of it elsewhere."""

    over_torch: float = 15.0
    over_loop: float = 50.0
    over_autograd: float = 25.0
    nanoseconds: float = 0.13
    error: float = 1e-6
    extra_memory: float = 1024.0

    @classmethod
    def of_this_machine(cls) -> Bars:
        """By the widest vectors of the processor."""
        if "AVX512" in torch.backends.cpu.get_cpu_capability():
            return cls()
        return cls(over_torch=7.5, over_loop=25.0, over_autograd=12.5, nanoseconds=0.26)


class Verdicts:
    """Bars met and missed."""

    def __init__(self) -> None:
        self.missed = 0

    def at_least(self, what: str, found: float, bar: float, unit: str) -> None:
        """Judge something that should be large."""
        self._say(what, found, f">= {bar:g} {unit}", found >= bar)

    def at_most(self, what: str, found: float, bar: float, unit: str) -> None:
        """Judge something that should be small."""
        self._say(what, found, f"<= {bar:g} {unit}", found <= bar)

    def _say(self, what: str, found: float, wanted: str, met: bool) -> None:
        self.missed += not met
        print(f"  {'pass' if met else 'MISS'}  {what:<52} {found:8.3g}  (bar {wanted})")


def inputs(
    channels: int,
    tokens: int,
    states: int,
    dtype: torch.dtype,
    batch: int = 1,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> Arguments:
    """Token-major views as the network passes them, with decays and steps as at initialisation."""
    generator = torch.Generator(device).manual_seed(channels + seed)

    def rows(columns: int) -> Tensor:
        shape = (batch, tokens, columns)
        return torch.randn(shape, generator=generator, device=device, dtype=dtype)

    u, z = rows(2 * channels).transpose(1, 2).chunk(2, 1)
    B, C = rows(2 * states).transpose(1, 2).chunk(2, 1)
    return {
        "u": u,
        "delta": 0.1 * rows(channels).transpose(1, 2),
        "A": -torch.arange(1.0, states + 1, device=device).repeat(channels, 1),
        "B": B,
        "C": C,
        "D": torch.ones(channels, device=device),
        "z": z,
        "delta_bias": torch.empty(channels, device=device).uniform_(
            -6.9, -2.3, generator=generator
        ),
    }


def nanoseconds(call: Callable[[], object], updates: int, runs: int) -> float:
    """Median CPU time per update, after one call that is not counted."""
    clock = time.thread_time if torch.get_num_threads() == 1 else time.process_time
    times = []
    for _ in range(runs + 1):
        start = clock()
        call()
        times.append(clock() - start)
    return statistics.median(times[1:]) / updates * 1e9


def forward_and_backward(scan: Callable[[Arguments], Tensor], arguments: Arguments) -> None:
    """Gradients by all inputs."""
    leaves = {name: tensor.detach().requires_grad_() for name, tensor in arguments.items()}
    y = scan(leaves)
    torch.autograd.grad(y, list(leaves.values()), torch.ones_like(y))


def ours(arguments: Arguments, backend: str | None = "cpu") -> Tensor:
    """The scan as the network calls it."""
    return selective_scan(**arguments, delta_softplus=True, backend=backend)


def two_level_autograd(arguments: Arguments) -> Tensor:
    """The two-level formulation as one span, without the recomputation that saves memory."""
    A = arguments["A"]
    state = A.new_zeros(1, *A.shape)
    y, _ = scan_span(state, **arguments, delta_softplus=True)
    return y


def materialising_loop(arguments: Arguments) -> Tensor:
    """Decays and inflows of all tokens at once, (B, D, L, N) each, then token by token."""
    u, delta, A, B, C, D, z, delta_bias = (arguments[name].float() for name in ARGUMENT_ORDER)
    step = F.softplus(delta + delta_bias[:, None])
    decays = torch.exp(torch.einsum("bdl,dn->bdln", step, A))
    inflows = torch.einsum("bdl,bnl,bdl->bdln", step, B, u)
    state = torch.zeros_like(decays[:, :, 0])
    outputs = []
    for t in range(u.shape[2]):
        state = decays[:, :, t] * state + inflows[:, :, t]
        outputs.append(torch.einsum("bdn,bn->bd", state, C[:, :, t]))
    return (torch.stack(outputs, 2) + u * D[:, None]) * F.silu(z)


@dataclass(frozen=True)
class Competitor:
    """One way to compute the scan, how many updates are timed at a time, and in which layout."""

    name: str
    run: Callable[[Arguments], object]
    updates: int
    channel_major: bool = False

    def inputs(self, level: Level, states: int, dtype: torch.dtype) -> Arguments:
        """As many tokens as the updates allow."""
        tokens = min(level.tokens, self.updates // (level.channels * states))
        arguments = inputs(level.channels, tokens, states, dtype)
        if not self.channel_major:
            return arguments
        return {name: tensor.contiguous() for name, tensor in arguments.items()}


FORWARD = (
    Competitor("cpu", ours, 1 << 26),
    Competitor("torch", functools.partial(ours, backend="torch"), 1 << 24),
    Competitor("reference", functools.partial(ours, backend="reference"), 1 << 20),
    Competitor("loop", materialising_loop, 1 << 25, channel_major=True),
    Competitor("views", materialising_loop, 1 << 25),
)
BACKWARD = (
    Competitor("cpu", functools.partial(forward_and_backward, ours), 1 << 25),
    Competitor("autograd", functools.partial(forward_and_backward, two_level_autograd), 1 << 22),
)


def frame_times(
    competitors: tuple[Competitor, ...], states: int, dtype: torch.dtype, runs: int
) -> dict[str, float]:
    """Prints a row per level; returns the mean over the updates of a frame."""
    totals = dict.fromkeys((competitor.name for competitor in competitors), 0.0)
    for level in LEVELS:
        row = {}
        for competitor in competitors:
            arguments = competitor.inputs(level, states, dtype)
            call = functools.partial(competitor.run, arguments)
            row[competitor.name] = nanoseconds(call, arguments["u"].numel() * states, runs)
            totals[competitor.name] += (
                row[competitor.name] * level.channels * level.tokens * level.blocks
            )
        print(f"  D={level.channels:<5} {_columns(row)}", flush=True)
    updates = sum(level.channels * level.tokens * level.blocks for level in LEVELS)
    means = {name: total / updates for name, total in totals.items()}
    print(f"  frame   {_columns(means)}")
    return means


def _columns(times: dict[str, float]) -> str:
    own = times["cpu"]
    return "  ".join(f"{name} {time:7.3f} ns ({time / own:5.1f}x)" for name, time in times.items())


def largest_error(states: int) -> float:
    """Of all levels' outputs, against the sequential recurrence in float64."""
    errors = []
    for level in LEVELS:
        arguments = inputs(level.channels, 1024, states, torch.float32)
        truth = ours({name: x.double() for name, x in arguments.items()}, "reference")
        errors.append(float((ours(arguments) - truth).abs().max() / truth.abs().max()))
    return max(errors)


def extra_memory() -> float | None:
    """KiB that one scan takes at its peak beyond its inputs and its output; Linux only."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    arguments = inputs(64, 1 << 18, 32, torch.float32)
    ours({name: x[..., :64] if x.dim() == 3 else x for name, x in arguments.items()})

    def kibibytes(field: str) -> int:
        lines = dict(line.split(":") for line in status.read_text().splitlines())
        return int(lines[field].split()[0])

    before = kibibytes("VmRSS")
    reset.write_text("5")
    y = ours(arguments)
    return max(0.0, kibibytes("VmHWM") - before - y.numel() * y.element_size() / 1024)


def main() -> int:
    """Measure everything and judge it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=1, help="threads of every competitor")
    parser.add_argument("--quick", action="store_true", help="fewer runs, float32 only")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bars, verdicts = Bars.of_this_machine(), Verdicts()
    runs = 3 if options.quick else 7

    with torch.inference_mode():
        memory = extra_memory()
    reuse_freed_memory()
    if memory is not None:
        verdicts.at_most("memory beyond inputs and output", memory, bars.extra_memory, "KiB")
    for states in (32, 16):
        with torch.inference_mode():
            error = largest_error(states)
        verdicts.at_most(f"N={states} relative error, float32", error, bars.error, "")
    for dtype in (torch.float32,) if options.quick else (torch.float32, torch.bfloat16):
        for states in (32, 16):
            title = f"N={states} {str(dtype).removeprefix('torch.')}"
            print(f"{title} forward")
            with torch.inference_mode():
                means = frame_times(FORWARD, states, dtype, runs)
            own = means["cpu"]
            if states == 32:
                verdicts.at_most(f"{title} forward", own, bars.nanoseconds, "ns per update")
            verdicts.at_least(f"{title} over torch", means["torch"] / own, bars.over_torch, "x")
            verdicts.at_least(f"{title} over loop", means["loop"] / own, bars.over_loop, "x")
            print(f"{title} forward and backward")
            means = frame_times(BACKWARD, states, dtype, runs)
            ratio = means["autograd"] / means["cpu"]
            verdicts.at_least(f"{title} over autograd", ratio, bars.over_autograd, "x")
    print(f"{verdicts.missed} bars missed" if verdicts.missed else "all bars met")
    return 1 if verdicts.missed else 0


if __name__ == "__main__":
    sys.exit(main())
