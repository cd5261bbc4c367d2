"""`--json`: what happened as JSON lines on stdout, flushed, for other programs.

Every line is an object with `schema` (1; grows when a field changes its meaning or goes) and
`event`:

    start         version, model, devices, total, skipped, left_out, warnings
    restored      source, target, height, width, device, seconds, tile, tiles, redone, kept,
                  warnings, read_seconds, write_seconds
    left-sharp    source, target, score                                         (--skip-sharp)
    already-done  source, target
    failed        source, code, message
    device-lost   device, source, problem
    waiting       pictures
    planned       source, target, action, source_bytes                            (--dry-run)
    summary       restored, left_sharp, already_done, failed, unreadable, skipped, left_out,
                  remaining, seconds, exit_code

`model` is the deblurrers' one-line summary, `seconds` of a picture is the time on its device, and
`action` one of restore, replace and already-done. `skipped` counts files that are no pictures,
`left_out` pictures that --include, --exclude, --shard, --limit or --retry-failed leave out. A lost
device stopped working over a picture, which ends by another line. Pictures that other
processes have in hand are waited for. Fields and events may be added within a schema.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

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


def write_line(event: str, fields: Mapping[str, Any]) -> None:
    """One JSON line on stdout; paths become strings."""
    line = json.dumps({"schema": SCHEMA, "event": event, **fields}, default=str)
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
