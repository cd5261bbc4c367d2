"""`deblur eval`: measure what networks do to a data set; the table is the result, on stdout."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from deblur_cli.cli import options
from deblur_cli.cli.evaluate_drawing import Drawing
from deblur_cli.cli.evaluate_output import Output, output_for
from deblur_cli.cli.grouped import grouped
from deblur_cli.cli.signals import exit_on_sigterm
from deblur_cli.errors import NothingToDoError, UsageError

if TYPE_CHECKING:
    from deblur_cli import Deblurrer
    from deblur_cli.evaluation.candidates import Candidate
    from deblur_cli.evaluation.evaluation import Outcome, Work
    from deblur_cli.evaluation.measures import Kit
    from deblur_cli.evaluation.subjects import Subjects

_SOME_FAILED = 1


@dataclass(frozen=True)
class EvaluatedOptions(options.OneDeviceOptions):
    """The networks that are evaluated."""

    task: Annotated[
        str, typer.Option(help="What blurred the pictures: motion, defocus, or what the set says.")
    ] = "auto"
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID,…", help="Ids of the weights, with commas (see `deblur weights list`)."
        ),
    ] = None

    @property
    def pins(self) -> bool:
        """Whether certain weights are asked for."""
        return self.model is not None or self.weights is not None

    @property
    def each(self) -> list[EvaluatedOptions]:
        """The same for each of the models; raises `UsageError` on an id that is not known."""
        from deblur_cli.checkpoints.manifest import load_manifest

        if self.model is None:
            return [self]
        ids = self.model.split(",")
        return [replace(self, model=load_manifest().entry(one).id) for one in ids]

    def save_folder(self, save: Path | None, candidate: Candidate) -> Path | None:
        """Where a candidate's pictures are kept: a network's; a folder each if there are more."""
        from deblur_cli.evaluation.candidates import Network

        if save is None or not isinstance(candidate, Network):
            return None
        return save / candidate.name if len(self.each) > 1 else save

    def load_pooling(self, pooling: int | None) -> Deblurrer:
        """The network, with local pooling as asked for rather than as its weights advise."""
        if pooling is None:
            return self.load()
        from deblur_cli.evaluation.candidates import load_pooling

        return load_pooling(pooling, **asdict(self))


@dataclass(frozen=True)
class SubjectOptions:
    """What is measured, and how."""

    heading: ClassVar[str] = "Data set"

    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the published set lies.")
    ] = None
    part: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Also the mean over the pictures whose numbers it lists; may be repeated.",
        ),
    ] = None
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Measure these, such as lpips,niqe,fid-kid, not the protocol's.",
        ),
    ] = None
    metric_weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Another file for lpips, st-lpips, inception (FID, KID) or niqe; may be repeated.",
        ),
    ] = None
    blurred: Annotated[
        bool,
        typer.Option("--blurred", help="Measure the blurred pictures; networks only if named."),
    ] = False
    results: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Measure results that are there already; networks only if named; may be repeated.",
        ),
    ] = None
    pooling: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="PIXELS",
            help="Local pooling (TLC) for patches of this side, 0: global.  [as advised]",
        ),
    ] = None

    def open(self, dataset: str, task: str) -> Subjects:
        """The set and its protocol; raises `UsageError`."""
        from deblur_cli.evaluation.subjects import open_subjects

        subjects = open_subjects(dataset, self.data, task)
        return subjects if self.metrics is None else subjects.measuring(self.metrics)

    def kit(
        self, measures: Sequence[str], device: str, offline: bool, tell: Callable[[str], None]
    ) -> Kit:
        """What metrics with models of their own work with; raises `UsageError`."""
        from deblur_cli.evaluation.measures import MODELS, Kit

        weights = {}
        for text in self.metric_weights or ():
            name, _, file = text.partition("=")
            if name not in MODELS or not file:
                raise UsageError(
                    f"--metric-weights {text} names no model of a metric and file",
                    remedy=f"such as lpips=FILE; the names are {', '.join(MODELS)}",
                )
            if not Path(file).is_file():
                raise UsageError("--metric-weights names no file that is there", path=file)
            if MODELS[name] not in measures:
                raise UsageError(
                    f"nothing that is measured here needs --metric-weights {name}",
                    remedy=f"ask for {MODELS[name]} by --metrics",
                )
            weights[name] = Path(file)
        return Kit(device, offline, tell, weights)


@grouped
def evaluate(
    *,
    dataset: Annotated[
        str,
        typer.Option(
            metavar="SET|FOLDER",
            help="gopro, hide, realblur-j, realblur-r, dpdd or rwbi; or a folder with blur/ and "
            "sharp/, or of sharp photos.",
        ),
    ],
    subject: SubjectOptions,
    network: EvaluatedOptions,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Keep records there, from which the same command goes on, and the tables.",
        ),
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Keep the results there, as PNG.")
    ] = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Draw plots into the folder of --output.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Measure networks on a data set, by the protocol that papers use for it.

    For a folder of pairs: PSNR (dB) and SSIM before and after, per picture and on average; for
    defocus also the PSNR after fitting gain and offset of each colour channel (fit), as such pairs
    differ in exposure. For a folder of sharp photos: the PSNR of the result against its input,
    which says how little harm is done. docs/evaluation.md has the protocols of the published sets.

    Exit codes: 0 everything was measured, 1 some pictures could not be, 3 none could.
    """
    from deblur_cli.evaluation.documents import write_documents
    from deblur_cli.evaluation.evaluation import Work
    from deblur_cli.evaluation.ranks import joined_ranks
    from deblur_cli.evaluation.report import make_report

    drawing = Drawing(output) if plots else None
    subjects = subject.open(dataset, network.task)
    parts = subjects.parts(subject.part or [])
    with exit_on_sigterm(), joined_ranks() as ranks:
        device = ranks.device(network.device)
        chosen = replace(network, task=subjects.task, device=device)
        shown = output_for(subjects, json, ranks)
        measures = subjects.protocol.measures
        kit = subject.kit(measures, device, network.offline, shown.note)
        for line in (*subjects.warnings, *kit.models(measures)):
            shown.note(line)
        work = Work(subjects, ranks, kit, output)
        outcomes = [
            _measure(work, candidate, chosen.save_folder(save, candidate), shown, drawing)
            for candidate in _candidates(subject, subjects, chosen, shown)
        ]
        if ranks.leads:
            made = make_report(subjects, outcomes, parts, kit)
            shown.finish(made)
            if output is not None:
                write_documents(made, output)
            if drawing is not None:
                drawing.draw(subjects, outcomes, made)
            _end(outcomes)


