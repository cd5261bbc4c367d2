"""Ray: finding a cluster or starting one, and workers on it."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from deblur_cli.errors import DeblurError, DeviceError, MissingExtraError
from deblur_cli.imaging.atomic import owner
from deblur_cli.pipeline.cluster.worker import Ended, Loader, Master, Place, Unmade, Worker

LOCAL, FOUND = "local", "auto"
_GPU_HANDS = 3
_ANSWER_SECONDS = 5.0


class RayCluster:
    """Workers on a Ray cluster that this process is connected to, as a `Crew` asks for them.

    Each has a GPU of its own, or where there are none, a processor.

    Args:
        load: how a worker makes its deblurrer.
        weights: the file's content, which goes to every node once.
        device: `auto`, `cuda` or `cpu`.

    Raises:
        DeviceError: the cluster has no such device.
    """

    def __init__(self, load: Loader, weights: bytes, device: str = "auto") -> None:
        import ray

        self._ray = ray
        has_gpus = self._count("GPU") > 0
        if device == "cuda" and not has_gpus:
            raise DeviceError("the cluster has no GPU", remedy="use --device auto")
        self._resource = "GPU" if has_gpus and device != "cpu" else "CPU"
        self._load = load
        self._weights = ray.put(weights)
        self._master = Master(Path.cwd(), owner())
        self.hands = _GPU_HANDS if self._resource == "GPU" else 1
        self._class = ray.remote(_Actor).options(
            num_cpus=1,
            num_gpus=1 if self._resource == "GPU" else 0,
            max_concurrency=self.hands + 1,
            scheduling_strategy="SPREAD",
        )

    def places(self) -> int:
        """How many workers there is room for."""
        return self._count(self._resource)

    def hire(self) -> tuple[Any, Any]:
        """A new worker, as soon as there is room, and the reference to its profile."""
        actor = self._class.remote(self._master)
        return actor, actor.start.remote(self._load, self._weights)

    def order(self, worker: Any, method: str, *arguments: Any) -> Any:
        """Call a method of a worker; the reference to its answer."""
        return getattr(worker, method).remote(*arguments)

    def answered(self, references: list[Any], seconds: float) -> list[Any]:
        """Those references whose answers are there, once it is at least one or time is up."""
        if not references:
            return []
        ready, _ = self._ray.wait(references, timeout=seconds)
        if ready:
            ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return list(ready)

    def answer(self, reference: Any) -> Any:
        """What came, an `Ended` if the worker is no more."""
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            problem = str(error.cause or error).strip().splitlines()[-1]
            return Unmade(DeblurError(f"unexpected on a worker: {problem}"))
        except self._ray.exceptions.RayError as error:
            return Ended(_why(error))

    def dismiss(self, worker: Any) -> None:
        """End a worker at once."""
        self._ray.kill(worker)

    def _count(self, resource: str) -> int:
        nodes = (node for node in self._ray.nodes() if node["Alive"])
        return sum(int(node["Resources"].get(resource, 0)) for node in nodes)


class _Actor(Worker):
    """A worker where Ray has put it."""

    def __init__(self, master: Master) -> None:
        import ray

        context = ray.get_runtime_context()
        gpus = context.get_accelerator_ids().get("GPU", ())
        super().__init__(Place(context.get_node_id(), tuple(gpus)), master)


@contextmanager
def connected(address: str) -> Iterator[None]:
    """Within the block this process is connected to a Ray cluster.

    Args:
        address: of a cluster, such as `10.0.0.1:6379`; `auto` for the one that `RAY_ADDRESS` names
            or that runs on this machine; or `local` to start one here, until the block ends.

    Raises:
        MissingExtraError: Ray is not installed.
        DeviceError: there is no such cluster.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise MissingExtraError("--ray", "ray") from None
    on_sigterm = signal.getsignal(signal.SIGTERM)
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    with ExitStack() as at_end:
        if address == LOCAL:
            folder = TemporaryDirectory(prefix="deblur-ray-", ignore_cleanup_errors=True)
            options |= {
                "include_dashboard": False,
                "_temp_dir": at_end.enter_context(folder),
            }
        at_end.callback(ray.shutdown)
        at_end.enter_context(_silence())
        try:
            _require_answer(address)
            ray.init(address, **options)
        except (OSError, RuntimeError, ValueError) as error:
            raise DeviceError(
                f"no Ray cluster is found by '{address}': {_first_sentence(error)}",
                remedy="'ray start --head' starts one, --ray local another for this run alone",
            ) from error
        finally:
            signal.signal(signal.SIGTERM, on_sigterm)
        yield


def _require_answer(address: str) -> None:
    """Raise `OSError` or `ValueError` if nobody answers there; Ray would try for minutes."""
    if address == FOUND:
        address = os.environ.get("RAY_ADDRESS", FOUND)
    if address not in (FOUND, LOCAL):
        host, _, port = address.rpartition(":")
        if not (host and port.isdecimal()) or "/" in host:
            raise ValueError("an address is of the form HOST:PORT")
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Ray from printing on stdout that a worker died, which it does whatever it is told."""
    from ray._private import worker

    printing = worker.print_to_stdstream
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = printing


def _first_sentence(error: Exception) -> str:
    """What is wrong; what to do about it Ray says in terms of its own commands."""
    return str(error).strip().splitlines()[0].partition(". ")[0]


def _why(error: Exception) -> str:
    """The cause of death in a sentence."""
    text = str(error)
    if "its node has died" in text:
        return "its node is gone"
    if "running low on memory" in text:
        return "its node ran out of memory"
    return "its process ended"
