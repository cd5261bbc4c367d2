"""Recipes: the bundled ones are sound, and mistakes are named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.models import create_model
from deblur_cli.training.recipe import bundled_recipes, load_recipe, parse_recipe, to_toml

MINIMAL = """
task = "motion"
architecture = "algnet"
[network]
width = 8
[data]
sharp = "sharp"
[data.shares]
motion = [1.0, 0.5]
easy-motion = 0.25
"""


@pytest.mark.parametrize("name", bundled_recipes())
def test_bundled_recipes_make_a_network(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.task in ("motion", "defocus")
    assert create_model(recipe.architecture, **recipe.network).descriptor.parameters > 0


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_recipe_written_down_is_read_back_alike(name: str) -> None:
    text = to_toml(load_recipe(name))
    assert to_toml(parse_recipe(name, text)) == text
    assert tomllib.loads(text)["network"] == load_recipe(name).network


def test_every_setting_is_written_down_even_if_it_was_left_out() -> None:
    table = tomllib.loads(to_toml(parse_recipe("mine", MINIMAL)))
    assert table["optimiser"]["betas"] == [0.9, 0.99]
    assert table["loss"] == {"charbonnier": 1.0, "edge": 0.05, "frequency": 0.1}
    assert table["data"]["shares"] == {"motion": [1.0, 0.5], "easy-motion": 0.25}


def test_the_papers_network_is_a_recipe() -> None:
    recipe = load_recipe("algnet-motion")
    model = create_model(recipe.architecture, **recipe.network)
    assert model.descriptor.parameters == 37_697_676
    assert (recipe.optimiser.batch, recipe.optimiser.patch) == (32, 256)


def test_both_tasks_have_a_small_recipe() -> None:
    assert {"small-motion", "small-defocus"} <= set(bundled_recipes())


def test_shares_move_evenly_and_absent_sources_have_none() -> None:
    data = parse_recipe("mine", MINIMAL).data
    assert [data.share("motion", p) for p in (0, 0.5, 1)] == [1.0, 0.75, 0.5]
    assert data.share("easy-motion", 0.7) == 0.25
    assert data.share("pairs", 0.5) == 0


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    assert load_recipe(str(path)) == parse_recipe("mine", MINIMAL)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("task = ", "TOML"),
        (MINIMAL.replace("[data]", "[date]").replace("[data.", "[date."), "data"),
        (MINIMAL + "[optimiser]\nlearning_rat = 1.0", "learning_rat"),
        (MINIMAL.replace("easy-motion", "shake"), "shake"),
        (MINIMAL.replace("0.25", "-0.25"), "share of easy-motion is negative"),
        (MINIMAL.replace("0.25", "[1, 2, 3]"), "too many values"),
        (MINIMAL.replace("1.0, 0.5", "1.0, 0.0").replace("0.25", "0"), "needs a share"),
        (MINIMAL.split("[data.shares]")[0], "needs a share"),
        (MINIMAL.replace('task = "motion"', 'tusk = "motion"'), "tusk"),
    ],
)
def test_mistakes_are_named(text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse_recipe("mine", text)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="small-motion"):
        load_recipe("algnet-huge")
