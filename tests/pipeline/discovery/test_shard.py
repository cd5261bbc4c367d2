from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.pipeline.discovery.shard import Shard

NAMES = [Path(f"town/{number:04}.jpg") for number in range(3000)]


def test_every_picture_is_in_exactly_one_share_of_about_the_same_size() -> None:
    shards = [Shard.parse(f"{index}/7") for index in range(1, 8)]
    owners = [[shard.index for shard in shards if shard.takes(name)] for name in NAMES]
    assert all(len(indices) == 1 for indices in owners)
    sizes = Counter(index for (index,) in owners)
    assert all(300 < size < 560 for size in sizes.values())


def test_share_of_a_name_never_changes() -> None:
    names = [Path(f"town/{number}.jpg") for number in range(10)]
    taken = [number for number, name in enumerate(names) if Shard(1, 2).takes(name)]
    assert taken == [1, 2, 4, 6, 7, 8, 9]


def test_name_that_is_no_unicode_has_a_share() -> None:
    name = Path("caf\udce9.jpg")
    assert Shard(1, 2).takes(name) != Shard(2, 2).takes(name)


def test_one_share_is_all() -> None:
    assert all(Shard().takes(name) for name in NAMES)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "1", "a/b", "1/4/2", "-1/4", "1.5/2", ""])
def test_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="is no share"):
        Shard.parse(text)
