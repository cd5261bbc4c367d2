from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.discover import discover
from deblur_cli.pipeline.plan import Job, plan
from tests.pipeline.fakes import save_picture


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.jpg", "photos/town/b.png", "others/a.jpg", "c.jpeg"):
        save_picture(tmp_path / name)


def _plan(*inputs: str, output: str | None = None) -> tuple[Job, ...]:
    return plan(discover(inputs, Path(output) if output else None).sources, output)


def _targets(*inputs: str, output: str | None = None) -> list[str]:
    return [job.target.as_posix() for job in _plan(*inputs, output=output)]


@pytest.mark.parametrize("given", ["photos", "photos/", "./photos"])
def test_folder_is_mirrored_beside_itself(given: str) -> None:
    assert _targets(given) == ["photos_deblurred/a.jpg", "photos_deblurred/town/b.png"]
    assert {job.folder for job in _plan(given)} == {Path("photos_deblurred")}


def test_file_gets_a_mark(tmp_path: Path) -> None:
    assert _plan("c.jpeg") == (Job(Path("c.jpeg"), Path("c_deblurred.jpeg"), Path()),)
    assert _targets("photos/*.jpg") == ["photos/a_deblurred.jpg"]


def test_the_folder_one_is_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path / "photos/town")
    assert _plan(".")[0].target == tmp_path / "photos/town_deblurred/b.png"
    assert _plan("..")[0].target == tmp_path / "photos_deblurred/a.jpg"


def test_output_folder_mirrors_one_folder_and_keeps_the_names_of_several() -> None:
    assert _targets("photos", output="out") == ["out/a.jpg", "out/town/b.png"]
    assert _targets("photos", "others", "c.jpeg", output="out") == [
        "out/photos/a.jpg",
        "out/photos/town/b.png",
        "out/others/a.jpg",
        "out/c.jpeg",
    ]


def test_output_for_one_file_is_a_file_or_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there.jpg").mkdir()
    assert _targets("c.jpeg", output="d.JPG") == ["d.JPG"]
    assert _targets("c.jpeg", output="new") == ["new/c.jpeg"]
    assert _targets("c.jpeg", output="new.jpg/") == ["new.jpg/c.jpeg"]
    assert _targets("c.jpeg", output="there.jpg") == ["there.jpg/c.jpeg"]


def test_results_keep_their_format() -> None:
    with pytest.raises(UsageError, match="format"):
        _plan("c.jpeg", output="d.png")


def test_collisions_are_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "more/others/a.jpg")
    with pytest.raises(UsageError, match="both"):
        _plan("photos/a.jpg", "others/a.jpg", output="out")
    with pytest.raises(UsageError, match="both"):
        _plan("others", "more/others", output="out")


def test_collision_through_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out/photos").mkdir(parents=True)
    (tmp_path / "out/others").symlink_to(tmp_path / "out/photos")
    with pytest.raises(UsageError, match="both"):
        _plan("photos", "others", output="out")


def test_inputs_are_never_targets(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="input"):
        _plan("photos", output="photos")
    with pytest.raises(UsageError, match="input"):
        _plan("c.jpeg", output="c.jpeg")
    save_picture(tmp_path / "c_deblurred.jpeg")
    with pytest.raises(UsageError, match="input"):
        _plan("c.jpeg", "c_deblurred.jpeg")
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    with pytest.raises(UsageError, match="input"):
        _plan("photos", output="link")


def test_file_in_the_place_of_the_output_folder() -> None:
    with pytest.raises(UsageError, match="is a file"):
        _plan("photos", output="c.jpeg")


def test_root_has_no_name() -> None:
    with pytest.raises(UsageError, match="-o"):
        plan([discover(["photos"]).sources[0].__class__(Path("/a.jpg"), Path("a.jpg"), Path("/"))])


def test_output_too_long_for_a_name_is_left_to_the_writer() -> None:
    long = "x" * 300
    assert _targets("c.jpeg", output=long) == [f"{long}/c.jpeg"]
    assert _targets("photos", output=long)[0] == f"{long}/a.jpg"
