from __future__ import annotations

import importlib.metadata

import pytest

import deblur_cli


def test_version_is_the_installed_one() -> None:
    assert deblur_cli.__version__ == importlib.metadata.version("deblur-cli")


def test_models_are_listed_by_task() -> None:
    motion = deblur_cli.list_models("motion")
    assert motion
    assert set(motion) < set(deblur_cli.list_models())
    assert deblur_cli.list_models("sleep") == []


def test_deblurrer_is_the_engine() -> None:
    from deblur_cli.inference.engine import Deblurrer

    assert deblur_cli.Deblurrer is Deblurrer


def test_nothing_else_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        deblur_cli.nonsense  # noqa: B018
