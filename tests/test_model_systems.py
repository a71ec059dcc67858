"""The parts of model distillation: networks, losses, lessons, and what is made of runs."""

import copy
import weakref
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from felt_speech import felt_speech
from safetensors.torch import save_file
from small_dimensional import a_set
from small_encoders import text_encoder
from small_sets import small_set
from small_teachers import save_speech, save_text, small_corpus
from torch import Tensor
from torch.nn.functional import cosine_similarity

from evaluation.augment import Augment
from evaluation.concordance import ccc
from evaluation.systems import states
from evaluation.systems.distil_encoder import (
    Distillation,
    _shuffled,
    distilled,
    first_layers,
    layer_loss,
)
from evaluation.systems.encoders import SpeechEncoder, open_speech
from evaluation.systems.fitting import Lesson, Recipe, answers, fit, task_loss, worth
from evaluation.systems.listening import Hint, Listening, listen
from evaluation.systems.pooled import Head, Pooled, drawn_head
from evaluation.systems.probing import best_layers, probed
from evaluation.systems.sequences import Ragged, Sequences, fuse, mean_and_deviation
from evaluation.systems.states import StateCache
from evaluation.systems.system import Material, Stopwatch
from evaluation.systems.taught_set import teach
from evaluation.systems.tc_gru import TEACHER, Size, drawn, settle
from evaluation.systems.text_encoders import TextEncoder, open_text, require_transcripts
from synth_data.corpus import load
from synth_data.errors import AudioError, SetError, UserError
from synth_data.features import FEATURES
from synth_data.real import RealSet
from synth_data.task import Task

SMALL = Size(channels=8, stride=2, states=8, layers=1, embedding=8, both_ways=True)
TASK = Task(dimensions=("valence", "activation"))


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> SpeechEncoder:
    return open_speech(str(save_speech(tmp_path_factory.mktemp("speech"))))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return open_text(str(save_text(tmp_path_factory.mktemp("text"))))


def spoken(n: int = 4):
    return small_corpus().read(None, False)[:n]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_sequences(lengths: list[int], dim: int = 5) -> Sequences:
    generator = draws()
    return Sequences.of([torch.randn(length, dim, generator=generator) for length in lengths])


@pytest.mark.parametrize(("both_ways", "layers"), [(False, 1), (True, 1), (True, 2)])
def test_an_utterance_is_heard_alike_beside_longer_ones(both_ways, layers):
    heard = random_sequences([7, 20, 13])
    network = drawn(5, 2, replace(SMALL, both_ways=both_ways, layers=layers), draws())
    _, together = answers(network, heard)
    _, alone = answers(network, heard.rows(torch.tensor([0])))
    torch.testing.assert_close(together[:1], alone)


def test_the_teacher_has_the_gru_that_is_reported():
    network = drawn(768, 3, TEACHER, draws())
    sizes = [sum(w.numel() for w in one.parameters()) for one in network.children()]
    convolution = 768 * 128 * 5 + 128
    gru = 2 * (3 * 128 * (128 + 128) + 2 * 3 * 128)
    assert sizes == [convolution, gru, 128 * 128 + 128, 128 * 3 + 3]


def test_fusion_takes_the_rate_of_the_first():
    first = Ragged.of([torch.arange(4.0)[:, None], torch.arange(2.0)[:, None]])
    second = Ragged.of([torch.arange(8.0)[:, None], torch.tensor([[5.0]])])
    fused = fuse([first, second])
    found = fused.rows(torch.arange(2))
    assert fused.dim == 2
    assert found.lengths.tolist() == [4, 2]
    assert found.frames[0].tolist() == [[0.0, 0.5], [1.0, 2.5], [2.0, 4.5], [3.0, 6.5]]
    assert found.frames[1, :2].tolist() == [[0.0, 5.0], [1.0, 5.0]]


def test_what_is_masked_is_the_mean_of_what_is_heard():
    """Log-mels are far from zero, which would be the loudest of all."""
    heard = random_sequences([40] * 3)
    heard = Sequences(7.0 * heard.frames - 100.0, heard.lengths)
    network = drawn(5, 2, SMALL, draws())
    settle(network, heard)
    masked = network.augmented(heard, Augment(bands=3), draws(4)).frames
    means = network.mean.expand_as(masked)
    changed = ~masked.isclose(heard.frames, atol=1e-3)
    assert changed.any()
    torch.testing.assert_close(masked[changed], means[changed])


