"""`--json`: what happened as JSON lines on stdout, flushed, for other programs.

Every line is an object with `schema` (1; grows when a field changes its meaning or goes) and
`event`:

    start         version, model, devices, total, skipped, warnings
    restored      source, target, height, width, device, seconds, tile, tiles, redone, kept,
                  warnings
    already-done  source, target
    failed        source, code, message
    device-lost   device, source, problem
    planned       source, target, action, source_bytes                            (--dry-run)
    summary       restored, already_done, failed, unreadable, skipped, remaining, seconds, exit_code

`model` is the deblurrers' one-line summary, `seconds` of a picture is the time on its device, and
`action` one of restore, replace and already-done. A lost device stopped working over a picture,
which ends by another line. Fields and events may be added within a schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from deblur_cli.pipeline.events import AlreadyDone, DeviceLost, Event, Failed, Planned, Restored

SCHEMA = 1

_NAMES = {
    Restored: "restored",
    AlreadyDone: "already-done",
    DeviceLost: "device-lost",
    Planned: "planned",
}


def write_line(event: str, fields: Mapping[str, Any]) -> None:
    """One JSON line on stdout; paths become strings."""
    line = json.dumps({"schema": SCHEMA, "event": event, **fields}, default=str)
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def write_event(event: Event | DeviceLost | Planned) -> None:
    """The line of one picture, or of a device that is lost."""
    if isinstance(event, Failed):
        error = event.error
        fields = {"source": event.source, "code": error.code, "message": str(error)}
        write_line("failed", fields)
    else:
        write_line(_NAMES[type(event)], asdict(event))
