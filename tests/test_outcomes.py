"""Outcomes are found again if, and only if, all that decides them is the same."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_evaluation import QUICK, TEST, TRAIN, VALIDATION, WEIGHTS, a_set, judged, untimed

from evaluation import jobs
from evaluation.augment import Augment
from evaluation.baselines import Competitor
from evaluation.jobs import Heard, Job, Outcome, carry_out, hear_more
from evaluation.outcomes import Outcomes
from evaluation.runs import CLEAN
from evaluation.students import Examples, Setting

HEARD = Heard(VALIDATION.features, {CLEAN: TEST.features})
SETTING = Setting(3, 1e-2)
JOB = Job(
    Competitor("full", Examples(TRAIN.features, TRAIN.targets), None, "real items"),
    student="tdnn",
    initialisation="random",
    weights=WEIGHTS,
    recipe=QUICK,
    recipe_name="custom",
    seed=0,
    base_seed=0,
    keep=True,
)
ASKED = HEARD.digests
KEY = JOB.key(SETTING, ASKED.validation)


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    return carry_out(JOB, SETTING, HEARD)


@pytest.fixture
def stored(tmp_path: Path, outcome: Outcome) -> Outcomes:
    outcomes = Outcomes(tmp_path / "students")
    outcomes.put(KEY, ASKED, outcome)
    return outcomes


def of_examples(features: torch.Tensor, targets: torch.Tensor) -> Job:
    return replace(JOB, competitor=replace(JOB.competitor, examples=Examples(features, targets)))


def nudged(tensor: torch.Tensor) -> torch.Tensor:
    """The same but for the last bit of one number."""
    other = tensor.clone()
    other.view(-1)[-1] = torch.nextafter(other.view(-1)[-1], torch.tensor(9.0))
    return other


OTHER_TARGETS = TRAIN.targets.roll(1, dims=0)
OTHER_WEIGHTS = {**WEIGHTS, "head.weight": nudged(WEIGHTS["head.weight"])}
OTHER_JOBS = {
    "one value of the features": of_examples(nudged(TRAIN.features), TRAIN.targets),
    "the order of labels": of_examples(TRAIN.features, OTHER_TARGETS),
    "fewer items": of_examples(TRAIN.features[1:], TRAIN.targets[1:]),
    "the student": replace(JOB, student="convnet"),
    "one weight": replace(JOB, weights=OTHER_WEIGHTS),
    "the recipe": replace(JOB, recipe=replace(QUICK, augment=Augment(bands=1))),
    "the seed": replace(JOB, seed=1),
    "the base seed": replace(JOB, base_seed=1),
}


def test_an_outcome_is_found_again_with_equal_bits(stored, outcome):
    found = stored.find(KEY, HEARD, ASKED, keep=True)
    assert replace(found, weights=None) == replace(outcome, weights=None)
    assert found.weights.keys() == outcome.weights.keys()
    assert all(torch.equal(found.weights[key], weight) for key, weight in outcome.weights.items())


def test_equal_jobs_have_equal_keys():
    again = of_examples(TRAIN.features.clone(), TRAIN.targets.clone())
    heard = Heard(VALIDATION.features.clone(), {CLEAN: TEST.features.clone()})
    weights = dict(reversed(WEIGHTS.items()))
    assert replace(again, weights=weights).key(SETTING, heard.digests.validation) == KEY
    # What a set is called, or which of its bytes were counted, trains no other student.
    renamed = replace(JOB, competitor=replace(JOB.competitor, name="whole", bytes=7))
    assert renamed.key(SETTING, ASKED.validation) == KEY


@pytest.mark.parametrize("what", OTHER_JOBS)
def test_another_job_has_another_key(stored, what):
    key = OTHER_JOBS[what].key(SETTING, ASKED.validation)
    assert key != KEY
    assert stored.find(key, HEARD, ASKED, keep=False) is None


def test_settings_are_chosen_on_validation_speech_so_other_has_another_key():
    other = Heard(nudged(VALIDATION.features), HEARD.test).digests
    assert JOB.key(SETTING, other.validation) != KEY


@pytest.mark.parametrize(
    "test",
    [
        {CLEAN: nudged(TEST.features)},
        {CLEAN: TEST.features, "noise": nudged(TEST.features)},
    ],
)
def test_a_student_whose_weights_are_there_hears_more(stored, test):
    heard = Heard(VALIDATION.features, test)
    known = stored.find(KEY, heard, heard.digests, keep=False)
    assert known is not None
    whole = hear_more(JOB, known, heard)
    assert whole.test == carry_out(JOB, SETTING, heard).test
    # And both are remembered.
    stored.put(KEY, heard.digests, whole)
    for asked in (heard, HEARD):
        again = stored.find(KEY, asked, asked.digests, keep=False)
        assert again is not None
        assert again.weights is None  # nothing is left to be asked


@pytest.mark.parametrize("other", ["validation", "test"])
def test_another_student_under_the_same_key_takes_the_place_of_the_first(stored, outcome, other):
    """Where training has no seed."""
    changed = tuple((answer + 1) % 3 for answer in outcome.validation)
    if other == "validation":
        again = replace(outcome, validation=changed)
    else:
        test = tuple((answer + 1) % 3 for answer in outcome.test[CLEAN])
        again = replace(outcome, test={CLEAN: test})
    more = Heard(VALIDATION.features, {CLEAN: TEST.features, "noise": nudged(TEST.features)})
    stored.put(KEY, more.digests, replace(again, test=again.test | {"noise": again.test[CLEAN]}))
    stored.put(KEY, ASKED, outcome)
    (path,) = stored.folder.glob("*.json")
    assert list(json.loads(path.read_text())["test"]) == [ASKED.test[CLEAN]]


def test_without_its_weights_it_cannot_hear_more(tmp_path, outcome):
    outcomes = Outcomes(tmp_path)
    outcomes.put(KEY, ASKED, replace(outcome, weights=None))
    heard = Heard(VALIDATION.features, {"noise": nudged(TEST.features)})
    assert outcomes.find(KEY, heard, heard.digests, keep=False) is None


def test_what_speech_is_called_decides_nothing(stored, outcome):
    heard = Heard(VALIDATION.features, {"other": TEST.features})
    known = stored.find(KEY, heard, heard.digests, keep=False)
    assert known.test == {"other": outcome.test[CLEAN]}


@pytest.mark.parametrize("setting", [Setting(4, 1e-2), Setting(3, 1.1e-2)])
def test_another_setting_has_another_key(setting):
    assert JOB.key(setting, ASKED.validation) != KEY


def test_other_code_or_another_library_has_another_key(monkeypatch):
    for name, other in (
        ("getsource", lambda _: "other code"),
        ("version", lambda library: "0.0" if library == "torch" else "1.0"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(jobs, name, other)
            jobs._software.cache_clear()
            assert JOB.key(SETTING, ASKED.validation) != KEY
    jobs._software.cache_clear()
    assert JOB.key(SETTING, ASKED.validation) == KEY


def test_every_part_of_a_network_is_code_that_decides(monkeypatch):
    """Not only the class in the table: its blocks as well."""
    sources = []
    monkeypatch.setattr(jobs, "getsource", lambda code: sources.append(code.__name__) or "")
    jobs._software.cache_clear()
    jobs._software()
    jobs._software.cache_clear()
    for name in ("resnet9", "transformer", "layers"):
        assert f"evaluation.networks.{name}" in sources
    students = {f"evaluation.students.{name}" for name in ("network", "pooled", "native", "recipe")}
    others = {"synth_data.schedule", "synth_data.task", "synth_data.randomness", "evaluation.jobs"}
    assert students | others <= {*sources}


def test_weights_are_on_disk_only_where_they_are_asked_for(tmp_path, outcome):
    outcomes = Outcomes(tmp_path)
    outcomes.put(KEY, ASKED, replace(outcome, weights=None))
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    assert outcomes.find(KEY, HEARD, ASKED, keep=False) is not None
    assert outcomes.find(KEY, HEARD, ASKED, keep=True) is None  # so it is made again, with them
    outcomes.put(KEY, ASKED, outcome)
    assert outcomes.find(KEY, HEARD, ASKED, keep=True) is not None
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_a_failure_is_not_kept(tmp_path):
    outcomes = Outcomes(tmp_path / "students")
    outcomes.put(KEY, ASKED, Outcome((), {}, 0, 0.0, error="training diverged"))
    assert not outcomes.folder.exists()


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", None])
def test_a_damaged_entry_is_made_again(stored, outcome, suffix, content, caplog):
    (path,) = stored.folder.glob(f"*{suffix}")
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    with caplog.at_level(logging.WARNING):
        assert stored.find(KEY, HEARD, ASKED, keep=True) is None
    assert "is damaged and made again" in caplog.text
    stored.put(KEY, ASKED, outcome)
    assert stored.find(KEY, HEARD, ASKED, keep=True) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"validation": [0]},
        {"test": {ASKED.test[CLEAN]: [0]}},
    ],
)
def test_an_entry_for_other_speech_is_made_again(stored, change, caplog):
    (path,) = stored.folder.glob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with caplog.at_level(logging.WARNING):
        assert stored.find(KEY, HEARD, ASKED, keep=False) is None
    assert "does not fit and is made again" in caplog.text


def test_a_folder_that_cannot_be_written_is_done_without(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    plain = judged(a_set(), seeds=1)
    with caplog.at_level(logging.WARNING):
        found = judged(a_set(), seeds=1, outcomes=Outcomes(tmp_path / "file" / "students"))
    assert "outcomes are not kept in" in caplog.text
    assert untimed(found) == untimed(plain)


def test_damage_does_not_show_in_the_result(tmp_path):
    outcomes = Outcomes(tmp_path)
    plain = judged(a_set(), seeds=1, outcomes=outcomes)
    for path in tmp_path.iterdir():
        path.write_bytes(b"?")
    assert untimed(judged(a_set(), seeds=1, outcomes=outcomes)) == untimed(plain)


def test_where_they_are_kept_can_be_said(tmp_path, monkeypatch):
    monkeypatch.setenv("DISTILL_DATA_STUDENTS", str(tmp_path / "mine"))
    assert Outcomes.of_this_machine().folder == tmp_path / "mine"
    monkeypatch.delenv("DISTILL_DATA_STUDENTS")
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "features"))
    assert Outcomes.of_this_machine().folder == tmp_path / "features" / "students"