def test_what_is_in_store_is_what_was_put_there():
    """Padded beforehand, whatever the order, the part of a part, and the precision."""
    lengths = [7, 20, 1, 13]
    listed = [torch.randn(length, 5, generator=draws(length)).half() for length in lengths]
    store, side = fuse([Ragged.of(listed)]), Sequences.of(listed)
    part, rows = torch.tensor([3, 2, 0]), torch.tensor([2, 0])
    found, wanted = store.among(part).rows(rows), side.rows(part).rows(rows)
    assert torch.equal(found.frames, wanted.frames)
    assert torch.equal(found.lengths, wanted.lengths)
    assert found.frames.dtype == torch.float32
    assert store.parts[0].frames.nbytes == 2 * 5 * sum(lengths)  # nothing for what is not there
    whole = torch.cat(listed).float()
    for heard in (store, side):
        mean, deviation = mean_and_deviation(heard)
        torch.testing.assert_close(mean, whole.mean(dim=0))
        torch.testing.assert_close(deviation, whole.std(dim=0, correction=0))


def test_waveforms_are_let_go_of_between_steps(speech, monkeypatch):
    """Those of a corpus would not fit into memory."""
    alive = weakref.WeakSet()
    usual = SpeechEncoder.waveform

    def watched(self, one):
        found = usual(self, one)
        alive.add(found)
        most.append(len(alive))
        return found

    most: list[int] = []
    monkeypatch.setattr(SpeechEncoder, "waveform", watched)
    distilled(speech, spoken(16), [1], Distillation(1, steps=9, batch=2), draws())
    assert len(most) > 16
    assert max(most) <= 4


def test_training_ends_with_the_weights_that_validation_liked_best():
    heard, other = random_sequences([9] * 24), random_sequences([8] * 12)
    targets = torch.randn(24, 2, generator=draws(2)).tanh()
    wanted = torch.randn(12, 2, generator=draws(3)).tanh()
    network = drawn(5, 2, SMALL, draws())
    settle(network, heard)
    recipe = Recipe(epochs=6, batch=8, patience=6)
    best = fit(network, heard, targets, other, wanted, TASK, recipe, draws())
    assert best == pytest.approx(worth(network, other, wanted, TASK))


def test_a_lesson_brings_a_student_nearer_to_its_teacher():
    """Targets are noise, so that all that can be learned is the teacher's."""
    heard = random_sequences([12] * 64)
    noise = torch.randn(64, 2, generator=draws(2)).tanh()
    teacher = drawn(5, 2, SMALL, draws(5))
    settle(teacher, heard)
    embedding, outputs = answers(teacher, heard)
    far = {}
    for taught in (False, True):
        student = drawn(5, 2, SMALL, draws(6))
        settle(student, heard)
        lesson = Lesson(embedding, outputs) if taught else None
        recipe = Recipe(epochs=15, batch=16, learning_rate=1e-2)
        fit(student, heard, noise, heard, outputs, TASK, recipe, draws(), lesson)
        far[taught] = 1 - worth(student, heard, outputs, TASK)
    assert far[True] < 0.5 * far[False]


