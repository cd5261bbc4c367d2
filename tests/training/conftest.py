from __future__ import annotations

from pathlib import Path

import pytest

from deblur_cli.training import loop
from deblur_cli.training.session import TrainingOptions
from tests.training.runs import write_data


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingOptions:
    """Of a run that reports every step."""
    monkeypatch.setattr(loop, "LOG_EVERY_STEPS", 1)
    recipe = write_data(tmp_path)
    return TrainingOptions(
        recipe=str(recipe), data=tmp_path, folder=tmp_path / "run", dtype="float32"
    )
