"""A clip whose parts workers restore, held against the same clip restored by one process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deblur_cli.errors import DeviceError, RestoreError, VideoReadError
from deblur_cli.pipeline.clips import work
from deblur_cli.pipeline.clips.events import (
    ClipDeviceLost,
    ClipProgress,
    ClipRestored,
    ClipStarted,
    ClipWarned,
)
from deblur_cli.pipeline.clips.gaps import Part
from deblur_cli.pipeline.clips.job import ClipJob, Selection, Wish
from deblur_cli.pipeline.clips.restoration import ClipRestoration
from deblur_cli.pipeline.clips.restorers import InOrder, Restorer
from deblur_cli.pipeline.clips.work import WorkFolder
from deblur_cli.pipeline.cluster import parts
from deblur_cli.pipeline.cluster.crew import Crew
from deblur_cli.pipeline.cluster.parts import ByParts
from deblur_cli.video import reader
from tests.pipeline.cluster.posts import Answering, DiedError, FakeCluster, Post
from tests.pipeline.fakes import FakeDeblurrer, FakeRestoration, Picture
from tests.video.clips import Recipe, decoded, streams_of, write_blurred, write_clip, write_pictures

LOSSLESS = Wish(codec="libx264", options={"qp": "0"})
FRAMES = 45
FIRSTS = [0, 10, 20, 30, 40]
"""Where parts begin: of two groups of five frames, but for the last."""


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (work, parts):
        monkeypatch.setattr(module, "FEWEST_FRAMES", 6)
    monkeypatch.setattr(work, "_MOST_FRAMES", 6)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    options = {"g": "5", "bf": "2", "x264-params": "scenecut=0"}
    return write_clip(tmp_path / "in.mp4", Recipe(FRAMES, sounds=1, options=options))


@pytest.fixture
def job(source: Path, tmp_path: Path) -> ClipJob:
    return ClipJob(source, tmp_path / "out.mp4", LOSSLESS)


def _cluster(
    folder: Path,
    before: Answering = lambda post, part: None,
    network: Callable[[], FakeDeblurrer] = FakeDeblurrer,
) -> FakeCluster:
    return FakeCluster(
        ["a", "b"],
        folder,
        before,
        load=lambda device, weights: network(),  # type: ignore[arg-type, return-value]
        known_by=3,
    )


def _by_parts(cluster: FakeCluster, told: list[str] | None = None) -> ByParts:
    tell = (lambda text: None) if told is None else told.append
    crew: Crew[Any] = Crew(cluster, tell)
    return ByParts(crew, tell)


def _run(job: ClipJob, restorer: Restorer, stop: threading.Event | None = None) -> list[Any]:
    job.check()
    return list(ClipRestoration(job, restorer).run(stop or threading.Event()))


def _first(part: Part) -> int:
    """The number of its first frame."""
    return 0 if part.gap.after is None else part.gap.after // 512 + 1


def _assert_as_by_one(job: ClipJob, network: Callable[[], FakeDeblurrer] = FakeDeblurrer) -> None:
    """The result has the frames and the streams of one that a single process makes."""
    alone = replace(job, target=job.target.with_stem("alone"))
    *_, ended = _run(alone, InOrder(network()))
    assert isinstance(ended, ClipRestored)
    for here, there in zip(decoded(job.target), decoded(alone.target), strict=True):
        assert np.array_equal(here, there)
    for here, there in zip(streams_of(job.target), streams_of(alone.target), strict=True):
        assert here.times == there.times
        assert here.kind == "video" or here.data == there.data


def test_result_is_that_of_one_process(tmp_path: Path, job: ClipJob) -> None:
    cluster = _cluster(tmp_path)
    started, *others, ended = _run(job, _by_parts(cluster))
    assert isinstance(started, ClipStarted)
    assert isinstance(ended, ClipRestored)
    assert (ended.frames, ended.problems, ended.warnings) == (FRAMES, (), ())
    assert all(share > 0 for share in vars(ended.shares).values())
    firsts = [[_first(part) for part in post.given] for post in cluster.hired]
    assert sorted(firsts[0] + firsts[1]) == FIRSTS
    assert all(firsts)
    done = [event.done for event in others if isinstance(event, ClipProgress)]
    assert done == sorted(done)
    assert done[-1] == FRAMES
    assert not list(tmp_path.glob(".deblur-work-*"))
    _assert_as_by_one(job)


@pytest.mark.parametrize(
    "selection", [Selection(0.5, 1.3), Selection(start=1.0), Selection(end=0.3)]
)
def test_part_of_a_clip(tmp_path: Path, job: ClipJob, selection: Selection) -> None:
    part = replace(job, selection=selection)
    _run(part, _by_parts(_cluster(tmp_path)))
    _assert_as_by_one(part)


def test_frames_around_a_part_have_their_say(tmp_path: Path) -> None:
    """Sharp frames are left alone, and frames near them get a share, whoever restores them."""
    source = write_blurred(tmp_path / "in.mkv")
    job = ClipJob(source, tmp_path / "out.mkv", Wish(codec="ffv1"), skip_sharp=0.5)
    cluster = _cluster(tmp_path)
    *_, ended = _run(job, _by_parts(cluster))
    assert ended.left_sharp == 10
    assert sum(len(post.given) for post in cluster.hired) == 4
    _assert_as_by_one(job)


def test_part_between_others_is_made_up_for_without_a_cluster(tmp_path: Path) -> None:
    def die(post: Post, part: Part) -> None:
        if part.gap.after == 9 * 40:
            raise DiedError

    source = write_blurred(tmp_path / "in.mkv")
    job = ClipJob(source, tmp_path / "out.mkv", Wish(codec="ffv1"), skip_sharp=0.5)
    with pytest.raises(RestoreError, match="2 workers ended"):
        _run(job, _by_parts(_cluster(tmp_path, die)))
    started, *_ = _run(job, InOrder(FakeDeblurrer()))
    assert started.done == 30
    _assert_as_by_one(job)


def test_image_sequence(tmp_path: Path) -> None:
    pattern = write_pictures(tmp_path / "%02d.png", range(3, 20))
    sequence = ClipJob(pattern, tmp_path / "results/%02d.png")
    sequence.target.parent.mkdir()
    *_, ended = _run(sequence, _by_parts(_cluster(tmp_path)))
    assert ended.frames == 17
    assert len(list(sequence.target.parent.glob("*.png"))) == 17


def test_worker_that_is_lost_costs_its_part_a_second_try(tmp_path: Path, job: ClipJob) -> None:
    seen: list[Post] = []

    def die_once(post: Post, part: Part) -> None:
        if _first(part) == 20:
            seen.append(post)
            if len(seen) == 1:
                raise DiedError

    events = _run(job, _by_parts(_cluster(tmp_path, die_once)))
    (lost,) = (event for event in events if isinstance(event, ClipDeviceLost))
    assert (lost.seconds, lost.problem) == (pytest.approx(19 / 25), "its process ended")
    assert seen[0].node != seen[1].node
    _assert_as_by_one(job)


def test_part_that_ends_two_workers_is_named_when_all_others_are_done(
    tmp_path: Path, job: ClipJob
) -> None:
    def die(post: Post, part: Part) -> None:
        if _first(part) == 20:
            raise DiedError

    with pytest.raises(RestoreError, match=r"in\.mp4: 2 workers ended .* from 0\.76 s"):
        _run(job, _by_parts(_cluster(tmp_path, die)))
    assert not job.target.exists()
    network = FakeDeblurrer()
    started, *_ = _run(job, InOrder(network))
    assert started.done == FRAMES - 10
    assert network.calls == 10
    _assert_as_by_one(job)


class Stopping(FakeDeblurrer):
    """Sets `stop` over a frame of those that all of its kind have restored together."""

    calls_of_all = 0

    def __init__(self, stop: threading.Event, number: int) -> None:
        super().__init__()
        self._stop, self._number = stop, number

    def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
        Stopping.calls_of_all += 1
        if Stopping.calls_of_all == self._number:
            self._stop.set()
        return super().restore(image, strength)


@pytest.mark.parametrize("is_first_on_cluster", [True, False])
@pytest.mark.parametrize("is_next_on_cluster", [True, False])
def test_interrupted_run_goes_on_with_or_without_a_cluster(
    tmp_path: Path, job: ClipJob, is_first_on_cluster: bool, is_next_on_cluster: bool
) -> None:
    stop = threading.Event()
    Stopping.calls_of_all = 0

    def stopping() -> Stopping:
        return Stopping(stop, 13)

    def restorer(on_cluster: bool, network: Callable[[], FakeDeblurrer]) -> Restorer:
        return _by_parts(_cluster(tmp_path, network=network)) if on_cluster else InOrder(network())

    *_, last = _run(job, restorer(is_first_on_cluster, stopping), stop)
    assert not isinstance(last, ClipRestored)
    assert not job.target.exists()
    networks: list[FakeDeblurrer] = []

    def counting() -> FakeDeblurrer:
        networks.append(FakeDeblurrer())
        return networks[-1]

    started, *_, ended = _run(job, restorer(is_next_on_cluster, counting))
    assert 13 <= started.done < FRAMES
    assert sum(network.calls for network in networks) == FRAMES - started.done
    assert ended.frames == FRAMES
    _assert_as_by_one(job)


def test_error_over_a_part_ends_the_run_and_keeps_the_rest(tmp_path: Path, job: ClipJob) -> None:
    class Refusing(FakeDeblurrer):
        def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
            if self.calls == 13:
                raise RestoreError("no memory")
            return super().restore(image, strength)

    with pytest.raises(RestoreError, match="no memory"):
        _run(job, _by_parts(_cluster(tmp_path, network=Refusing)))
    started, *_ = _run(job, InOrder(FakeDeblurrer()))
    assert started.done >= 10


def test_worker_that_does_not_see_the_clip_is_given_up(tmp_path: Path, job: ClipJob) -> None:
    told: list[str] = []
    cluster = _cluster(tmp_path)
    order = cluster.order

    def blind(post: Post, method: str, *arguments: Any) -> int:
        if post.node == "a" and arguments:
            plan, seen, *others = arguments
            arguments = (plan, replace(seen, size=seen.size + 1), *others)
        return order(post, method, *arguments)

    cluster.order = blind  # type: ignore[method-assign]
    *_, ended = _run(job, _by_parts(cluster, told))
    assert ended.frames == FRAMES
    assert any("does not see" in line and "in.mp4" in line for line in told)
    _assert_as_by_one(job)


def test_no_worker_sees_the_work_folder(tmp_path: Path, job: ClipJob) -> None:
    def hide(post: Post, part: Part) -> None:
        for manifest in tmp_path.glob(".deblur-work-*/manifest.json"):
            manifest.unlink()

    told: list[str] = []
    with pytest.raises(DeviceError, match="no worker is left"):
        _run(job, _by_parts(_cluster(tmp_path, hide), told))
    assert any(".deblur-work-" in line for line in told)


def test_clip_that_changes_meanwhile_is_named(tmp_path: Path, job: ClipJob) -> None:
    def change(post: Post, part: Part) -> None:
        with job.source.open("ab") as file:
            file.write(b"more")

    with pytest.raises(VideoReadError, match=r"in\.mp4: it has changed"):
        _run(job, _by_parts(_cluster(tmp_path, change)))


def test_what_cannot_be_cut_is_told_and_dealt_out_by_frames(tmp_path: Path, job: ClipJob) -> None:
    told: list[str] = []
    cluster = _cluster(tmp_path)
    cluster.known_by = 0
    every = replace(job, selection=Selection(every=2))
    *_, ended = _run(every, _by_parts(cluster, told))
    assert ended.frames == (FRAMES + 1) // 2
    assert any("one by one" in line and "--every" in line for line in told)
    _assert_as_by_one(every)


def test_looking_through_a_large_work_folder_takes_little_of_the_time(
    tmp_path: Path, job: ClipJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = [0.0]

    def slow(folder: WorkFolder) -> list[Path]:
        seconds[0] += 2.0
        return records(folder)

    records = WorkFolder.records
    monkeypatch.setattr(WorkFolder, "records", slow)
    monkeypatch.setattr(parts, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    restoration = ClipRestoration(job, _by_parts(_cluster(tmp_path)))
    seen = [
        (event.done, seconds[0])
        for event in restoration.run(threading.Event())
        if isinstance(event, ClipProgress)
    ]
    assert seen[-1][0] == FRAMES
    assert {when for _, when in seen} == {seen[0][1]}


def test_run_that_is_stopped_while_it_looks_for_key_frames_gives_nobody_a_part(
    tmp_path: Path, job: ClipJob
) -> None:
    stop, cluster = threading.Event(), _cluster(tmp_path)
    stop.set()
    events = _run(job, _by_parts(cluster), stop)
    assert not any(isinstance(event, ClipRestored) for event in events)
    assert not any(post.given for post in cluster.hired)


def test_list_of_damage_in_all_parts_has_an_end(
    tmp_path: Path, job: ClipJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_MOST_PROBLEMS", 2)
    content = job.source.read_bytes()
    packets = streams_of(job.source)[0].data
    for number in (7, 17, 27, 37):
        content = content.replace(packets[number], b"\xff" * len(packets[number]))
    job.source.write_bytes(content)
    *_, ended = _run(job, _by_parts(_cluster(tmp_path)))
    assert len(ended.problems) == 3
    assert "not listed" in ended.problems[-1]


def test_damage_and_warnings_of_all_parts_are_told_once(tmp_path: Path, job: ClipJob) -> None:
    class Redoing(FakeDeblurrer):
        def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
            return replace(super().restore(image, strength), warnings=("a tile was redone",))

    content = job.source.read_bytes()
    for number in (7, 33):
        packet = streams_of(job.source)[0].data[number]
        content = content.replace(packet, b"\xff" * len(packet))
    job.source.write_bytes(content)
    events = _run(job, _by_parts(_cluster(tmp_path, network=Redoing)))
    assert [event.warning for event in events if isinstance(event, ClipWarned)] == [
        "a tile was redone"
    ]
    assert len(events[-1].problems) == len(set(events[-1].problems)) >= 2
    _assert_as_by_one(job)
