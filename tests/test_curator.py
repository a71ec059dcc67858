"""The door: every answer is the mean that a plain loop over utterances gives."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from fake_speech import EMOTIONS, SPEC, TASK, fake_speech
from torch import Tensor

from distill.initialisations import INITIALISATIONS
from distill.objectives.objective import Student
from evaluation.networks import apply, draw_weights, skeleton
from evaluation.students import cross_entropy
from synth_data import mechanism
from synth_data.curator import Curator, Members
from synth_data.mechanism import CHUNK, All, Draw, Sample
from synth_data.normalisation import normalised
from synth_data.transforms import Standardise

MORE_THAN_A_CHUNK = (CHUNK + 3, 2, 5)


def test_class_means_are_those_of_a_loop():
    real = fake_speech()
    answer = Curator(real).mean(lambda features, _: features.square(), purpose="power")
    for emotion in range(3):
        rows = [real.features[row].square() for row in real.group_rows(emotion)]
        assert torch.allclose(answer[emotion], sum(rows) / len(rows), atol=1e-6)


@pytest.mark.parametrize("counts", [(6, 4, 5), MORE_THAN_A_CHUNK])
def test_the_mean_over_all_is_that_of_a_loop(counts):
    real = fake_speech(counts)
    answer = Curator(real).mean(
        lambda features, _: features, purpose="all", per_class=False, sample=All()
    )
    total = torch.zeros(SPEC.shape)
    for features in real.features:
        total += features
    assert torch.allclose(answer, total / len(real), atol=1e-5)


@pytest.mark.parametrize("counts", [(6, 4, 5), MORE_THAN_A_CHUNK])
def test_mean_gradients_are_those_of_a_loop(counts, monkeypatch):
    real = fake_speech(counts)
    network = skeleton("convnet", SPEC.mels, 3)
    weights = draw_weights(network, torch.Generator().manual_seed(0))

    def loss(at: Mapping[str, Tensor], features: Tensor, targets: Tensor) -> Tensor:
        return cross_entropy(apply(network, at, features), targets)

    def slow(rows: list[int]) -> dict[str, Tensor]:
        sums = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for row in rows:
            free = {name: weight.clone().requires_grad_() for name, weight in weights.items()}
            loss(free, real.features[row : row + 1], real.targets[row : row + 1]).sum().backward()
            for name, weight in free.items():
                sums[name] += weight.grad / len(rows)
        return sums

    curator = Curator(real)
    by_class = curator.mean_gradient(loss, weights, purpose="by class")
    overall = curator.mean_gradient(loss, weights, purpose="overall", per_class=False)
    for name, gradient in slow(list(range(len(real)))).items():
        assert torch.allclose(overall[name], gradient, atol=1e-5), name
    for emotion in range(3):
        for name, gradient in slow(real.group_rows(emotion)).items():
            assert torch.allclose(by_class[name][emotion], gradient, atol=1e-5), name

    monkeypatch.setattr(mechanism, "CHUNK", 2)
    in_small_chunks = curator.mean_gradient(loss, weights, purpose="by class")
    for name, gradient in by_class.items():
        assert torch.allclose(in_small_chunks[name], gradient, atol=1e-5), name


def test_an_answer_carries_no_graph_to_the_weights():
    weights = {"w": torch.ones(()).requires_grad_()}
    gradient = Curator(fake_speech()).mean_gradient(
        lambda at, features, _: at["w"] * features.mean(dim=(1, 2)), weights, purpose="slope"
    )
    assert not gradient["w"].requires_grad
    assert weights["w"].grad is None


def test_a_draw_with_probability_one_is_everything():
    curator = Curator(fake_speech())

    def means(sample: Sample) -> Tensor:
        return curator.mean(
            lambda features, _: features, purpose="means", sample=sample, per_class=False
        )

    assert torch.equal(means(Draw(1.0, torch.Generator().manual_seed(0))), means(All()))
    assert not torch.equal(means(Draw(0.5, torch.Generator().manual_seed(0))), means(All()))


def test_a_draw_takes_each_utterance_with_its_probability():
    sizes = []
    draws = torch.Generator().manual_seed(0)
    curator = Curator(fake_speech((100, 100, 100)))
    for _ in range(40):
        curator.mean(
            lambda features, _: sizes.append(len(features)) or features,
            purpose="count",
            sample=Draw(0.2, draws),
            per_class=False,
        )
    # standard deviation of the sum of 12,000 coins at 0.2: 44
    assert abs(sum(sizes) - 2400) < 3 * 44
    assert len(set(sizes)) > 1


def test_of_a_large_corpus_a_sample_is_no_larger_than_it_may_be():
    curator, draws = Curator(fake_speech((40, 40, 20))), torch.Generator().manual_seed(0)
    assert curator.sample(1.0, 100, draws) == All()
    assert curator.sample(0.2, 25, draws) == Draw(0.2, draws)
    assert curator.sample(0.2, 10, draws) == Draw(0.1, draws)
    assert curator.sample(1.0, 50, draws) == Draw(0.5, draws)


def test_of_a_rare_emotion_more_are_asked_than_were_drawn():
    """Of forty utterances 32 are enough, of five all are needed; of many the draw says."""
    curator = Curator(fake_speech((40, 5, 400)))
    counts: list[int] = []

    def ask(probability: float) -> tuple[Tensor, Tensor]:
        counts.clear()
        sample = Draw(probability, torch.Generator().manual_seed(0))
        means = curator.mean(
            lambda features, _: counts.append(len(features)) or features,
            purpose="means",
            sample=sample,
        )
        gradients = curator.mean_gradient(
            lambda at, features, _: at["w"] * features.mean(dim=(1, 2)),
            {"w": torch.ones(())},
            purpose="slopes",
            sample=Draw(probability, torch.Generator().manual_seed(0)),
        )
        return means, gradients["w"]

    means, gradients = ask(0.25)
    assert counts[:2] == [32, 5]
    assert 60 < sum(counts[2:]) < 140
    every = curator.mean(lambda features, _: features, purpose="means")
    assert torch.equal(means[1], every[1])
    assert torch.allclose(gradients, means.mean(dim=(1, 2)), atol=1e-6)
    ask(1e-9)
    assert counts == [32, 5, 32]


def test_of_all_emotions_together_nobody_may_be_drawn():
    nothing = Curator(fake_speech()).mean(
        lambda features, _: features,
        purpose="means",
        sample=Draw(1e-9, torch.Generator().manual_seed(0)),
        per_class=False,
    )
    assert not nothing.any()


def test_class_shares_sum_to_one():
    shares = Curator(fake_speech((5, 3, 2))).class_shares()
    assert torch.allclose(shares, torch.tensor([0.5, 0.3, 0.2]))


def test_balanced_emotions_count_alike():
    curator = Curator(fake_speech((5, 3, 2)))
    counted = curator.class_balance() * torch.tensor([5.0, 3.0, 2.0])
    assert torch.allclose(counted, torch.full((3,), 10 / 3))


def test_questions_are_counted_by_purpose_on_every_door_to_the_same_speech():
    curator = Curator(fake_speech())
    curator.class_shares()
    mapped = curator.map(Standardise(torch.zeros(16), torch.full((16,), 2.0)))
    mapped.class_shares()
    mapped.choose_real(2, first)
    assert curator.questions == {"class shares": 2, "real utterances, as they are": 6}
    assert mapped.questions is curator.questions


def test_a_mapped_door_answers_of_transformed_speech():
    real = fake_speech()
    curator = Curator(real)
    halve = Standardise(torch.zeros(16), torch.full((16,), 2.0))
    twice = curator.map(halve).map(halve)
    means = [door.mean(lambda x, _: x, purpose="means") for door in (curator, twice)]
    assert torch.allclose(means[1], means[0] / 4)
    assert twice.transforms == (halve, halve)
    assert curator.transforms == ()


def test_what_is_public_is_said():
    notes = ("two files were empty (eva-klein.wav, ada.wav)",)
    curator = Curator(replace(fake_speech((6, 4, 5)), notes=notes))
    source = curator.source
    assert (source.facts.name, source.protocol, source.fold) == ("toy", "made-up", 1)
    assert (curator.count_utterances(), curator.count_speakers()) == (15, 3)
    assert curator.corpus_notes() == ("two files were empty",)  # and nobody's name
    assert curator.corpus_digest() == "0" * 64
    assert curator.guarantee is None


def first(members: Members, count: int) -> range:  # noqa: ARG001 - whatever they are
    """The first rows."""
    return range(count)


def test_who_chooses_at_random_copies_nothing_of_the_others(monkeypatch):
    def copied(_: Members) -> torch.Tensor:
        raise AssertionError("features were copied")

    monkeypatch.setattr(Members, "features", property(copied))
    real, draws = fake_speech(), torch.Generator().manual_seed(0)
    network = skeleton("tdnn", SPEC.mels, 3)
    student = Student(network, draw_weights(network, draws), TASK)
    items, _, _ = INITIALISATIONS["real"].begin(Curator(real), student, 2, draws)
    assert len(items) == 6
    with pytest.raises(AssertionError, match="features were copied"):
        INITIALISATIONS["herding"].begin(Curator(real), student, 2, draws)


def test_chosen_utterances_are_real_different_and_in_the_order_of_their_emotions():
    real = fake_speech()
    chosen, again = Curator(real).choose_real(4, first)
    rows = [
        next(row for row in range(len(real)) if torch.equal(real.features[row], features))
        for features in chosen
    ]
    assert len(set(rows)) == 12
    assert not again.any()
    labels = [real.utterances[row].emotion for row in rows]
    assert labels == [emotion for emotion in EMOTIONS for _ in range(4)]


def test_where_there_are_too_few_all_are_given_and_some_again():
    curator = Curator(fake_speech((6, 4, 5)))
    chosen, again = curator.choose_real(5, first)
    assert again.tolist() == [False] * 5 + [False] * 4 + [True] + [False] * 5
    neutral = chosen[5:10]
    assert torch.equal(neutral[4], neutral[0])
    assert len(neutral.unique(dim=0)) == 4
    assert curator.questions == {"real utterances, as they are": 14}


def test_all_of_an_emotion_come_in_the_order_in_which_they_are_chosen():
    """Not as the corpus lists them, which is by speaker."""
    real = fake_speech((6, 4, 5))

    def last_first(_: Members, count: int) -> list[int]:
        return list(reversed(range(count)))

    chosen, _ = Curator(real).choose_real(4, last_first)
    neutral = real.features[real.group_rows(1)]
    assert torch.equal(chosen[4:8], neutral.flip(0))


def test_others_are_seen_as_those_behind_the_door():
    halve = Standardise(torch.zeros(16), torch.full((16,), 2.0))
    other = fake_speech(seed=1)
    seen = Curator(fake_speech()).map(halve).map(halve).seen(other)
    assert torch.allclose(seen, other.features / 4)


def test_normalised_speech_has_mean_0_and_deviation_1_in_each_band_of_the_training_set():
    spec = replace(SPEC, normalisation="training")
    scale = torch.linspace(1, 8, spec.mels)[:, None]
    train, test = (
        replace(real, features=real.features * scale + scale)
        for real in (fake_speech(MORE_THAN_A_CHUNK, spec=spec), fake_speech(seed=1, spec=spec))
    )
    door = normalised(Curator(train))
    assert door.questions == {"normalisation": 1}
    (transform,) = door.transforms
    features = transform(train.features)
    assert torch.allclose(features.mean(dim=(0, 2)), torch.zeros(16), atol=1e-4)
    deviation = features.std(dim=(0, 2), correction=0)
    assert torch.allclose(deviation, torch.ones(16), atol=1e-4)
    asked = door.mean(lambda x, _: x.mean(dim=2), purpose="bands", per_class=False)
    assert torch.allclose(asked, torch.zeros(16), atol=1e-4)
    # The test side meets the training side's statistics, not its own.
    expected = (test.features - train.features.mean(dim=(0, 2))[:, None]) / train.features.std(
        dim=(0, 2), correction=0
    )[:, None]
    assert torch.allclose(transform(test.features), expected, atol=1e-3)


def test_utterances_that_normalised_themselves_are_left_alone():
    curator = Curator(fake_speech())
    assert normalised(curator) is curator
    assert not curator.questions


def test_speakers_count_alike_whatever_they_said():
    """As a loop over speakers finds it; utterances are not spread evenly among them."""
    real = fake_speech((6, 4, 5))
    rows = [0, 1, 2, 3, 4, 5, 8, 11]
    real = real.select(rows)
    curator = Curator(real)
    answer = curator.mean_of_speakers(
        lambda features, _: features.mean(dim=2), lambda means: means.square(), purpose="squares"
    )
    of_speakers = []
    for speaker in sorted(set(real.speakers)):
        own = [
            real.features[row].mean(dim=1) for row, s in enumerate(real.speakers) if s == speaker
        ]
        of_speakers.append((sum(own) / len(own)).square())
    assert len({real.speakers.count(speaker) for speaker in real.speakers}) > 1
    assert torch.allclose(answer, sum(of_speakers) / len(of_speakers), atol=1e-6)
    assert curator.questions == {"squares": 1}
