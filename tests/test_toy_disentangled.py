"""On the toy corpus, where nothing but the voice tells the speaker: what is left of the voice."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from distill.disentangle.adversarial import Adversarial, Branches
from evaluation import metrics
from evaluation.attacks.attackers import ATTACKERS, Trained
from evaluation.attacks.speaker import Voices, identify
from evaluation.networks import draw_weights, skeleton
from evaluation.students import RECIPES, Examples, Recipe, predict, train
from synth_data.corpus import load, protocol_of
from synth_data.curator import Curator
from synth_data.features import FEATURES
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.transforms import Transform

pytestmark = pytest.mark.slow
WHO = ("linear", "mlp", "convolutional")


@dataclass(frozen=True, eq=False)
class World:
    """A fold, and what was fitted on its training side: both branches, and what is applied."""

    fitted: RealSet
    unseen: tuple[RealSet, ...]
    branches: Branches
    transform: Transform


@pytest.fixture(scope="module")
def world() -> World:
    real = load("toy", spec=FEATURES["logmel64-short"])
    fitted, *unseen = real.fold(protocol_of(real.facts, "four-speaker-folds"), 1)
    curator = Curator(fitted)
    branches = Adversarial().branches(curator)
    return World(fitted, tuple(unseen), branches, branches.in_one_voice(curator))


def emotion_uar(world: World, through: Transform | None) -> float:
    """Of two students of all training data, on speakers whom nobody has met."""

    def heard(real: RealSet) -> Tensor:
        return real.features if through is None else through(real.features)

    recipe, found = RECIPES["tdnn"], []
    assert isinstance(recipe, Recipe)
    examples = Examples(heard(world.fitted), world.fitted.targets)
    features = torch.cat([heard(side) for side in world.unseen])
    truth = torch.cat([side.targets for side in world.unseen]).argmax(dim=1).tolist()
    for seed in range(2):
        network = skeleton("tdnn", features.shape[1], 4)
        draws = generator(seed, "toy")
        start = draw_weights(network, draws)
        weights = train(network, start, examples, recipe, recipe.settings[0], draws)
        told = predict(network, weights, features).tolist()
        found.append(float(metrics.uar(metrics.confusion(truth, told, 4))))
    return sum(found) / len(found)


def test_the_emotion_is_kept(world):
    plain = emotion_uar(world, None)
    assert plain > 0.6
    assert emotion_uar(world, world.transform) >= 0.95 * plain


@pytest.mark.parametrize("attacker", WHO)
@pytest.mark.parametrize("whose", ["fitted", "unseen"])
def test_nothing_is_left_of_the_speaker_but_chance(world, attacker, whose):
    """Beyond the upper end of chance's own interval over so many utterances."""
    sides = [world.fitted] if whose == "fitted" else world.unseen
    speakers = [speaker for side in sides for speaker in side.speakers]

    def voices(features: list[Tensor]) -> Voices:
        return Voices(torch.cat(features), speakers, [""] * len(speakers))

    plain = voices([side.features for side in sides])
    hidden = voices([world.transform(side.features) for side in sides])
    (before,) = identify(plain, [plain], ATTACKERS[attacker], seed=0)
    (after,) = identify(hidden, [hidden], ATTACKERS[attacker], seed=0)
    tried, chance = after.tried.sum(), after.chance
    assert before.right.sum() / tried > 3 * chance
    assert after.right.sum() / tried < chance + 1.96 * (chance * (1 - chance) / tried) ** 0.5


@pytest.mark.parametrize("judge", WHO)
def test_another_voice_changes_the_speaker_and_not_the_emotion(world, judge):
    """They name who lent the voice, and the emotion of whom the codes are.

    Judges learn from speech that is said again by everybody in their own voice.
    """
    features, draws = world.fitted.features, generator(0, "swap")
    codes, voices = world.branches.codes(features), world.branches.voices(features)
    order = torch.randperm(len(features), generator=draws)
    learned, tested = order[: len(order) // 2], order[len(order) // 2 :]
    lent = torch.randperm(len(features), generator=draws)
    own = world.branches.speech(codes, voices, features.shape[2])
    swapped = world.branches.speech(codes, voices[lent], features.shape[2])
    names = sorted(set(world.fitted.speakers))
    speaker = torch.tensor([names.index(s) for s in world.fitted.speakers])
    emotion = world.fitted.targets.argmax(dim=1)

    of_speakers, of_emotions = (
        ATTACKERS[judge](own[learned], factor[learned], generator(0, judge))
        for factor in (speaker, emotion)
    )

    def right(trained: Trained, speech: Tensor, truth: Tensor) -> float:
        return float((trained.name_classes(speech[tested]) == truth[tested]).float().mean())

    assert right(of_speakers, swapped, speaker[lent]) > 0.8
    assert right(of_speakers, swapped, speaker) < 2 / len(names)
    assert right(of_emotions, swapped, emotion) >= 0.95 * right(of_emotions, own, emotion)
    assert right(of_emotions, swapped, emotion[lent]) < 2 / world.fitted.targets.shape[1]
