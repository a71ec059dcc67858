"""What students told of test utterances over what is true, as a picture."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from evaluation.concordance import ccc
from evaluation.dimensional.results import DimensionalResult
from evaluation.options import NATIVE
from evaluation.page.colours import QUIET, Look
from evaluation.page.curves import STYLE
from evaluation.page.picture import Picture, data_uri
from evaluation.page.wording import MINUS
from evaluation.runs import CLEAN, FULL, RANDOM_SUBSET, Condition, Run

SIDE = 2.6  # inches, of one plot; one is 96 CSS pixels
MOST = 3  # sets: full data, a judged set, random subsets
DOTS = 4000  # at most, in one plot


@dataclass(frozen=True)
class Scatter:
    """A picture of what one kind of student told, under its name."""

    name: str
    picture: Picture
    caption: str


def scatters(results: Sequence[DimensionalResult], looks: Mapping[str, Look]) -> list[Scatter]:
    """For the first student and each of its starts, full data beside judged sets and random ones.

    Args:
        results: whose test utterances are shown together.
        looks: of the sets.
    """
    first = [run for run in results[0].runs if run.speech == CLEAN]
    # The student that a set was made for may not be among those who were trained.
    names = {run.student for run in first}
    made_for = (run.made_for for run in first if run.judged and run.made_for in names)
    home = next(made_for, first[0].student)
    own = [run for run in first if run.student == home]
    found = []
    for start in dict.fromkeys(run.initialisation for run in own if run.judged):
        shown = [
            run.condition
            for run in own
            if run.initialisation == start
            and run.recipe != NATIVE
            and (run.judged or run.set in (FULL, RANDOM_SUBSET))
        ]
        conditions = sorted(dict.fromkeys(shown), key=lambda one: (one.set != FULL,))[:MOST]
        told = {one: _told(results, one) for one in conditions}
        complete = {one: numbers for one, numbers in told.items() if numbers is not None}
        name = f"{home}, {start} initialisation"
        found.append(Scatter(name, *_picture(results, complete, looks)))
    return found


def _told(
    results: Sequence[DimensionalResult], condition: Condition
) -> Float[np.ndarray, "n dimension"] | None:
    """By the first student of each fold; None where a fold has none."""
    chosen: list[Run] = []
    for result in results:
        same = [run for run in result.runs if run.condition == condition]
        if not same:
            return None
        chosen.append(min(same, key=lambda run: run.replica))
    return np.array([row for run in chosen for row in run.numbers])


def _picture(
    results: Sequence[DimensionalResult],
    told: Mapping[Condition, Float[np.ndarray, "n dimension"]],
    looks: Mapping[str, Look],
) -> tuple[Picture, str]:
    task = results[0].task
    truth = np.array([row for result in results for row in result.truth], dtype=np.float64)
    every = max(1, -(-len(truth) // DOTS))
    low, high = task.scale
    reach = (low - 0.05 * (high - low), high + 0.05 * (high - low))
    words = []
    with rc_context(STYLE):
        across, down = len(task.dimensions), len(told)
        figure = Figure(figsize=(SIDE * across, SIDE * down), layout="constrained")
        FigureCanvasSVG(figure)
        plots = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
        for row, (condition, numbers) in enumerate(told.items()):
            at = "" if condition.ipc is None else f", ipc {condition.ipc}"
            values = ccc(truth, numbers)
            for column, dimension in enumerate(task.dimensions):
                axes = plots[row, column]
                axes.plot(reach, reach, color=QUIET, linewidth=1)
                axes.scatter(
                    truth[::every, column],
                    np.clip(numbers[::every, column], *reach),
                    s=14,
                    alpha=0.6,
                    linewidths=0,
                    color=looks[condition.set].colour,
                    rasterized=True,
                )
                value = f"{values[column]:.2f}".replace("-", MINUS)
                axes.set_title(f"{dimension}, CCC {value}", fontsize=10)
                axes.set_xlim(*reach)
                axes.set_ylim(*reach)
                axes.set_aspect("equal")
                words.append(f"{condition.set}{at}, {dimension}: CCC {value}")
                if row == down - 1:
                    axes.set_xlabel("true")
            plots[row, 0].set_ylabel(f"told after\n{condition.set}{at}")
        file = io.BytesIO()
        figure.savefig(file, format="svg", dpi=144, metadata={"Date": None})
    picture = Picture(
        data_uri(file.getvalue(), "image/svg+xml"),
        f"What was told over what is true. {'; '.join(words)}.",
        round(96 * SIDE * across),
        round(96 * SIDE * down),
    )
    shown = "" if every == 1 else f" One utterance of {every} is shown."
    return picture, f"The first student of each fold, on {len(truth):,} test utterances.{shown}"
