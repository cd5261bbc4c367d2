from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.checkpoints.resolve import resolve_weights
from deblur_cli.checkpoints.split import join_if_split, split_file, whole_file
from deblur_cli.errors import WeightsError

CONTENT = bytes(range(200))


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    (tmp_path / "a.pt").write_bytes(CONTENT)
    return split_file(tmp_path / "a.pt", 64)


@settings(deadline=None, max_examples=30)
@given(content=st.binary(max_size=300), size=st.integers(1, 120))
def test_pieces_are_small_and_make_the_file_again(content: bytes, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.pt"
        path.write_bytes(content)
        listing = split_file(path, size)
        pieces = [piece for piece in Path(folder).iterdir() if piece != listing]
        assert len(pieces) == -(-len(content) // size)
        assert all(piece.stat().st_size <= size for piece in pieces)
        assert whole_file(listing) == path
        assert path.read_bytes() == content


def test_the_list_names_sizes_and_checksums(listing: Path) -> None:
    pieces = json.loads(listing.read_text())["pieces"]
    assert [piece["bytes"] for piece in pieces] == [64, 64, 64, 8]
    assert sorted(path.name for path in listing.parent.iterdir()) == [
        "a.pt.000",
        "a.pt.001",
        "a.pt.002",
        "a.pt.003",
        "a.pt.split",
    ]


def test_files_that_are_whole_are_taken_as_they_are(tmp_path: Path) -> None:
    assert whole_file(tmp_path / "b.safetensors") == tmp_path / "b.safetensors"
    assert join_if_split(tmp_path / "a.pt") is None
    (tmp_path / "a.pt").write_bytes(CONTENT)
    split_file(tmp_path / "a.pt", 64)
    (tmp_path / "a.pt").write_bytes(b"newer")
    assert join_if_split(tmp_path / "a.pt") == tmp_path / "a.pt"
    assert (tmp_path / "a.pt").read_bytes() == b"newer"


def test_a_file_joined_before_is_used_again_and_another_one_is_not_replaced(listing: Path) -> None:
    path = whole_file(listing)
    assert whole_file(listing) == path
    path.write_bytes(b"precious")
    with pytest.raises(WeightsError, match=r"a\.pt: is not what 'a\.pt\.split' lists"):
        whole_file(listing)
    assert path.read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: (folder / "a.pt.001").write_bytes(b"x" * 64), r"a\.pt\.001: is damaged"),
        (lambda folder: (folder / "a.pt.002").unlink(), r"a\.pt\.002: .*No such file"),
        (lambda folder: (folder / "a.pt.split").write_text("{}"), r"a\.pt\.split: cannot be read"),
        (lambda folder: (folder / "a.pt.split").write_text("[1"), r"a\.pt\.split: cannot be read"),
        (lambda folder: (folder / "a.pt.split").unlink(), r"a\.pt\.split: cannot be read"),
    ],
)
def test_damage_is_named_by_file(listing: Path, damage: object, named: str) -> None:
    assert callable(damage)
    damage(listing.parent)
    with pytest.raises(WeightsError, match=named):
        whole_file(listing)
    assert not (listing.parent / "a.pt").exists()


def test_weights_may_be_given_as_a_list_of_pieces(listing: Path) -> None:
    resolved = resolve_weights("motion", weights=str(listing))
    assert resolved.path == listing.with_suffix("")
    assert resolved.path.read_bytes() == CONTENT
