"""Does a set tell whose speech it was made from? Where it is that speech, it does."""

from collections import defaultdict

import torch
from test_speaker_attacks import voices

from evaluation.attacks.attempts import Scene, Shared, Speech
from evaluation.attacks.membership import who_is_in

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


def test_of_speakers_who_are_out_the_set_tells_the_opposite():
    assert areas(OUT.features[:24])["full, made", "nearest item"] == [0.0]


def test_the_interval_is_over_speakers():
    found, _ = who_is_in(Scene((PLAIN,), (Shared("made", IN.features[:3], PLAIN),), seed=0))
    made = [attempt for attempt in found if attempt.speech == "full, made"]
    for attempt in made:
        assert len(attempt.resampled) == 200
        assert min(attempt.resampled) <= attempt.rate <= max(attempt.resampled)
