"""From speech of which dimensions are told to a set, through every part of the engine."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import SPEC
from felt_speech import felt_speech
from pushing import interrupt
from torch import Tensor

from distill.candidate import Parameterisation
from distill.disentangle import DISENTANGLERS
from distill.engine import distill
from distill.expert import Expert
from distill.initialisations import INITIALISATIONS
from distill.judge import Judge
from distill.native import Native
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.embedding_moments import moments_of
from distill.objectives.kernel import Kernel, on_sphere, ridge_head
from distill.objectives.objective import Objective, Student
from distill.objectives.released_moments import SHARE_LEAST, TOLD, ReleasedMoments
from distill.objectives.unrolled import Unrolled
from distill.outer_loop import Loop
from distill.private import account_of
from distill.requirements import require_told
from evaluation.concordance import ccc
from evaluation.networks import draw_weights, skeleton
from evaluation.students import Examples, NativeRecipe, Recipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

CHEAP = DistributionMatching(starts=1, checkpoints=2, stride=2, classification=0.5)
WAY = "CCC of validation speakers after so many steps"


def speech(task: Any = "dimensional", seed: int = 0) -> RealSet:
    return felt_speech((20, 20, 20), task=task, unknown=(2, 7), seed=seed)


def made(
    objective: Objective = CHEAP, task: str = "dimensional", labels: Any = "hard", **changes: Any
) -> SyntheticSet:
    settings: dict[str, Any] = {
        "ipc": 2,
        "loop": Loop(steps=6, learning_rate=0.1),
        "parameterisation": Parameterisation(labels=labels, label_learning_rate=0.1),
        "expert": Expert(steps=30),
    } | changes
    return distill(Curator(speech(task)), objective, "tdnn", seed=0, **settings)


@pytest.mark.parametrize("task", ["dimensional", "both"])
@pytest.mark.parametrize("labels", ["hard", "soft", "taught", "refined"])
def test_a_set_has_items_for_every_cell_with_speech_and_valid_targets(task, labels, tmp_path):
    synthetic = made(task=task, labels=labels)
    task_of_set = Curator(speech(task)).narrowed().task
    assert synthetic.task == task_of_set
    assert len(synthetic) == 2 * len(task_of_set.groups)
    start = made(task=task, loop=Loop(steps=0)).targets
    assert torch.equal(synthetic.targets, start) == (labels == "hard")
    synthetic.save(tmp_path / "set")  # which checks the targets
    assert torch.equal(SyntheticSet.load(tmp_path / "set").targets, synthetic.targets)


@pytest.mark.parametrize("name", INITIALISATIONS)
def test_items_start_with_targets_of_their_own_cell(name):
    curator = Curator(speech("both")).narrowed()
    module = skeleton("tdnn", SPEC.mels, 6)
    model = Student(module, draw_weights(module, torch.Generator().manual_seed(0)), curator.task)
    items, targets, _ = INITIALISATIONS[name].begin(curator, model, 3, torch.Generator())
    groups = torch.arange(len(curator.task.groups)).repeat_interleave(3)
    assert len(items) == len(groups)
    assert torch.equal(curator.task.group_of(targets), groups)
    assert torch.allclose(curator.task.shares(targets).sum(dim=1), torch.ones(len(groups)))


def test_real_items_have_their_own_targets():
    real, synthetic = speech(), made(ipc=1, loop=Loop(steps=0))
    for features, target in zip(synthetic.features, synthetic.targets, strict=True):
        row = (real.features - features).abs().flatten(1).sum(dim=1).argmin()
        assert torch.equal(real.features[row], features)
        assert torch.equal(real.targets[row], target)


def test_validation_speakers_say_ccc_and_it_is_never_worse_than_the_start():
    settings = {"validation": speech(seed=3), "recipe": Recipe.single(40)}
    ruined = made(**settings, loop=Loop(steps=3, learning_rate=100.0, checks=1))
    way = ruined.provenance.settings[WAY]
    assert isinstance(way, dict)
    assert way["0"] > way["3"]
    assert not any("UAR" in key for key in ruined.provenance.settings)
    assert torch.equal(ruined.features, made(loop=Loop(steps=0)).features)


@pytest.mark.parametrize("task", ["dimensional", "both"])
def test_a_native_schedule_leads_towards_an_expert(task):
    synthetic = made(
        task=task, labels="taught", native=Native(steps=2, rounds=30), expert=Expert(steps=100)
    )
    assert synthetic.schedule is not None
    assert synthetic.start is not None
    recipe = NativeRecipe.of(synthetic.schedule)
    examples = Examples(synthetic.features, synthetic.targets, task=synthetic.task)
    other, told = speech(task, seed=3), synthetic.task

    def worth(weights: Any) -> float:
        draws = torch.Generator()
        fitted = recipe.fit("tdnn", weights, examples, recipe.settings[0], draws)
        said = fitted.predict(other.features)
        truth, heard = (told.numbers(each).double().numpy() for each in (other.targets, said))
        return float(ccc(truth, heard).mean())

    assert worth(synthetic.start.weights) > 0.3


@pytest.mark.parametrize("objective", [CHEAP, Unrolled(steps=2), ReleasedMoments()])
def test_an_interrupted_run_ends_with_the_same_bits(objective, tmp_path, monkeypatch):
    labels = "taught" if objective.teaches else "soft"
    whole, path = made(objective, labels=labels), tmp_path / "progress.safetensors"
    monkeypatch.setattr("distill.outer_loop.SAVE_EVERY", 0.0)
    with monkeypatch.context() as patch:
        interrupt(patch, objective, after=3)
        with pytest.raises(KeyboardInterrupt):
            made(objective, labels=labels, checkpoint=path)
    resumed = made(objective, labels=labels, checkpoint=path)
    assert torch.equal(resumed.features, whole.features)
    assert torch.equal(resumed.targets, whole.targets)
    assert resumed.provenance == whole.provenance


def test_a_ridge_regression_is_tested_by_its_ccc_on_all_real_speech():
    """Against the head's own predictions of every utterance."""
    real = speech()
    curator = Curator(real).narrowed()
    module = skeleton("tdnn", SPEC.mels, 3)
    model = Student(module, draw_weights(module, torch.Generator().manual_seed(0)), curator.task)
    alone = Kernel(starts=1, checkpoints=1, means=0.0, classification=0.0)
    moments = moments_of(alone.init(curator, model, 0), 0, model.task)

    def inputs(features: Tensor) -> Tensor:
        return moments.inputs(on_sphere(model, model.start, features)[0])

    head = ridge_head(inputs(real.features[:12]), moments.labels(real.targets[:12]), 0.01)
    said = inputs(real.features) @ head + real.targets.double().mean(dim=0)
    found = ccc(real.targets.double().numpy(), said.detach().numpy())
    assert float(moments.error(head)) == pytest.approx(1 - found.mean(), abs=1e-4)
    assert float(moments.error(torch.zeros_like(head))) == 1.0
    weighed = replace(curator.task, weights=(1.0,) + (0.0,) * (len(found) - 1))
    moments = moments_of(alone.init(curator, model, 0), 0, weighed)
    assert float(moments.error(head)) == pytest.approx(1 - found[0], abs=1e-4)


