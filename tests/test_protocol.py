"""Protocols: what a fold may and may not hold."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from synth_data.errors import CorpusError
from synth_data.folds import Fold
from synth_data.protocol import (
    Protocol,
    dealt,
    gender_split,
    grouped,
    leave_one_out,
    listed_split,
    listed_tests,
    pooled,
    speaker_dependent,
    speaker_split,
)
from synth_data.utterance import UNKNOWN, AudioFile, Utterance


def corpus(speakers: str, *, per_speaker: int = 3, sessions: str | None = None) -> list[Utterance]:
    """Utterances of one-letter speakers; `sessions` names each speaker's session."""
    return [
        Utterance(
            name=f"{speaker}{i}",
            audio=AudioFile(Path(f"{speaker}{i}.wav")),
            emotion="joy",
            speaker=speaker,
            session=sessions[k] if sessions else None,
        )
        for i in range(per_speaker)
        for k, speaker in enumerate(speakers)
    ]


def women_and_men(women: str, men: str) -> list[Utterance]:
    return [
        replace(utterance, gender="female" if utterance.speaker in women else "male")
        for utterance in corpus(women + men, per_speaker=2)
    ]


def listed(*rows: str) -> list[Utterance]:
    """Utterances from "speaker split" rows."""
    return [
        Utterance(str(i), AudioFile(Path(f"{i}.wav")), "joy", row.split()[0], split=row.split()[1])
        for i, row in enumerate(rows)
    ]


def speakers(utterances: Sequence[Utterance], rows: Sequence[int]) -> str:
    return "".join(sorted({utterances[row].speaker for row in rows}))


def sides(utterances: Sequence[Utterance], fold: Fold) -> tuple[str, str, str]:
    return (
        speakers(utterances, fold.train),
        speakers(utterances, fold.validation),
        speakers(utterances, fold.test),
    )


@pytest.mark.parametrize(
    "protocol",
    [
        leave_one_out("speaker"),
        leave_one_out("session"),
        dealt(),
        grouped("pairs", ["ab", "cd", "ef", "gh", "ij"]),
        speaker_dependent(),
    ],
    ids=lambda protocol: protocol.name,
)
def test_every_utterance_is_tested_once_and_sides_are_disjoint(protocol: Protocol) -> None:
    utterances = corpus("abcdefghij", sessions="1122334455")
    folds = protocol.folds(utterances)
    assert sorted(i for fold in folds for i in fold.test) == list(range(30))
    for fold in folds:
        assert all((fold.train, fold.validation, fold.test))
        assert sorted(fold.train + fold.validation + fold.test) == list(range(30))
        shared = len("".join(sides(utterances, fold))) - 10
        assert (shared == 0) == protocol.speaker_independent


def test_unknown_speakers_are_left_out_together() -> None:
    """A fold for each of many utterances that may be anybody's would cost much and tell little."""
    known, nobody = corpus("abc"), corpus("x", per_speaker=4)
    unknown = [replace(one, speaker=UNKNOWN + one.name) for one in nobody]
    folds = leave_one_out("speaker").folds([*known, *unknown])
    tested = [{[*known, *unknown][row].speaker for row in fold.test} for fold in folds]
    assert tested == [{"a"}, {"b"}, {"c"}, {one.speaker for one in unknown}]


def test_validation_hears_known_and_unknown_speakers_in_the_share_of_each() -> None:
    """An utterance of somebody unknown is not worth all that somebody said."""
    known, nobody = corpus("abcdefghijk"), corpus("x", per_speaker=30)
    mixed = [*known, *(replace(one, speaker=UNKNOWN + one.name) for one in nobody)]
    alone = leave_one_out("speaker").folds(known)
    for fold, without in zip(leave_one_out("speaker").folds(mixed), alone, strict=False):
        heard = [row for row in fold.validation if row < len(known)]
        assert heard == [*without.validation]
        assert len(fold.validation) - len(heard) == 6  # of 30


def test_leave_one_out_validates_on_those_that_follow() -> None:
    utterances = corpus("abcdefghijk")
    folds = leave_one_out("speaker").folds(utterances)
    assert sides(utterances, folds[0]) == ("defghijk", "bc", "a")
    assert sides(utterances, folds[10]) == ("cdefghij", "ab", "k")


