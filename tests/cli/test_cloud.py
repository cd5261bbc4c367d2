"""`deblur run` and `deblur status` on objects of an S3 server."""

from __future__ import annotations

import itertools
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deblur_cli.pipeline.paths import LEDGER_FOLDER
from deblur_cli.storage.remote import located
from tests.cli.conftest import Command, process_environment
from tests.pipeline.fakes import mean_of, save_picture
from tests.storage.s3 import SECRET, forget, make_bucket, names, serving, upload

_numbers = itertools.count()


@pytest.fixture(scope="module", autouse=True)
def _server() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def bucket(tmp_path: Path) -> str:
    """A bucket with three pictures and a text."""
    for name in ("a.png", "town/b.jpg", "town/c.png"):
        save_picture(tmp_path / "photos" / name, value=40)
    (tmp_path / "photos/notes.txt").write_text("text")
    url = make_bucket(f"bucket{next(_numbers)}")
    upload(tmp_path / "photos", f"{url}/photos")
    return url


def _results(url: str) -> list[str]:
    return [name for name in names(url) if LEDGER_FOLDER not in name]


def test_from_bucket_to_bucket_and_once(fake_deblur: Command, bucket: str, tmp_path: Path) -> None:
    command = ("run", f"{bucket}/photos", "-o", f"{bucket}/out", "--json")
    first = fake_deblur(*command)
    assert first.returncode == 0, first.stderr
    assert _results(f"{bucket}/out") == ["a.png", "town/b.jpg", "town/c.png"]
    result = tmp_path / "result.png"
    result.write_bytes(located(f"{bucket}/out/a.png").read_bytes())
    assert mean_of(result) == 215
    lines = [json.loads(line) for line in first.stdout.splitlines()]
    assert lines[1]["source"].startswith(f"{bucket}/photos/")
    assert lines[0]["skipped"] == 1
    again = json.loads(fake_deblur(*command).stdout.splitlines()[-1])
    assert (again["restored"], again["already_done"]) == (0, 3)
    shown = fake_deblur("status", f"{bucket}/out")
    assert shown.stdout == "done 3, failed 0, in hand 0, interrupted 0, missing 0\n"


def test_what_changed_or_is_gone_is_made_again(
    fake_deblur: Command, bucket: str, tmp_path: Path
) -> None:
    command = ("run", f"{bucket}/photos", "-o", f"{bucket}/out", "--json", "--overwrite")
    fake_deblur(*command)
    located(f"{bucket}/out/a.png").unlink()
    save_picture(tmp_path / "other/c.png", value=90)
    upload(tmp_path / "other", f"{bucket}/photos/town")
    assert "missing: " in fake_deblur("status", f"{bucket}/out").stdout
    again = json.loads(fake_deblur(*command).stdout.splitlines()[-1])
    assert (again["restored"], again["already_done"]) == (2, 1)


def test_between_folder_and_bucket(fake_deblur: Command, bucket: str, tmp_path: Path) -> None:
    assert fake_deblur("run", f"{bucket}/photos", "-o", "here").returncode == 0
    assert mean_of(tmp_path / "here/town/c.png") == 215
    for restored in (3, 0):
        ended = fake_deblur("run", "photos", "-o", f"{bucket}/there", "--json")
        assert json.loads(ended.stdout.splitlines()[-1])["restored"] == restored
    assert _results(f"{bucket}/there") == ["a.png", "town/b.jpg", "town/c.png"]


def test_mirrored_beside_itself_and_by_patterns_and_names(
    fake_deblur: Command, bucket: str
) -> None:
    assert fake_deblur("run", f"{bucket}/photos").returncode == 0
    assert _results(f"{bucket}/photos_deblurred") == ["a.png", "town/b.jpg", "town/c.png"]
    assert fake_deblur("run", f"{bucket}/*/*/*.png", "-o", f"{bucket}/some").returncode == 0
    assert _results(f"{bucket}/some") == ["photos/town/c.png"]
    assert fake_deblur("run", f"{bucket}/photos/a.png", "-o", f"{bucket}/z.png").returncode == 0
    assert "z.png" in names(bucket)


