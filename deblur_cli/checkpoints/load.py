"""From a resolved file of weights to a model, after its checksum was found right."""

from __future__ import annotations

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.resolve import ResolvedWeights
from deblur_cli.errors import WeightsError
from deblur_cli.models import RestorationModel, load_model


def load_weights(resolved: ResolvedWeights) -> RestorationModel:
    """Load weights into their network, in evaluation mode, float32, on the CPU.

    Raises:
        WeightsError: the file is not the one expected, damaged, or of another network.
    """
    found = file_sha256(resolved.path)
    if found != resolved.sha256:
        raise WeightsError(
            f"the checksum is {found[:12]}… instead of {resolved.sha256[:12]}…",
            path=resolved.path,
            remedy=resolved.remedy,
        )
    model = load_model(resolved.path)
    entry = resolved.entry
    if entry is not None and model.descriptor.name != entry.architecture:
        raise WeightsError(
            f"holds {model.descriptor.name}, but the manifest says {entry.architecture}",
            path=resolved.path,
            remedy="correct the manifest",
        )
    return model