def test_leave_one_session_out_holds_out_whole_sessions() -> None:
    utterances = corpus("abcdefghij", sessions="1122334455")
    folds = leave_one_out("session").folds(utterances)
    assert len(folds) == 5
    assert sides(utterances, folds[4]) == ("cdefgh", "ab", "ij")


def test_two_speakers_are_too_few() -> None:
    with pytest.raises(CorpusError, match=r"speakers found: 2\..*at least 3; --fold none"):
        leave_one_out("speaker").folds(corpus("ab"))


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("names", ["abc", "kfabcdeghij", "zqxab"])
def test_leave_one_out_is_what_its_definition_says(names: str, share: float) -> None:
    utterances = corpus(names, per_speaker=4)
    found = leave_one_out("speaker", share).folds(utterances)
    assert len(found) == len(names)
    for k, tested in enumerate(sorted(names)):
        rest = sorted(names)[k + 1 :] + sorted(names)[:k]
        held = rest[: max(1, round(share * len(rest)))]

        def rows(speakers: Sequence[str]) -> tuple[int, ...]:
            return tuple(i for i, u in enumerate(utterances) if u.speaker in speakers)

        assert found[k] == Fold(rows(sorted({*rest} - {*held})), rows(held), rows([tested]))
    assert list(found) == found[:] == [found[k] for k in range(len(names))]
    assert found[-1] == found[len(names) - 1]


def test_only_the_fold_that_is_asked_for_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else many speakers' folds take speakers times utterances of time and memory."""
    made = []
    monkeypatch.setattr("synth_data.folds.Fold", lambda *rows: made.append(rows) or Fold(*rows))
    found = leave_one_out("speaker").folds(corpus("abcdefghijklmnopqrstuvwxyz"))
    assert len(found) == 26
    assert set(found[3].test) == {3, 29, 55}
    assert pooled(found)
    assert 3 <= len(made) < 8  # the checks of types in tests look at one at random


def test_folds_of_one_number_are_those_that_train_on_others() -> None:
    utterances = listed("a train", "b validation", "c one", "d two")
    assert not pooled(listed_tests("tests", ("one", "two")).folds(utterances))
    assert pooled(listed_tests("tests", ("one", "three")).folds(utterances))
    for protocol in (dealt(3), speaker_dependent(3), leave_one_out("speaker")):
        assert pooled(protocol.folds(corpus("abcd")))


def test_session_protocol_without_sessions() -> None:
    with pytest.raises(CorpusError, match="utterance 'a0' has no session"):
        leave_one_out("session").folds(corpus("abc"))


def test_speaker_in_two_sessions() -> None:
    utterances = corpus("abc", sessions="123") + corpus("ad", sessions="45")
    with pytest.raises(CorpusError, match=r"two sides of one fold: 1 \(a\); use a protocol that"):
        leave_one_out("session").folds(utterances)


def test_grouped_skips_absent_speakers() -> None:
    utterances = corpus("abc")
    folds = grouped("pairs", ["ax", "yz", "b", "c"]).folds(utterances)
    assert [sides(utterances, fold) for fold in folds] == [
        ("c", "b", "a"),
        ("a", "c", "b"),
        ("b", "a", "c"),
    ]


def test_grouped_does_not_know_a_speaker() -> None:
    with pytest.raises(CorpusError, match=r"no fold for speaker x, y; use --protocol leave-one"):
        grouped("pairs", ["a", "b", "c"]).folds(corpus("abcxy"))


def test_grouped_with_too_little_of_a_corpus() -> None:
    with pytest.raises(CorpusError, match=r"'pairs' has 2 folds .* at least 3: complete the tree"):
        grouped("pairs", ["ab", "cd", "ef"]).folds(corpus("abcd"))


def test_dealt_is_the_same_each_time_and_mixes_speakers() -> None:
    utterances = corpus("abcdefghijklmnopqrst", per_speaker=1)
    assert dealt().folds(utterances) == dealt().folds(utterances)
    assert dealt(seed=1).folds(utterances) != dealt().folds(utterances)
    tests = [speakers(utterances, fold.test) for fold in dealt().folds(utterances)]
    assert {len(test) for test in tests} == {4}
    assert tests[0] != "abcd"


def test_dealt_to_too_few_speakers() -> None:
    with pytest.raises(CorpusError, match=r"speakers found: 4, too few for 5 folds; use"):
        dealt().folds(corpus("abcd"))


