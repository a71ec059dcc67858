"""Which sets the words of a command line name, and how they are called."""

from pathlib import Path

import pytest
from small_evaluation import a_set, start
from small_sets import provenance

from evaluation.named_sets import COST, NamedSet, by_fold, load_sets, making_seconds
from synth_data.errors import SetError, UserError
from synth_data.synthetic import SyntheticSet


def of_fold(fold: int | None = 1, per_class: int = 2, network: str | None = "tdnn") -> SyntheticSet:
    return a_set(
        per_class=per_class,
        provenance=provenance(fold=fold, per_class=per_class),
        start=start(network) if network else None,
    )


def a_run(folder: Path, *folds: int | None, network: str = "tdnn") -> Path:
    """A run's folder, with the set of each fold."""
    for fold in folds:
        name = "none" if fold is None else fold
        of_fold(fold, network=network).save(folder / f"fold-{name}" / "set")
        (folder / f"fold-{name}" / COST).write_text('{"distilling_seconds": 7.5}')
    return folder


def test_the_folder_of_a_set(tmp_path):
    of_fold(3, per_class=2).save(tmp_path / "set")
    (one,) = load_sets([str(tmp_path / "set")])
    assert (one.name, one.ipc, one.network) == ("distilled", 2, "tdnn")
    assert (one.folder, one.making_seconds) == (tmp_path / "set", None)
    assert one.synthetic.provenance.fold == 3


def test_the_folder_of_a_run_holds_a_set_for_each_fold_in_their_order(tmp_path):
    found = load_sets([str(a_run(tmp_path / "run", 10, 2, 1))])
    assert [one.synthetic.provenance.fold for one in found] == [1, 2, 10]
    assert {one.name for one in found} == {"distilled"}
    assert {one.making_seconds for one in found} == {7.5}


def test_the_set_of_all_speakers_is_left_out_of_a_run(tmp_path):
    """Nobody is left to test it on; it can still be named itself."""
    run = a_run(tmp_path / "run", 1, None)
    assert [one.synthetic.provenance.fold for one in load_sets([str(run)])] == [1]
    (shared,) = load_sets([str(run / "fold-none" / "set")])
    assert shared.synthetic.provenance.fold is None
    with pytest.raises(SetError, match="neither the folder of a set"):
        load_sets([str(a_run(tmp_path / "only", None))])


def test_sets_are_named(tmp_path):
    a_run(tmp_path / "mine", 1, 2)
    a_run(tmp_path / "theirs", 1)
    found = load_sets([f"a={tmp_path / 'mine'}", f"b={tmp_path / 'theirs'}"])
    assert [(one.name, one.synthetic.provenance.fold) for one in found] == [
        ("a", 1),
        ("a", 2),
        ("b", 1),
    ]


def test_a_folder_with_an_equals_sign_is_a_folder(tmp_path):
    of_fold().save(tmp_path / "ipc=2")
    (one,) = load_sets([str(tmp_path / "ipc=2")])
    assert (one.name, one.folder) == ("distilled", tmp_path / "ipc=2")


def test_sets_of_several_networks_are_told_apart(tmp_path):
    words = [str(a_run(tmp_path / network, 1, network=network)) for network in ("tdnn", "crnn")]
    assert [one.name for one in load_sets(words)] == ["distilled for tdnn", "distilled for crnn"]
    # A set that was made for none has no network in its name.
    of_fold(network=None).save(tmp_path / "foreign")
    found = load_sets([words[0], str(tmp_path / "foreign")])
    assert [(one.name, one.network) for one in found] == [
        ("distilled for tdnn", "tdnn"),
        ("distilled", None),
    ]


def test_one_name_may_have_several_sizes_and_folds(tmp_path):
    of_fold(1, per_class=1).save(tmp_path / "one")
    of_fold(1, per_class=2).save(tmp_path / "two")
    of_fold(2, per_class=2).save(tmp_path / "other")
    found = load_sets([str(tmp_path / name) for name in ("one", "two", "other")])
    assert {one.name for one in found} == {"distilled"}
    folds = by_fold(found)
    assert [one.ipc for one in folds[1]] == [1, 2]
    assert [one.ipc for one in folds[2]] == [2]


def test_sets_that_would_have_one_name(tmp_path):
    for name in ("a", "b"):
        of_fold().save(tmp_path / name)
    words = [str(tmp_path / name) for name in ("a", "b")]
    message = (
        f"{words[1]} and {words[0]} are both called distilled, at ipc 2 of the same fold: name "
        f"them, as in first={words[0]} second={words[1]}"
    )
    with pytest.raises(UserError) as caught:
        load_sets(words)
    assert str(caught.value) == message
    assert len(load_sets([f"first={words[0]}", f"second={words[1]}"])) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("full", "random", "model", "majority", "untrained"),
        *("teacher: x", "distilled-model: x", "full, x"),
    ],
)
def test_the_names_of_baselines_are_taken(tmp_path, name):
    of_fold().save(tmp_path / "set")
    with pytest.raises(
        UserError, match=f"cannot be called {name}, .*: give it another name, as in"
    ):
        load_sets([f"{name}={tmp_path / 'set'}"])


def test_a_name_that_cannot_be_printed(tmp_path):
    of_fold().save(tmp_path / "set")
    with pytest.raises(UserError, match=r"must be printable, .*; found 'a\\nb'"):
        load_sets([f"a\nb={tmp_path / 'set'}"])
    assert load_sets([f" mine ={tmp_path / 'set'}"])[0].name == "mine"


def test_a_folder_that_holds_no_set(tmp_path):
    with pytest.raises(SetError, match=r"neither the folder of a set \(manifest\.json\) nor that"):
        load_sets([str(tmp_path)])
    with pytest.raises(SetError, match="gone"):
        load_sets([str(tmp_path / "gone")])


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        ('{"distilling_seconds": 12.5}', 12.5),
        ('{"distilling_seconds": 3}', 3.0),
        (None, None),
        ("{", None),
        ("[]", None),
        ("{}", None),
        ('{"distilling_seconds": null}', None),
        ('{"distilling_seconds": "a while"}', None),
        ('{"distilling_seconds": NaN}', None),
        ('{"distilling_seconds": Infinity}', None),
        ('{"distilling_seconds": -3}', None),
        ('{"distilling_seconds": 1' + 400 * "0" + "}", None),
    ],
)
def test_what_a_set_took_to_make(tmp_path, content, seconds):
    if content is not None:
        (tmp_path / COST).write_text(content)
    assert making_seconds(tmp_path / "set") == seconds


def test_by_fold_keeps_sets_of_all_speakers_apart():
    sets = [NamedSet("a", of_fold(1)), NamedSet("a", of_fold(None)), NamedSet("b", of_fold(1))]
    folds = by_fold(sets)
    assert [one.name for one in folds[1]] == ["a", "b"]
    assert folds[None] == [sets[1]]