def test_a_damaged_picture_fails_alone(fake_deblur: Command, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/d.png").write_text("no picture")
    upload(tmp_path / "bad", f"{bucket}/photos")
    ended = fake_deblur("run", f"{bucket}/photos", "-o", f"{bucket}/out")
    assert ended.returncode == 1
    assert f"{bucket}/photos/d.png: not an image" in ended.stderr
    assert fake_deblur("status", f"{bucket}/out").returncode == 1
    retried = fake_deblur("run", f"{bucket}/photos", "-o", f"{bucket}/out", "--retry-failed")
    assert retried.returncode == 3


def test_shards_share_the_work(fake_deblur: Command, bucket: str) -> None:
    restored = 0
    for part in ("1/2", "2/2"):
        run = fake_deblur(
            "run", f"{bucket}/photos", "-o", f"{bucket}/out", "--shard", part, "--json"
        )
        assert run.returncode == 0, run.stderr
        restored += json.loads(run.stdout.splitlines()[-1])["restored"]
    assert restored == 3
    assert len(_results(f"{bucket}/out")) == 3


def test_several_processes_share_a_bucket(bucket: str, tmp_path: Path) -> None:
    for number in range(12):
        save_picture(tmp_path / f"many/{number:02}.png")
    upload(tmp_path / "many", f"{bucket}/many")
    command = [sys.executable, "-m", "tests.cli.fake_deblur", "run", f"{bucket}/many"]
    command += ["-o", f"{bucket}/out", "--json"]
    environment = process_environment(FAKE_SECONDS="0.3")
    running = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=tmp_path)
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    counts = [json.loads(output.splitlines()[-1]) for output in ended]
    assert all(count["restored"] + count["already_done"] == 12 for count in counts)
    assert len(_results(f"{bucket}/out")) == 12


def test_requests_of_a_picture(
    fake_deblur: Command, bucket: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    counts = []
    for pictures in (2, 10):
        folder = f"of{pictures}"
        for number in range(pictures):
            save_picture(tmp_path / f"{folder}/{number}.jpg")
        upload(tmp_path / folder, f"{bucket}/{folder}")
        with caplog.at_level(logging.INFO, "werkzeug"):
            ended = fake_deblur("run", f"{bucket}/{folder}", "-o", f"{bucket}/{folder}_out")
        assert ended.returncode == 0, ended.stderr
        counts.append(sum(record.name == "werkzeug" for record in caplog.records))
        caplog.clear()
    few, many = counts
    assert 8 < (many - few) / 8 <= 24


@pytest.mark.parametrize(
    ("inputs", "exit_code", "told"),
    [
        (["s3://no-such-bucket/photos"], 3, "no such bucket"),
        (["{bucket}/none"], 3, "no such object or folder"),
        (["{bucket}/photos", "-o", "s3://no-such-bucket/out"], 1, "no such bucket"),
        (["{bucket}/photos", "--in-place"], 2, "--in-place"),
        (["{bucket}/photos", "-o", "{bucket}/out", "--preserve-times"], 2, "--preserve-times"),
        (["{bucket}"], 2, "-o"),
        (["s3://"], 2, "names no bucket"),
        (["nothing://bucket/photos"], 2, "no known storage"),
        (["s3://me:my-password@bucket/photos"], 2, "a password"),
    ],
)
def test_what_cannot_be_is_one_line(
    fake_deblur: Command, bucket: str, inputs: list[str], exit_code: int, told: str
) -> None:
    ended = fake_deblur("run", "--quiet", *(each.format(bucket=bucket) for each in inputs))
    assert ended.returncode == exit_code, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert told in ended.stderr
    assert SECRET not in ended.stderr
    assert "my-password" not in ended.stderr


def test_lost_connection_and_missing_credentials(
    fake_deblur: Command, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        forget()
        ended = fake_deblur("run", f"{bucket}/photos", "-o", "out", "--quiet")
    assert ended.returncode == 3
    assert "there is no connection to the storage" in ended.stderr
    with monkeypatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        forget()
        ended = fake_deblur("run", f"{bucket}/photos", "-o", "out", "--quiet")
    forget()
    assert ended.returncode == 3
    assert "there are no credentials" in ended.stderr


def test_killed_run_is_taken_up_where_it_stood(
    fake_deblur: Command, bucket: str, tmp_path: Path
) -> None:
    for number in range(6):
        save_picture(tmp_path / f"many/{number}.png")
    upload(tmp_path / "many", f"{bucket}/many")
    order = ["run", f"{bucket}/many", "-o", f"{bucket}/out", "--json"]
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", *order],
        env=process_environment(FAKE_SECONDS="0.5", TMPDIR=str(tmp_path)),
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    while len(_results(f"{bucket}/out")) < 2:
        assert running.poll() is None
        time.sleep(0.05)
    running.kill()
    running.wait()
    before = len(_results(f"{bucket}/out"))
    assert before < 6
    ended = fake_deblur(*order)
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout.splitlines()[-1])
    assert counts["already_done"] == before
    assert len(_results(f"{bucket}/out")) == 6
    shown = fake_deblur("status", f"{bucket}/out")
    assert shown.stdout == "done 6, failed 0, in hand 0, interrupted 0, missing 0\n"
