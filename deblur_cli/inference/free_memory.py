"""How much memory is free on a device right now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import torch

ASSUMED_FREE = 2 << 30
"""Bytes taken as free where the system cannot be asked."""

_CGROUPS = Path("/sys/fs/cgroup")
_CGROUP_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Limit, usage and the `memory.stat` entry for cache that is given up on demand: v2, v1."""


def free_memory(device: torch.device) -> int:
    """Bytes that can still be allocated on `device`, within the limits of the container."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return min([_free_on_host(), *_free_in_cgroups(_CGROUPS, Path("/proc/self/cgroup"))])


def resident_memory() -> int:
    """Bytes of physical memory this process holds; 0 where the system cannot be asked."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _free_on_host() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return ASSUMED_FREE
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024


def _free_in_cgroups(root: Path, membership: Path) -> Iterator[int]:
    """What each enclosing control group with a limit leaves free."""
    if not membership.exists():
        return
    for line in membership.read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers not in _CGROUP_FILES:
            continue
        base = root / controllers
        folder = base / group.lstrip("/")
        for enclosing in (folder, *folder.parents):
            if not enclosing.is_relative_to(base):
                break
            yield from _headroom(enclosing, *_CGROUP_FILES[controllers])


def _headroom(folder: Path, limit: str, usage: str, reclaimable: str) -> Iterator[int]:
    try:
        allowed = (folder / limit).read_text().strip()
        used = int((folder / usage).read_text())
        statistics = dict(
            line.split(" ", 1) for line in (folder / "memory.stat").read_text().splitlines()
        )
    except OSError:
        return
    if allowed != "max":
        yield max(0, int(allowed) - used + int(statistics.get(reclaimable, 0)))
