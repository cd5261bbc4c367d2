"""`deblur weights`: which weights there are, and whether their files are intact."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from deblur_cli.cli import options, report
from deblur_cli.errors import WeightsError

if TYPE_CHECKING:
    from deblur_cli.checkpoints.manifest import Entry

app = typer.Typer(help="List and verify the networks' weights.", no_args_is_help=True)


@app.command("list")
def list_weights(json: options.Json = False) -> None:
    """Show id, task, architecture, size, licence and what each was trained on."""
    from deblur_cli.checkpoints.manifest import load_manifest

    manifest = load_manifest()
    for entry in manifest.entries:
        if json:
            report.write_line("weights", asdict(entry))
        else:
            typer.echo(_described(entry))


@app.command("verify")
def verify(json: options.Json = False) -> None:
    """Compare each file on this machine with the manifest's checksum; opens no connection."""
    from deblur_cli.checkpoints.manifest import load_manifest
    from deblur_cli.checkpoints.verify import verify_weights

    checks = verify_weights(load_manifest())
    for check in checks:
        if json:
            fields = {"id": check.entry.id, "state": check.state.value, "path": check.path}
            report.write_line("weights-check", fields)
        else:
            typer.echo(f"{check.entry.id}: {check.state.value}")
    faulty = [check.entry.id for check in checks if not check.state.acceptable]
    if faulty:
        raise WeightsError(f"not intact: {', '.join(faulty)}", remedy="reinstall deblur-cli")


def _described(entry: Entry) -> str:
    place = f"bundled {entry.file}" if entry.file else str(entry.hub)
    trained_on = ", ".join(entry.trained_on)
    return (
        f"{entry.id}: {entry.task}, {entry.architecture}, {entry.bytes / 1e6:.1f} MB, "
        f"{entry.licence}, {place}\n    trained on {trained_on}"
    )
