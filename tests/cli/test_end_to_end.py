"""`deblur run` with the bundled networks, on a photo that carries metadata."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from deblur_cli import Deblurrer
from deblur_cli.imaging.read import read_photo
from tests.cli.conftest import Command

ORIENTATION, ARTIST = 0x0112, 0x013B


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A landscape picture that its orientation tag makes a portrait."""
    rng = np.random.default_rng(3)
    picture = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((80, 48))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif[ARTIST] = "somebody"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = tmp_path / "photos/portrait.png"
    path.parent.mkdir()
    picture.save(path, exif=exif, icc_profile=profile)
    return path


@pytest.mark.parametrize("task", ["motion", "defocus"])
def test_photo_comes_back_upright_with_its_metadata(
    deblur: Command, photo: Path, task: str
) -> None:
    finished = deblur("run", "photos", "--task", task, "--dtype", "float32")
    assert finished.returncode == 0, finished.stderr
    result = photo.parents[1] / "photos_deblurred/portrait.png"
    with Image.open(photo) as before, Image.open(result) as after:
        assert after.size == (48, 80)
        assert after.getexif().get(ORIENTATION, 1) == 1
        assert after.getexif()[ARTIST] == "somebody"
        assert after.info["icc_profile"] == before.info["icc_profile"]
        pixels = np.asarray(after)
    expected = Deblurrer.from_pretrained(task, dtype="float32")(read_photo(photo).pixels)
    np.testing.assert_array_equal(pixels, expected)
    assert (pixels != read_photo(photo).pixels).any()
    assert "already done 1" in deblur("run", "photos", "--task", task, "--dtype", "float32").stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (["--task", "sleep"], 2, "sleep"),
        (["--model", "none-such"], 2, "none-such"),
        (["--weights", "gone.safetensors"], 3, "gone.safetensors"),
        (["--weights", "broken.safetensors"], 3, "broken.safetensors"),
        (["--device", "cuda:99"], 3, "cuda:99"),
        (["--max-memory", "much"], 2, "much"),
    ],
)
def test_what_cannot_be_loaded_is_one_line(
    deblur: Command, photo: Path, arguments: list[str], exit_code: int, said: str
) -> None:
    Path("broken.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{no header")
    finished = deblur("run", "photos", *arguments)
    assert finished.returncode == exit_code
    assert len(finished.stderr.splitlines()) == 1
    assert said in finished.stderr
    assert not Path("photos_deblurred").exists()
