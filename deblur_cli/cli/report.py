"""`--json`: what happened as JSON lines on stdout, flushed, for other programs.

Every line is an object with `schema` (1; grows when a field changes its meaning or goes) and
`event`. The fields of each event are in `report.schema.json`, beside this file, and explained in
docs/json.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from deblur_cli.errors import DeblurError
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Event,
    Failed,
    LeftSharp,
    Planned,
    Restored,
    Waiting,
)

SCHEMA = 1

_NAMES = {
    Restored: "restored",
    LeftSharp: "left-sharp",
    AlreadyDone: "already-done",
    DeviceLost: "device-lost",
    Waiting: "waiting",
    Planned: "planned",
}


@contextmanager
def standard_output() -> Iterator[None]:
    """Within the block stdout is written to; that its reader has gone away is no news to the user.

    Raises:
        DeblurError: it cannot be written to.
        BrokenPipeError: nobody reads it any more.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise DeblurError(
            f"cannot be written: {error.strerror}",
            path="standard output",
            remedy="check where it goes, and the space there",
        ) from error


def write_line(event: str, fields: Mapping[str, Any]) -> None:
    """One JSON line on stdout; paths become strings. Raises as `standard_output`."""
    line = json.dumps({"schema": SCHEMA, "event": event, **fields}, default=str)
    with standard_output():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def write_event(event: Event | DeviceLost | Waiting | Planned) -> None:
    """The line of one picture, of a device that is lost, or of a wait."""
    if isinstance(event, Failed):
        error = event.error
        fields = {"source": event.source, "code": error.code, "message": str(error)}
        write_line("failed", fields)
    else:
        write_line(_NAMES[type(event)], asdict(event))
