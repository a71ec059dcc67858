"""Public speech: what may be made of it, that it tells nothing of private speech, what is said."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from commands import Command
from fake_speech import EMOTIONS, SPEC, fake_speech
from small_evaluation import session
from small_sets import provenance, small_set
from test_bad_input import EVERYONE, refused, table
from test_foreign_sets import forge
from trees import emodb_tree, noise

from distill import engine
from distill import public as module
from distill.disentangle import DISENTANGLERS
from distill.disentangle.adversarial import Adversarial
from distill.disentangle.disentangler import Disentangler
from distill.disentangle.leace import Leace
from distill.disentangle.speaker_normalisation import SpeakerNormalisation
from distill.engine import distill
from distill.objectives.released_moments import MIDDLE, MOMENTS, ReleasedMoments
from distill.outer_loop import Loop
from distill.private import account_of
from distill.public import door_to, twins, under_emotions_of
from evaluation.named_sets import NamedSet
from synth_data.account import Account, read_charges
from synth_data.corpora import CORPORA
from synth_data.curator import Curator
from synth_data.errors import CorpusError, SetError, UserError
from synth_data.gaussian import Gaussian, clip_norm
from synth_data.inspection import describe
from synth_data.ledger import PrivacyBudget, Release, with_noise_for
from synth_data.provenance import Provenance, PublicSpeech
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task
from synth_data.transforms import EraseStatistics

BUDGET = PrivacyBudget(8.0, 1e-4)
PLAN = with_noise_for(BUDGET, [Release("asked", 1.0)])
BOUND = 0.1  # short, so that everybody is cut
START = Loop(steps=1, initialisation="public")
NOISE = Loop(steps=1, initialisation="noise")
HEARD = Adversarial(voice=4, width=16, steps=2)
FITTED: dict[str, Disentangler] = {"leace": Leace(directions=1), "adversarial": HEARD}
SMALL = """\
ipc = 1
seeds = 1
[loop]
steps = 2
[recipe]
batch = 16
schedules = [{ steps = 2, learning_rate = 0.001 }]
"""


def named(title: str, real: RealSet) -> RealSet:
    """Under the name of a corpus, so that two can be told apart."""
    return replace(real, facts=replace(real.facts, name=title.lower(), title=title))


PUBLIC = named("Public", fake_speech((9, 7, 8), seed=7))


def door(real: RealSet | None = None, loop: Loop = START) -> Curator:
    account = account_of(BUDGET, ReleasedMoments(), loop)
    return Curator(fake_speech() if real is None else real, Gaussian(account))


def made(curator: Curator, **settings: Any) -> SyntheticSet:
    given = {"ipc": 2, "seed": 0, "loop": START, "public": PUBLIC, **settings}
    return distill(curator, ReleasedMoments(), "tdnn", **given)


def began(curator: Curator, **settings: Any) -> torch.Tensor:
    """The items before the first step."""
    found: list[torch.Tensor] = []

    def overhear(*given):
        found.append(given[1].initial)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.OuterLoop, "run", overhear)
        with pytest.raises(KeyboardInterrupt):
            made(curator, **settings)
    return found[0]


@pytest.mark.parametrize("curator", [door, lambda: Curator(fake_speech())], ids=["budget", "none"])
def test_items_start_as_public_utterances_of_their_emotion(curator):
    items = began(curator())
    assert len(items) == 6
    for item, emotion in zip(items, torch.eye(3).repeat_interleave(2, dim=0), strict=True):
        (row,) = (PUBLIC.features == item).flatten(1).all(dim=1).nonzero().flatten().tolist()
        assert torch.equal(PUBLIC.targets[row], emotion)
    assert not torch.equal(items, began(curator(), seed=1))


def test_there_are_as_many_as_the_public_corpus_has():
    """What the private one has decides nothing; those that are taken again start with noise."""
    few, many = fake_speech((3, 3, 3)), fake_speech((30, 30, 30))
    packed = replace(engine.Parameterisation(), numbers="int8")
    assert len(began(door(few), ipc=3, parameterisation=packed)) == 3 * 8
    assert len(began(door(many), ipc=3, parameterisation=packed)) == 3 * 8


@pytest.mark.parametrize("disentangler", FITTED.values(), ids=FITTED)
def test_nothing_of_private_speech_is_in_what_public_speech_gives(disentangler):
    def both(seed: int) -> tuple[torch.Tensor, Mapping[str, torch.Tensor]]:
        real = fake_speech((6, 4, 5 + seed), seed=seed)
        whole = made(door(real), disentangler=disentangler)
        return began(door(real), disentangler=disentangler), whole.transforms[0].tensors()

    (items, values), (others, again) = both(0), both(1)
    assert torch.equal(items, others)
    assert all(torch.equal(values[name], again[name]) for name in values)
    # They are what the public corpus alone gives.
    alone = disentangler.fit(Curator(PUBLIC), 0)
    assert all(torch.equal(values[name], found) for name, found in alone.tensors().items())
    rows = alone(PUBLIC.features)
    assert all(torch.isclose(rows, item, atol=1e-4).flatten(1).all(dim=1).any() for item in items)


def test_without_a_budget_a_transform_is_fitted_to_public_speakers_too():
    one = made(Curator(fake_speech()), loop=NOISE, disentangler=Leace(directions=1))
    alone = Leace(directions=1).fit(Curator(PUBLIC))
    assert torch.equal(one.transforms[0].tensors()["matrix"], alone.tensors()["matrix"])
    assert "it was fitted to Public alone, a public corpus" in one.provenance.notes[-1]


def test_normalisation_by_the_training_side_holds_for_public_speech():
    spec = replace(SPEC, normalisation="training")
    real, public = (fake_speech(seed=seed, spec=spec) for seed in (0, 1))
    one = made(Curator(real), public=public)
    (standardise,) = one.transforms
    items = began(Curator(real), public=public)
    rows = standardise(public.features)
    assert all(torch.isclose(rows, item, atol=1e-5).flatten(1).all(dim=1).any() for item in items)


@dataclass(frozen=True, eq=False)
class Nosy(EraseStatistics):
    """A transform that moves each utterance by the mean of all that it hears, and by who speaks."""

    def __call__(self, features):
        return features - 1e3 * features.mean()

    def on(self, features, speakers):
        return self(features) + float(len(set(speakers)))


def sums(real: RealSet, transform) -> torch.Tensor:
    """What a door onto transformed speech would release but for the noise: a sum over speakers."""
    found: list[torch.Tensor] = []

    class Listening(Account):
        def answer(self, question, ask):  # noqa: ARG002
            found.append(ask(1.0))
            return found[-1]

    silent = Gaussian(Listening(BUDGET, PLAN), lambda size: torch.zeros(size, dtype=torch.float64))
    curator = Curator(real, silent).map(transform)
    curator.mean(lambda features, _: features.flatten(1), purpose="asked", bound=BOUND)
    return found[0]


NOSY = Nosy(torch.zeros(32), torch.zeros(32, 32))


@pytest.mark.parametrize("name", [*FITTED, "nosy"])
def test_one_speaker_moves_an_answer_by_no_more_than_the_clip_norm(name):
    """Whatever the transform does: the door lets it hear one utterance at a time."""
    transform = NOSY if name == "nosy" else FITTED[name].fit(Curator(PUBLIC))
    everybody = fake_speech((8, 8, 8))
    loud = everybody.features.clone()
    rows = [row for row, who in enumerate(everybody.speakers) if who == "speaker-0"]
    loud[rows] *= 100.0
    with_one = replace(everybody, features=loud)
    others = [row for row in range(len(everybody)) if row not in rows]
    moved = sums(with_one, transform) - sums(with_one.select(others), transform)
    length = clip_norm(BOUND, len(EMOTIONS))
    assert 0.5 * length < moved.norm() <= length * (1 + 1e-9)
    # What is left is exactly what that speaker has, so nobody else's speech has moved.
    assert torch.allclose(moved, sums(with_one.select(rows), transform), atol=1e-9)


@pytest.mark.parametrize("name", DISENTANGLERS)
def test_which_transforms_know_who_speaks(name):
    settings = FITTED.get(name) or DISENTANGLERS[name]()
    transform = settings.fit(Curator(PUBLIC))
    apart = torch.cat([transform(one) for one in PUBLIC.features.split(1)])
    together = transform.on(PUBLIC.features, PUBLIC.speakers)
    assert torch.allclose(apart, together, atol=1e-3) == (not settings.knows_speakers)
    quadratic = Leace(of="frames", quadratic=True)
    assert quadratic.knows_speakers


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"public": None}, r"items that start as public utterances.*--public-dataset"),
        ({"loop": NOISE}, "a public corpus is named, and nothing is made of it: let items start"),
        (
            {"disentangler": SpeakerNormalisation()},
            r"a transform that needs to know who speaks.*leace or adversarial, with a --public",
        ),
        (
            {"disentangler": Leace(of="frames", quadratic=True)},
            "a transform that needs to know who speaks",
        ),
        (
            {"public": None, "loop": NOISE, "disentangler": HEARD},
            r"fitted to real speakers.*fit it to public ones \(--public-dataset\)",
        ),
        (
            {"public": replace(PUBLIC, task=Task(EMOTIONS[::-1]))},
            r"must have the emotions of .*found \('sadness'.*under_emotions_of",
        ),
        (
            {"public": fake_speech(spec=replace(SPEC, frames=20))},
            "must have the features of the speech that is distilled",
        ),
        ({"public": fake_speech((2, 0, 2))}, "the public side of toy has no utterance of neutral"),
    ],
)
def test_what_is_refused(settings, message):
    with pytest.raises(UserError, match=re.compile(message, re.DOTALL)):
        made(door(), **settings)


def test_nothing_is_fitted_to_public_speakers_by_what_is_fitted_to_nobody():
    with pytest.raises(UserError, match="speaker-normalisation is fitted to nobody"):
        made(Curator(fake_speech()), loop=NOISE, disentangler=SpeakerNormalisation())


def test_other_emotions_are_left_out_and_missing_ones_refused():
    wanted = ("joy", "neutral")
    real = under_emotions_of(PUBLIC, wanted, {"anger": "joy"})
    assert {utterance.emotion for utterance in real.utterances} == set(wanted)
    assert (len(real), real.digest) == (9 + 7, PUBLIC.digest)
    assert real.notes[-1] == "label map: anger->joy, sadness->left out"
    with pytest.raises(CorpusError, match=r"Public, .* has no utterance of joy\. Its emotions .*"):
        under_emotions_of(PUBLIC, wanted, {})
    with pytest.raises(CorpusError, match="has no utterance of joy, fear"):
        under_emotions_of(PUBLIC, ("joy", "fear"), {})
    with pytest.raises(UserError, match="unknown emotion of Public 'angry': did you mean 'anger'"):
        under_emotions_of(PUBLIC, wanted, {"angry": "joy"})
    with pytest.raises(CorpusError, match="has no utterance of neutral"):
        under_emotions_of(PUBLIC, EMOTIONS, {"neutral": ""})


def test_the_public_door_is_exact_and_counts_for_itself():
    private = door()
    public = door_to(PUBLIC, private)
    assert public.exact
    public.count_speakers()
    public.count_utterances()
    assert not private.questions


# The command

WHO = dict.fromkeys("abcdef", ("anger", "joy", "calm"))
LICENCE = "CC BY-NC-SA 4.0"


@pytest.fixture
def small(tmp_path, monkeypatch) -> tuple[object, ...]:
    """How a run on a small private table is started."""
    licensed = {"licence": LICENCE, "derivatives": "non-commercial share-alike"}
    monkeypatch.setitem(
        CORPORA, "open", replace(CORPORA["table"], name="open", title="Open Speech", **licensed)
    )
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "features"))
    own = table(tmp_path / "own", EVERYONE)
    (tmp_path / "small.toml").write_text(SMALL)
    return "--dataset", "table", "--data-root", own, "--config", tmp_path / "small.toml"


@pytest.fixture
def public(tmp_path) -> tuple[object, ...]:
    """How a public table is named."""
    return "--public-dataset", "open", "--public-root", public_table(tmp_path / "theirs")


def public_table(folder: Path, emotions_of: Mapping[str, tuple[str, ...]] = WHO) -> Path:
    """A table of other noise than the private one."""
    path = table(folder, emotions_of)
    for number, recording in enumerate(sorted((folder / "wav").iterdir())):
        noise(recording, seed=1000 + number)
    return path


PRIVATE = "--fold", "none", "--epsilon", 8, "--units-at-least", 4, "--accept-low-utility"
OPEN_START = "--initialisation", "public"


@pytest.mark.slow
def test_a_private_set_with_public_speech(
    distill_data: Command, evaluate_data: Command, small, public, tmp_path
):
    (tmp_path / "small.toml").write_text(f"{SMALL}[disentangler]\nwidth = 16\nsteps = 2\n")
    words = (*small, *PRIVATE, *public, *OPEN_START, "--disentangle", "adversarial")
    done = distill_data(*words, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    told = (
        "public speech: 24 utterances by 6 speakers of Open Speech, for the items' start and the "
        "transform of adversarial. Nothing is guaranteed to its speakers, and the set derives from "
        f"it as well: its licence is {LICENCE} (non-commercial share-alike)"
    )
    assert told in done.err
    assert "· public speech: Open Speech" in done.out
    folder = tmp_path / "out" / "fold-none" / "set"
    one = SyntheticSet.load(folder)
    assert [transform.name for transform in one.transforms] == ["re-render"]

    # The ledger of the private corpus holds what was planned, and nothing else.
    assert [release.purpose for release in one.guarantee.releases] == [MIDDLE, MOMENTS]
    (charged,) = (tmp_path / "ledgers").iterdir()
    assert read_charges(charged, "speaker") == list(one.guarantee.releases)
    asked = one.provenance.settings["questions asked of the real speech"]
    assert asked == {MIDDLE: 1, MOMENTS: 1}

    speech = one.provenance.public
    assert (speech.corpus, speech.utterances, speech.speakers) == ("open", 24, 6)
    assert speech.notes == ("label map: calm->left out",)
    digest = speech.corpus_digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    card = re.sub(r"\s+", " ", (folder / "README.md").read_text())
    manifest = json.loads((folder / "manifest.json").read_text())
    stated = f"the speech of Open Speech, content {digest}: it was read freely, and nothing is"
    for text in (card, manifest["privacy"]["public"][-1]):
        assert stated in text
    assert "derives from Open Speech as well (the items' start and the transform of adv" in card
    assert f"whose licence is: {LICENCE}. It lets derived data be shared for non-com" in card
    assert f'{CORPORA["table"].licence}; {LICENCE}"' in card
    text = describe(one)
    assert "public       24 utterances by 6 speakers of Open Speech (open), content" in text
    assert f"and licence  {LICENCE}" in text
    for forbidden in ("anonymous", "GDPR"):
        assert forbidden not in card + text + done.err

    # It cannot be judged on the public speakers, who are in it.
    theirs = ("--dataset", "open", "--data-root", tmp_path / "theirs" / "table.csv")
    judged = evaluate_data(folder, *theirs, "--label-map", "calm=", "--seeds", 1)
    assert judged.code == 2
    assert "was made from open itself" in judged.err

    # The digests are held: of other public recordings it does not go on.
    again = ("--resume", "--out", tmp_path / "out")
    assert distill_data(*again).code == 0
    noise(tmp_path / "theirs" / "wav" / "a-joy-0.wav", seed=5000)
    other = distill_data(*again)
    assert other.code == 2
    assert f"made from other public recordings or labels ({digest}, not" in other.err


@pytest.mark.slow
def test_the_toy_corpus_can_be_the_public_one(distill_data: Command, small, tmp_path):
    words = (*small, *PRIVATE, "--feature", "logmel64-short", "--disentangle", "leace")
    toy = ("--public-dataset", "toy", "--public-label-map", "happiness=joy")
    done = distill_data(*words, *toy, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    (transform,) = SyntheticSet.load(tmp_path / "out" / "fold-none" / "set").transforms
    assert isinstance(transform, EraseStatistics)
    settings = (tmp_path / "out" / "run.toml").read_text()
    assert '[public_label_map]\nhappiness = "joy"' in settings
    assert "public_recordings = " in settings


def test_a_plan_tells_of_public_speech(distill_data: Command, small, public, tmp_path):
    words = (*small, *PRIVATE, *public, *OPEN_START, "--dry-run")
    plain = distill_data(*words)
    assert plain.code == 0, plain.err
    assert "· public speech: Open Speech" in plain.lines[0]
    assert "# public speech: 24 utterances by 6 speakers of Open Speech, for the" in plain.out
    as_json = json.loads(distill_data(*words, "--json").out)
    assert as_json["public"].startswith("public speech: 24 utterances")
    assert as_json["settings"]["public_dataset"] == "open"
    # As many items as the public corpus has, as long as that is not less than was asked for.
    few = ("--public-dataset", "open", "--public-root", public_table(tmp_path / "few", EVERYONE))
    sizes = [
        json.loads(distill_data(*small, *PRIVATE, *each, *OPEN_START, "--dry-run", "--json").out)
        for each in (public, few)
    ]
    assert sizes[0]["estimate"]["set_bytes"] > sizes[1]["estimate"]["set_bytes"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*OPEN_START,), r"items that start as public utterances .* name it with --public-dataset"),
        (("--public-root", "there"), "--public-root: of a public corpus, and none is named: give"),
        (("--public-label-map", "a=b"), "--public-label-map: of a public corpus, and none is"),
        (("--public-dataset", "toy"), "a public corpus is named, and nothing is made of it: let"),
        (
            ("--public-dataset", "toy", "--disentangle", "speaker-normalisation"),
            "nothing is made of it, and speaker-normalisation is fitted to nobody",
        ),
        ((*OPEN_START, "--public-dataset", "toi"), "unknown corpus 'toi': did you mean 'toy'"),
        ((*OPEN_START, "--public-dataset", "open"), "the corpus 'open' needs --public-root: a CSV"),
        (
            (*OPEN_START, "--public-dataset", "toy", "--public-label-map", "joy"),
            "a label map is written THEIRS=OURS",
        ),
        (
            (*OPEN_START, "--public-dataset", "toy", "--public-label-map", "hapiness=joy"),
            "unknown emotion of .*'hapiness': did you mean 'happiness'",
        ),
        (
            (*OPEN_START, "--public-dataset", "toy"),
            "the public corpus, has no utterance of joy. Its emotions are .*--public-label-map",
        ),
        (
            (*PRIVATE, "--disentangle", "leace"),
            r"fitted to real speakers.*fit it to public ones \(--public-dataset\)",
        ),
        (
            (*PRIVATE, "--disentangle", "speaker-normalisation", "--public-dataset", "toy"),
            "a transform that needs to know who speaks would read more.*leace or adversarial",
        ),
    ],
)
def test_what_a_command_refuses(
    words, message, distill_data: Command, small, tmp_path, monkeypatch
):
    monkeypatch.delenv("SER_DATA_ROOT", raising=False)
    out = tmp_path / "out"
    done = distill_data(*small, *words, "--out", out)
    assert re.search(message, re.sub(r"\s+", " ", refused(done, out))), done.err


@pytest.mark.parametrize("budget", [PRIVATE, ("--fold", "none")], ids=["budget", "none"])
def test_the_same_corpus_is_not_public(budget, distill_data: Command, small, tmp_path):
    same = ("--public-dataset", "table", "--public-root", tmp_path / "own" / "." / "table.csv")
    message = refused(
        distill_data(*small, *budget, *OPEN_START, *same, "--out", tmp_path / "out"),
        tmp_path / "out",
    )
    assert "not another one than the corpus to be distilled: both are" in message
    assert "Its speakers are not public" in re.sub(r"\s+", " ", message)
    # Nor is a copy, or one that has a recording of it.
    copied = table(tmp_path / "copied", EVERYONE)
    for recording in sorted((tmp_path / "copied" / "wav").iterdir())[1:]:
        noise(recording, seed=hash(recording.name) % 10**6 + 1000)
    message = refused(
        distill_data(
            *(*small, *budget, *OPEN_START, "--public-dataset", "open"),
            *("--public-root", copied, "--out", tmp_path / "out"),
        ),
        tmp_path / "out",
    )
    assert "1 recordings are in both, such as" in message


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_a_recording_is_the_same_however_it_is_listed(
    kind, distill_data: Command, small, public, tmp_path
):
    """In a part of a file that is all of it, or in another format."""
    listed = tmp_path / "theirs" / "table.csv"
    header, first, *others = listed.read_text().splitlines()
    samples, rate = soundfile.read(tmp_path / "own" / "wav" / "a-joy-1.wav")
    stolen = Path("wav") / f"stolen.{kind}"
    soundfile.write(listed.parent / stolen, samples, rate)
    (listed.parent / first.split(",")[0]).unlink()
    rows = [f"{stolen},{first.split(',', 1)[1]}", *others]
    listed.write_text("\n".join([f"{header},start", *(f"{row},0.0" for row in rows)]) + "\n")
    out = tmp_path / "out"
    done = distill_data(*small, *PRIVATE, *OPEN_START, *public, "--out", out)
    assert "1 recordings are in both, such as wav/a-joy-1.wav" in refused(done, out)


def test_a_published_corpus_is_not_public_to_itself(distill_data: Command, tmp_path):
    """Wherever the other copy of it is."""
    one, other = (emodb_tree(tmp_path / name, ("03", "08")) for name in ("one", "other"))
    message = refused(
        distill_data(
            *("--dataset", "emodb", "--data-root", one, "--fold", "none", *OPEN_START),
            *("--public-dataset", "emodb", "--public-root", other, "--out", tmp_path / "out"),
        ),
        tmp_path / "out",
    )
    assert "not another one than the corpus to be distilled: both are EmoDB" in message


def test_who_is_a_twin(monkeypatch):
    """A louder one is, in whatever part; another is not, nor one in which nothing happens."""
    monkeypatch.setattr(module, "PART", 4)
    ours = fake_speech((6, 4, 5)).features
    theirs = fake_speech((9, 7, 8), seed=7).features
    assert twins(ours, theirs) == []
    theirs[20], theirs[2] = ours[9] * 0.5 + 3, ours[3] + 1e-3 * theirs[2]
    assert twins(ours, theirs) == [3, 9]
    ours[:], theirs[:] = torch.arange(16.0)[:, None], torch.arange(16.0)[:, None] + 1e-6
    assert twins(ours, theirs) == []


def test_who_is_a_twin_as_a_whole():
    """Where each utterance is a row of numbers, on scales of their own."""
    draws = torch.Generator().manual_seed(0)
    scale = torch.logspace(-3, 4, 40)[:, None]
    ours, theirs = (5 + torch.randn(n, 40, 1, generator=draws) for n in (12, 20))
    theirs[7] = ours[3] + 0.05 * (theirs[7] - 5)
    ours[:, 1], theirs[:, 1] = 0.1, 0.1  # says nothing of anybody
    assert twins(scale * ours, scale * theirs) == [3]
    theirs[7] = theirs[8]
    assert twins(scale * ours, scale * theirs) == []


def test_public_speakers_must_be_several(distill_data: Command, small, tmp_path):
    alone = public_table(tmp_path / "alone", {"a": ("anger", "joy")})
    words = (*small, *PRIVATE, "--disentangle", "leace")
    public = ("--public-dataset", "open", "--public-root", alone)
    message = refused(distill_data(*words, *public, "--out", tmp_path / "out"), tmp_path / "out")
    assert "leace takes out how speakers differ, and so needs 2 or more" in message


def with_public(**changes: Any) -> Provenance:
    speech = PublicSpeech(
        corpus="ravdess",
        corpus_title="RAVDESS",
        corpus_digest="f" * 64,
        licence=LICENCE,
        derivatives="non-commercial share-alike",
        citation="S. R. Livingstone and F. A. Russo, 2018",
        utterances=3,
        speakers=2,
        notes=(),
        uses=("the items' start",),
    )
    return provenance(public=replace(speech, **changes))


def test_public_speech_travels_with_its_set(tmp_path):
    one = small_set(provenance=with_public())
    one.save(tmp_path / "set")
    assert SyntheticSet.load(tmp_path / "set").provenance == one.provenance
    assert "> S. R. Livingstone" in (tmp_path / "set" / "README.md").read_text()
    forge(tmp_path / "set", lambda manifest: manifest["provenance"]["public"].pop("licence"))
    with pytest.raises(SetError, match=r"provenance\.public\.licence"):
        SyntheticSet.load(tmp_path / "set")


def test_a_set_is_not_judged_on_a_part_of_its_public_speech():
    """Where a corpus is published, its name says enough."""
    one = NamedSet("mine", small_set(provenance=with_public()), 0.0)
    with pytest.raises(SetError, match="was made from ravdess itself"):
        session(one, CORPORA["ravdess"], label_map={})
