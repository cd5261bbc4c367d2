"""Training recipes: validated dataclasses, kept as TOML beside the code and every checkpoint."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from deblur_cli.errors import UsageError
from deblur_cli.training.tables import read_table, require, set_key, toml_lines

SYNTHETIC = ("motion", "easy-motion", "handheld", "defocus", "unblurred")
"""Sources that are made from sharp photos."""

SOURCES = (*SYNTHETIC, "frames", "pairs", "dataset")

Augmentation = Literal[
    "flips", "flips-rotations", "flips-rotations-channels", "flips-rotations-saturation"
]

_BUNDLED = files("deblur_cli.training") / "recipes"


@dataclass(frozen=True)
class Optimiser:
    """How the parameters change, and the patches of a step."""

    kind: Literal["adamw", "muon"] = "adamw"
    """AdamW, without weight decay the same as Adam; or Muon for matrices, AdamW for the rest."""
    learning_rate: float = 1.2e-3
    """Peak."""
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    """Of matrices and kernels; biases, norms, scales and scan parameters do not decay."""
    clip_norm: float = 1.0
    """Longest gradient over all parameters; inf leaves gradients as they are."""
    batch: int = 6
    """Patches in a step, over all devices."""
    patch: int = 128
    """Side of the square patches, in pixels."""
    accumulation: int = 1
    """Parts of a batch that go through the network one after the other, to save memory."""
    ema_decay: float = 0.0
    """Of the running mean of the weights, which is then what is validated and exported; 0: none."""

    def __post_init__(self) -> None:
        """Refuse what no step can be made with."""
        require(
            0 <= self.learning_rate < math.inf, "learning_rate", "0 or more", self.learning_rate
        )
        require(all(0 <= b < 1 for b in self.betas), "betas", "in [0, 1)", self.betas)
        require(0 <= self.weight_decay < math.inf, "weight_decay", "0 or more", self.weight_decay)
        require(self.clip_norm > 0, "clip_norm", "above 0", self.clip_norm)
        require(self.batch >= 1, "batch", "1 or more", self.batch)
        require(self.patch >= 1, "patch", "1 or more", self.patch)
        require(self.accumulation >= 1, "accumulation", "1 or more", self.accumulation)
        require(0 <= self.ema_decay < 1, "ema_decay", "in [0, 1)", self.ema_decay)


@dataclass(frozen=True)
class Schedule:
    """The learning rate relative to its peak, over the whole run however long that is."""

    shape: Literal["cosine", "halving"] = "cosine"
    """A fall to the floor by half a cosine, or halvings at equal distances."""
    floor: float = 1e-3
    """Where the cosine ends."""
    hold: float = 0.0
    """Share of the run before the cosine begins to fall."""
    halvings: int = 2
    """They cut the run into equal parts, one more than there are halvings."""
    warmup_steps: int = 60
    """Steps over which the rate rises linearly."""

    def __post_init__(self) -> None:
        """Refuse what is no schedule."""
        require(0 <= self.floor <= 1, "floor", "in [0, 1]", self.floor)
        require(0 <= self.hold < 1, "hold", "in [0, 1)", self.hold)
        require(self.halvings >= 1, "halvings", "1 or more", self.halvings)
        require(self.warmup_steps >= 0, "warmup_steps", "0 or more", self.warmup_steps)


@dataclass(frozen=True)
class Stage:
    """Patches of another size and number, from a point of the run on."""

    after: float
    """Share of the run."""
    patch: int
    batch: int

    def __post_init__(self) -> None:
        """Refuse what is no patch."""
        require(0 <= self.after < 1, "after", "in [0, 1)", self.after)
        require(self.patch >= 1, "patch", "1 or more", self.patch)
        require(self.batch >= 1, "batch", "1 or more", self.batch)


@dataclass(frozen=True)
class LossWeights:
    """Factors of the terms that compare each output of the network with the truth at its scale.

    The defaults are ALGNet's; a term with factor 0 is not computed.
    """

    charbonnier: float = 1.0
    edge: float = 0.05
    frequency: float = 0.1
    absolute: float = 0.0
    """Of the mean absolute difference."""
    contrast: float = 0.0
    """Of XYScanNet's contrast in features of VGG19; needs torchvision."""
    trust_ratios: int = 0
    """Outputs that are weighted by FCN's trainable trust ratios; 0: every output counts alike."""
    deep_supervision: bool = True
    """Whether the network's outputs at all scales are compared, or the full-size one alone."""

    def __post_init__(self) -> None:
        """Refuse losses that cannot be minimised."""
        names = ("charbonnier", "edge", "frequency", "absolute", "contrast", "trust_ratios")
        values = {name: getattr(self, name) for name in names}
        for name, value in values.items():
            require(0 <= value < math.inf, name, "0 or more", value)
        if not any(values[name] for name in names[:-1]):
            raise UsageError(f"{', '.join(names[:-1])} are all 0; one must be above 0")


