"""Equal compute: dearer steps are fewer steps, and a table goes on where it stood."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import compare_recipes
from benchmarks.compare_recipes import BASELINE, VARIANTS, Row
from deblur_cli.training.recipe import load_recipe, parse_recipe
from tests.training.tiny import TINY

ROW = Row(BASELINE, 0, 1.0, 1200, 320.5, 3_486_546, 0.731, 0.25, 0.125, 45.5)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_a_recipe_that_differs_from_the_baseline(name: str) -> None:
    assert (load_recipe("small-motion", VARIANTS[name]) == load_recipe("small-motion")) == (
        name == BASELINE
    )


def test_larger_batches_cost_more_and_other_data_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_recipes, "ROUNDS", 3)
    baseline = parse_recipe("tiny", TINY)
    dearer = parse_recipe("tiny", TINY, ["stages=[{after=0.5, patch=64, batch=4}]"])
    assert compare_recipes.relative_cost(dearer, baseline) > 1.2
    other = replace(baseline, data=replace(baseline.data, linear_share=0.0))
    assert compare_recipes.relative_cost(other, baseline) == 1.0


def test_rows_that_the_table_has_are_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[tuple[str, int, int]] = []

    def try_variant(name: str, seed: int, steps: int, *_: object) -> Row:
        tried.append((name, seed, steps))
        return replace(ROW, variant=name, seed=seed, pairs_gain=0.25 + seed / 8)

    monkeypatch.setattr(compare_recipes, "try_variant", try_variant)
    for seeds in (["0"], ["0", "1"]):
        command = ["compare", "small-motion", "--data", "data", "-o", str(tmp_path), "--steps", "9"]
        monkeypatch.setattr(sys, "argv", [*command, "--only", BASELINE, "Muon", "--seeds", *seeds])
        assert compare_recipes.main() == 0
    assert tried == [(BASELINE, 0, 9), ("Muon", 0, 9), (BASELINE, 1, 9), ("Muon", 1, 9)]
    rows = compare_recipes.read_rows(tmp_path / "results.csv")
    assert rows[0] == ROW
    assert [row.variant for row in rows] == [BASELINE, "Muon"] * 2
    assert "+0.312" in capsys.readouterr().out.splitlines()[-1]