def test_a_student_learns_to_hear_what_an_encoder_hears():
    heard = random_sequences([12] * 32)
    aims = Sequences(heard.frames[:, ::2].tanh(), heard.lengths // 2)
    student = drawn(5, 2, SMALL, draws())
    settle(student, heard)
    hint = Hint(aims, student.embedding.in_features, draws())
    rows = torch.arange(32)
    before = hint(student.along(heard), rows).item()
    listen(student, heard, hint, Listening(steps=60, learning_rate=1e-2), draws())
    assert hint(student.along(heard), rows).item() < 0.5 * before


def test_listening_can_be_left_out():
    heard = random_sequences([12] * 4)
    student = drawn(5, 2, SMALL, draws())
    before = {name: value.clone() for name, value in student.state_dict().items()}
    hint = Hint(heard, student.embedding.in_features, draws())
    listen(student, heard, hint, Listening(steps=0), draws())
    torch.testing.assert_close(dict(student.state_dict()), before)


def test_the_loss_of_a_layer_is_that_of_distilhubert():
    said, taught = (torch.randn(2, 3, 4, generator=draws(n)) for n in (0, 1))
    inside = torch.tensor([[True, True, False], [True, True, True]])
    slow = []
    for n in range(2):
        for frame in range(3):
            if inside[n, frame]:
                a, b = said[n, frame], taught[n, frame]
                angle = torch.sigmoid(cosine_similarity(a, b, dim=0))
                slow.append((a - b).abs().mean() - 2.0 * angle.log())
    torch.testing.assert_close(layer_loss(said, taught, inside, 2.0), torch.stack(slow).mean())


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("Hubert", {}),
        ("Wav2Vec2", {}),
        ("WavLM", {}),
        ("Wav2Vec2", {"add_adapter": True, "output_hidden_size": 12}),
        ("WavLM", {"add_adapter": True}),
    ],
)
def test_a_student_starts_as_its_teachers_first_layers(tmp_path, family, settings):
    teacher = open_speech(str(save_speech(tmp_path, family=family, **settings)))
    student = first_layers(teacher.network, 2)
    one = spoken(1)[0]
    with torch.no_grad():
        found = student(teacher.waveform(one)[None]).last_hidden_state[0]
    torch.testing.assert_close(found, teacher.states(one)[2])
    assert not any("adapter" in name for name in student.state_dict())
    assert sum(w.numel() for w in student.parameters()) < sum(
        w.numel() for w in teacher.network.parameters()
    )


@pytest.mark.parametrize("family", ["Hubert", "Wav2Vec2", "WavLM", "text"])
def test_a_student_can_start_as_other_layers_of_its_teacher(tmp_path, family):
    if family == "text":
        teacher = open_text(str(save_text(tmp_path, layers=3)))
    else:
        teacher = open_speech(str(save_speech(tmp_path, family=family)))
    student, known = first_layers(teacher.network, 2, (3, 1)), teacher.network.state_dict()
    layers = "encoder.layer" if family == "text" else "encoder.layers"
    own = {name for name in student.state_dict() if name.startswith(f"{layers}.")}
    assert {name.removeprefix(f"{layers}.")[0] for name in own} == {"0", "1"}
    for name, weight in student.state_dict().items():
        place, _, rest = name.removeprefix(f"{layers}.").partition(".")
        other = f"{layers}.{ {'0': 2, '1': 0}[place] }.{rest}" if name in own else name
        # WavLM's first layer alone has a table of positions.
        assert torch.equal(weight, known[other if other in known else name])
    how = Distillation(keep=2, start=(3, 1), steps=30, batch=4, learning_rate=3e-3)
    _, losses = distilled(teacher, spoken(), [teacher.layers], how, draws())
    assert losses[-1] < losses[0]


def test_distillation_brings_both_students_nearer_and_leaves_teachers_alone(speech, text):
    for teacher in (speech, text):
        before = {name: weight.clone() for name, weight in teacher.network.named_parameters()}
        how = Distillation(keep=1, steps=30, batch=4, learning_rate=3e-3)
        student, losses = distilled(teacher, spoken(), [teacher.layers], how, draws())
        assert losses[-1] < 0.8 * losses[0]
        assert not any(weight.requires_grad for weight in student.parameters())
        assert all(torch.equal(before[name], w) for name, w in teacher.network.named_parameters())


def test_a_teacher_with_an_adapter_teaches_its_layers(tmp_path):
    folder = save_speech(tmp_path, family="Wav2Vec2", add_adapter=True, output_hidden_size=12)
    teacher = open_speech(str(folder))
    how = Distillation(keep=1, steps=30, batch=4, learning_rate=3e-3)
    student, losses = distilled(teacher, spoken(), [teacher.layers], how, draws())
    assert losses[-1] < 0.8 * losses[0]
    one = replace(teacher, network=student).states(spoken(1)[0])
    assert one.shape[::2] == (2, 16)


def test_a_student_of_a_large_encoder_learns_its_last_norm(tmp_path):
    """Large encoders normalise what their last layer makes, where no hidden state shows it."""
    large = {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}
    teacher = open_speech(str(save_speech(tmp_path, **large)))
    one = spoken(1)[0]
    with torch.no_grad():
        last = teacher.network(teacher.waveform(one)[None]).last_hidden_state
    assert torch.equal(teacher.states(one)[-1:], last)
    how = Distillation(keep=1, steps=30, batch=4, learning_rate=3e-3)
    student, losses = distilled(teacher, spoken(), [teacher.layers], how, draws())
    assert losses[-1] < 0.8 * losses[0]
    before, after = teacher.network.encoder.layer_norm, student.encoder.layer_norm
    assert (before.weight - after.weight).abs().mean() > 0.005


