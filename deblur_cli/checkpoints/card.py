"""Model cards: Markdown made from metadata, between marks; what people write around them stays."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from deblur_cli.checkpoints.metadata import Figures, Measurement, Metadata, Training
from deblur_cli.errors import WeightsError

ROWS_AT_MOST = 20
"""Larger data sets are told by their mean alone."""


def compose_card(card: Path, metadata: Metadata) -> str:
    """The Markdown of a card: the one that is there with its parts renewed, else a new one.

    A part is what stands between `<!-- facts -->` and `<!-- end of facts -->`, or between the same
    marks of `figures`.

    Raises:
        WeightsError: the card that is there cannot be read, or has none of these parts.
    """
    try:
        text = card.read_text("utf-8") if card.exists() else _new(card.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"cannot be read as a model card: {error}", path=card) from error
    found = 0
    for part, content in _PARTS.items():
        begin, end = _marks(part)
        renewed = f"{begin}\n{content(metadata)}\n{end}".replace("\\", r"\\")
        text, count = re.subn(f"{begin}.*?{end}", renewed, text, flags=re.DOTALL)
        found += count
    if not found:
        raise WeightsError(
            "is no model card made here, and would be replaced", path=card, remedy="move it away"
        )
    return text


def _marks(part: str) -> tuple[str, str]:
    return f"<!-- {part} -->", f"<!-- end of {part} -->"


def _new(title: str) -> str:
    facts, figures = ("".join(_marks(part)) for part in _PARTS)
    return f"# {title}\n\n{facts}\n\n## What it measures\n\n{figures}\n"


def _facts(metadata: Metadata) -> str:
    layout = ", ".join(f"{name} {_shown(value)}" for name, value in metadata.config.items())
    network = f"`{metadata.architecture}`{f': {layout}' if layout else ''}"
    sources = [f"- {source}" for source in metadata.trained_on] or ["The checkpoint does not say."]
    return "\n".join(
        (
            "| | |",
            "|---|---|",
            f"| Task | {f'`{metadata.task}`' if metadata.task else 'not said'} |",
            f"| Architecture | {network} |",
            f"| Parameters | {metadata.parameters:,}, stored in {metadata.dtype} |",
            "| Input | RGB in [0,1], any size |",
            "",
            "## What it learnt from",
            "",
            *sources,
            "",
            "## How it was trained",
            "",
            *_how(metadata),
        )
    )


def _how(metadata: Metadata) -> Iterator[str]:
    if not metadata.recipe:
        yield "The checkpoint does not say."
        return
    if metadata.training is not None:
        init = metadata.training.init
        yield f"It began with {f'the weights of SHA-256 {init}' if init else 'random weights'}."
        yield ""
    yield "The recipe, as `deblur train` takes it:"
    yield ""
    yield f"```toml\n{metadata.recipe.strip()}\n```"


def _figures(metadata: Metadata) -> str:
    run = [] if metadata.training is None else [_run(metadata.training, metadata.recipe)]
    measured = [describe_measurement(one) for one in metadata.measured] or ["Not measured."]
    return "\n\n".join(run + measured)


def _run(training: Training, recipe: str) -> str:
    table = tomllib.loads(recipe)
    optimiser, of = table.get("optimiser", {}), ""
    if {"batch", "patch"} <= optimiser.keys() and not table.get("stages"):
        of = f" of {optimiser['batch']} patches of {optimiser['patch']}x{optimiser['patch']}"
    chosen = ""
    if training.chosen_at is not None:
        chosen = f" The weights are those of step {training.chosen_at}, best by validation."
    return f"Last run: {training.steps} steps{of} in {training.seconds / 60:.0f} minutes.{chosen}"


def describe_measurement(measurement: Measurement) -> str:
    """A table of pairs, or a sentence on sharp photos, as Markdown."""
    count, mean = len(measurement.pictures), measurement.mean
    of = f"`{measurement.dataset}`, {measurement.method}"
    if "psnr_to_input" in mean:
        worst = min(figures["psnr_to_input"] for figures in measurement.pictures.values())
        return (
            f"On {count} sharp photographs the result stays {mean['psnr_to_input']:.2f} dB "
            f"from its input on average, {worst:.2f} dB at worst ({of})."
        )
    shown = measurement.pictures if count <= ROWS_AT_MOST else {}
    rows = [_row(name, figures) for name, figures in shown.items()]
    return "\n".join(
        (
            f"{count} pairs ({of}):",
            "",
            "| image | PSNR blurred (dB) | PSNR restored (dB) | gain (dB) | SSIM |",
            "|---" * 5 + "|",
            *rows,
            _row("mean", mean),
        )
    )


def _row(name: str, figures: Figures) -> str:
    name = name.replace("|", r"\|")
    return (
        f"| {name} | {figures['psnr_before']:.3f} | {figures['psnr_after']:.3f} "
        f"| {figures['psnr_gain']:+.3f} "
        f"| {figures['ssim_before']:.4f} → {figures['ssim_after']:.4f} |"
    )


def _shown(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


_PARTS: Mapping[str, Callable[[Metadata], str]] = {"facts": _facts, "figures": _figures}
