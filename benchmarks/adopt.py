"""Take the result of a training run into `weights/` if it measures better than what lies there.

    python -m benchmarks.adopt runs/small-motion --data ../shared

Both candidates restore the validation pairs as `deblur run` does; sharp photographs, which must
come back nearly unchanged; and, for motion, the same photographs after synthetic camera shake. A
run that is better on all has its file, manifest entry and card written; else nothing changes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import tomlkit

from benchmarks.shake import measure_shaken
from deblur_cli.checkpoints.card import describe_measurement
from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.checkpoints.convert import Checkpoint, read_checkpoint, rounded, write_with_card
from deblur_cli.checkpoints.manifest import MANIFEST, Entry, load_manifest, weights_folder
from deblur_cli.checkpoints.metadata import Measurement
from deblur_cli.evaluation.measure import measure as measure_folder
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.models import RestorationModel, load_model

VALIDATION = {"motion": "pairs/motion-gopro/val", "defocus": "pairs/defocus-dpdd1024/val"}
SHARP = "pairs/sharp-kodak"
HARMLESS = 36.0
"""PSNR in dB that restored sharp photographs keep to their input on average, or more."""


@dataclass(frozen=True)
class Measured:
    """What a network does to the validation pairs, to sharp photos, and to shaken ones."""

    pairs: Measurement
    sharp: Measurement
    shaken: Measurement | None = None
    """For motion only."""

    @property
    def gain(self) -> float:
        """Mean gain in PSNR over the blurred input, dB."""
        return self.pairs.mean["psnr_gain"]

    @property
    def sharp_to_input(self) -> float:
        """Mean PSNR between sharp photos and what the network makes of them, dB."""
        return self.sharp.mean["psnr_to_input"]

    @property
    def shake_gain(self) -> float:
        """Mean gain in PSNR at the best shift on shaken photos, dB; 0 if none were looked at."""
        return 0.0 if self.shaken is None else self.shaken.mean["psnr_gain"]

    @property
    def everything(self) -> tuple[Measurement, ...]:
        """All measurements, for the card."""
        return tuple(one for one in (self.pairs, self.sharp, self.shaken) if one is not None)

    def beats(self, other: Measured) -> bool:
        """Whether it gains more wherever there is blur; no harm to sharp photos comes first."""
        harmless, other_harmless = (
            measured.sharp_to_input >= HARMLESS for measured in (self, other)
        )
        if harmless != other_harmless:
            return harmless
        return self.gain > other.gain and self.shake_gain >= other.shake_gain

    @property
    def summary(self) -> dict[str, float]:
        """Means for the manifest, in dB."""
        pairs = self.pairs.mean
        figures = {
            "psnr_before": pairs["psnr_before"],
            "psnr_after": pairs["psnr_after"],
            "psnr_gain": pairs["psnr_gain"],
            "sharp_psnr_to_input": self.sharp_to_input,
        }
        if self.shaken is not None:
            figures["shaken_psnr_gain"] = self.shake_gain
        return {name: round(value, 3) for name, value in figures.items()}


def measure(model: RestorationModel, entry: Entry, data: Path) -> Measured:
    """Restore and score everything as with the entry's weights."""
    deblurrer = Deblurrer(model, name=entry.id, advice=entry.inference)
    pairs, sharp = (
        measure_folder(data / name, deblurrer) for name in (VALIDATION[entry.task], SHARP)
    )
    shaken = measure_shaken(data / SHARP, deblurrer) if entry.task == "motion" else None
    return Measured(pairs, sharp, shaken)


def adopt(checkpoint: Checkpoint, entry: Entry, measured: Measured) -> None:
    """Write the file, the entry of the manifest, and the figures of the model card."""
    target = weights_folder() / str(entry.file)
    metadata = replace(
        checkpoint.metadata,
        trained_on=tuple(entry.trained_on),
        measured=measured.everything,
        inference=entry.inference,
    )
    write_with_card(target, checkpoint.model, metadata)
    manifest = weights_folder() / MANIFEST
    document = tomlkit.parse(manifest.read_text("utf-8"))
    (table,) = (table for table in document["weights"] if table["id"] == entry.id)
    table["sha256"] = file_sha256(target)
    table["bytes"] = target.stat().st_size
    table["measured"] = measured.summary
    manifest.write_text(tomlkit.dumps(document), "utf-8")


def main() -> int:
    """Measure the run's weights beside the bundled ones, and keep the better."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder that `deblur train` wrote")
    parser.add_argument("--data", type=Path, required=True, help="folder with pairs/")
    options = parser.parse_args()
    entry = load_manifest().entry(f"algnet-{options.run.name}")
    checkpoint = read_checkpoint(options.run)
    candidate = measure(rounded(checkpoint.model, checkpoint.metadata.dtype), entry, options.data)
    print(f"candidate: {candidate.gain:+.3f} dB")
    for one in candidate.everything:
        print(describe_measurement(one), flush=True)
    bundled = weights_folder() / str(entry.file)
    if bundled.is_file():
        present = measure(load_model(bundled), entry, options.data)
        print(f"bundled: {present.gain:+.3f} dB, shaken {present.shake_gain:+.3f} dB")
        if not candidate.beats(present):
            print("the bundled weights stay")
            return 0
    adopt(checkpoint, entry, candidate)
    print(f"adopted into {bundled}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
