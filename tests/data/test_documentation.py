"""docs/data.md says what the code does."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from deblur_cli.data.camera import Camera
from deblur_cli.data.defocus import DefocusBlur
from deblur_cli.data.frames import frame_pairs
from deblur_cli.data.handheld import HandheldVideo
from deblur_cli.data.motion import MotionBlur
from deblur_cli.data.published import PUBLISHED
from deblur_cli.data.sources import SyntheticPairs

TEXT = (Path(__file__).parents[2] / "docs" / "data.md").read_text("utf-8")


def documented(name: str) -> dict[str, str]:
    """Field and default of each row of the table below a heading."""
    section = TEXT.split(f"### {name}\n")[1].split("\n#")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", section, re.MULTILINE))


@pytest.mark.parametrize("kind", [MotionBlur, HandheldVideo, DefocusBlur, Camera])
def test_every_field_of_a_distribution_is_documented_with_its_default(kind: type) -> None:
    assert is_dataclass(kind)
    stated = documented(kind.__name__)
    defaults = {field.name: getattr(kind(), field.name) for field in fields(kind)}
    cameras = {"Camera()": Camera(), "Camera(linear_share=1.0)": Camera(linear_share=1.0)}
    cameras["Camera(linear_share=0.25, noise=(0.001, 0.004), jpeg_share=0.1)"] = (
        HandheldVideo().camera
    )
    assert stated.keys() == defaults.keys()
    for name, default in defaults.items():
        assert cameras.get(stated[name]) == default or stated[name] == repr(default), name


def test_every_option_of_the_crops_is_documented_with_its_default() -> None:
    parameters = inspect.signature(SyntheticPairs.__init__).parameters.values()
    defaults = {p.name: str(p.default) for p in parameters if p.default is not p.empty}
    assert documented("SyntheticPairs") == defaults


def test_the_frames_of_a_mean_are_documented() -> None:
    parameters = inspect.signature(frame_pairs).parameters
    assert f"`{parameters['shortest'].default}`, `{parameters['longest'].default}`" in TEXT
    assert documented("frame_pairs")["every"] == str(parameters["every"].default)


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_published_set_is_documented_with_its_counts(name: str) -> None:
    section = TEXT.split("## Published sets\n")[1].split("\n## ")[0]
    (row,) = (line for line in section.splitlines() if re.match(rf"\| .*`{name}`.*\|", line))
    counts = [PUBLISHED[name].counts.get(split, "–") for split in ("train", "val", "test")]
    stated = " / ".join(f"{c:,}" if isinstance(c, int) else str(c) for c in counts)
    assert row.endswith("| unknown |" if name == "rwbi" else f"| {stated} |")
    assert f"| {PUBLISHED[name].bits} |" in row
    assert any(f"`{folder}`" in row for folder in PUBLISHED[name].folders) or "the same" in row
