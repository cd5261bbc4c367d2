"""The command `deblur`: its verbs, and the one place where errors become exit codes.

0 everything done (or already done); 1 some inputs failed, the rest is done; 2 wrong usage or
configuration; 3 nothing could be done (no weights, no device, no readable input); 130 or 143
interrupted, and the same command resumes. An error that nobody foresaw ends with 1.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from deblur_cli.cli import (
    bench,
    config,
    data,
    doctor,
    evaluate,
    inspect,
    run,
    status,
    train,
    video,
    weights,
)
from deblur_cli.cli.configuration import read_configuration
from deblur_cli.cli.console import report_error
from deblur_cli.cli.grouped import GroupedCommand
from deblur_cli.errors import DeblurError

app = typer.Typer(
    name="deblur",
    help="Sharpen photos that are blurred by motion or defocus.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", cls=GroupedCommand)(run.run)
app.command("video", cls=GroupedCommand)(video.video)
app.command("status")(status.status)
app.command("eval", cls=GroupedCommand)(evaluate.evaluate)
app.command("train")(train.train)
app.command("doctor")(doctor.doctor)
app.command("bench", cls=GroupedCommand)(bench.bench)
app.command("inspect")(inspect.inspect)
app.command("config")(config.config)
app.add_typer(weights.app, name="weights")
app.add_typer(data.app, name="data")


def _show_version(wanted: bool) -> None:
    if wanted:
        from deblur_cli import __version__

        typer.echo(f"deblur {__version__}")
        raise typer.Exit


@app.callback()
def deblur(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Sharpen photos that are blurred by motion or defocus."""
    context.obj = read_configuration(context)
    context.default_map = context.obj.default_map


def _open_streams() -> None:
    """Let standard streams that the process was started without lead nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def main() -> None:
    """Run the command line of this process and exit with its code."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # before torch: its threads would spin
    # what Pillow finds odd in metadata is carried over as it is, and is no news to the user
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except DeblurError as error:
        report_error(error, str(error))
        sys.exit(error.exit_code)
    except Exception as error:
        hint = "DEBLUR_DEBUG=1 shows where it happened"
        report_error(error, f"unexpected {type(error).__name__}: {error} ({hint})")
        sys.exit(DeblurError.exit_code)
