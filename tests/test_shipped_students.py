"""A distilled encoder of any family is made again from what is shipped of it."""

from pathlib import Path

import pytest
import torch
from small_encoders import text_encoder
from small_teachers import save_speech

from evaluation.systems.audio_textual import _config
from evaluation.systems.distil_encoder import first_layers
from evaluation.systems.encoders import open_speech
from evaluation.systems.shipped import _network
from evaluation.systems.text_encoders import open_text


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("Hubert", {}),
        ("Wav2Vec2", {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}),
        ("Wav2Vec2", {"add_adapter": True}),
        ("WavLM", {}),
    ],
)
def test_an_encoder_of_speech(family, settings, tmp_path: Path):
    teacher = open_speech(str(save_speech(tmp_path / "speech", 3, family, **settings)))
    assert_same(teacher.network, torch.randn(1, 8_000, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("family", ["Bert", "DistilBert", "MPNet"])
def test_an_encoder_of_text(family, tmp_path: Path):
    teacher = open_text(str(text_encoder(tmp_path / "text", family=family)))
    assert_same(teacher.network, torch.tensor([[2, 5, 6, 7, 3]]))


def assert_same(teacher: torch.nn.Module, heard: torch.Tensor) -> None:
    student = first_layers(teacher, 1)
    made = _network(_config(student), student.state_dict())
    before, after = (one(heard, output_hidden_states=True).hidden_states for one in (student, made))
    assert len(before) == 2
    torch.testing.assert_close(before, after)
