"""Does a set tell whose speech it was made from? Where it is that speech, it does."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from fake_speech import SPEC, fake_speech
from sklearn.metrics import roc_auc_score
from test_speaker_attacks import voices

from distill.disentangle.adversarial import Adversarial
from distill.disentangle.leace import Leace
from evaluation.attacks.attempts import Scene, Shared, Speech
from evaluation.attacks.membership import area_of, who_is_in
from evaluation.attacks.recurring import weights_of
from evaluation.attacks.speaker import Voices
from synth_data.curator import Curator

IN, OUT = voices(each=8, loud=0.5), voices(each=8, loud=0.5, seed=1)
PLAIN = Speech("full", IN, OUT)


def areas(items: torch.Tensor) -> dict[tuple[str, str], list[float]]:
    """Under the curve, by what was attacked and by attacker."""
    found, impossible = who_is_in(Scene((PLAIN,), (Shared("made", items, PLAIN),), seed=0))
    assert not impossible
    by_attacker = defaultdict(list)
    for attempt in found:
        by_attacker[attempt.speech, attempt.attacker].append(attempt.rate)
    return by_attacker


def test_real_items_tell_and_noise_does_not():
    noise = torch.randn(24, *IN.features.shape[1:], generator=torch.Generator().manual_seed(5))
    found = areas(noise)
    for attacker in ("nearest item", "nearest voice"):
        assert min(found["full", attacker]) > 0.9  # the control, who is given the answer
        assert len(found["full", attacker]) == 3
        assert 0.1 < found["full, made", attacker][0] < 0.9


def test_items_that_stayed_close_to_real_ones_tell():
    noise = torch.randn(IN.features.shape, generator=torch.Generator().manual_seed(5))
    close = IN.features[:24] + 0.3 * noise[:24]
    assert areas(close)["full, made", "nearest item"] == [1.0]


def test_one_utterance_that_was_used_tells_of_its_speaker():
    """On average over all of a speaker's it is lost, where there are many."""
    known, others = voices(each=60, loud=0.1), voices(each=60, loud=0.1, seed=1)
    speech = Speech("full", known, others)
    used = [known.speakers.index(name) for name in sorted(set(known.speakers))]
    found, _ = who_is_in(Scene((speech,), (Shared("made", known.features[used], speech),), seed=0))
    rates = {one.attacker: one.rate for one in found if one.speech == "full, made"}
    assert rates["nearest item, nearest tenth"] == 1.0
    assert rates["nearest item"] < 1.0


def test_the_control_is_speech_as_it_is_however_sets_hear():
    """One control, as many items as the smallest set has, whatever else is judged."""
    flat = Speech("full, flat", *(replace(each, features=0 * each.features) for each in (IN, OUT)))
    alone, _ = who_is_in(Scene((PLAIN,), (Shared("made", IN.features[:9], PLAIN),), seed=0))
    sets = (Shared("made", IN.features[:20], PLAIN), Shared("flat", IN.features[:9], flat))
    both, _ = who_is_in(Scene((PLAIN, flat), sets, seed=0))
    controls = [[one for one in found if one.speech == "full"] for found in (alone, both)]
    assert controls[0] == controls[1]
    assert {one.voices for one in both} == {12}


def test_what_erasure_brings_to_one_point_tells_whose_it_was():
    """Utterances of fitted speakers that were not used lie near it too; others do not."""
    real = fake_speech((40, 40, 40))
    levels = torch.randn(8, SPEC.mels, 1, generator=torch.Generator().manual_seed(3))
    who = torch.arange(len(real)) % 8
    features = real.features + levels[who]
    names = [f"speaker-{n}" for n in who.tolist()]
    inside = who < 4
    utterances = tuple(
        replace(one, speaker=name) for one, name in zip(real.utterances, names, strict=True)
    )
    everyone = replace(real, features=features, utterances=utterances)
    fitted = Leace().fit(Curator(everyone.select(inside.nonzero().flatten().tolist())))
    plain, heard = (
        Speech(
            way,
            *(
                Voices(f[rows], [n for n, r in zip(names, rows, strict=True) if r], [""])
                for rows in (inside, ~inside)
            ),
        )
        for way, f in (("full", features), ("full, leace", fitted(features)))
    )
    shared = Shared("leace", torch.randn(6, *SPEC.shape), heard, (fitted,))
    found, _ = who_is_in(Scene((plain, heard), (shared,), seed=0))
    rates = {one.attacker: one.rate for one in found if one.speech == "full, leace"}
    assert rates["erased mean"] == 1.0


def test_an_encoder_that_was_trained_is_asked_how_sure_it_is():
    real = fake_speech((20, 20, 20))
    encoder = Adversarial(voice=4, width=16, steps=3).fit(Curator(real))
    voices_of = [Voices(real.features, list(real.speakers), [""] * len(real)) for _ in range(2)]
    voices_of[1] = replace(voices_of[1], speakers=[f"other-{s}" for s in real.speakers])
    speech = Speech("full", *voices_of)
    shared = Shared("made", real.features[:6], speech, (encoder,))
    found, _ = who_is_in(Scene((speech,), (shared,), seed=0))
    rates = {one.attacker: one.rate for one in found if one.speech == "full, made"}
    assert rates["encoder's sureness"] == 0.5  # the same utterances on both sides


def test_of_speakers_who_are_out_the_set_tells_the_opposite():
    assert areas(OUT.features[:24])["full, made", "nearest item"] == [0.0]


def test_the_interval_is_over_speakers():
    found, _ = who_is_in(Scene((PLAIN,), (Shared("made", IN.features[:3], PLAIN),), seed=0))
    made = [attempt for attempt in found if attempt.speech == "full, made"]
    for attempt in made:
        assert set(attempt.speakers) == set(IN.speakers)
        assert set(attempt.others) == set(OUT.speakers)
        assert len(attempt.resampled) == 200
        assert min(attempt.resampled) <= attempt.rate <= max(attempt.resampled)


def test_the_area_is_that_under_the_curve():
    """With ties, and speakers who weigh more than others: beside scikit-learn."""
    draws = np.random.default_rng(0)
    near = {f"speaker {n}": float(draws.integers(0, 5)) for n in range(12)}
    truth = [n % 3 > 0 for n in range(12)]
    sides = tuple([name for name, one in zip(near, truth, strict=True) if one == s] for s in (1, 0))
    area, again = area_of(near, *sides)
    assert area == pytest.approx(roc_auc_score(truth, [*near.values()]))
    expected = [
        roc_auc_score(truth, [*near.values()], sample_weight=row) for row in weights_of([*near])
    ]
    assert again == pytest.approx(expected, abs=1e-6)
