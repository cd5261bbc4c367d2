"""`deblur data fetch`: a data set from the Hub, unpacked into the layout it is read from."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deblur_cli.acquisition.catalogue import ByHand, Collection, HubArchive, HubFolders
from deblur_cli.acquisition.check import State, check_split, splits_of
from deblur_cli.acquisition.space import in_gigabytes, require_space
from deblur_cli.acquisition.unpack import safe_path, unpack, unpacked_bytes
from deblur_cli.checkpoints import hub
from deblur_cli.checkpoints.download import bytes_to_come, cache_folder
from deblur_cli.checkpoints.manifest import HubDatasetFile
from deblur_cli.checkpoints.repository import LATEST, RemoteFile, list_repository
from deblur_cli.errors import DataError, WeightsError

Tell = Callable[[str], object]
_AT_ONCE = 8
"""Single files that are fetched at the same time."""
_LINES = 20
"""Of progress with single files."""


@dataclass(frozen=True)
class Fetched:
    """A collection that lies here."""

    collection: Collection
    folder: Path
    origin: str | None
    """What it was fetched from; None if it was here."""


def fetch_collection(collection: Collection, data: Path, offline: bool, tell: Tell) -> Fetched:
    """Bring a collection into its folder below `data`, unless it is there and complete.

    The folder, or for single files each split's, appears when it is complete. What breaks off goes
    on with the same call. Downloads stay in the Hub's cache.

    Args:
        collection: what is wanted.
        data: the folder of all data sets; made if there is none.
        offline: take the archive from the Hub's cache and open no connection.
        tell: gets a line for each step.

    Raises:
        DataError: it cannot be had by a program, or not now; there is too little room; or something
            else stands in its place.
    """
    from huggingface_hub import constants

    origin = collection.origin
    if isinstance(origin, ByHand):
        raise _by_hand(collection, origin, data)
    with _explained(), _staging(collection, data) as staging:
        lacking = _lacking(collection, data)
        if not lacking:
            return Fetched(collection, data / collection.folder, None)
        offline = offline or constants.HF_HUB_OFFLINE
        if isinstance(origin, HubArchive):
            _refuse_remains(collection, data, lacking)
            return _from_archive(collection, origin, data, staging, offline, tell)
        return _from_folders(collection, origin, data, staging, offline, tell)


def _from_archive(
    collection: Collection,
    origin: HubArchive,
    data: Path,
    staging: Path,
    offline: bool,
    tell: Tell,
) -> Fetched:
    home = data / collection.folder
    file = HubDatasetFile(origin.repo, origin.archive, LATEST)
    if not offline:
        listed = list_repository(origin.repo)
        (remote,) = _chosen(listed, collection, origin.repo, lambda one: one == origin.archive)
        _announce(collection, [remote], data, tell)
    archive = hub.fetch(file, offline)
    if (size := unpacked_bytes(archive)) is not None:
        require_space(collection.name, [(data, size)])
    tell(f"unpacking {archive} into {home}")
    if left_out := unpack(archive, staging):
        tell(f"left out, as they are no files: {', '.join(left_out)}")
    _appear(_home_within(staging, collection, archive), home)
    return Fetched(collection, home, str(file))


def _from_folders(
    collection: Collection,
    origin: HubFolders,
    data: Path,
    staging: Path,
    offline: bool,
    tell: Tell,
) -> Fetched:
    if offline:
        raise DataError(
            f"{collection.name} consists of single files, which the Hub has to list",
            remedy="run it without --offline and HF_HUB_OFFLINE",
        )
    absent = [folder for folder in origin.folders if not (data / folder).exists()]
    if not absent:
        raise DataError(
            f"{collection.name} is here, but not all of it",
            path=data / collection.folder,
            remedy="'deblur data check' says what is missing; move incomplete folders away",
        )
    prefixes = tuple(f"{folder}/" for folder in absent)
    listed = list_repository(origin.repo)
    chosen = _chosen(listed, collection, origin.repo, lambda one: one.startswith(prefixes))
    _announce(collection, chosen, data, tell)
    _bring(chosen, staging, tell)
    for folder in absent:
        _appear(staging / folder, data / folder)
    return Fetched(collection, data / collection.folder, f"hub:datasets/{origin.repo}")


def _bring(chosen: list[RemoteFile], staging: Path, tell: Tell) -> None:
    """Fetch single files into the cache, some at once, and copy them."""

    def bring(remote: RemoteFile) -> None:
        target = staging / safe_path(remote.file.file)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(hub.fetch(remote.file, offline=False), target)

    every = max(1, len(chosen) // _LINES)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            coming = as_completed([pool.submit(bring, remote) for remote in chosen])
            for number, brought in enumerate(coming, start=1):
                brought.result()
                if number % every == 0 or number == len(chosen):
                    tell(f"{number:,} of {len(chosen):,} files")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _chosen(
    listed: list[RemoteFile], collection: Collection, repo: str, wanted: Callable[[str], bool]
) -> list[RemoteFile]:
    chosen = [remote for remote in listed if wanted(remote.file.file)]
    if not chosen:
        tops = sorted({remote.file.file.split("/")[0] for remote in listed})
        raise DataError(
            f"hub:datasets/{repo} has no {collection.name} where it used to be; "
            f"it has {', '.join(tops) or 'nothing'}",
            remedy="fetch it by hand, and report this",
        )
    return chosen


def _announce(collection: Collection, chosen: list[RemoteFile], data: Path, tell: Tell) -> None:
    """Say what is about to be fetched, once there is room for it, packed and unpacked.

    Pictures are compressed, so an archive of them takes no less room than they do.
    """
    origin = collection.origin
    assert not isinstance(origin, ByHand)
    size = sum(remote.bytes for remote in chosen)
    coming = sum(bytes_to_come(each.file, each.bytes, each.sha256) for each in chosen)
    require_space(collection.name, [(cache_folder(), coming), (data, size)])
    files = "" if len(chosen) == 1 else f"{len(chosen):,} files, "
    rest = "" if coming == size else f", {in_gigabytes(coming)} to come"
    tell(
        f"fetching {collection.name} from hub:datasets/{origin.repo} "
        f"({files}{in_gigabytes(size)}{rest}); licence: {origin.licence}"
    )


def _home_within(staging: Path, collection: Collection, archive: Path) -> Path:
    """The folder of the set in an archive that has been unpacked."""
    for split in collection.leading.counts:
        located = collection.leading.locate(staging, split)
        if located is not None:
            return located[0]
    tops = sorted(path.name for path in staging.iterdir())
    raise DataError(
        f"holds no {collection.name} in a layout that is known, but {', '.join(tops) or 'nothing'}",
        path=archive,
        remedy="unpack it by hand as docs/data.md says",
    )


def _appear(complete: Path, final: Path) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    complete.rename(final)


def _lacking(collection: Collection, data: Path) -> list[str]:
    """The splits that are not here, or not whole."""
    checks = (check_split(*each, data) for each in splits_of(collection.sets, None))
    return [f"{one.set} {one.split}" for one in checks if one.state is not State.COMPLETE]


def _refuse_remains(collection: Collection, data: Path, lacking: list[str]) -> None:
    home = data / collection.folder
    if home.exists():
        raise DataError(
            f"is in the way, and not whole: all or part of {', '.join(lacking)} is missing",
            path=home,
            remedy=f"'deblur data check {collection.name} --data {data}' says more; "
            "to fetch the set, move this folder away",
        )


def _by_hand(collection: Collection, origin: ByHand, data: Path) -> DataError:
    home = data / collection.folder
    inside = ", ".join(str(home / name) for name in origin.holds)
    return DataError(
        f"{collection.name} is not published where a program can fetch it; "
        f"its licence is {origin.licence}",
        remedy=f"download {origin.archive} by the link on {origin.page}, unpack it so that there "
        f"is {inside}, then run: deblur data check {collection.name} --data {data}",
    )


@contextmanager
def _staging(collection: Collection, data: Path) -> Iterator[Path]:
    """An empty folder on the disk of the data, while no other process fetches the same."""
    from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

    made = not data.exists()
    data.mkdir(parents=True, exist_ok=True)
    folder, lock = data / f".{collection.name}.part", data / f".{collection.name}.lock"
    try:
        with WeakFileLock(lock):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                folder.mkdir()
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        with suppress(OSError):  # another process may wait for the lock, or have put something here
            lock.unlink()
            if made:
                data.rmdir()


@contextmanager
def _explained() -> Iterator[None]:
    """Within the block what the Hub and the disk refuse is told as of a data set."""
    try:
        yield
    except WeightsError as error:
        raise DataError(error.problem, path=error.path, remedy=error.remedy) from error
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise DataError(
            f"cannot be written: {error.strerror or error}",
            path=error.filename,
            remedy="make room on this disk" if full else "see who may write there",
        ) from error
