from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deblur_cli.checkpoints.crc32c import crc32c, masked_crc32c
from tests.checkpoints.tensorflow_files import masked


@pytest.mark.parametrize(
    ("data", "checksum"),  # RFC 3720, appendix B.4
    [
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(reversed(range(32))), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_known_checksums(data: bytes, checksum: int) -> None:
    assert crc32c(data) == checksum


@given(st.binary(max_size=60))
@settings(deadline=None)
def test_masked_ones_are_those_of_the_definition(data: bytes) -> None:
    assert masked_crc32c(data) == masked(data)


def test_of_an_array_it_is_that_of_its_bytes_in_c_order() -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert crc32c(array.T) == crc32c(array.T.tobytes()) != crc32c(array)
