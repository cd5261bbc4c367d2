"""Restoration networks: made by name, or loaded from any checkpoint of a known architecture."""

from deblur_cli.models.registry import ARCHITECTURES, create_model, load_model
from deblur_cli.models.restoration import Descriptor, RestorationModel

__all__ = ["ARCHITECTURES", "Descriptor", "RestorationModel", "create_model", "load_model"]
