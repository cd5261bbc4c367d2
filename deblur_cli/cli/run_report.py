"""`deblur run --report`: what its page says of the run as a whole."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import deblur_cli
from deblur_cli.errors import UsageError
from deblur_cli.pipeline.treatment import Conduct, Treatment

if TYPE_CHECKING:
    from deblur_cli.pipeline.loaded import LoadedNetwork
    from deblur_cli.reporting.report import Report

_SUFFIXES = (".html", ".htm")


def check_report(path: Path, dry_run: bool) -> None:
    """Refuse a report that would take a picture's place, or have nothing to say.

    Raises:
        UsageError: the name is not that of a page, or nothing is going to be done.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError("is no name for a report", path=path, remedy="end it in .html")
    if dry_run:
        raise UsageError(
            "--report and --dry-run exclude each other", remedy="leave one of them out"
        )


def report_on(path: Path, fleet: Mapping[str, LoadedNetwork], treatment: Treatment) -> Report:
    """The report of a batch that is about to begin."""
    from importlib.metadata import version

    from deblur_cli.reporting.report import Report

    deblurrers = fleet.values()
    settings = {**next(iter(deblurrers)).settings, **treatment.settings}
    warnings = dict.fromkeys(chain(*(each.warnings for each in deblurrers)))
    about = {
        "Command": shlex.join(["deblur", *sys.argv[1:]]),
        "Folder": str(Path.cwd()),
        "Network": "; ".join(each.summary for each in deblurrers),
        "Settings": ", ".join(f"{name} {value}" for name, value in settings.items()),
        "Versions": f"deblur {deblur_cli.__version__}, PyTorch {version('torch')}, "
        f"Python {platform.python_version()}",
        "Machine": f"{platform.node()}, {platform.platform()}",
        "Begun": datetime.now().astimezone().isoformat(" ", "seconds"),
    }
    return Report(path, about | ({"Warnings": "; ".join(warnings)} if warnings else {}))


def watched_by(page: Report, conduct: Conduct, *, on_cluster: bool) -> Conduct:
    """Let the report see the pictures of a batch, from afar if they are restored on a cluster."""
    from deblur_cli.reporting.report import look_at

    if on_cluster:
        return replace(conduct, scout=look_at, hears=page.keep)
    return replace(conduct, witness=page.look)
