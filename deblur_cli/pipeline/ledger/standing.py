"""How an output folder stands, by what all processes that work or worked on it have recorded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.errors import DeblurError, ImageReadError, NothingToDoError
from deblur_cli.pipeline.discovery.listed import listed
from deblur_cli.pipeline.discovery.walk import remember_all
from deblur_cli.pipeline.ledger.ledger import InHand, Ledger
from deblur_cli.pipeline.ledger.records import Failure, Fingerprint, Record
from deblur_cli.pipeline.sequences import Mapped
from deblur_cli.storage.remote import RemotePath


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
    missing: Sequence[Path]

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
    if isinstance(folder, RemotePath):
        remember_all(folder)
    ledger = Ledger(folder)
    failed = {failure.failed: failure for _, failure in ledger.failures()}
    everything = tuple(ledger.in_hand())
    in_hand = {each.name: each for each in everything if each.is_at_work}
    dead = (each for each in everything if not each.is_at_work)
    interrupted = {each.name: each for each in dead if each.name not in in_hand.keys() | failed}
    done, known, missing = 0, bool(failed or everything), list[str]()
    for name, record in ledger.records():
        known = True
        is_there = _is_there(folder, name, record)
        if is_there:
            interrupted.pop(name, None)
        if name in failed or name in in_hand or name in interrupted:
            continue
        if is_there:
            done += 1
        else:
            missing.append(name)
    if not known:
        raise NothingToDoError(
            "nothing has been done there", path=folder, remedy="name the folder of the results"
        )
    missing.sort()
    left = in_hand.keys() | interrupted.keys()
    return Standing(
        done=done,
        failed=tuple((folder / name, each) for name, each in failed.items() if name not in left),
        in_hand=tuple(in_hand.values()),
        interrupted=tuple(interrupted.values()),
        missing=Mapped(missing, lambda name: folder / name),
    )


def _is_there(folder: Path, name: str, record: Record) -> bool:
    if isinstance(folder, RemotePath):
        found = listed(folder / name)
        return bool(record.settings) and found is not None and record.is_of(found)
    try:
        status = os.stat(os.path.join(folder, name))  # noqa: PTH116, PTH118 - there may be a million
    except OSError:
        return False
    return bool(record.settings) and record.is_of(Fingerprint(status.st_size, status.st_mtime_ns))
