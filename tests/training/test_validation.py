"""Choosing the best weights: by which pictures, how often, and what is kept."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors import safe_open

from deblur_cli.errors import ImageReadError, UsageError
from deblur_cli.inference.engine import Deblurrer
from deblur_cli.metrics import psnr
from deblur_cli.models import create_model, load_model
from deblur_cli.training import validation
from deblur_cli.training.session import TrainingOptions
from deblur_cli.training.validation import MOST_PAIRS, Validator, best_psnr, open_validation
from tests.training.runs import Log, train


@pytest.fixture
def validated(options: TrainingOptions, monkeypatch: pytest.MonkeyPatch) -> TrainingOptions:
    """Of a run that validates after every step."""
    monkeypatch.setattr(validation, "SHARE", 1.0)
    return replace(options, overrides=("data.validation=val", "optimiser.ema_decay=0.9"))


def mean_psnr(weights: Path, pairs: Path) -> float:
    deblurrer = Deblurrer(load_model(weights), device="cpu", dtype="float32")
    found = []
    for path in sorted((pairs / "blur").iterdir()):
        blurred, sharp = (
            cv2.imread(str(p), cv2.IMREAD_COLOR_RGB) for p in (path, pairs / "sharp" / path.name)
        )
        found.append(psnr(deblurrer(np.asarray(blurred)), np.asarray(sharp)))
    return float(np.mean(found))


def test_the_best_weights_are_kept_beside_the_last(validated: TrainingOptions) -> None:
    log = Log()
    train(validated, 6, log)
    found = log.validations
    assert [one.step for one in found] == [1, 2, 3, 4, 5, 6]
    best = max(found, key=lambda one: one.psnr)
    assert [one for one in found if one.best][-1] == best
    kept = validated.folder / "best.safetensors"
    pairs = validated.data / "val"
    # the file holds half precision, the validated weights were float32
    assert mean_psnr(kept, pairs) == pytest.approx(best.psnr, abs=0.01)
    last = mean_psnr(validated.folder / "weights.safetensors", pairs)
    assert last == pytest.approx(found[-1].psnr, abs=0.01)
    assert best_psnr(validated.folder) == best.psnr


def test_weights_that_restore_worse_do_not_replace_better_ones(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    options.folder.mkdir()
    pairs = open_validation("val", options.data)
    validator = Validator(pairs, options.folder, torch.device("cpu"), torch.float32)
    kept = []
    for step, share in enumerate((0.2, 0.9, 0.5, 0.9, 0.95)):
        mixed = [cv2.addWeighted(b, 1 - share, s, share, 0) for b, s in pairs]
        monkeypatch.setattr(Validator, "_restore", lambda *_, mixed=mixed: mixed)
        model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1])
        found = validator.validate(model, step, 0.0)
        kept.append((found.best, safe_open(options.folder / "best.safetensors", "pt").metadata()))
    assert [best for best, _ in kept] == [True, True, False, False, True]
    assert [metadata["step"] for _, metadata in kept] == ["0", "1", "1", "1", "4"]


def test_a_resumed_run_knows_its_best(validated: TrainingOptions) -> None:
    logs = Log(), Log()
    split = replace(validated, split=20_000)
    train(split, 6, logs[0], stop_at=4)
    assert not (split.folder / "best.safetensors").exists()
    best = max(one.psnr for one in logs[0].validations)
    train(split, 6, logs[1])
    for one in logs[1].validations:
        assert one.best == (one.psnr > best)
        best = max(best, one.psnr)


def test_a_run_begun_anew_forgets_the_best_of_the_one_before(validated: TrainingOptions) -> None:
    train(validated, 2)
    (validated.folder / "state.pt").unlink()
    log = Log()
    train(validated, 1, log)
    assert log.validations[0].best


def test_validation_keeps_to_its_share_of_the_time(
    options: TrainingOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(validation.time, "monotonic", lambda: now)
    pairs = open_validation("val", options.data)
    validator = Validator(pairs, options.folder, torch.device("cpu"), torch.float32)
    assert validator.due

    def restore(*_: object) -> list[np.ndarray]:
        nonlocal now
        now += 5.0
        return [blurred for blurred, _ in pairs]

    monkeypatch.setattr(Validator, "_restore", restore)
    options.folder.mkdir()
    model = create_model("algnet", width=4, encoder_blocks=[1], decoder_blocks=[1])
    assert validator.validate(model, 1, 0.0).gain == 0
    now += 94.9
    assert not validator.due
    now += 0.2
    assert validator.due


def test_a_large_set_is_sampled_evenly(tmp_path: Path) -> None:
    for folder in ("blur", "sharp"):
        (tmp_path / folder).mkdir()
        for number in range(3 * MOST_PAIRS):
            level = np.full((8, 8, 3), number, np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{number:02}.png"), level)
    levels = [int(sharp[0, 0, 0]) for _, sharp in open_validation("", tmp_path)]
    assert len(levels) == MOST_PAIRS
    assert (levels[0], levels[-1]) == (0, 3 * MOST_PAIRS - 1)
    assert {int(step) for step in np.diff(levels)} <= {3, 4}


def test_a_test_set_is_refused(validated: TrainingOptions) -> None:
    shutil.copytree(validated.data / "val", validated.data / "Test")
    with pytest.raises(UsageError, match="chosen by a test set"):
        train(replace(validated, overrides=("data.validation=Test",)), 1)


def test_pairs_that_are_missing_or_damaged_end_the_run_before_it_begins(
    validated: TrainingOptions,
) -> None:
    with pytest.raises(UsageError, match="absent"):
        train(replace(validated, overrides=("data.validation=absent",)), 1)
    (validated.data / "val" / "blur" / "0.png").write_bytes(b"no image")
    with pytest.raises(ImageReadError, match=r"0\.png"):
        train(validated, 1)
    (validated.data / "val" / "sharp" / "1.png").unlink()
    with pytest.raises(UsageError, match="without partner: 1"):
        train(validated, 1)
    assert not validated.folder.exists()


def test_validation_does_not_change_what_is_learnt(validated: TrainingOptions) -> None:
    train(validated, 3)
    plain = replace(
        validated,
        overrides=("optimiser.ema_decay=0.9",),
        folder=validated.folder.with_name("plain"),
    )
    train(plain, 3)
    one, other = ((load_model(o.folder / "weights.safetensors")) for o in (validated, plain))
    assert all(torch.equal(v, other.state_dict()[k]) for k, v in one.state_dict().items())
