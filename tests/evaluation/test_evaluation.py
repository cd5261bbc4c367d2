from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.evaluation.candidates import Candidate, Network, Results
from deblur_cli.evaluation.evaluation import Outcome, Work
from deblur_cli.evaluation.ranks import Ranks
from deblur_cli.evaluation.subjects import Subjects, open_folder, open_subjects
from deblur_cli.imaging.photo import Image
from tests.data.layouts import numbered, write_gopro, write_picture
from tests.pipeline.fakes import FakeDeblurrer


class Interrupted(BaseException):
    """As by a signal."""


class Counting:
    """Gives the blurred pictures back, and counts them; breaks off after as many as it may."""

    name = "counting/1"
    method = "on paper"

    def __init__(self, may: int = 1000, **settings: Any) -> None:
        self.settings: Mapping[str, Any] = settings
        self.calls = 0
        self._may = may

    def source(self, pair: Any) -> Path:
        found: Path = pair.blurred
        return found

    def stream(self, images: Iterable[Image]) -> Iterator[Image]:
        for image in images:
            if self.calls == self._may:
                raise Interrupted
            self.calls += 1
            yield image


def measure(
    subjects: Subjects, candidate: Candidate, output: Path | None, ranks: Ranks | None = None
) -> Outcome:
    return Work(subjects, ranks or Ranks(), output=output).measure(
        candidate, None, lambda result: None
    )


@pytest.fixture
def gopro(tmp_path: Path) -> Path:
    write_gopro(tmp_path, "test", numbered(30))
    return tmp_path


@pytest.fixture
def subjects(gopro: Path) -> Subjects:
    return open_subjects("gopro", gopro)


def records(output: Path) -> list[Path]:
    return sorted((output / "records").iterdir())


def test_what_is_on_record_is_not_measured_again(subjects: Subjects, tmp_path: Path) -> None:
    first = Counting()
    whole = measure(subjects, first, tmp_path / "out")
    again = Counting()
    assert measure(subjects, again, tmp_path / "out") == whole
    assert (first.calls, again.calls) == (30, 0)
    assert [score.name for score in whole.scores] == [pair.name for pair in subjects.pairs]


def test_an_evaluation_that_was_interrupted_goes_on(subjects: Subjects, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        measure(subjects, Counting(may=25), tmp_path / "out")
    (record,) = records(tmp_path / "out")
    known = len(record.read_text().splitlines()) - 1
    assert 0 < known <= 25
    rest = Counting()
    outcome = measure(subjects, rest, tmp_path / "out")
    assert rest.calls == 30 - known
    assert outcome == measure(subjects, Counting(), None)


def test_a_line_that_was_cut_short_is_measured_again(subjects: Subjects, tmp_path: Path) -> None:
    whole = measure(subjects, Counting(), tmp_path / "out")
    (record,) = records(tmp_path / "out")
    content = record.read_bytes()
    for cut in (1, 10, len(content) // 2, len(content) - 3, len(content)):
        record.write_bytes(content[:-cut])
        rest = Counting()
        assert measure(subjects, rest, tmp_path / "out") == whole
        lost = len(content.splitlines()) - len(content[:-cut].splitlines())
        assert rest.calls in (lost, lost + 1, 30)
        assert measure(subjects, Counting(may=0), tmp_path / "out") == whole


def test_other_settings_or_pictures_are_measured_anew(
    subjects: Subjects, gopro: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    measure(subjects, Counting(tile=512), output)
    other = Counting(tile=256)
    measure(subjects, other, output)
    assert (other.calls, len(records(output))) == (30, 2)
    write_picture(subjects.pairs[3].blurred, numbered(9, 30, 40)[8][0])
    write_picture(Path(str(subjects.pairs[3].sharp)), numbered(9, 30, 40)[8][1])
    changed = Counting(tile=512)
    assert measure(subjects, changed, output).scores[3].figures["psnr"] == pytest.approx(
        20 * math.log10(255 / 100)
    )
    assert changed.calls == 1


def test_another_precision_is_measured_anew(subjects: Subjects, tmp_path: Path) -> None:
    for dtype in ("float32", "bfloat16", "float32"):
        deblurrer: Any = FakeDeblurrer(dtype="auto")
        deblurrer.computing = {"device": "cpu", "dtype": dtype}
        outcome = measure(subjects, Network(deblurrer), tmp_path / "out")
        assert outcome.settings["dtype"] == dtype
    assert len(records(tmp_path / "out")) == 2
    assert deblurrer.calls == 0


def test_records_say_what_they_are_of(subjects: Subjects, tmp_path: Path) -> None:
    measure(subjects, Counting(tile=512), tmp_path / "out")
    (record,) = records(tmp_path / "out")
    assert record.name.startswith("counting_1-")
    head, *lines = [json.loads(line) for line in record.read_text().splitlines()]
    assert head["settings"]["dataset"] == "gopro"
    assert head["settings"]["candidate"] == {"tile": 512}
    assert "torch" in head["settings"]["versions"]
    assert {line["name"] for line in lines} == {pair.name for pair in subjects.pairs}


def test_infinite_figures_survive_the_record(gopro: Path, tmp_path: Path) -> None:
    pictures = [(sharp, sharp) for _, sharp in numbered(2)]
    write_gopro(tmp_path / "equal", "test", pictures)
    subjects = open_subjects("gopro", tmp_path / "equal")
    for _ in range(2):
        outcome = measure(subjects, Counting(), tmp_path / "out")
        assert [score.figures["psnr"] for score in outcome.scores] == [math.inf] * 2
    (record,) = records(tmp_path / "out")
    assert "Infinity" not in record.read_text()


def test_gains_to_and_from_the_truth_survive_the_record(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for number, (blurred, sharp) in enumerate(numbered(3)):
        before, after = [(sharp, blurred), (blurred, sharp), (sharp, sharp)][number]
        write_picture(tmp_path / f"pairs/blur/{number}.png", before)
        write_picture(tmp_path / f"pairs/sharp/{number}.png", sharp)
        write_picture(tmp_path / f"kept/{number}.png", after)
    subjects = open_folder(tmp_path / "pairs")
    for _ in range(2):
        work = Work(subjects, output=tmp_path / "out")
        outcome = work.measure(Results(tmp_path / "kept", subjects), None, lambda result: None)
        gains = [score.figures["psnr_gain"] for score in outcome.scores]
        assert gains == [-math.inf, math.inf, 0]


class Apart(Ranks):
    """A process whose companions' work is looked at later."""

    def gather(self, own: list[Any]) -> list[Any]:
        return own


def test_shares_of_several_processes_are_the_whole(subjects: Subjects, tmp_path: Path) -> None:
    shares = [measure(subjects, Counting(), tmp_path / "out", Apart(rank, 3)) for rank in range(3)]
    assert [len(share.results) for share in shares] == [10, 10, 10]
    assert len(records(tmp_path / "out")) == 3
    rest = Counting(may=0)
    assert measure(subjects, rest, tmp_path / "out") == measure(subjects, Counting(), None)


def test_output_that_is_a_file(subjects: Subjects, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(UsageError, match="folder cannot be made"):
        measure(subjects, Counting(), tmp_path / "out")
