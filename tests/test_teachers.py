"""Model distillation: teachers that have heard all real training utterances, and their pupils."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import EMOTIONS, SPEC, fake_speech
from small_evaluation import QUICK, TEST, TRAIN, VALIDATION, a_set, judged, of, untimed

from evaluation import teachers
from evaluation.baselines import Competitor, NotAvailable
from evaluation.choosing import ByUAR
from evaluation.jobs import Heard, Job
from evaluation.networks import draw_weights, skeleton
from evaluation.outcomes import Outcomes
from evaluation.runner import Runner
from evaluation.runs import CLEAN, DISTILLED, FULL, FoldResult
from evaluation.students import RECIPES, Examples, logits_of
from evaluation.students.network import Schedule
from evaluation.teachers import FACULTY, TEACHERS, School, Teacher
from synth_data.curator import Curator
from synth_data.normalisation import normalised
from synth_data.randomness import generator

SHORT = dict.fromkeys(RECIPES, QUICK) | {"linear": RECIPES["linear"]}
HEARD = Heard(VALIDATION.features, {CLEAN: TEST.features, "noise": TEST.features.flip(2)})
RICH = replace(SPEC, mels=24, frames=20)
RICHER = (
    fake_speech((6, 5, 4), spec=RICH),
    fake_speech((4, 4, 4), seed=1, spec=RICH),
    fake_speech((9, 7, 5), seed=2, spec=RICH, fold=3),
)
FULL_DATA = Competitor(FULL, Examples(TRAIN.features, TRAIN.targets), None, "real items")
LESSONS = {
    "ensemble": ("logits",),
    "architectures": ("logits",),
    "richer-features": ("logits", "features"),  # a single network has an embedding to teach
}
BROKEN = replace(QUICK, schedules=(Schedule(6, 1e30),))


def school(students: int = 3, **changes: Any) -> School:
    """A school of so many full-data students of the TDNN."""
    truth = VALIDATION.targets.argmax(dim=1).tolist()
    runner = Runner(HEARD, ByUAR(tuple(truth), len(EMOTIONS)))
    network = skeleton("tdnn", SPEC.mels, len(EMOTIONS))
    jobs = []
    for seed in range(students):
        weights = draw_weights(network, generator(0, "student", "tdnn", seed))
        jobs.append(Job(FULL_DATA, "tdnn", "random", weights, QUICK, "custom", seed, 0, keep=True))
    entries: dict[str, Any] = {
        "train": TRAIN,
        "heard": HEARD,
        "graduates": runner.run(jobs),
        "recipes": SHORT,
        "runner": runner,
        "seed": 0,
        "richer": RICHER,
    }
    return School(**{**entries, **changes})


@pytest.fixture(scope="module")
def tdnns() -> School:
    return school()


@pytest.fixture(scope="module")
def result() -> FoldResult:
    return judged(
        a_set(),
        students=("tdnn", "linear"),
        baselines=(FULL, "model"),
        teachers=tuple(TEACHERS),
        recipes=SHORT,
        richer=RICHER,
        also_heard={"noise": TEST},
        seeds=2,
    )


def parameters(*networks: str, mels: int = SPEC.mels) -> int:
    return sum(
        weight.numel()
        for name in networks
        for weight in skeleton(name, mels, len(EMOTIONS)).parameters()
    )


@pytest.mark.parametrize("name", TEACHERS)
def test_each_teacher_speaks_of_every_utterance(tdnns, name):
    teacher = TEACHERS[name](tdnns)
    assert teacher.logits.shape == (len(TRAIN), len(EMOTIONS))
    assert (teacher.embeddings is not None) == ("features" in LESSONS[name])
    if teacher.embeddings is not None:
        assert len(teacher.embeddings) == len(TRAIN)
        assert teacher.embeddings.isfinite().all()
    for said in (teacher.logits, *teacher.test.values()):
        assert torch.allclose(said.exp().sum(dim=1), torch.ones(len(said)), atol=1e-5)
    assert teacher.test[CLEAN].shape == (len(TEST), len(EMOTIONS))
    assert teacher.seconds > 0
    right = teacher.logits.argmax(dim=1) == TRAIN.targets.argmax(dim=1)
    assert float(right.float().mean()) > 0.6


def test_an_ensemble_says_the_mean_of_its_probabilities(tdnns):
    teacher = TEACHERS["ensemble"](tdnns)
    network = skeleton("tdnn", SPEC.mels, len(EMOTIONS))
    for features, said in (
        (TRAIN.features, teacher.logits),
        (HEARD.test[CLEAN], teacher.test[CLEAN]),
        (HEARD.test["noise"], teacher.test["noise"]),
    ):
        each = [
            logits_of(network, done.outcome.weights, features).softmax(dim=1)
            for done in tdnns.graduates
        ]
        assert torch.allclose(said.exp(), sum(each) / 3, atol=1e-5)
    assert teacher.embeddings is None
    assert teacher.parameters == 3 * parameters("tdnn")
    assert teacher.seconds == sum(done.outcome.seconds for done in tdnns.graduates)


def test_one_that_is_sure_outvotes_two_that_are_not(tdnns):
    """As the mean of probabilities does, and a vote would not."""
    network = skeleton("tdnn", SPEC.mels, len(EMOTIONS))
    plain = draw_weights(network, torch.Generator().manual_seed(0))
    silent = plain | {"head.weight": torch.zeros_like(plain["head.weight"])}

    def says(*bias: float) -> Any:
        done = tdnns.graduates[0]
        weights = silent | {"head.bias": torch.tensor(bias)}
        return replace(done, outcome=replace(done.outcome, weights=weights))

    members = [says(0.1, 0.0, 0.0), says(0.1, 0.0, 0.0), says(0.0, 9.0, 0.0)]
    teacher = TEACHERS["ensemble"](replace(tdnns, graduates=members))
    assert set(teacher.test[CLEAN].argmax(dim=1).tolist()) == {1}


def test_the_faculty_is_one_of_each_architecture(tdnns):
    teacher = TEACHERS["architectures"](tdnns)
    assert teacher.parameters == parameters(*FACULTY)
    assert set(teacher.test) == {CLEAN, "noise"}


def test_richer_features_are_heard_by_the_teacher_alone(tdnns):
    teacher = TEACHERS["richer-features"](tdnns)
    assert teacher.parameters == parameters("tdnn", mels=RICH.mels)
    width = skeleton("tdnn", RICH.mels, len(EMOTIONS)).head.in_features
    assert teacher.embeddings.shape[1] == width
    assert set(teacher.test) == {CLEAN}
    right = teacher.test[CLEAN].argmax(dim=1) == TEST.targets.argmax(dim=1)
    assert float(right.float().mean()) > 0.8  # its emotions are further apart


def test_richer_features_are_normalised_where_the_students_own_are(tdnns, monkeypatch):
    """By the training side's statistics: any loudness of the raw bands is the same to it."""
    heard: list[Heard] = []
    monkeypatch.setattr(teachers, "Heard", lambda *sides: heard.append(Heard(*sides)) or heard[-1])
    by_training = replace(RICH, normalisation="training")
    loud = tuple(
        replace(side, spec=by_training, features=9 * side.features + 50) for side in RICHER
    )
    TEACHERS["richer-features"](replace(tdnns, richer=loud))
    (sides,) = heard
    door = normalised(Curator(loud[0]))
    assert torch.equal(sides.validation, door.seen(loud[1]))
    assert sides.validation.abs().max() < 20


