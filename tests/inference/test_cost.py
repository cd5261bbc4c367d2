from __future__ import annotations

import pytest
import torch

from deblur_cli.inference.cost import SAFETY, bytes_per_pixel
from deblur_cli.models import create_model

CPU = torch.device("cpu")


def test_the_cost_is_what_the_network_states_in_its_precision_and_an_allowance() -> None:
    model = create_model("nafnet", width=8, encoder_blocks=(1, 1), decoder_blocks=(1, 1)).eval()
    for dtype in (torch.float32, torch.bfloat16):
        stated = model.descriptor.memory_per_megapixel(dtype, CPU)
        cost = bytes_per_pixel(model.set_precision(dtype), CPU)
        assert cost == pytest.approx(SAFETY * stated / 1e6)
