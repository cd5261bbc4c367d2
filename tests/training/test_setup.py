"""What a run is set up with, in each of several processes."""

from __future__ import annotations

import pytest
import torch

from deblur_cli.errors import DeviceError, UsageError
from deblur_cli.training.distributed import Ranks
from deblur_cli.training.launch import Launch, read_launch
from deblur_cli.training.session import TrainingOptions
from deblur_cli.training.setup import chosen_recipe, own_device

SECOND = Ranks(rank=3, size=4, local_rank=1, local_size=2)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize("requested", ["auto", "cuda"])
def test_each_process_takes_the_gpu_of_its_number(requested: str) -> None:
    assert own_device(requested, SECOND) == torch.device("cuda", 1)
    assert own_device("cpu", SECOND) == torch.device("cpu")
    assert own_device("cuda:1", Ranks()) == torch.device("cuda", 1)


@pytest.mark.usefixtures("gpus")
def test_processes_do_not_share_a_gpu() -> None:
    with pytest.raises(UsageError, match="2 processes cannot share 'cuda:1'"):
        own_device("cuda:1", SECOND)
    with pytest.raises(DeviceError, match="3 processes on this machine, but 2 GPUs"):
        own_device("auto", Ranks(rank=0, size=3, local_rank=0, local_size=3))


def test_a_batch_must_divide_among_the_processes(options: TrainingOptions) -> None:
    assert chosen_recipe(options, Ranks(size=2)).optimiser.batch == 2
    with pytest.raises(UsageError, match=r"2 patches does not divide into 4 .*multiple of 4"):
        chosen_recipe(options, SECOND)


def test_what_torchrun_says_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_launch() == Launch()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    for name, number in zip(names, ("3", "4", "1", "2"), strict=True):
        monkeypatch.setenv(name, number)
    assert read_launch() == Launch(3, 4, 1, 2)
    assert not read_launch().leads
