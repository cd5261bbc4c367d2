from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.discovery.discover import discover
from deblur_cli.pipeline.discovery.sources import Group, Source
from deblur_cli.pipeline.naming import Template
from deblur_cli.pipeline.plan import Destination, Job, plan
from tests.pipeline.fakes import save_picture


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photos/a.jpg", "photos/town/b.png", "others/a.jpg", "c.jpeg"):
        save_picture(tmp_path / name)


def _plan(*inputs: str, output: str | None = None, **wanted: Any) -> tuple[Job, ...]:
    sources = discover(inputs, Path(output) if output else None).sources
    return plan(sources, Destination(output, **wanted))


def _targets(*inputs: str, output: str | None = None, **wanted: Any) -> list[str]:
    return [job.target.as_posix() for job in _plan(*inputs, output=output, **wanted)]


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


def test_results_keep_their_format_unless_asked() -> None:
    with pytest.raises(UsageError, match="format"):
        _plan("c.jpeg", output="d.png")
    assert _targets("c.jpeg", output="d.png", format="PNG") == ["d.png"]
    assert _targets("c.jpeg", output="d.jpg", format="JPEG") == ["d.jpg"]
    assert _targets("c.jpeg", "photos", format="PNG") == [
        *("c_deblurred.png", "photos_deblurred/a.png", "photos_deblurred/town/b.png")
    ]
    assert _targets("c.jpeg", format="JPEG") == ["c_deblurred.jpeg"]


def _template(text: str) -> Template:
    return Template(text, model="net", task="motion")


def test_names_by_a_template() -> None:
    wanted = {"template": _template("{model}/{stem}-{task}{ext}")}
    assert _targets("c.jpeg", **wanted) == ["net/c-motion.jpeg"]
    assert _targets("photos", **wanted) == [
        *("photos_deblurred/net/a-motion.jpg", "photos_deblurred/town/net/b-motion.png")
    ]
    assert _targets("photos", "c.jpeg", output="out", **wanted)[2] == "out/net/c-motion.jpeg"
    with pytest.raises(UsageError, match="--name"):
        _plan("c.jpeg", output="d.jpeg", **wanted)


@pytest.mark.parametrize("text", ["{stem}", "{stem}.png", "result"])
def test_template_must_fit_the_format(text: str) -> None:
    with pytest.raises(UsageError, match=r"end the name in \.jpeg"):
        _plan("c.jpeg", template=_template(text))


def test_in_place_the_target_is_the_file_itself(tmp_path: Path) -> None:
    (tmp_path / "album").mkdir()
    (tmp_path / "album/link.jpg").symlink_to(tmp_path / "photos/a.jpg")
    (tmp_path / "album/d.jpg").touch()
    jobs = _plan("album", "c.jpeg", in_place=True)
    assert [(job.target, job.folder) for job in jobs] == [
        (tmp_path / "album/d.jpg", Path("album")),
        (tmp_path / "photos/a.jpg", Path("album")),
        (tmp_path / "c.jpeg", tmp_path),
    ]
    assert all(job.in_place for job in jobs)
    with pytest.raises(UsageError, match="both"):
        _plan("album", "photos", in_place=True)


def test_in_place_needs_a_format_that_can_be_written(tmp_path: Path) -> None:
    save_picture(tmp_path / "e.gif")
    save_picture(tmp_path / "photos/f.gif")
    with pytest.raises(UsageError, match=r"not written: e\.gif and photos/f\.gif \(.*--exclude"):
        _plan("c.jpeg", "e.gif", "photos", in_place=True)


def test_sheets_lie_as_the_results_do() -> None:
    def sheets(*inputs: str, **wanted: Any) -> list[str]:
        jobs = _plan(*inputs, sheets=Path("cmp"), **wanted)
        return [job.sheet.as_posix() for job in jobs if job.sheet is not None]

    assert sheets("photos") == ["cmp/a.jpg.jpg", "cmp/town/b.png.jpg"]
    assert sheets("photos", in_place=True) == ["cmp/a.jpg.jpg", "cmp/town/b.png.jpg"]
    assert sheets("photos", "others") == [
        *("cmp/photos_deblurred/a.jpg.jpg", "cmp/photos_deblurred/town/b.png.jpg"),
        "cmp/others_deblurred/a.jpg.jpg",
    ]


def test_all_collisions_are_named(tmp_path: Path) -> None:
    for name in ("1/a.jpg", "1/b.jpg", "2/a.jpg", "2/b.jpg", "3/a.jpg", "3/c.jpg"):
        save_picture(tmp_path / name)
    with pytest.raises(UsageError) as caught:
        _plan("1/*", "2/*", "3/*", output="out")
    assert "out/a.jpg would be the result of both 1/a.jpg, 2/a.jpg and 3/a.jpg" in str(caught.value)
    assert "out/b.jpg would be the result of both 1/b.jpg and 2/b.jpg" in str(caught.value)
    assert "c.jpg" not in str(caught.value)


def test_collision_by_another_format(tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/a.png")
    with pytest.raises(UsageError, match=r"a\.png would be the result of both"):
        _plan("photos", format="PNG")


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


def test_one_file_of_two_names_is_not_replaced_twice(tmp_path: Path) -> None:
    (tmp_path / "photos/link.jpg").symlink_to(tmp_path / "photos/a.jpg")
    with pytest.raises(UsageError, match=r"both .* and .*\(they are one file; .*--exclude\)"):
        _plan("photos", in_place=True)


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
        plan([Source(Group(Path("/"), Path(), Path("/"), ["a.jpg"]), "a.jpg")], Destination())


def test_output_too_long_for_a_name_is_left_to_the_writer() -> None:
    long = "x" * 300
    assert _targets("c.jpeg", output=long) == [f"{long}/c.jpeg"]
    assert _targets("photos", output=long)[0] == f"{long}/a.jpg"
