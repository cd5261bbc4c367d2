from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from deblur_cli.errors import DeviceError, ImageWriteError, RestoreError
from deblur_cli.imaging.photo import Image, Photo
from deblur_cli.imaging.rendition import Rendition
from deblur_cli.inference import device
from deblur_cli.pipeline import restoring
from deblur_cli.pipeline.events import (
    AlreadyDone,
    DeviceLost,
    Event,
    Failed,
    Restored,
    Waiting,
)
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.plan import Job
from deblur_cli.pipeline.treatment import Conduct
from tests.pipeline.fakes import (
    FakeDeblurrer,
    FakeRestoration,
    Picture,
    jobs_of,
    mean_of,
    save_folder,
    save_picture,
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_folder(tmp_path / "photos")


def _batch(*deblurrers: FakeDeblurrer, **options: bool) -> Batch:
    """A batch on the CPU under several names, as if it were several devices."""
    fleet = {f"cpu:{number}": deblurrer for number, deblurrer in enumerate(deblurrers)}
    return Batch(fleet, conduct=Conduct(**options))  # type: ignore[arg-type]


def _run(
    jobs: Sequence[Job], *deblurrers: FakeDeblurrer, **options: bool
) -> list[Event | DeviceLost | Waiting]:
    batch = _batch(*(deblurrers or [FakeDeblurrer()]), **options)
    return list(batch.run(jobs, threading.Event()))


def _many(tmp_path: Path, count: int) -> tuple[Job, ...]:
    for number in range(count):
        save_picture(tmp_path / f"photos/{number:02}.png")
    return jobs_of(tmp_path / "photos")


def _broken(number: int) -> None:
    raise DeviceError("CUDA error: it fell off the bus\nFor debugging consider this and that")


def test_folder_is_restored_and_inputs_stay(photos: Path) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    events = _run(jobs_of(photos))
    assert [type(event) for event in events] == [Restored] * 3
    for name in ("a.png", "b.jpg", "town/c.webp"):
        assert mean_of(photos.with_name("photos_deblurred") / name) == pytest.approx(215, abs=2)
    assert {path: path.read_bytes() for path in before} == before


def test_second_run_does_nothing(photos: Path) -> None:
    _run(jobs_of(photos))
    again = FakeDeblurrer()
    assert {type(event) for event in _run(jobs_of(photos), again)} == {AlreadyDone}
    assert {type(event) for event in _run(jobs_of(photos), again, overwrite=True)} == {AlreadyDone}
    assert again.calls == 0


def test_other_settings_are_refused_unless_overwriting(photos: Path) -> None:
    jobs = jobs_of(photos)
    _run(jobs)
    refused = _run(jobs, FakeDeblurrer(tile=64))
    assert all(isinstance(e, Failed) and "--overwrite" in str(e.error) for e in refused)
    assert {type(event) for event in _run(jobs, FakeDeblurrer(tile=64), overwrite=True)} == {
        Restored
    }


def test_changed_input_is_refused(photos: Path) -> None:
    jobs = jobs_of(photos)
    _run(jobs)
    save_picture(photos / "a.png", value=99)
    kinds = {event.source.name: type(event) for event in _run(jobs)}
    assert kinds == {"a.png": Failed, "b.jpg": AlreadyDone, "c.webp": AlreadyDone}


def test_one_bad_file_does_not_stop_the_rest(photos: Path) -> None:
    (photos / "a1.jpg").write_text("no picture")
    (photos / "a2.png").symlink_to(photos / "gone.png")
    kinds = {event.source.name: type(event) for event in _run(jobs_of(photos))}
    assert kinds.pop("a1.jpg") is Failed
    assert kinds.pop("a2.png") is Failed
    assert set(kinds.values()) == {Restored}


@pytest.mark.parametrize("error", [RuntimeError("odd"), MemoryError()])
def test_unforeseen_error_fails_its_picture_and_keeps_its_cause(
    photos: Path, error: Exception
) -> None:
    def fail_second(number: int) -> None:
        if number == 2:
            raise error

    events = _run(jobs_of(photos), FakeDeblurrer(fail_second))
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.error.__cause__ is error
    assert failed.error.path == failed.source
    assert len(events) == 3


def test_picture_that_cannot_be_restored_is_named(photos: Path) -> None:
    def fail(number: int) -> None:
        raise RestoreError("too large", remedy="cut it")

    (failed,) = _run(jobs_of(photos / "a.png"), FakeDeblurrer(fail))
    assert isinstance(failed, Failed)
    assert str(failed.error) == f"{photos / 'a.png'}: too large (cut it)"


def test_colours_are_worked_out_by_those_who_write(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads, restored = set(), Rendition.restored

    def noted(rendition: Rendition, pixels: Image) -> Photo:
        threads.add(threading.current_thread().name.partition("_")[0])
        return restored(rendition, pixels)

    monkeypatch.setattr(Rendition, "restored", noted)
    _run(jobs_of(photos))
    assert threads == {"deblur-write"}


@pytest.mark.parametrize("devices", [1, 3])
def test_full_disk_ends_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, devices: int
) -> None:
    def full(*_: object) -> None:
        raise ImageWriteError("cannot be written") from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(restoring, "put_photo", full)
    events = _run(_many(tmp_path, 30), *(FakeDeblurrer() for _ in range(devices)))
    assert {type(event) for event in events} == {Failed}
    assert len(events) <= 2 * devices + 1


def test_stop_finishes_the_picture_in_hand_and_the_next_run_the_rest(photos: Path) -> None:
    stop = threading.Event()
    batch = _batch(FakeDeblurrer(lambda number: stop.set()))
    jobs = jobs_of(photos)
    assert [type(event) for event in batch.run(jobs, stop)] == [Restored]
    assert [type(event) for event in _run(jobs)] == [AlreadyDone, Restored, Restored]


def test_interrupt_leaves_only_complete_files(photos: Path) -> None:
    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    jobs = jobs_of(photos)
    with pytest.raises(KeyboardInterrupt):
        _run(jobs, FakeDeblurrer(interrupt))
    written = [p for p in photos.with_name("photos_deblurred").rglob("*") if p.suffix == ".png"]
    assert written == [jobs[0].target]
    assert [type(event) for event in _run(jobs)] == [AlreadyDone, Restored, Restored]


def test_several_batches_share_an_output_folder_and_its_pictures(tmp_path: Path) -> None:
    jobs = _many(tmp_path, 12)
    results: list[list[Event | DeviceLost | Waiting]] = []
    threads = [threading.Thread(target=lambda: results.append(_run(jobs))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kinds = Counter(type(event) for events in results for event in events)
    del kinds[Waiting]
    assert kinds == {Restored: 12, AlreadyDone: 24}


def test_what_another_process_has_in_hand_is_done_last(tmp_path: Path) -> None:
    jobs = _many(tmp_path, 4)
    other = Ledger(jobs[0].folder)
    assert other.claim(jobs[0].target)
    assert other.claim(jobs[1].target)
    events = []
    for event in _batch(FakeDeblurrer()).run(jobs, threading.Event()):
        events.append(event)
        if isinstance(event, Waiting):
            other.fail(jobs[1].source, jobs[1].target, "not-restored", "odd")
            other.close()
    assert [type(event) for event in events] == [Restored] * 2 + [Waiting] + [Restored] * 2
    assert events[2] == Waiting(2)
    restored = [event.source for event in events if isinstance(event, Restored)]
    assert set(restored[:2]) == {jobs[2].source, jobs[3].source}
    assert set(restored[2:]) == {jobs[0].source, jobs[1].source}


def test_waiting_ends_when_asked_to_stop(photos: Path) -> None:
    jobs, stop = jobs_of(photos / "a.png"), threading.Event()
    other = Ledger(jobs[0].folder)
    assert other.claim(jobs[0].target)
    waiting = _batch(FakeDeblurrer()).run(jobs, stop)
    assert next(waiting) == Waiting(1)
    stop.set()
    assert list(waiting) == []
    other.close()


def test_target_with_a_name_too_long_fails_alone(tmp_path: Path) -> None:
    long = save_picture(tmp_path / f"{'x' * 250}.png")
    short = save_picture(tmp_path / "a.png")
    failed, restored = sorted(_run(jobs_of(long, short)), key=lambda event: type(event).__name__)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ImageWriteError)
    assert "too long" in str(failed.error)
    assert isinstance(restored, Restored)


def test_unreadable_ledger_ends_the_batch_before_it_begins(photos: Path) -> None:
    jobs = jobs_of(photos)
    (photos.with_name("photos_deblurred") / ".deblur/other.jsonl").mkdir(parents=True)
    deblurrer = FakeDeblurrer()
    with pytest.raises(ImageWriteError, match="ledger"):
        _run(jobs, deblurrer)
    assert deblurrer.calls == 0


def test_file_that_appears_meanwhile_is_kept(photos: Path) -> None:
    (job,) = jobs_of(photos / "a.png")

    def somebody_else(number: int) -> None:
        save_picture(job.target, value=7)

    (failed,) = _run((job,), FakeDeblurrer(somebody_else))
    assert isinstance(failed, Failed)
    assert "--overwrite" in str(failed.error)
    assert mean_of(job.target) == 7


def test_result_that_another_process_makes_meanwhile_is_not_made_again(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "claim", lambda *_: True)
    (job,) = jobs_of(photos / "a.png")

    def other_process(number: int) -> None:
        assert [type(event) for event in _run((job,))] == [Restored]

    (event,) = _run((job,), FakeDeblurrer(other_process))
    assert isinstance(event, AlreadyDone)


def test_several_devices_share_the_pictures(tmp_path: Path) -> None:
    jobs = _many(tmp_path, 9)
    together = threading.Barrier(3)
    fleet = [FakeDeblurrer(lambda number: together.wait(5)) for _ in range(3)]
    events = _run(jobs, *fleet)
    assert sorted(event.source for event in events) == [job.source for job in jobs]
    used = [event.device for event in events if isinstance(event, Restored)]
    assert sorted(used) == ["cpu:0"] * 3 + ["cpu:1"] * 3 + ["cpu:2"] * 3
    assert all(mean_of(job.target) == 215 for job in jobs)


def test_resuming_does_not_depend_on_the_devices(photos: Path) -> None:
    jobs = jobs_of(photos)
    _run(jobs[:2], FakeDeblurrer(), FakeDeblurrer())
    kinds = {event.source: type(event) for event in _run(jobs, *(FakeDeblurrer(),) * 3)}
    assert [kinds[job.source] for job in jobs] == [AlreadyDone, AlreadyDone, Restored]


def test_devices_with_other_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        _batch(FakeDeblurrer(tile=64), FakeDeblurrer(tile=128))


def test_picture_of_a_lost_device_goes_to_another(tmp_path: Path) -> None:
    jobs = _many(tmp_path, 8)
    first_is_lost = threading.Event()

    def break_down(number: int) -> None:
        first_is_lost.set()
        _broken(number)

    others = FakeDeblurrer(lambda number: first_is_lost.wait(5))
    events = _run(jobs, FakeDeblurrer(break_down), others)
    lost, *rest = events
    assert isinstance(lost, DeviceLost)
    assert (lost.device, lost.problem) == ("cpu:0", "CUDA error: it fell off the bus")
    assert lost.source in {job.source for job in jobs}
    assert {type(event) for event in rest} == {Restored}
    assert sorted(event.source for event in rest) == [job.source for job in jobs]


def test_picture_that_costs_two_devices_fails_and_the_third_goes_on(tmp_path: Path) -> None:
    jobs = _many(tmp_path, 8)
    save_picture(jobs[2].source, value=99)

    class Fragile(FakeDeblurrer):
        def restore(self, image: Picture, strength: float = 1.0) -> FakeRestoration:
            if image.max() == 99:
                _broken(0)
            return super().restore(image, strength)

    events = _run(jobs, Fragile(), Fragile(), Fragile())
    assert sum(isinstance(event, DeviceLost) for event in events) == 2
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.source == jobs[2].source
    assert isinstance(failed.error, DeviceError)
    assert str(jobs[2].source) in str(failed.error)
    assert sum(isinstance(event, Restored) for event in events) == 7


@pytest.mark.parametrize("devices", [1, 3])
def test_when_no_device_is_left_the_rest_is_for_the_next_run(tmp_path: Path, devices: int) -> None:
    jobs = _many(tmp_path, 20)

    def break_at_third(number: int) -> None:
        if number == 3:
            _broken(number)

    fleet = [FakeDeblurrer(break_at_third) for _ in range(devices)]
    events: list[Event | DeviceLost | Waiting] = []
    with pytest.raises(DeviceError, match="resumes"):
        events.extend(_batch(*fleet).run(jobs, threading.Event()))
    kinds = [type(event) for event in events]
    assert kinds.count(Restored) == 2 * devices
    assert kinds.count(DeviceLost) == devices
    assert 1 <= kinds.count(Failed) <= devices
    resumed = [type(event) for event in _run(jobs)]
    assert resumed.count(AlreadyDone) == 2 * devices
    assert resumed.count(Restored) == 20 - 2 * devices


def test_device_lost_over_the_last_picture_leaves_nothing_to_resume(photos: Path) -> None:
    events = _run(jobs_of(photos / "a.png"), FakeDeblurrer(_broken))
    assert [type(event) for event in events] == [DeviceLost, Failed]


@pytest.mark.parametrize("works", [True, False])
def test_unforeseen_error_costs_the_device_only_if_it_works_no_more(
    photos: Path, monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    def fail_first(number: int) -> None:
        if number == 1:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(device, "still_works", lambda name: works)
    events = _run(jobs_of(photos / "a.png"), *(FakeDeblurrer(fail_first),) * 2)
    kinds = [type(event) for event in events]
    assert kinds == ([Failed] if works else [DeviceLost, Restored])


def test_interrupt_on_one_of_several_devices_leaves_only_complete_files(tmp_path: Path) -> None:
    jobs = _many(tmp_path, 30)
    interrupted = threading.Event()

    def interrupt(number: int) -> None:
        if number == 2:
            interrupted.set()
            raise KeyboardInterrupt

    other = FakeDeblurrer(lambda number: number == 1 or interrupted.wait(5))
    events: list[Event | DeviceLost | Waiting] = []
    with pytest.raises(KeyboardInterrupt):
        events.extend(_batch(FakeDeblurrer(interrupt), other).run(jobs, threading.Event()))
    done = {event.target for event in events if isinstance(event, Restored)}
    assert {job.target for job in jobs if job.target.exists()} == done
    assert [type(event) for event in _run(jobs)].count(AlreadyDone) == len(done)


def test_picture_that_changes_meanwhile_is_left_to_the_next_run(photos: Path) -> None:
    (job,) = jobs_of(photos / "a.png")
    (failed,) = _run((job,), FakeDeblurrer(lambda _: save_picture(job.source, value=90)))
    assert isinstance(failed, Failed)
    assert "was changed while it was restored" in str(failed.error)
    assert not job.target.exists()
    assert [type(event) for event in _run((job,))] == [Restored]
    assert mean_of(job.target) == 165
