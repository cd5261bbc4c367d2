from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from deblur_cli.inspection.work import UPDATE_MACS, Work, count_work
from deblur_cli.models import create_model
from deblur_cli.ops.backends import ENVIRONMENT_VARIABLE

ALGNET = {
    "width": 8,
    "state_size": 8,
    "encoder_blocks": (1, 1),
    "middle_blocks": 1,
    "decoder_blocks": (1, 1),
}
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("algnet", ALGNET),
    ("algnet", {**ALGNET, "fusion": "concat"}),
    ("xyscannet", {"width": 8, "blocks": (1, 1, 1)}),
    ("nafnet", {"width": 4, "encoder_blocks": (1, 1), "decoder_blocks": (1, 1)}),
    ("fcn", {"width": 8, "unet_step": 4, "full_resolution_step": 4, "attention_blocks": 1}),
]


@pytest.mark.parametrize("level", [0, 1])
def test_algnet_block_follows_its_formula(level: int) -> None:
    counts = [1, 1]
    counts[level] += 1
    less = count_work("algnet", ALGNET, (16, 24))
    more = count_work("algnet", {**ALGNET, "encoder_blocks": counts}, (16, 24))
    c, pixels, rank = 8 * 2**level, 16 * 24 // 4**level, 1
    assert more.outside - less.outside == (6 * c**2 + 18 * c) * pixels + c**2
    projections = (6 * c**2 + 2 * c * (rank + 2 * 8) + 2 * c * rank) * pixels
    assert _inside(more) - _inside(less) == projections + 8 * c * pixels
    assert more.updates - less.updates == 2 * c * 8 * pixels
    assert more.macs == more.outside + _inside(more)
    assert more.macs_with_scan == more.macs + UPDATE_MACS * more.updates


def _inside(work: Work) -> int:
    return sum(call.projections + call.convolution for call in work.calls)


@pytest.mark.parametrize(("architecture", "config"), NETWORKS)
def test_real_pass_has_the_same_convolutions_and_products(
    architecture: str, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float64 and with the reference scan every one of them is an operation torch counts."""
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "reference")
    network = create_model(architecture, **config).network.double().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 3, 16, 24, dtype=torch.float64))
    assert count_work(architecture, config, (16, 24)).macs == counter.get_total_flops() // 2


@pytest.mark.parametrize(("architecture", "config"), NETWORKS)
def test_used_parameters_are_those_with_a_gradient(
    architecture: str, config: dict[str, Any]
) -> None:
    work = count_work(architecture, config, (16, 24))
    network = create_model(architecture, **config).network
    outputs = network(torch.rand(1, 3, 16, 24))
    sum(output.square().sum() for output in outputs).backward()
    parameters = list(network.parameters())
    assert work.parameters == sum(p.numel() for p in parameters)
    assert work.used == sum(p.numel() for p in parameters if p.grad is not None)


def test_side_outputs_are_counted_on_request_only() -> None:
    whole = count_work("algnet", ALGNET, (16, 24))
    restored_only = count_work("algnet", ALGNET, (16, 24), side_outputs=False)
    head = 9 * 3 * 16 * (16 * 24 // 4)
    assert whole.macs - restored_only.macs == head
    assert whole.parameters == restored_only.parameters
    assert whole.used - restored_only.used == 9 * 3 * 16 + 3
