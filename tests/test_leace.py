"""LEACE: after it no linear attacker beats the constant on the fitted speech; before, one did."""

from dataclasses import replace

import pytest
import torch
from fake_speech import SPEC, fake_speech
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from distill.disentangle.leace import Leace
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.real import RealSet
from synth_data.transforms.erase import statistics_of
from synth_data.utterance import UNKNOWN

SPEAKERS = 4
EVERY_WAY = [Leace(of="statistics"), Leace(of="frames"), Leace(shrinkage=0.0), Leace(shrinkage=1.0)]


def speech(seed: int = 0, loud: float = 0.7) -> RealSet:
    """Fake speech whose speakers differ: in each band's level, and in how much it moves."""
    real = fake_speech((40, 40, 40), seed=seed)
    draws = torch.Generator().manual_seed(7)  # the voices are always the same
    levels = loud * torch.randn(SPEAKERS, SPEC.mels, 1, generator=draws)
    moves = (loud * torch.randn(SPEAKERS, SPEC.mels, 1, generator=draws)).exp()
    who = torch.arange(len(real)) % SPEAKERS
    return replace(
        real,
        features=real.features * moves[who] + levels[who],
        utterances=tuple(
            replace(utterance, speaker=f"speaker-{row % SPEAKERS}")
            for row, utterance in enumerate(real.utterances)
        ),
    )


def linear_success(points: Tensor, who: Tensor) -> float:
    """Of a linear attacker who is tested on what it was trained on, and knows no restraint."""
    model = LogisticRegression(C=1e4, max_iter=10_000)
    return float(model.fit(points.numpy(), who.numpy()).score(points.numpy(), who.numpy()))


@pytest.mark.parametrize("leace", EVERY_WAY, ids=str)
def test_no_linear_attacker_beats_the_constant(leace):
    real = speech()
    who = torch.arange(len(real)) % SPEAKERS
    erased = leace.fit(Curator(real))(real.features)
    if leace.of == "statistics":
        before, after = statistics_of(real.features), statistics_of(erased)
    else:
        before, after = (x.mT.flatten(0, 1) for x in (real.features, erased))
        who = who.repeat_interleave(SPEC.frames)
    before, after = (x.double() - x.double().mean(dim=0) for x in (before, after))
    assert linear_success(before, who) > 2 / SPEAKERS
    assert linear_success(after, who) < 1 / SPEAKERS + 0.01


@pytest.mark.parametrize("leace", EVERY_WAY, ids=str)
def test_a_second_time_changes_nothing(leace):
    real = speech()
    transform = leace.fit(Curator(real))
    once = transform(real.features)
    assert not torch.allclose(once, real.features, atol=0.1)
    torch.testing.assert_close(transform(once), once, atol=1e-4, rtol=1e-4)
    assert torch.equal(transform.inverse(once), once)


@pytest.mark.parametrize("of", ["statistics", "frames"])
def test_the_paper_s_changes_the_data_least(of):
    """Of all that erase; a straight projection is another."""
    real = speech()

    def change(shrinkage: float) -> float:
        transform = Leace(of=of, shrinkage=shrinkage).fit(Curator(real))
        if of == "statistics":
            before, after = statistics_of(real.features), statistics_of(transform(real.features))
        else:
            before, after = real.features, transform(real.features)
        return float((before - after).square().mean())

    assert change(0.0) < change(0.5) < change(1.0)


def test_the_mean_stays_where_it_is():
    real = speech()
    erased = Leace(of="frames").fit(Curator(real))(real.features)
    assert torch.allclose(erased.mean(dim=(0, 2)), real.features.mean(dim=(0, 2)), atol=1e-5)


def test_so_many_directions_as_are_asked_for():
    curator = Curator(speech())

    def rank(leace: Leace) -> int:
        return int(torch.linalg.matrix_rank(leace.fit(curator).tensors()["matrix"], rtol=1e-4))

    assert rank(Leace()) == SPEAKERS - 1
    assert rank(Leace(directions=2)) == 2
    assert rank(Leace(directions=50)) == SPEAKERS - 1


def test_the_scatter_is_a_mean_over_speakers_that_the_door_lists():
    curator = Curator(speech())
    Leace().fit(curator)
    assert curator.questions == {
        "mean of the speech": 1,
        "covariance of the speech": 1,
        "mean of speakers": 1,
        "scatter between speakers": 1,
    }


