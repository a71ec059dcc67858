"""Loading: order, targets, notes, roots, bad recordings, and the line that states a protocol."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from synth_data import corpus as loading
from synth_data import extraction
from synth_data.corpora import CORPORA
from synth_data.corpora.emodb import EMODB
from synth_data.corpora.facts import Corpus
from synth_data.corpora.ravdess import RAVDESS
from synth_data.corpus import find_root, known_corpus, load, protocol_line, protocol_of
from synth_data.errors import AudioError, CorpusError, UserError
from synth_data.extraction import extract
from synth_data.features import FeatureSpec
from synth_data.protocol import leave_one_out, speaker_dependent
from synth_data.utterance import AudioFile, Utterance

SPEC = FeatureSpec(mels=8, frames=20)


def read(root: Path | None, allow_missing: bool) -> list[Utterance]:  # noqa: ARG001 - its type
    """`<speaker>-<emotion>-<number>.wav`, in no order that could be mistaken for sorted."""
    if root is None or not root.is_dir():
        raise CorpusError(f"{root} is no folder")
    return [
        Utterance(
            name=path.stem,
            audio=AudioFile(path),
            emotion=path.stem.split("-")[1],
            speaker=path.stem.split("-")[0],
        )
        for path in sorted(root.glob("*.wav"), reverse=True)
    ]


TINY = Corpus(
    name="tiny-test",
    title="Tiny",
    emotions=("joy", "anger"),
    protocols={
        "leave-one-speaker-out": leave_one_out("speaker"),
        "speaker-dependent-2-fold": speaker_dependent(2),
    },
    read=read,
    language="noise",
    access="own",
    licence="none",
    derivatives="owner decides",
    url="https://example.org/tiny",
    citation="none",
    layout="*.wav",
    label_note="glee->joy",
    counts={"joy": 3, "anger": 3},
    speakers=3,
)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    random = np.random.default_rng(0)
    for speaker in ("a", "b", "c"):
        for emotion in ("joy", "anger"):
            noise = 0.1 * random.standard_normal(4_000)
            soundfile.write(folder / f"{speaker}-{emotion}-1.wav", noise, 16_000)
    return folder


@pytest.fixture(autouse=True)
def surroundings(tmp_path, monkeypatch):
    """Neither the caches nor the corpora of whoever runs the tests."""
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "cache"))
    for name in ("SER_DATA_ROOT", "TINY_TEST_ROOT"):
        monkeypatch.delenv(name, raising=False)


def test_rows_are_aligned_and_sorted_by_name(root):
    real = load(TINY, root, SPEC)
    names = [utterance.name for utterance in real.utterances]
    assert names == sorted(path.stem for path in root.iterdir())
    for row, utterance in enumerate(real.utterances):
        expected = SPEC(utterance.audio.waveform(SPEC.sample_rate))
        assert torch.equal(real.features[row], expected)
        assert real.emotions[int(real.targets[row].argmax())] == utterance.emotion
    assert real.targets.dtype == torch.float32
    assert torch.equal(real.targets.sum(dim=1), torch.ones(6))
    assert real.emotions == ("joy", "anger")
    assert real.spec == SPEC
    assert real.facts is TINY
    assert real.notes == ()


def test_emotions_of_a_corpus_that_lists_none_are_those_found(root):
    real = load(replace(TINY, emotions=(), counts={}), root, SPEC)
    assert real.emotions == ("anger", "joy")


@pytest.mark.slow
def test_processes_do_not_change_the_bits(root):
    utterances = dict(enumerate(read(root, False)))
    one, refused = extract(utterances, SPEC, jobs=1, progress=False)
    two, _ = extract(utterances, SPEC, jobs=2, progress=False)
    assert not refused
    assert list(one) == list(two) == list(range(6))
    assert all(torch.equal(one[row], two[row]) for row in one)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_an_interrupted_load_computed_is_not_computed_again(root, monkeypatch, error):
    computed = []

    def until(last):
        def of(utterance, spec):
            if len(computed) == last:
                raise error
            computed.append(utterance.name)
            return spec.of(utterance)

        return of

    monkeypatch.setattr(extraction, "_features", until(4))
    with pytest.raises(error):
        load(TINY, root, SPEC)
    monkeypatch.setattr(extraction, "_features", until(-1))
    resumed = load(TINY, root, SPEC)
    assert sorted(computed) == sorted(path.stem for path in root.iterdir())
    monkeypatch.undo()
    assert torch.equal(resumed.features, load(TINY, root, SPEC, cache=root / "other").features)


@pytest.mark.parametrize(("takes", "kept"), [(0.0, [2, 4, 6]), (10.0, [2, 4, 6]), (60.0, [2, 6])])
def test_features_are_put_by_every_few_minutes_unless_that_takes_long(
    root, monkeypatch, takes, kept
):
    """Each of the six takes a minute; so does, at most, putting them by."""
    clock, found = [0.0], []

    def a_minute(*_):
        clock[0] += 60
        return torch.zeros(SPEC.shape)

    def keep(rows):
        clock[0] += takes
        found.append(len(rows))

    monkeypatch.setattr(extraction, "monotonic", lambda: clock[0])
    monkeypatch.setattr(extraction, "_features", a_minute)
    extract(dict(enumerate(read(root, False))), SPEC, 1, progress=False, keep=keep)
    assert found == kept


def test_jobs_must_be_positive(root):
    with pytest.raises(UserError, match=r"jobs is 0: .* 1 or more"):
        load(TINY, root, SPEC, jobs=0)


def test_progress_is_on_stderr_and_only_when_asked(root, tmp_path, capsys):
    load(TINY, root, SPEC, cache=tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    load(TINY, root, SPEC, cache=tmp_path / "loud", progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "features:" in err


def test_digest_is_of_speech_and_labels(root):
    before = load(TINY, root, SPEC).digest
    assert load(TINY, root, replace(SPEC, mels=9)).digest == before
    (root / "a-joy-1.wav").rename(root / "d-joy-1.wav")
    relabelled = load(TINY, root, SPEC).digest
    (root / "d-joy-1.wav").write_bytes((root / "b-joy-1.wav").read_bytes())
    respoken = load(TINY, root, SPEC).digest
    assert len({before, relabelled, respoken}) == 3


# Cache


def test_a_second_load_computes_nothing_and_gives_the_same_bits(root, monkeypatch):
    computed = load(TINY, root, SPEC)
    monkeypatch.setattr(AudioFile, "waveform", lambda *_: pytest.fail("audio was read again"))
    cached = load(TINY, root, SPEC)
    assert torch.equal(cached.features, computed.features)
    assert cached.utterances == computed.utterances


def test_another_recipe_or_another_recording_is_computed(root):
    before = load(TINY, root, SPEC)
    assert load(TINY, root, replace(SPEC, mels=9)).features.shape[1] == 9
    (root / "b-joy-1.wav").write_bytes((root / "a-joy-1.wav").read_bytes())
    after = load(TINY, root, SPEC)
    assert torch.equal(after.features[3], before.features[1])
    assert not torch.equal(after.features[3], before.features[3])


def test_a_damaged_cache_gives_the_same_bits_again(root, tmp_path):
    before = load(TINY, root, SPEC, cache=tmp_path / "mine")
    (file,) = (tmp_path / "mine").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-9])
    assert torch.equal(load(TINY, root, SPEC, cache=tmp_path / "mine").features, before.features)
    assert file.stat().st_size == len(content)  # whole again


def test_loading_works_where_no_cache_can_be_written(root, tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    assert len(load(TINY, root, SPEC, cache=tmp_path / "file")) == 6
    assert "features are not cached" in caplog.text


# Notes


def test_notes_tell_counts_that_differ(root):
    (root / "a-anger-1.wav").unlink()
    assert load(TINY, root, SPEC).notes == (
        "5 utterances instead of the published 6 (anger 2 instead of 3)",
    )
    (root / "a-joy-1.wav").rename(root / "b-anger-2.wav")
    assert load(TINY, root, SPEC).notes == (
        "5 utterances instead of the published 6 (joy 2 instead of 3)",
        "2 speakers instead of the published 3",
    )


def test_notes_tell_when_only_the_counts_per_emotion_differ(root):
    (root / "a-joy-1.wav").rename(root / "a-anger-2.wav")
    assert load(TINY, root, SPEC).notes == (
        "counts per emotion differ from the published (joy 2 instead of 3, anger 4 instead of 3)",
    )


# Bad recordings


def spoil(root: Path, count: int) -> None:
    for path in sorted(root.glob("*.wav"))[:count]:
        soundfile.write(path, np.zeros(4_000), 16_000)


def test_all_bad_recordings_are_found_before_the_error(root):
    spoil(root, 2)
    (root / "c-anger-1.wav").write_bytes(b"no audio")
    with pytest.raises(AudioError) as error:
        load(TINY, root, SPEC)
    message = str(error.value)
    assert message.startswith("3 of 6 recordings of Tiny cannot be used:\n")
    for reason in ("a-anger-1.wav: silent", "a-joy-1.wav: silent", "c-anger-1.wav: cannot be read"):
        assert reason in message
    assert "--skip-bad" in message
    assert " more\n" not in message


def test_only_the_first_bad_recordings_are_named_unless_all_are_asked_for(root, caplog):
    spoil(root, 6)
    caplog.set_level("DEBUG", "synth_data.corpus")  # as by -v
    with pytest.raises(AudioError, match=r"(?s)^6 of 6 .*b-joy-1.*and 1 more") as error:
        load(TINY, root, SPEC)
    assert "c-joy-1" not in str(error.value)
    assert any("c-joy-1" in message for message in caplog.messages)


def test_a_recording_that_vanishes_is_a_bad_one(root):
    (root / "a-joy-1.wav").unlink()
    (root / "a-joy-1.wav").symlink_to(root / "nowhere.wav")
    with pytest.raises(AudioError, match=r"(?s)1 of 6 .*cannot be read: .*a-joy-1\.wav"):
        load(TINY, root, SPEC)
    assert len(load(TINY, root, SPEC, skip_bad=True)) == 5


def test_skipped_recordings_are_counted_and_named(root):
    whole = load(TINY, root, SPEC)
    spoil(root, 1)
    real = load(TINY, root, SPEC, skip_bad=True)
    assert torch.equal(real.features, whole.features[1:])
    assert [u.name for u in real.utterances] == [u.name for u in whole.utterances[1:]]
    assert real.notes[0] == "5 utterances instead of the published 6 (anger 2 instead of 3)"
    assert real.notes[1].startswith("1 recording skipped (")
    assert "a-anger-1.wav: silent" in real.notes[1]
    again = load(TINY, root, SPEC, skip_bad=True)  # this time from the cache
    assert again.notes == real.notes
    assert torch.equal(again.features, real.features)
    with pytest.raises(AudioError, match="1 of 6"):
        load(TINY, root, SPEC)


def test_a_digest_is_of_what_was_used(root):
    spoil(root, 1)
    skipped = load(TINY, root, SPEC, skip_bad=True)
    (root / "a-anger-1.wav").unlink()
    assert load(TINY, root, SPEC).digest == skipped.digest


def test_a_class_that_is_skipped_whole_is_still_a_class(root):
    for path in root.glob("*-anger-*.wav"):
        path.write_bytes(b"no audio")
    real = load(replace(TINY, emotions=()), root, SPEC, skip_bad=True)
    assert real.emotions == ("anger", "joy")
    with pytest.raises(CorpusError, match="no utterance of anger"):
        real.require_every_group("the whole")


def test_nothing_left_is_an_error(root):
    spoil(root, 6)
    with pytest.raises(CorpusError, match=r"no utterance of Tiny is left: 6 found, 6 of them"):
        load(TINY, root, SPEC, skip_bad=True)
    for path in root.iterdir():
        path.unlink()
    with pytest.raises(CorpusError, match=r"no utterance of Tiny is left: 0 found"):
        load(TINY, root, SPEC)


def test_allow_missing_reaches_the_reader(root):
    asked = []
    spying = replace(TINY, read=lambda r, allow: asked.append(allow) or read(r, allow))
    load(spying, root, SPEC)
    load(spying, root, SPEC, allow_missing=True)
    assert asked == [False, True]


# Roots


def test_the_root_comes_from_the_nearest_place_that_tells(root, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA_ROOT", str(tmp_path))
    (tmp_path / "tiny-test").mkdir()
    assert find_root(TINY, None) == tmp_path / "tiny-test"
    monkeypatch.setenv("TINY_TEST_ROOT", str(root))
    assert find_root(TINY, None) == root
    assert len(load(TINY, spec=SPEC)) == 6
    assert find_root(TINY, str(tmp_path)) == tmp_path
    assert find_root(TINY, "~/x") == Path.home() / "x"


def test_no_root_anywhere_is_an_error(tmp_path, monkeypatch):
    with pytest.raises(CorpusError, match="the corpus 'table' needs --data-root: a CSV of your"):
        find_root(CORPORA["table"], None)
    with pytest.raises(CorpusError, match=r"where is Tiny\? .*TINY_TEST_ROOT is not set, and SER_"):
        find_root(TINY, None)
    monkeypatch.setenv("SER_DATA_ROOT", str(tmp_path))
    with pytest.raises(CorpusError, match=r"tiny-test does not exist.*example\.org/tiny"):
        find_root(TINY, None)


def test_a_built_in_corpus_needs_no_root():
    assert find_root(replace(TINY, access="built-in"), None) is None


# Names


def test_corpora_are_known_by_name(root, monkeypatch):
    monkeypatch.setattr(loading, "CORPORA", {"tiny-test": TINY})
    assert known_corpus("tiny-test") is TINY
    assert len(load("tiny-test", root, SPEC)) == 6
    with pytest.raises(UserError, match=r"unknown corpus 'tiny': did you mean 'tiny-test'\?"):
        known_corpus("tiny")


def test_protocols_are_known_by_name():
    assert protocol_of(TINY, None).name == "leave-one-speaker-out"
    assert protocol_of(TINY, "speaker-dependent-2-fold").name == "speaker-dependent-2-fold"
    with pytest.raises(UserError, match=r"unknown protocol 'leave-one-out' of Tiny: did you mean"):
        protocol_of(TINY, "leave-one-out")


# The protocol line


def test_protocol_line(root):
    real = load(TINY, root, SPEC)
    assert protocol_line(real, protocol_of(TINY, None), "logmel64") == (
        "Tiny · 2 classes (glee->joy) · 6 utterances · leave-one-speaker-out, 3 folds · "
        "validation: speaker-disjoint · logmel64"
    )
    plain = replace(real, facts=replace(TINY, label_note=""))
    assert protocol_line(plain, None, "logmel64") == (
        "Tiny · 2 classes · 6 utterances · all speakers, no test · logmel64"
    )


def test_protocol_line_says_when_speakers_are_shared(root):
    dependent = protocol_of(TINY, "speaker-dependent-2-fold")
    line = protocol_line(load(TINY, root, SPEC), dependent, "logmel64")
    assert line.endswith("2 folds · validation: random · logmel64 · SPEAKER-DEPENDENT")


def test_protocol_line_tells_the_notes_without_their_details(root):
    spoil(root, 1)
    real = load(TINY, root, SPEC, skip_bad=True)
    line = protocol_line(real, protocol_of(TINY, None), "logmel64")
    assert line.endswith("logmel64 · 5 utterances instead of the published 6 · 1 recording skipped")


@pytest.mark.corpus
@pytest.mark.parametrize(("corpus", "utterances"), [(EMODB, 535), (RAVDESS, 1440)])
def test_real_corpora(data_root, monkeypatch, corpus, utterances):
    monkeypatch.setenv("SER_DATA_ROOT", str(data_root))
    computed, cached = load(corpus), load(corpus)
    assert len(computed) == utterances
    assert computed.notes == ()
    assert computed.features.isfinite().all()
    assert torch.equal(computed.features, cached.features)
    assert computed.digest == cached.digest
