"""What a file of weights says of itself, as text by name in the head of its safetensors file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from deblur_cli.checkpoints.advice import Advice, checked_advice
from deblur_cli.errors import WeightsError

_ADVICE = "inference"
Figures = Mapping[str, float]
"""Figures of one picture by the names that `deblur eval` gives them; PSNR in dB."""


@dataclass(frozen=True)
class Training:
    """How far a run had come."""

    steps: int
    seconds: float
    init: str | None
    """SHA-256 of the weights it began with; None for random ones."""
    chosen_at: int | None = None
    """Step after which these weights were found to be the best by validation; None for the last."""


@dataclass(frozen=True)
class Measurement:
    """What the network does to the pictures of one data set."""

    dataset: str
    method: str
    """Device, precision and tiles, as `Deblurrer.summary` says them."""
    pictures: Mapping[str, Figures]

    @property
    def mean(self) -> Figures:
        """The mean over pictures of each figure."""
        names = next(iter(self.pictures.values()))
        return {name: fmean(one[name] for one in self.pictures.values()) for name in names}


@dataclass(frozen=True)
class Metadata:
    """Everything a file of weights says of itself; what is not known is empty or None."""

    architecture: str
    config: Mapping[str, Any]
    """Arguments of `create_model` that make the network."""
    parameters: int
    dtype: str
    """Of the stored parameters: `float16` or `float32`."""
    task: str = ""
    trained_on: tuple[str, ...] = ()
    recipe: str = ""
    """The training recipe with every setting spelt out, as TOML."""
    training: Training | None = None
    measured: tuple[Measurement, ...] = ()
    inference: Advice = field(default_factory=dict)
    """How it is best run."""

    def to_text(self) -> dict[str, str]:
        """Text by name: text as it is, everything else as JSON."""
        return {
            name: value if isinstance(value, str) else json.dumps(_without_infinity(value))
            for name, value in asdict(self).items()
        }


def read_text(path: Path) -> dict[str, str]:
    """The text by name in the head of a safetensors file; nothing for a file of another suffix.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"cannot be read as safetensors: {error}", path=path, remedy="fetch it again"
        ) from error


def read_advice(path: Path) -> Advice:
    """What a file of weights says of how it is best run; nothing if it does not say.

    Raises:
        WeightsError: the file is damaged, or what it says makes no sense.
    """
    try:
        return checked_advice(json.loads(read_text(path).get(_ADVICE, "{}")))
    except (ValueError, AttributeError) as error:
        raise WeightsError(
            f"its advice on inference makes no sense: {error}",
            path=path,
            remedy="convert the checkpoint it was made from again",
        ) from error


def from_text(text: Mapping[str, str]) -> Metadata | None:
    """What `to_text` wrote; None if the text is another program's, or says less than that.

    Only the advice may be missing, as in files of earlier versions.

    Raises:
        ValueError: the text has all the names, but their values make no sense.
    """
    if not text.keys() >= {one.name for one in fields(Metadata)} - {_ADVICE}:
        return None
    try:
        training = json.loads(text["training"])
        return Metadata(
            architecture=text["architecture"],
            config=json.loads(text["config"]),
            parameters=json.loads(text["parameters"]),
            dtype=text["dtype"],
            task=text["task"],
            trained_on=tuple(json.loads(text["trained_on"])),
            recipe=text["recipe"],
            training=None if training is None else Training(**training),
            measured=tuple(_measurement(table) for table in json.loads(text["measured"])),
            inference=checked_advice(json.loads(text.get(_ADVICE, "{}"))),
        )
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(str(error)) from error


def _measurement(table: Mapping[str, Any]) -> Measurement:
    pictures = {name: _with_infinity(figures) for name, figures in table["pictures"].items()}
    return Measurement(table["dataset"], table["method"], pictures)


def _with_infinity(figures: Mapping[str, float | None]) -> Figures:
    return {name: math.inf if value is None else value for name, value in figures.items()}


def _without_infinity(value: Any) -> Any:
    """JSON has no infinity, which is the PSNR of equal pictures."""
    if isinstance(value, Mapping):
        return {key: _without_infinity(one) for key, one in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_without_infinity(one) for one in value]
    return None if isinstance(value, float) and math.isinf(value) else value
