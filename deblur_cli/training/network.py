"""The network that a recipe describes."""

from __future__ import annotations

from deblur_cli.errors import UsageError
from deblur_cli.models import RestorationModel, create_model
from deblur_cli.models.registry import ARCHITECTURES
from deblur_cli.training.recipe import Recipe, naming
from deblur_cli.training.tables import read_table


def recipe_network(recipe: Recipe) -> RestorationModel:
    """The recipe's network with initial weights, for its patches.

    Raises:
        UsageError: the architecture is unknown, its layout makes no network, or the network would
            pad the patches; the recipe and the key are named.
    """
    with naming(recipe.name):
        if recipe.architecture not in ARCHITECTURES:
            raise UsageError(
                f"architecture '{recipe.architecture}' is unknown",
                remedy=f"one of {', '.join(ARCHITECTURES)}",
            )
        read_table(ARCHITECTURES[recipe.architecture].config, recipe.network, "network.")
    model = create_model(recipe.architecture, **recipe.network)
    multiple = model.descriptor.size_multiple
    for stage in recipe.all_stages():
        if stage.patch % multiple:
            raise UsageError(
                f"patches of {stage.patch} pixels do not fit the network of '{recipe.name}'",
                remedy=f"a multiple of {multiple}",
            )
    return model
