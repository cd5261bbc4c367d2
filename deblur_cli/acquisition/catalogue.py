"""Where the field's data sets can be had, and which of them come together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deblur_cli.data.published import PUBLISHED, Published
from deblur_cli.errors import UsageError


@dataclass(frozen=True)
class HubArchive:
    """One archive in a repository of the Hub."""

    repo: str
    archive: str
    licence: str


@dataclass(frozen=True)
class HubFolders:
    """Folders of single files in a repository of the Hub, named there as on disk."""

    repo: str
    folders: tuple[str, ...]
    licence: str


@dataclass(frozen=True)
class ByHand:
    """A page where people find a download that programs do not get."""

    page: str
    archive: str
    holds: tuple[str, ...]
    """What lies in the set's folder once it is unpacked."""
    licence: str


@dataclass(frozen=True)
class Collection:
    """Published sets that come, and lie on disk, together."""

    name: str
    sets: tuple[str, ...]
    """Their names in `PUBLISHED`, the one it is recognised by first."""
    origin: HubArchive | HubFolders | ByHand

    @property
    def leading(self) -> Published:
        """What is known of the first set."""
        return PUBLISHED[self.sets[0]]

    @property
    def folder(self) -> str:
        """Where it lies below the folder of all data."""
        return self.leading.folders[0]


def _dpdd(view: str) -> HubFolders:
    return HubFolders(
        repo="JacobLinCool/DPDD",
        folders=tuple(f"dd_dp_dataset_png/{split}_{view}" for split in ("train", "val", "test")),
        licence="not stated by its authors; this is a copy that others publish",
    )


_ALL = (
    Collection(
        "gopro",
        ("gopro", "gopro-gamma"),
        HubArchive("snah/GOPRO_Large", "GOPRO_Large.zip", "CC BY 4.0"),
    ),
    Collection(
        "realblur",
        ("realblur-j", "realblur-r"),
        HubArchive("rimchang/RealBlur", "RealBlur.tar.gz", "CC BY 4.0"),
    ),
    Collection("dpdd", ("dpdd",), _dpdd("c")),
    Collection("dpdd-left", ("dpdd-left",), _dpdd("l")),
    Collection("dpdd-right", ("dpdd-right",), _dpdd("r")),
    Collection(
        "hide",
        ("hide",),
        ByHand(
            page="https://github.com/joanshen0508/HA_deblur",
            archive="HIDE_dataset.zip",
            holds=("train", "test", "GT"),
            licence="not stated by its authors",
        ),
    ),
    Collection(
        "rwbi",
        ("rwbi",),
        ByHand(
            page="https://github.com/HDCVLab/Deblurring-by-Realistic-Blurring",
            archive="the RWBI-dataset",
            holds=("the folders of its scenes",),
            licence="not stated by its authors",
        ),
    ),
)
COLLECTIONS: Mapping[str, Collection] = {one.name: one for one in _ALL}
NAMES = tuple(sorted({*COLLECTIONS, *PUBLISHED}))
"""What the commands take: a collection's name or one of its sets'."""


def find_collection(name: str) -> Collection:
    """The collection of this name, or that a set of this name belongs to.

    Raises:
        UsageError: unknown; lists the names there are.
    """
    for collection in COLLECTIONS.values():
        if name == collection.name or name in collection.sets:
            return collection
    raise UsageError(f"there is no data set '{name}'", remedy=f"one of {', '.join(NAMES)}")


def sets_named(name: str) -> tuple[str, ...]:
    """The set of this name, or all sets of a collection; raises as `find_collection`."""
    return (name,) if name in PUBLISHED else find_collection(name).sets
