"""Which jobs a batch does: by its ledger, and in place no more than once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.events import AlreadyDone, Event, Restored
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.plan import Destination, Job, plan
from tests.pipeline.fakes import FakeDeblurrer, mean_of, save_picture


def _batch(deblurrer: FakeDeblurrer) -> Batch:
    return Batch({"cpu": deblurrer})  # type: ignore[dict-item]


def _run(jobs: tuple[Job, ...], deblurrer: FakeDeblurrer) -> list[type[Event]]:
    return [type(event) for event in _batch(deblurrer).run(jobs, threading.Event())]  # type: ignore[misc]


def test_jobs_are_chosen_by_what_the_ledger_knows(tmp_path: Path) -> None:
    for number in range(5):
        save_picture(tmp_path / f"photos/{number}.png")
    jobs = plan(discover([tmp_path / "photos"]).sources, Destination())
    _run(jobs[:2], FakeDeblurrer())
    jobs[3].source.write_text("no picture")
    _run(jobs[3:4], FakeDeblurrer())
    batch = _batch(FakeDeblurrer())
    assert batch.choose(jobs) == jobs
    assert batch.choose(jobs, limit=1) == jobs[:3]
    assert batch.choose(jobs, limit=3) == jobs
    assert batch.choose(jobs, failed_only=True) == jobs[3:4]


def test_two_processes_that_miss_each_others_claims_restore_a_picture_in_place_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "claim", lambda *_: True)
    source = save_picture(tmp_path / "a.png", value=40)
    jobs = plan(discover([source]).sources, Destination(in_place=True))

    def other_process(number: int) -> None:
        assert _run(jobs, FakeDeblurrer()) == [Restored]

    assert _run(jobs, FakeDeblurrer(other_process)) == [AlreadyDone]
    assert mean_of(source) == 215
