"""Training recipes: validated dataclasses, kept as TOML beside the code and every checkpoint."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from deblur_cli.errors import UsageError

SOURCES = ("motion", "easy-motion", "frames", "defocus", "pairs", "unblurred")
_BUNDLED = files("deblur_cli.training") / "recipes"


@dataclass(frozen=True)
class Optimiser:
    """AdamW with gradient clipping; the learning rate follows a cosine over the whole run."""

    learning_rate: float = 1.2e-3
    """Peak."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    """Of matrices and kernels; biases, norms, scales and scan parameters do not decay."""
    clip_norm: float = 1.0
    warmup_steps: int = 60
    batch: int = 6
    patch: int = 128
    """Side of the square patches, in pixels."""


@dataclass(frozen=True)
class LossWeights:
    """Factors of the three terms at every scale; the defaults are the paper's."""

    charbonnier: float = 1.0
    edge: float = 0.05
    frequency: float = 0.1


@dataclass(frozen=True)
class Data:
    """Where the pairs come from, and how often each source is drawn.

    Paths are relative to the data folder. A share is one number, or two: at the start and at the
    end of the run, linear in between. Shares are relative to each other.
    """

    sharp: str
    """Folder of sharp photographs to synthesise blur from."""
    frames: str = ""
    """High-speed video to average frames of (GoPro-style)."""
    pairs: str = ""
    """Folder of real pairs."""
    shares: Mapping[str, float | Sequence[float]] = field(default_factory=dict)
    """Share of each source in `SOURCES`."""

    def __post_init__(self) -> None:
        """Refuse sources that do not exist, and shares that nothing can be drawn by."""
        if unknown := sorted(self.shares.keys() - set(SOURCES)):
            raise ValueError(f"unknown source {', '.join(unknown)}; known: {', '.join(SOURCES)}")
        for source in self.shares:
            if min(self.share(source, 0), self.share(source, 1)) < 0:
                raise ValueError(f"the share of {source} is negative")
        for progress in (0, 1):
            if not any(self.share(source, progress) for source in self.shares):
                raise ValueError("some source needs a share, at the start and at the end")

    def share(self, source: str, progress: float) -> float:
        """Relative weight of a source when a share `progress` of the run is done."""
        share = self.shares.get(source, 0.0)
        start, end = (share, share) if isinstance(share, int | float) else share
        return start + (end - start) * progress


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run but its length and its seed."""

    name: str
    task: str
    architecture: str
    network: Mapping[str, Any]
    """Configuration of the architecture."""
    data: Data
    optimiser: Optimiser = field(default_factory=Optimiser)
    loss: LossWeights = field(default_factory=LossWeights)


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the program."""
    names = (entry.name for entry in _BUNDLED.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its bundled name or from a TOML file.

    Raises:
        UsageError: no such recipe, or a field that is unknown, missing or of the wrong kind.
    """
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return parse_recipe(path.stem, path.read_text("utf-8"))
    if name not in bundled_recipes():
        raise UsageError(
            f"unknown recipe '{name}'",
            remedy=f"one of {', '.join(bundled_recipes())}, or the path of a .toml file",
        )
    return parse_recipe(name, (_BUNDLED / f"{name}.toml").read_text("utf-8"))


def parse_recipe(name: str, text: str) -> Recipe:
    """Build a recipe from TOML text.

    Raises:
        UsageError: a field that is unknown, missing or of the wrong kind.
    """
    try:
        table = tomllib.loads(text)
        table["data"] = Data(**table["data"])
        table["optimiser"] = Optimiser(**table.get("optimiser", {}))
        table["loss"] = LossWeights(**table.get("loss", {}))
        return Recipe(name=name, **table)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"recipe '{name}' is no TOML: {error}") from error
    except KeyError as error:
        raise UsageError(f"recipe '{name}' lacks the table {error}") from error
    except (TypeError, ValueError) as error:
        raise UsageError(f"recipe '{name}': {error}") from error


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML that `parse_recipe` reads back, with every setting spelt out."""
    table = asdict(recipe)
    del table["name"]
    return "\n".join(_toml_lines(table)) + "\n"


def _toml_lines(table: Mapping[str, Any], path: str = "") -> Iterator[str]:
    for key, value in table.items():
        if not isinstance(value, Mapping):
            yield f"{key} = {json.dumps(value, ensure_ascii=False)}"
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield f"\n[{path}{key}]"
            yield from _toml_lines(value, f"{path}{key}.")
