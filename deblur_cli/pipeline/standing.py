"""How an output folder stands, by what all processes that work or worked on it have recorded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deblur_cli.errors import DeblurError, ImageReadError, NothingToDoError
from deblur_cli.pipeline.ledger import InHand, Ledger, is_complete
from deblur_cli.pipeline.records import Failure, Record


@dataclass(frozen=True)
class Standing:
    """How the results of one output folder stand; each is told of once.

    Args:
        done: how many are complete.
        failed: could not be made.
        in_hand: a process that still runs has them in hand.
        interrupted: a process had them in hand when it died.
        missing: were there once, or should have been.
    """

    done: int
    failed: tuple[tuple[Path, Failure], ...]
    in_hand: tuple[InHand, ...]
    interrupted: tuple[InHand, ...]
    missing: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """0 all done, 1 not all, 3 not one input was readable."""
        if not (self.failed or self.in_hand or self.interrupted or self.missing):
            return 0
        unreadable = [failure for _, failure in self.failed if failure.code == ImageReadError.code]
        others = len(self.failed) - len(unreadable) + len(self.in_hand) + len(self.interrupted)
        nothing_readable = not (self.done or others or self.missing)
        return NothingToDoError.exit_code if nothing_readable else DeblurError.exit_code


def standing(folder: Path) -> Standing:
    """Look at every result that the ledger of an output folder knows of.

    Raises:
        NothingToDoError: nothing was ever done there.
        ImageWriteError: the ledger cannot be read.
    """
    ledger = Ledger(folder)
    records, failed = dict(ledger.records()), dict(ledger.failures())
    in_hand = {each.target: each for each in ledger.in_hand() if not each.is_at_work}
    in_hand |= {each.target: each for each in ledger.in_hand() if each.is_at_work}
    if not (records or failed or in_hand):
        raise NothingToDoError(
            "nothing has been done there", path=folder, remedy="name the folder of the results"
        )
    complete = {target for target, record in records.items() if _is_there(target, record)}
    left = {
        target: each
        for target, each in in_hand.items()
        if each.is_at_work or target not in complete | failed.keys()
    }
    return Standing(
        done=len(complete - failed.keys() - left.keys()),
        failed=tuple(item for item in failed.items() if item[0] not in left),
        in_hand=tuple(each for each in left.values() if each.is_at_work),
        interrupted=tuple(each for each in left.values() if not each.is_at_work),
        missing=tuple(sorted(records.keys() - complete - failed.keys() - left.keys())),
    )


def _is_there(target: Path, record: Record) -> bool:
    try:
        return bool(record.settings) and is_complete(target, record)
    except ImageReadError:
        return False
