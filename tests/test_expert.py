"""An expert: what it learned through the door, it says of items."""

import torch
from fake_speech import SPEC, TASK, fake_speech

from distill.candidate import Parameterisation
from distill.engine import distill
from distill.expert import Expert
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Student
from distill.outer_loop import Loop
from evaluation.networks import draw_weights, skeleton
from synth_data.curator import Curator
from synth_data.synthetic import SyntheticSet

SMALL = DistributionMatching(starts=1, checkpoints=1)
EXPERT = Expert(steps=40)


def student() -> Student:
    module = skeleton("tdnn", SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)), TASK)


def test_an_expert_hears_what_others_say():
    """Of speech that it did not learn from, and asks nothing but mean gradients and shares."""
    curator, others = Curator(fake_speech((20, 20, 20))), fake_speech((10, 10, 10), seed=1)
    weights = EXPERT.learn(curator, student(), seed=0)
    logits = EXPERT.hears(student(), weights, others.features)
    right = logits.argmax(dim=1) == others.targets.argmax(dim=1)
    assert float(right.float().mean()) > 0.8
    assert curator.questions == {"class shares": 1, "an expert's lesson": 40}


def made(labels: str, seed: int = 0) -> SyntheticSet:
    return distill(
        Curator(fake_speech((8, 8, 8))),
        SMALL,
        "tdnn",
        ipc=2,
        seed=seed,
        loop=Loop(steps=2),
        parameterisation=Parameterisation(labels=labels),
        expert=EXPERT,
    )


def test_taught_labels_are_stored_and_the_same_every_time():
    hard, taught = made("hard").targets, made("taught").targets
    assert torch.equal(taught, made("taught").targets)
    assert not torch.equal(taught, made("taught", seed=1).targets)
    assert torch.allclose(taught.sum(dim=1), torch.ones(6), atol=1e-5)
    assert taught.max() < 1
    assert torch.equal(taught.argmax(dim=1), hard.argmax(dim=1))


def test_labels_are_what_an_expert_hears_in_the_finished_items():
    taught = made("taught")
    assert taught.start is not None
    network = Student(student().network, taught.start.weights, TASK)
    weights = EXPERT.learn(Curator(fake_speech((8, 8, 8))), network, seed=0)
    heard = EXPERT.hears(network, weights, taught.features).softmax(dim=1)
    assert torch.allclose(taught.targets, heard, atol=1e-5)
    assert torch.equal(taught.features, made("hard").features)
