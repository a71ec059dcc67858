"""Where it is known what is to be heard, the systems do what they were published for.

On `toy-words` valence hangs on the words and activation on the energy, and the encoder has learned
the words from other speakers. About two minutes on a core, beside the encoder.
"""

from pathlib import Path

import pytest
import torch

from evaluation.systems.audio_textual import AudioTextual
from evaluation.systems.distil_encoder import Distillation
from evaluation.systems.encoders import open_speech
from evaluation.systems.fitting import Recipe
from evaluation.systems.listening import Listening
from evaluation.systems.representation import TAUGHT, TEACHES, LowLevel, Representation
from evaluation.systems.rows import LOW_LEVEL, Fold, SystemRow, rows_of
from evaluation.systems.states import StateCache
from evaluation.systems.system import Material, System
from evaluation.systems.text_encoders import open_text
from synth_data.corpora.toy_words import TOY_WORDS
from synth_data.corpus import load
from synth_data.features import FEATURES
from synth_data.real import RealSet

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> RealSet:
    cache = tmp_path_factory.mktemp("features")
    return load(TOY_WORDS, None, FEATURES["logmel64-training"], task="both", cache=cache)


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> StateCache:
    return StateCache(tmp_path_factory.mktemp("states"))


def rows(
    system: System, real: RealSet, states: StateCache, encoders: Path, text: bool
) -> dict[str, SystemRow]:
    """What a system finds on the first fold."""
    fold = next(iter(TOY_WORDS.protocols.values())).folds(real.utterances)[0]
    train, validation, test = (
        torch.tensor(side) for side in (fold.train, fold.validation, fold.test)
    )
    read = open_text(str(encoders / "text")) if text else None
    speech = open_speech(str(encoders / "speech"))
    material = Material(real, train, validation, test, (speech,), read, states)
    product = system.run(material, seeds=1, seed=0)
    heard = [real.utterances[row] for row in fold.test]
    done = Fold(
        fold=1,
        dimensions=list(real.task.dimensions),
        utterances=[one.name for one in heard],
        speakers=[one.speaker for one in heard],
        truth=real.task.numbers(real.targets[test]).tolist(),
        runs=list(product.runs),
        notes=[],
    )
    return {row.model: row for row in rows_of("system", [done])}


def test_a_student_recovers_half_of_its_teachers_lead(word_encoder, real, states):
    system = Representation(recipe=Recipe(epochs=25), listening=Listening(steps=400))
    found = rows(system, real, states, word_encoder, text=False)
    plain, teacher, taught = (found[name] for name in (LOW_LEVEL, TEACHES, TAUGHT))
    assert teacher.mean > plain.mean + 0.1
    assert taught.mean > (plain.mean + teacher.mean) / 2
    assert taught.ccc["valence"] > (plain.ccc["valence"] + teacher.ccc["valence"]) / 2
    assert taught.fraction < 0.2


def test_text_helps_valence_and_not_activation(word_encoder, real, states):
    system = AudioTextual(
        speech=Distillation(steps=60, batch=8),
        text=Distillation(keep=1, steps=100),
        beside=LowLevel(recipe=Recipe(epochs=1)),
    )
    found = rows(system, real, states, word_encoder, text=True)
    for who in ("teacher", "student"):
        alone, both = found[f"{who} audio"].ccc, found[f"{who} audio+text"].ccc
        assert both["valence"] > alone["valence"] + 0.05, who
        assert both["activation"] < alone["activation"] + 0.05, who
    assert found["student text"].ccc["valence"] > 0.6
    assert found["student text"].ccc["activation"] < 0.2
