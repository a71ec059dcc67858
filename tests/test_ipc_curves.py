"""One command makes the curves over items per class, and goes on where it was."""

import xml.etree.ElementTree as ET

import pytest
from scripts import makes_small_sets, script

from evaluation.report import Report
from synth_data.corpus import load

curves = script("ipc_curves")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the script small, into a folder of its own."""
    return makes_small_sets(curves, 1, tmp_path, monkeypatch, capsys)


@pytest.mark.slow
def test_curves_are_made_and_added_to(command, tmp_path):
    some = ("--objectives", "distribution-matching,linear-gradient-matching", "--baselines", "none")
    first = command(*some, "--ipc", "2", "--folds", 1)
    assert first.code == 0, first.err
    set_of = tmp_path / "out" / "sets" / "linear-gradient-matching" / "ipc-2" / "fold-1" / "set"
    made = (set_of / "manifest.json").stat().st_mtime_ns
    again = command(*some, "--ipc", "2,3", "--folds", 1)
    assert again.code == 0, again.err
    assert (set_of / "manifest.json").stat().st_mtime_ns == made
    report = Report.load(tmp_path / "out" / "report.json")
    found = {(row.set, row.ipc) for row in report.rows if row.initialisation == "random"}
    names = ("distribution-matching", "linear-gradient-matching")
    assert found == {("full", None), *((name, ipc) for name in names for ipc in (2, 3))}
    others = command(*some, "--ipc", "2", "--folds", 1, "--seed", 1)
    assert others.code == 2
    assert "is of sets that were made with other settings" in others.err
    picture = (tmp_path / "out" / "curves.svg").read_text()
    assert ET.fromstring(picture).tag.endswith("svg")


def test_the_largest_size_has_as_many_items_as_there_are_utterances():
    """Of the smallest fold, whichever are made."""
    config = curves.RunConfig(dataset="toy").resolved()
    toy = load("toy", spec=config.spec)
    rare = [row for row, u in enumerate(toy.utterances) if u.emotion != "anger" or row % 3 == 0]
    some = toy.select(rare)
    counts = [len(some.fold(config.corpus_protocol, fold)[0]) for fold in (1, 2, 3, 4)]
    assert curves.sizes("5,largest,1", some, config) == [1, 5, min(counts) // 4]


@pytest.mark.parametrize("task", ["dimensional", "both"])
def test_curves_of_dimensions_are_refused_before_any_work(task, command, tmp_path):
    (tmp_path / "felt.toml").write_text(f'task = "{task}"\n')
    outcome = command("--config", tmp_path / "felt.toml")
    assert outcome.code == 2
    assert f'so of sets of emotions alone; found task = "{task}" in' in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--objectives", "unroled"), "did you mean 'unrolled'?"),
        (("--ipc", "0"), "--ipc takes numbers from 1, and 'largest'; found '0'"),
        (("--folds", "5"), "--folds takes numbers from 1 to 4, or all; found '5'"),
        (("--baselines", "randm"), "unknown baseline 'randm'"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(words, message, command, tmp_path):
    outcome = command(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()
