"""The outer loop: the same bits every time, interrupted or not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from fake_speech import EMOTIONS, SPEC, TASK, fake_speech
from pushing import interrupt
from safetensors import safe_open
from torch import Tensor

from distill import outer_loop
from distill.candidate import Parameterisation
from distill.engine import distill
from distill.objectives import OBJECTIVES
from distill.objectives.gradient_matching import GradientMatching
from distill.objectives.objective import Candidate, Cost, Objective, State, Student
from distill.outer_loop import Loop
from evaluation.augment import Augment
from evaluation.baselines.herding import herd
from evaluation.networks import draw_weights, skeleton
from evaluation.students import embeddings_of
from synth_data.curator import CLASS_SHARES, Curator
from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.ledger import Release
from synth_data.normalisation import normalised
from synth_data.randomness import generator
from synth_data.synthetic import SyntheticSet


@dataclass(frozen=True)
class ToTheMeans(Objective):
    """Pulls items to their class means, which shake. It has a state, and asks at every step."""

    name: ClassVar[str] = "to-the-means"

    shake: float = 0.1

    def init(self, curator: Curator, student: Student, seed: int) -> State:  # noqa: ARG002
        return {"means": curator.mean(lambda x, _: x, purpose="targets"), "age": torch.tensor(0.0)}

    def step(
        self,
        state: State,
        candidate: Candidate,
        curator: Curator,
        student: Student,  # noqa: ARG002
        generator: torch.Generator,
    ) -> tuple[Tensor, State]:
        curator.class_shares()
        means = state["means"].repeat_interleave(candidate.per_class, dim=0)
        shaken = means + self.shake * torch.randn(means.shape, generator=generator)
        loss = (candidate.features - shaken).square().mean() / (1 + state["age"])
        return loss, {**state, "age": state["age"] + 1}

    def numbers(self, student: Student, spec: FeatureSpec, emotions: int) -> dict[str, int]:  # noqa: ARG002
        return {"targets": emotions * spec.mels * spec.frames}

    def releases(self, steps: int) -> list[Release]:
        return [Release("targets", 1.0), Release(CLASS_SHARES, 1.0, count=steps)]

    def learned(self) -> dict[str, Tensor]:
        return {}

    def schedule(self, learned: Mapping[str, Tensor], per_class: int) -> None:  # noqa: ARG002
        return None

    def cost(self, per_class: int, utterances: int) -> Cost:  # noqa: ARG002
        return Cost(real_passes=1, step_passes=1, checkpoints=0)


MATCHING = GradientMatching(starts=2, checkpoints=2, stride=2, augment=Augment(bands=2, frames=0.1))
each = pytest.mark.parametrize("objective", [ToTheMeans(), MATCHING], ids=lambda o: o.name)


def made(objective: Objective = ToTheMeans(), **changes: Any) -> SyntheticSet:
    """A set of two items per class, after ten steps; behind a new door, unless one is given."""
    settings: dict[str, Any] = {"ipc": 2, "seed": 0, "loop": Loop(steps=10, learning_rate=0.1)}
    settings |= changes
    curator = settings.pop("curator", None) or Curator(fake_speech())
    return distill(curator, objective, settings.pop("student", "tdnn"), **settings)


def same_bits(one: SyntheticSet, other: SyntheticSet) -> bool:
    assert one.start is not None
    assert other.start is not None
    return (
        torch.equal(one.features, other.features)
        and torch.equal(one.targets, other.targets)
        and one.start.digest == other.start.digest
        and one.provenance == other.provenance
    )


def steps_done(checkpoint: Path) -> int:
    with safe_open(checkpoint, framework="pt") as file:
        return int(file.get_tensor("step"))


@each
def test_equal_seeds_make_equal_sets_and_others_do_not(objective):
    first = made(objective)
    assert same_bits(first, made(objective))
    other = made(objective, seed=1)
    assert not torch.equal(first.features, other.features)
    assert first.start.digest != other.start.digest


@each
@pytest.mark.parametrize("save_every", [-1.0, 1e9])
def test_an_interrupted_run_ends_with_the_same_bits(objective, save_every, tmp_path, monkeypatch):
    whole = made(objective)
    path = tmp_path / "progress.safetensors"
    monkeypatch.setattr(outer_loop, "SAVE_EVERY", save_every)
    for after in (4, 3):
        with monkeypatch.context() as patch:
            interrupt(patch, objective, after)
            with pytest.raises(KeyboardInterrupt):
                made(objective, checkpoint=path)
        assert path.exists()
    assert steps_done(path) == (7 if save_every < 0 else 0)
    curator = Curator(fake_speech())
    resumed = made(objective, checkpoint=path, curator=curator)
    assert same_bits(whole, resumed)
    asked = resumed.provenance.settings["questions asked of the real speech"]
    assert asked == dict(curator.questions)
    assert steps_done(path) == 10


@pytest.mark.parametrize(
    ("name", "frames"),
    [*((name, "means") for name in OBJECTIVES), ("distribution-matching", "cosines")],
)
def test_every_objective_resumes_to_the_same_bits(name, frames, tmp_path, monkeypatch):
    """On a network whose sums depend on their order, with labels that some steps do not touch."""
    small = {"starts": 2, "checkpoints": 2, "stride": 2, "classification": 0.5, "steps": 3}
    known = {field.name for field in fields(OBJECTIVES[name])}
    objective = OBJECTIVES[name](**{k: v for k, v in small.items() if k in known})
    labels = "soft" if objective.learns_labels else "hard"
    stored = Parameterisation(labels=labels, slices=2, frames=frames)
    settings = {"student": "crnn", "loop": Loop(steps=9), "parameterisation": stored}
    whole = made(objective, **settings)
    path = tmp_path / "progress.safetensors"
    monkeypatch.setattr(outer_loop, "SAVE_EVERY", -1.0)
    with monkeypatch.context() as patch:
        interrupt(patch, objective, after=5)
        with pytest.raises(KeyboardInterrupt):
            made(objective, checkpoint=path, **settings)
    assert same_bits(whole, made(objective, checkpoint=path, **settings))


def test_a_finished_checkpoint_gives_the_set_again_without_a_step(tmp_path, monkeypatch):
    path = tmp_path / "progress.safetensors"
    whole = made(checkpoint=path)
    interrupt(monkeypatch, ToTheMeans(), after=0)
    assert same_bits(whole, made(checkpoint=path))


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"ipc": 3},
        {"loop": Loop(steps=11, learning_rate=0.1)},
        {"student": "convnet"},
        {"objective": ToTheMeans(shake=0.2)},
        {"objective": MATCHING},
        {"curator": Curator(fake_speech(seed=1))},
        {"curator": Curator(fake_speech(fold=2))},
        {"curator": Curator(fake_speech(protocol="another"))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_progress_of_another_run_is_refused(change, tmp_path):
    path = tmp_path / "progress.safetensors"
    made(checkpoint=path)
    with pytest.raises(UserError, match="saved by a run with other settings"):
        made(checkpoint=path, **change)


def test_a_damaged_checkpoint_starts_again(tmp_path, caplog):
    path = tmp_path / "progress.safetensors"
    whole = made(checkpoint=path)
    path.write_bytes(path.read_bytes()[:-8])
    assert same_bits(whole, made(checkpoint=path))
    assert "is damaged" in caplog.text


def test_steps_bring_the_candidate_nearer():
    curator = Curator(fake_speech())
    means = curator.mean(lambda x, _: x, purpose="test").repeat_interleave(2, dim=0)
    distances = [
        float((made(loop=Loop(steps=steps, learning_rate=0.1)).features - means).norm())
        for steps in (0, 10, 100)
    ]
    assert distances[0] > 1.2 * distances[1] > 1.5 * distances[2]


def test_gradients_match_better_after_more_steps():
    def mismatch(synthetic: SyntheticSet) -> float:
        network = skeleton("tdnn", SPEC.mels, 3)
        model = Student(network, synthetic.start.weights, TASK)
        curator = Curator(fake_speech())
        state = MATCHING.init(curator, model, 0)
        candidate = Candidate(synthetic.features.requires_grad_(), synthetic.targets, 2)
        draws = torch.Generator().manual_seed(0)
        steps = [MATCHING.step(state, candidate, curator, model, draws)[0] for _ in range(10)]
        return float(torch.stack(steps).detach().mean())

    before, after = (
        mismatch(made(MATCHING, loop=Loop(steps=steps, learning_rate=0.1))) for steps in (0, 40)
    )
    assert after < 0.95 * before


def test_initialised_from_real_utterances():
    real = fake_speech()
    synthetic = made(curator=Curator(real), loop=Loop(steps=0, initialisation="real"))
    for features, target in zip(synthetic.features, synthetic.targets, strict=True):
        same = [torch.equal(features, utterance) for utterance in real.features]
        assert sum(same) == 1
        assert torch.equal(real.targets[same.index(True)], target)
    [note] = synthetic.provenance.notes
    assert "started as one real utterance and is still that" in note
    assert "(mean correlation 1.00)" in note
    (moved,) = made(curator=Curator(real), loop=Loop(steps=5)).provenance.notes
    assert "started as one real utterance and stays close to it" in moved


@pytest.mark.parametrize("kind", ["noise", "class-means"])
def test_initialised_without_real_utterances(kind):
    curator = Curator(fake_speech((60, 50, 40)))
    loop = Loop(steps=0, initialisation=kind, noise=0.1)
    synthetic = made(curator=curator, ipc=20, loop=loop)
    means = Curator(fake_speech((60, 50, 40))).mean(lambda x, _: x, purpose="test")
    centre = means.repeat_interleave(20, dim=0) if kind == "class-means" else 0.0
    around = synthetic.features - centre
    assert float(around.std()) == pytest.approx(0.1, rel=0.05)
    assert "real utterances, as they are" not in curator.questions
    assert synthetic.provenance.notes == ()


@pytest.mark.parametrize("kind", ["k-means", "herding"])
def test_initialised_with_chosen_utterances(kind):
    """Chosen in the eyes of the fixed initialisation, class by class."""
    real = fake_speech((9, 8, 7))
    loop = Loop(steps=0, initialisation=kind)
    synthetic = made(curator=Curator(real), loop=loop)
    assert synthetic.start is not None
    network = skeleton("tdnn", SPEC.mels, 3)
    points = embeddings_of(network, synthetic.start.weights, real.features)
    for emotion in range(3):
        rows = torch.tensor(real.group_rows(emotion))
        ours = synthetic.features[2 * emotion : 2 * emotion + 2]
        chosen = [
            row
            for item in ours
            for row in range(len(rows))
            if torch.equal(real.features[rows[row]], item)
        ]
        assert len(set(chosen)) == 2
        if kind == "herding":
            assert chosen == herd(points[rows], 2)
    assert made(curator=Curator(real), loop=loop).provenance == synthetic.provenance


def test_more_items_than_utterances_take_some_again_with_noise(tmp_path, monkeypatch):
    real = replace(fake_speech((6, 4, 5)), notes=("one file was empty",))
    path = tmp_path / "progress.safetensors"
    many = {"ipc": 5, "loop": Loop(steps=5), "checkpoint": path}
    with monkeypatch.context() as patch:
        interrupt(patch, ToTheMeans(), after=2)
        with pytest.raises(KeyboardInterrupt):
            made(**many, curator=Curator(real))
    synthetic = made(**many, curator=Curator(real))  # resumed: the notes are not lost
    assert synthetic.per_class == dict.fromkeys(EMOTIONS, 5)
    first, second = synthetic.provenance.notes
    assert first == "one file was empty"
    assert "started as one real utterance" in second
    start = made(ipc=5, loop=Loop(steps=0), curator=Curator(real)).features
    there = [any(torch.equal(item, utterance) for utterance in real.features) for item in start]
    assert there == [True] * 9 + [False] + [True] * 5


def test_bytes_for_more_items_than_there_are_utterances_are_left():
    real = fake_speech((6, 4, 5))
    packed = Parameterisation(slices=4, numbers="int8")
    synthetic = made(ipc=1, loop=Loop(steps=0), curator=Curator(real), parameterisation=packed)
    assert synthetic.per_class == dict.fromkeys(EMOTIONS, 5)  # not 16


def test_a_rare_emotion_leaves_no_bytes_unused():
    """Its utterances are taken again, so that the others are not held to as many as it has."""
    curator = Curator(fake_speech((1, 18, 11)))
    packed = Parameterisation(slices=4, numbers="int8")
    synthetic = made(ipc=1, loop=Loop(steps=0), curator=curator, parameterisation=packed)
    assert synthetic.per_class == dict.fromkeys(EMOTIONS, 10)
    assert len(synthetic.features[:10].unique(dim=0)) == 10  # with noise


def test_the_set_says_how_it_was_made():
    loop = Loop(steps=10, learning_rate=0.1)
    curator = Curator(fake_speech())
    made_from = made(MATCHING, curator=curator, seed=3, loop=loop)
    told = made_from.provenance
    assert (told.corpus, told.corpus_digest) == ("toy", "0" * 64)
    assert (told.protocol, told.fold) == ("made-up", 1)
    assert (told.objective, told.seed) == ("gradient-matching", 3)
    assert (told.per_class, told.training_utterances) == (2, 15)
    assert told.settings["student"] == "tdnn"
    assert told.settings["loop"]["steps"] == 10
    assert told.settings["objective"]["checkpoints"] == 2
    assert told.settings["objective"]["augment"] == asdict(MATCHING.augment)
    assert told.settings["features"]["mels"] == SPEC.mels
    asked = told.settings["questions asked of the real speech"]
    assert asked["class gradients"] == 4
    assert asked == dict(curator.questions)


def test_a_set_from_all_speakers_names_no_fold():
    told = made(curator=Curator(fake_speech(protocol=None, fold=None))).provenance
    assert (told.protocol, told.fold) == ("all speakers", None)


def test_the_fixed_initialisation_is_drawn_from_the_seed_alone():
    expected = draw_weights(skeleton("tdnn", SPEC.mels, 3), generator(5, "start"))
    for objective in (ToTheMeans(), MATCHING):
        start = made(objective, seed=5).start
        assert (start.network, start.seed) == ("tdnn", 5)
        assert start.weights.keys() == expected.keys()
        assert all(torch.equal(start.weights[name], expected[name]) for name in expected)


def test_the_set_carries_the_transforms_of_its_door():
    spec = replace(SPEC, normalisation="training")
    door = normalised(Curator(fake_speech(spec=spec)))
    synthetic = made(curator=door)
    assert synthetic.transforms == door.transforms
    assert len(synthetic.transforms) == 1
    asked = synthetic.provenance.settings["questions asked of the real speech"]
    assert asked["normalisation"] == 1


def test_a_saved_set_is_the_set(tmp_path):
    synthetic = made()
    synthetic.save(tmp_path / "set")
    assert same_bits(SyntheticSet.load(tmp_path / "set"), synthetic)


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_no_time_is_no_limit(minutes):
    with pytest.raises(UserError, match=f"max_minutes must be a positive number; found {minutes}"):
        made(max_minutes=minutes)


def test_slices_of_nothing():
    with pytest.raises(UserError, match=f"{SPEC.frames + 1} slices of {SPEC.frames} frames leave"):
        made(parameterisation=Parameterisation(slices=SPEC.frames + 1))


@pytest.mark.parametrize("ipc", [0, -1])
def test_no_item_is_no_set(ipc):
    with pytest.raises(UserError, match=f"ipc must be 1 or more; found {ipc}"):
        made(ipc=ipc)


def test_an_unknown_student_is_refused():
    with pytest.raises(UserError, match="unknown student 'tdn': did you mean 'tdnn'"):
        made(student="tdn")
