"""Released moments: what is released is right, and items are seen where it says."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fake_speech import EMOTIONS, TASK, fake_speech
from torch import Tensor

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.expert import Expert
from distill.modulations import Modulations, coloured_noise
from distill.native import Native
from distill.objectives import released_moments
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Candidate, Student
from distill.objectives.released_moments import LEAST_VARIANCE, ReleasedMoments
from distill.outer_loop import Loop
from distill.private import account_of
from evaluation.networks import draw_weights, skeleton
from evaluation.students import Examples, Recipe
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.gaussian import Gaussian
from synth_data.ledger import PrivacyBudget
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

SPEC = FeatureSpec(mels=16, frames=32)
FAR = 100.0  # a reach that nobody is beyond


def speech(count: int = 240) -> RealSet:
    """Noise that swells, at a rate that each emotion has."""
    real = fake_speech((count // 3,) * 3, spec=SPEC)
    noise = coloured_noise(len(real), SPEC, generator(0, "speech"))
    time = torch.arange(SPEC.frames) * SPEC.hop
    rates = torch.tensor([4.0, 8.0, 16.0])[real.targets.argmax(dim=1)]
    begins = 6.28 * torch.rand(len(real), generator=generator(1, "speech"))
    said = torch.sin(6.28 * rates[:, None] * time + begins[:, None])
    return replace(real, features=noise + 2 * said[:, None, :])


def student() -> Student:
    network = skeleton("tdnn", SPEC.mels, 3)
    return Student(network, draw_weights(network, generator(0, "start")), TASK)


def test_the_map_is_0_for_noise_and_differs_where_speech_does():
    seen = Modulations(SPEC, 2)
    noise = seen(coloured_noise(300, SPEC, generator(1, "other noise")))
    assert noise.shape == (300, seen.size)
    assert noise.mean(dim=0).abs().max() < 0.25
    real = speech()
    means = torch.stack([seen(real.features[real.group_rows(c)]).mean(dim=0) for c in range(3)])
    assert (means[0] - means[2]).abs().max() > 1.0


@pytest.mark.parametrize(("mels", "regions"), [(80, 4), (15, 4), (64, 1)])
def test_the_map_takes_any_number_of_bands(mels, regions):
    spec = FeatureSpec(mels=mels, frames=50)
    assert Modulations(spec, regions)(torch.randn(2, mels, 50)).isfinite().all()


def test_the_map_has_no_more_regions_than_bands():
    spec = FeatureSpec(mels=8, frames=50)
    assert Modulations(spec, 8)(torch.randn(2, 8, 50)).isfinite().all()
    with pytest.raises(UserError, match="has 8 bands here; found 9: set regions to 8 or fewer"):
        Modulations(spec, 9)


def test_what_is_released_are_the_moments():
    real, model = speech(), student()
    state = ReleasedMoments(regions=1, reach=FAR).init(Curator(real), model, 0)
    seen = Modulations(SPEC, 1)(real.features)
    labels = real.targets.argmax(dim=1)
    means = torch.stack([seen[labels == c].mean(dim=0) for c in range(3)])
    within = seen - means[labels]
    assert torch.allclose(state["centre"], seen.mean(dim=0), atol=1e-3)
    assert torch.allclose(state["means"] + state["centre"], means, atol=1e-2)
    values, directions = torch.linalg.eigh((within.T @ within / len(seen)).double())
    expected = (directions * values.clamp_min(LEAST_VARIANCE)) @ directions.T
    found = (state["factor"] @ state["factor"].T).double()
    assert torch.allclose(found, expected, atol=2e-2)


def test_vectors_that_are_all_cut_alike_have_the_same_moments(monkeypatch):
    real, model, objective = speech(), student(), ReleasedMoments(regions=1)
    exact = objective.init(Curator(real), model, 0)
    monkeypatch.setattr(released_moments, "CUT", 0.3)
    for unit in ("speaker", "utterance"):
        budget = PrivacyBudget(8.0, 1e-4, unit)
        account = account_of(budget, objective, Loop(initialisation="noise"))
        silent = Gaussian(account, noise=lambda size: torch.zeros(size, dtype=torch.float64))
        cut = objective.init(Curator(real, silent), model, 0)
        covariances = [one["factor"] @ one["factor"].T for one in (exact, cut)]
        assert torch.allclose(cut["means"], exact["means"], atol=0.25)
        assert (covariances[0] - covariances[1]).norm() < 0.25 * covariances[0].norm()


def test_items_that_are_where_they_should_be_cost_nothing():
    real, model, objective = speech(), student(), ReleasedMoments(regions=1)
    curator = Curator(real)
    state = dict(objective.init(curator, model, 0))
    items = Candidate(real.features[:6], torch.eye(3).repeat_interleave(2, dim=0), 2)
    places = Modulations(SPEC, 1)(items.features) - state["centre"]
    state["means"] = places.reshape(3, 2, -1).mean(dim=1)
    state["factor"] = 1e-4 * torch.eye(places.shape[1])
    same = replace(items, features=items.features[[0, 0, 2, 2, 4, 4]])
    state["means"] = places[[0, 2, 4]]
    loss, _ = objective.step(state, same, curator, model, generator(0, "steps"))
    apart, _ = objective.step(state, items, curator, model, generator(0, "steps"))
    assert loss < 2.0 < 100.0 < apart


@pytest.mark.parametrize("count", [4, 5])
def test_the_first_items_have_the_same_places_in_sets_of_all_sizes(count):
    """Up to the middle of all, which is that of the emotion."""
    real, model, objective = speech(), student(), ReleasedMoments(regions=1)
    state = objective.init(Curator(real), model, 0)

    def places(per_class: int) -> Tensor:
        blank = torch.zeros(3 * per_class, *SPEC.shape)
        items = Candidate(blank, torch.eye(3).repeat_interleave(per_class, dim=0), per_class)
        return objective._places(state, items).reshape(3, per_class, -1)

    some, every = places(count), places(8)[:, :count]
    for found in (some, places(8)):
        assert torch.allclose(found.mean(dim=1), state["means"], atol=1e-4)
    apart = [each - each.mean(dim=1, keepdim=True) for each in (some, every)]
    assert torch.allclose(*apart, atol=1e-4)
    assert apart[0].abs().max() > 0.1


def test_a_set_from_moments_alone_is_worth_something():
    real = speech()
    made = distill(
        Curator(real),
        ReleasedMoments(regions=2),
        "tdnn",
        ipc=12,
        seed=0,
        loop=Loop(steps=120, learning_rate=0.1, initialisation="noise"),
    )
    model = student()
    recipe = Recipe.single(steps=100)
    fitted = recipe.fit(
        "tdnn",
        model.start,
        Examples(made.features, made.targets),
        recipe.settings[0],
        generator(0, "student"),
    )
    right = fitted.predict(real.features) == real.targets.argmax(dim=1)
    assert right.float().mean() > 0.7
    assert made.emotions == EMOTIONS


def test_a_share_of_nothing_is_refused():
    with pytest.raises(UserError, match="above 0 and below 1; found 1"):
        ReleasedMoments(middle=1.0)


def test_labels_can_be_what_the_moments_hear():
    real, objective = speech(), ReleasedMoments(regions=2)
    model = student()
    state = objective.init(Curator(real), model, 0)
    heard = objective.hears(state, real.features, SPEC, model)
    truth = real.targets.argmax(dim=1)
    assert (heard.argmax(dim=1) == truth).float().mean() > 0.9
    # As sure as the distance to the means says, in deviations of the normal distributions.
    inverse = torch.linalg.inv((state["factor"] @ state["factor"].T).double())
    seen = (Modulations(SPEC, 2)(real.features) - state["centre"]).double()
    apart = seen[:, None] - state["means"]
    density = -0.5 * torch.einsum("nki,ij,nkj->nk", apart, inverse, apart)
    relative = [each - each.mean(dim=1, keepdim=True) for each in (heard.double(), density)]
    assert torch.allclose(*relative, atol=1e-2)

    def made(labels: str, **settings: Any) -> SyntheticSet:
        return distill(
            Curator(real),
            objective,
            "tdnn",
            ipc=4,
            seed=0,
            loop=Loop(steps=3, initialisation="spectrum"),
            parameterisation=Parameterisation(labels=labels),
            **settings,
        )

    guided = made("taught", native=Native(steps=1, together=1), expert=Expert(steps=1))
    rest = [1, 2, 3, 5, 6, 7, 9, 10, 11]  # of which no native step was made
    taught, hard = made("taught"), made("hard")
    assert torch.equal(guided.targets[rest], taught.targets[rest])  # none is the expert's
    assert torch.equal(taught.features, hard.features)
    expected = objective.hears(state, taught.features, SPEC, model).softmax(dim=1)
    assert torch.allclose(taught.targets, expected, atol=1e-4)
    assert not torch.allclose(taught.targets, hard.targets, atol=0.05)


def test_other_objectives_cannot_be_asked_for_labels():
    objective = DistributionMatching()
    assert not objective.teaches
    with pytest.raises(NotImplementedError, match="distribution-matching does not tell emotions"):
        objective.hears({}, torch.zeros(1, *SPEC.shape), SPEC, student())