def test_an_encoder_that_hears_nothing_finite_is_named(speech, text):
    for teacher in (speech, text):
        network = copy.deepcopy(teacher.network)
        for weights in network.parameters():
            weights.data.fill_(torch.nan)
        broken = replace(teacher, network=network)
        with pytest.raises(AudioError, match=f"{teacher.name} gives no finite features of it"):
            broken.states(spoken(1)[0])
        with pytest.raises(UserError, match="at step 1 the loss is nan: use another encoder"):
            distilled(broken, spoken(), [teacher.layers], Distillation(1, 2, 2), draws())


def test_what_was_listened_to_before_counts_once(speech, tmp_path, caplog):
    real = load(small_corpus(), None, FEATURES["logmel64-training"], task="both", cache=tmp_path)
    cold, warm = (StateCache(tmp_path / "states") for _ in range(2))
    found = cold.pooled(speech, real)
    assert cold.spared == 0.0
    watch = Stopwatch(warm, spared=warm.spared)
    assert torch.equal(warm.pooled(speech, real), found)
    took = warm.spared
    assert 0.0 < took < watch.seconds
    warm.pooled(speech, real)
    cold.pooled(speech, real)
    assert (cold.spared, warm.spared) == (0.0, took)
    (file,) = (tmp_path / "states").iterdir()
    save_file({"states": found}, file)  # without its seconds
    assert torch.equal(StateCache(tmp_path / "states").pooled(speech, real), found)
    assert "is damaged and made again" in caplog.text


@pytest.mark.parametrize("changed", ["states", "opened", "encoders", "sequences", "loading"])
def test_states_that_other_code_made_are_not_read(speech, tmp_path, monkeypatch, changed):
    real = load(small_corpus(), None, FEATURES["logmel64-training"], task="both", cache=tmp_path)
    part = replace(real, utterances=real.utterances[:2])
    StateCache(tmp_path / "states").pooled(speech, part)
    usual = states.getsource
    edited = lambda one: usual(one) + "#" * one.__name__.endswith(f".{changed}")  # noqa: E731
    monkeypatch.setattr(states, "getsource", edited)
    StateCache(tmp_path / "states").pooled(speech, part)
    assert len(list((tmp_path / "states").iterdir())) == 2


@pytest.mark.parametrize("count", [5, 16, 100, 1000, 1023])
def test_batches_of_speech_are_of_similar_length(count):
    lengths = torch.empty(count).uniform_(16_000, 160_000, generator=draws()).round()
    batches = list(_shuffled(lengths, 16, draws(1)))
    assert sorted(row for rows in batches for row in rows) == list(range(count))
    assert len(batches) == 1 or {len(rows) for rows in batches} <= {16, 17, 18, 19, 20}
    if count >= 1000:  # each is cut to its shortest
        kept = [len(rows) * lengths[rows].min() / lengths[rows].sum() for rows in batches]
        assert min(kept) > 0.5
        assert sum(kept) / len(kept) > 0.8


def test_a_student_of_text_has_layers_alone(text, tmp_path):
    student = first_layers(text.network, 1)
    assert not any("pooler" in name for name in student.state_dict())
    other = open_text(str(text_encoder(tmp_path / "distilbert", family="DistilBert")))
    student, _ = distilled(other, spoken(), [1, 2], Distillation(1, 2, 2), draws())
    assert replace(other, network=student).states(spoken(1)[0]).shape[::2] == (2, 16)


def test_text_students_read_alike_alone_and_beside_longer_texts(text):
    listed = spoken()
    long = replace(listed[0], text="silelo " * 6)
    student, _ = distilled(text, [long, *listed], [1], Distillation(1, 2, 2), draws())
    one = replace(text, network=student).states(listed[0])
    assert one.isfinite().all()


