"""The figure of time and memory over the size of the corpus."""

import xml.etree.ElementTree as ET

import pytest
from commands import run_here
from scripts import script

from synth_data.console import run

scaling = script("scaling")


@pytest.mark.slow
def test_time_and_memory_are_measured_for_every_size(tmp_path, monkeypatch, capsys):
    words = ("--utterances", "320,4000", "--objectives", "released-moments", "--steps", 1)
    picture = tmp_path / "scaling.svg"
    outcome = run_here(
        lambda: run(scaling.app), (*words, "--ipc", 1, "--out", picture), monkeypatch, capsys
    )
    assert outcome.code == 0, outcome.err
    small, large = ([cell.strip() for cell in row.split("|")[1:-1]] for row in outcome.lines[2:])
    assert (small[:2], large[:2]) == (["released-moments", "320"], ["released-moments", "4,000"])
    # What 4,000 utterances take must be in what the process held.
    assert float(large[5]) > float(large[4]) > float(small[4])
    assert float(large[2]) > float(small[2])
    assert ET.fromstring(picture.read_text()).tag.endswith("svg")


def test_elsewhere_than_on_linux_it_says_why_not(monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "darwin")
    outcome = run_here(lambda: run(scaling.app), (), monkeypatch, capsys)
    assert outcome.code == 2
    assert "is read from /proc, which Linux alone has" in outcome.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--utterances", "1e3"), "--utterances takes numbers, such as 1000,10000; found '1e3'"),
        (("--objectives", "unroled"), "did you mean 'unrolled'?"),
    ],
)
def test_what_does_not_fit_is_refused(words, message, monkeypatch, capsys):
    outcome = run_here(lambda: run(scaling.app), words, monkeypatch, capsys)
    assert outcome.code == 2
    assert message in outcome.err
