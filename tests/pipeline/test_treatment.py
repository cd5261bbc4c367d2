from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from deblur_cli.pipeline.ledger.ledger import settings_hash
from deblur_cli.pipeline.treatment import Depth, Treatment


def test_what_was_not_asked_for_is_no_setting() -> None:
    assert Treatment().settings == {"strength": 1.0}
    assert Treatment(strength=0.0, skip_sharp=0.0).settings == {"strength": 0.0, "skip_sharp": 0.0}


@pytest.mark.parametrize(
    "change",
    [
        {"strength": 0.5},
        {"format": "PNG"},
        {"depth": Depth.sixteen},
        {"quality": 80},
        {"strip": True},
        {"skip_sharp": 0.0},
    ],
)
def test_every_wish_makes_another_result(change: dict[str, Any]) -> None:
    changed = replace(Treatment(), **change)
    assert settings_hash(changed.settings) != settings_hash(Treatment().settings)
    assert changed.keeps_file == (not {"format", "depth", "quality", "strip"} & change.keys())