def test_a_decoder_and_nested_sizes_know_cells():
    synthetic = made(
        ipc=8, nested=(6,), parameterisation=Parameterisation(decoder="generator", width=4, code=4)
    )
    assert synthetic.packed is not None
    groups = len(synthetic.task.groups)
    assert len(synthetic) % groups == 0
    small = synthetic.prefix(synthetic.nested[0])
    assert len(small) == groups * synthetic.nested[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"private": True}, "kernel asks .* no public length.*task dimensional.*released-moments"),
        ({"public": True}, "dimensions have no such names.*leave --public-dataset out"),
        ({"disentangler": "adversarial"}, "dimensions would be lost.*use --disentangle leace"),
    ],
)
def test_what_cannot_be_made_says_why(settings, message):
    name = settings.get("disentangler")
    given = {"private": False, "public": False} | settings
    given.pop("disentangler", None)
    chosen = DISENTANGLERS[name]() if name else None
    with pytest.raises(UserError, match=f"(?s){message}"):
        require_told("dimensional", chosen, Kernel(), **given)
    require_told("categorical", chosen, Kernel(), **given)
    require_told("both", DISENTANGLERS["leace"](), Kernel(), private=False, public=False)
    require_told("both", None, ReleasedMoments(), private=True, public=False)


def private_door(real: RealSet, epsilon: float, unit: Any, loop: Loop) -> Curator:
    budget = PrivacyBudget(epsilon, 1e-4, unit)
    return Curator(real, Gaussian(account_of(budget, ReleasedMoments(), loop)))


