"""What is told of weights while they are downloaded."""

from __future__ import annotations

import logging
import os

from deblur_cli.cli.console import QuietConsole

_NAME = "deblur_cli.checkpoints.download"


def tell_downloads(console: QuietConsole, quiet: bool) -> None:
    """From now on the console tells of downloads; quiet ones show no progress bar either."""
    log = logging.getLogger(_NAME)
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [_Notes(console)]
    if quiet:  # the library reads it when it is imported, which nothing has done so far
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"


class _Notes(logging.Handler):
    """Lines of a log as notes on a console."""

    def __init__(self, console: QuietConsole) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Tell it."""
        self._console.note(record.getMessage())
