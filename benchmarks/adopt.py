"""Take the result of a training run into `weights/` if it measures better than what lies there.

    python -m benchmarks.adopt runs/small-motion --data ../shared

Both candidates restore the validation pairs as `deblur run` does, and sharp photographs, which must
come back nearly unchanged. The better one's file, manifest entry and the figures in its model card
are written; nothing changes if the bundled one wins.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import tomlkit
import torch

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.manifest import MANIFEST, load_manifest, weights_folder
from deblur_cli.evaluation.runner import evaluate
from deblur_cli.evaluation.scores import Score, mean_score
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.models import load_model
from deblur_cli.training.recipe import Recipe, parse_recipe

VALIDATION = {"motion": "pairs/motion-gopro/val", "defocus": "pairs/defocus-dpdd1024/val"}
SHARP = "pairs/sharp-kodak"
HARMLESS = 36.0
"""PSNR in dB that restored sharp photographs keep to their input on average, or more."""
FIGURES_BEGIN, FIGURES_END = "<!-- figures -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Measured:
    """What a network does to the validation pairs and to sharp photos."""

    pairs: list[Score]
    sharp: list[Score]

    @property
    def gain(self) -> float:
        """Mean gain in PSNR over the blurred input, dB."""
        return mean_score(self.pairs).figures["psnr_gain"]

    @property
    def sharp_to_input(self) -> float:
        """Mean PSNR between sharp photos and what the network makes of them, dB."""
        return mean_score(self.sharp).figures["psnr_to_input"]

    @property
    def rank(self) -> tuple[bool, float]:
        """Greater is better: a network that leaves sharp photos alone comes before any other."""
        return self.sharp_to_input >= HARMLESS, self.gain

    @property
    def summary(self) -> dict[str, float]:
        """Means for the manifest, in dB."""
        pairs = mean_score(self.pairs).figures
        return {
            "psnr_before": round(pairs["psnr_before"], 3),
            "psnr_after": round(pairs["psnr_after"], 3),
            "psnr_gain": round(pairs["psnr_gain"], 3),
            "sharp_psnr_to_input": round(self.sharp_to_input, 3),
        }

    @property
    def table(self) -> str:
        """One row per image, as Markdown."""
        rows = [
            "| image | PSNR blurred (dB) | PSNR restored (dB) | gain (dB) | SSIM |",
            "|---" * 5 + "|",
        ]
        for score in [*self.pairs, mean_score(self.pairs)]:
            f = score.figures
            rows.append(
                f"| {score.name} | {f['psnr_before']:.3f} | {f['psnr_after']:.3f} "
                f"| {f['psnr_gain']:+.3f} | {f['ssim_before']:.4f} → {f['ssim_after']:.4f} |"
            )
        worst = min(score.figures["psnr_to_input"] for score in self.sharp)
        rows.append("")
        rows.append(
            f"On {len(self.sharp)} sharp photographs the result stays {self.sharp_to_input:.2f} dB "
            f"from its input on average, {worst:.2f} dB at worst."
        )
        return "\n".join(rows)


def measure(weights: Path, task: str, advice: dict[str, int | bool], data: Path) -> Measured:
    """Restore and score the validation pairs and the sharp photos."""
    deblurrer = Deblurrer(load_model(weights), name=weights.stem, advice=advice)
    pairs = evaluate(data / VALIDATION[task], deblurrer, colour_fit=False)
    return Measured(list(pairs), list(evaluate(data / SHARP, deblurrer, colour_fit=False)))


def adopt(run: Path, recipe: Recipe, measured: Measured, data: Path) -> None:
    """Write file, manifest entry and the figures of the model card."""
    entry_id = f"algnet-{recipe.name}"
    target = weights_folder() / f"{entry_id}.safetensors"
    shutil.copyfile(run / "weights.safetensors", target)
    manifest = weights_folder() / MANIFEST
    document = tomlkit.parse(manifest.read_text("utf-8"))
    (entry,) = (entry for entry in document["weights"] if entry["id"] == entry_id)
    entry["sha256"] = file_sha256(target)
    entry["bytes"] = target.stat().st_size
    entry["measured"] = measured.summary
    manifest.write_text(tomlkit.dumps(document), "utf-8")
    _write_card(target.with_suffix(".md"), recipe, run, measured)


def _write_card(card: Path, recipe: Recipe, run: Path, measured: Measured) -> None:
    state = torch.load(run / "state.pt", weights_only=True)
    trained = (
        f"Last run: {state['step']} steps of {recipe.optimiser.batch} patches of "
        f"{recipe.optimiser.patch}x{recipe.optimiser.patch} in {state['spent'] / 60:.0f} minutes."
    )
    before, _, rest = card.read_text("utf-8").partition(FIGURES_BEGIN)
    _, _, after = rest.partition(FIGURES_END)
    figures = f"{FIGURES_BEGIN}\n{trained}\n\n{measured.table}\n{FIGURES_END}"
    card.write_text(before + figures + after, "utf-8")


def main() -> int:
    """Measure the run's weights beside the bundled ones, and keep the better."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder that `deblur train` wrote")
    parser.add_argument("--data", type=Path, required=True, help="folder with pairs/")
    options = parser.parse_args()
    recipe = parse_recipe(options.run.name, (options.run / "recipe.toml").read_text("utf-8"))
    entry = load_manifest().entry(f"algnet-{recipe.name}")
    candidate = measure(
        options.run / "weights.safetensors", recipe.task, dict(entry.inference), options.data
    )
    print(f"candidate: {candidate.gain:+.3f} dB\n{candidate.table}", flush=True)
    bundled = weights_folder() / str(entry.file)
    if bundled.is_file():
        present = measure(bundled, recipe.task, dict(entry.inference), options.data)
        print(f"bundled: {present.gain:+.3f} dB")
        if present.rank >= candidate.rank:
            print("the bundled weights stay")
            return 0
    adopt(options.run, recipe, candidate, options.data)
    print(f"adopted into {bundled}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
