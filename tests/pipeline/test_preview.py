"""What a dry run foresees is what the run does."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.errors import ImageWriteError
from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.events import Failed, Planned
from deblur_cli.pipeline.images import Batch
from deblur_cli.pipeline.plan import Destination, Job, plan
from deblur_cli.pipeline.treatment import Conduct
from tests.pipeline.fakes import FakeDeblurrer, jobs_of, save_folder, save_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return save_folder(tmp_path / "photos")


def _batch(**options: bool) -> Batch:
    return Batch({"cpu": FakeDeblurrer()}, conduct=Conduct(**options))  # type: ignore[dict-item]


def _run(jobs: Sequence[Job]) -> list[object]:
    return list(_batch().run(jobs, threading.Event()))


def test_preview_foresees_what_run_does(photos: Path) -> None:
    jobs = jobs_of(photos)
    _run(jobs[:1])
    save_picture(jobs[1].target)
    foreseen = list(_batch().preview(jobs))
    actions = [event.action if isinstance(event, Planned) else "failed" for event in foreseen]
    assert actions == ["already-done", "failed", "restore"]
    overwriting = _batch(overwrite=True)
    assert [e.action for e in overwriting.preview(jobs) if isinstance(e, Planned)][1] == "replace"
    assert not jobs[2].target.exists()


@pytest.mark.parametrize("content", [b"", b"no picture", None], ids=["empty", "text", "folder"])
def test_preview_fails_what_run_cannot_open(photos: Path, content: bytes | None) -> None:
    jobs = jobs_of(photos)
    jobs[0].source.unlink()
    if content is None:
        jobs[0].source.mkdir()
    else:
        jobs[0].source.write_bytes(content)
    assert len(_same_failures(jobs)) == 1


def _same_failures(jobs: Sequence[Job]) -> dict[Path, str]:
    """What fails and why, in a preview and in the run after it."""
    foreseen, ended = (
        {event.source: repr(event.error) for event in events if isinstance(event, Failed)}
        for events in (list(_batch().preview(jobs)), _run(jobs))
    )
    assert foreseen == ended
    return ended


def test_preview_writes_nothing(photos: Path) -> None:
    list(_batch().preview(jobs_of(photos)))
    assert os.listdir(photos.parent) == ["photos"]  # noqa: PTH208


@pytest.mark.parametrize("output", ["a.png", "a.png/out", "a.png/deeper/out", "x" * 300])
def test_output_that_cannot_be_a_folder(photos: Path, output: str) -> None:
    jobs = [replace(job, folder=photos / output) for job in jobs_of(photos)]
    with pytest.raises(ImageWriteError, match="results cannot be written there") as refused:
        _run(jobs)
    with pytest.raises(ImageWriteError) as foreseen:
        list(_batch().preview(jobs))
    assert str(foreseen.value) == str(refused.value)


def test_folder_that_may_not_be_written(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (photos.parent / "out").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != photos.parent / "out")
    for output in ("out", "out/deeper"):
        with pytest.raises(ImageWriteError, match="Permission denied"):
            list(_batch().preview(jobs_of(photos, output=photos.parent / output)))


def test_subfolder_that_cannot_be_made_fails_its_pictures(photos: Path) -> None:
    (photos.parent / "out").mkdir()
    (photos.parent / "out/town").write_text("in the way")
    failed = _same_failures(jobs_of(photos, output=photos.parent / "out"))
    assert [path.name for path in failed] == ["c.webp"]


def test_folder_for_sheets_that_cannot_be_made_fails_its_pictures(photos: Path) -> None:
    (photos.parent / "sheets").write_text("in the way")
    wanted = Destination(sheets=photos.parent / "sheets")
    failed = _same_failures(plan(discover((photos,), None).sources, wanted))
    assert len(failed) == 3
