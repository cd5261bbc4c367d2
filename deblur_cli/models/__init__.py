"""Restoration networks: made by name, or loaded from any checkpoint of a known architecture."""

from deblur_cli.models.descriptor import Descriptor, SizeRule, Tiling
from deblur_cli.models.registry import ARCHITECTURES, create_model, load_model
from deblur_cli.models.restoration import RestorationModel

__all__ = [
    "ARCHITECTURES",
    "Descriptor",
    "RestorationModel",
    "SizeRule",
    "Tiling",
    "create_model",
    "load_model",
]
