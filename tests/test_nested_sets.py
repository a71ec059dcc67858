"""One command says whether the beginning of a set is worth a set that is made at its size."""

import pytest
from scripts import makes_small_sets, script

from distill.config import RunConfig
from evaluation.report import Report

nested = script("nested_sets")


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Runs the script small, into a folder of its own."""
    return makes_small_sets(nested, 2, tmp_path, monkeypatch, capsys)


@pytest.mark.slow
def test_sizes_are_made_once_and_compared_on_the_same_speakers(command, tmp_path):
    first = command("--ipc", 7, "--nested", "1,2")
    assert first.code == 0, first.err
    made = tmp_path / "out" / "sets" / "nested" / "fold-1" / "set" / "manifest.json"
    before = made.stat().st_mtime_ns
    again = command("--ipc", 7, "--nested", "1,2")
    assert again.out == first.out
    assert made.stat().st_mtime_ns == before
    report = Report.load(tmp_path / "out" / "report.json")
    small = {row.set for row in report.rows if row.ipc == 1}
    assert small == {nested.ALONE, nested.NESTED, nested.PLAIN}
    assert {row.set for row in report.rows if row.ipc == 7} == {nested.ALONE, nested.NESTED}
    sizes = {(row.ipc, row.utterances) for row in report.rows if row.ipc}
    assert len(sizes) == 3  # all that are called alike have as many items
    lines = [line for line in first.out.splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + 3 * 2
    (one,) = (line for line in lines if line.startswith("| 1 |") and "random" in line)
    differences = {
        found.against: found.difference.mean
        for found in report.comparisons
        if (found.set, found.ipc, found.initialisation) == (nested.NESTED, 1, "random")
    }
    assert f"{differences[nested.ALONE]:+.3f} [" in one


@pytest.mark.slow
def test_sizes_differ_in_nothing_but_size(command, tmp_path):
    """Though "auto" has another objective for fourteen items of each class than for two."""
    sizes = {ipc: RunConfig.of(None, {"ipc": ipc}).resolved().choice.settings for ipc in (2, 14)}
    assert sizes[2] != sizes[14]
    assert command("--ipc", 7, "--nested", "1").code == 0
    made = [RunConfig.of(path, {}) for path in (tmp_path / "out" / "sets").glob("*/run.toml")]
    assert {config.ipc for config in made} == {1, 7}
    alike = {config.model_copy(update={"ipc": 7, "nested": ()}).toml() for config in made}
    assert len(alike) == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--nested", "10"), "--nested takes numbers from 1 to 9; found '10'"),
        (("--folds", "9"), "--folds takes numbers from 1 to 4, or all; found '9'"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(words, message, command, tmp_path):
    outcome = command(*words)
    assert outcome.code == 2
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_sizes_that_come_to_the_same_are_refused_before_any_work(command, tmp_path):
    """The toy corpus has some 80 utterances of each emotion to learn from."""
    outcome = command("--ipc", 60, "--nested", "1,55")
    assert outcome.code == 2
    assert "(of fold 1): 1 to 2, 55 to " in outcome.err
    assert not (tmp_path / "out" / "sets").exists()


def test_dimensions_are_refused(command, tmp_path):
    (tmp_path / "felt.toml").write_text('task = "dimensional"\n')
    outcome = command("--config", tmp_path / "felt.toml")
    assert outcome.code == 2
    assert 'found task = "dimensional" in' in outcome.err
