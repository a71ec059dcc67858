"""`distill-data --epsilon`: what is said beforehand, what is refused, what a set's folder tells."""

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from commands import Command
from fake_speech import fake_speech
from small_sets import small_set
from test_bad_input import EVERYONE, refused, table
from test_foreign_sets import forge

from distill import engine
from distill.candidate import Parameterisation
from distill.engine import distill
from distill.native import Native
from distill.objectives.linear_gradient_matching import LinearGradientMatching
from distill.objectives.released_moments import MIDDLE, MOMENTS, ReleasedMoments
from distill.outer_loop import Loop
from distill.private import account_of
from distill.spectrum import SPECTRUM
from evaluation.claims import guarantees
from evaluation.named_sets import NamedSet
from evaluation.report import Report
from evaluation.session_checks import require_same
from synth_data.account import Account, read_charges
from synth_data.curator import Curator
from synth_data.errors import SetError, UserError
from synth_data.gaussian import Gaussian
from synth_data.guarantee import Guarantee
from synth_data.inspection import describe
from synth_data.ledger import OverBudgetError, PrivacyBudget, Release, with_noise_for
from synth_data.synthetic import SyntheticSet

SMALL = """\
ipc = 1
seeds = 1
fold = 1
[loop]
steps = 2
[recipe]
batch = 16
schedules = [{ steps = 2, learning_rate = 0.001 }]
"""
BUDGET = PrivacyBudget(8.0, 1e-4)
SAMPLED = {
    "purpose": "moments",
    "noise_multiplier": 500.0,
    "sampling_probability": 0.5,
    "count": 10**9,
}
NOISY = Loop(steps=2, initialisation="noise")


