"""What a device works on while the host looks after something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from deblur_cli.inference.guard import GuardedNetwork
from deblur_cli.inference.lanes import Arriving, Lane
from deblur_cli.inference.memory import ran_out_of_memory
from deblur_cli.inference.painting import Batch, Painting
from deblur_cli.inference.tile_size import TileSize


@dataclass(frozen=True)
class _Launched:
    """A batch in the device's queue."""

    painting: Painting
    batch: Batch
    x: Tensor
    restored: Tensor
    passed: Arriving


class Schedule:
    """Takes paintings in, and gives them out in the same order once they are complete.

    A batch is settled (judged, blended, sent home) after the next one was launched, as far as the
    lane allows; so the device goes from one to the next without waiting for the host.

    Args:
        network: restores batches.
        lane: the way to its device.
        tiles: the tile size in use.
    """

    def __init__(self, network: GuardedNetwork, lane: Lane, tiles: TileSize) -> None:
        self._network = network
        self._lane = lane
        self._tiles = tiles
        self._open: deque[Painting] = deque()
        self._in_flight: deque[_Launched] = deque()

    def add(self, painting: Painting) -> None:
        """Launch all tiles of a painting, and settle what was launched before.

        Raises:
            RestoreError: memory does not suffice for the smallest tile.
        """
        self._plan(painting)
        self._open.append(painting)
        self._work(leave=self._lane.ahead)

    def settle(self) -> None:
        """Settle everything; as `add`."""
        if self._open:
            self._work(leave=0)

    def complete(self) -> Iterator[Painting]:
        """Those that are settled, while later ones keep the device busy.

        The newest is being launched, the one before it computed; both stay until `settle`.
        """
        stay = 2 * self._lane.ahead if self._in_flight else 0
        while len(self._open) > stay and self._open[0].complete:
            yield self._open.popleft()

    def _work(self, leave: int) -> None:
        with self._lane.computing(), torch.inference_mode():
            while (shortage := self._try_to_work(leave)) is not None:
                self._retreat(shortage)

    def _try_to_work(self, leave: int) -> Painting | None:
        """Launch and settle until at most `leave` batches are in flight.

        Returns:
            None, or the painting for which memory ran out.
        """
        painting = self._open[0]
        try:
            for painting in tuple(self._open):
                for batch in painting.batches:
                    self._launch(painting, batch)
                    self._settle_down_to(self._lane.ahead)
            self._settle_down_to(leave)
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
            return painting
        return None

    def _launch(self, painting: Painting, batch: Batch) -> None:
        x = self._lane.upload([painting.image[tile.rows, tile.columns] for tile in batch])
        restored, passed = self._network.attempt(x)
        arriving = self._lane.fetch(passed)
        self._in_flight.append(_Launched(painting, batch, x, restored, arriving))
        painting.notes += self._network.take_notes()

    def _settle_down_to(self, count: int) -> None:
        while len(self._in_flight) > count:
            launched = self._in_flight.popleft()
            for index, (tile, passed) in enumerate(
                zip(launched.batch, launched.passed.wait(), strict=True)
            ):
                one = slice(index, index + 1)
                x = launched.x[one]
                restored, outcome = self._network.judge(x, launched.restored[one], bool(passed))
                launched.painting.add(tile, x, restored, outcome)

    def _retreat(self, painting: Painting) -> None:
        """Go back to where the canvases stand, with less in memory at a time."""
        self._in_flight.clear()
        self._network.release()
        self._lane.release()
        painting.notes.append(self._tiles.shrink(painting.size, painting.cut))
        for unfinished in self._open:
            if not unfinished.complete:
                self._plan(unfinished)

    def _plan(self, painting: Painting) -> None:
        painting.plan(self._tiles.side(painting.size), self._tiles.at_once)
