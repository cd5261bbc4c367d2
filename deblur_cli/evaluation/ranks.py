"""One evaluation in several processes, as torchrun starts them: each takes its share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from deblur_cli.errors import DeblurError, UsageError

T = TypeVar("T")

_PATIENCE = timedelta(days=7)
"""How long a process that is done waits for those that have the larger pictures."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that evaluate together."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Number of this process on its machine."""

    @property
    def leads(self) -> bool:
        """Whether this is the process that prints and writes the tables."""
        return self.rank == 0

    def share(self, everything: Sequence[T]) -> Sequence[T]:
        """Every `size`-th, beginning with that of this process's number."""
        return everything[self.rank :: self.size]

    def device(self, asked: str) -> str:
        """The device asked for; of several GPUs the one of this process's number."""
        if self.size == 1 or asked != "auto":
            return asked
        import torch

        if not torch.cuda.is_available():
            return asked
        return f"cuda:{self.local_rank % torch.cuda.device_count()}"

    def gather(self, own: list[T]) -> list[T]:
        """What all processes have, in the order of their numbers; every one must call it.

        Raises:
            DeblurError: another process is gone.
        """
        if self.size == 1:
            return own
        import torch.distributed as dist

        parcels: list[list[T]] = [[] for _ in range(self.size)]
        try:
            dist.all_gather_object(parcels, own)
        except RuntimeError as error:
            raise DeblurError(
                "another process of this evaluation has died",
                remedy="with --output the same command goes on where it was",
            ) from error
        return [one for parcel in parcels for one in parcel]


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun started; alone if it started none.

    Raises:
        UsageError: the processes cannot find each other.
    """
    rank, size, local_rank = map(_number, ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    ranks = Ranks(rank, max(size, 1), local_rank)
    if ranks.size == 1:
        yield ranks
        return
    import torch.distributed as dist

    try:
        dist.init_process_group("gloo", timeout=_PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise UsageError(
            f"this process finds no others to evaluate with: {error}",
            remedy="start them with torchrun: torchrun --nproc-per-node 2 -m deblur_cli eval …",
        ) from error
    try:
        yield ranks
    finally:
        dist.destroy_process_group()


def _number(variable: str) -> int:
    """What torchrun put into the environment; 0 if there is nothing or no number."""
    text = os.environ.get(variable, "")
    return int(text) if text.isdecimal() else 0
