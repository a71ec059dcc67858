"""The runner: settings chosen on validation, nothing trained twice, and no failure that spreads."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_speech import EMOTIONS
from small_evaluation import QUICK, TEST, TRAIN, VALIDATION, WEIGHTS, a_set, judged, of, untimed

from evaluation import runner as runner_module
from evaluation.baselines import Competitor
from evaluation.choosing import ByUAR
from evaluation.jobs import Heard, Job, Outcome, carry_out
from evaluation.named_sets import NamedSet
from evaluation.outcomes import Outcomes
from evaluation.runner import Done, Runner
from evaluation.runs import CLEAN, FULL
from evaluation.students import Examples, Recipe, Setting
from evaluation.students.network import Schedule

HEARD = Heard(VALIDATION.features, {CLEAN: TEST.features})
TRUTH = VALIDATION.targets.argmax(dim=1).tolist()
FIRST, SECOND, THIRD = (Schedule(2, rate) for rate in (1e-4, 1e-3, 1e-2))
CHOICES = Recipe(schedules=(FIRST, SECOND, THIRD))
Work = Callable[[Job, Setting, Heard], Outcome]


def competitor(name: str = FULL) -> Competitor:
    return Competitor(name, Examples(TRAIN.features, TRAIN.targets), None, "real items")


def job(seed: int = 0, *, name: str = FULL, recipe: Recipe = CHOICES) -> Job:
    return Job(competitor(name), "tdnn", "random", WEIGHTS, recipe, "custom", seed, 0)


def runner(outcomes: Outcomes | None = None) -> Runner:
    return Runner(HEARD, ByUAR(tuple(TRUTH), len(EMOTIONS)), outcomes=outcomes)


def scripted(right: dict[tuple[int, float], int], *, error: float = 0.0) -> Work:
    """Students that recognise so many validation utterances, by seed and learning rate.

    Args:
        right: how many; other students recognise none.
        error: with this learning rate training fails.
    """

    def work(job: Job, setting: Setting, heard: Heard) -> Outcome:
        if setting.strength == error:
            return Outcome((), {}, 0, 0.0, error="training diverged")
        count = right.get((job.seed, setting.strength), 0)
        said = tuple(t if i < count else (t + 1) % 3 for i, t in enumerate(TRUTH))
        return Outcome(said, {CLEAN: (0,) * len(heard.test[CLEAN])}, 1, 0.0)

    return work


def chosen(work: list[Job], monkeypatch: pytest.MonkeyPatch, does: Work) -> list[float]:
    monkeypatch.setattr(runner_module, "carry_out", does)
    return [done.setting.strength for done in runner().run(work)]


def test_the_first_student_chooses_for_all(monkeypatch):
    """Whatever the others would have liked."""
    does = scripted({(0, 1e-3): 9, (0, 1e-4): 5, (1, 1e-2): 12, (2, 1e-4): 12})
    assert chosen([job(0), job(1), job(2)], monkeypatch, does) == [1e-3, 1e-3, 1e-3]


def test_each_unit_chooses_for_itself(monkeypatch):
    others = {
        "competitor": replace(job(1), competitor=competitor("random")),
        "ipc": replace(job(1), competitor=replace(competitor(), ipc=3)),
        "student": replace(job(1), student="convnet"),
        "initialisation": replace(job(1), initialisation="fixed"),
        "recipe": replace(job(1), recipe_name="augmented"),
    }
    does = scripted({(0, 1e-3): 9, (1, 1e-2): 9})
    for name, other in others.items():
        assert chosen([job(0), other], monkeypatch, does) == [1e-3, 1e-2], name


def test_of_equal_settings_the_first_is_taken(monkeypatch):
    does = scripted({(0, 1e-3): 7, (0, 1e-2): 7})
    assert chosen([job(0)], monkeypatch, does) == [1e-3]
    assert chosen([job(0)], monkeypatch, scripted({})) == [1e-4]


def test_it_is_the_recall_of_rare_emotions_too_that_chooses(monkeypatch):
    """Of four utterances three are of one emotion; the other one alone is worth as much."""
    truth = [0, 0, 0, 1]
    heard = Heard(VALIDATION.features[:4], {CLEAN: TEST.features})
    said = {1e-4: (0, 0, 2, 2), 1e-3: (2, 2, 2, 1), 1e-2: (0, 0, 0, 2)}

    def does(job: Job, setting: Setting, heard: Heard) -> Outcome:  # noqa: ARG001
        return Outcome(said[setting.strength], {CLEAN: (0,) * len(TEST)}, 1, 0.0)

    monkeypatch.setattr(runner_module, "carry_out", does)
    (done,) = Runner(heard, ByUAR(tuple(truth), 3)).run([job()])
    assert done.setting.strength == 1e-3  # 1/2, as much as the last; accuracy says 1/4 and 3/4


def test_a_setting_that_fails_is_not_chosen(monkeypatch):
    assert chosen([job(0), job(1)], monkeypatch, scripted({}, error=1e-4)) == [1e-3, 1e-3]


def test_the_others_are_trained_once_and_all_come_back_in_order(monkeypatch):
    asked = []

    def does(job: Job, setting: Setting, heard: Heard) -> Outcome:
        asked.append((job.competitor.name, job.seed, setting.strength))
        return scripted({(0, 1e-3): 9})(job, setting, heard)

    monkeypatch.setattr(runner_module, "carry_out", does)
    work = [job(0, name="a"), job(0, name="b"), job(1, name="a"), job(1, name="b")]
    found = runner().run(work)
    assert [done.job for done in found] == work
    trials = [(name, 0, rate) for name in "ab" for rate in (1e-4, 1e-3, 1e-2)]
    assert sorted(asked[:6]) == sorted(trials)
    assert asked[6:] == [("a", 1, 1e-3), ("b", 1, 1e-3)]


def test_nothing_to_do_is_done():
    assert runner().run([]) == []


def test_one_failure_costs_the_others_nothing():
    """Weights that are no numbers: every student that starts from them diverges."""
    broken = {name: weight * float("nan") for name, weight in WEIGHTS.items()}
    work = [job(0, recipe=QUICK), replace(job(1, recipe=QUICK), weights=broken)]
    healthy, ill = runner().run(work)
    assert healthy.outcome.error == ""
    assert len(healthy.outcome.test[CLEAN]) == len(TEST)
    assert ill.outcome.error == "training diverged (6 steps, learning rate 0.01)"
    assert ill.outcome.test == {}


def test_a_failure_is_named_and_the_evaluation_goes_on(monkeypatch):
    def does(job: Job, setting: Setting, heard: Heard) -> Outcome:
        if job.competitor.judged and job.seed == 1:
            job = replace(job, weights={})
        return carry_out(job, setting, heard)

    monkeypatch.setattr(runner_module, "carry_out", does)
    result = judged([NamedSet("mine", a_set())], students=("convnet",))
    (failure,) = result.failed
    assert failure.startswith("mine, ipc 2, convnet, random initialisation, custom recipe, seed 1:")
    assert "\n" not in failure
    assert [run.seed for run in of(result, "mine")] == [0]
    assert [run.seed for run in of(result, FULL)] == [0, 1]


def test_any_exception_of_a_student_is_its_own():
    done = carry_out(replace(job(recipe=QUICK), weights={}), QUICK.settings[0], HEARD)
    assert done.error.startswith(("KeyError: ", "RuntimeError: "))


def test_weights_are_kept_where_they_are_asked_for():
    plain, kept = runner().run([job(0, recipe=QUICK), replace(job(1, recipe=QUICK), keep=True)])
    assert plain.outcome.weights is None
    assert kept.outcome.weights is not None
    assert kept.outcome.weights.keys() == WEIGHTS.keys()


def test_an_interruption_passes(monkeypatch):
    def interrupted(*_: object) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(Recipe, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        judged(a_set(), seeds=1)


def test_an_interrupted_evaluation_goes_on_where_it_was(tmp_path, monkeypatch):
    """It trains what is missing, and ends as if nothing had happened."""
    trained, stop_after = [], 5

    def does(job: Job, setting: Setting, heard: Heard) -> Outcome:
        if len(trained) == stop_after:
            raise KeyboardInterrupt
        trained.append(str(job))
        return carry_out(job, setting, heard)

    plain = judged(a_set())
    monkeypatch.setattr(runner_module, "carry_out", does)
    outcomes = Outcomes(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        judged(a_set(), outcomes=outcomes)
    first, stop_after = list(trained), 10_000
    result = judged(a_set(), outcomes=outcomes)
    assert untimed(result) == untimed(plain)
    assert len(first) == 5
    assert len(trained) == len(set(trained)) == 18  # each once, over both
    judged(a_set(), outcomes=outcomes)
    assert len(trained) == 18


def test_full_data_students_are_met_again_by_another_set(tmp_path, monkeypatch):
    trained = []

    def does(job: Job, setting: Setting, heard: Heard) -> Outcome:
        trained.append(job.competitor.name)
        return carry_out(job, setting, heard)

    monkeypatch.setattr(runner_module, "carry_out", does)
    judged(a_set(per_class=2), outcomes=Outcomes(tmp_path), baselines=(FULL,))
    judged(a_set(per_class=3), outcomes=Outcomes(tmp_path), baselines=(FULL,))
    assert trained.count(FULL) == 4
    assert trained.count("distilled") == 8


def test_what_was_found_is_counted(tmp_path: Path):
    outcomes = Outcomes(tmp_path)
    work = [job(0, recipe=QUICK), job(1, recipe=QUICK)]
    first, second = runner(outcomes), runner(outcomes)

    def said(done: list[Done]) -> list[Outcome]:
        return [one.outcome for one in done]

    assert said(first.run(work)) == said(second.run(work))
    assert (first.found, second.found) == (0, 2)
