"""Labels of a teacher: what it learned through the door, it says of items."""

import pytest
import torch
from fake_speech import SPEC, fake_speech

from distill import teacher
from distill.candidate import Parameterisation
from distill.engine import distill
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.objective import Student
from distill.outer_loop import Loop
from evaluation.networks import draw_weights, skeleton
from synth_data.curator import Curator

SMALL = DistributionMatching(starts=1, checkpoints=1)


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(teacher, "STEPS", 40)


def student() -> Student:
    module = skeleton("tdnn", SPEC.mels, 3)
    return Student(module, draw_weights(module, torch.Generator().manual_seed(0)))


def test_a_teacher_hears_what_others_say():
    """Of speech that it did not learn from, and asks nothing but mean gradients and shares."""
    curator, others = Curator(fake_speech((20, 20, 20))), fake_speech((10, 10, 10), seed=1)
    logits = teacher.heard(curator, student(), others.features, 0)
    right = logits.argmax(dim=1) == others.targets.argmax(dim=1)
    assert float(right.float().mean()) > 0.8
    assert curator.questions == {
        "class shares": teacher.TEACHERS,
        "a teacher's lesson": teacher.TEACHERS * 40,
    }


def test_taught_labels_are_stored_and_the_same_every_time():
    def made(labels: str, seed: int = 0) -> torch.Tensor:
        return distill(
            Curator(fake_speech((8, 8, 8))),
            SMALL,
            "tdnn",
            ipc=2,
            seed=seed,
            loop=Loop(steps=2),
            parameterisation=Parameterisation(labels=labels),
        ).targets

    hard, taught = made("hard"), made("taught")
    assert torch.equal(taught, made("taught"))
    assert not torch.equal(taught, made("taught", seed=1))
    assert torch.allclose(taught.sum(dim=1), torch.ones(6), atol=1e-5)
    assert taught.max() < 1
    assert torch.equal(taught.argmax(dim=1), hard.argmax(dim=1))