def _measure(
    work: Work, candidate: Candidate, save: Path | None, shown: Output, drawing: Drawing | None
) -> Outcome:
    with shown.progress(candidate.name, len(work.share)):
        outcome = work.measure(candidate, save, shown.measured)
    shown.ended(outcome)
    if drawing is not None and work.ranks.leads:
        drawing.draw_crops(work.subjects, candidate, outcome)
    return outcome


def _candidates(
    subject: SubjectOptions, subjects: Subjects, network: EvaluatedOptions, shown: Output
) -> Iterator[Candidate]:
    """Every candidate; a network is loaded when its turn comes, after all else was checked."""
    from deblur_cli.evaluation.candidates import Results, Unrestored

    made: list[Candidate] = [Unrestored()] if subject.blurred else []
    made += [Results(folder, subjects) for folder in subject.results or ()]
    networks = network.each if network.pins or not made else []
    taken = [one.name for one in made]
    _refuse_twins([*taken, *(one.model for one in networks if one.model)])
    for candidate in made:
        shown.note(f"measuring {candidate.name}")
        yield candidate
    for each in networks:
        loaded = _network(each, subject.pooling, shown)
        _refuse_twins([*taken, loaded.name])
        yield loaded


def _refuse_twins(names: Sequence[str]) -> None:
    if twins := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"two candidates are named '{twins.pop()}'", remedy="rename a folder")


def _network(network: EvaluatedOptions, pooling: int | None, shown: Output) -> Candidate:
    from deblur_cli.evaluation.candidates import Network

    deblurrer = network.load_pooling(pooling)
    for line in (deblurrer.summary, *deblurrer.warnings):
        shown.note(line)
    return Network(deblurrer)


def _end(outcomes: Iterable[Outcome]) -> None:
    failed = any(outcome.failures for outcome in outcomes)
    if failed and not any(outcome.scores for outcome in outcomes):
        raise NothingToDoError("no picture could be measured")
    if failed:
        raise typer.Exit(_SOME_FAILED)
