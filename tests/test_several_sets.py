"""Several sets in one evaluation, every baseline, and students that are no networks."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, fake_speech
from small_evaluation import QUICK, TRAIN, a_set, judged, of, start, untimed
from small_sets import provenance

from evaluation import bench
from evaluation.baselines import BASELINES
from evaluation.baselines.random_subset import DRAWS
from evaluation.named_sets import NamedSet, students_for
from evaluation.options import DP_SGD, EVERY_BASELINE, FIXED, NONE, RANDOM, UNTRAINED
from evaluation.runs import DISTILLED, FULL, FoldResult
from evaluation.students.network import Schedule
from synth_data.codecs import Codec, Packed
from synth_data.errors import SetError
from synth_data.frame_kinds import Means
from synth_data.number_kinds import Int8
from synth_data.real import RealSet
from synth_data.task import Task
from synth_data.transforms import Standardise

STILL = replace(QUICK, schedules=(Schedule(1, 1e-12),))


def noisy(real: RealSet = TRAIN) -> RealSet:
    """Other features under the same labels."""
    draws = torch.Generator().manual_seed(3)
    return replace(real, features=torch.randn(real.features.shape, generator=draws))


@pytest.fixture(scope="module")
def two_sizes() -> FoldResult:
    sets = [NamedSet(DISTILLED, a_set(per_class=ipc)) for ipc in (1, 2)]
    return judged(sets, baselines=(FULL, "full-balanced", "random", "class-means"))


def test_one_name_at_two_sizes(two_sizes):
    assert {(run.ipc, run.utterances) for run in of(two_sizes, DISTILLED)} == {(1, 3), (2, 6)}
    assert len(of(two_sizes, DISTILLED)) == 2 * 2 * 2


def test_each_size_has_its_baselines_and_full_data_stand_once(two_sizes):
    for ipc in (1, 2):
        random = [run for run in of(two_sizes, "random", RANDOM) if run.ipc == ipc]
        assert [run.draw for run in random] == list(range(DRAWS))
        assert {run.utterances for run in random} == {3 * ipc}
        assert sum(run.ipc == ipc for run in of(two_sizes, "class-means")) == 2
    for name in (FULL, "full-balanced"):
        assert [run.ipc for run in of(two_sizes, name, RANDOM)] == [None, None]
    assert len(of(two_sizes, UNTRAINED)) == 1


def test_a_set_scores_the_same_beside_another(two_sizes):
    alone = judged(a_set(per_class=1), baselines=(FULL,))
    together = [run for run in untimed(two_sizes) if run.set == DISTILLED and run.ipc == 1]
    assert together == [run for run in untimed(alone) if run.set == DISTILLED]


def test_two_names_at_one_size_share_their_baselines():
    sets = [NamedSet("ours", a_set(), 5.0), NamedSet("theirs", a_set(noisy()), 6.0)]
    result = judged(sets, seeds=1)
    made = {(run.set, run.making_seconds) for run in result.runs if run.judged}
    assert made == {("ours", 5.0), ("theirs", 6.0)}
    assert len(of(result, "random", FIXED)) == DRAWS
    assert of(result, "ours", RANDOM)[0].predicted != of(result, "theirs", RANDOM)[0].predicted


def test_a_set_of_other_bytes_at_one_size_is_told_that_baselines_are_not_of_its_bytes():
    codec = Codec(Int8(), Means())
    small = Packed(codec, codec.encode(a_set().features))
    sets = [
        NamedSet("small", a_set(features=small.features(SPEC.frames), packed=small)),
        NamedSet("whole", a_set()),
    ]
    result = judged(sets, seeds=1, baselines=(FULL, "random", "float16", "int8"))
    (told,) = [text for text in result.unavailable if "in the" in text]
    bytes_of = {one.name: f"{one.synthetic.bytes:,}" for one in sets}
    assert told.startswith(f"float16, int8 in the {bytes_of['whole']} bytes of whole: those of ipc")
    assert f"have the {bytes_of['small']} of small; judge whole in a report of its own" in told


def test_sets_of_several_networks_are_each_trained_on_by_all_of_them():
    sets = [
        NamedSet("first", a_set()),
        NamedSet("second", a_set(start=start("convnet"))),
    ]
    result = judged(sets, seeds=1)
    found = {(run.set, run.student, run.initialisation) for run in result.runs if run.judged}
    networks = ("tdnn", "convnet")
    assert found == {
        ("first", "tdnn", FIXED),
        ("second", "convnet", FIXED),
        *((name, network, RANDOM) for name in ("first", "second") for network in networks),
    }
    assert {run.set: run.made_for for run in result.runs if run.judged} == {
        "first": "tdnn",
        "second": "convnet",
    }
    # What sets are compared with starts from the fixed weights of each network.
    for name in (FULL, "random"):
        assert {run.student for run in of(result, name, FIXED)} == set(networks)
    assert [run.student for run in of(result, UNTRAINED)] == list(networks)


def test_the_fixed_weights_of_each_set_are_its_own():
    """With steps that move nothing, predictions are those of the weights."""
    sets = [NamedSet("first", a_set()), NamedSet("second", a_set(start=start(seed=8)))]
    result = judged(sets, recipe=STILL, seeds=1)
    (first,), (second,) = of(result, "first", FIXED), of(result, "second", FIXED)
    assert first.predicted != second.predicted
    alone = judged(sets[1:], recipe=STILL, seeds=1, baselines=(FULL,))
    assert second.predicted == of(alone, UNTRAINED)[0].predicted
    # What they are compared with has those of the first.
    for name in (UNTRAINED, FULL, "random"):
        assert {run.predicted for run in of(result, name, FIXED)} == {first.predicted}
    (told,) = result.unavailable
    assert told.startswith("full, random, untrained, model from the fixed weights of second: those")


def test_a_set_that_was_made_for_no_network_is_judged_by_the_usual_student():
    result = judged(a_set(start=None), seeds=1)
    assert {(run.student, run.initialisation) for run in result.runs} == {("tdnn", RANDOM)}
    assert {run.made_for for run in result.runs} == {None}
    beside = [
        NamedSet("foreign", a_set(start=None)),
        NamedSet("own", a_set(start=start("convnet"))),
    ]
    assert students_for(beside) == ("convnet",)
    pooled = fake_speech(spec=replace(SPEC, frames=1))
    assert students_for([NamedSet("pooled", a_set(pooled, start=None))]) == ("mlp",)


def test_students_that_are_no_networks():
    result = judged(a_set(), students=("linear", "svm"))
    for student, settings in (("linear", {"C = 0.1", "C = 1"}), ("svm", {"C = 1"})):
        runs = [run for run in result.runs if run.student == student]
        assert {run.initialisation for run in runs} == {NONE}
        assert {run.set for run in runs} == {DISTILLED, FULL, "random"}
        assert {run.setting for run in runs} <= settings
        assert {run.steps for run in runs} == {0}
        assert min(run.parameters for run in runs) > 0
        # A solver has no seeds; they are there so that draws and seeds line up with networks'.
        assert len({run.predicted for run in runs if run.set == FULL}) == 1


def test_every_baseline_in_one_go():
    sets = [NamedSet(DISTILLED, a_set(per_class=ipc)) for ipc in (1, 2)]
    every = tuple(name for name in EVERY_BASELINE if name != DP_SGD)  # which needs a guarantee
    result = judged(sets, students=("tdnn", "linear"), baselines=every, seeds=1)
    assert result.unavailable == ("model: linear has no weights to be shipped",)
    assert result.failed == ()
    names = {run.set for run in result.runs}
    assert names == {DISTILLED, UNTRAINED, *every}
    for name in every:
        students = {run.student for run in of(result, name)}
        assert students == ({"tdnn"} if name == "model" else {"tdnn", "linear"}), name
    for name in BASELINES:
        sizes = {None} if name.startswith("full") else {1, 2}
        assert {run.ipc for run in of(result, name)} == sizes, name
    # Only plain real data are started from the fixed weights too.
    fixed = {run.set for run in result.runs if run.initialisation == FIXED}
    assert fixed == {DISTILLED, FULL, "random", "model", UNTRAINED}


def test_a_network_that_only_looks_at_the_data_is_trained_once_and_not_in_the_report(monkeypatch):
    monkeypatch.setitem(bench.RECIPES, "tdnn", QUICK)
    sets = [NamedSet(DISTILLED, a_set(per_class=ipc)) for ipc in (1, 2)]
    trained = []
    run = bench.Runner.run

    def counted(self, work):
        trained.extend(job.student for job in work)
        return run(self, work)

    monkeypatch.setattr(bench.Runner, "run", counted)
    baselines = (FULL, "k-means", "herding", "random-soft", "model")
    result = judged(sets, students=("linear",), baselines=baselines, seeds=1)
    assert trained.count("tdnn") == 1
    assert {run.student for run in result.runs} == {"linear"}
    assert {run.set for run in result.runs} == {DISTILLED, *baselines} - {"model"}
    assert min(run.making_seconds for run in of(result, "herding")) > 0


def test_baselines_that_look_through_a_student_say_when_there_is_none():
    broken = replace(QUICK, schedules=(Schedule(6, 1e30),))
    result = judged(
        a_set(), recipe=broken, baselines=("k-means", "class-means"), students=("tdnn", "linear")
    )
    assert "k-means: no tdnn could be trained on the full data" in result.unavailable
    assert {run.set for run in result.runs if run.student == "linear"} == {
        DISTILLED,
        FULL,
        "class-means",
    }


def test_sets_with_other_transforms_are_judged_in_separate_reports():
    def scaled(by: float) -> Standardise:
        return Standardise(torch.zeros(16), torch.full((16,), by))

    plain, one, other = (a_set(transforms=t) for t in ((), (scaled(1.0),), (scaled(2.0),)))
    for first, second in ((plain, one), (one, other)):
        with pytest.raises(SetError, match="transform real speech in different ways"):
            judged([NamedSet("a", first), NamedSet("b", second)])
    same = judged(
        [NamedSet("a", one), NamedSet("b", a_set(transforms=(scaled(1.0),)))],
        seeds=1,
        baselines=(FULL,),
    )
    assert of(same, "a")[0].predicted == of(same, "b")[0].predicted


def test_every_set_must_fit_the_speech():
    other = a_set(task=Task(("calm", "neutral", "sadness")), provenance=provenance())
    with pytest.raises(SetError, match="has the emotions calm"):
        judged([NamedSet("a", a_set()), NamedSet("b", other)])
