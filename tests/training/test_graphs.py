"""Steps that are recorded and replayed, with a recorder that needs no GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pytest
import torch
from torch import Tensor

from deblur_cli.models import create_model
from deblur_cli.training.graphs import EAGER_STEPS, GraphedSteps, Step
from deblur_cli.training.learner import Learner, make_learner
from deblur_cli.training.recipe import load_recipe

Kind = Literal["honest", "idle", "hasty", "none"]


class FakeRecorder:
    """Replays by taking the step; or does nothing, or each step twice, or cannot record."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.taken = self.replayed = 0

    def take(self, step: Step, blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
        self.taken += 1
        return step(blurred, sharp)

    def record(self, step: Step, blurred: Tensor, sharp: Tensor) -> Step:
        if self.kind == "none":
            raise RuntimeError("operation not permitted\nwhen stream is capturing")
        found = step(blurred, sharp) if self.kind == "idle" else ()

        def replay(blurred: Tensor, sharp: Tensor) -> Sequence[Tensor]:
            self.replayed += 1
            if self.kind == "idle":
                return found
            if self.kind == "hasty":
                step(blurred, sharp)
            return step(blurred, sharp)

        return replay


def learner() -> Learner:
    torch.manual_seed(0)
    model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1], stem=2)
    return make_learner(model, load_recipe("small-motion"), torch.device("cpu"), torch.float32)


def patches(number: int, count: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(number)
    blurred, sharp = torch.rand(2, count, 3, 16, 16, generator=generator)
    return blurred, sharp


def graphed(one: Learner, kind: Kind) -> tuple[GraphedSteps, FakeRecorder]:
    recorder = FakeRecorder(kind)
    steps = GraphedSteps(one._learn, one._changed_by_steps, recorder)
    one.set_rate(1e-2)
    return steps, recorder


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("honest", ""),
        ("idle", "they would learn otherwise by"),
        ("hasty", "they would learn otherwise by"),
        ("none", "operation not permitted"),
    ],
)
def test_whatever_a_graph_does_the_training_goes_as_without(kind: Kind, reason: str) -> None:
    plain, recorded = learner(), learner()
    plain.set_rate(1e-2)
    steps, recorder = graphed(recorded, kind)
    for number in range(EAGER_STEPS + 3):
        expected, found = plain._learn(*patches(number)), steps(*patches(number))
        assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))
    for one, other in zip(plain._changed_by_steps(), recorded._changed_by_steps(), strict=True):
        assert torch.equal(one, other)
    assert steps.refused.startswith(reason)
    assert bool(steps.refused) == bool(reason)
    assert recorder.replayed == {"honest": 3, "none": 0}.get(kind, 1)


def test_every_shape_is_recorded_anew() -> None:
    steps, recorder = graphed(learner(), "honest")
    for count in (2, 1, 2):
        for number in range(EAGER_STEPS + 2):
            steps(*patches(number, count))
    assert recorder.taken == 3 * (EAGER_STEPS + 1)
    assert recorder.replayed == 3 * 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_real_graph_trains_as_its_kernels_do() -> None:
    torch.manual_seed(0)
    model = create_model("algnet", width=16, encoder_blocks=[1, 1], decoder_blocks=[1, 1], stem=2)
    one = make_learner(model, load_recipe("small-motion"), torch.device("cuda"), torch.bfloat16)
    assert one.graphed is not None
    for number in range(EAGER_STEPS + 3):
        blurred, sharp = (image.cuda() for image in patches(number))
        assert one.step(blurred, sharp, 1e-3).loss.isfinite()
    assert not one.graphed.refused
