from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline import images
from deblur_cli.pipeline.discover import discover
from deblur_cli.pipeline.events import AlreadyDone, Event, Failed, Planned, Restored
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.plan import Job, plan
from tests.pipeline.fakes import FakeDeblurrer, mean_of, save_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a.png", "b.jpg", "town/c.webp"):
        save_picture(tmp_path / "photos" / name, value=40)
    return tmp_path / "photos"


def _jobs(*inputs: Path, output: Path | None = None) -> tuple[Job, ...]:
    return plan(discover(inputs, output).sources, str(output) if output else None)


def _run(
    jobs: tuple[Job, ...], deblurrer: FakeDeblurrer | None = None, **options: bool
) -> list[Event]:
    batch = Batch(deblurrer or FakeDeblurrer(), **options)  # type: ignore[arg-type]
    return list(batch.run(jobs, threading.Event()))


def test_folder_is_restored_and_inputs_stay(photos: Path) -> None:
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    events = _run(_jobs(photos))
    assert [type(event) for event in events] == [Restored] * 3
    for name in ("a.png", "b.jpg", "town/c.webp"):
        assert mean_of(photos.with_name("photos_deblurred") / name) == pytest.approx(215, abs=2)
    assert {path: path.read_bytes() for path in before} == before


def test_second_run_does_nothing(photos: Path) -> None:
    _run(_jobs(photos))
    again = FakeDeblurrer()
    assert {type(event) for event in _run(_jobs(photos), again)} == {AlreadyDone}
    assert {type(event) for event in _run(_jobs(photos), again, overwrite=True)} == {AlreadyDone}
    assert again.calls == 0


def test_other_settings_are_refused_unless_overwriting(photos: Path) -> None:
    jobs = _jobs(photos)
    _run(jobs)
    refused = _run(jobs, FakeDeblurrer(tile=64))
    assert all(isinstance(e, Failed) and "--overwrite" in str(e.error) for e in refused)
    assert {type(event) for event in _run(jobs, FakeDeblurrer(tile=64), overwrite=True)} == {
        Restored
    }


def test_changed_input_is_refused(photos: Path) -> None:
    jobs = _jobs(photos)
    _run(jobs)
    save_picture(photos / "a.png", value=99)
    kinds = {event.source.name: type(event) for event in _run(jobs)}
    assert kinds == {"a.png": Failed, "b.jpg": AlreadyDone, "c.webp": AlreadyDone}


def test_one_bad_file_does_not_stop_the_rest(photos: Path) -> None:
    (photos / "a1.jpg").write_text("no picture")
    (photos / "a2.png").symlink_to(photos / "gone.png")
    kinds = {event.source.name: type(event) for event in _run(_jobs(photos))}
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

    events = _run(_jobs(photos), FakeDeblurrer(fail_second))
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.error.__cause__ is error
    assert len(events) == 3


def test_preview_foresees_what_run_does(photos: Path) -> None:
    jobs = _jobs(photos)
    _run(jobs[:1])
    save_picture(jobs[1].target)
    foreseen = list(Batch(FakeDeblurrer()).preview(jobs))  # type: ignore[arg-type]
    actions = [event.action if isinstance(event, Planned) else "failed" for event in foreseen]
    assert actions == ["already-done", "failed", "restore"]
    overwriting = Batch(FakeDeblurrer(), overwrite=True)  # type: ignore[arg-type]
    assert [e.action for e in overwriting.preview(jobs) if isinstance(e, Planned)][1] == "replace"
    assert not jobs[2].target.exists()


def test_preview_writes_nothing(photos: Path) -> None:
    list(Batch(FakeDeblurrer()).preview(_jobs(photos)))  # type: ignore[arg-type]
    assert os.listdir(photos.parent) == ["photos"]  # noqa: PTH208