@pytest.fixture(autouse=True)
def ledgers(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("DISTILL_DATA_LEDGERS", str(tmp_path / "ledgers"))
    return tmp_path / "ledgers"


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def door(folder: Path | None = None, objective: ReleasedMoments | None = None) -> Curator:
    account = account_of(BUDGET, objective or ReleasedMoments(), NOISY, folder)
    return Curator(fake_speech(), Gaussian(account))


def test_a_private_set_from_start_to_report(distill_data: Command, config, tmp_path, ledgers):
    run = ("--config", config, "--epsilon", 8, "--accept-low-utility", "--out", tmp_path / "out")
    done = distill_data(*run)
    assert done.code == 0, done.err
    assert "objective: released-moments" in done.err
    assert "is right about at most 31.4% of those that did while wrong about 1 %" in done.err
    assert "There are at least 8 speakers" in done.err
    assert (
        "come to at most epsilon 8 at delta 0.0001 for every speaker, if all are shared" in done.err
    )
    folder = tmp_path / "out" / "fold-1"
    made = SyntheticSet.load(folder / "set")
    assert made.guarantee is not None
    spectrum, middle, moments = made.guarantee.releases
    assert (spectrum.purpose, middle.purpose, moments.purpose) == (SPECTRUM, MIDDLE, MOMENTS)
    noise = spectrum.noise_multiplier, middle.noise_multiplier
    assert noise == pytest.approx((2 * moments.noise_multiplier, 3 * moments.noise_multiplier))
    assert made.guarantee.epsilon == pytest.approx(8.0, rel=1e-6)
    (charged,) = ledgers.iterdir()
    assert read_charges(charged, "speaker") == list(made.guarantee.releases)
    assert [path.name for path in (folder / "releases").iterdir()] == ["charged.jsonl"]

    privacy = json.loads((folder / "set" / "manifest.json").read_text())["privacy"]
    assert privacy["statement"] == (
        "differentially private for every speaker: epsilon 8 at delta 0.0001"
    )
    assert privacy["adjacency"] == "add or remove one unit"
    assert {"unit", "epsilon", "delta", "mechanism", "composition", "public"} <= set(privacy)
    # Nothing that was not released: no content, no counts, no accuracies.
    digest = charged.stem
    for path in (folder / "set").iterdir():
        assert digest.encode() not in path.read_bytes()
    assert (made.provenance.corpus_digest, made.provenance.training_utterances) == (None, None)
    assert made.provenance.told_digest is None
    assert made.provenance.settings["UAR of validation speakers after so many steps"] == {}
    card = (folder / "set" / "README.md").read_text()
    assert "content not told" in card
    assert "Accuracies of the set on speakers of the corpus are not covered by it" in card
    for forbidden in ("anonymous", "GDPR"):
        assert forbidden not in card + (folder / "set" / "manifest.json").read_text()

    report = Report.load(tmp_path / "out" / "report.json")
    assert report.guarantees == (f"distilled is {privacy['statement']}, from noisy answers alone",)
    for text in (done.out, report.markdown(), (tmp_path / "out" / "report.html").read_text()):
        assert "No guarantee covers this report" in re.sub(r"\s+", " ", text)
        assert "no formal guarantee. No set" not in re.sub(r"\s+", " ", text)

    shared = distill_data("--resume", "--out", tmp_path / "out", "--fold", "none")
    assert shared.code == 0, shared.err
    assert (
        "come to at most epsilon 12.46 at" in shared.err
    )  # with fold 1, which most speakers are in too
    whole = SyntheticSet.load(tmp_path / "out" / "fold-none" / "set")
    assert whole.provenance.estimate is None


def test_inspect_lists_what_was_released():

    text = describe(distill(door(), ReleasedMoments(), "tdnn", ipc=1, seed=0, loop=NOISY))
    assert "privacy      differentially private for every speaker: epsilon 8 at delta" in text
    assert f"released     {MOMENTS}: 1 x, noise multiplier 0.57" in text
    assert "no formal guarantee" not in text


def test_a_plan_says_what_is_feasible(distill_data: Command, config):
    done = distill_data("--config", config, "--epsilon", 8, "--dry-run", "--json")
    privacy = json.loads(done.out)["privacy"]
    assert privacy["units"] == 8 < privacy["units_needed"]
    assert privacy["area_at_most"] == pytest.approx(0.903, abs=2e-3)
    assert [one["purpose"] for one in privacy["releases"]] == [MIDDLE, MOMENTS, SPECTRUM]
    assert list(privacy["numbers"]) == [MIDDLE, MOMENTS]  # a start may drown


def test_a_map_that_cannot_be_costs_nothing(distill_data: Command, config):
    config.write_text(config.read_text() + "[settings]\nregions = 65\n")
    done = distill_data("--config", config, "--epsilon", 8, "--dry-run")
    assert (done.code, done.out) == (2, "")
    assert "bands here; found 65: set regions to" in done.err


REAL = "--initialisation", "real"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), r"at least 8 speakers; for .* needed .*Noise would drown .*--accept-low-utility"),
        (("--delta", 0.5), "there are 8 speakers: giving one of them away at random"),
        (REAL, "items that start as real utterances.*class-means or spectrum or noise"),
        (
            ("--labels", "taught", "--objective", "linear-gradient-matching"),
            r"labels from an expert.*use hard ones or soft ones .*or an objective that teaches",
        ),
        (("--native-steps", 2), r"a native schedule towards an expert.*--native-steps 0"),
        (("--disentangle", "leace"), "a transform that is fitted to real speakers.*leave --dis"),
        (("--speaker-penalty", 1), "a penalty that is fitted to real speakers.*leave --speaker"),
        (("--feature", "logmel64-training"), "normalisation by the training utterances.*logmel64"),
        (("--objective", "distribution-matching"), "has no public bound.*to characteristic"),
        (("--epsilon", -1), "epsilon"),
        (("--epsilon", 1e-9), r"epsilon must be a positive number, 0.001 or more; found 1e-09"),
        (("--max-minutes", 1), r"a time limit, which the length.*set steps under \[loop\]"),
    ],
)
def test_what_is_refused_beforehand(words, message, distill_data: Command, config, tmp_path):
    out = tmp_path / "out"
    done = distill_data("--config", config, "--epsilon", 8, "--out", out, *words)
    assert re.search(message, refused(done, out), re.DOTALL), done.err


@pytest.mark.parametrize("word", ["--delta=0.001", "--unit=utterance", "--accept-low-utility"])
def test_part_of_a_budget_needs_a_budget(word, distill_data: Command, config, tmp_path):
    done = distill_data("--config", config, "--out", tmp_path / "out", word)
    assert "part of a privacy budget, and there is none: give --epsilon" in refused(
        done, tmp_path / "out"
    )


