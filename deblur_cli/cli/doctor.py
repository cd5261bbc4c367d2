"""`deblur doctor`: what this machine has, what would be used, and whether it computes right.

With `--json` every line is an object as in `report`, with these events:

    package        name, state, version, note
    extra          name, state, purpose, note
    device         name, hardware, capability, free_bytes, total_bytes, dtype, dtype_reason,
                   backend, backend_source, backend_reason, warning, failure
    comparison     device, backend, operator, value_error, gradient_error, milliseconds, failure,
                   agrees, value_tolerance, gradient_tolerance
    weights-check  id, state, path
    default        task, id
    verdict        problems, exit_code

Errors and milliseconds that could not be measured are null.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import one_line
from deblur_cli.cli.table import Table

if TYPE_CHECKING:
    from deblur_cli.diagnosis.comparison import Comparison
    from deblur_cli.diagnosis.devices import Device
    from deblur_cli.diagnosis.diagnose import Diagnosis

_GIB = 1 << 30


def doctor(json: options.Json = False, quiet: options.Quiet = False) -> None:
    """Show versions, devices and weights, and compare the scan's back ends with float64.

    Takes some seconds, and some more the first time, when kernels are compiled. Exit codes: 0 all
    is well, 1 something is wrong (it is named), 3 nothing could be restored here.
    """
    from deblur_cli.diagnosis.diagnose import diagnose

    diagnosis = diagnose()
    if json:
        for event, fields in _lines(diagnosis):
            report.write_line(event, fields)
    elif not quiet:
        for table in _tables(diagnosis):
            table.show()
    for problem in diagnosis.problems:
        print(f"deblur: {one_line(problem)}", file=sys.stderr, flush=True)
    if not (json or quiet or diagnosis.problems):
        typer.echo("all is well")
    raise typer.Exit(diagnosis.exit_code)


def _lines(diagnosis: Diagnosis) -> Iterator[tuple[str, Mapping[str, Any]]]:
    from deblur_cli.diagnosis.comparison import GRADIENT_TOLERANCE, VALUE_TOLERANCE

    yield from (("package", asdict(package)) for package in diagnosis.packages)
    yield from (("extra", asdict(extra)) for extra in diagnosis.extras)
    yield from (("device", asdict(device)) for device in diagnosis.devices)
    for comparison in diagnosis.comparisons:
        fields = {name: _finite(value) for name, value in asdict(comparison).items()}
        yield (
            "comparison",
            fields
            | {
                "agrees": comparison.agrees,
                "value_tolerance": VALUE_TOLERANCE,
                "gradient_tolerance": GRADIENT_TOLERANCE,
            },
        )
    for check in diagnosis.weights:
        fields = {"id": check.entry.id, "state": check.state.value, "path": check.path}
        yield "weights-check", fields
    yield from (
        ("default", {"task": task, "id": entry or None})
        for task, entry in diagnosis.defaults.items()
    )
    yield "verdict", {"problems": diagnosis.problems, "exit_code": diagnosis.exit_code}


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tables(diagnosis: Diagnosis) -> Iterator[Table]:
    from deblur_cli.diagnosis.comparison import GRADIENT_TOLERANCE, VALUE_TOLERANCE

    yield Table(
        "software",
        ("package", "state", "version", "note"),
        [
            (package.name, package.state, package.version, package.note)
            for package in diagnosis.packages
        ],
    )
    yield Table(
        "optional extras",
        ("extra", "state", "brings", "note"),
        [(extra.name, extra.state, extra.purpose, extra.note) for extra in diagnosis.extras],
    )
    yield Table(
        "devices",
        ("device", "fact", ""),
        [row for device in diagnosis.devices for row in _device_rows(device)],
    )
    yield Table(
        "scan back ends against float64 (largest difference over largest magnitude; "
        f"ok: values {VALUE_TOLERANCE:.0e}, gradients {GRADIENT_TOLERANCE:.0e})",
        ("device", "back end", "operator", "values", "gradients", "ms", "verdict"),
        [_comparison_row(comparison) for comparison in diagnosis.comparisons],
    )
    yield Table(
        "weights",
        ("id", "task", "state", "default"),
        [
            (
                check.entry.id,
                check.entry.task,
                check.state.value,
                "yes" if diagnosis.defaults.get(check.entry.task) == check.entry.id else "",
            )
            for check in diagnosis.weights
        ],
    )


def _device_rows(device: Device) -> Iterator[tuple[str, ...]]:
    yield device.name, "hardware", ", ".join(filter(None, (device.hardware, device.capability)))
    memory = (("free", device.free_bytes), ("in all", device.total_bytes))
    sizes = (f"{size / _GIB:.1f} GiB {what}" for what, size in memory if size is not None)
    yield "", "memory", ", ".join(sizes)
    yield "", "--dtype auto", _with_reason(device.dtype, device.dtype_reason)
    yield "", "scan back end", _with_reason(device.backend, device.backend_reason)
    if device.warning:
        yield "", "warning", device.warning
    if device.failure:
        yield "", "failure", device.failure


def _with_reason(choice: str, reason: str) -> str:
    return f"{choice or 'none'}: {reason}" if reason else choice


def _comparison_row(comparison: Comparison) -> tuple[str, ...]:
    if comparison.failure:
        figures = ("", "", "")
        verdict = f"failed: {comparison.failure}"
    else:
        figures = (
            f"{comparison.value_error:.1e}",
            f"{comparison.gradient_error:.1e}",
            f"{comparison.milliseconds:.1f}",
        )
        verdict = "ok" if comparison.agrees else "not ok"
    return comparison.device, comparison.backend, comparison.operator, *figures, verdict
