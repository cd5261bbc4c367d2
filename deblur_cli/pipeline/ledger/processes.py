"""Which process wrote a ledger's file, and whether it still runs."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from deblur_cli.imaging.atomic import owner

HEARTBEAT_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""A process of another machine counts as dead when its file was not touched for so long."""

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process.

    Args:
        host: the name of its machine, for people.
        pid: its number there.
        machine: what tells whether its number means anything here; empty where it never does.
        started: what tells it from another one that had or will have the same number.
        owner: what is in the names of its temporary files.
    """

    host: str
    pid: int
    machine: str
    started: str
    owner: str

    @classmethod
    def this(cls) -> Process:
        """The one that asks."""
        pid = os.getpid()
        return cls(socket.gethostname(), pid, _machine(), _started(pid), owner())

    @classmethod
    def from_line(cls, line: bytes) -> Process | None:
        """The process in the first line of a file, or None when it has none."""
        try:
            return cls(**json.loads(line)["process"])
        except (ValueError, TypeError, KeyError):
            return None

    def to_line(self) -> bytes:
        """The first line of its file, without its end."""
        return json.dumps({"process": asdict(self)}).encode()

    def runs(self, silent_for: float) -> bool:
        """Whether it still runs, if its last sign of life was so many seconds ago.

        Its own machine knows; from others, and where there is no `/proc`, its silence decides.
        """
        if self.machine and self.machine == _machine():
            return _started(self.pid) == self.started
        return silent_for < SILENT_SECONDS


@cache
def _machine() -> str:
    """Boot and namespace in which numbers of processes are unique; empty if that is unknown."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink(_PROC / 'self/ns/pid')}"  # noqa: PTH115
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process of this machine began, in its clock's ticks; empty if there is none."""
    try:
        state, *rest = (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return ""
    return "" if state in "ZX" else rest[18]
