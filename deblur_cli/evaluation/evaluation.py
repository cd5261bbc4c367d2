"""One candidate measured on a whole set: from where an earlier attempt stood, by all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from deblur_cli.checkpoints.checksum import file_sha256
from deblur_cli.data.pairs import Pair
from deblur_cli.evaluation.candidates import Candidate
from deblur_cli.evaluation.measures import Kit
from deblur_cli.evaluation.ranks import Ranks
from deblur_cli.evaluation.records import Records
from deblur_cli.evaluation.runner import evaluate
from deblur_cli.evaluation.saving import refuse_among, saved
from deblur_cli.evaluation.scores import Failure, Score
from deblur_cli.evaluation.subjects import Subjects
from deblur_cli.evaluation.versions import versions

Result: TypeAlias = Score | Failure


@dataclass(frozen=True)
class Outcome:
    """What was measured of a candidate, in the order of the set."""

    candidate: str
    settings: Mapping[str, Any]
    """What decides its pictures, and how it was run here."""
    results: tuple[Result, ...]

    @property
    def scores(self) -> list[Score]:
        """Those that were measured."""
        return [result for result in self.results if isinstance(result, Score)]

    @property
    def failures(self) -> list[Failure]:
        """Those that could not be."""
        return [result for result in self.results if isinstance(result, Failure)]


@dataclass(frozen=True)
class Work:
    """A set that candidates are measured on, one after the other."""

    subjects: Subjects
    ranks: Ranks = field(default_factory=Ranks)
    """The processes that share the work."""
    kit: Kit = field(default_factory=Kit)
    """For metrics with networks of their own."""
    output: Path | None = None
    """Folder that keeps records, from which a later call goes on; None for none."""

    @property
    def share(self) -> Sequence[Pair]:
        """What this process measures."""
        return self.ranks.share(self.subjects.pairs)

    def measure(
        self, candidate: Candidate, save: Path | None, tell: Callable[[Result], None]
    ) -> Outcome:
        """Measure everything that is not on record.

        Args:
            candidate: what is measured.
            save: folder for its pictures.
            tell: is told of this process's pictures, in their order, as soon as they are known.

        Raises:
            UsageError: its pictures would lie among those of the set.
            DeblurError: as `evaluate`, `Records` and `Ranks.gather`.
        """
        if save is not None:
            refuse_among(self.subjects.pairs, save)
        own: list[Result] = []
        for result in self._results(candidate, save):
            tell(result)
            own.append(result)
        place = {pair.name: number for number, pair in enumerate(self.subjects.pairs)}
        everything = sorted(self.ranks.gather(own), key=lambda result: place[result.name])
        settings = {**candidate.settings, "method": candidate.method}
        return Outcome(candidate.name, settings, tuple(everything))

    def _results(self, candidate: Candidate, save: Path | None) -> Iterator[Result]:
        records = self._records(candidate)
        kept = [one for one in self.share if save is None or saved(save, one.name).is_file()]
        known = {} if records is None else records.done(kept)
        missing = [pair for pair in self.share if pair.name not in known]
        found = evaluate(missing, self.subjects.protocol, candidate, save, self.kit)
        for pair in self.share:
            if pair.name in known:
                yield known[pair.name]
                continue
            result = next(found)
            if records is not None and isinstance(result, Score):
                records.add(pair, result)
            yield result

    def _records(self, candidate: Candidate) -> Records | None:
        if self.output is None:
            return None
        protocol = self.subjects.protocol
        settings = {
            "dataset": self.subjects.name,
            "protocol": protocol.name,
            "measures": protocol.measures,
            "samples": protocol.samples,
            "candidate": dict(candidate.settings),
            "metric_weights": {name: file_sha256(f) for name, f in self.kit.weights.items()},
            "versions": versions(),
        }
        return Records(self.output, candidate, settings, self.ranks.rank)
