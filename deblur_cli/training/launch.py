"""What torchrun tells a process that it starts; without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """This process among those that train together; alone, unless torchrun started several."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Number of this process on its machine."""
    local_size: int = 1
    """Processes on its machine."""

    @property
    def leads(self) -> bool:
        """Whether this is the process that reads, writes and prints."""
        return self.rank == 0


def read_launch() -> Launch:
    """What the environment variables of torchrun say; numbers that are not given are as alone."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    given = (os.environ.get(name, "") for name in names)
    rank, size, local_rank, local_size = (int(v) if v.isdecimal() else None for v in given)
    return Launch(rank or 0, size or 1, local_rank or 0, local_size or 1)
