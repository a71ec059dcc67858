"""Real sets without recordings: noise, which each emotion colours: a shift of every mel band."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from synth_data.corpora.toy import TOY
from synth_data.features import FeatureSpec
from synth_data.real import RealSet
from synth_data.representation import Representation
from synth_data.task import Task
from synth_data.utterance import AudioFile, Utterance

EMOTIONS = ("anger", "neutral", "sadness")
SPEC = FeatureSpec(mels=16, frames=16)
TASK = Task(emotions=EMOTIONS)


def fake_speech(
    counts: Sequence[int] = (6, 4, 5),
    *,
    seed: int = 0,
    apart: float = 1.0,
    spec: Representation = SPEC,
    protocol: str | None = "made-up",
    fold: int | None = 1,
) -> RealSet:
    """Utterances of three emotions, shuffled.

    Args:
        counts: utterances of each emotion.
        seed: of the noise and the order; the emotions' patterns are always the same.
        apart: standard deviation of the patterns over mel bands; that of the noise is one.
        spec: for the shape.
        protocol: whose training side this is said to be.
        fold: of the protocol.
    """
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(len(EMOTIONS)).repeat_interleave(torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=draws)]
    patterns = torch.randn(len(EMOTIONS), spec.mels, 1, generator=torch.Generator().manual_seed(99))
    noise = torch.randn(len(labels), *spec.shape, generator=draws)
    return RealSet(
        facts=replace(TOY, emotions=EMOTIONS),
        task=TASK,
        spec=spec,
        utterances=tuple(
            Utterance(
                name=f"utterance-{seed}-{row}",
                audio=AudioFile(Path("never-read.wav")),
                emotion=EMOTIONS[label],
                speaker=f"speaker-{row % 3}",
            )
            for row, label in enumerate(labels.tolist())
        ),
        features=noise + apart * patterns[labels],
        targets=torch.eye(len(EMOTIONS))[labels],
        digest=f"{seed:064x}",
        protocol=protocol,
        fold_number=fold,
    )
