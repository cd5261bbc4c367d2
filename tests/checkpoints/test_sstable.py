from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.checkpoints.sstable import read_table
from tests.checkpoints.tensorflow_files import table

ENTRIES = {f"layer_{i}/kernel".encode(): bytes([i]) * i for i in range(70)}


@given(
    st.dictionaries(st.binary(max_size=5), st.binary(max_size=9), max_size=40), st.integers(1, 45)
)
@settings(deadline=None, max_examples=40)
def test_what_was_written_is_read(entries: dict[bytes, bytes], per_block: int) -> None:
    assert read_table(table(entries, per_block)) == entries


def test_damage_anywhere_among_the_entries_is_noticed() -> None:
    whole = table(ENTRIES)
    assert len(whole) > 3000
    for position in range(0, 3000, 97):
        damaged = bytearray(whole)
        damaged[position] ^= 1
        with pytest.raises(ValueError, match="checksum"):
            read_table(bytes(damaged))


@pytest.mark.parametrize("kept", [0, 40, -1])
def test_what_is_no_table_is_refused(kept: int) -> None:
    with pytest.raises(ValueError, match="no sorted string table"):
        read_table(table(ENTRIES)[:kept])


def test_a_table_without_its_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match=r"checksum|cut off"):
        read_table(table(ENTRIES)[100:])


def test_compression_is_refused() -> None:
    with pytest.raises(ValueError, match="compressed"):
        read_table(table(ENTRIES, compression=1))