@pytest.mark.parametrize(
    ("task", "begin", "releases"),
    [("dimensional", "noise", 2), ("both", "noise", 2), ("dimensional", "class-means", 3)],
)
def test_a_private_set_is_made_of_what_was_planned(task, begin, releases):
    loop = Loop(20, learning_rate=0.1, initialisation=begin)
    door = private_door(speech(task), 8.0, "speaker", loop)
    settings: dict[str, Any] = {"ipc": 2, "seed": 0, "loop": loop}
    taught = Parameterisation(labels="taught")
    made = distill(door, ReleasedMoments(), "tdnn", parameterisation=taught, **settings)
    assert made.guarantee is not None
    assert made.guarantee.epsilon <= 8.0001
    assert len(made.guarantee.releases) == releases
    assert len(made) == 2 * 2 ** len(made.task.dimensions)  # which cells have speech is nobody's
    assert made.targets.isfinite().all()
    assert made.task.numbers(made.targets).abs().max() <= 1
    with pytest.raises(UserError, match="what kernel asks of speech with dimensions"):
        distill(door, Kernel(), "tdnn", **settings)


def test_what_a_private_door_tells_of_cells_is_what_they_are_like():
    """With hardly any noise; a cell without speech is made of one with much."""
    loop = Loop(1, initialisation="noise")
    real = speech()
    exact, noisy = Curator(real).narrowed(), private_door(real, 1e6, "utterance", loop)
    told = {}
    for door in (exact, noisy):
        module = skeleton("tdnn", SPEC.mels, len(real.task.columns))
        model = Student(module, dict(module.named_parameters()), door.task)
        state = ReleasedMoments().init(door, model, 0)
        told[door] = dict(zip(door.task.groups, state[TOLD], strict=True))
    means = dict(zip(exact.task.groups, exact.mean_targets(), strict=True))
    for cell, numbers in told[exact].items():
        assert torch.allclose(numbers, means[cell], atol=1e-4)
    rare = SHARE_LEAST / len(noisy.task.groups)
    shares = dict(zip(noisy.task.groups, Curator(real).class_shares(), strict=True))
    believed = [cell for cell, share in shares.items() if share >= 1.2 * rare]
    empty = [cell for cell, share in shares.items() if share < 0.8 * rare]
    assert believed
    assert empty
    for cell in believed:
        assert torch.allclose(told[noisy][cell], means[cell], atol=0.1)
    for cell in empty:
        assert any(torch.equal(told[noisy][cell], told[noisy][one]) for one in believed)


def test_a_student_that_cannot_be_trained_is_worth_less_than_one_that_is_wrong():
    synthetic, told = made(ipc=1, loop=Loop(steps=0)), speech(seed=3)
    assert synthetic.start is not None
    judge = Judge(
        validation=replace(told, task=synthetic.task),
        start=synthetic.start,
        objective=CHEAP,
        parameterisation=Parameterisation(),
        per_class=1,
        recipe=Recipe.single(5),
        seed=0,
    )
    wrong = judge({"items": synthetic.features}, -synthetic.targets)
    lost = judge({"items": torch.full_like(synthetic.features, torch.nan)}, synthetic.targets)
    assert lost == -1.0 < wrong
