from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deblur_cli.checkpoints.card import ROWS_AT_MOST, compose_card
from deblur_cli.checkpoints.manifest import Entry, load_manifest, weights_folder
from deblur_cli.checkpoints.metadata import Measurement, Metadata, Training
from deblur_cli.errors import WeightsError
from tests.checkpoints.run_folder import INIT, RECIPE


def pair(gain: float) -> dict[str, float]:
    return {
        "psnr_before": 20.0,
        "psnr_after": 20.0 + gain,
        "psnr_gain": gain,
        "ssim_before": 0.7,
        "ssim_after": 0.75,
    }


PAIRS = Measurement("set/val", "net on cpu", {"a": pair(0.5), "b|c": pair(1.5)})
SHARP = Measurement(
    "kodak", "net on cpu", {"a": {"psnr_to_input": 40.0}, "b": {"psnr_to_input": 50.0}}
)
BLANK = Metadata("algnet", {"width": 4, "encoder_blocks": (1, 2)}, 12345, "float16")
FULL = replace(
    BLANK,
    task="defocus",
    trained_on=("photos of mine", r"C:\photos \1"),
    recipe=RECIPE,
    training=Training(1234, 600.0, INIT),
    measured=(PAIRS, SHARP),
)


def compose(metadata: Metadata, folder: Path) -> str:
    return compose_card(folder / "net.md", metadata)


def test_a_new_card_says_all_that_the_metadata_says(tmp_path: Path) -> None:
    card = compose(FULL, tmp_path)
    assert card.startswith("# net\n")
    for part in (
        "| `defocus` |",
        "`algnet`: width 4, encoder_blocks 1/2",
        "12,345, stored in float16",
        "- photos of mine",
        r"- C:\photos \1",
        f"the weights of SHA-256 {INIT}",
        RECIPE.strip(),
        "Last run: 1234 steps of 6 patches of 128x128 in 10 minutes.",
        "2 pairs (`set/val`, net on cpu):",
        "| a | 20.000 | 20.500 | +0.500 | 0.7000 → 0.7500 |",
        r"| b\|c |",
        "| mean | 20.000 | 21.000 | +1.000 | 0.7000 → 0.7500 |",
        "On 2 sharp photographs the result stays 45.00 dB from its input on average, 40.00 dB at",
    ):
        assert part in card


def test_the_step_of_the_best_weights_is_told(tmp_path: Path) -> None:
    metadata = replace(FULL, training=Training(1234, 600.0, None, chosen_at=900))
    assert "in 10 minutes. The weights are those of step 900, best" in compose(metadata, tmp_path)


def test_what_is_not_known_is_not_made_up(tmp_path: Path) -> None:
    card = compose(BLANK, tmp_path)
    assert "| Task | not said |" in card
    assert card.count("The checkpoint does not say.") == 2
    assert "Not measured." in card
    assert "Last run" not in card


def test_a_network_without_a_layout_is_told_by_its_name(tmp_path: Path) -> None:
    card = compose(replace(BLANK, architecture="restormer", config={}), tmp_path)
    assert "| Architecture | `restormer` |" in card


def test_large_sets_are_told_by_their_mean(tmp_path: Path) -> None:
    many = {f"image{number}": pair(1.0) for number in range(ROWS_AT_MOST + 1)}
    card = compose(replace(BLANK, measured=(replace(PAIRS, pictures=many),)), tmp_path)
    assert "21 pairs" in card and "| mean |" in card and "image0" not in card


def test_what_people_wrote_into_a_card_stays(tmp_path: Path) -> None:
    path = tmp_path / "net.md"
    text = compose(FULL, tmp_path).replace("# net\n", "# net\n\nWritten by hand.\n")
    path.write_text(text + "\n## Licence\n\nCC0 \\1\n", "utf-8")
    renewed = compose(replace(FULL, measured=(SHARP,)), tmp_path)
    assert "Written by hand." in renewed and renewed.endswith("## Licence\n\nCC0 \\1\n")
    assert "| mean |" not in renewed and "45.00 dB" in renewed


def test_another_file_in_the_card_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.md").write_text("# My notes\n<!-- figures -->")
    with pytest.raises(WeightsError, match="no model card made here"):
        compose(FULL, tmp_path)
    (tmp_path / "net.md").write_bytes(b"\xff\xfe")
    with pytest.raises(WeightsError, match="cannot be read"):
        compose(FULL, tmp_path)


@pytest.mark.parametrize(
    "entry", [one for one in load_manifest().entries if one.file], ids=lambda entry: entry.id
)
def test_bundled_cards_keep_their_words(entry: Entry) -> None:
    path = weights_folder() / f"{entry.id}.md"
    before, _, rest = path.read_text("utf-8").partition("<!-- figures -->")
    after = rest.partition("<!-- end of figures -->")[2]
    card = compose_card(path, FULL)
    assert card.startswith(before + "<!-- figures -->\nLast run: 1234 steps")
    assert card.endswith("<!-- end of figures -->" + after)
    assert "CID22 (172)" in before and "Where it fails" in after
