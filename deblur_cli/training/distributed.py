"""One training in several processes: they take the same steps, each on its share of every batch.

torchrun starts the processes and tells them of each other. The first one reads, makes the patches,
writes and prints; what it reads it shares, so the others need nothing but the command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import astuple
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from deblur_cli.errors import DeblurError, UsageError
from deblur_cli.training.launch import Launch, read_launch

T = TypeVar("T")
Images = tuple[Tensor, Tensor]
"""Blurred and sharp patches, `(B,H,W,3)` uint8 on the CPU."""

_FAILURE = "failure"
_LAUNCH = "start them with torchrun, such as: torchrun --nproc-per-node 2 -m deblur_cli train …"


class EndedElsewhereError(DeblurError):
    """This process ends since another did, or leaves it to the first one to say why it failed."""

    code = "ended-elsewhere"


class _ContactLostError(Exception):
    """Another process is gone."""


class Ranks(Launch):
    """What processes that train together do together; every one must call the same in turn."""

    def share(self, make: Callable[[], T]) -> T:
        """What the first process makes (only there it is called); copies of it in the others."""
        if self.size == 1:
            return make()
        parcel = [make() if self.leads else None]
        with _in_contact():
            dist.broadcast_object_list(parcel, src=0)
        return cast(T, parcel[0])

    def agree(self, progress: float, stop: bool) -> tuple[float, bool]:
        """The first process's progress, and whether any process was asked to stop."""
        if self.size == 1:
            return progress, stop
        votes = torch.tensor([progress if self.leads else 0.0, stop], dtype=torch.float64)
        with _in_contact():
            dist.all_reduce(votes, dist.ReduceOp.MAX)
        agreed, stopped = votes.tolist()
        return agreed, bool(stopped)

    def deal(self, draw: Callable[[], Images]) -> Images:
        """This process's share of the batch that the first one draws: an equal part, in order."""
        if self.size == 1:
            return draw()
        batch = torch.stack(draw()) if self.leads else None
        shape = self.share(lambda: tuple(cast(Tensor, batch).shape))
        pictures, count, *rest = shape
        share = torch.empty((pictures, count // self.size, *rest), dtype=torch.uint8)
        shares = None if batch is None else [one.contiguous() for one in batch.chunk(self.size, 1)]
        with _in_contact():
            dist.scatter(share, shares, src=0)
        blurred, sharp = share
        return blurred, sharp

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace float32 tensors of one device by their means over all processes."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        with _in_contact():
            dist.all_reduce(flat)
        pieces = torch.split(flat / self.size, [tensor.numel() for tensor in tensors])
        for tensor, piece in zip(tensors, pieces, strict=True):
            tensor.copy_(piece.view(tensor.shape))


@contextmanager
def joined_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun started; within the block they train together.

    When one fails the others end. The first one raises what is to be told, whoever failed.

    Raises:
        UsageError: several processes are meant to train, but cannot find each other.
        EndedElsewhereError: in any process but the first, on any failure.
    """
    ranks = Ranks(*astuple(read_launch()))
    if ranks.size == 1:
        yield ranks
        return
    _join()
    store = dist.distributed_c10d._get_default_store()
    leave = _break_off
    try:
        yield ranks
        leave = dist.destroy_process_group
    except _ContactLostError as lost:
        raise _told(ranks, store) from lost
    except Exception as error:
        if ranks.leads:
            raise
        store.set(_FAILURE, f"process {ranks.rank}: {_line(error)}")
        raise EndedElsewhereError(_line(error)) from error
    finally:
        leave()


def _join() -> None:
    try:
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    except (ValueError, RuntimeError) as error:
        raise UsageError(
            f"this process finds no others to train with: {_line(error)}", remedy=_LAUNCH
        ) from error


def _break_off() -> None:
    """Leave without waiting for what another process, perhaps gone, was to send to the GPU."""
    with suppress(RuntimeError):
        if torch.cuda.is_available():
            dist.distributed_c10d._abort_process_group()
        else:
            dist.destroy_process_group()


def _told(ranks: Ranks, store: Any) -> DeblurError:
    if not ranks.leads:
        return EndedElsewhereError("another process ended")
    told = store.check([_FAILURE])
    return DeblurError(
        store.get(_FAILURE).decode() if told else "another process of this training has died",
        remedy="" if told else "the same command goes on from the last saved state",
    )


def _line(error: Exception) -> str:
    if isinstance(error, DeblurError):
        return str(error)
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextmanager
def _in_contact() -> Iterator[None]:
    """Collective operations raise whatever their back end does when another process is gone."""
    try:
        yield
    except RuntimeError as error:
        raise _ContactLostError from error
