"""What docs/evaluation.md says of the metrics is so."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from deblur_cli.metrics.distribution import INCEPTION
from deblur_cli.metrics.niqe import load_niqe_model
from deblur_cli.metrics.perceptual import ALEXNET

DOCUMENTS = Path(__file__).parents[2] / "docs"
TEXT = (DOCUMENTS / "evaluation.md").read_text("utf-8")
METRICS = TEXT.partition("## Metrics")[2].partition("\n## ")[0]
NAMES = [
    name
    for cell in re.findall(r"^\| (`[^|]+) \|", METRICS, re.MULTILINE)
    for name in re.findall(r"`([\w.]+)`", cell)
]


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_in_the_table_exists(name):
    modules = [name.rpartition(".")[0]] if "." in name else ["", "realblur", "distribution"]
    places = [
        importlib.import_module(".".join(filter(None, ("deblur_cli.metrics", module))))
        for module in modules
    ]
    assert any(callable(getattr(place, name.rpartition(".")[2], None)) for place in places)


def test_table_is_read():
    assert {"psnr", "ssim_matlab3d", "niqe.niqe", "kid"} <= set(NAMES)


def test_figures_of_the_example_are_those_it_prints(capsys):
    example = re.search(r"```python\n(.*?)```", METRICS, re.DOTALL)
    assert example is not None
    exec(example[1], {})
    printed = [
        f"{float(figure):.4f}" for figure in capsys.readouterr().out.strip("[]\n").split(",")
    ]
    assert len(printed) == 3
    assert all(figure in METRICS for figure in printed)


def test_origin_of_the_model_for_niqe_is_told():
    source = load_niqe_model().source
    assert source.removeprefix("fitted on ") in TEXT
    assert source in (DOCUMENTS / "results.md").read_text("utf-8")


@pytest.mark.parametrize("file", [ALEXNET, INCEPTION])
def test_files_that_are_fetched_are_listed(file):
    assert f"`{file.name}`" in TEXT