@dataclass(frozen=True)
class Data:
    """Where the pairs come from, how often each source is drawn, and how patches are made of them.

    Paths are relative to the data folder. A share is one number, or two: at the start and at the
    end of the run, linear in between. Shares are relative to each other.
    """

    sharp: str = ""
    """Folder of sharp photographs to synthesise blur from."""
    frames: str = ""
    """High-speed video to average frames of (GoPro-style)."""
    pairs: str = ""
    """Folder of real pairs."""
    dataset: str = ""
    """Published set of real pairs, in its own layout somewhere in the data folder."""
    split: str = "train"
    """Which part of that set."""
    shares: Mapping[str, float | tuple[float, float]] = field(default_factory=dict)
    """Share of each source in `SOURCES`."""
    linear_share: float | None = None
    """Share of photos blurred in linear light, the rest in picture values; None: each source's."""
    fit: Literal["crop", "resize"] = "crop"
    """How a pair of the set becomes a patch: by a random crop, or resized as a whole."""
    augmentation: Augmentation = "flips-rotations-channels"
    """How patches are varied: mirrored, turned by quarters, channels permuted, other saturation."""
    validation: str = ""
    """Folder of pairs, or set with a `val` split, by which the best weights are chosen."""

    def __post_init__(self) -> None:
        """Refuse sources that do not exist, and shares that nothing can be drawn by."""
        for source, share in self.shares.items():
            if source not in SOURCES:
                raise UsageError(
                    f"shares.{source} is no source", remedy=f"known: {', '.join(SOURCES)}"
                )
            least = min(self.share(source, 0), self.share(source, 1))
            require(least >= 0, f"shares.{source}", "0 or more", share)
            place = "sharp" if source in SYNTHETIC else source
            if not getattr(self, place):
                raise UsageError(f"{place} is missing, which shares.{source} draws from")
        linear = self.linear_share
        require(linear is None or 0 <= linear <= 1, "linear_share", "in [0, 1]", linear)
        for progress in (0, 1):
            if not any(self.share(source, progress) for source in self.shares):
                raise UsageError("shares: some source needs one, at the start and at the end")

    def share(self, source: str, progress: float) -> float:
        """Relative weight of a source when a share `progress` of the run is done."""
        share = self.shares.get(source, 0.0)
        start, end = (share, share) if isinstance(share, int | float) else share
        return start + (end - start) * progress


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training run but its seed."""

    name: str
    task: Literal["motion", "defocus"]
    architecture: str
    network: Mapping[str, Any]
    """Configuration of the architecture."""
    data: Data
    iterations: int | None = None
    """Steps of the run; None leaves its length to the wall-clock budget."""
    starts_from: str = ""
    """The recipe whose weights this one trains on."""
    optimiser: Optimiser = field(default_factory=Optimiser)
    schedule: Schedule = field(default_factory=Schedule)
    loss: LossWeights = field(default_factory=LossWeights)
    stages: tuple[Stage, ...] = ()
    """What changes in the course of the run; before, patches are as the optimiser says."""

    def __post_init__(self) -> None:
        """Refuse lengths and stages that make no run."""
        iterations = self.iterations
        require(iterations is None or iterations >= 1, "iterations", "1 or more", iterations)
        begins = [stage.after for stage in self.stages]
        require(begins == sorted(set(begins)), "stages", "in order, by rising after", begins)
        for stage in self.all_stages():
            parts = self.optimiser.accumulation
            wish = f"a divisor of every batch, such as {stage.batch}"
            require(stage.batch % parts == 0, "optimiser.accumulation", wish, parts)

    def all_stages(self) -> tuple[Stage, ...]:
        """Every stage of the run in order, the first one included."""
        return (Stage(0.0, self.optimiser.patch, self.optimiser.batch), *self.stages)

    def stage(self, progress: float) -> Stage:
        """Which patches a step takes when a share `progress` of the run is done."""
        return [stage for stage in self.all_stages() if stage.after <= progress][-1]


def bundled_recipes() -> list[str]:
    """Names of the recipes that come with the program."""
    names = (entry.name for entry in _BUNDLED.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load_recipe(name: str, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its bundled name or from a TOML file.

    Args:
        name: what the recipe is called, or the path of its file.
        overrides: `key.of.a.table=value` each, followed in their order.

    Raises:
        UsageError: no such recipe, or a key that is unknown, missing or has an impossible value.
    """
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        with naming(path.stem, path):
            text = path.read_text("utf-8")
        return parse_recipe(path.stem, text, overrides, path)
    return parse_recipe(name, _bundled_text(name), overrides)