def test_without_the_recordings_there_are_no_richer_features(tdnns):
    with pytest.raises(NotAvailable, match="recordings are not at hand to compute richer"):
        TEACHERS["richer-features"](replace(tdnns, richer=None))


def test_members_that_failed_do_not_teach(tdnns):
    def fails(done: Any) -> Any:
        return replace(done, outcome=replace(done.outcome, error="diverged", weights=None))

    first, *others = tdnns.graduates
    two = TEACHERS["ensemble"](replace(tdnns, graduates=[fails(first), *others]))
    assert two.parameters == 2 * parameters("tdnn")
    with pytest.raises(NotAvailable, match="its networks could not be trained: diverged"):
        TEACHERS["ensemble"](replace(tdnns, graduates=[fails(done) for done in tdnns.graduates]))


def test_a_faculty_without_a_member_left_is_not_available(tdnns):
    hopeless = replace(tdnns, recipes=dict.fromkeys(RECIPES, BROKEN))
    for name in ("architectures", "richer-features"):
        with pytest.raises(NotAvailable, match="could not be trained: training diverged"):
            TEACHERS[name](hopeless)


def test_each_teacher_has_its_own_row_and_pupils(result):
    assert result.unavailable == (
        "model: linear has no weights to be shipped",
        *(
            f"teacher {name}: linear is no network, and only networks can be taught here"
            for name in TEACHERS
        ),
    )
    assert result.failed == ()
    taught = {run.set for run in result.runs if run.set.startswith("distilled-model")}
    assert taught == {f"distilled-model: {n}, {by}" for n, each in LESSONS.items() for by in each}
    for name in TEACHERS:
        heard = (CLEAN,) if name == "richer-features" else (CLEAN, "noise")
        teacher = of(result, f"teacher: {name}")
        assert [run.speech for run in teacher] == list(heard)
        assert {run.student for run in teacher} == {"tdnn"}
        for lesson in LESSONS[name]:
            pupils = of(result, f"distilled-model: {name}, {lesson}")
            assert [(run.seed, run.speech) for run in pupils] == [
                (seed, speech) for seed in (0, 1) for speech in (CLEAN, "noise")
            ]


