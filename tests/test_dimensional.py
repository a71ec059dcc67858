"""What sets of dimensions are worth: students, scores, records on disk, tables and the page."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_dimensional import a_set, judged, sides
from small_evaluation import a_set as a_set_of_emotions
from small_sets import provenance

from evaluation.baselines.encoded import packed
from evaluation.choosing import chosen_by
from evaluation.concordance import ccc, mae, pearson
from evaluation.dimensional.evaluate import evaluate_dimensional
from evaluation.dimensional.page import html
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.results import DimensionalResult
from evaluation.dimensional.scope import Scope
from evaluation.evaluate import evaluate
from evaluation.forecast import Native
from evaluation.named_sets import NamedSet
from evaluation.networks import draw_weights, skeleton
from evaluation.options import Options
from evaluation.runs import FoldError
from evaluation.saved_report import ReportError
from evaluation.session import exhibit
from evaluation.students import Recipe, Schedule
from evaluation.students.recipe import Examples
from synth_data.errors import SetError, UserError
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.schedule import NativeSchedule
from synth_data.task import Task

LINE = "Made up · valence, activation, dominance (1 to 5) · one fold"


@pytest.fixture(scope="module")
def result() -> DimensionalResult:
    """Of emotions and dimensions, with every kind of baseline that there is."""
    names = ("full", "random", "k-means", "class-means", "noise", "compressed-int8", "majority")
    train, validation, test = sides("both")
    schedule = NativeSchedule(torch.full((3,), 0.05), 0.9, 1)
    also = {"quieter": replace(test, features=test.features - 1)}
    return judged(
        "both",
        a_set(train, schedule=schedule),
        sides=(train, validation, test),
        baselines=names,
        students=("tdnn", "linear"),
        also_heard=also,
    )


def report(results: Sequence[DimensionalResult], **changes: object) -> DimensionalReport:
    return DimensionalReport.of(
        LINE, results, corpus="made-up", command="evaluate-data set", **changes
    )


def test_every_set_meets_the_same_students_and_says_what_it_cannot_do(result):
    assert {run.set for run in result.runs} == {
        *("full", "distilled", "random", "k-means", "class-means", "noise", "untrained"),
        "compressed-int8",
    }
    assert result.unavailable == (
        "majority: it is made for emotions, and there are dimensions to tell",
    )
    assert not result.failed
    assert {run.initialisation for run in result.runs} == {"fixed", "random", "none"}
    assert {run.recipe for run in result.runs if run.judged} == {"custom", "native"}
    assert {run.speech for run in result.runs} == {"clean", "quieter"}


def test_what_was_told_is_on_the_corpus_scale(result):
    full = next(run for run in result.runs if run.set == "full")
    told, truth = np.array(full.numbers), np.array(result.truth)
    assert 1 <= truth.min() < truth.max() <= 5
    assert abs(told.mean() - truth.mean()) < 1.5
    assert result.emotions.count(-1) == 2  # nobody agreed on these


def test_results_survive_the_disk(result, tmp_path):
    result.save(tmp_path)
    assert DimensionalResult.load(tmp_path) == result
    header = (tmp_path / "predictions.csv").read_text().splitlines()[0]
    assert header.endswith(
        "emotion,predicted,valence,valence_predicted,activation,"
        "activation_predicted,dominance,dominance_predicted"
    )
    (tmp_path / "predictions.csv").write_text("utterance\n")
    with pytest.raises(FoldError, match=r"predictions\.csv: damaged.*--resume"):
        DimensionalResult.load(tmp_path)


def test_results_that_do_not_fit_together_are_refused(result):
    with pytest.raises(FoldError, match="not 3 numbers for each of"):
        replace(result, runs=(replace(result.runs[0], numbers=()),))
    with pytest.raises(FoldError, match="the truth is not of 3 dimensions"):
        replace(result, truth=tuple(row[:2] for row in result.truth))
    with pytest.raises(FoldError, match="two runs are"):
        replace(result, runs=result.runs[:1] * 2)


def test_scores_from_sums_over_speakers_are_those_of_all_utterances(result):
    scope = Scope.of(1, [result], np.random.default_rng(0))
    truth = np.array(result.truth)
    for row in scope.rows()[:4]:
        own = [
            run
            for run in result.runs
            if run.condition == tuple(getattr(row, name) for name in run.condition._fields)
        ]
        for place, one in enumerate(row.dimensions):
            for metric, found in ((ccc, one.ccc), (pearson, one.pearson), (mae, one.mae)):
                each = [metric(truth, np.array(run.numbers))[place] for run in own]
                assert math.isclose(found.mean, sum(each) / len(each), abs_tol=1e-9)
        assert math.isclose(
            row.mean.ccc.mean, sum(one.ccc.mean for one in row.dimensions) / 3, abs_tol=1e-9
        )


def test_a_resample_of_the_speakers_is_a_test_on_these_speakers(result):
    scope = Scope.of(1, [result], np.random.default_rng(0))
    condition, sample = next(iter(scope.samples.items()))
    names = sorted(set(result.speakers))
    drawn = sample.weights[5]
    rows = [
        row
        for name, times in zip(names, drawn, strict=True)
        for row in [i for i, speaker in enumerate(result.speakers) if speaker == name] * times
    ]
    own = [run for run in result.runs if run.condition == condition]
    each = [ccc(np.array(result.truth)[rows], np.array(run.numbers)[rows]).mean() for run in own]
    assert math.isclose(sample.ccc[5], sum(each) / len(each), abs_tol=1e-9)


def test_the_report_has_ratios_differences_and_the_emotions_beside(result, tmp_path):
    made = report([result])
    full = [row for row in made.rows if row.set == "full" and row.speech == "clean"]
    assert all(row.relative_ccc.mean == pytest.approx(1.0) for row in full)
    assert {row.uar is None for row in made.rows} == {False}
    compared = {(one.set, one.against) for one in made.comparisons}
    assert {("distilled", "full"), ("distilled", "random")} <= compared
    made.save(tmp_path)
    assert DimensionalReport.load(tmp_path / "report.json") == made
    text = (tmp_path / "report.md").read_text()
    for words in ("Pearson", "MAE", "from 1 to 5", "## Test speech: quieter", "UAR"):
        assert words in text
    main = next(line for line in text.splitlines() if line.startswith("| distilled | 2 | random |"))
    assert main.endswith("B | - |")  # nobody noted how long the set took
    assert max(map(len, made.table().splitlines())) <= 110
    (tmp_path / "report.json").write_text(json.dumps({"rows": []}))
    with pytest.raises(ReportError, match="not a report this version can read"):
        DimensionalReport.load(tmp_path / "report.json")


def test_folds_are_pooled_unless_each_is_a_test_of_its_own(result):
    again = replace(result, fold=2, listed="test2")
    first = replace(result, listed="test1")
    assert {row.fold for row in report([first, again]).rows} == {"all", 1, 2}
    apart = report([first, again], pooled=False)
    assert {row.fold for row in apart.rows} == {1, 2}
    assert {one.fold for one in apart.comparisons} == {1, 2}
    assert "fold 1 (test1), 3 test speakers" in apart.table()
    assert "fold 2 (test2), 3 test speakers" in apart.table()
    with pytest.raises(ReportError, match="one result per fold"):
        report([first, first])
    other = replace(result.task, scale=(1.0, 7.0))
    with pytest.raises(ReportError, match="of different runs"):
        report([first, replace(again, task=other)])


def test_the_page_shows_what_was_told_over_what_is_true(result):
    train, _, _ = sides("both")
    shown = exhibit(NamedSet("distilled", a_set(train)), train)
    page = html(report([result]), [result], [shown])
    assert page == html(report([result]), [result], [shown])
    assert "2 items per cell keep" in page
    cell = "valence- activation+ dominance+"
    assert f"<h4>{cell}</h4>" in page
    assert f"{cell} 1 (valence " in page
    for words in ("Told and true", "Each dimension", "Robustness", "Differences of mean CCC"):
        assert words in page
    assert 'alt="What was told over what is true. full, valence: CCC' in page


def test_settings_are_chosen_by_concordance_on_validation():
    _, validation, _ = sides("both")
    score = chosen_by(validation)
    perfect = validation.targets.nan_to_num(0.0)
    assert score(tuple(map(tuple, perfect.tolist()))) == pytest.approx(1.0)
    shrunk = tuple(map(tuple, (0.1 * perfect).tolist()))
    assert 0 < score(shrunk) < 0.5


def test_a_set_and_random_subsets_have_the_same_cells():
    train, _, _ = sides()
    found = judged(sets=a_set(train, per_class=1))
    (items,) = {run.utterances for run in found.runs if run.set == "random"}
    assert items == len(found.task.cells) < 8


def test_students_of_dimensions_learn():
    train, validation, test = sides("both", size=40)
    recipe = Recipe(schedules=(Schedule(60, 1e-2),), batch=16, warm_up=5)
    found = judged(
        "both",
        a_set(train),
        sides=(train, validation, test),
        recipe=recipe,
        baselines=(),
        seeds=1,
        students=("tdnn",),
    )
    rows = Scope.of(1, [found], np.random.default_rng(0)).rows()
    full = next(row for row in rows if row.set == "full" and row.initialisation == "random")
    assert full.mean.ccc.mean > 0.8
    assert full.uar is not None
    assert full.uar.mean > 0.9


@pytest.mark.parametrize("items", [1, 2])
def test_sets_of_an_item_or_two_train(items):
    train, _, _ = sides()
    few = Examples(train.features[:items], train.targets[:items], task=train.task)
    recipe = Recipe(schedules=(Schedule(80, 1e-2),), warm_up=5)
    weights = draw_weights(skeleton("tdnn", train.spec.mels, 3), generator(0, "a"))
    fitted = recipe.fit("tdnn", weights, few, recipe.settings[0], generator(0, "b"))
    assert (fitted.predict(few.features) - few.targets).abs().max() < 0.2


def test_targets_take_a_byte_for_the_class_and_one_for_each_number():
    task = Task(("anger", "calm"), ("valence",))
    targets = torch.tensor([[0.0, 1.0, 0.503], [torch.nan, torch.nan, -1.0]])
    read, size = packed(task, targets)
    assert size == 4
    assert read[0].tolist() == pytest.approx([0.0, 1.0, 64 / 127])
    assert read[1, :2].isnan().all()
    assert read[1, 2] == -1.0
    whole, size = packed(Task(("anger", "calm")), targets[:1, :2])
    assert (whole.tolist(), size) == ([[0.0, 1.0]], 1)


def test_a_native_batch_is_forecast_by_cells():
    train, _, _ = sides()
    made = a_set(train, schedule=NativeSchedule(torch.full((3,), 0.05), 0.9, 1))
    native = Native.of(made)
    assert native is not None
    assert native.batch == len(made.task.cells)


def test_on_another_corpus_numbers_are_on_its_scale():
    here = sides()
    there = [replace(side, task=replace(side.task, scale=(0.0, 100.0))) for side in here]
    how = {"sets": a_set(here[0]), "baselines": (), "seeds": 1}
    found, own = judged(sides=there, **how), judged(sides=here, **how)
    assert (found.task.scale, own.task.scale) == ((0.0, 100.0), (1.0, 5.0))
    for one, other in zip(found.runs, own.runs, strict=True):
        told = (np.array(one.numbers) / 50 - 1, (np.array(other.numbers) - 3) / 2)
        assert told[0] == pytest.approx(told[1], abs=1e-4)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"teachers": ("ensemble",)}, "model distillation by teachers are for sets of emotions"),
        ({"attacks": ("speaker",)}, "attacks are for sets of emotions"),
        ({"robust_scores": True}, "DD-Ranking's scores are for sets of emotions"),
        ({"start_noise": (0.3,)}, "starts near the fixed weights are for sets of emotions"),
    ],
)
def test_options_for_emotions_alone_are_refused(option, message):
    with pytest.raises(UserError, match=message):
        judged(**option)


def test_sets_that_do_not_fit_the_speech_or_each_other_are_refused():
    train, validation, test = sides()
    felt, emotions = a_set(train), a_set_of_emotions()
    with pytest.raises(SetError, match="distilled tells emotions alone"):
        evaluate_dimensional(emotions, train, validation, test)
    with pytest.raises(SetError, match="distilled tells valence, activation, dominance"):
        evaluate(felt, train, validation, test)
    without = replace(
        train, task=Task(("anger", "neutral", "sadness")), targets=torch.eye(3)[[0] * len(train)]
    )
    weighed = train.weighed([2.0, 1.0, 1.0])
    with pytest.raises(SetError, match=r"weighed 2:1:1\): use real\.weighed\(\(\)\)"):
        evaluate_dimensional(felt, weighed, validation, test)
    assert weighed.weighed(()).task == train.task
    with pytest.raises(SetError, match=r"was read to tell anger.*load the corpus for the set's"):
        evaluate_dimensional(felt, without, validation, test)
    fewer = replace(a_set(train, per_class=1), provenance=provenance(per_class=1))
    assert fewer.task.cells != felt.task.cells
    sets = [NamedSet("one", felt), NamedSet("other", fewer)]
    with pytest.raises(SetError, match="different cells of the label space"):
        evaluate_dimensional(sets, train, validation, test, options=Options())


def test_what_is_not_known_of_test_speech_is_neither_scored_nor_drawn(tmp_path):
    """And training speech of which a dimension is not known teaches students what else is."""

    def lacking(real: RealSet) -> RealSet:
        targets = real.targets.clone()
        targets[::3, -1] = torch.nan
        targets[1, -3:] = torch.nan
        return replace(real, targets=targets)

    train, validation, test = (lacking(side) for side in sides("both"))
    found = judged(
        "both",
        a_set(train),
        sides=(train, validation, test),
        baselines=("full", "full-balanced", "random", "class-means", "random-soft", "int8"),
        students=("tdnn", "linear"),
        seeds=1,
    )
    assert not found.failed
    assert {run.set for run in found.runs} >= {"full", "full-balanced", "random", "class-means"}
    found.save(tmp_path)
    assert DimensionalResult.load(tmp_path) == found
    truth = np.array(found.truth, dtype=float)
    assert np.isnan(truth).sum() == 3 + sum(row != 1 for row in range(0, len(test), 3))
    for row in report([found]).rows:
        (run,) = (
            run
            for run in found.runs
            if run.draw == 0
            and run.condition == tuple(getattr(row, name) for name in run.condition._fields)
        )
        told = np.array(run.numbers)
        if row.runs > 1:  # draws of random subsets
            continue
        for place, one in enumerate(row.dimensions):
            known = ~np.isnan(truth[:, place])
            of_known = truth[known, place, None], told[known, place, None]
            assert math.isclose(one.ccc.mean, ccc(*of_known)[0], abs_tol=1e-9)
            assert math.isclose(one.mae.mean, mae(*of_known)[0], abs_tol=1e-9)
    shown = exhibit(NamedSet("distilled", a_set(train)), train)
    assert "Told and true" in html(report([found]), [found], [shown])


@pytest.mark.parametrize("gone", [1, 2])
def test_speakers_without_a_value_say_nothing_of_numbers(result, gone):
    """Intervals are as if they were not there; of the emotions they are tested as all are."""
    unrated = set(sorted(set(result.speakers))[:gone])
    truth = tuple(
        (None, None, None) if speaker in unrated else row
        for speaker, row in zip(result.speakers, result.truth, strict=True)
    )
    whole = Scope.of(1, [result], np.random.default_rng(0))
    found = Scope.of(1, [replace(result, truth=truth)], np.random.default_rng(0))
    assert found.speakers == whole.speakers - gone
    kept = [row for row, speaker in enumerate(result.speakers) if speaker not in unrated]
    alone = replace(
        result,
        utterances=tuple(result.utterances[row] for row in kept),
        speakers=tuple(result.speakers[row] for row in kept),
        genders=tuple(result.genders[row] for row in kept),
        emotions=tuple(result.emotions[row] for row in kept),
        truth=tuple(result.truth[row] for row in kept),
        runs=tuple(
            replace(
                run,
                numbers=tuple(run.numbers[row] for row in kept),
                predicted=tuple(run.predicted[row] for row in kept),
            )
            for run in result.runs
        ),
    )
    without = Scope.of(1, [alone], np.random.default_rng(0))
    for one, other, all_speakers in zip(found.rows(), without.rows(), whole.rows(), strict=True):
        assert one.mean.ccc.mean == pytest.approx(other.mean.ccc.mean)
        if one.mean.ccc.interval is not None and other.mean.ccc.interval is not None:
            assert one.mean.ccc.interval == pytest.approx(other.mean.ccc.interval, abs=0.05)
        assert one.uar == all_speakers.uar
