"""What every objective in the table must do with every network; new ones are taken from there."""

from contextlib import AbstractContextManager
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any
from unittest import mock

import pytest
import torch
from fake_speech import SPEC, TASK, fake_speech
from felt_speech import felt_speech
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from distill.objectives import OBJECTIVES
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Candidate, Objective, State, Student
from distill.outer_loop import Loop
from distill.private import account_of, plan_of
from evaluation.augment import Augment
from evaluation.networks import NETWORKS, couples, draw_weights, skeleton
from synth_data import gaussian
from synth_data.account import Account
from synth_data.curator import CLASS_SHARES, Curator
from synth_data.errors import UserError
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget, Release
from synth_data.real import RealSet

# Less work than the defaults, where an objective has such settings.
SMALL: dict[str, dict[str, Any]] = {
    name: {"starts": 2, "checkpoints": 2, "stride": 2}
    for name in (
        *("gradient-matching", "linear-gradient-matching", "distribution-matching"),
        "kernel",
    )
} | {
    "unrolled": {"steps": 3, "fixed": 0.5, "window": 2},
    "trajectory-matching": {
        "experts": 2,
        "epochs": 2,
        "stride": 2,
        "last": 1,
        "matched": 1,
        "steps": 2,
    },
}
PER_CLASS = 2
NOISY = Loop(2, initialisation="noise")

each_objective = pytest.mark.parametrize("name", OBJECTIVES)
# Those that a set can be made for.
each_network = pytest.mark.parametrize(
    "network", [name for name in NETWORKS if not couples(skeleton(name, SPEC.mels, 3))]
)


def small(name: str) -> Objective:
    return OBJECTIVES[name](**SMALL.get(name, {}))


