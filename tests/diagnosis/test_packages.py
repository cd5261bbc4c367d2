from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from deblur_cli.diagnosis import packages
from deblur_cli.diagnosis.packages import EXTRAS, State, find_extras, find_packages
from tests.ops import fake_packages

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_extra_for_users_is_listed_with_all_it_brings() -> None:
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"all", "dev"}
    assert {name: len(brings) for name, (_, brings) in EXTRAS.items()} == {
        name: len(declared[name]) for name in EXTRAS
    }


def test_software_in_use_is_found_with_its_version() -> None:
    import numba
    import torch

    found = {package.name: package for package in find_packages()}
    assert found["torch"].version == torch.__version__
    assert (found["numba"].state, found["numba"].version) == ("installed", numba.__version__)
    assert found["deblur"].version
    assert found["python"].version.startswith("3.")


def test_absent_packages_say_what_they_would_be_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_packages.only(monkeypatch, "numba")
    found = {package.name: package for package in find_packages()}
    assert found["mamba_ssm"].state is State.ABSENT
    assert found["causal_conv1d"].note.endswith("else in plain torch")
    assert "install_kernel" in found["mamba-ssm of the Hub"].note


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise ImportError('undefined symbol: _ZN3c10')", "ImportError: undefined symbol"),
        ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
        ("print('hello'); 1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_broken_package_is_told_with_its_message(
    source: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "rawpy.py").write_text(source)
    monkeypatch.delitem(sys.modules, "rawpy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (raw,) = (extra for extra in find_extras() if extra.name == "raw")
    assert raw.state is State.BROKEN
    assert raw.note.startswith(f"rawpy: {said}")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("present", "state", "said"),
    [
        (("tensorboard", "matplotlib", "av"), State.INSTALLED, ""),
        (("av",), State.INCOMPLETE, "lacks tensorboard, matplotlib"),
        ((), State.ABSENT, "pip install 'deblur-cli[train]'"),
    ],
)
def test_state_of_an_extra(
    present: tuple[str, ...], state: State, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in EXTRAS["train"][1]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in present:
        fake_packages.install(monkeypatch, name)
    (train,) = (extra for extra in find_extras() if extra.name == "train")
    assert (train.state, train.note) == (state, said)


@pytest.mark.parametrize(("answer", "state"), [("580.95.05", "installed"), (None, "absent")])
def test_graphics_driver(answer: str | None, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages.torch.version, "cuda", "13.0")
    monkeypatch.setattr(packages.torch.version, "hip", None)
    monkeypatch.setattr(packages.collect_env, "get_nvidia_driver_version", lambda _run: answer)
    found = {package.name: package for package in find_packages()}
    assert found["CUDA"].version == "13.0"
    assert (found["NVIDIA driver"].state, found["NVIDIA driver"].version) == (state, answer or "")