def test_erasing_all_directions_that_there_are_is_refused():
    real = fake_speech((40, 40, 40))
    many = replace(
        real,
        utterances=tuple(
            replace(one, speaker=f"speaker-{row % 24}") for row, one in enumerate(real.utterances)
        ),
    )
    with pytest.raises(UserError, match=r"differ in all 16 directions.*fewer than 16"):
        Leace(of="frames").fit(Curator(many))
    assert Leace(of="frames", directions=4).fit(Curator(many)).name == "erase-frames"
    with pytest.raises(UserError, match="covariances alike in all directions"):
        Leace(of="frames", quadratic=True, directions=4).fit(Curator(many))


def test_who_reads_a_set_learns_what_its_transform_tells():
    assert "tells whoever has some of their speech whose it was" in Leace().note
    assert "whose it was" not in Leace(of="frames", quadratic=True).note


def test_a_single_speaker_is_refused():
    real = speech()
    alone = real.select([row for row in range(len(real)) if row % SPEAKERS == 0])
    with pytest.raises(
        UserError, match="needs 2 or more in the speech that it is fitted to; found 1"
    ):
        Leace().fit(Curator(alone))


def test_the_quadratic_form_makes_covariances_alike():
    """Nothing of first and little of second moments is left of speakers, fitted or not."""
    fitted = Leace(of="frames", quadratic=True).fit(Curator(speech()))
    for real in (speech(), speech(seed=3)):
        before = covariances(real.features, real.speakers)
        after = covariances(fitted.on(real.features, real.speakers), real.speakers)
        apart = max(float((one - before[0]).norm() / before[0].norm()) for one in before)
        left = max(float((one - after[0]).norm() / after[0].norm()) for one in after)
        assert left < 0.3 * apart  # a speaker's covariance is shrunk
        means = torch.stack(
            [
                fitted.on(real.features, real.speakers)[rows].mean(dim=(0, 2))
                for rows in (
                    [row for row, s in enumerate(real.speakers) if s == name]
                    for name in set(real.speakers)
                )
            ]
        )
        assert torch.allclose(means, fitted.mean.expand_as(means), atol=1e-4)
        assert apart > 0.5


def covariances(features: Tensor, speakers: list[str]) -> list[Tensor]:
    """Of each speaker's frames."""
    found = []
    for name in sorted(set(speakers)):
        rows = [row for row, speaker in enumerate(speakers) if speaker == name]
        found.append(torch.cov(features[rows].transpose(0, 1).flatten(1)))
    return found


def test_the_quadratic_form_is_of_frames():
    with pytest.raises(UserError, match="of frames only: set of to frames"):
        Leace(quadratic=True).fit(Curator(speech()))


def test_a_speaker_who_is_not_known_is_matched_alone():
    real = speech()
    transform = Leace(of="frames", quadratic=True).fit(Curator(real))
    one = real.features[:1]
    assert torch.allclose(transform(one), transform.on(one, ["somebody"]))


def test_unknown_speakers_are_no_speakers():
    """Each of one utterance, they would differ in whatever utterances differ in."""
    real = speech()
    unknown = range(0, len(real), 3)
    some = replace(
        real,
        utterances=tuple(
            replace(one, speaker=f"{UNKNOWN}{one.name}") if row in unknown else one
            for row, one in enumerate(real.utterances)
        ),
    )
    curator = Curator(some)
    assert curator.count_speakers() == SPEAKERS
    erase = Leace(shrinkage=0.0).fit(curator)
    assert round(float(erase.matrix.trace())) == SPEAKERS - 1  # of a projection: its directions

    named = curator.naming_speakers()
    told = named.mean(lambda _, targets: targets, purpose="targets", per_class=False)
    known = [one.speaker for one in some.utterances if not one.of_unknown_speaker]
    shares = [known.count(name) / len(known) for name in sorted(set(known))]
    assert told[len(real.emotions) :].tolist() == pytest.approx(shares)

    nobody = replace(
        real,
        utterances=tuple(replace(one, speaker=f"{UNKNOWN}{one.name}") for one in real.utterances),
    )
    with pytest.raises(UserError, match=r"needs 2 or more in the speech .*found 0"):
        Leace().fit(Curator(nobody))
