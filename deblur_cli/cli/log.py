"""`--log`: what is told, and how every picture ended, appended to a file for the time after."""

from __future__ import annotations

import logging
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path

from deblur_cli.errors import UsageError

log = logging.getLogger("deblur")
"""Goes nowhere until `open_log`."""

log.addHandler(logging.NullHandler())
log.setLevel(logging.INFO)
log.propagate = False

_LINE = "%(asctime)s %(levelname)s [%(process)d] %(message)s"
_TIME = "%Y-%m-%dT%H:%M:%S%z"


def open_log(path: Path | None) -> None:
    """From now on append to this file, if any, and to no other.

    One line for each record, with time, level and process. A file that is moved away or deleted,
    as by logrotate, is made anew.

    Raises:
        UsageError: the file cannot be opened.
    """
    for old in [handler for handler in log.handlers if isinstance(handler, _LogFile)]:
        log.removeHandler(old)
        old.close()
    if path is None:
        return
    try:
        handler = _LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            f"the log cannot be opened: {error.strerror}", path=path, remedy="see --log"
        ) from error
    handler.setFormatter(logging.Formatter(_LINE, _TIME))
    log.addHandler(handler)


class _LogFile(WatchedFileHandler):
    """A log that ends no batch when it cannot be written any more, but says so, once."""

    _told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record."""
        try:
            super().emit(record)
        except OSError:  # the file was moved, and cannot be made anew
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Tell it, instead of the traceback that `logging` would print."""
        if not self._told:
            self._told = True
            problem = sys.exc_info()[1]
            print(
                f"deblur: {self.baseFilename}: cannot log: {problem}", file=sys.stderr, flush=True
            )