def student(network: str) -> Student:
    module = skeleton(network, SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def candidate(objective: Objective) -> Candidate:
    features = torch.randn(3 * PER_CLASS, *SPEC.shape, generator=torch.Generator().manual_seed(1))
    return Candidate(
        features.requires_grad_(),
        torch.eye(3).repeat_interleave(PER_CLASS, dim=0),
        PER_CLASS,
        {key: value.requires_grad_() for key, value in objective.learned().items()},
    )


def two_steps(objective: Objective, state: State, seed: int = 0) -> list[Tensor]:
    draws, ours = torch.Generator().manual_seed(seed), candidate(objective)
    curator, model = Curator(fake_speech()), student("tdnn")
    losses = []
    for _ in range(2):
        loss, state = objective.step(state, ours, curator, model, draws)
        losses.append(loss.detach())
    return losses


@each_objective
@each_network
def test_the_loss_is_finite_and_its_gradient_reaches_every_item(name, network):
    objective, curator, model = small(name), Curator(fake_speech()), student(network)
    state = objective.init(curator, model, 0)
    ours = candidate(objective)
    loss, _ = objective.step(state, ours, curator, model, torch.Generator().manual_seed(0))
    assert loss.shape == ()
    assert loss.isfinite()
    (slope,) = torch.autograd.grad(loss, ours.features)
    assert slope.isfinite().all()
    assert slope.flatten(1).any(dim=1).all()


class Waits(TorchDispatchMode):
    """Counts numbers that are read out of tensors: for each a GPU would have to be waited for."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("name", "inner"), [*((name, None) for name in OBJECTIVES), ("trajectory-matching", "tesla")]
)
def test_no_inner_step_waits_for_a_number(name, inner):
    """An outer step reads where it is, at most, however many steps its students take."""
    found = []
    for more in (0, 3) if "steps" in SMALL.get(name, {}) else (0,):
        settings = dict(SMALL.get(name, {}))
        if more:
            settings["steps"] += more
        if inner is not None:
            settings["inner"] = inner
        objective, curator, model = (
            OBJECTIVES[name](**settings),
            Curator(fake_speech()),
            student("tdnn"),
        )
        state, ours = objective.init(curator, model, 0), candidate(objective)
        with Waits() as waits:
            loss, _ = objective.step(state, ours, curator, model, torch.Generator().manual_seed(0))
            loss.backward()
        found.append(waits.count)
    assert len(set(found)) == 1
    assert found[0] <= 3


@each_objective
@pytest.mark.parametrize("task", ["dimensional", "both"])
def test_where_dimensions_are_told_the_gradient_reaches_every_item_and_target(name, task):
    """Items of cells of the label space, with targets that can be learned where labels can."""
    objective, real = small(name), felt_speech((8, 8, 8), task=task, unknown=(0, 5))
    curator = Curator(real).narrowed()
    module = skeleton("tdnn", SPEC.mels, len(real.task.columns))
    start = draw_weights(module, torch.Generator().manual_seed(0))
    model = Student(module, start, curator.task)
    state = objective.init(curator, model, 0)
    assert not any(tensor.requires_grad for tensor in state.values())
    draws, told = torch.Generator().manual_seed(1), curator.mean_targets()
    items = torch.randn(len(told) * PER_CLASS, *SPEC.shape, generator=draws)
    targets = told.repeat_interleave(PER_CLASS, dim=0)
    learned = {key: value.requires_grad_() for key, value in objective.learned().items()}
    ours = Candidate(items.requires_grad_(), targets.requires_grad_(), PER_CLASS, learned)
    total = torch.zeros(())
    for _ in range(4):  # with labels where networks were trained
        loss, state = objective.step(state, ours, curator, model, draws)
        total = total + loss
    assert total.isfinite()
    slopes = torch.autograd.grad(total, [items, targets], allow_unused=True)
    assert slopes[0].flatten(1).any(dim=1).all()
    if objective.learns_labels:
        assert slopes[1].any(dim=1).all()
    if objective.teaches:
        said = objective.hears(state, items.detach(), SPEC, model)
        assert said.shape == targets.shape
        assert said.isfinite().all()


@each_objective
def test_the_state_is_tensors_by_name_without_a_graph(name):
    state = small(name).init(Curator(fake_speech()), student("tdnn"), 0)
    for key, tensor in state.items():
        assert isinstance(key, str)
        assert isinstance(tensor, Tensor)
        assert not tensor.requires_grad
        assert tensor.isfinite().all()


@each_objective
def test_a_step_leaves_its_state_as_it_was(name):
    objective = small(name)
    state = objective.init(Curator(fake_speech()), student("tdnn"), 0)
    before = {key: tensor.clone() for key, tensor in state.items()}
    two_steps(objective, state)
    assert all(torch.equal(state[key], tensor) for key, tensor in before.items())
    assert not any(tensor.requires_grad for tensor in state.values())


@each_objective
def test_equal_seeds_give_equal_bits_and_others_do_not(name):
    objective = small(name)
    first, same, other = (
        objective.init(Curator(fake_speech()), student("tdnn"), seed) for seed in (0, 0, 1)
    )
    assert first.keys() == same.keys() == other.keys()
    assert all(torch.equal(first[key], same[key]) for key in first)
    # What a seed decides is what is asked before the first step, or what each step draws.
    assert not all(torch.equal(first[key], other[key]) for key in first) or (
        two_steps(objective, first, seed=0) != two_steps(objective, first, seed=1)
    )
    assert torch.equal(*(torch.stack(two_steps(objective, state)) for state in (first, same)))


@each_objective
def test_the_global_stream_decides_nothing(name):
    objective, states = small(name), []
    for seed in (0, 1):
        torch.manual_seed(seed)
        states.append(objective.init(Curator(fake_speech()), student("tdnn"), 0))
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    torch.manual_seed(0)
    first = two_steps(objective, states[0])
    torch.manual_seed(1)
    assert two_steps(objective, states[0]) == first


@each_objective
def test_the_start_is_left_alone(name):
    model = student("tdnn")
    before = {key: weight.clone() for key, weight in model.start.items()}
    objective, curator = small(name), Curator(fake_speech())
    state = objective.init(curator, model, 0)
    objective.step(state, candidate(objective), curator, model, torch.Generator().manual_seed(0))
    assert all(torch.equal(model.start[key], weight) for key, weight in before.items())


@each_objective
def test_what_is_asked_of_real_speech_is_listed(name):
    curator = Curator(fake_speech())
    small(name).init(curator, student("tdnn"), 0)
    assert curator.questions.total() > 0
    assert "real utterances, as they are" not in curator.questions


@each_objective
def test_it_costs_something(name):
    cost = OBJECTIVES[name]().cost(PER_CLASS, 100)
    assert cost.real_passes + cost.step_real_passes > 0
    assert cost.step_passes >= 1


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "released-moments"])
def test_a_large_corpus_costs_no_more_than_one_of_ten_thousand(name):
    """Released moments hear everybody, twice in all."""
    objective = OBJECTIVES[name]()
    assert objective.cost(PER_CLASS, 10_000) == objective.cost(PER_CLASS, 1_000_000)


@each_objective
def test_the_table_has_each_under_its_own_name_and_settings_are_frozen(name):
    objective = small(name)
    assert objective.name == name
    for setting in fields(objective):
        with pytest.raises(FrozenInstanceError):
            setattr(objective, setting.name, None)


# Those whose questions have a public length.
BOUNDED: dict[str, dict[str, Any]] = {"distribution-matching": {"statistic": "characteristic"}}


@pytest.mark.slow
@each_objective
@pytest.mark.parametrize("unit", ["speaker", "utterance"])
def test_what_is_asked_under_a_budget_is_what_was_planned(name, unit):
    objective = OBJECTIVES[name](**SMALL.get(name, {}), **BOUNDED.get(name, {}))
    account = account_of(PrivacyBudget(8.0, 1e-4, unit), objective, Loop(2, initialisation="noise"))
    curator, model = Curator(fake_speech(), Gaussian(account)), student("tdnn")
    state, draws = objective.init(curator, model, 0), torch.Generator().manual_seed(0)
    for _ in range(2):
        loss, state = objective.step(state, candidate(objective), curator, model, draws)
        assert loss.isfinite()
    assert sorted(account.ledger.releases, key=str) == sorted(account.plan, key=str)
    assert account.ledger.epsilon <= 8.0001
    numbers = {CLASS_SHARES: 3, **objective.numbers(model, SPEC, 3)}
    assert {one.purpose for one in account.plan} <= set(numbers)
    curator.require_paid()


@pytest.mark.parametrize("statistic", ["mean", "moments"])
def test_questions_without_a_public_length_are_refused_under_a_budget(statistic):
    objective = OBJECTIVES["distribution-matching"](statistic=statistic)
    with pytest.raises(UserError, match=f"{statistic} has no public bound.*set statistic to char"):
        objective.releases(1)


@each_objective
def test_one_speaker_more_moves_what_is_asked_by_the_clip_norm_at_most(name):
    """All that an objective releases, with the statistics that it really asks for."""
    objective = OBJECTIVES[name](**SMALL.get(name, {}), **BOUNDED.get(name, {}))
    plan = [replace(one, sampling_probability=1.0) for one in plan_of(objective, NOISY)]

    def heard(real: RealSet, told: list[Tensor]) -> tuple[list[Tensor], list[float]]:
        released, lengths = [], []

        class Listening(Account):
            def answer(self, question, ask):  # noqa: ARG002
                place = len(released)
                released.append(ask(0.0))
                noisy = ask(1.0)
                lengths.append(float((noisy - released[-1]).max()))
                return told[place] if told else released[-1]  # so that both go the same way

        ones = lambda size: torch.ones(size, dtype=torch.float64)  # noqa: E731
        curator = Curator(real, Gaussian(Listening(PrivacyBudget(1e6, 1e-4), plan), ones))
        state, draws = objective.init(curator, student("tdnn"), 0), torch.Generator().manual_seed(0)
        objective.step(state, candidate(objective), curator, student("tdnn"), draws)
        return released, lengths

    real = fake_speech((6, 6, 6))
    with monkeypatched_tosses():
        whole, lengths = heard(real, [])
        gone = real.select([r for r in range(len(real)) if real.speakers[r] != "speaker-1"])
        less, _ = heard(gone, whole)
    assert len(whole) == len(less) > 0
    for one, other, length in zip(whole, less, lengths, strict=True):
        assert (one - other).norm() <= length * (1 + 1e-6)


def monkeypatched_tosses() -> AbstractContextManager[object]:
    """Everybody is taken, since only a fixed sample can be compared."""
    return mock.patch.object(gaussian, "system_tosses", lambda size, _: torch.ones(size).bool())


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name != "released-moments"])
def test_augmentation_is_refused_under_a_budget(name):
    settings = BOUNDED.get(name, {}) | {"augment": Augment(noise=0.3)}
    with pytest.raises(UserError, match="one unit more or less changes what is seen of all others"):
        OBJECTIVES[name](**settings).releases(1)


def test_augmentation_is_refused_where_all_is_asked_at_once():
    once = DistributionMatching(statistic="characteristic", one_release=True, checkpoints=1)
    assert once.releases(1) == [Release(once.asked, 1.0)]
    with pytest.raises(UserError, match="leave augment out"):
        replace(once, augment=Augment(noise=0.3)).releases(1)
