from __future__ import annotations

import numpy as np
import pytest
import torch

from deblur_cli.errors import RestoreError
from deblur_cli.inference.samples import check_image, from_unit, to_unit, torch_dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_sample_value_comes_back(dtype: type) -> None:
    values = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(1, -1, 1, 1).repeat(3, 3)
    unit = to_unit(torch.from_numpy(values))
    assert unit.dtype == torch.float32 and unit.min() == 0 and unit.max() == 1
    expected = values[0, :, 0, 0] / np.iinfo(dtype).max
    np.testing.assert_allclose(unit[0, 0, :, 0], expected, rtol=1e-7)
    samples = from_unit(unit, torch_dtype(values.dtype)).permute(0, 2, 3, 1)
    np.testing.assert_array_equal(samples.numpy(), values)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])
def test_unit_samples_are_channels_last_whatever_the_dtype(dtype: torch.dtype) -> None:
    unit = to_unit(torch.zeros((2, 4, 5, 3), dtype=dtype))
    assert unit.shape == (2, 3, 4, 5)
    assert unit.is_contiguous(memory_format=torch.channels_last)


def test_values_are_clipped_and_rounded_to_the_nearest() -> None:
    values = torch.tensor([-1, 0.499 / 255, 0.501 / 255, 254.6 / 255, 7])
    before = values.clone()
    assert from_unit(values, torch.uint8).tolist() == [0, 0, 1, 255, 255]
    assert from_unit(values, torch.float32).tolist() == values.clamp(0, 1).tolist()
    assert torch.equal(values, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float64),
        np.zeros((4, 4, 3), np.int32),
        np.zeros((4, 4, 3), ">u2"),
    ],
)
def test_what_is_no_picture_is_refused(image: np.ndarray) -> None:
    with pytest.raises(RestoreError):
        check_image(image)
