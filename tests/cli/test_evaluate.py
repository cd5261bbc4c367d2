from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from deblur_cli.metrics.niqe import load_niqe_model
from tests.cli.conftest import Command, process_environment
from tests.data.layouts import WRITERS, numbered, textured, write_picture
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


def test_the_model_of_niqe_stands_beside_its_figures(fake_deblur: Command, tmp_path: Path) -> None:
    write_picture(tmp_path / "photos/1.png", textured(1, 200, 300)[0][0])
    arguments = ("eval", "--dataset", "photos", "--metrics", "niqe", "-o", "out")
    finished = fake_deblur(*arguments)
    assert "fitted on 301 sharp photographs, which is not MATLAB's" in finished.stderr
    for kind in ("csv", "json", "md", "tex"):
        assert "fitted on 301 sharp photographs" in (tmp_path / f"out/table.{kind}").read_text()
    model = load_niqe_model()
    savemat(tmp_path / "a.mat", {"mu_prisparam": model.mean, "cov_prisparam": model.covariance})
    finished = fake_deblur(*arguments, "--metric-weights", "niqe=a.mat", "--json")
    assert "NIQE by the model in a.mat" in finished.stderr
    assert "niqe_given" in json.loads(finished.stdout.splitlines()[0])


def test_infinite_figures_are_null_in_json(fake_deblur: Command, tmp_path: Path) -> None:
    for folder in ("blur", "sharp"):
        save_picture(tmp_path / folder / "1.png", size=(16, 16))
    finished = fake_deblur("eval", "--dataset", tmp_path, "--json")
    assert "Infinity" not in finished.stdout
    assert json.loads(finished.stdout.splitlines()[0])["psnr_before"] is None


def test_unknown_dataset(fake_deblur: Command) -> None:
    finished = fake_deblur("eval", "--dataset", "gorpo")
    assert finished.returncode == 2
    assert "'gorpo' is no folder" in finished.stderr


def test_set_that_is_not_there(fake_deblur: Command) -> None:
    finished = fake_deblur("eval", "--dataset", "gopro")
    assert finished.returncode == 2
    assert "the test split of gopro is not there" in finished.stderr


@pytest.mark.parametrize("devices", ["cuda:0,cuda:1", "cpu,cpu", "all"])
def test_several_devices_are_refused(deblur: Command, pairs: Path, devices: str) -> None:
    finished = deblur("eval", "--dataset", "pairs", "--device", devices)
    assert finished.returncode == 2
    assert f"'{devices}' stands for several devices" in finished.stderr
    assert finished.stdout == ""


def test_published_set_beside_the_papers(fake_deblur: Command, tmp_path: Path) -> None:
    names = WRITERS["gopro"](tmp_path / "sets", "test", numbered(3))
    for number, name in enumerate(names):
        grey = np.full((24, 32, 3), number + 111, np.uint8)
        write_picture(tmp_path / "earlier" / f"{name}.png", grey)
    arguments = ("--dataset", "gopro", "--data", "sets", "--blurred", "--results", "earlier")
    model = ("--model", "algnet-small-motion")
    finished = fake_deblur("eval", *arguments, *model, "-o", "out", "--save", "kept")
    assert finished.returncode == 0
    title, header, *rows = finished.stdout.splitlines()
    assert title.startswith("gopro: ")
    assert header.split()[:2] == ["part", "method"]
    cells = {row.split()[0]: row.split() for row in rows if row}
    assert float(cells["blurred"][1]) == pytest.approx(20 * math.log10(255 / 100), abs=5e-4)
    assert float(cells["earlier"][1]) == pytest.approx(20 * math.log10(255 / 10), abs=5e-4)
    assert cells["XYScanNet"][1] == "33.91"
    assert "inverter" in cells
    assert "measured (3 pictures)" in finished.stdout
    assert "1,111 were published" in finished.stderr
    assert "inverter: 3/3" in finished.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"records", "table.csv"}
    assert (tmp_path / f"kept/{names[0]}.png").is_file()


@pytest.mark.parametrize("name", ["gopro", "hide", "realblur-r"])
def test_results_that_were_saved_measure_the_same(
    fake_deblur: Command, tmp_path: Path, name: str
) -> None:
    WRITERS[name](tmp_path / "sets", "test", textured(3))
    dataset = ("--dataset", name, "--data", "sets", "--json")
    direct = fake_deblur("eval", *dataset, "--save", "kept").stdout
    again = fake_deblur("eval", *dataset, "--results", "kept").stdout
    assert again == direct.replace('"inverter"', '"kept"')
    assert len(direct.splitlines()) == 4


