"""Recipes: the bundled ones say what the papers say, and mistakes are named."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deblur_cli.data.published import PUBLISHED
from deblur_cli.errors import UsageError
from deblur_cli.models import create_model
from deblur_cli.training.recipe import Stage, bundled_recipes, load_recipe, parse_recipe, to_toml

MINIMAL = """
task = "motion"
architecture = "algnet"
[network]
width = 8
[data]
sharp = "sharp"
[data.shares]
motion = [1.0, 0.5]
easy-motion = 0.25
"""

OURS = {"small-motion", "small-defocus", "base-motion", "base-defocus", "algnet-motion"}
PAPERS = [name for name in bundled_recipes() if name not in OURS]


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_recipe_written_down_is_read_back_alike(name: str) -> None:
    recipe = load_recipe(name)
    assert parse_recipe(name, to_toml(recipe)) == recipe


@pytest.mark.parametrize("name", bundled_recipes())
def test_a_recipe_trains_on_a_set_that_is_known_for_its_task(name: str) -> None:
    recipe = load_recipe(name)
    if name in PAPERS:
        published = PUBLISHED[recipe.data.dataset]
        assert published.task == recipe.task
        assert recipe.data.split == "train"
        assert published.counts["train"]
        assert recipe.iterations is not None
        assert (recipe.optimiser.betas, recipe.optimiser.weight_decay) == ((0.9, 0.999), 0)
        assert math.isinf(recipe.optimiser.clip_norm)
    else:
        assert recipe.task in ("motion", "defocus")
        assert recipe.iterations is None
    assert recipe.starts_from in ("", *bundled_recipes())


def test_every_paper_and_ablation_has_its_recipe() -> None:
    algnet = ["gopro", "realblur-j", "realblur-r", "dpdd", "motion"]
    ablations = ["no-local", "no-global", "sum", "concat", "fa"]
    expected = {
        "small-motion",
        "small-defocus",
        "base-motion",
        "base-defocus",
        "algnet-b-gopro",
        "nafnet-gopro",
        *(f"algnet-{name}" for name in algnet),
        *(f"algnet-gopro-{name}" for name in ablations),
        *(f"xyscannet-gopro{name}" for name in ("", "-release", "-release-320")),
        *(f"xyscannet-realblur-{letter}" for letter in "jr"),
        *(f"fcn-gopro{name}" for name in ("", "-release")),
    }
    assert set(bundled_recipes()) == expected


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("algnet-gopro", 37_697_676),
        ("algnet-motion", 37_697_676),
        ("nafnet-gopro", 17_111_907),
        ("xyscannet-gopro", 63_514_368),
        ("fcn-gopro-release", 21_826_561),
    ],
)
def test_networks_are_as_large_as_the_papers(name: str, parameters: int) -> None:
    recipe = load_recipe(name)
    assert create_model(recipe.architecture, **recipe.network).descriptor.parameters == parameters


def test_ablations_differ_from_algnet_in_their_network_alone() -> None:
    whole = load_recipe("algnet-gopro")
    changes = {
        "algnet-gopro-no-local": {"local_branch": False},
        "algnet-gopro-no-global": {"global_levels": []},
        "algnet-gopro-sum": {"fusion": "sum"},
        "algnet-gopro-concat": {"fusion": "concat"},
        "algnet-gopro-fa": {"fusion": "paper"},
        "algnet-b-gopro": {"width": 64},
    }
    for name, change in changes.items():
        recipe = load_recipe(name)
        assert recipe.network == {**whole.network, **change}
        assert (recipe.data, recipe.optimiser, recipe.schedule, recipe.loss) == (
            whole.data,
            whole.optimiser,
            whole.schedule,
            whole.loss,
        )
    baseline = load_recipe("nafnet-gopro")
    assert baseline.network.keys() == {
        "width",
        "encoder_blocks",
        "middle_blocks",
        "decoder_blocks",
    }
    assert baseline.optimiser == whole.optimiser


def test_xyscannet_takes_larger_patches_in_its_second_half() -> None:
    recipe = load_recipe("xyscannet-gopro")
    assert recipe.all_stages() == (Stage(0, 252, 16), Stage(0.5, 320, 8))
    sizes = [recipe.stage(progress).patch for progress in (0, 0.49, 0.5, 1)]
    assert sizes == [252, 252, 320, 320]
    epochs = 3000 * 2103 / 16 + 1500 * 2103 / 8
    assert recipe.iterations == pytest.approx(epochs, rel=1e-3)


def test_every_setting_is_written_down_even_if_it_was_left_out() -> None:
    table = tomllib.loads(to_toml(parse_recipe("mine", MINIMAL)))
    assert table["optimiser"]["betas"] == [0.9, 0.99]
    assert table["schedule"]["warmup_steps"] == 60
    assert table["loss"]["frequency"] == 0.1
    assert table["data"]["shares"] == {"motion": [1.0, 0.5], "easy-motion": 0.25}


def test_shares_move_evenly_and_absent_sources_have_none() -> None:
    data = parse_recipe("mine", MINIMAL).data
    assert [data.share("motion", p) for p in (0, 0.5, 1)] == [1.0, 0.75, 0.5]
    assert data.share("easy-motion", 0.7) == 0.25
    assert data.share("pairs", 0.5) == 0


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(MINIMAL)
    assert load_recipe(str(path)) == parse_recipe("mine", MINIMAL)


def test_a_base_gives_what_the_recipe_leaves_out() -> None:
    whole = load_recipe("algnet-gopro")
    mine = parse_recipe(
        "mine",
        """
        base = "algnet-gopro"
        iterations = 7
        [optimiser]
        batch = 2
        [data]
        shares = {dataset = 3, pairs = 1}
        pairs = "here"
        """,
    )
    assert (mine.task, mine.network, mine.loss) == (whole.task, whole.network, whole.loss)
    assert (mine.iterations, mine.optimiser.batch) == (7, 2)
    assert mine.optimiser.learning_rate == whole.optimiser.learning_rate
    assert mine.data.shares == {"dataset": 3, "pairs": 1}
    assert mine.data.dataset == "gopro"
    with pytest.raises(UsageError, match="unknown recipe 'algnet-huge'"):
        parse_recipe("mine", 'base = "algnet-huge"')


def test_overrides_come_last_and_in_their_order() -> None:
    overrides = ["network.width=4", "data.shares.motion=2", "iterations=9", "network.width=6"]
    recipe = parse_recipe("mine", MINIMAL, overrides)
    assert recipe.network == {"width": 6}
    assert recipe.data.shares == {"motion": 2, "easy-motion": 0.25}
    assert recipe.iterations == 9
    assert load_recipe("fcn-gopro", ["starts_from=fcn"]).starts_from == "fcn"


def edited(*replacements: tuple[str, str], more: str = "") -> str:
    text = MINIMAL
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return text + more


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("task = ", "no TOML"),
        (edited(("[data]", "[date]"), ("[data.", "[date.")), "unknown key date"),
        (edited(("[network]", "[net]")), "unknown key net"),
        (edited(("[network]\nwidth = 8\n", "")), "the key network is missing"),
        (edited(('task = "motion"', 'name = "other"')), "unknown key name"),
        (edited(('task = "motion"', "task = 3")), "task must be one of motion, defocus, not 3"),
        (edited(('task = "motion"', 'task = "defcous"')), 'one of motion, defocus, not "defcous"'),
        (edited(('task = "motion"', 'tusk = "motion"')), "unknown key tusk"),
        (edited(more="[optimiser]\nlearning_rat = 1.0"), r"unknown key optimiser\.learning_rat"),
        (edited(more="[optimiser]\nbatch = 0"), r"optimiser\.batch must be 1 or more, not 0"),
        (edited(more="[optimiser]\nbetas = [0.9]"), r"optimiser\.betas must be a list of 2"),
        (edited(more="[optimiser]\nbetas = [0.9, 1]"), r"optimiser\.betas must be in \[0, 1\)"),
        (edited(more="[optimiser]\nlearning_rate = -1"), r"optimiser\.learning_rate must be 0 or"),
        (edited(more="[optimiser]\nlearning_rate = nan"), r"optimiser\.learning_rate must be 0 or"),
        (edited(more="[optimiser]\nclip_norm = 0"), r"optimiser\.clip_norm must be above 0"),
        (edited(more="[optimiser]\nweight_decay = -1"), r"optimiser\.weight_decay must be 0 or"),
        (edited(more="[optimiser]\nema_decay = 1"), r"optimiser\.ema_decay must be in \[0, 1\)"),
        (edited(more="[optimiser]\naccumulation = 4"), r"optimiser\.accumulation .* such as 6"),
        (edited(more="[optimiser]\naccumulation = 0"), r"optimiser\.accumulation must be 1 or"),
        (edited(more="[schedule]\nfloor = 2"), r"schedule\.floor must be in \[0, 1\], not 2"),
        (edited(more="[schedule]\nhold = 1"), r"schedule\.hold must be in"),
        (edited(more="[schedule]\nhalvings = 0"), r"schedule\.halvings must be 1 or more"),
        (edited(more="[schedule]\nwarmup_steps = -1"), r"schedule\.warmup_steps must be 0"),
        (edited(more='[schedule]\nshape = "step"'), r"schedule\.shape must be one of cosine"),
        (edited(more="[loss]\nedge = -1"), r"loss\.edge must be 0 or more"),
        (edited(more="[loss]\nedge = inf"), r"loss\.edge must be 0 or more"),
        (
            edited(more="[loss]\ncharbonnier = 0\nedge = 0\nfrequency = 0"),
            "loss.charbonnier, .* are all 0",
        ),
        (edited(more="[[stages]]\nafter = 1\npatch = 8\nbatch = 1"), r"stages\[0\]\.after must"),
        (edited(more="[[stages]]\nafter = 0.1\npatch = 0\nbatch = 1"), r"stages\[0\]\.patch must"),
        (edited(more="[[stages]]\nafter = 0.1\npatch = 8"), r"stages\[0\]\.batch is missing"),
        (edited(("easy-motion", "shake")), r"data\.shares\.shake is no source"),
        (
            MINIMAL.replace("[data]", "[optimiser]\nlearning_rate = inf\n[data]"),
            "learning_rate must be",
        ),
        (
            MINIMAL.replace("[data]", "[optimiser]\nweight_decay = inf\n[data]"),
            "weight_decay must be",
        ),
        (edited(("0.25", "-0.25")), r"data\.shares\.easy-motion must be 0 or more, not -0\.25"),
        (edited(("0.25", "[1, 2, 3]")), r"data\.shares\.easy-motion must be a list of 2"),
        (edited(("0.25", '"much"')), r"data\.shares\.easy-motion must be a number"),
        (edited(("1.0, 0.5", "1.0, 0.0"), ("0.25", "0")), "data.shares: some source needs one"),
        (MINIMAL.split("[data.shares]")[0], "data.shares: some source needs one"),
        (edited(('sharp = "sharp"', "")), r"data\.sharp is missing"),
        (edited(("easy-motion", "dataset")), r"data\.dataset is missing"),
        (edited(('sharp = "sharp"', 'sharp = "sharp"\nfit = "pad"')), r"data\.fit must be one of"),
    ],
)
def test_mistakes_are_named(text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named) as caught:
        parse_recipe("mine", text)
    assert "recipe 'mine'" in str(caught.value)


@pytest.mark.parametrize("order", [[0.5, 0.5], [0.6, 0.2]])
def test_stages_come_in_order(order: Sequence[float]) -> None:
    stages: list[dict[str, Any]] = [{"after": after, "patch": 8, "batch": 6} for after in order]
    text = ", ".join(f"{{after = {s['after']}, patch = 8, batch = 6}}" for s in stages)
    with pytest.raises(UsageError, match="stages must be in order"):
        parse_recipe("mine", MINIMAL, [f"stages=[{text}]"])


@pytest.mark.parametrize("content", [b"task = 3", b"\xff\xfe", b"task ="])
def test_a_mistake_in_a_file_is_told_with_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_recipe(str(path))
    assert str(path) in str(caught.value)


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="small-motion"):
        load_recipe("algnet-huge")
