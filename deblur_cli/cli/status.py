"""`deblur status`: how an output folder stands, whoever works or worked on it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deblur_cli.cli import options, report
from deblur_cli.cli.console import one_line
from deblur_cli.storage.remote import located

if TYPE_CHECKING:
    from deblur_cli.pipeline.ledger.ledger import InHand
    from deblur_cli.pipeline.ledger.standing import Standing


def status(
    output: Annotated[
        str, typer.Argument(metavar="OUT", help="The folder that holds the results, or its URL.")
    ],
    json: options.Json = False,
) -> None:
    """Show what is done, failed or in hand in an output folder, over all processes and machines.

    Exit codes: 0 everything that was begun is done, 1 something failed, is in hand, was interrupted
    or is gone, 3 nothing was done there, or not one input was readable.
    """
    from deblur_cli.pipeline.ledger.standing import standing

    found = standing(located(output))
    for event, fields in _events(found):
        if json:
            report.write_line(event, fields)
        else:
            typer.echo(one_line(_told(event, fields)))
    if json:
        report.write_line("summary", {**_counts(found), "exit_code": found.exit_code})
    else:
        counts = (f"{name.replace('_', ' ')} {count}" for name, count in _counts(found).items())
        typer.echo(", ".join(counts))
    raise typer.Exit(found.exit_code)


def _counts(found: Standing) -> dict[str, int]:
    return {
        "done": found.done,
        "failed": len(found.failed),
        "in_hand": len(found.in_hand),
        "interrupted": len(found.interrupted),
        "missing": len(found.missing),
    }


def _events(found: Standing) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for target, failure in found.failed:
        yield (
            "failed",
            {
                "target": target,
                "source": failure.source,
                "code": failure.code,
                "message": failure.message,
            },
        )
    yield from (("in-hand", _fields(each)) for each in found.in_hand)
    yield from (("interrupted", _fields(each)) for each in found.interrupted)
    yield from (("missing", {"target": target}) for target in found.missing)


def _fields(each: InHand) -> dict[str, Any]:
    process = each.process
    return {
        "target": each.target,
        "host": process.host if process is not None else None,
        "pid": process.pid if process is not None else None,
        "since": each.time,
    }


def _told(event: str, fields: Mapping[str, Any]) -> str:
    """An event as a line for people."""
    if event == "failed":
        return f"failed: {fields['message']}"
    if event == "missing":
        return f"missing: {fields['target']}"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(fields["since"]))
    return f"{event}: {fields['target']} (process {fields['pid']} on {fields['host']}, {since})"
