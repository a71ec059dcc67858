"""What sets of dimensions are worth: fresh students, trained on them and on what else there is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evaluation import models
from evaluation.benches import Benches, who_speaks
from evaluation.dimensional.results import DimensionalResult, truth_of
from evaluation.hearing import by_hearing
from evaluation.named_sets import NamedSet
from evaluation.options import DP_SGD, MAJORITY, MODEL, Options
from evaluation.outcomes import Outcomes
from evaluation.runs import DISTILLED
from evaluation.session_checks import require_fit
from synth_data.errors import SetError, UserError
from synth_data.progress import SILENT, Progress
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet


def evaluate_dimensional(
    sets: SyntheticSet | Sequence[NamedSet],
    train_set: RealSet,
    validation: RealSet,
    test: RealSet,
    *,
    options: Options = Options(),
    also_heard: Mapping[str, RealSet] | None = None,
    jobs: int = 1,
    outcomes: Outcomes | None = None,
    progress: Progress = SILENT,
) -> DimensionalResult:
    """Trains students on sets, on all real training data and on what one could take instead.

    As `evaluation.evaluate` does for emotions: every competitor meets the same students, and the
    free settings of their recipe are chosen on validation speakers, by mean CCC. Baselines count
    by the cells that the sets count by.

    Args:
        sets: one set, which is called "distilled", or several with names, of the same task,
            cells, feature recipe and normalisation.
        train_set: the real utterances they were made from, or could have been made from, with
            the targets of the sets' task.
        validation: utterances of other speakers, to choose by.
        test: utterances of yet other speakers.
        options: what to include; what is for emotions alone is refused (`require_possible`), and
            baselines that are are named as not available.
        also_heard: the test utterances as heard otherwise, by how.
        jobs: students trained side by side, each in a process with one thread.
        outcomes: where outcomes of earlier evaluations are found and those of this one kept.
        progress: a bar for the students.

    Raises:
        SetError: a set's task or features are not those of the real utterances, or of another set.
        UserError: an option is for emotions alone.
    """
    judged = (NamedSet(DISTILLED, sets),) if isinstance(sets, SyntheticSet) else tuple(sets)
    require_possible(options)
    for one in judged:
        if not one.synthetic.task.dimensions:
            raise SetError(
                f"{one.name} tells emotions alone: judge it with evaluate, and sets of dimensions "
                f"with evaluate_dimensional"
            )
        if one.synthetic.task.cells != judged[0].synthetic.task.cells:
            raise SetError(
                f"{one.name} and {judged[0].name} count by different cells of the label space, so "
                f"no random subset is of the size of both: judge them in separate reports"
            )
        for side in (train_set, validation, test):
            require_fit(one.synthetic, side)
    # On another corpus than the sets were made from, the scale is that corpus' own.
    task = replace(train_set.task, cells=judged[0].synthetic.task.cells)
    real = replace(train_set, task=task), validation, test
    plain, hearings = by_hearing(judged)
    benches = Benches(judged, options, also_heard or {}, jobs, outcomes, progress)
    bench = benches.of(plain, real)
    runs = [*bench.sets(), *models.untrained(bench)]
    if MODEL in options.baselines:
        runs += models.shipped_models(bench)
    bench.unavailable += [
        f"{name}: it is made for emotions, and there are dimensions to tell"
        for name in (DP_SGD, MAJORITY)
        if name in options.baselines
    ]
    for hearing in hearings:
        runs += benches.of(hearing, real, hearing.full).sets()
    return DimensionalResult(
        fold=test.fold_number or 1,
        task=task,
        **truth_of(test),
        **who_speaks(test),
        **benches.closed(runs),
    )


def require_possible(options: Options) -> None:
    """Raises `UserError` if an option asks for what there is for emotions alone."""
    for what, asked, option in (
        ("model distillation by teachers", options.teachers, "--teachers none"),
        ("attacks", options.attacks, "--attacks none"),
        ("DD-Ranking's scores", options.robust_scores, "--no-scores"),
        ("starts near the fixed weights", options.start_noise, "no --start-noise"),
    ):
        if asked:
            raise UserError(
                f"{what} are for sets of emotions alone, and this one tells dimensions: leave them "
                f"out ({option})"
            )