def test_several_candidates_in_json(fake_deblur: Command, pairs: Path) -> None:
    finished = fake_deblur(
        "eval", "--dataset", "pairs", "--blurred", "--results", "pairs", "--json"
    )
    assert finished.returncode == 2  # pairs/blur/1 is not called 1
    options = ("--blurred", "--results", "pairs/sharp", "--json")
    finished = fake_deblur("eval", "--dataset", "pairs", *options)
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line["model"] for line in lines] == ["blurred"] * 3 + ["sharp"] * 3
    assert [line["psnr_gain"] for line in lines] == [0, 0, 0, None, None, None]


def test_broken_pictures_are_told_and_end_with_one(fake_deblur: Command, pairs: Path) -> None:
    (pairs / "blur/1.png").write_text("no picture")
    finished = fake_deblur("eval", "--dataset", "pairs", "--json")
    assert finished.returncode == 1
    failed, score, mean = (json.loads(line) for line in finished.stdout.splitlines())
    assert (failed["event"], failed["source"], failed["code"]) == ("failed", "1", "unreadable")
    assert score["psnr_gain"] == mean["psnr_gain"]
    assert "1.png" in finished.stderr
    (pairs / "sharp/2.png").write_text("no picture")
    finished = fake_deblur("eval", "--dataset", "pairs")
    assert finished.returncode == 3
    assert finished.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--metrics", "psnr,vmaf"), "no metric is named 'vmaf'"),
        (("--task", "portrait", "--blurred"), "no weights for the task 'portrait'"),
        (("--results", "nowhere"), "no such folder"),
        (("--results", "pairs/sharp", "--results", "sharp"), "two candidates are named 'sharp'"),
        (("--model", "resnet"), "there is no model 'resnet'"),
        (("--part", "indoor.txt"), "only published sets have parts"),
        (("--plots",), "--plots needs a folder"),
        (("--metric-weights", "vgg=a.pth"), "names no model of a metric and file"),
        (("--metric-weights", "lpips=a.pth"), "a.pth: --metric-weights names no file"),
        (("--metric-weights", "niqe=pairs/blur/1.png"), "nothing that is measured here needs"),
        (("--data", "."), "--data is for published sets"),
        (("--save", "pairs/blur"), "among the pictures that are measured"),
        (("--save", "pairs/../pairs/sharp"), "among the pictures that are measured"),
    ],
)
def test_wrong_usage(
    fake_deblur: Command, pairs: Path, arguments: tuple[str, ...], said: str
) -> None:
    for number in (1, 2):
        save_picture(pairs.parent / f"sharp/{number}.png", size=(16, 16))
    finished = fake_deblur("eval", "--dataset", "pairs", *arguments)
    assert finished.returncode == 2
    assert said in finished.stderr
    assert finished.stdout == ""


def test_results_are_not_called_as_the_network_is(fake_deblur: Command, pairs: Path) -> None:
    for number in (1, 2):
        save_picture(pairs.parent / f"inverter/{number}.png", size=(16, 16))
    options = ("--results", "inverter", "--model", "algnet-small-motion")
    finished = fake_deblur("eval", "--dataset", "pairs", *options)
    assert finished.returncode == 2
    assert "two candidates are named 'inverter'" in finished.stderr


def test_pooling_is_a_setting_of_the_network(deblur: Command, pairs: Path, tmp_path: Path) -> None:
    options = ("--model", "algnet-small-motion", "--pooling", "64", "--device", "cpu")
    assert deblur("eval", "--dataset", "pairs", *options, "-o", "out").returncode == 0
    made = json.loads((tmp_path / "out/table.json").read_text())
    assert made["settings"]["algnet-small-motion"]["pooling"] == 64


def test_an_evaluation_that_was_killed_goes_on(
    fake_deblur: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        for kind, value in (("blur", number), ("sharp", 100 + number)):
            save_picture(tmp_path / f"set/{kind}/{number:02}.png", value=value, size=(16, 16))
    command = ("eval", "--dataset", "set", "-o", "out")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", *command],
        cwd=tmp_path,
        env=process_environment(FAKE_SECONDS="0.2"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def known() -> int:
        files = (tmp_path / "out/records").glob("*.jsonl")
        return sum(max(0, len(file.read_bytes().splitlines()) - 1) for file in files)

    while known() < 3 and process.poll() is None:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    before = known()
    assert 0 < before < 40
    finished = fake_deblur(*command)
    assert finished.returncode == 0
    assert len(finished.stdout.splitlines()) == 42
    assert 40 <= known() <= 41  # the last line may have been cut
