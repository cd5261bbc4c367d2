"""`deblur bench`: how fast this machine restores, or what every network costs.

With `--json` every line is an object as in `report`, with these events:

    bench       model, width, height, seconds (one per run), median, megapixels_per_second,
                peak_bytes, tile, tiles, redone, kept, warnings
    complexity  name, architecture, config, parameters, used_parameters, macs_outside_mamba, macs,
                state_updates, macs_with_scan (all for 256x256); published (parameters in millions,
                gmacs, seconds), dtype, seconds, peak_bytes (for width x height), problem

What was not measured is null; `problem` says why.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import PlainConsole
from deblur_cli.cli.grouped import grouped
from deblur_cli.cli.table import Table
from deblur_cli.errors import UsageError

if TYPE_CHECKING:
    from deblur_cli.inspection.complexity import Complexity
    from deblur_cli.inspection.speed import Restoring

_GIB = 1 << 30
_SMALLEST, _LARGEST = 16, 65_535


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels of `WIDTHxHEIGHT`."""
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    sides = [int(side) for side in match.groups()] if match else []
    if not sides or min(sides) < _SMALLEST or max(sides) > _LARGEST:
        raise typer.BadParameter(
            f"{text!r} is not WIDTHxHEIGHT with sides of {_SMALLEST} to {_LARGEST} pixels"
        )
    return sides[1], sides[0]


@grouped
def bench(
    *,
    network: options.OneDeviceOptions,
    size: Annotated[
        Any, typer.Option(parser=parse_size, metavar="WIDTHxHEIGHT", help="Size of the picture.")
    ] = "1280x720",
    runs: Annotated[int, typer.Option(min=1, help="How many are timed; the median counts.")] = 5,
    complexity: Annotated[
        bool,
        typer.Option(
            "--complexity", help="Every network, with random weights: what it costs, and here."
        ),
    ] = False,
    json: options.Json = False,
) -> None:
    """Time how fast this machine restores a drawn picture, reading and writing aside.

    With --complexity instead: parameters and multiply-accumulates of every network beside what its
    paper says, and how long it takes here for a whole picture, which needs some minutes on a CPU.
    """
    if complexity:
        pins_weights = network.model or network.weights
        cuts = network.overlap is not None or network.max_memory or network.tile != "auto"
        if pins_weights or cuts:
            raise UsageError(
                "--complexity takes every network with random weights, and pictures whole",
                remedy="leave out --model, --weights, --tile, --overlap and --max-memory",
            )
        _compare(network.device, network.dtype, size, runs, json)
        return
    from deblur_cli.inspection.speed import time_restoring

    deblurrer = network.load()
    for line in deblurrer.warnings:
        PlainConsole().note(line)
    _show_speed(
        deblurrer.summary, size, time_restoring(deblurrer, network.device, size, runs), json
    )


def _show_speed(model: str, size: tuple[int, int], found: Restoring, json: bool) -> None:
    height, width = size
    rate = height * width / 1e6 / found.median
    last = found.last
    if json:
        fields = {
            "model": model,
            "width": width,
            "height": height,
            "seconds": found.seconds,
            "median": found.median,
            "megapixels_per_second": rate,
            "peak_bytes": found.peak_bytes,
            "tile": last.tile,
            "tiles": last.tiles,
            "redone": last.redone,
            "kept": last.kept,
            "warnings": last.warnings,
        }
        report.write_line("bench", fields)
        return
    spread = f"{min(found.seconds):.3f} to {max(found.seconds):.3f} in {len(found.seconds)} runs"
    rows: list[tuple[str, ...]] = [
        ("network", model),
        ("picture", f"{width} x {height}, in {last.tiles} tile{'s' if last.tiles != 1 else ''}"),
        ("seconds", f"{found.median:.3f} ({spread})"),
        ("megapixels/s", f"{rate:.2f}"),
        ("peak memory", _memory(found.peak_bytes)),
    ]
    Table("restoring one picture", ("what", "measured"), rows).show()
    for line in last.warnings:
        PlainConsole().note(line)


def _compare(device: str, dtype: str, size: tuple[int, int], runs: int, json: bool) -> None:
    from deblur_cli.inspection.complexity import compare, explain_published

    costs: list[Complexity] = []
    for cost in compare(device, dtype, size, runs):
        costs.append(cost)
        PlainConsole().note(f"{cost.variant.name} is counted{' and timed' * bool(cost.forward)}")
        if json:
            report.write_line("complexity", _fields(cost, size))
    if json:
        return
    title = (
        "networks with random weights: parameters in millions; G multiply-accumulates for 256x256 "
        f"pixels; seconds and memory here for {size[1]}x{size[0]} pixels, whole"
    )
    Table(title, _HEADER, [_row(cost) for cost in costs]).show()
    for sentence in explain_published(costs):
        typer.echo(sentence)


def _fields(cost: Complexity, size: tuple[int, int]) -> dict[str, Any]:
    work, variant, forward = cost.work, cost.variant, cost.forward
    return {
        "name": variant.name,
        "architecture": variant.architecture,
        "config": variant.config,
        "parameters": work.parameters,
        "used_parameters": work.used,
        "macs_outside_mamba": work.outside,
        "macs": work.macs,
        "state_updates": work.updates,
        "macs_with_scan": work.macs_with_scan,
        "published": asdict(variant.published),
        "width": size[1],
        "height": size[0],
        "dtype": forward and forward.dtype,
        "seconds": forward and forward.seconds,
        "peak_bytes": forward and forward.peak_bytes,
        "problem": cost.problem or None,
    }


_HEADER = (
    "network",
    "parameters",
    "used",
    "paper",
    "G outside Mamba",
    "paper",
    "G",
    "G updates",
    "G with scan",
    "dtype",
    "seconds",
    "paper",
    "peak memory",
)


def _row(cost: Complexity) -> tuple[str, ...]:
    work, published, forward = cost.work, cost.variant.published, cost.forward
    measured = ("", cost.problem, "")
    if forward is not None:
        measured = (forward.dtype, f"{forward.seconds:.3f}", _memory(forward.peak_bytes))
    dtype, seconds, memory = measured
    return (
        cost.variant.name,
        f"{work.parameters / 1e6:.2f}",
        f"{work.used / 1e6:.2f}",
        _optional(published.parameters),
        f"{work.outside / 1e9:.2f}",
        _optional(published.gmacs),
        f"{work.macs / 1e9:.2f}",
        f"{work.updates / 1e9:.2f}",
        f"{work.macs_with_scan / 1e9:.2f}",
        dtype,
        seconds,
        _optional(published.seconds),
        memory,
    )


def _optional(figure: float | None) -> str:
    return "" if figure is None else f"{figure:g}"


def _memory(peak_bytes: int | None) -> str:
    return "unknown" if peak_bytes is None else f"{peak_bytes / _GIB:.2f} GiB"
