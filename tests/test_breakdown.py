"""The numbers taken apart: by emotion, by speaker, by gender."""

from dataclasses import replace

import pytest
from small_folds import folds, report

from evaluation.records import Group
from evaluation.runs import FoldResult
from synth_data.utterance import UNKNOWN


def groups_of(results: list[FoldResult], name: str) -> dict[str, Group]:
    return {group.group: group for group in report(results).groups if group.set == name}


def test_confusions_are_counted_over_folds_and_averaged_over_students() -> None:
    found = {one.set: one.counts for one in report(folds()).confusions}
    assert list(found) == ["full", "distilled", "random"]
    assert found["full"] == ((4.0, 0.0), (0.5, 3.5))
    assert found["distilled"] == ((3.5, 0.5), (1.0, 3.0))
    assert found["random"] == ((2.0, 2.0), (1.0, 3.0))


def test_each_speaker_and_gender_has_the_uar_of_its_own_utterances() -> None:
    found = groups_of(folds(), "distilled")
    assert list(found) == ["ada", "bob", "eve", "female", "male"]
    assert [one.kind for one in found.values()] == ["speaker"] * 3 + ["gender"] * 2
    assert found["ada"].uar == pytest.approx((1 + 1 / 2) / 2)
    assert found["bob"].uar == 1.0
    assert found["eve"].uar == pytest.approx((1 + 1 / 2) / 2)  # one student misses one of two
    # Ada and Eve together: calm 3/3 and 2/3 by the two students, angry 2/3 by both.
    assert found["female"].uar == pytest.approx(((1 + 2 / 3) / 2 + 2 / 3) / 2)
    assert found["male"].uar == found["bob"].uar
    assert [one.utterances for one in found.values()] == [4, 2, 2, 6, 2]
    assert {one.chance for one in found.values()} == {0.5}


def test_unknown_speakers_are_one_group() -> None:
    one, two = folds()
    names = {name: f"{UNKNOWN}{name}" for name in ("ada", "eve")}
    anonymous = [
        replace(each, speakers=tuple(names.get(name, name) for name in each.speakers))
        for each in (one, two)
    ]
    found = groups_of(anonymous, "distilled")
    assert list(found) == ["bob", "unknown", "female", "male"]
    assert found["unknown"].uar == pytest.approx(found["female"].uar)
    assert found["unknown"].utterances == 6


def test_chance_is_over_the_emotions_that_somebody_has() -> None:
    one, two = folds()
    found = groups_of([one, replace(two, truth=(0, 1, 0, 1))], "full")  # Bob is calm, Eve angry
    assert {name: group.chance for name, group in found.items()} == {
        "ada": 0.5, "bob": 1.0, "eve": 1.0, "female": 0.5, "male": 1.0
    }  # fmt: skip


def test_speakers_of_unknown_gender_are_in_no_gender() -> None:
    one, two = folds()
    found = groups_of([one, replace(two, genders=("", "female", "", "female"))], "full")
    assert list(found) == ["ada", "bob", "eve", "female"]


def test_only_clean_speech_and_the_plain_recipe_are_taken_apart() -> None:
    one, _ = folds()
    others = [{"recipe": "augmented"}, {"recipe": "hard-labels"}, {"speech": "noise"}]
    more = tuple(replace(one.runs[0], **change) for change in others)  # type: ignore[arg-type]
    herding = replace(one.runs[4], set="herding")
    made = report([replace(one, runs=(*one.runs, *more, herding))])
    assert [one.set for one in made.confusions] == ["full", "distilled", "random", "herding"]
    assert {one.set for one in made.groups} == {"full", "distilled", "random"}
    for part in (*made.confusions, *made.groups):
        assert (part.recipe, part.speech) == ("generic", "clean")
