"""What a device works on while the host looks after something else."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from deblur_cli.inference.guard import GuardedNetwork
from deblur_cli.inference.lanes import Arriving, Lane
from deblur_cli.inference.memory import ran_out_of_memory
from deblur_cli.inference.painting import Painting
from deblur_cli.inference.tile_size import TileSize
from deblur_cli.inference.tiles import Region

_Batch = Sequence[tuple[Painting, Region]]
"""Equal tiles that go through the network together: of one row, or each a whole small picture."""


@dataclass(frozen=True)
class _Launched:
    """A batch in the device's queue."""

    batch: _Batch
    x: Tensor
    restored: Tensor
    passed: Arriving


class Schedule:
    """Takes paintings in, and gives them out in the same order once they are complete.

    A batch is settled (judged, blended, sent home) after the next one was launched, as far as the
    lane allows; so the device goes from one to the next without waiting for the host. Pictures of
    one tile wait for others of their size, as many as a batch may have.

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
        self._gathered: list[tuple[Painting, Region]] = []

    def add(self, painting: Painting) -> None:
        """Launch the tiles of a painting, and settle what was launched before.

        Raises:
            RestoreError: memory does not suffice for the smallest tile.
        """
        self._plan(painting)
        self._open.append(painting)
        self._work(leave=self._lane.ahead, wait_for_more=True)

    def settle(self) -> None:
        """Settle everything; as `add`."""
        if self._open:
            self._work(leave=0, wait_for_more=False)

    def complete(self) -> Iterator[Painting]:
        """Those that are settled, while later ones keep the device busy.

        The newest is being launched, the one before it computed; both stay until `settle`.
        """
        stay = 2 * self._lane.ahead if self._in_flight else 0
        while len(self._open) > stay and self._open[0].complete:
            yield self._open.popleft()

    def _work(self, leave: int, wait_for_more: bool) -> None:
        with self._lane.computing(), torch.inference_mode():
            while (shortage := self._try_to_work(leave, wait_for_more)) is not None:
                self._retreat(*shortage)

    def _try_to_work(self, leave: int, wait_for_more: bool) -> tuple[Painting, int] | None:
        """Launch and settle until at most `leave` batches are in flight.

        Returns:
            None, or the painting for which memory ran out, and how many tiles went together.
        """
        painting, together = self._open[0], self._open[0].cut.together
        try:
            for batch in self._batches(wait_for_more):
                painting, together = batch[0][0], max(len(batch), batch[0][0].cut.together)
                self._launch(batch)
                self._settle_down_to(self._lane.ahead)
            self._settle_down_to(leave)
        except (MemoryError, RuntimeError) as error:
            if not ran_out_of_memory(error):
                raise
            return painting, together
        return None

    def _batches(self, wait_for_more: bool) -> Iterator[_Batch]:
        """What is to be launched; small pictures may stay behind, to go with the next ones."""
        for painting in tuple(self._open):
            for tiles in painting.batches:
                placed = [(painting, tile) for tile in tiles]
                if not painting.of_one_tile:
                    yield from self._take_gathered()
                    yield placed
                    continue
                if self._gathered and self._gathered[0][0].cut.tile != painting.cut.tile:
                    yield from self._take_gathered()
                self._gathered += placed
                if (len(self._gathered) + 1) * painting.cut.tile.pixels > self._tiles.at_once:
                    yield from self._take_gathered()
        if not wait_for_more:
            yield from self._take_gathered()

    def _take_gathered(self) -> Iterator[_Batch]:
        if self._gathered:
            batch, self._gathered = self._gathered, []
            yield batch

    def _launch(self, batch: _Batch) -> None:
        x = self._lane.upload([painting.image[tile.rows, tile.columns] for painting, tile in batch])
        restored, passed = self._network.attempt(x)
        arriving = self._lane.fetch(passed)
        self._in_flight.append(_Launched(batch, x, restored, arriving))
        batch[0][0].notes += self._network.take_notes()

    def _settle_down_to(self, count: int) -> None:
        while len(self._in_flight) > count:
            launched = self._in_flight.popleft()
            for index, ((painting, tile), passed) in enumerate(
                zip(launched.batch, launched.passed.wait(), strict=True)
            ):
                one = slice(index, index + 1)
                x = launched.x[one]
                restored, outcome = self._network.judge(x, launched.restored[one], bool(passed))
                painting.add(tile, x, restored, outcome)

    def _retreat(self, painting: Painting, together: int) -> None:
        """Go back to where the canvases stand, with less in memory at a time."""
        self._in_flight.clear()
        self._gathered = []
        self._network.release()
        self._lane.release()
        painting.notes.append(
            self._tiles.shrink(painting.size, replace(painting.cut, together=together))
        )
        for unfinished in self._open:
            if not unfinished.complete:
                self._plan(unfinished)

    def _plan(self, painting: Painting) -> None:
        painting.plan(self._tiles.side(painting.size), self._tiles.at_once)
