"""Which software is there, in which version, and whether it can be imported at all."""

from __future__ import annotations

import importlib
import io
import platform
import warnings
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import torch
from torch.utils import collect_env

from deblur_cli.diagnosis.failures import described
from deblur_cli.ops import hub_kernel


class State(StrEnum):
    """What was found of a package, or of an extra."""

    INSTALLED = "installed"
    INCOMPLETE = "incomplete"
    ABSENT = "absent"
    BROKEN = "broken"


@dataclass(frozen=True)
class Package:
    """One piece of software."""

    name: str
    state: State
    version: str = ""
    note: str = ""
    """What it is for, or what its absence means, or how it is broken."""


@dataclass(frozen=True)
class Extra:
    """One optional extra of this package."""

    name: str
    state: State
    purpose: str
    note: str = ""
    """What is absent or broken."""


EXTRAS: dict[str, tuple[str, tuple[str, ...]]] = {
    "mamba": ("mamba-ssm's CUDA kernels as a scan back end", ("mamba_ssm",)),
    "train": ("curves, TensorBoard and frames of training", ("tensorboard", "matplotlib", "av")),
    "eval": (
        "LPIPS, NIQE by its authors, and the plots of deblur eval",
        ("matplotlib", "lpips", "scipy"),
    ),
    "video": ("deblur video", ("av", "imageio")),
    "raw": ("raw photos", ("rawpy",)),
    "heif": ("HEIF photos", ("pillow_heif",)),
    "jxl": ("JPEG XL photos", ("pillow_jxl",)),
    "foreign": ("weights of other networks, such as Uformer", ("spandrel",)),
    "ray": ("batches on a cluster", ("ray",)),
    "cloud": ("photos on object storage", ("fsspec", "s3fs")),
}
"""What each extra is for, and the packages it brings, as they are imported."""

_FOR_BACK_ENDS = {
    "numba": "the scan back end 'cpu'",
    "triton": "the scan back end 'triton'",
    "mamba_ssm": "the scan back end 'mamba-ssm'",
    "causal_conv1d": "the convolution of 'mamba-ssm', else in plain torch",
}


def find_packages() -> list[Package]:
    """This program and what it computes with; imports all of it."""
    return [
        _own_version(),
        Package("python", State.INSTALLED, platform.python_version()),
        Package("torch", State.INSTALLED, torch.__version__),
        *_graphics(),
        *(_imported(name, purpose) for name, purpose in _FOR_BACK_ENDS.items()),
        _hub_kernel(),
    ]


def find_extras() -> list[Extra]:
    """The optional extras of this package; imports what is installed of them."""
    return [_extra(name, purpose, brings) for name, (purpose, brings) in EXTRAS.items()]


def _own_version() -> Package:
    try:
        return Package("deblur", State.INSTALLED, version("deblur-cli"))
    except PackageNotFoundError:
        return Package("deblur", State.INSTALLED, note="runs from its sources, not installed")


def _graphics() -> list[Package]:
    """What torch was built for, and the driver it finds."""
    if torch.version.hip:
        return [Package("ROCm", State.INSTALLED, torch.version.hip, "torch is built for it")]
    if not torch.version.cuda:
        return [Package("CUDA", State.ABSENT, note="torch is built without it")]
    runtime = Package("CUDA", State.INSTALLED, torch.version.cuda, "torch is built for it")
    return [runtime, _driver()]


def _driver() -> Package:
    """Asks `nvidia-smi`, as torch's own report does."""
    found = collect_env.get_nvidia_driver_version(collect_env.run)  # type: ignore[no-untyped-call]
    if not found:
        return Package("NVIDIA driver", State.ABSENT, note="nvidia-smi does not answer")
    return Package("NVIDIA driver", State.INSTALLED, str(found).splitlines()[0])


def _hub_kernel() -> Package:
    name = "mamba-ssm of the Hub"
    if find_spec("mamba_ssm") is not None:
        return Package(name, State.ABSENT, note="not needed, as mamba_ssm is installed")
    if not hub_kernel.is_cached():
        return Package(name, State.ABSENT, note=f"pip install kernels, then {hub_kernel.FETCH}")
    return Package(name, State.INSTALLED, f"v{hub_kernel.VERSION}", _FOR_BACK_ENDS["mamba_ssm"])


def _imported(name: str, purpose: str) -> Package:
    try:
        if find_spec(name) is None:
            return Package(name, State.ABSENT, note=f"for {purpose}")
        quiet = io.StringIO()
        with warnings.catch_warnings(), redirect_stdout(quiet), redirect_stderr(quiet):
            warnings.simplefilter("ignore")
            module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # anything goes wrong in a broken package
        return Package(name, State.BROKEN, note=described(error))
    return Package(name, State.INSTALLED, str(getattr(module, "__version__", "")), f"for {purpose}")


def _extra(name: str, purpose: str, brings: tuple[str, ...]) -> Extra:
    found = [_imported(package, purpose) for package in brings]
    broken = [
        f"{package.name}: {package.note}" for package in found if package.state is State.BROKEN
    ]
    absent = [package.name for package in found if package.state is State.ABSENT]
    if broken:
        return Extra(name, State.BROKEN, purpose, "; ".join(broken))
    if len(absent) == len(found):
        return Extra(name, State.ABSENT, purpose, f"pip install 'deblur-cli[{name}]'")
    if absent:
        return Extra(name, State.INCOMPLETE, purpose, f"lacks {', '.join(absent)}")
    return Extra(name, State.INSTALLED, purpose)