def test_speaker_split_is_as_listed() -> None:
    utterances = corpus("abcdef")
    (fold,) = speaker_split("mine", "bx", "d").folds(utterances)
    assert sides(utterances, fold) == ("acef", "d", "b")
    assert len(fold.train) + len(fold.validation) + len(fold.test) == len(utterances)


def test_speaker_split_holds_out_training_speakers_where_none_are_listed() -> None:
    utterances = corpus("abcdefghijk")
    (fold,) = speaker_split("mine", "k").folds(utterances)
    assert sides(utterances, fold) == ("cdefghij", "ab", "k")


@pytest.mark.parametrize(
    ("speakers", "found"), [("abc", "3, 0"), ("xyb", "3, 2"), ("xyd", "3, 2"), ("xa", "2, 1")]
)
def test_speaker_split_without_a_side(speakers: str, found: str) -> None:
    lists = {"abc": ("xy", ""), "xyb": ("xy", "d"), "xyd": ("xy", "d"), "xa": ("x", "a")}
    with pytest.raises(
        CorpusError, match=rf"'mine' has a side without .* found: {found} of .*: complete the tree"
    ):
        speaker_split("mine", *lists[speakers]).folds(corpus(speakers))


SIZES = {"female": (2, 1, 1), "male": (3, 2, 1)}


def test_gender_split_draws_so_many_of_each() -> None:
    utterances = women_and_men("abcd", "uvwxyz")
    (fold,) = gender_split("mine", SIZES).folds(utterances)
    found = sides(utterances, fold)
    assert [len(set(side) & set("abcd")) for side in found] == [2, 1, 1]
    assert [len(set(side) & set("uvwxyz")) for side in found] == [3, 2, 1]
    assert sorted("".join(found)) == list("abcduvwxyz")


def test_gender_split_is_the_same_each_time() -> None:
    utterances = women_and_men("abcd", "uvwxyz")
    (fold,) = gender_split("mine", SIZES).folds(utterances)
    assert sides(utterances, fold) == ("abuyz", "dvw", "cx")
    drawn = [gender_split("mine", SIZES, seed).folds(utterances) for seed in range(4)]
    assert drawn[0] == [fold]
    assert any(other != [fold] for other in drawn)


def test_gender_split_of_other_numbers_of_speakers() -> None:
    with pytest.raises(CorpusError, match=r"'mine' splits 4 female speakers, found: 3; complete"):
        gender_split("mine", SIZES).folds(women_and_men("abc", "uvwxyz"))


def test_listed_split_is_taken_as_it_is() -> None:
    utterances = listed("a train", "b validation", "c test", "a train")
    assert listed_split().folds(utterances) == [Fold((0, 3), (1,), (2,))]


def test_listed_split_without_validation_holds_out_training_speakers() -> None:
    utterances = listed("a train", "b train", "c test", "a train")
    assert listed_split().folds(utterances) == [Fold((1,), (0, 3), (2,))]


def test_listed_split_without_a_side() -> None:
    with pytest.raises(CorpusError, match="rows with 'test'; found 2 and 0"):
        listed_split().folds(listed("a train", "b train"))


def test_listed_split_with_one_training_speaker() -> None:
    with pytest.raises(CorpusError, match="a single speaker, so none can be held out"):
        listed_split().folds(listed("a train", "b test"))


@pytest.mark.parametrize(
    "rows", [("a train", "b validation", "a test"), ("a train", "b train", "a test")]
)
def test_listed_split_with_a_speaker_on_two_sides(rows: tuple[str, ...]) -> None:
    with pytest.raises(CorpusError, match=r"speakers on two sides of one fold: 1 \(a\)"):
        listed_split().folds(listed(*rows))


def test_speaker_dependent_is_the_same_each_time() -> None:
    utterances = corpus("abc")
    assert speaker_dependent().folds(utterances) == speaker_dependent().folds(utterances)
    assert speaker_dependent(seed=1).folds(utterances) != speaker_dependent().folds(utterances)


@pytest.mark.parametrize("size", [5, 6, 7, 12])
def test_speaker_dependent_has_all_its_folds(size: int) -> None:
    folds = speaker_dependent().folds(corpus("a", per_speaker=size))
    assert len(folds) == 5
    assert all(fold.test and fold.validation and fold.train for fold in folds)
