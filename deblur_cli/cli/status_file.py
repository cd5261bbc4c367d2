"""`--status-file`: how far a batch is, in a small file that is always whole and never locked."""

from __future__ import annotations

import errno
import json
import os
import platform
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from deblur_cli.cli.log import log
from deblur_cli.cli.report import SCHEMA
from deblur_cli.cli.signals import INTERRUPTED
from deblur_cli.errors import DeblurError, UsageError

if TYPE_CHECKING:
    from deblur_cli.cli.teller import Teller

SECONDS_BETWEEN_WRITES = 1.0


class StatusFile:
    """Within the block the file tells, anew every second, what the batch does; then, how it ended.

    It is one JSON object, as `--json` has them, of the event `status`. A reader always finds a
    whole one, and by its `time` whether the process still lives. The exit code is that of what
    ends the block, such as `typer.Exit`.

    Args:
        path: of the file; without one nothing happens.

    Raises:
        UsageError: the file cannot be written, at the beginning.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._teller: Teller | None = None
        self._in_hand: Collection[Path] = ()
        self._began = _now()
        self._followed = time.monotonic()
        self._exit_code: int | None = None
        self._ended = threading.Event()
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)

    def follow(self, teller: Teller, in_hand: Collection[Path]) -> None:
        """Tell of this batch from now on; `in_hand` always holds what is being worked on."""
        self._in_hand = in_hand
        self._followed = time.monotonic()
        self._teller = teller

    def __enter__(self) -> StatusFile:
        """Write for the first time."""
        if self._path is not None:
            self._write_first(self._path)
            self._writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write for the last time."""
        self._exit_code = _exit_code(error)
        self._ended.set()
        if self._path is not None:
            self._writer.join()
            self._try_to_write(self._path)

    def _write_first(self, path: Path) -> None:
        try:
            if path.exists() and not path.is_file():
                raise FileExistsError(errno.EEXIST, "something that is no file stands there")
            self._write(path)
        except OSError as error:
            raise UsageError(
                f"the status cannot be written: {error.strerror}",
                path=path,
                remedy="see --status-file",
            ) from error

    def _keep_writing(self) -> None:
        assert self._path is not None
        while not self._ended.wait(SECONDS_BETWEEN_WRITES):
            self._try_to_write(self._path)

    def _try_to_write(self, path: Path) -> None:
        """Go on if it fails: the status is stale then, as its time says."""
        try:
            self._write(path)
        except OSError as error:
            log.warning(f"{path}: the status cannot be written: {error.strerror}")

    def _write(self, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps(self._fields(), default=str) + "\n", "utf-8")
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _fields(self) -> dict[str, Any]:
        running = "starting" if self._teller is None else "running"
        return {
            "schema": SCHEMA,
            "event": "status",
            "state": "ended" if self._ended.is_set() else running,
            "exit_code": self._exit_code,
            "host": platform.node(),
            "pid": os.getpid(),
            "began": self._began,
            "time": _now(),
            **_progress(self._teller, time.monotonic() - self._followed),
            "current": sorted(map(str, tuple(self._in_hand))),
        }


def _exit_code(end: BaseException | None) -> int:
    match end:
        case None:
            return 0
        case KeyboardInterrupt():
            return INTERRUPTED
        case SystemExit(code=int(exit_code)):
            return exit_code
        case _:
            return int(getattr(end, "exit_code", DeblurError.exit_code))


def _progress(teller: Teller | None, seconds: float) -> dict[str, float | None]:
    """Counts of pictures, those a second that were not done before, and the seconds left."""
    if teller is None:
        return dict.fromkeys(("total", "done", "failed", "remaining", "rate", "seconds_left"))
    tally, remaining = teller.tally, teller.remaining
    rate = (tally.ended - tally.already_done) / seconds if seconds else 0.0
    return {
        "total": teller.total,
        "done": tally.ended - tally.failed,
        "failed": tally.failed,
        "remaining": remaining,
        "rate": rate,
        "seconds_left": remaining / rate if rate else None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
