"""`deblur run` and `deblur status` on objects of an S3 server."""

from __future__ import annotations

import itertools
import json
import logging
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from deblur_cli.cli.options import ModelOptions
from deblur_cli.pipeline.ledger import journal
from deblur_cli.pipeline.paths import LEDGER_FOLDER
from deblur_cli.storage.remote import located
from tests.cli.conftest import Command, process_environment
from tests.pipeline.fakes import FakeDeblurrer, mean_of, save_picture
from tests.storage.s3 import (
    OBJECT_ACTIONS,
    SECRET,
    allow_only,
    forget,
    make_bucket,
    names,
    serving,
    upload,
)

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


def test_empty_objects_are_seen(fake_deblur: Command, bucket: str, tmp_path: Path) -> None:
    for name in ("photos/a.png", "out/town/c.png"):
        (tmp_path / "empty" / name).parent.mkdir(parents=True)
        (tmp_path / "empty" / name).touch()
    upload(tmp_path / "empty", bucket)
    ended = fake_deblur("run", f"{bucket}/photos", "-o", f"{bucket}/out", "--quiet")
    assert ended.returncode == 1
    assert f"{bucket}/photos/a.png: empty file" in ended.stderr
    assert f"{bucket}/out/town/c.png: exists, and is not the result" in ended.stderr
    assert _results(f"{bucket}/out") == ["town/b.jpg", "town/c.png"]


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
    order = _many(tmp_path, bucket, 12)
    running = [_begun(order, tmp_path, seconds="0.3") for _ in range(2)]
    ended = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], ended
    counts = [json.loads(output.splitlines()[-1]) for output, _ in ended]
    assert all(count["restored"] + count["already_done"] == 12 for count in counts)
    assert len(_results(f"{bucket}/out")) == 12


@pytest.mark.parametrize(
    ("options", "bound"),
    [
        ((), {"PUT": 4, "HEAD": 3, "GET of an object": 2, "GET of a listing": 1}),
        (("--dry-run",), {}),
    ],
)
def test_requests_of_a_picture(
    fake_deblur: Command,
    bucket: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    bound: dict[str, int],
) -> None:
    monkeypatch.setattr(journal, "HEARTBEAT_SECONDS", 600)
    fake_deblur("run", f"{bucket}/photos", "-o", f"{bucket}/out")
    counts = []
    for pictures in (2, 10):
        folder = f"of{pictures}"
        for number in range(pictures):
            save_picture(tmp_path / f"{folder}/{number}.jpg")
        upload(tmp_path / folder, f"{bucket}/{folder}")
        with caplog.at_level(logging.INFO, "werkzeug"):
            order = ("run", f"{bucket}/{folder}", "-o", f"{bucket}/{folder}_out")
            ended = fake_deblur(*order, *options)
        assert ended.returncode == 0, ended.stderr
        counts.append(_requests(caplog))
        caplog.clear()
    few, many = counts
    assert few
    assert many - few <= Counter({kind: 8 * each for kind, each in bound.items()})


def _requests(log: pytest.LogCaptureFixture) -> Counter[str]:
    """How many of each kind the server had."""
    lines = [record.getMessage() for record in log.records if record.name == "werkzeug"]
    methods = [re.search(r"(PUT|HEAD|GET) [^?]*(\?list-type)?", line) for line in lines]
    kinds = [(found[1], bool(found[2])) for found in methods if found]
    assert len(kinds) == len(lines)
    names = {True: "GET of a listing", False: "GET of an object"}
    return Counter(names[lists] if method == "GET" else method for method, lists in kinds)


def _fleet_that(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], object]) -> None:
    """Have something done before each picture is restored."""
    fleet = {"cpu": FakeDeblurrer(before)}
    monkeypatch.setattr(ModelOptions, "load_fleet", lambda options: fleet)


@pytest.mark.parametrize("forbidden", ["", "/out"], ids=["bucket", "folder"])
def test_output_that_may_only_be_read_is_told_of_before_anything_is_restored(
    fake_deblur: Command, bucket: str, monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    restored: list[int] = []
    _fleet_that(monkeypatch, restored.append)
    results = make_bucket(f"results{next(_numbers)}")
    order = ("run", f"{bucket}/photos", "-o", f"{results}/out", "--json", "--quiet")
    allow_only(results + forbidden, "Get", "Head")
    refused = fake_deblur(*order)
    (told,) = refused.stderr.splitlines()
    assert f"{results}/out" in told
    assert "access is denied" in told
    assert "choose another folder with -o" in told
    assert (refused.returncode, restored, names(results)) == (1, [], [])
    assert json.loads(refused.stdout.splitlines()[-1])["remaining"] == 3
    allow_only(results + forbidden, *OBJECT_ACTIONS)
    assert fake_deblur(*order).returncode == 0
    allow_only(results + forbidden, "Get", "Head")
    again = fake_deblur(*order)
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout.splitlines()[-1])["already_done"] == 3


