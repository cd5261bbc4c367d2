"""docs/data.md says where each set comes from."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deblur_cli.acquisition.catalogue import COLLECTIONS, ByHand, HubArchive, HubFolders
from deblur_cli.data.published import PUBLISHED

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")
TABLE = TEXT.partition("| `deblur data fetch` |")[2].partition("\n\n")[0].splitlines()


@pytest.mark.parametrize("name", COLLECTIONS)
def test_every_collection_has_a_row_with_its_origin(name: str) -> None:
    (row,) = (line for line in TABLE if re.match(rf"\|.*`{name}`.*?\|", line.split(" | ")[0] + "|"))
    origin = COLLECTIONS[name].origin
    assert origin.licence.split(";")[0] in row
    if isinstance(origin, ByHand):
        assert origin.page in row
    else:
        assert f"`{origin.repo}`" in row
    if isinstance(origin, HubArchive):
        assert f"`{origin.archive}`" in row
        assert all(f"`{one}`" in row for one in COLLECTIONS[name].sets)
    elif isinstance(origin, HubFolders):
        assert f"_{origin.folders[0][-1]}`" in row


def test_the_output_that_is_shown_has_the_published_counts() -> None:
    for split, count in PUBLISHED["gopro"].counts.items():
        assert f"gopro {split}: complete, {count:,} pairs in DATA/GOPRO_Large" in TEXT
