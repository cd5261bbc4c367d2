"""Every option of `deblur run` that chooses inputs, results or the course of a batch."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from PIL.ExifTags import Base

import deblur_cli
from deblur_cli.pipeline.ledger.records import Fingerprint
from tests.cli.conftest import Command, process_environment
from tests.pipeline.fakes import mean_of, save_picture

TREE = ("a.png", "b.jpg", "town/c.png", "town/old/d.webp")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in TREE:
        save_picture(tmp_path / "photos" / name)
    return tmp_path / "photos"


def _results(folder: Path) -> list[str]:
    """The files below a folder, without its ledger."""
    files = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in files if ".deblur" not in path.parts)


def _made(photos: Path) -> list[str]:
    return _results(photos.with_name("photos_deblurred"))


def test_help_groups_the_options(deblur: Command) -> None:
    shown = deblur("run", "--help").stdout
    headings = [line for line in shown.splitlines() if line.endswith(":") and line[0] != " "]
    assert headings == [
        *("Arguments:", "Inputs:", "Results:", "Restoration:", "Network:", "Batch:", "Options:")
    ]


def test_include_and_exclude(fake_deblur: Command, photos: Path) -> None:
    options = ["--include", "*.png", "--include", "*.webp", "--exclude", "old"]
    finished = fake_deblur("run", "photos", *options)
    assert finished.returncode == 0
    assert "restored 2, left out 2, already done 0" in finished.stderr
    assert _made(photos) == ["a.png", "town/c.png"]
    rest = fake_deblur("run", "photos", "--json")
    assert json.loads(rest.stdout.splitlines()[-1])["already_done"] == 2
    assert _made(photos) == list(TREE)


def test_no_recursive(fake_deblur: Command, photos: Path) -> None:
    fake_deblur("run", "photos", "--no-recursive")
    assert _made(photos) == ["a.png", "b.jpg"]


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_files_from_a_list_and_from_stdin(
    fake_deblur: Command, photos: Path, monkeypatch: pytest.MonkeyPatch, separator: str
) -> None:
    listed = separator.join(["photos/a.png", "photos/town/c.png", ""])
    (photos.parent / "list").write_text(listed)
    assert fake_deblur("run", "--files-from", "list", "-o", "out").returncode == 0
    assert _results(photos.parent / "out") == ["photos/a.png", "photos/town/c.png"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(listed.encode())))
    again = fake_deblur("run", "--files-from", "-", "-o", "out")
    assert "already done 2" in again.stderr


def test_shards_share_the_work_and_the_folder(fake_deblur: Command, photos: Path) -> None:
    made: list[str] = []
    for index in (1, 2, 3):
        finished = fake_deblur("run", "photos", "--shard", f"{index}/3")
        assert finished.returncode == 0
        assert "already done 0" in finished.stderr
        made = _made(photos)
    assert made == list(TREE)
    save_picture(photos / "0.png")
    assert "restored 1" in fake_deblur("run", "photos").stderr


def test_limit_counts_what_is_not_done(fake_deblur: Command, photos: Path) -> None:
    assert fake_deblur("run", "photos", "--limit", "1").returncode == 0
    assert _made(photos) == ["a.png"]
    second = fake_deblur("run", "photos", "--limit", "2")
    assert "restored 2, left out 1, already done 1" in second.stderr
    assert len(fake_deblur("run", "photos", "--limit", "2", "--dry-run").stdout.splitlines()) == 4
    assert "restored 1, already done 3" in fake_deblur("run", "photos", "--limit", "9").stderr


def test_fail_fast_ends_the_batch(fake_deblur: Command, photos: Path) -> None:
    for number in range(30):
        save_picture(photos / f"{number:02}.png")
    (photos / "00.png").write_text("no picture")
    finished = fake_deblur("run", "photos", "--fail-fast", "--json")
    assert finished.returncode == 1
    assert "the same command resumes" in finished.stderr
    assert json.loads(finished.stdout.splitlines()[-1])["remaining"] > 20
    missing = fake_deblur("run", "gone.png", "photos", "--fail-fast", "-o", "other")
    assert missing.returncode == 1
    assert _results(photos.parent / "other") == []


def test_retry_failed(fake_deblur: Command, photos: Path) -> None:
    assert fake_deblur("run", "photos", "--retry-failed").returncode == 0
    assert _made(photos) == []
    good = (photos / "a.png").read_bytes()
    (photos / "a.png").write_text("no picture")
    assert fake_deblur("run", "photos", "--limit", "2").returncode == 1
    again = fake_deblur("run", "photos", "--retry-failed", "--json")
    assert again.returncode == 3
    assert json.loads(again.stdout.splitlines()[0])["total"] == 1
    (photos / "a.png").write_bytes(good)
    assert "restored 1, left out 3" in fake_deblur("run", "photos", "--retry-failed").stderr
    assert "left out 4" in fake_deblur("run", "photos", "--retry-failed").stderr
    assert _made(photos) == ["a.png", "b.jpg"]


def test_max_pixels(fake_deblur: Command, photos: Path) -> None:
    save_picture(photos / "large.png", size=(20, 20))
    finished = fake_deblur("run", "photos", "--max-pixels", "200")
    assert finished.returncode == 1
    assert "large.png: 20 x 20 pixels are more than" in finished.stderr
    assert "already done 4" in fake_deblur("run", "photos", "--max-pixels", "400").stderr


def test_name(fake_deblur: Command, photos: Path) -> None:
    name = ["--name", "{task}/{stem}_{model}{ext}"]
    assert fake_deblur("run", "photos", *name).returncode == 0
    assert _made(photos) == [
        *("motion/a_inverter.png", "motion/b_inverter.jpg"),
        *("town/motion/c_inverter.png", "town/old/motion/d_inverter.webp"),
    ]
    assert "already done 4" in fake_deblur("run", "photos", *name).stderr


def test_format_depth_and_quality(fake_deblur: Command, photos: Path) -> None:
    save_picture(photos / "noise.jpg", size=(64, 64))
    for options in (["-o", "low", "--quality", "10"], ["-o", "high", "--quality", "99"]):
        assert fake_deblur("run", "photos", "--format", "jpeg", *options).returncode == 0
    low, high = (photos.parent / name / "noise.jpg" for name in ("low", "high"))
    assert low.stat().st_size < high.stat().st_size
    assert _results(photos.parent / "low")[0] == "a.jpg"
    assert fake_deblur("run", "photos", "--format", "tif", "--quality", "9").returncode == 0
    deeper = fake_deblur("run", "photos", "--format", "tif", "--depth", "8")
    assert deeper.returncode == 1
    assert "is not the result of this input with these settings" in deeper.stderr


def _save_with_exif(path: Path) -> None:
    exif = Image.Exif()
    exif[Base.Artist], exif[Base.Software] = "somebody", "camera 1"
    exif[Base.Orientation] = 6
    with Image.open(path) as picture:
        picture.save(path, exif=exif)


def test_strip_and_the_name_of_the_program(fake_deblur: Command, photos: Path) -> None:
    _save_with_exif(photos / "b.jpg")
    assert fake_deblur("run", "photos").returncode == 0
    assert fake_deblur("run", "photos", "--strip", "-o", "out").returncode == 0
    with Image.open(photos.parent / "photos_deblurred/b.jpg") as kept:
        exif = kept.getexif()
        assert exif[Base.Artist] == "somebody"
        assert exif[Base.Software].startswith(f"deblur {deblur_cli.__version__} (inverter)")
        assert "camera 1" in exif[Base.Software]
        assert kept.size == (8, 12)
    with Image.open(photos.parent / "out/b.jpg") as bare:
        assert dict(bare.getexif()) == {}
        assert bare.size == (8, 12)


def test_in_place(fake_deblur: Command, photos: Path) -> None:
    (photos / "a.png").chmod(0o640)
    shown = fake_deblur("run", "photos", "--in-place", "--dry-run")
    assert shown.stdout.startswith("replace: photos/a.png -> ")
    assert mean_of(photos / "a.png") == 40
    assert fake_deblur("run", "photos", "--in-place").returncode == 0
    assert _results(photos) == list(TREE)
    assert mean_of(photos / "a.png") == 215
    assert (photos / "a.png").stat().st_mode & 0o777 == 0o640
    again = fake_deblur("run", "photos", "--in-place")
    assert "restored 0, already done 4" in again.stderr
    assert mean_of(photos / "a.png") == 215
    other = fake_deblur("run", "photos", "--in-place", "--strength", "0.5")
    assert other.returncode == 1
    assert "restored in place before" in other.stderr
    assert fake_deblur("run", "photos", "--in-place", "--overwrite").returncode == 0
    assert mean_of(photos / "a.png") == 215


def test_in_place_through_a_link_keeps_the_link(fake_deblur: Command, photos: Path) -> None:
    (photos.parent / "link.png").symlink_to(photos / "a.png")
    assert fake_deblur("run", "link.png", "--in-place").returncode == 0
    assert (photos.parent / "link.png").is_symlink()
    assert mean_of(photos / "a.png") == 215


def test_in_place_killed_at_any_moment_restores_everything_once(
    fake_deblur: Command, tmp_path: Path
) -> None:
    for number in range(12):
        save_picture(tmp_path / f"photos/{number}.tif")
    command = [sys.executable, "-m", "tests.cli.fake_deblur", "run", "photos", "--in-place"]
    for ended in (2, 5):
        process = subprocess.Popen(
            [*command, "--preserve-times", "--json"],
            env=process_environment(FAKE_SECONDS="0.05"),
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        for _ in range(ended + 1):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert fake_deblur("run", "photos", "--in-place", "--preserve-times").returncode == 0
    assert {mean_of(tmp_path / f"photos/{number}.tif") for number in range(12)} == {215}


def _save_noise(path: Path, blur: float) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (160, 200), np.uint8)
    edges = Image.fromarray(noise).resize((800, 640), Image.Resampling.NEAREST)
    edges.filter(ImageFilter.GaussianBlur(blur)).save(path)


def test_skip_sharp(fake_deblur: Command, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    _save_noise(tmp_path / "in/blurred.png", 4)
    _save_noise(tmp_path / "in/sharp.png", 0)
    finished = fake_deblur("run", "in", "--skip-sharp", "auto", "--json")
    assert finished.returncode == 0
    assert "restored 1, left 1 sharp ones as they are, already done 0" in finished.stderr
    events = {line["source"]: line for line in map(json.loads, finished.stdout.splitlines()[1:-1])}
    assert events["in/blurred.png"]["event"] == "restored"
    assert events["in/sharp.png"]["event"] == "left-sharp"
    assert events["in/sharp.png"]["score"] > 0.5
    sharp = tmp_path / "in/sharp.png"
    assert (tmp_path / "in_deblurred/sharp.png").read_bytes() == sharp.read_bytes()
    assert "already done 2" in fake_deblur("run", "in", "--skip-sharp", "0.5").stderr
    assert "restored 2" in fake_deblur("run", "in", "--skip-sharp", "1", "-o", "all").stderr


def test_sharp_pictures_get_the_format_that_is_asked_for(
    fake_deblur: Command, photos: Path
) -> None:
    _save_noise(photos / "sharp.gif", 0)
    skip = ["--skip-sharp", "0", "--no-recursive"]
    first = fake_deblur("run", "photos", *skip, "--json")
    assert "left 3 sharp" in first.stderr
    assert "photos/sharp.gif: a GIF becomes a PNG" in first.stderr
    told = {line.get("source"): line for line in map(json.loads, first.stdout.splitlines())}
    assert "a GIF becomes a PNG" in told["photos/sharp.gif"]["warnings"]
    assert told["photos/a.png"]["warnings"] == []
    assert _made(photos) == ["a.png", "b.jpg", "sharp.png"]
    with Image.open(photos.parent / "photos_deblurred/sharp.png") as result:
        assert result.format == "PNG"
    fake_deblur("run", "photos", *skip, "--format", "tif", "-o", "out")
    assert _results(photos.parent / "out") == ["a.tif", "b.tif", "sharp.tif"]
    assert mean_of(photos.parent / "out/a.tif") == 40


def test_sharp_pictures_in_place_are_not_touched(fake_deblur: Command, photos: Path) -> None:
    before = Fingerprint.of(photos / "a.png")
    assert "left 4 sharp" in fake_deblur("run", "photos", "--in-place", "--skip-sharp", "0").stderr
    assert Fingerprint.of(photos / "a.png") == before
    assert _results(photos) == list(TREE)


def test_preserve_times(fake_deblur: Command, photos: Path) -> None:
    os.utime(photos / "a.png", ns=(5_000_000_123, 7_000_000_321))
    fake_deblur("run", "photos", "--no-recursive")
    result = photos.with_name("photos_deblurred") / "a.png"
    assert result.stat().st_mtime_ns != 7_000_000_321
    for arguments in (["photos"], ["photos", "-o", "out"]):
        assert fake_deblur("run", *arguments, "--preserve-times").returncode == 0
    for path in (result, photos.parent / "out/a.png"):
        assert path.stat().st_mtime_ns == 7_000_000_321
    assert fake_deblur("run", photos / "a.png", "--in-place", "--preserve-times").returncode == 0
    assert (photos / "a.png").stat().st_mtime_ns == 7_000_000_321
    assert mean_of(photos / "a.png") == 215


def test_compare(fake_deblur: Command, photos: Path) -> None:
    fake_deblur("run", "photos", "--no-recursive")
    assert fake_deblur("run", "photos", "--compare", "photos/sheets").returncode == 0
    sheets = [f"{name}.jpg" for name in TREE]
    assert _results(photos / "sheets") == sheets
    with Image.open(photos / "sheets/a.png.jpg") as sheet:
        assert (
            max(abs(sheet.getpixel((12, 32))[0] - 40), abs(sheet.getpixel((32, 32))[0] - 215)) < 9
        )
    again = fake_deblur("run", "photos", "--compare", "photos/sheets")
    assert "restored 0, already done 4" in again.stderr
    assert _results(photos / "sheets") == sheets


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["photos", "--shard", "4/3"], "--shard 4/3 is no share"),
        (["photos", "--limit", "0"], "limit"),
        (["photos", "--name", "{stem}_{size}{ext}"], "no field {size}"),
        (["photos", "--name", "../{stem}{ext}"], "out of the output folder"),
        (["photos/*", "photos/town/*", "--name", "x", "-o", "y"], "another format"),
        (
            ["photos/*", "photos/town/*", "--include", "*.png", "--name", "x{ext}", "-o", "y"],
            "y/x.png would be the result of both photos/a.png and photos/town/c.png",
        ),
        (["photos", "--name", "{stem}.bmp"], "another format"),
        (["photos", "--format", "docx"], "--format docx: 'docx' is no format"),
        (["photos", "--format", "jpg", "--depth", "16"], "JPEG has no depth of 16"),
        (["photos", "--depth", "12"], "depth"),
        (["photos", "--quality", "0"], "quality"),
        (["photos", "--in-place", "-o", "out"], "--in-place and --output exclude each other"),
        (["photos", "--in-place", "--name", "x{ext}"], "--in-place and --name exclude"),
        (["photos", "--in-place", "--format", "png"], "--in-place and --format exclude"),
        (["photos", "--skip-sharp", "very"], "neither 'auto' nor a score"),
        (["photos", "--skip-sharp", "2"], "--skip-sharp 2.0 is not between 0 and 1"),
        (["photos", "--skip-sharp", "nan"], "--skip-sharp nan is not between 0 and 1"),
        (["--files-from", "gone"], "gone: the list of inputs cannot be read"),
        (["-", "photos"], "does not go with other inputs"),
        (["-", "--json"], "does not go with --json"),
        (["-", "-o", "out"], "does not go with --output"),
        (["-", "--files-from", "-"], "does not go with --files-from"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_done(
    fake_deblur: Command, photos: Path, arguments: list[str], said: str
) -> None:
    finished = fake_deblur("run", *arguments)
    assert finished.returncode == 2
    assert said in finished.stderr
    assert finished.stdout == ""
    assert [path.name for path in photos.parent.iterdir()] == ["photos"]
