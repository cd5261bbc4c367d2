from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from deblur_cli.checkpoints import hub
from tests.acquisition.archives import shrink_published
from tests.checkpoints.hub_server import FakeHub, point_to, serving


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A Hub with nothing on it yet, an empty cache, and sets of few pairs."""
    shrink_published(monkeypatch)
    monkeypatch.setattr(hub, "_unreachable", {})
    monkeypatch.setattr(hub, "PATIENCE", 60.0)  # a busy machine is no silent host
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving(FakeHub({})) as running:
        point_to(running.endpoint, monkeypatch)
        yield running