def parse_recipe(
    name: str, text: str, overrides: Sequence[str] = (), path: Path | None = None
) -> Recipe:
    """Build a recipe from TOML text that came from the file `path`, if from any.

    Raises:
        UsageError: a key that is unknown, missing or has an impossible value.
    """
    with naming(name, path):
        table = _complete(tomllib.loads(text))
        for override in overrides:
            set_key(table, override)
        if "name" in table:
            raise UsageError("unknown key name", remedy="a recipe is called like its file")
        return read_table(Recipe, {**table, "name": name})


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML that `parse_recipe` reads back, with every setting spelt out."""
    table = asdict(recipe)
    del table["name"]
    return "\n".join(toml_lines(table)) + "\n"


def _bundled_text(name: str) -> str:
    if name not in bundled_recipes():
        raise UsageError(
            f"unknown recipe '{name}'",
            remedy=f"one of {', '.join(bundled_recipes())}, or the path of a .toml file",
        )
    return (_BUNDLED / f"{name}.toml").read_text("utf-8")


@contextmanager
def naming(name: str, path: Path | None = None) -> Iterator[None]:
    """Say in which recipe something is wrong: by its file, or by its name alone."""
    try:
        yield
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"recipe '{name}' is no TOML: {error}", path=path) from error
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", path=path) from error
    except UsageError as error:
        problem = f"recipe '{name}': {error.problem}"
        raise UsageError(problem, path=path, remedy=error.remedy) from error


def _complete(table: dict[str, Any]) -> dict[str, Any]:
    """Fill in what a recipe leaves to the bundled one that it names as its base.

    Its tables take from the base's the keys that they lack; another architecture takes nothing
    from the base's network.
    """
    if "base" not in table:
        return table
    base = _complete(tomllib.loads(_bundled_text(str(table["base"]))))
    if table.get("architecture", base["architecture"]) != base["architecture"]:
        del base["network"]
    tables = {
        key: {**base[key], **value}
        for key, value in table.items()
        if isinstance(value, dict) and isinstance(base.get(key), dict)
    }
    return {key: value for key, value in (base | table | tables).items() if key != "base"}
