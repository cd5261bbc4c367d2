"""The plots of `deblur eval`: drawn by the evaluation, with costs counted by the inspection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_cli.errors import UsageError

if TYPE_CHECKING:
    from deblur_cli.evaluation.candidates import Candidate
    from deblur_cli.evaluation.evaluation import Outcome
    from deblur_cli.evaluation.report import Report
    from deblur_cli.evaluation.subjects import Subjects


class Drawing:
    """Draws into a folder.

    Args:
        output: the folder of the evaluation.

    Raises:
        UsageError: there is no folder.
        MissingExtraError: matplotlib is not installed.
    """

    def __init__(self, output: Path | None) -> None:
        from deblur_cli.evaluation.plots import require_matplotlib

        if output is None:
            raise UsageError("--plots needs a folder to draw into", remedy="give it by --output")
        require_matplotlib()
        self._output = output

    def draw_crops(self, subjects: Subjects, candidate: Candidate, outcome: Outcome) -> None:
        """Draw the best and the worst of a candidate, while it is there to restore them."""
        from deblur_cli.evaluation import plots

        main = plots.main_figure(subjects, [outcome])
        if main is not None:
            plots.draw_crops(subjects, candidate, outcome, main, self._output)

    def draw(self, subjects: Subjects, outcomes: Sequence[Outcome], made: Report) -> None:
        """Draw what all candidates are part of."""
        from deblur_cli.evaluation import plots

        main = plots.main_figure(subjects, outcomes)
        if main is None:
            return
        plots.draw_pictures(outcomes, main, self._output)
        counted = _count_costs([outcome.candidate for outcome in outcomes])
        plots.draw_costs(made, counted, main, self._output)


def _count_costs(candidates: Sequence[str]) -> dict[str, float]:
    """Multiply-accumulates in 10^9 of those candidates that the manifest lists."""
    from deblur_cli.checkpoints.manifest import load_manifest
    from deblur_cli.inspection.complexity import COUNTED_SIZE
    from deblur_cli.inspection.work import count_work

    return {
        entry.id: count_work(
            entry.architecture, entry.config, COUNTED_SIZE, side_outputs=False
        ).macs_with_scan
        / 1e9
        for entry in load_manifest().entries
        if entry.id in candidates
    }
