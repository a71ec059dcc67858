"""Which dimensions a corpus tells, on which scale: proxies, tables, IEMOCAP, and errors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from felt_speech import complete, felt_speech
from safetensors.torch import save_file
from small_sets import provenance
from trees import Turn, emodb_tree, iemocap_tree, noise, ravdess_tree

from evaluation.named_sets import NamedSet
from evaluation.session_checks import require_same
from synth_data.adoption import adopt
from synth_data.corpora.crema_d import CREMA_D
from synth_data.corpora.emodb import EMODB
from synth_data.corpora.facts import Corpus
from synth_data.corpora.iemocap import IEMOCAP
from synth_data.corpora.proxies import CENTROIDS, NOTE
from synth_data.corpora.ravdess import RAVDESS
from synth_data.corpora.table import TABLE
from synth_data.corpora.toy import TOY, toy_utterances
from synth_data.corpus import listing, load, protocol_line, protocol_of
from synth_data.corpus_check import check
from synth_data.errors import CorpusError, SetError, UserError
from synth_data.features import FeatureSpec
from synth_data.folds import Fold
from synth_data.protocol import Protocol, leave_one_out
from synth_data.ratings import parse_scale, task_of, usable
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.task import DIMENSIONS, TASKS, task_named
from synth_data.utterance import Utterance

SPEC = FeatureSpec(mels=8, frames=20)
HEADER = "file,emotion,speaker,valence,activation"
ROWS = ("a.wav,joy,anna,1.5,4", "b.wav,,anna,5,2.5", "c.wav,anger,ben,2,3")


@pytest.fixture(autouse=True)
def _no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache"))


def table(folder: Path, rows: Sequence[str] = ROWS, header: str = HEADER) -> Path:
    """A table, and a recording for each of its rows."""
    for row in rows:
        noise(folder / row.split(",")[0], seed=len(row))
    (folder / "table.csv").write_text("\n".join((header, *rows)) + "\n")
    return folder / "table.csv"


@pytest.mark.parametrize(("corpus", "tree"), [(EMODB, emodb_tree), (RAVDESS, ravdess_tree)])
def test_emotions_have_their_published_proxies(corpus: Corpus, tree, tmp_path: Path) -> None:
    root = tree(tmp_path / "tree")
    real = listing(corpus, root, SPEC, task="dimensional")
    for utterance, row in zip(real.utterances, real.targets, strict=True):
        assert row.tolist() == pytest.approx(CENTROIDS[utterance.emotion])
    assert real.task.proxies == NOTE
    line = protocol_line(real, None, "own")
    assert f"valence, activation, dominance (-1 to 1) · dimensions: {NOTE} · " in line
    assert "class" not in line
    both = protocol_line(listing(corpus, root, SPEC, task="both"), None, "own")
    assert f"{len(corpus.emotions)} classes · valence" in both
    assert "dimension" not in protocol_line(listing(corpus, root, SPEC), None, "own")


def test_a_task_changes_no_digest_and_no_features(tmp_path: Path) -> None:
    tree = emodb_tree(tmp_path / "tree", speakers=["03", "08"])
    reals = [load(EMODB, tree, SPEC, task=task) for task in TASKS]
    assert len({real.digest for real in reals}) == 1
    assert all(torch.equal(real.features, reals[0].features) for real in reals)
    assert torch.equal(reals[2].targets, torch.cat([r.targets for r in reals[:2]], dim=1))


def test_other_ratings_are_another_content_of_the_same_recordings(tmp_path: Path) -> None:
    """A ledger goes by the digest; all that must not be mixed goes by the content."""
    rows = ("a.wav,joy,anna,1.5,4", "b.wav,joy,anna,5,2.5", "c.wav,anger,ben,2,3")
    first = {task: load(TABLE, table(tmp_path, rows), SPEC, task=task) for task in TASKS}
    assert first["categorical"].content == first["categorical"].digest
    assert first["both"].content != first["both"].digest
    assert first["dimensional"].content == first["both"].content
    path = table(tmp_path, (*rows[:2], "c.wav,anger,ben,4,3"))
    again = {task: load(TABLE, path, SPEC, task=task) for task in TASKS}
    assert len({real.digest for real in (*first.values(), *again.values())}) == 1
    assert again["categorical"].content == first["categorical"].content
    assert again["dimensional"].content != first["dimensional"].content
    with pytest.raises(SetError, match="ratings or transcripts are others"):
        require_same(_noise_of(first["both"]), again["both"])
    require_same(_noise_of(first["both"]), first["both"])
    require_same(_noise_of(first["both"], told_digest=None), again["both"])  # an older set


def _noise_of(real: RealSet, **changes: object) -> NamedSet:
    """A set that says it was made from this corpus."""
    told = {"corpus": real.corpus, "corpus_digest": real.digest, "told_digest": real.content}
    made = SyntheticSet(
        features=real.features,
        targets=real.targets,
        task=real.task,
        spec=real.spec,
        start=None,
        provenance=provenance(**told | changes),
    )
    return NamedSet("noise", made)


def test_proxies_keep_the_order_that_their_names_have() -> None:
    valence, activation, dominance = (
        {name: values[k] for name, values in CENTROIDS.items()} for k in range(3)
    )
    assert all(valence[bad] < 0 for bad in ("anger", "boredom", "disgust", "fear", "sadness"))
    assert min(activation, key=activation.__getitem__) == "boredom"
    assert dominance["anger"] > 0 > dominance["fear"]
    assert CENTROIDS["neutral"] == (0.0, 0.0, 0.0)
    assert all(abs(value) <= 1 for values in CENTROIDS.values() for value in values)


def turns(source: Path, **changes: object) -> list[Turn]:
    emotions = ("ang", "hap", "exc", "neu", "sad", "fru", "xxx", "sur")
    made = [
        Turn(f"Ses0{session}F_impro01", letter, emotion, source, valence=2.0)
        for session in range(1, 6)
        for letter in "FM"
        for emotion in emotions
    ]
    return [replace(made[0], **changes), *made[1:]]


def test_all_turns_of_iemocap_tell_dimensions(tmp_path: Path) -> None:
    tree = iemocap_tree(tmp_path / "tree", turns(noise(tmp_path / "source.wav")))
    assert len(listing(IEMOCAP, tree, SPEC)) == 50
    real = listing(IEMOCAP, tree, SPEC, task="dimensional")
    assert (len(real), real.task.scale) == (80, (1.0, 5.0))
    assert real.targets[0].tolist() == [-0.5, 0.0, 0.25]
    assert "80 rated utterances instead of the published 10039" in real.notes
    assert not any("5531" in note for note in real.notes)
    (same,) = (note for note in real.notes if "the same for all utterances" in note)
    assert same.startswith("valence, activation, dominance the same for all")
    made = turns(noise(tmp_path / "source.wav"), valence=3.0)
    (same,) = (
        note
        for note in listing(
            IEMOCAP, iemocap_tree(tmp_path / "other", made), SPEC, task="dimensional"
        ).notes
        if "the same for all utterances" in note
    )
    assert same.startswith("activation, dominance the same for all")
    both = listing(IEMOCAP, tree, SPEC, task="both")
    assert both.task.columns == (*IEMOCAP.emotions, *DIMENSIONS)
    untold = both.targets[:, :4].isnan()
    assert untold.any(dim=1).equal(untold.all(dim=1))
    assert int(untold.all(dim=1).sum()) == 30
    assert both.targets[:, 4:].isfinite().all()
    assert "30 utterances without an emotion (they tell dimensions alone)" in both.notes
    assert any(
        note.startswith("50 utterances instead of the published 5531") for note in both.notes
    )


def test_turns_without_an_emotion_need_recordings_only_where_they_are_used(tmp_path: Path) -> None:
    made = turns(noise(tmp_path / "source.wav"))
    tree = iemocap_tree(
        tmp_path / "tree", [replace(t, audio=None) if t.emotion == "fru" else t for t in made]
    )
    assert len(listing(IEMOCAP, tree, SPEC)) == 50
    with pytest.raises(CorpusError, match="labels without audio: 10 "):
        listing(IEMOCAP, tree, SPEC, task="dimensional")
    assert len(listing(IEMOCAP, tree, SPEC, task="dimensional", allow_missing=True)) == 70


def test_a_mean_rating_just_off_the_scale_is_its_end(tmp_path: Path) -> None:
    source = noise(tmp_path / "source.wav")
    tree = iemocap_tree(tmp_path / "near", turns(source, valence=5.5, dominance=0.5))
    first = listing(IEMOCAP, tree, SPEC, task="dimensional").targets[0]
    assert (first[0], first[2]) == (1.0, -1.0)
    tree = iemocap_tree(tmp_path / "far", turns(source, valence=5.75))
    message = r"from 1 to 5: 1 \(.*Ses01F_impro01.txt, line 3: valence 5.75\); mend them$"
    with pytest.raises(CorpusError, match=message):
        listing(IEMOCAP, tree, SPEC, task="dimensional")
    assert len(listing(IEMOCAP, tree, SPEC)) == 50  # where it is not used


def test_the_toy_corpus_tells_how_it_was_made() -> None:
    real = listing(TOY, None, SPEC, task="dimensional")
    assert (len(real), real.task.scale, real.task.proxies) == (640, (-1.0, 1.0), "")
    assert real.targets.abs().max() < 1
    assert len(real.targets.unique(dim=0)) == 640
    assert torch.equal(real.targets, listing(TOY, None, SPEC, task="dimensional").targets)
    means = {
        emotion: real.targets[[u.emotion == emotion for u in real.utterances]].mean(dim=0)
        for emotion in TOY.emotions
    }
    assert means["happiness"][0] > 0.5 > -0.2 > means["anger"][0]
    assert min(means["anger"][1], means["happiness"][1]) > 0.5 > -0.3 > means["sadness"][1]
    assert means["anger"][2] > 0.5 > -0.5 > means["sadness"][2]
    assert means["neutral"].abs().max() < 0.1
    within = [
        real.targets[[u.emotion == emotion for u in real.utterances]].std(dim=0)
        for emotion in TOY.emotions
    ]
    assert torch.stack(within).min() > 0.1  # so that emotions alone do not tell them
    larger = {u.name: (u.valence, u.activation, u.dominance) for u in toy_utterances(20, 2)}
    first = real.utterances[0]
    assert larger[first.name] == (first.valence, first.activation, first.dominance)


def test_a_table_tells_the_dimensions_that_occur_on_the_scale_given(tmp_path: Path) -> None:
    real = load(TABLE, table(tmp_path), SPEC, task="dimensional", scale=(1.0, 7.0))
    assert real.task.dimensions == ("valence", "activation")
    assert real.task.scale == (1.0, 7.0)
    assert torch.allclose(real.targets[0], torch.tensor([-2.5 / 3, 0.0]))
    assert not any("scale" in note for note in real.notes)


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        (("0.5", "0.25"), (0, 1)),
        (("-0.5", "0.25"), (-1, 1)),
        (("1", "4"), (1, 5)),
        (("1", "5.25"), (1, 7)),
        (("3", "9"), (1, 9)),
    ],
)
def test_without_a_scale_it_is_the_first_known_that_holds_all(
    tmp_path: Path, values: tuple[str, str], scale: tuple[float, float]
) -> None:
    rows = [f"a.wav,joy,anna,{values[0]},{values[1]}", f"b.wav,joy,ben,{values[1]},{values[0]}"]
    real = load(TABLE, table(tmp_path, rows), SPEC, task="dimensional")
    assert real.task.scale == scale
    low, high = scale
    (note,) = real.notes
    assert note.startswith(f"scale {low} to {high} taken from the values (which go from ")
    assert f"· scale {low} to {high} taken from the values" in protocol_line(real, None, "own")


def test_values_on_no_known_scale_need_one(tmp_path: Path) -> None:
    place = table(tmp_path, [*ROWS, "d.wav,joy,anna,-3,50"])
    with pytest.raises(UserError, match=r"go from -3 to 50, .*give yours with --scale"):
        load(TABLE, place, SPEC, task="dimensional")
    real = load(TABLE, place, SPEC, task="dimensional", scale=(-50.0, 50.0))
    assert real.targets.abs().max() == 1


def test_a_value_off_the_scale_is_named_with_its_file_and_row(tmp_path: Path) -> None:
    message = r"from 1 to 4: 1 \(.*table.csv, line 3: valence 5\); mend them, or give .*--scale"
    with pytest.raises(CorpusError, match=message):
        load(TABLE, table(tmp_path), SPEC, task="dimensional", scale=(1.0, 4.0))


def test_no_number_is_named_with_its_row(tmp_path: Path) -> None:
    place = table(tmp_path, [*ROWS, "d.wav,joy,anna,nan,3"])
    with pytest.raises(CorpusError, match="line 5: valence 'nan' is not a number"):
        load(TABLE, place, SPEC, task="dimensional")


def test_utterances_without_a_value_are_counted_and_named(tmp_path: Path) -> None:
    place = table(tmp_path, [*ROWS, "d.wav,joy,anna,3,", "e.wav,joy,anna,,"])
    message = r"a value: 2 of 5 \(.*line 5: activation, .*line 6: valence, .*--allow-missing"
    with pytest.raises(CorpusError, match=message):
        load(TABLE, place, SPEC, task="dimensional")
    real = load(TABLE, place, SPEC, task="dimensional", allow_missing=True)
    assert real.targets.isnan().tolist() == [[False, False]] * 3 + [[False, True]]
    assert [note for note in real.notes if "known" in note] == [
        "1 utterances of which nothing is known left out",
        "1 utterances without a value of activation (no item starts as one; students learn and "
        "are tested on what else is known of them)",
    ]
    both = load(TABLE, place, SPEC, task="both", allow_missing=True)
    assert len(both) == 5  # the last tells its emotion
    assert both.targets[-1].isnan().tolist() == [False, False, True, True]
    assert len(complete(both)) == 3
    nothing = table(tmp_path, ["d.wav,joy,anna,3,", "e.wav,joy,anna,,3"])
    with pytest.raises(CorpusError, match=r"no utterance of own .* has a value of each of valence"):
        load(TABLE, nothing, SPEC, task="dimensional", allow_missing=True)


def test_a_side_of_a_fold_with_too_few_values_is_named(tmp_path: Path) -> None:
    rows = [f"{name}.wav,joy,{name},{2 + row},{1 + row}" for row, name in enumerate("abcd")]
    rows += ["e.wav,joy,e,3,", "f.wav,joy,e,2,2"]
    real = load(TABLE, table(tmp_path, rows), SPEC, task="dimensional", allow_missing=True)
    protocol = protocol_of(TABLE, "leave-one-speaker-out")
    message = r"the test side of fold 5 of .* has 1 values of activation, and no two that differ"
    with pytest.raises(CorpusError, match=message):
        real.fold(protocol, 5)
    assert len(real.fold(protocol, 1)[2]) == 1


@pytest.mark.parametrize("every_emotion", [True, False])
def test_a_training_side_without_an_utterance_of_which_all_is_known_is_refused(
    every_emotion: bool,
) -> None:
    real = felt_speech((8, 8, 8), lacking=[(row, row % 2) for row in range(24)])
    fold = Fold(tuple(range(16)), (16, 17, 18, 19), (20, 21, 22, 23))
    protocol = Protocol("own", lambda _: [fold])
    message = "the training side of fold 1 of .* has no utterance with a value of each of valence, "
    with pytest.raises(CorpusError, match=message):
        real.fold(protocol, 1, every_emotion)


def test_a_rated_utterance_needs_no_emotion(tmp_path: Path) -> None:
    place = table(tmp_path)
    with pytest.raises(CorpusError, match="line 3: empty emotion"):
        load(TABLE, place, SPEC)
    both = load(TABLE, place, SPEC, task="both")
    assert both.emotions == ("anger", "joy")
    assert both.targets[1, :2].isnan().all()
    rows = [row.replace(",joy,", ",").replace(",anger,", ",").replace(",,", ",") for row in ROWS]
    bare = table(tmp_path, rows, HEADER.replace("emotion,", ""))
    assert len(load(TABLE, bare, SPEC, task="dimensional")) == 3
    with pytest.raises(CorpusError, match="missing columns: emotion"):
        load(TABLE, bare, SPEC)
    with pytest.raises(UserError, match="has no emotions: use --task dimensional"):
        load(TABLE, bare, SPEC, task="both")


def test_what_a_corpus_does_not_tell_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"CREMA-D has no valence.*use --task categorical, or a"):
        task_of(CREMA_D, "dimensional", [], None)
    plain = table(tmp_path, ["a.wav,joy,anna"], "file,emotion,speaker")
    with pytest.raises(
        UserError, match=r"has no valence, .*with dimensions: toy, toy-words, emodb"
    ):
        load(TABLE, plain, SPEC, task="both")
    with pytest.raises(UserError, match=r"from -1 to 1, and a scale from 1 to 7 was given"):
        task_of(TOY, "dimensional", TOY.read(None, False), (1.0, 7.0))
    with pytest.raises(UserError, match=r"a scale \(1 to 7\) is of dimensions, and none are"):
        task_of(TOY, "categorical", [], (1.0, 7.0))


def test_nan_of_a_reader_is_off_every_scale() -> None:
    first, *others = TOY.read(None, False)
    broken: list[Utterance] = [replace(first, valence=float("nan")), *others]
    with pytest.raises(CorpusError, match=f"1 .{first.name}: valence nan."):
        usable(TOY, task_of(TOY, "dimensional", broken), broken, allow_missing=True)


@pytest.mark.parametrize("text", ["", "1", "1,", "1,2,3", "7,1", "1,1", "0,nan", "-inf,1", "a,b"])
def test_what_is_no_scale_is_refused(text: str) -> None:
    with pytest.raises(UserError, match=f"such as 1,7; found '{text}'"):
        parse_scale(text)


def test_tasks_by_name() -> None:
    assert [task_named(name) for name in TASKS] == list(TASKS)
    with pytest.raises(UserError, match=r"unknown task 'dimensionl'.*dimensional"):
        task_named("dimensionl")


def test_tensors_of_another_program_become_a_set_of_dimensions(tmp_path: Path) -> None:
    for task in ("dimensional", "both"):
        real = felt_speech(task=task)
        emotions = real.emotions[::-1]
        targets = real.targets[:5].clone()
        targets[:, : len(emotions)] = targets[:, : len(emotions)].flip(1)
        save_file({"features": real.features[:5], "targets": targets}, tmp_path / "t.safetensors")
        made = adopt(
            tmp_path / "t.safetensors", real, leave_one_out("speaker"), None, emotions, "theirs"
        )
        assert torch.equal(made.targets, real.targets[:5])
        assert made.provenance.per_class == 1
        made.save(tmp_path / task)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"labels": torch.zeros(5, dtype=torch.int64)}, "has no 'targets'; found features, labels"),
        ({"targets": torch.zeros(5, 2)}, r"must have 3 columns \(0 emotions, valence, .*\[5, 2\]"),
        ({"targets": torch.full((5, 3), 4.0)}, "valence, activation, dominance must be numbers"),
    ],
)
def test_other_tensors_do_not(tmp_path: Path, tensors, message) -> None:
    real = felt_speech()
    save_file({"features": real.features[:5], **tensors}, tmp_path / "t.safetensors")
    with pytest.raises(SetError, match=message):
        adopt(tmp_path / "t.safetensors", real, leave_one_out("speaker"), None, (), "theirs")


def test_a_check_of_a_copy_counts_what_is_rated(tmp_path: Path) -> None:
    source = noise(tmp_path / "source.wav", seconds=1.0)
    tree = iemocap_tree(tmp_path / "tree", turns(source))
    assert check(IEMOCAP, tree).rated == 80
    less = [replace(t, audio=None) if t.emotion == "fru" else t for t in turns(source)]
    found = check(IEMOCAP, iemocap_tree(tmp_path / "less", less))
    assert "labels without audio: 10 " in str(found.rated)
    assert not any("without audio" in fault for fault in found.faults)
    assert check(TABLE, table(tmp_path / "own", [*ROWS[:1], ROWS[2]])).rated == 2
    plain = table(tmp_path / "plain", ["a.wav,joy,anna"], "file,emotion,speaker")
    assert check(TABLE, plain).rated is None
    assert check(CREMA_D, tmp_path).rated is None
