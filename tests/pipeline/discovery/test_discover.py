from __future__ import annotations

import os
from pathlib import Path

import pytest

from deblur_cli.errors import NothingToDoError, UsageError
from deblur_cli.pipeline.discovery.discover import Source, discover
from deblur_cli.pipeline.discovery.filter import Filter
from deblur_cli.pipeline.ledger.ledger import Ledger
from deblur_cli.pipeline.ledger.records import Fingerprint
from tests.pipeline.fakes import save_picture


def _below(sources: tuple[Source, ...]) -> list[str]:
    return [source.below.as_posix() for source in sources]


def test_folder_is_searched_to_the_bottom_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "town/night.webp", "über/ñandú 写真.png"):
        save_picture(tmp_path / name)
    found = discover([tmp_path])
    assert _below(found.sources) == ["a.jpg", "b.png", "town/night.webp", "über/ñandú 写真.png"]
    assert {source.folder for source in found.sources} == {tmp_path}


def test_non_images_are_skipped_by_content_and_counted(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    save_picture(tmp_path / "b.png").rename(tmp_path / "no-ending")
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"\0" * 40)
    found = discover([tmp_path])
    assert _below(found.sources) == ["a.jpg", "no-ending"]
    assert found.skipped == 2


def test_text_named_as_picture_is_taken_so_that_its_error_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("text")
    assert _below(discover([tmp_path]).sources) == ["text.jpg"]


