"""From a resolved file of weights to a model, after its checksum was found right."""

from __future__ import annotations

from deblur_cli.checkpoints.resolve import ResolvedWeights
from deblur_cli.errors import WeightsError
from deblur_cli.models import RestorationModel, load_model


def load_weights(resolved: ResolvedWeights) -> RestorationModel:
    """Load weights into their network, in evaluation mode, float32, on the CPU.

    Raises:
        WeightsError: the file is not the one expected, damaged, or of another network.
    """
    resolved.require_intact()
    model = load_model(resolved.path)
    entry = resolved.entry
    if entry is not None and model.descriptor.name != entry.architecture:
        raise WeightsError(
            f"holds {model.descriptor.name}, but the manifest says {entry.architecture}",
            path=resolved.path,
            remedy="correct the manifest",
        )
    return model
