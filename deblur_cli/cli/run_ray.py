"""Who restores, here or with `--ray`: the network for workers on a cluster, and their crew."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import deblur_cli
from deblur_cli.cli.console import QuietConsole
from deblur_cli.cli.options import ModelOptions
from deblur_cli.errors import DeblurError, UsageError
from deblur_cli.storage.remote import is_url

if TYPE_CHECKING:
    from deblur_cli import Deblurrer
    from deblur_cli.checkpoints.resolve import ResolvedWeights
    from deblur_cli.pipeline.batch import AnyBatch
    from deblur_cli.pipeline.clips.restorers import Restorer
    from deblur_cli.pipeline.cluster.crew import Crew
    from deblur_cli.pipeline.cluster.worker import Loader
    from deblur_cli.pipeline.loaded import LoadedNetwork
    from deblur_cli.pipeline.treatment import Conduct, Treatment

_DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class Shipment:
    """Makes a worker's deblurrer of weights that were resolved elsewhere."""

    resolved: ResolvedWeights
    network: ModelOptions
    version: str

    def __call__(self, device: str, weights: bytes) -> Deblurrer:
        """The deblurrer for a device.

        Raises:
            DeblurError: as `Deblurrer`, or this is another version than the driver's.
        """
        from deblur_cli import Deblurrer
        from deblur_cli.checkpoints.load import load_weights

        if self.version != deblur_cli.__version__:
            raise DeblurError(
                f"{platform.node()} has deblur {deblur_cli.__version__}, the driver {self.version}",
                remedy="install the same version on all nodes",
            )
        with TemporaryDirectory(prefix="deblur-weights-") as folder:
            path = Path(folder) / self.resolved.path.name
            path.write_bytes(weights)
            model = load_weights(replace(self.resolved, path=path))
        wanted = asdict(self.network)
        return Deblurrer(
            model,
            name=self.resolved.id,
            device=device,
            **{name: wanted[name] for name in ("dtype", "tile", "overlap", "max_memory")},
            sha256=self.resolved.sha256,
            source=self.resolved.source,
            advice=self.resolved.advice,
            warnings=self.resolved.warnings,
        )


def check_for_cluster(device: str, places: Sequence[str] = ()) -> None:
    """Refuse devices that mean something on one machine only, and storages as places.

    Raises:
        UsageError: names what is refused.
    """
    if device not in _DEVICES:
        raise UsageError(
            f"--device {device} says nothing to a cluster",
            remedy=f"with --ray it is one of {', '.join(_DEVICES)}",
        )
    for place in places:
        if is_url(place):
            raise UsageError(
                f"--ray needs a drive that all nodes share, and {place} is none",
                remedy="leave out --ray; array jobs with --shard read and write storages",
            )


def pack(network: ModelOptions) -> tuple[Loader, bytes]:
    """What workers make their deblurrers of; raises as `resolve_weights`."""
    from deblur_cli.checkpoints.resolve import resolve_weights

    resolved = resolve_weights(network.task, network.model, network.weights, network.offline)
    return Shipment(resolved, network, deblur_cli.__version__), resolved.path.read_bytes()


@dataclass(frozen=True)
class Workforce:
    """Those who restore: by their names, and how a batch for them is made."""

    fleet: Mapping[str, LoadedNetwork]
    batch: Callable[[Treatment, Conduct], AnyBatch]


@contextmanager
def workforce(
    address: str | None, network: ModelOptions, console: QuietConsole
) -> Iterator[Workforce]:
    """The devices of this machine, or with an address those of a cluster; raises as `crew_on`."""
    if address is None:
        from deblur_cli.pipeline.images import Batch

        fleet = network.load_fleet()
        yield Workforce(fleet, partial(Batch, fleet))
    else:
        from deblur_cli.pipeline.cluster.batch import ClusterBatch

        with crew_on(address, network, console) as crew:
            ready = {profile.name: profile for profile in crew.profiles}
            yield Workforce(ready, partial(ClusterBatch, crew))


@contextmanager
def restorer_by(
    address: str | None, network: ModelOptions, console: QuietConsole
) -> Iterator[Restorer]:
    """As `workforce`, for a video."""
    if address is None:
        from deblur_cli.pipeline.clips.crew import crew_of
        from deblur_cli.pipeline.clips.restorers import InOrder

        yield InOrder(crew_of(network.load_fleet()))
    else:
        from deblur_cli.pipeline.cluster.parts import ByParts

        with crew_on(address, network, console) as crew:
            yield ByParts(crew, console.note)


@contextmanager
def crew_on(address: str, network: ModelOptions, console: QuietConsole) -> Iterator[Crew[Any]]:
    """Workers on a cluster, at least one of them ready, until the block ends.

    Raises:
        MissingExtraError: Ray is not installed.
        DeviceError: there is no such cluster, or no such device on it.
        WeightsError, UsageError: as `Deblurrer.from_pretrained`.
    """
    from deblur_cli.pipeline.cluster.crew import Crew
    from deblur_cli.pipeline.cluster.ray_cluster import RayCluster, connected

    load, weights = pack(network)
    with connected(address):
        crew: Crew[Any] = Crew(RayCluster(load, weights, network.device), console.warning)
        try:
            crew.first()
            yield crew
        finally:
            crew.dismiss()
