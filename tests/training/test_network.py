"""The networks of recipes, and layouts that make none."""

from __future__ import annotations

import pytest

from deblur_cli.errors import UsageError
from deblur_cli.training.network import recipe_network
from deblur_cli.training.recipe import load_recipe


def test_a_recipe_makes_its_network() -> None:
    model = recipe_network(load_recipe("small-motion", ["network.width=16"]))
    assert (model.descriptor.name, model.descriptor.config["width"]) == ("algnet", 16)


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("network.widht=8", r"unknown key network\.widht"),
        ("network.width=large", r'network\.width must be a whole number, not "large"'),
        ("network.fusion=max", r"network\.fusion must be one of release, paper"),
        ("network.encoder_blocks=3", r"network\.encoder_blocks must be a list"),
        ("network.decoder_blocks=[1]", "network: ALGNet needs as many decoder levels"),
        ("architecture=algnot", "architecture 'algnot' is unknown .*algnet"),
    ],
)
def test_a_layout_that_makes_no_network_is_named_by_its_key(override: str, named: str) -> None:
    with pytest.raises(UsageError, match=f"recipe 'small-motion': {named}"):
        recipe_network(load_recipe("small-motion", [override]))


@pytest.mark.parametrize(
    "override", ["optimiser.patch=100", "stages=[{after = 0.5, patch = 100, batch = 6}]"]
)
def test_patches_of_every_stage_must_fit_the_network(override: str) -> None:
    with pytest.raises(UsageError, match=r"patches of 100 pixels do not fit.*a multiple of 16"):
        recipe_network(load_recipe("small-motion", [override]))
