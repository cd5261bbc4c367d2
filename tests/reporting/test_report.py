from __future__ import annotations

import errno
import os
import re
import threading
from pathlib import Path

import pytest

from deblur_cli.errors import ImageReadError, ImageWriteError
from deblur_cli.pipeline.events import AlreadyDone, DeviceLost, Failed
from deblur_cli.reporting import report as module
from deblur_cli.reporting.report import Report
from tests.pipeline.fakes import save_picture
from tests.reporting.reports import ABOUT, SUMMARY, Read, pair, report_of_all_kinds, restored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "report.html"


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Read:
    """The page on a batch with every kind of outcome."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    return _written(report_of_all_kinds(path), path, failed=1, left_sharp=1)


def _written(report: Report, path: Path, **summary: object) -> Read:
    report.write({**SUMMARY, **summary})
    return Read(path)


def test_says_everything_about_the_batch(kinds: Read) -> None:
    for said in (
        "1 picture failed; everything else is done.",
        "inverter on cpu",
        "2 of 6 pictures; at most 24 are shown",
        "photos/b <script>alert(1)</script>.jpg",
        "no such <b>file</b>",
        "check the path",
        "read 0.5 s, 14 %",
        "network 2.0 s, 57 %",
        "write 1.0 s, 29 %",
        "already done",
        "left sharp",
        "0.61",
        "900 × 700 pixels",
    ):
        assert said in kinds.text, said


def test_names_are_escaped(kinds: Read) -> None:
    assert len(kinds.all("script")) == 1
    assert any("<script>alert(1)</script>" in (each["alt"] or "") for each in kinds.all("img"))


def test_nothing_comes_from_elsewhere(kinds: Read) -> None:
    images = kinds.all("img")
    assert all((each["src"] or "").startswith("data:image/jpeg;base64,") for each in images)
    assert kinds.all("link") == []
    assert kinds.all("script") == [{}]
    assert not re.search(r"https?:|url\(|@import", kinds.source)


def test_every_slider_and_picture_has_a_name(kinds: Read) -> None:
    sliders = kinds.all("input")
    assert 2 < len(sliders) <= 2 * (1 + 3)
    assert len(kinds.all("img")) == 2 * len(sliders)
    assert all(each["type"] == "range" and each["aria-label"] for each in sliders)
    assert len({each["aria-label"] for each in sliders}) == len(sliders)
    assert all(each["alt"] for each in kinds.all("img"))


@pytest.mark.parametrize(
    ("summary", "state"),
    [
        ({}, "Everything is done."),
        ({"failed": 2}, "2 pictures failed; everything else is done."),
        ({"remaining": 1, "failed": 1}, "Ended early: 1 picture remains. The same command"),
        ({"remaining": 5}, "Ended early: 5 pictures remain. The same command resumes."),
    ],
)
def test_how_it_ended(path: Path, summary: dict[str, int], state: str) -> None:
    assert state in _written(Report(path, ABOUT), path, **summary).text


def test_says_so_while_the_batch_goes_on(path: Path) -> None:
    report = Report(path, ABOUT)
    report.write()
    assert "was going on when the page was written" in Read(path).text
    assert "Everything is done." in _written(report, path).text


def test_holds_no_more_pictures_than_it_shows(path: Path) -> None:
    report = Report(path, ABOUT, places=3)
    changes = [5, 50, 10, 40, 30, 20]
    for number, change in enumerate(changes):
        report.look(Path(f"{number}.png"), *pair(change, size=(40, 30)))
        report.tell(restored(f"{number}.png"))
        assert len(report._gallery) <= 3
        assert report._looks == {}
    page = _written(report, path)
    shown = [alt for each in page.all("img") if (alt := each["alt"] or "").endswith("after")]
    assert shown == ["1.png, after", "3.png, after", "4.png, after"]
    assert page.text.count("restored") >= len(changes)


def test_what_failed_after_it_was_seen_is_not_shown(path: Path) -> None:
    report = Report(path, ABOUT)
    report.look(Path("a.png"), *pair(size=(40, 30)))
    report.tell(Failed(Path("a.png"), ImageReadError("was changed", path="a.png")))
    page = _written(report, path, failed=1)
    assert page.all("img") == []
    assert "was changed" in page.text


def test_lost_device(path: Path) -> None:
    report = Report(path, ABOUT)
    report.tell(DeviceLost("cuda:1", Path("a.png"), "it fell off the bus"))
    assert "cuda:1 stopped working over a.png: it fell off the bus" in _written(report, path).text


def test_earlier_results_are_shown_while_there_is_room(path: Path, tmp_path: Path) -> None:
    report = Report(path, ABOUT, places=2)
    for name in ("a.png", "b.png", "c.png"):
        source = save_picture(tmp_path / name, value=40)
        report.tell(AlreadyDone(source, save_picture(tmp_path / "out" / name, value=90)))
    other = save_picture(tmp_path / "d.png", size=(5, 5))
    report.tell(AlreadyDone(other, other))
    page = _written(report, path, already_done=4)
    assert [Path(each["alt"] or "").name for each in page.all("img")] == [
        *("a.png, after", "a.png, before", "b.png, after", "b.png, before")
    ]
    assert page.text.count("already done") == 5


@pytest.mark.parametrize("kind", ["same", "gone", "another size", "broken"])
def test_earlier_results_that_cannot_be_compared_are_listed(tmp_path: Path, kind: str) -> None:
    source, target = save_picture(tmp_path / "a.png"), tmp_path / "out.png"
    if kind == "another size":
        save_picture(target, size=(5, 5))
    elif kind == "broken":
        target.write_text("no picture")
    report = Report(tmp_path / "report.html", ABOUT)
    report.tell(AlreadyDone(source, source if kind == "same" else target))
    page = _written(report, tmp_path / "report.html")
    assert page.all("img") == []
    assert "a.png" in page.text


def test_pictures_seen_in_several_threads(path: Path) -> None:
    report = Report(path, ABOUT, places=4)
    names = [f"{number}.png" for number in range(12)]

    def see(mine: list[str]) -> None:
        for name in mine:
            report.look(Path(name), *pair(size=(40, 30)))

    threads = [threading.Thread(target=see, args=(names[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in names:
        report.tell(restored(name))
    assert len(_written(report, path).all("img")) == 2 * 4


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 #1?.png")
    report = Report(tmp_path / "report.html", ABOUT)
    report.look(Path(name), *pair(size=(40, 30)))
    report.tell(restored(name, target=tmp_path / "out" / name))
    page = _written(report, tmp_path / "report.html")
    assert "out/caf%E9%20%231%3F.png" in [each["href"] for each in page.all("a")]


def test_written_whole_or_not_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report(path, ABOUT)
    report.write()
    before = path.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "write_page", full)
    with pytest.raises(ImageWriteError, match=r"report\.html: cannot be written: No space"):
        report.write(SUMMARY)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_folder_that_cannot_be_had(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageWriteError, match="choose another place for the report"):
        Report(tmp_path / "file" / "report.html", ABOUT).write()
