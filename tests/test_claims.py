"""Which sets a report calls private, where several have one name."""

import re
from dataclasses import replace

import pytest
from small_evaluation import a_set
from small_sets import provenance
from test_evaluate_data_command import PLAIN, toy_set

from evaluation.claims import guarantees
from evaluation.named_sets import NamedSet, titles
from synth_data.corpus import load
from synth_data.features import FEATURES
from synth_data.guarantee import Guarantee
from synth_data.ledger import PrivacyBudget, Release, with_noise_for

BUDGETS = {epsilon: PrivacyBudget(epsilon, 1e-3) for epsilon in (3.0, 8.0)}


def a_named(
    ipc: int = 1, fold: int | None = 1, epsilon: float | None = 8.0, name: str = "distilled"
) -> NamedSet:
    """A set that is private under an epsilon, or not where there is none."""
    made = a_set(per_class=ipc, provenance=provenance(per_class=ipc, fold=fold))
    if epsilon is None:
        return NamedSet(name, made)
    budget = BUDGETS[epsilon]
    guarantee = Guarantee(budget, with_noise_for(budget, [Release("moments", 1.0)]))
    return NamedSet(name, replace(made, guarantee=guarantee))


def claimed(*sets: NamedSet) -> list[str]:
    """About which sets something is claimed, and at which epsilon."""
    found = [one.partition(" is differentially private") for one in guarantees(sets)]
    return [f"{who}: {what.split('epsilon ')[1].split()[0]}" for who, _, what in found]


def test_a_claim_names_the_set_by_its_size_where_one_name_has_several():
    one, other = a_named(ipc=1), a_named(ipc=2, epsilon=None)
    assert claimed(one, other) == ["distilled, ipc 1: 8"]
    assert claimed(one, replace(other, name="other")) == ["distilled: 8"]


def test_a_set_of_every_fold_is_claimed_once():
    assert claimed(*(a_named(fold=fold) for fold in (1, 2, 3))) == ["distilled: 8"]


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ([a_named(fold=1), a_named(fold=2, epsilon=None)], ["distilled (fold 1): 8"]),
        (
            [a_named(fold=2), a_named(fold=1), a_named(fold=3, epsilon=3.0)],
            ["distilled (fold 1, 2): 8", "distilled (fold 3): 3"],
        ),
        (
            [a_named(fold=1), a_named(fold=None), a_named(fold=2, epsilon=None)],
            ["distilled (fold 1 and all speakers): 8"],
        ),
        ([a_named(fold=1, epsilon=None)], []),
    ],
)
def test_folds_are_named_where_some_are_not_private(sets, said):
    assert claimed(*sets) == said


def test_sets_are_called_by_name_and_size_where_the_name_does_not_tell():
    first, second = a_named(fold=1), a_named(fold=2)
    large, other = a_named(ipc=2, fold=1), a_named(ipc=2, name="other")
    assert titles([first, second, other]) == ["distilled", "distilled", "other"]
    assert titles([first, large, other]) == ["distilled, ipc 1", "distilled, ipc 2", "other"]


@pytest.mark.slow
def test_rooms_of_one_name_are_told_apart_by_size(evaluate_data, tmp_path):
    digest = load("toy", spec=FEATURES["logmel64-short"]).digest
    for ipc in (1, 2):
        toy_set(per_class=ipc, corpus_digest=digest).save(tmp_path / str(ipc))
    done = evaluate_data(
        tmp_path / "1", tmp_path / "2", "--dataset", "toy", "--students", "linear", "--seeds", 1,
        *PLAIN, "-q", "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    _, _, page = (tmp_path / "out" / "report.html").read_text().partition('<h2 id="gallery">')
    assert re.findall("<h3>(distilled.*?)</h3>", page) == ["distilled, ipc 1", "distilled, ipc 2"]