def test_output_that_cannot_be_a_folder(photos: Path) -> None:
    (photos.parent / "photos_deblurred").write_text("in the way")
    with pytest.raises(ImageWriteError, match="photos_deblurred"):
        _run(_jobs(photos))


def test_subfolder_that_cannot_be_made_fails_its_pictures(photos: Path) -> None:
    (photos.parent / "out").mkdir()
    (photos.parent / "out/town").write_text("in the way")
    kinds = {e.source.name: type(e) for e in _run(_jobs(photos, output=photos.parent / "out"))}
    assert kinds == {"a.png": Restored, "b.jpg": Restored, "c.webp": Failed}


def test_full_disk_ends_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        save_picture(tmp_path / f"photos/{number:02}.png")

    def full(path: Path, photo: object) -> None:
        raise ImageWriteError("cannot be written", path=path) from OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(images, "write_photo", full)
    events = _run(_jobs(tmp_path / "photos"))
    assert {type(event) for event in events} == {Failed}
    assert len(events) < 10


def test_stop_finishes_the_picture_in_hand_and_the_next_run_the_rest(photos: Path) -> None:
    stop = threading.Event()
    batch = Batch(FakeDeblurrer(lambda number: stop.set()))  # type: ignore[arg-type]
    jobs = _jobs(photos)
    assert [type(event) for event in batch.run(jobs, stop)] == [Restored]
    assert [type(event) for event in _run(jobs)] == [AlreadyDone, Restored, Restored]


def test_interrupt_leaves_only_complete_files(photos: Path) -> None:
    def interrupt(number: int) -> None:
        if number == 2:
            raise KeyboardInterrupt

    jobs = _jobs(photos)
    with pytest.raises(KeyboardInterrupt):
        _run(jobs, FakeDeblurrer(interrupt))
    written = [p for p in photos.with_name("photos_deblurred").rglob("*") if p.suffix == ".png"]
    assert written == [jobs[0].target]
    assert [type(event) for event in _run(jobs)] == [AlreadyDone, Restored, Restored]


def test_several_batches_share_an_output_folder(photos: Path) -> None:
    jobs = _jobs(photos)
    results: list[list[Event]] = []
    threads = [threading.Thread(target=lambda: results.append(_run(jobs))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(not isinstance(event, Failed) for events in results for event in events)
    assert {type(event) for event in _run(jobs)} == {AlreadyDone}


def test_target_with_a_name_too_long_fails_alone(tmp_path: Path) -> None:
    long = save_picture(tmp_path / f"{'x' * 250}.png")
    short = save_picture(tmp_path / "a.png")
    failed, restored = sorted(_run(_jobs(long, short)), key=lambda event: type(event).__name__)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ImageWriteError)
    assert "too long" in str(failed.error)
    assert isinstance(restored, Restored)


def test_unreadable_ledger_ends_the_batch_before_it_begins(photos: Path) -> None:
    jobs = _jobs(photos)
    (photos.with_name("photos_deblurred") / ".deblur/other.jsonl").mkdir(parents=True)
    deblurrer = FakeDeblurrer()
    with pytest.raises(ImageWriteError, match="ledger"):
        _run(jobs, deblurrer)
    assert deblurrer.calls == 0


def test_file_that_appears_meanwhile_is_kept(photos: Path) -> None:
    (job,) = _jobs(photos / "a.png")

    def somebody_else(number: int) -> None:
        save_picture(job.target, value=7)

    (failed,) = _run((job,), FakeDeblurrer(somebody_else))
    assert isinstance(failed, Failed)
    assert "--overwrite" in str(failed.error)
    assert mean_of(job.target) == 7


def test_result_that_another_process_makes_meanwhile_is_not_made_again(photos: Path) -> None:
    (job,) = _jobs(photos / "a.png")

    def other_process(number: int) -> None:
        assert [type(event) for event in _run((job,))] == [Restored]

    (event,) = _run((job,), FakeDeblurrer(other_process))
    assert isinstance(event, AlreadyDone)
