from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.checkpoints.run_folder import tiny_model
from tests.cli.conftest import Command
from tests.pipeline.fakes import save_picture


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    torch.save(tiny_model(1).network.state_dict(), tmp_path / "net.pth")
    return save_picture(tmp_path / "photo.jpg", size=(48, 40))


def test_paths_are_the_result(deblur: Command, photo: Path) -> None:
    finished = deblur("inspect", photo, "--weights", "net.pth", "--crop", "32", "--at", "3,4")
    assert finished.returncode == 0, finished.stderr
    paths = [Path(line) for line in finished.stdout.splitlines()]
    assert [path.name for path in paths] == ["channels.png", "features.png", "receptive-field.png"]
    assert {path.parent for path in paths} == {photo.with_name("photo_inspected")}
    assert all(path.stat().st_size > 1000 for path in paths)
    assert "net on cpu, float32" in finished.stderr


def test_json_lines(deblur: Command, photo: Path) -> None:
    finished = deblur(
        "inspect", photo, "--weights", "net.pth", "--crop", 32, "-o", "there", "--json", "--quiet"
    )
    assert finished.stderr == ""
    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [(line["schema"], line["event"]) for line in lines] == [(1, "drawn")] * 3
    assert lines[0]["path"] == "there/channels.png"
    assert lines[2]["figures"]["sides"].keys() == {"0.5", "0.9", "0.99"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--at", "3;4"), 2, "'3;4' is not X,Y"),
        (("--at", "48,0"), 2, "no pixel at 48,0"),
        (("--crop", "8"), 2, "--crop"),
        (("--weights", "absent.pth"), 3, "absent.pth"),
        (("--device", "abacus"), 3, "abacus"),
    ],
)
def test_bad_wishes_are_refused(
    deblur: Command, photo: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    finished = deblur("inspect", photo, *arguments)
    assert finished.returncode == code
    assert message in finished.stderr
    assert not photo.with_name("photo_inspected").exists()


def test_damaged_photo_is_named(deblur: Command, photo: Path) -> None:
    photo.write_bytes(photo.read_bytes()[:200])
    finished = deblur("inspect", photo, "--weights", "net.pth")
    assert finished.returncode == 3
    assert "photo.jpg" in finished.stderr