def test_a_pupil_ships_its_weights_and_costs_its_teacher_too(result):
    (model,) = {run.bytes for run in of(result, "model", "random")}
    for name in TEACHERS:
        teacher = of(result, f"teacher: {name}")[0]
        assert (teacher.ships, teacher.bytes) == ("weights", 4 * teacher.parameters)
        for lesson in LESSONS[name]:
            for run in of(result, f"distilled-model: {name}, {lesson}"):
                assert (run.ships, run.bytes) == ("weights", model)
                assert run.parameters == parameters("tdnn")
                assert run.making_seconds > teacher.making_seconds
                assert run.student_seconds == 0.0
                assert not run.judged


def test_pupils_are_trained_on_all_real_data_from_the_weights_of_other_students(result):
    """So that nothing but the lesson differs from a full-data student."""
    pupils = of(result, "distilled-model: ensemble, logits")
    assert {(run.ipc, run.utterances) for run in pupils} == {(None, len(TRAIN))}
    assert {run.initialisation for run in pupils} == {"random"}
    assert {run.recipe for run in pupils} == {"custom"}
    clean = {run.predicted for run in pupils if run.speech == CLEAN}
    full = {run.predicted for run in of(result, FULL, "random") if run.speech == CLEAN}
    assert clean != full


def test_the_report_of_the_rest_is_the_same_without_teachers(result):
    plain = judged(
        a_set(),
        students=("tdnn", "linear"),
        baselines=(FULL, "model"),
        recipes=SHORT,
        also_heard={"noise": TEST},
        seeds=2,
    )
    names = {FULL, DISTILLED}
    assert [run for run in untimed(result) if run.set in names] == [
        run for run in untimed(plain) if run.set in names
    ]


def test_what_cannot_be_taught_is_said():
    result = judged(a_set(), teachers=("richer-features",), seeds=1, baselines=(FULL,))
    assert result.unavailable == (
        "teacher richer-features: the recordings are not at hand to compute richer features from, "
        "or the features are no log-mels, of which alone there are richer ones",
    )
    broken = judged(
        a_set(), teachers=("ensemble",), recipe=BROKEN, students=("tdnn", "linear"), seeds=1
    )
    assert "teacher ensemble: no tdnn could be trained on the full data" in broken.unavailable


def test_colleagues_whose_recipe_is_not_given_have_their_generic_one(monkeypatch):
    asked = []

    def teacher(of_school: School) -> Teacher:
        asked.append({name: of_school.recipes[name] for name in FACULTY})
        raise NotAvailable("asked enough")

    monkeypatch.setitem(TEACHERS, "architectures", teacher)
    judged(
        a_set(), teachers=("architectures",), recipes={"tdnn": QUICK}, seeds=1, baselines=(FULL,)
    )
    assert asked == [{name: RECIPES[name] for name in FACULTY} | {"tdnn": QUICK}]


def test_lessons_are_found_again(tmp_path):
    outcomes = Outcomes(tmp_path)
    options = {"teachers": ("ensemble", "richer-features"), "baselines": (FULL,), "seeds": 1}
    first, again = (
        judged(a_set(), richer=RICHER, outcomes=outcomes, recipes=SHORT, **options)
        for _ in range(2)
    )
    assert first == again  # seconds and all: everything was found
