from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.ledgers import Ledgers
from deblur_cli.pipeline.plan import Job
from deblur_cli.storage.remote import located


@pytest.mark.parametrize("on_storage", [True, False])
def test_on_a_storage_what_comes_behind_a_job_of_others_is_left_to_them_at_first(
    tmp_path: Path, on_storage: bool
) -> None:
    out = located("memory://ledgers/leap") if on_storage else tmp_path / "out"
    jobs = [Job(tmp_path / f"{n}.jpg", out / f"{n}.jpg", out) for n in range(30)]
    other = Ledger(out)
    assert other.claim(jobs[2].target)
    assert other.claim(jobs[20].target)
    ledgers, held = Ledgers("settings", overwrite=False), list[Job]()
    ledgers.open({out})
    order = list(ledgers.free(jobs, held))
    assert held == [jobs[2], jobs[20]]
    first = [0, 1, 19] if on_storage else [0, 1, 3]
    assert order[:3] == [jobs[n] for n in first]
    assert sorted(map(jobs.index, order)) == sorted({*range(30)} - {2, 20})
    for ledger in (ledgers, other):
        ledger.close()