def test_a_head_finds_the_layer_that_tells_each_output():
    states = torch.randn(160, 3, 4, generator=draws())
    targets = torch.stack([states[:, 0, 0], states[:, 2, 1]], dim=1).clamp(-2, 2) / 2
    heard = Pooled((states,))
    train, rest = torch.arange(120), torch.arange(120, 160)
    head = drawn_head(heard.rows(train), 2, Head(hidden=8), draws())
    recipe = Recipe(epochs=60, batch=30, learning_rate=3e-2)
    sides = (heard.rows(train), targets[train], heard.rows(rest), targets[rest])
    assert fit(head, *sides, TASK, recipe, draws()) > 0.8
    assert head.weights[0].argmax(dim=1).tolist() == [0, 2]


def test_unknown_emotions_are_left_out_of_the_loss():
    task = replace(TASK, emotions=("calm", "anger"))
    targets = torch.tensor([[0.0, 1.0, 0.5, 0.1], [torch.nan, torch.nan, -0.5, 0.3]])
    outputs = torch.tensor([[0.2, -0.4, 0.1, 0.2], [3.0, 5.0, 0.4, -0.9]])
    numbers = ccc(targets[:, 2:].double().numpy(), outputs[:, 2:].double().numpy())
    assert float(task_loss(outputs, targets, task, 0.0)) == pytest.approx(1 - numbers.mean())
    emotions = float(torch.log(1 + torch.tensor(0.6).exp()))  # of the first alone
    found = float(task_loss(outputs, targets, task, 1.0))
    assert found == pytest.approx(1 - numbers.mean() + emotions)


class Planted(StateCache):
    """States of four layers, of which the second tells valence and the last activation."""

    def pooled(self, teacher: SpeechEncoder, real: RealSet) -> Tensor:  # noqa: ARG002 - as its base
        states = torch.randn(len(real), 4, 5, generator=draws())
        told = real.task.numbers(real.targets)
        states[:, 1, 3] = 100 * told[:, 0] + 3
        states[:, 3, 0] = 0.01 * told[:, 1]
        return states


def test_the_layers_that_tell_a_dimension_best_are_found(speech, tmp_path):
    real = felt_speech((20, 20, 20))
    rows = torch.randperm(60, generator=draws()).split(20)
    states = Planted(tmp_path)
    scores = probed(speech, Material(real, *rows, (speech,), None, states))
    assert scores.shape == (3, 4)
    assert scores[0].argmax() == 1
    assert scores[1].argmax() == 3
    assert min(scores[0, 1], scores[1, 3]) > 0.95
    assert {1, 3} <= set(best_layers(speech, Material(real, *rows, (speech,), None, states)))


def test_a_teacher_labels_the_items_of_a_set():
    train, validation = (felt_speech((9, 8, 8), task="both", seed=seed) for seed in (1, 2))
    synthetic = replace(a_set(train), schedule=None)
    found = teach(synthetic, train, validation, SMALL, Recipe(epochs=2, batch=8))
    assert found.targets.shape == synthetic.targets.shape
    assert torch.equal(found.features, synthetic.features)
    assert not torch.equal(found.targets, synthetic.targets)
    assert "teacher" in found.provenance.notes[-1]
    with pytest.raises(SetError, match="feature recipe"):
        teach(synthetic, felt_speech((9, 8, 8), task="dimensional"), validation)
    with pytest.raises(SetError, match=r"5, weighed 5:1:1\): load .* real\.weighed\(\(\)\)"):
        teach(synthetic, train.weighed((5.0, 1.0, 1.0)), validation)
    with pytest.raises(SetError, match=r"\(1 to 7\): load the recordings with scale=\(1.0, 5"):
        teach(synthetic, replace(train, task=replace(train.task, scale=(1.0, 7.0))), validation)
    with pytest.raises(SetError, match="has nested sizes"):
        teach(replace(synthetic, nested=(1,)), train, validation)
    with pytest.raises(SetError, match="only sets that tell dimensions"):
        teach(small_set(), train, validation)


def test_what_a_text_encoder_cannot_read_is_named():
    listed = small_corpus(transcripts=False).read(None, False)
    with pytest.raises(UserError, match=r"16 of 24 .* and 11 more"):
        require_transcripts("the corpus", listed)


def test_a_text_encoder_without_its_tokenizer_is_refused(tmp_path):
    folder: Path = save_text(tmp_path / "text")
    for file in folder.glob("*token*"):
        file.unlink()
    for file in folder.glob("vocab*"):
        file.unlink()
    with pytest.raises(UserError, match="tokenizer"):
        open_text(str(folder))
