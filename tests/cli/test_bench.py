from __future__ import annotations

import json

import pytest

from deblur_cli.inspection import complexity
from deblur_cli.inspection.complexity import ALGNET, CONCATENATION, Variant
from deblur_cli.inspection.speed import Forward
from deblur_cli.inspection.work import Work
from tests.cli.conftest import Command

WORK = Work(outside=17_536_296_960, calls=(), parameters=37_697_676, used=33_269_516)


@pytest.fixture
def two_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(complexity, "VARIANTS", (ALGNET, CONCATENATION))
    monkeypatch.setattr(Variant, "count", lambda _: WORK)
    forward = Forward(1.25, 3 << 29, "bfloat16")
    monkeypatch.setattr(complexity, "time_forward", lambda *_: forward)


def test_speed_of_the_network_at_hand(fake_deblur: Command) -> None:
    finished = fake_deblur("bench", "--size", "64x48", "--runs", "2", "--device", "cpu")
    assert finished.returncode == 0, finished.stderr
    for part in ("inverter on cpu", "64 x 48, in 1 tile", "in 2 runs", "megapixels/s"):
        assert part in finished.stdout


def test_speed_as_json(fake_deblur: Command) -> None:
    finished = fake_deblur("bench", "--size", "64x48", "--json", "--device", "cpu")
    (line,) = map(json.loads, finished.stdout.splitlines())
    assert (line["schema"], line["event"]) == (1, "bench")
    assert (line["width"], line["height"], len(line["seconds"])) == (64, 48, 5)
    assert line["megapixels_per_second"] == pytest.approx(64 * 48 / 1e6 / line["median"])


@pytest.mark.parametrize("size", ["64", "15x64", "64x99999", "-64x64", "64x48x3"])
def test_sizes_that_make_no_picture_are_refused(deblur: Command, size: str) -> None:
    finished = deblur("bench", "--size", size)
    assert finished.returncode == 2
    assert "WIDTHxHEIGHT" in finished.stderr


@pytest.mark.usefixtures("two_networks")
def test_complexity_is_told_beside_the_papers(deblur: Command) -> None:
    finished = deblur("bench", "--complexity")
    assert finished.returncode == 0, finished.stderr
    rows = {line.split("  ")[1]: line for line in finished.stdout.splitlines() if "  " in line}
    for cell in ("37.70", "33.27", "17.54", "17", "bfloat16", "1.250", "0.237", "1.50 GiB"):
        assert cell in rows["ALGNet"]
    assert "1.250" not in rows["ALGNet, branches concatenated"]
    assert "Why ALGNet's published 17 G is 17 G" in finished.stdout


@pytest.mark.usefixtures("two_networks")
def test_complexity_as_json(deblur: Command) -> None:
    lines = [
        json.loads(line)
        for line in deblur("bench", "--complexity", "--json").stdout.split("\n")[:-1]
    ]
    assert [line["event"] for line in lines] == ["complexity"] * 2
    first, second = lines
    assert first["macs_with_scan"] == first["macs"] == WORK.outside
    assert first["published"] == {"parameters": None, "gmacs": 17, "seconds": 0.237}
    assert (first["seconds"], second["seconds"]) == (1.25, None)
    assert second["config"] == {"fusion": "concat"}


@pytest.mark.parametrize("option", [("--model", "x"), ("--tile", "64"), ("--overlap", "8")])
def test_complexity_takes_no_weights_and_no_tiles(deblur: Command, option: tuple[str, str]) -> None:
    finished = deblur("bench", "--complexity", *option)
    assert finished.returncode == 2
    assert "leave out --model" in finished.stderr


def test_complexity_on_a_device_that_is_not_there(deblur: Command) -> None:
    assert deblur("bench", "--complexity", "--device", "abacus").returncode == 3