def test_hidden_files_and_debris_are_ignored(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    for name in ("._a.jpg", ".cache/b.jpg", ".0123.deblur-part.jpg"):
        save_picture(tmp_path / name)
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
    found = discover([tmp_path, tmp_path / "Thumbs.db"])
    assert _below(found.sources) == ["a.jpg"]
    assert found.skipped == 0


def test_hidden_file_that_is_named_is_taken(tmp_path: Path) -> None:
    assert len(discover([save_picture(tmp_path / ".a.jpg")]).sources) == 1


def test_quoted_pattern_keeps_the_folders_below_its_fixed_part(tmp_path: Path) -> None:
    for name in ("in/2023/a.jpg", "in/2024/a.jpg", "in/2024/b.png"):
        save_picture(tmp_path / name)
    (tmp_path / "in/2024/c.txt").write_text("text")
    found = discover([f"{tmp_path}/in/*/*"])
    assert _below(found.sources) == ["2023/a.jpg", "2024/a.jpg", "2024/b.png"]
    assert found.skipped == 1
    assert _below(discover([f"{tmp_path}/in/**/*.jpg"]).sources) == ["2023/a.jpg", "2024/a.jpg"]


def test_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a[1]*.jpg")
    assert discover([path]).sources[0].path == path


def test_picture_reached_twice_is_taken_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(tmp_path / "photos/a.jpg")
    monkeypatch.chdir(tmp_path)
    inputs = ["photos", "photos/a.jpg", f"{tmp_path}/photos", "photos/../photos/*.jpg"]
    assert len(discover(inputs).sources) == 1


def test_symbolic_link_loops_end(tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/town/a.jpg")
    (tmp_path / "photos/town/up").symlink_to(tmp_path / "photos")
    save_picture(tmp_path / "elsewhere/b.jpg")
    (tmp_path / "photos/link").symlink_to(tmp_path / "elsewhere")
    assert _below(discover([tmp_path / "photos"]).sources) == ["link/b.jpg", "town/a.jpg"]


def test_pattern_comes_through_loops_of_links(tmp_path: Path) -> None:
    save_picture(tmp_path / "photos/town/a.jpg")
    for name in ("one", "two"):
        (tmp_path / "photos" / name).symlink_to(tmp_path / "photos")
    assert _below(discover([f"{tmp_path}/photos/**/*.jpg"]).sources) == ["town/a.jpg"]


def test_folder_is_found_in_its_own_place_before_any_link_to_it(tmp_path: Path) -> None:
    save_picture(tmp_path / "2024/a.jpg")
    (tmp_path / "2023").mkdir()
    (tmp_path / "2023/best").symlink_to(tmp_path / "2024")
    assert _below(discover([tmp_path]).sources) == ["2024/a.jpg"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jpg", ["a.jpg"]),
        ("**", ["a.jpg", "town/b.jpg", "town/old/c.png"]),
        ("**/*.jpg", ["a.jpg", "town/b.jpg"]),
        ("t*/**/*.png", ["town/old/c.png"]),
        ("*/?.jpg", ["town/b.jpg"]),
    ],
)
def test_pattern_finds_what_a_shell_would(tmp_path: Path, pattern: str, found: list[str]) -> None:
    for name in ("a.jpg", "town/b.jpg", "town/old/c.png", ".hidden/d.jpg", "town/.e.jpg"):
        save_picture(tmp_path / name)
    assert _below(discover([f"{tmp_path}/{pattern}"]).sources) == found


def test_file_that_cannot_be_looked_at_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(tmp_path / "a.jpg")
    locked = save_picture(tmp_path / "locked.jpg")
    stat = Path.stat

    def denied(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == locked.name:
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", denied)
    assert _below(discover([tmp_path]).sources) == ["a.jpg", "locked.jpg"]
    (missing,) = discover([tmp_path / "a.jpg", locked]).missing
    assert "locked.jpg: cannot be read: Permission denied" in str(missing.error)


def test_name_too_long_is_only_missing(tmp_path: Path) -> None:
    found = discover([save_picture(tmp_path / "a.jpg"), tmp_path / ("x" * 300)])
    assert "too long" in str(found.missing[0].error)


def test_empty_input_is_not_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(tmp_path / "a.jpg")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        discover([""])


def test_special_files_are_never_opened(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    found = discover([tmp_path, tmp_path / "pipe.jpg"])
    assert _below(found.sources) == ["a.jpg"]
    assert "regular" in str(found.missing[0].error)


def test_output_folder_inside_the_input_is_no_input(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.jpg")
    save_picture(tmp_path / "out/a.jpg")
    assert _below(discover([tmp_path], tmp_path / "out").sources) == ["a.jpg"]


def _record(source: Path, target: Path, folder: Path) -> None:
    ledger = Ledger(folder)
    begun = ledger.begin(source, Fingerprint.of(source), target, "settings")
    ledger.finish(begun, save_picture(target))
    ledger.close()


@pytest.mark.parametrize("folder", [".", "out"])
def test_results_of_an_earlier_run_are_no_inputs_beside_their_source(
    tmp_path: Path, folder: str
) -> None:
    source = save_picture(tmp_path / "a.jpg")
    target = tmp_path / folder / "a_deblurred.jpg"
    _record(source, target, tmp_path / folder)
    found = discover([tmp_path])
    assert _below(found.sources) == ["a.jpg"]
    assert found.skipped == 1
    assert _below(discover([source, target]).sources) == ["a.jpg"]


def test_result_named_without_its_source_is_an_input(tmp_path: Path) -> None:
    source = save_picture(tmp_path / "in/a.jpg")
    target = tmp_path / "out/a.jpg"
    _record(source, target, tmp_path / "out")
    assert _below(discover([tmp_path / "out"]).sources) == ["a.jpg"]


def test_missing_path_among_good_ones_is_told(tmp_path: Path) -> None:
    found = discover([save_picture(tmp_path / "a.jpg"), tmp_path / "b.jpg", f"{tmp_path}/*.png"])
    assert [failed.source.name for failed in found.missing] == ["b.jpg", "*.png"]
    assert all(failed.error.exit_code == 1 for failed in found.missing)


@pytest.mark.parametrize("names", [["gone.jpg"], ["gone.jpg", "lost"], ["empty"]])
def test_nothing_at_all(tmp_path: Path, names: list[str]) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(NothingToDoError) as caught:
        discover([tmp_path / name for name in names])
    assert caught.value.exit_code == 3
    assert names[0] in str(caught.value) or names == ["empty"]


TREE = ("a.jpg", "b.png", "town/a.jpg", "town/old/c.jpg")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        save_picture(tmp_path / "in" / name)
    (tmp_path / "in/notes.txt").write_text("text")
    return tmp_path / "in"


def test_what_does_not_fit_is_left_out_and_counted(tree: Path) -> None:
    found = discover([tree], chosen=Filter(include=("*.jpg",), exclude=("old",)))
    assert _below(found.sources) == ["a.jpg", "town/a.jpg"]
    assert (found.skipped, found.left_out) == (1, 2)


def test_filter_holds_for_patterns_and_named_files_too(tree: Path) -> None:
    inputs = [f"{tree}/**/*.jpg", tree / "b.png"]
    found = discover(inputs, chosen=Filter(exclude=("town", "*.png")))
    assert _below(found.sources) == ["a.jpg"]
    assert found.left_out == 3


def test_picture_that_one_input_takes_is_not_left_out_by_another(tree: Path) -> None:
    found = discover([tree, tree / "town"], chosen=Filter(exclude=("town",)))
    assert _below(found.sources) == ["a.jpg", "b.png", "a.jpg", "old/c.jpg"]
    assert found.left_out == 0


def test_everything_left_out_is_told(tree: Path) -> None:
    with pytest.raises(NothingToDoError, match="--include and --exclude left out 4 pictures"):
        discover([tree], chosen=Filter(include=("*.webp",)))


def test_folders_inside_a_folder_can_be_left_out(tree: Path) -> None:
    found = discover([tree], chosen=Filter(recursive=False))
    assert _below(found.sources) == ["a.jpg", "b.png"]
    assert len(discover([f"{tree}/**/*.jpg"], chosen=Filter(recursive=False)).sources) == 3


def test_folders_of_results_are_never_searched(tree: Path) -> None:
    found = discover([tree], tree / "town/old", Filter(apart=(tree / "gone", tree / "town")))
    assert _below(found.sources) == ["a.jpg", "b.png"]


def test_list_keeps_the_folders_of_relative_paths(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    listed = ["town/a.jpg", str(tree / "a.jpg"), "town/../b.png", "town/old", "gone.jpg"]
    found = discover([], listed=listed)
    assert _below(found.sources) == ["town/a.jpg", "a.jpg", "b.png", "c.jpg"]
    assert [failed.source.name for failed in found.missing] == ["gone.jpg"]


def test_picture_restored_in_place_stays_an_input(tree: Path) -> None:
    ledger = Ledger(tree)
    source = tree / "a.jpg"
    ledger.finish(ledger.begin(source, Fingerprint.of(source), source, "settings"), source)
    assert _below(discover([tree]).sources) == list(TREE)
