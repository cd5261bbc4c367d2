from __future__ import annotations

import pytest

from deblur_cli.acquisition.catalogue import COLLECTIONS, NAMES, find_collection, sets_named
from deblur_cli.data.published import PUBLISHED
from deblur_cli.errors import UsageError


def test_every_published_set_belongs_to_one_collection() -> None:
    assert sorted(name for one in COLLECTIONS.values() for name in one.sets) == sorted(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_set_is_checked_alone_and_fetched_with_its_collection(name: str) -> None:
    assert sets_named(name) == (name,)
    assert name in find_collection(name).sets
    assert all(
        PUBLISHED[one].folders[0] == find_collection(name).folder
        for one in find_collection(name).sets
    )


def test_a_collection_stands_for_its_sets() -> None:
    assert sets_named("realblur") == ("realblur-j", "realblur-r")


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no data set 'reds'") as caught:
        sets_named("reds")
    assert all(name in caught.value.remedy for name in NAMES)
