"""Accounts: charged first, answered once, and never again, whatever happens in between."""

import json
from dataclasses import asdict
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from synth_data.account import (
    CHARGED,
    Account,
    append,
    epsilon_of_corpus,
    forget_answers,
    ledger_of_corpus,
    merged,
    other_units,
)
from synth_data.errors import UserError
from synth_data.ledger import OverBudgetError, PrivacyBudget, Release, epsilon_of, with_noise_for
from synth_data.mechanism import Draw, Question

BUDGET = PrivacyBudget(3.0, 1e-4)
FIRST, SECOND = Question("means", 1), Question("means", 2)
WALK = Question("walk", 1, sample=Draw(0.5, torch.Generator()))


@cache
def plan() -> list[Release]:
    """Not made as the file is read: what sampled releases add up to takes seconds to compute."""
    asked = [Release("means", 1.0, count=2), Release("walk", 1.0, sampling_probability=0.5)]
    return with_noise_for(BUDGET, asked)


def random(noise_multiplier: float) -> Tensor:
    return noise_multiplier * torch.randn(3, dtype=torch.float64)


def never(noise_multiplier: float) -> Tensor:
    raise AssertionError(f"asked again, with noise {noise_multiplier}")


def test_an_answer_is_kept_and_nothing_is_asked_again(tmp_path):
    told = [Account(BUDGET, plan(), tmp_path).answer(q, random) for q in (FIRST, WALK)]
    later = Account(BUDGET, plan(), tmp_path)
    assert [later.answer(q, never).tolist() for q in (FIRST, WALK)] == [t.tolist() for t in told]
    assert later.answer(SECOND, random).tolist() != told[0].tolist()
    assert set(later.ledger.releases) == set(merged(plan()))
    assert later.ledger.epsilon == pytest.approx(3.0, rel=1e-3)


def test_each_gets_the_noise_that_was_planned_for_it():
    account = Account(BUDGET, plan())
    heard: list[float] = []
    for question in (FIRST, WALK):
        account.answer(question, lambda noise: heard.append(noise) or torch.zeros(1))
    assert heard == [plan()[0].noise_multiplier, plan()[1].noise_multiplier]


def test_a_crash_before_the_answer_is_paid_for(tmp_path):
    def crash(_: float) -> Tensor:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Account(BUDGET, plan(), tmp_path).answer(FIRST, crash)
    later = Account(BUDGET, plan(), tmp_path)
    assert [one.count for one in later.ledger.releases] == [1]
    later.answer(FIRST, random)
    with pytest.raises(OverBudgetError, match="means: this would bring epsilon"):
        later.answer(SECOND, random)


def test_what_was_not_planned_has_room_only_where_the_plan_leaves_it():
    loose = [Release("means", 100.0)]
    account = Account(BUDGET, loose)
    account.answer(Question("something else", 1), random)
    assert [one.purpose for one in account.ledger.releases] == ["something else"]
    account.answer(FIRST, random)
    with pytest.raises(OverBudgetError):
        Account(BUDGET, plan()).answer(Question("something else", 1), random)


def test_all_sets_from_a_corpus_come_together(tmp_path):
    everywhere = tmp_path / "corpus.jsonl"
    for run in ("one", "another"):
        account = Account(BUDGET, plan(), tmp_path / run, everywhere)
        for question in (FIRST, SECOND, WALK):
            account.answer(question, random)
    expected = epsilon_of([*plan(), *plan()], BUDGET.delta)
    assert epsilon_of_corpus(everywhere, BUDGET) == pytest.approx(expected)
    utterances = PrivacyBudget(3.0, 1e-4, "utterance")
    assert epsilon_of_corpus(everywhere, utterances) == 0.0  # which protects nobody's speech as one
    assert epsilon_of_corpus(tmp_path / "none.jsonl", BUDGET) == 0.0


def homeless() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_the_ledger_of_a_corpus_has_a_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("DISTILL_DATA_LEDGERS", raising=False)
    assert ledger_of_corpus("abc") == tmp_path / "distill-data" / "ledgers" / "abc.jsonl"
    with monkeypatch.context() as nobody:
        nobody.delenv("XDG_DATA_HOME")
        nobody.setattr(Path, "home", homeless)
        with pytest.raises(UserError, match="there is none: set DISTILL_DATA_LEDGERS to a folder"):
            ledger_of_corpus("abc")
    monkeypatch.setenv("DISTILL_DATA_LEDGERS", str(tmp_path / "mine"))
    assert ledger_of_corpus("abc") == tmp_path / "mine" / "abc.jsonl"


def test_answers_are_removed_and_charges_are_kept(tmp_path):
    Account(BUDGET, plan(), tmp_path).answer(FIRST, random)
    forget_answers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [CHARGED]


def test_a_damaged_answer_is_not_asked_for_again(tmp_path):
    Account(BUDGET, plan(), tmp_path).answer(FIRST, random)
    (tmp_path / "means-1.safetensors").write_bytes(b"half of it")
    with pytest.raises(UserError, match=r"means-1.safetensors: damaged .* put it back"):
        Account(BUDGET, plan(), tmp_path).answer(FIRST, never)


def test_units_of_other_sets_are_named(tmp_path):
    everywhere = tmp_path / "corpus.jsonl"
    Account(BUDGET, plan(), None, everywhere).answer(FIRST, random)
    assert other_units(everywhere, "speaker") == []
    assert other_units(everywhere, "utterance") == ["speaker"]


@pytest.mark.parametrize("text", ["{", '{"purpose": "means"}', "[1]", '{"unit": "speaker"}'])
def test_a_damaged_ledger_is_not_taken_for_an_empty_one(tmp_path, text):
    Account(BUDGET, plan(), tmp_path).answer(FIRST, random)
    with (tmp_path / CHARGED).open("a") as file:
        file.write(text + "\n")
    with pytest.raises(UserError, match=r"charged.jsonl, line 2: damaged .* mend the line"):
        Account(BUDGET, plan(), tmp_path)


def test_a_charge_is_a_line_that_people_can_read(tmp_path):
    Account(BUDGET, plan(), tmp_path).answer(WALK, random)
    assert json.loads((tmp_path / CHARGED).read_text()) == {
        "purpose": "walk",
        "noise_multiplier": plan()[1].noise_multiplier,
        "sampling_probability": 0.5,
        "count": 1,
        "unit": "speaker",
    }


def test_releases_that_nobody_can_add_up_are_bounded_instead(tmp_path):
    """Of sampled releases with ever other noise, together too many for the accountant."""
    everywhere = tmp_path / "corpus.jsonl"
    noises = [4 + n / 100 for n in range(60)]
    for noise in noises:
        sampled = Release("means", noise, sampling_probability=0.1)
        append(everywhere, {"unit": BUDGET.unit, **asdict(sampled)})
    with pytest.raises(UserError, match="take the accountant as long as"):
        epsilon_of([Release("means", noise, 0.1) for noise in noises], BUDGET.delta)
    whole = epsilon_of([Release("means", noise) for noise in noises], BUDGET.delta)
    assert epsilon_of_corpus(everywhere, BUDGET) == pytest.approx(whole)
