"""Metrics with networks of their own, here small ones with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from deblur_cli.errors import WeightsError
from deblur_cli.evaluation.candidates import Unrestored
from deblur_cli.evaluation.evaluation import Outcome, Work
from deblur_cli.evaluation.measures import MEASURES, Kit, Shot, instrument
from deblur_cli.evaluation.scores import mean_score
from deblur_cli.evaluation.subjects import Subjects, open_subjects
from deblur_cli.metrics.distribution import fid, kid, load_inception
from tests.data.layouts import textured, write_gopro

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")

CHANNELS = ((3, 8, 11), (8, 8, 5), (8, 8, 3), (8, 8, 3), (8, 8, 3))
DOWNLOADED = {"lpips", "st_lpips", "fid-kid"}
BLURRED, TRUTH = textured(1)[0]


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    state = {}
    for layer, (before, after, size) in enumerate(CHANNELS):
        state[f"features.{layer}.weight"] = torch.randn(after, before, size, size)
        state[f"features.{layer}.bias"] = torch.randn(after)
        state[f"lin{layer}.model.1.weight"] = torch.rand(1, after, 1, 1)
    path = tmp_path_factory.mktemp("networks") / "alexnet.pth"
    torch.save(state, path)
    return path


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 9, stride=9), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen: torch.Tensor = self.layers(x)
        return seen


@pytest.fixture(scope="module")
def inception(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("networks") / "inception.pt"
    torch.jit.save(torch.jit.script(Layers().eval()), str(path))  # type: ignore[no-untyped-call]
    return path


def test_perceptual_distances_by_local_weights(alexnet: Path) -> None:
    kit = Kit("cpu", offline=True, weights={"lpips": alexnet, "st-lpips": alexnet})
    read = instrument(("lpips", "st_lpips", "psnr"), kit)
    figures = read(Shot(BLURRED, BLURRED, TRUTH)).figures
    assert list(figures) == ["lpips", "st_lpips", "psnr"]
    assert min(figures.values()) > 0
    equal = read(Shot(TRUTH, TRUTH, TRUTH)).figures
    assert (equal["lpips"], equal["st_lpips"]) == (0, 0)


def test_niqe_by_another_model_has_another_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = tmp_path / "model.npz"
    np.savez(model, mu_pris_param=rng.random(36), cov_pris_param=np.eye(36))
    picture = textured(1, 200, 300)[0][0]
    shot = Shot(picture, picture, picture)
    ours = instrument(("niqe",), Kit("cpu"))(shot).figures
    given = instrument(("niqe",), Kit("cpu", weights={"niqe": model}))(shot).figures
    assert (list(ours), list(given)) == (["niqe"], ["niqe_given"])
    assert ours["niqe"] != given["niqe_given"]


def test_no_figure_takes_the_place_of_another() -> None:
    picture = textured(1, 200, 300)[0][0]
    read = instrument(tuple(name for name in MEASURES if name not in DOWNLOADED), Kit("cpu"))
    alone = [
        figure
        for name in MEASURES
        if name not in {*DOWNLOADED, "ssims"}
        for figure in instrument((name,), Kit("cpu"))(Shot(picture, picture, picture)).figures
    ]
    assert len(alone) == len(set(alone))
    assert read(Shot(picture, picture, picture)).figures.keys() == set(alone)


def test_given_models_are_named(tmp_path: Path) -> None:
    kit = Kit("cpu", weights={"lpips": tmp_path / "a.pth", "inception": tmp_path / "b.pt"})
    assert kit.models(("psnr", "lpips")) == ["lpips by a.pth"]
    assert kit.models(("fid-kid", "st_lpips")) == ["fid-kid by b.pt"]
    assert kit.models(("niqe",)) == [
        "NIQE by the package's own model, fitted on 301 sharp photographs, which is not MATLAB's"
    ]


def test_networks_that_may_not_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="offline"):
        instrument(("fid-kid",), Kit("cpu", offline=True))


@pytest.fixture
def subjects(tmp_path: Path) -> Subjects:
    write_gopro(tmp_path, "test", textured(4))
    subjects = open_subjects("gopro", tmp_path)
    protocol = subjects.protocol.measuring("psnr,fid-kid")
    return Subjects(subjects.name, subjects.task, protocol, subjects.pairs)


def measure(subjects: Subjects, inception: Path, output: Path | None) -> Outcome:
    kit = Kit("cpu", offline=True, weights={"inception": inception})
    return Work(subjects, kit=kit, output=output).measure(Unrestored(), None, lambda result: None)


def test_sets_are_compared_as_a_whole(subjects: Subjects, inception: Path) -> None:
    mean = mean_score(measure(subjects, inception, None).scores).figures
    see = load_inception(inception, offline=True, tell=print)
    pictures = [pair.read() for pair in subjects.pairs]
    blurred, truth = (np.stack([see(pair[kind]) for pair in pictures]) for kind in (0, 1))
    assert mean["fid"] == pytest.approx(fid(blurred, truth), rel=1e-3)
    assert mean["kid"] == pytest.approx(kid(blurred, truth), rel=1e-3)


def test_features_survive_the_record(subjects: Subjects, inception: Path, tmp_path: Path) -> None:
    first, second = (
        mean_score(measure(subjects, inception, tmp_path / "out").scores) for _ in range(2)
    )
    assert first == second
    assert first.figures["fid"] > 0


def test_one_picture_is_no_set(subjects: Subjects, inception: Path) -> None:
    (score, *_) = measure(subjects, inception, None).scores
    assert mean_score([score]).figures.keys() == {"psnr"}
