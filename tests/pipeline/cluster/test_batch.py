"""Batches with the workers of a cluster that exists only here, and does what a test wants."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from deblur_cli.errors import DeviceError, ImageReadError, ImageWriteError, WeightsError
from deblur_cli.imaging.atomic import TEMPORARY_SUFFIX, owner
from deblur_cli.imaging.photo import Image
from deblur_cli.pipeline.cluster.batch import ClusterBatch, PictureTask
from deblur_cli.pipeline.cluster.crew import Crew
from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.events import AlreadyDone, DeviceLost, Failed, LeftSharp, Restored, Told
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint
from deblur_cli.pipeline.plan import Destination, Job, plan
from deblur_cli.pipeline.treatment import Conduct, Treatment
from tests.pipeline.cluster.posts import Answering, DiedError, FakeCluster, Post
from tests.pipeline.fakes import FakeDeblurrer, mean_of, save_picture


@pytest.fixture
def jobs(tmp_path: Path) -> tuple[Job, ...]:
    for number in range(6):
        save_picture(tmp_path / f"photos/{number}.png", value=40)
    return tuple(plan(discover([tmp_path / "photos"]).sources, Destination()))


def _batch(cluster: FakeCluster, treatment: Treatment | None = None, **how: Any) -> ClusterBatch:
    crew: Crew[PictureTask] = Crew(cluster, lambda problem: None)
    return ClusterBatch(crew, treatment or Treatment(), Conduct(**how))


def _run(cluster: FakeCluster, jobs: tuple[Job, ...], **how: Any) -> list[Told]:
    return list(_batch(cluster, **how).run(jobs, threading.Event()))


def _kinds(events: list[Told]) -> Counter[type]:
    return Counter(type(event) for event in events)


def _litter(folder: Path) -> list[Path]:
    return list(folder.rglob(f".*{TEMPORARY_SUFFIX}"))


def _given(post: Post) -> list[str]:
    return [job.source.name for job in post.given]


def _die_over(name: str) -> Answering:
    def before(post: Post, job: Job) -> None:
        if job.source.name == name:
            raise DiedError

    return before


def test_folder_is_restored_and_the_next_run_does_nothing(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    events = _run(FakeCluster(["a", "b"], tmp_path), jobs)
    assert _kinds(events) == {Restored: 6}
    assert all(mean_of(job.target) == 215 for job in jobs)
    assert all(event.write_seconds > 0 for event in events if isinstance(event, Restored))
    ledger = Ledger(jobs[0].folder)
    assert len(dict(ledger.records())) == 6
    assert not list(ledger.in_hand())
    again = FakeCluster(["a"], tmp_path)
    assert _kinds(_run(again, jobs)) == {AlreadyDone: 6}
    assert again.hired[0].given == []


def test_in_place_each_picture_is_replaced_once(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    sources = discover([tmp_path / "photos"]).sources
    in_place = tuple(plan(sources, Destination(in_place=True)))
    assert _kinds(_run(FakeCluster(["a"], tmp_path), in_place)) == {Restored: 6}
    assert _kinds(_run(FakeCluster(["a"], tmp_path), in_place)) == {AlreadyDone: 6}
    assert all(mean_of(job.source) == 215 for job in jobs)


def test_batch_without_a_cluster_goes_on_where_one_stopped(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    _run(FakeCluster(["a"], tmp_path), jobs[:4])
    batch = Batch({"cpu": FakeDeblurrer()})  # type: ignore[dict-item]
    assert _kinds(list(batch.run(jobs, threading.Event()))) == {AlreadyDone: 4, Restored: 2}


def test_workers_are_given_no_more_than_their_hands_hold(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    most = 0

    def look(post: Post, job: Job) -> None:
        nonlocal most
        most = max(most, len(cluster.pending) + 1)

    cluster = FakeCluster(["a", "b"], tmp_path, look, hands=2)
    assert _kinds(_run(cluster, jobs)) == {Restored: 6}
    assert most == 4


def test_other_settings_are_refused_unless_overwriting(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    _run(FakeCluster(["a"], tmp_path), jobs)
    other: Any = lambda device, weights: FakeDeblurrer(tile=64)  # noqa: E731
    refused = _run(FakeCluster(["a"], tmp_path, load=other), jobs)
    assert all(isinstance(e, Failed) and "--overwrite" in str(e.error) for e in refused)
    assert _kinds(_run(FakeCluster(["a"], tmp_path, load=other), jobs, overwrite=True)) == {
        Restored: 6
    }


def test_bad_file_fails_under_its_name_and_kind(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    jobs[2].source.write_text("no picture")
    events = _run(FakeCluster(["a"], tmp_path), jobs)
    (failed,) = (event for event in events if isinstance(event, Failed))
    assert isinstance(failed.error, ImageReadError)
    assert failed.source == jobs[2].source
    assert _kinds(events) == {Restored: 5, Failed: 1}


def test_sharp_pictures_are_copied_or_in_place_left_alone(tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/a.png")
    sources = discover([tmp_path / "photos"]).sources
    for in_place in (True, False):
        jobs = plan(sources, Destination(in_place=in_place))
        batch = _batch(FakeCluster(["a"], tmp_path), Treatment(skip_sharp=0.0))
        assert [type(e) for e in batch.run(jobs, threading.Event())] == [LeftSharp]
    assert jobs[0].target.read_bytes() == jobs[0].source.read_bytes()


def test_lost_worker_costs_the_picture_in_hand_which_another_node_gets(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    def die_once(post: Post, job: Job) -> None:
        if job == jobs[2] and not cluster.dismissed:
            raise DiedError

    cluster = FakeCluster(["a", "b"], tmp_path, die_once)
    events = _run(cluster, jobs)
    assert _kinds(events) == {Restored: 6, DeviceLost: 1}
    first, second = (
        post for post in cluster.hired if "2.png" in [job.source.name for job in post.given]
    )
    assert first.node != second.node
    assert cluster.dismissed[0] is first


@pytest.mark.parametrize("hands", [1, 3])
def test_picture_that_ends_two_workers_is_set_aside_and_costs_no_other(
    tmp_path: Path, jobs: tuple[Job, ...], hands: int
) -> None:
    cluster = FakeCluster(["a", "b"], tmp_path, _die_over("2.png"), hands)
    events = _run(cluster, jobs)
    kinds = _kinds(events)
    assert kinds[Restored] == 5
    (failed,) = (event for event in events if isinstance(event, Failed))
    assert failed.source == jobs[2].source
    assert "2 workers ended" in str(failed.error)
    assert sum(_given(post).count("2.png") for post in cluster.hired) == 2
    assert {event.source for event in events if isinstance(event, Restored)} == {
        job.source for job in jobs if job != jobs[2]
    }
    assert Ledger(jobs[2].folder).has_failed(jobs[2].target)


def test_workers_that_only_die_are_given_up(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    def die(post: Post, job: Job) -> None:
        raise DiedError

    cluster = FakeCluster(["a"], tmp_path, die)
    batch = _batch(cluster)
    with pytest.raises(DeviceError):
        list(batch.run(jobs, threading.Event()))
    assert len(cluster.hired) == 3


def test_what_a_lost_worker_left_half_written_is_swept(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    def die_writing(post: Post, job: Job) -> None:
        if not cluster.dismissed:
            litter = f".{owner()}-00000000{TEMPORARY_SUFFIX}"
            job.target.with_name(litter).write_bytes(b"half")
            raise DiedError

    cluster = FakeCluster(["a"], tmp_path, die_writing)
    assert _kinds(_run(cluster, jobs)) == {Restored: 6, DeviceLost: 1}
    assert _litter(tmp_path) == []


def test_node_without_the_drive_costs_no_picture(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    class Elsewhere(FakeCluster):
        def order(self, post: Post, method: str, job: Job, *others: Any) -> int:
            seen, restoring = others
            other = Fingerprint(seen.size + (post.node == "b"), seen.mtime_ns)
            return super().order(post, method, job, other, restoring)

    told: list[str] = []
    crew: Crew[PictureTask] = Crew(Elsewhere(["a", "b"], tmp_path), told.append)
    batch = ClusterBatch(crew, Treatment(), Conduct())
    events = list(batch.run(jobs, threading.Event()))
    assert _kinds(events) == {Restored: 6, DeviceLost: 1}
    (warning,) = told
    assert "does not see" in warning
    assert "mount the drive" in warning


def test_what_scouts_see_is_heard_here(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    heard: dict[Path, tuple[int, int]] = {}

    def scout(before: Image, after: Image) -> tuple[int, int]:
        return int(before.flat[0]), int(after.flat[0])

    batch = _batch(FakeCluster(["a"], tmp_path), scout=scout, hears=heard.__setitem__)
    for event in batch.run(jobs, threading.Event()):
        assert isinstance(event, Restored)
        assert heard[event.source] == (40, 215)


def test_input_that_changes_meanwhile_fails(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    def change(post: Post, job: Job) -> None:
        if job == jobs[1]:
            save_picture(job.source, value=99, size=(20, 20))

    events = _run(FakeCluster(["a"], tmp_path, change), jobs)
    assert _kinds(events) == {Restored: 5, Failed: 1}
    assert not jobs[1].target.exists()
    assert _litter(tmp_path) == []


def test_result_of_another_process_stays_and_the_draft_goes(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    def overtake(post: Post, job: Job) -> None:
        batch = _batch(FakeCluster(["c"], tmp_path))
        with mock.patch.object(Ledger, "_has_rival", return_value=False):
            list(batch.run(jobs[:1], threading.Event()))

    events = _run(FakeCluster(["a"], tmp_path, overtake), jobs[:1])
    assert _kinds(events) == {AlreadyDone: 1}
    assert mean_of(jobs[0].target) == 215
    assert _litter(tmp_path) == []


def test_stop_finishes_what_is_in_hand_and_the_next_run_the_rest(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    stop = threading.Event()
    cluster = FakeCluster(["a", "b"], tmp_path, lambda post, job: stop.set())
    assert _kinds(list(_batch(cluster).run(jobs, stop))) == {Restored: 2}
    assert _kinds(_run(FakeCluster(["a"], tmp_path), jobs)) == {Restored: 4, AlreadyDone: 2}


def test_interrupt_ends_the_workers_and_leaves_nothing_half_written(
    tmp_path: Path, jobs: tuple[Job, ...]
) -> None:
    def interrupt(post: Post, job: Job) -> None:
        litter = f".{owner()}-00000000{TEMPORARY_SUFFIX}"
        job.target.with_name(litter).write_bytes(b"half")
        raise KeyboardInterrupt

    cluster = FakeCluster(["a", "b"], tmp_path, interrupt)
    with pytest.raises(KeyboardInterrupt):
        _run(cluster, jobs)
    assert _litter(tmp_path) == []
    assert cluster.dismissed == cluster.hired
    assert _kinds(_run(FakeCluster(["a"], tmp_path), jobs)) == {Restored: 6}


def test_full_disk_ends_the_batch(
    tmp_path: Path, jobs: tuple[Job, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ImageWriteError("cannot be written") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr("deblur_cli.pipeline.cluster.batch.publish_draft", full)
    events = _run(FakeCluster(["a"], tmp_path), jobs)
    assert _kinds(events) == {Failed: 1}
    assert _litter(tmp_path) == []


def test_pictures_lost_while_stopping_remain(tmp_path: Path, jobs: tuple[Job, ...]) -> None:
    stop = threading.Event()

    def die(post: Post, job: Job) -> None:
        stop.set()
        raise DiedError

    assert _kinds(list(_batch(FakeCluster(["a"], tmp_path, die)).run(jobs, stop))) == {
        DeviceLost: 1
    }
    assert _kinds(_run(FakeCluster(["a"], tmp_path), jobs)) == {Restored: 6}


def test_cluster_that_grows_is_used(
    tmp_path: Path, jobs: tuple[Job, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deblur_cli.pipeline.cluster.crew._GROWTH_SECONDS", 0.0)

    def join(post: Post, job: Job) -> None:
        if "b" not in cluster.nodes:
            cluster.nodes.append("b")

    cluster = FakeCluster(["a"], tmp_path, join)
    assert _kinds(_run(cluster, jobs)) == {Restored: 6}
    assert [post.node for post in cluster.hired] == ["a", "b"]


def test_network_that_cannot_be_loaded_anywhere_is_told(tmp_path: Path) -> None:
    def refuse(device: str, weights: bytes) -> Any:
        raise WeightsError("the checksum is wrong")

    with pytest.raises(WeightsError, match="checksum"):
        Crew(FakeCluster(["a", "b"], tmp_path, load=refuse), lambda problem: None).first()
