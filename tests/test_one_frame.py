"""Features with one frame: what every part of the tables does with them, or says that it cannot."""

from dataclasses import replace

import pytest
import torch
from fake_speech import fake_speech
from small_evaluation import session
from test_objectives import SMALL

from distill.disentangle import DISENTANGLERS
from distill.disentangle.leace import Leace
from distill.engine import distill
from distill.initialisations import INITIALISATIONS
from distill.objectives import OBJECTIVES
from distill.outer_loop import Loop
from evaluation.evaluate import evaluate
from evaluation.named_sets import NamedSet
from evaluation.options import Options
from evaluation.page.exhibit import Exhibit
from evaluation.page.gallery import gallery
from evaluation.students import RECIPES, Recipe, Schedule
from synth_data.corpora.toy import TOY
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.frame_kinds import FRAMES
from synth_data.representations.egemaps import Egemaps
from synth_data.representations.text import TextEncoder
from synth_data.synthetic import SyntheticSet

SPEC = Egemaps()
QUICK = Recipe(schedules=(Schedule(steps=60, learning_rate=3e-3),))
# What asks for features that go along time, and how it says so.
ALONG_TIME = {
    "released-moments": "a map of modulations needs features that go along time",
    "spectrum": "the initialisation 'spectrum' needs features that go along time",
    "adversarial": "adversarial needs .* 8 frames or more; found .* 1",
}


def made(objective: str = "distribution-matching", **changes: object) -> SyntheticSet:
    settings = {"ipc": 2, "seed": 0, "loop": Loop(steps=4, learning_rate=0.1), **changes}
    door = Curator(fake_speech((8, 8, 8), spec=SPEC))
    return distill(door, OBJECTIVES[objective](**SMALL.get(objective, {})), "mlp", **settings)


def made_or_refused(name: str, **changes: object) -> None:
    if name in ALONG_TIME:
        with pytest.raises(UserError, match=ALONG_TIME[name]):
            made(**changes)
        return
    synthetic = made(**changes)
    assert synthetic.features.shape == (6, 88, 1)
    assert [transform.name for transform in synthetic.transforms][:1] == ["standardise"]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective(name):
    made_or_refused(name, objective=name)


@pytest.mark.parametrize("name", [n for n, way in INITIALISATIONS.items() if not way.public])
def test_every_initialisation(name):
    made_or_refused(name, loop=Loop(steps=2, initialisation=name))


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_every_disentangler(name):
    made_or_refused(name, disentangler=DISENTANGLERS[name]())


def test_leace_brings_speakers_together():
    real = fake_speech((8, 8, 8), spec=SPEC)
    of_speaker = torch.tensor([float(name[-1]) for name in real.speakers])[:, None, None]
    real = replace(real, features=real.features + of_speaker * torch.randn(1, 88, 1))
    after = Leace().fit(Curator(real))(real.features)
    rows = {s: [i for i, one in enumerate(real.speakers) if one == s] for s in set(real.speakers)}

    def apart(features):
        means = torch.stack([features[at].mean(dim=0) for at in rows.values()])
        return (means - means.mean(dim=0)).norm()

    assert apart(after) < 1e-3 * apart(real.features)


@pytest.mark.parametrize("name", FRAMES)
def test_every_way_to_store_frames(name):
    kind = FRAMES[name]() if name == "every" else FRAMES[name](shorter=4)
    features = torch.randn(3, 88, 1)
    stored = kind.shorten(features)
    assert kind.lengthen(stored, 1).shape == features.shape


def test_a_student_for_frames_is_refused():
    door = Curator(fake_speech(spec=SPEC))
    with pytest.raises(UserError, match=r"'tdnn' cannot hear features of 88 x 1 .*\(.*mlp.*\)"):
        distill(door, OBJECTIVES["distribution-matching"](), "tdnn", ipc=1, seed=0)


def test_a_set_is_worth_something_and_every_rival_is_told_of():
    train, validation, test = (fake_speech((5, 5, 5), seed=seed, spec=SPEC) for seed in range(3))
    synthetic = made()
    result = evaluate(
        [NamedSet("distilled", synthetic, 1.0)],
        train,
        validation,
        test,
        options=Options(
            students=("mlp", "linear", "tdnn"),
            baselines=("random", "random-soft", "compressed-int8", "class-means", "noise"),
            seeds=1,
            recipes={**RECIPES, "mlp": QUICK},
        ),
    )
    heard = {(run.set, run.student) for run in result.runs}
    assert {("distilled", "mlp"), ("distilled", "linear"), ("compressed-int8", "mlp")} <= heard
    assert not any(student == "tdnn" for _, student in heard)
    assert "tdnn cannot hear features of 88 x 1: it needs more frames" in " ".join(result.failed)


def test_there_are_no_pictures_of_what_is_no_log_mel():
    (room,) = gallery([Exhibit("made", made(), [None] * 3)])
    assert (room.scale, room.shelves) == (None, ())
    assert room.remarks[0].startswith("There are no pictures and no sound: the features are no log")


def test_noise_is_not_heard_in_transcripts():
    words = TextEncoder("bert", "0" * 64, 88, (0.5, 0.5), 18)
    heard = {
        spec: session(
            NamedSet("made", replace(made(), spec=spec), 1.0), TOY, speech=("noise-10dB",)
        ).heard
        for spec in (SPEC, words)
    }
    assert heard == {SPEC: ("noise-10dB",), words: ()}
