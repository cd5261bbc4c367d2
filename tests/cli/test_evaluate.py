from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    for number in (1, 2):
        save_picture(tmp_path / f"pairs/blur/{number}.png", value=100, size=(16, 16))
        save_picture(tmp_path / f"pairs/sharp/{number}.png", value=150, size=(16, 16))
    return tmp_path / "pairs"


def test_table(fake_deblur: Command, pairs: Path) -> None:
    finished = fake_deblur("eval", "--dataset", "pairs")
    assert finished.returncode == 0
    header, *rows = finished.stdout.splitlines()
    assert header.split()[:4] == ["image", "psnr_before", "psnr_after", "psnr_gain"]
    assert [row.split()[0] for row in rows] == ["1", "2", "mean"]
    assert rows[0].split()[3] == "+20.000"  # 50 grey levels off before, 5 after
    assert finished.stderr == "inverter on cpu\n"


def test_defocus_has_the_colour_fit(fake_deblur: Command, pairs: Path) -> None:
    finished = fake_deblur("eval", "--dataset", "pairs", "--task", "defocus")
    assert "fit_gain" in finished.stdout.splitlines()[0]


def test_json(fake_deblur: Command, pairs: Path) -> None:
    finished = fake_deblur("eval", "--dataset", "pairs/sharp", "--json")
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line["name"] for line in lines] == ["1", "2", "mean"]
    assert all(line["event"] == "score" and "psnr_to_input" in line for line in lines)


def test_infinite_figures_are_null_in_json(fake_deblur: Command, tmp_path: Path) -> None:
    for folder in ("blur", "sharp"):
        save_picture(tmp_path / folder / "1.png", size=(16, 16))
    finished = fake_deblur("eval", "--dataset", tmp_path, "--json")
    assert "Infinity" not in finished.stdout
    assert json.loads(finished.stdout.splitlines()[0])["psnr_before"] is None


def test_unknown_dataset(fake_deblur: Command) -> None:
    finished = fake_deblur("eval", "--dataset", "gopro")
    assert finished.returncode == 2
    assert "'gopro' is no folder" in finished.stderr


@pytest.mark.parametrize("devices", ["cuda:0,cuda:1", "cpu,cpu", "all"])
def test_several_devices_are_refused(deblur: Command, pairs: Path, devices: str) -> None:
    finished = deblur("eval", "--dataset", "pairs", "--device", devices)
    assert finished.returncode == 2
    assert f"'{devices}' stands for several devices" in finished.stderr
    assert finished.stdout == ""