def test_access_that_ends_in_the_middle(fake_deblur: Command, bucket: str, tmp_path: Path) -> None:
    order = _many(tmp_path, bucket, 16)
    running = _begun(order, tmp_path, seconds="0.2")
    while len(_results(f"{bucket}/out")) < 2:
        assert running.poll() is None
        time.sleep(0.05)
    allow_only(bucket)
    stdout, stderr = running.communicate(timeout=120)
    allow_only(bucket, *OBJECT_ACTIONS)
    lines = [json.loads(line) for line in stdout.splitlines()]
    assert running.returncode == lines[-1]["exit_code"] == 1
    restored = {line["target"] for line in lines if line["event"] == "restored"}
    failed = [line for line in lines if line["event"] == "failed"]
    assert failed
    assert all("access is denied" in line["message"] for line in failed)
    assert lines[-1]["remaining"] == 16 - len(restored) - len(failed) > 0
    assert "the ledger cannot be" in stderr.splitlines()[-1]
    assert restored <= {f"{bucket}/out/{name}" for name in names(f"{bucket}/out")}
    resumed = json.loads(fake_deblur(*order).stdout.splitlines()[-1])
    assert (resumed["failed"], resumed["restored"] + resumed["already_done"]) == (0, 16)
    assert resumed["already_done"] >= len(restored)
    assert len(_results(f"{bucket}/out")) == 16


def test_object_that_is_changed_or_appears_meanwhile(
    fake_deblur: Command, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(tmp_path / "changed/a.png", value=90)
    save_picture(tmp_path / "somebody/c.png", value=7)

    def meanwhile(number: int) -> None:
        if number == 1:
            upload(tmp_path / "changed", f"{bucket}/photos")
            upload(tmp_path / "somebody", f"{bucket}/out/town")

    _fleet_that(monkeypatch, meanwhile)
    ended = fake_deblur("run", f"{bucket}/photos", "-o", f"{bucket}/out", "--quiet")
    assert ended.returncode == 1
    assert f"{bucket}/photos/a.png: was changed while it was restored" in ended.stderr
    assert f"{bucket}/out/town/c.png: exists, and is not the result" in ended.stderr
    assert _results(f"{bucket}/out") == ["town/b.jpg", "town/c.png"]
    kept = located(f"{bucket}/out/town/c.png").read_bytes()
    assert kept == (tmp_path / "somebody/c.png").read_bytes()


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


def _many(folder: Path, bucket: str, pictures: int) -> tuple[str, ...]:
    """The command that restores that many pictures of a bucket."""
    for number in range(pictures):
        save_picture(folder / f"many/{number:02}.png")
    upload(folder / "many", f"{bucket}/many")
    return "run", f"{bucket}/many", "-o", f"{bucket}/out", "--json", "--quiet"


def _begun(order: Sequence[str], folder: Path, seconds: str) -> subprocess.Popen[str]:
    """A process of its own that takes so many seconds for a picture."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.fake_deblur", *order],
        env=process_environment(FAKE_SECONDS=seconds, TMPDIR=str(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )


def test_killed_run_is_taken_up_where_it_stood(
    fake_deblur: Command, bucket: str, tmp_path: Path
) -> None:
    order = _many(tmp_path, bucket, 6)
    running = _begun(order, tmp_path, seconds="0.5")
    while len(_results(f"{bucket}/out")) < 2:
        assert running.poll() is None
        time.sleep(0.05)
    running.kill()
    running.communicate()
    before = len(_results(f"{bucket}/out"))
    assert before < 6
    ended = fake_deblur(*order)
    assert ended.returncode == 0, ended.stderr
    counts = json.loads(ended.stdout.splitlines()[-1])
    assert counts["already_done"] == before
    assert len(_results(f"{bucket}/out")) == 6
    shown = fake_deblur("status", f"{bucket}/out")
    assert shown.stdout == "done 6, failed 0, in hand 0, interrupted 0, missing 0\n"