def test_of_own_recordings_what_is_public_must_be_said(
    distill_data: Command, config, tmp_path, ledgers
):
    own = "--dataset", "table", "--data-root", table(tmp_path / "own", EVERYONE)
    run = ("--config", config, "--epsilon", 8, *own, "--out", tmp_path / "out")
    folds = refused(distill_data(*run), tmp_path / "out")
    assert "--protocol speaker-hash-5-fold, or --fold none" in folds
    whole = (*run, "--fold", "none")
    units = refused(distill_data(*whole), tmp_path / "out")
    assert "the number of speakers must be public" in units
    assert "--units-at-least" in units
    assert "the number of speakers must be public" in units
    done = distill_data(*whole, "--units-at-least", 4, "--accept-low-utility")
    assert done.code == 0, done.err
    assert "is taken to be public: anger, joy" in done.err
    assert len(list(ledgers.iterdir())) == 1
    other = distill_data(
        *("--config", config, "--epsilon", 8, *own, "--out", tmp_path / "other", "--fold", "none"),
        *("--units-at-least", 4, "--accept-low-utility", "--unit", "utterance"),
    )
    assert other.code == 0, other.err
    assert "sets that are private for every speaker come on top" in other.err


def test_a_large_epsilon_is_said_to_be_one(distill_data: Command, config, tmp_path):
    run = ("--config", config, "--epsilon", 50, "--accept-low-utility", "--fold", "none")
    done = distill_data(*run, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "an epsilon above 10 guarantees hardly anything" in done.err


@pytest.mark.parametrize("unit", ["utterance", "session"])
def test_other_units_are_counted(unit, distill_data: Command, config):
    done = distill_data("--config", config, "--epsilon", 8, "--unit", unit, "--dry-run")
    count = {"utterance": 320, "session": 4}[unit]
    assert f"for every {unit}: whoever wants" in done.out
    assert f"There are at least {count} {unit}s" in done.out
    assert ("# this run would be refused: Noise would drown what there is" in done.out) == (
        unit == "session"
    )


def test_nothing_real_decides_about_a_private_set():
    def make(**settings):
        return distill(door(), ReleasedMoments(), "tdnn", ipc=1, seed=0, **settings)

    with pytest.raises(UserError, match="choosing on validation speakers"):
        make(loop=NOISY, validation=fake_speech(seed=1))
    with pytest.raises(UserError, match="items that start as real utterances"):
        make()
    with pytest.raises(UserError, match="a native schedule"):
        make(loop=NOISY, native=Native(steps=1))
    with pytest.raises(UserError, match="labels from an expert"):
        distill(
            *(door(), LinearGradientMatching(), "tdnn"),
            ipc=1,
            seed=0,
            loop=NOISY,
            parameterisation=Parameterisation(labels="taught"),
        )


def test_a_resumed_run_is_told_the_same_and_charged_once(tmp_path, monkeypatch):
    path, folder = tmp_path / "progress.safetensors", tmp_path / "releases"
    settings = {"ipc": 1, "seed": 0, "loop": NOISY, "checkpoint": path}

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(engine.OuterLoop, "run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            distill(door(folder), ReleasedMoments(), "tdnn", **settings)
    told = {file.name: file.read_bytes() for file in folder.glob("*.safetensors")}
    assert len(told) == 2
    made = distill(door(folder), ReleasedMoments(), "tdnn", **settings)
    assert {file.name: file.read_bytes() for file in folder.glob("*.safetensors")} == told
    assert len(read_charges(folder / "charged.jsonl", "speaker")) == 2
    path.unlink()
    again = distill(door(folder), ReleasedMoments(), "tdnn", **settings)
    assert torch.equal(made.features, again.features)  # the same answers give the same set


@pytest.mark.parametrize("kept", ["the answers", "the progress"])
def test_a_lost_ledger_is_not_taken_for_an_empty_one(kept, tmp_path):
    path, folder = tmp_path / "progress.safetensors", tmp_path / "releases"
    settings = {"ipc": 1, "seed": 0, "loop": NOISY, "checkpoint": path}
    distill(door(folder), ReleasedMoments(), "tdnn", **settings)
    (folder / "charged.jsonl").unlink()
    if kept == "the answers":
        path.unlink()
    with pytest.raises(UserError, match=r"has 0 charges for .*, and 1 answers are used"):
        distill(door(folder), ReleasedMoments(), "tdnn", **settings)


def test_progress_under_another_budget_is_another_run(tmp_path):
    path = tmp_path / "progress.safetensors"
    settings = {"ipc": 1, "seed": 0, "loop": NOISY, "checkpoint": path}
    distill(door(), ReleasedMoments(), "tdnn", **settings)
    smaller = account_of(PrivacyBudget(0.1, 1e-4), ReleasedMoments(), NOISY)
    with pytest.raises(UserError, match="saved by a run with other settings"):
        distill(Curator(fake_speech(), Gaussian(smaller)), ReleasedMoments(), "tdnn", **settings)


def test_a_question_more_than_planned_ends_the_run():
    account = Account(BUDGET, with_noise_for(BUDGET, [Release(MOMENTS, 1.0)]))
    curator = Curator(fake_speech(), Gaussian(account))
    with pytest.raises(OverBudgetError, match=rf"{MIDDLE}: .* the budget is 8"):
        distill(curator, ReleasedMoments(), "tdnn", ipc=1, seed=0, loop=NOISY)


RELEASE = {"purpose": "a", "noise_multiplier": 1.0, "sampling_probability": 1.0, "count": 1}


def guaranteed() -> SyntheticSet:
    return small_set(guarantee=Guarantee(BUDGET, sampled_releases()))


@cache
def sampled_releases() -> tuple[Release, ...]:
    """Which take seconds to solve for."""
    return with_noise_for(BUDGET, [Release("a", 1.0), Release("b", 1.0, 0.5, 3)])


def test_a_guarantee_travels_with_its_set(tmp_path):
    made = guaranteed()
    made.save(tmp_path / "set")
    assert SyntheticSet.load(tmp_path / "set").guarantee == made.guarantee
    card = (tmp_path / "set" / "README.md").read_text()
    assert "- b: 3 with noise multiplier" in card
    assert "each unit with probability 0.5" in card
    assert "What it is worth to speakers of that corpus is no part of it" in card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epsilon": 1.0}, r"claimed is epsilon 1, and the releases listed come to 7.999"),
        ({"releases": []}, None),
        ({"statement": "anonymous"}, "disagree about privacy"),
        ({"releases": [SAMPLED | {"noise_multiplier": 1e-4}]}, "json, privacy: .*grid of"),
        ({"releases": [SAMPLED | {"noise_multiplier": 1e4}]}, "json, privacy: .*as long as"),
        ({"releases": [SAMPLED] * 300}, "json, privacy: .*of 300 kinds"),
        ({"unit": "utterance"}, "disagree about privacy"),
        ({"delta": 2.0}, "delta must be above 0 and below 1"),
        ({"adjacency": "replace one"}, "privacy.gaussian.adjacency"),
        ({"mechanism": "magic"}, "privacy: Input tag 'magic'"),
        ({"releases": [RELEASE | {"noise_multiplier": 1e-200}]}, "must be a number from 0.0001"),
        ({"releases": [RELEASE | {"count": 10**400}]}, "count must be a number from 1"),
    ],
)
def test_a_forged_guarantee(change, message, tmp_path):
    guaranteed().save(tmp_path / "set")
    forge(tmp_path / "set", lambda manifest: manifest["privacy"].update(change))
    if message is None:  # nothing read, nothing told: claiming more than that costs is true
        assert SyntheticSet.load(tmp_path / "set").guarantee.epsilon == 0.0
        return
    with pytest.raises(SetError, match=message):
        SyntheticSet.load(tmp_path / "set")


def test_noise_that_is_no_noise_gives_no_guarantee():
    account = account_of(BUDGET, ReleasedMoments(), NOISY)
    still = Gaussian(account, lambda size: torch.zeros(size, dtype=torch.float64))
    made = distill(
        Curator(fake_speech(), still), ReleasedMoments(), "tdnn", ipc=1, seed=0, loop=NOISY
    )
    assert made.guarantee is None
    assert made.provenance.corpus_digest is None


def test_a_private_set_is_told_from_another_corpus_by_its_name():
    made = guaranteed()
    hidden = replace(made.provenance, corpus="toy", corpus_digest=None, training_utterances=None)
    one = NamedSet("mine", replace(made, provenance=hidden), 0.0)
    require_same(one, fake_speech())
    assert guarantees([one, one]) == (
        "mine is differentially private for every speaker: epsilon 8 at delta 0.0001, from noisy "
        "answers alone",
    )
    other = replace(one, synthetic=replace(made, provenance=replace(hidden, corpus="emodb")))
    with pytest.raises(SetError, match="was made from emodb, and these recordings are toy: give"):
        require_same(other, fake_speech())
