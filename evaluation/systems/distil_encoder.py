"""A small encoder taught by a large one, layer by layer: DistilHuBERT, of speech and of text.

Chang et al. 2022 ("DistilHuBERT: speech representation learning by layer-wise distillation of
hidden-unit BERT"): the student is the teacher's front end and first layers (or others that are
named), with a linear head for each taught layer that says what this layer would say; the heads are
left behind. The loss is
L1 - lambda log sigmoid(cosine), frame by frame. Here the speech of a batch is cut to one length, so
that neither padding nor masks come between the two, and there is no dropout, so that the seed
decides all. Texts are taught the same way, token by token.
"""

import copy
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, logsigmoid

from evaluation.networks import draw_weights
from evaluation.students.network import warm_cosine
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.text_encoders import TextEncoder
from synth_data.errors import UserError
from synth_data.progress import SILENT, Progress
from synth_data.representations.loading import layers_alone, states_of
from synth_data.settings import Count, NotNegative, Positive
from synth_data.utterance import Utterance

ALIKE = 8  # batches' worth of utterances, out of which those of similar length make a batch

# A weight of a layer, as transformers names those of speech and of text.
_LAYER = re.compile(r"(?P<before>(?:.*\.)?layers?\.)(?P<place>\d+)(?P<after>\..*)")

# What a batch is to an encoder, and which of its frames count.
Batch = tuple[dict[str, Tensor], Bool[Tensor, "n frame"] | None]


@dataclass(frozen=True)
class Distillation:
    """How an encoder is taught: Adam, a linear warm-up, then a cosine to zero.

    Attributes:
        keep: layers of the student.
        start: the teacher's layers that these start as, in order and counted from 1; empty: its
            first.
        steps: of the optimiser.
        batch: utterances per step.
        learning_rate: at the peak.
        cosine_weight: lambda, of the direction beside the distance.
    """

    keep: Count = 2
    steps: Count = 600
    batch: Count = 16
    learning_rate: Positive = 1e-3
    cosine_weight: NotNegative = 1.0
    start: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.start and len(self.start) != self.keep:
            raise UserError(
                f"start names a layer of the teacher for each that the student keeps: {self.keep}; "
                f"found {len(self.start)} ({', '.join(map(str, self.start))})"
            )

    def require(self, teacher: SpeechEncoder | TextEncoder) -> None:
        """Raises `UserError` if a student is to start as layers that a teacher has not."""
        if beyond := [layer for layer in self.start if not 1 <= layer <= teacher.layers]:
            raise UserError(
                f"no student can start as layer {beyond[0]}: {teacher.name} has layers 1 to "
                f"{teacher.layers}"
            )


def first_layers(teacher: nn.Module, keep: int, start: Sequence[int] = ()) -> nn.Module:
    """The teacher's front end and first layers, or others, as an encoder of its own.

    What stands behind the last layer, as wav2vec 2.0's adapter or BERT's pooler does, is left out:
    states are those of layers.

    Args:
        teacher: of transformers.
        keep: layers; all, if it has fewer.
        start: which they are, counted from 1; the first by default. What only the place of a layer
            has, as the table of positions in WavLM's first, is that of the place.
    """
    config: Any = copy.deepcopy(teacher.config)
    config.num_hidden_layers = min(keep, config.num_hidden_layers)
    if getattr(config, "add_adapter", False):
        config.add_adapter = False
    student = layers_alone(type(teacher)(config))
    known = teacher.state_dict()

    def origin(name: str) -> str:
        part = _LAYER.fullmatch(name)
        if part is None or not start:
            return name
        moved = f"{part['before']}{start[int(part['place'])] - 1}{part['after']}"
        return moved if moved in known else name

    student.load_state_dict({name: known[origin(name)] for name in student.state_dict()})
    return student.eval().requires_grad_()


def distilled(
    teacher: SpeechEncoder | TextEncoder,
    utterances: Sequence[Utterance],
    layers: Sequence[int],
    how: Distillation,
    generator: torch.Generator,
    progress: Progress = SILENT,
) -> tuple[nn.Module, list[float]]:
    """A student of some of the teacher's layers.

    Args:
        teacher: is asked at every step, and left as it is.
        utterances: to listen to, or to read.
        layers: of the teacher, that teach; 0 is what its first layer is given.
        how: it is taught.
        generator: of batches, cuts and heads.
        progress: over the steps.

    Returns:
        An encoder like the teacher's, without gradients; and the loss at each step.

    Raises:
        UserError: the loss is not finite.
    """
    student = first_layers(teacher.network, how.keep, how.start)
    config: Any = teacher.network.config
    heads = _heads(config.hidden_size, len(layers), generator)
    learned = [*student.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(learned, lr=how.learning_rate, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: warm_cosine(step, how.steps, max(1, how.steps // 15))
    )
    told = []
    batches = _batches(teacher, utterances, how.batch, generator)
    for _ in progress(range(how.steps), unit="step"):
        heard, inside = next(batches)
        with torch.no_grad():
            states = states_of(teacher.network, heard)
        last = states_of(student, heard)[-1]
        losses = [
            layer_loss(head(last), states[layer], inside, how.cosine_weight)
            for head, layer in zip(heads, layers, strict=True)
        ]
        loss = torch.stack(losses).mean()
        told.append(loss.item())
        if not math.isfinite(told[-1]):
            raise UserError(
                f"the student of {teacher.name} cannot be taught: at step {len(told)} the loss is "
                f"{told[-1]}: use another encoder, or a lower learning_rate"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learned, 1.0)
        optimiser.step()
        schedule.step()
    return student.requires_grad_(False), told


def layer_loss(
    said: Float[Tensor, "n frame dim"],
    taught: Float[Tensor, "n frame dim"],
    inside: Bool[Tensor, "n frame"] | None,
    cosine_weight: float,
) -> Float[Tensor, ""]:
    """L1, the mean over a frame's numbers, minus lambda log sigmoid of the cosine.

    Args:
        said: by a head of the student.
        taught: by a layer of the teacher.
        inside: the frames that count; all if None.
        cosine_weight: lambda.
    """
    apart = (said - taught).abs().mean(dim=2)
    direction = -logsigmoid(cosine_similarity(said, taught, dim=2))
    loss = apart + cosine_weight * direction
    return loss.mean() if inside is None else loss[inside].mean()


def _heads(width: int, count: int, generator: torch.Generator) -> nn.ModuleList:
    with torch.device("meta"):
        heads = nn.ModuleList(nn.Linear(width, width) for _ in range(count))
    heads.load_state_dict(draw_weights(heads, generator), assign=True)
    return heads.requires_grad_()


def _batches(
    teacher: SpeechEncoder | TextEncoder,
    utterances: Sequence[Utterance],
    size: int,
    generator: torch.Generator,
) -> Iterator[Batch]:
    """Without end; those of an epoch hold every utterance once."""
    if isinstance(teacher, TextEncoder):
        while True:
            for rows in _shuffled(torch.ones(len(utterances)), size, generator):
                yield _padded(teacher, [utterances[row] for row in rows])
    lengths = torch.tensor([len(teacher.waveform(one)) for one in utterances])
    while True:
        for rows in _shuffled(lengths, size, generator):  # heard again: a corpus is many gigabytes
            yield _cut([teacher.waveform(utterances[row]) for row in rows], generator), None


def _shuffled(
    lengths: Real[Tensor, " n"], size: int, generator: torch.Generator
) -> Iterator[list[int]]:
    """All rows in random batches, of similar length together, so that little is cut off."""
    order = torch.randperm(len(lengths), generator=generator)
    batches: list[Tensor] = []
    # Each stretch by itself: a batch of two has the longest of one and the shortest of the next.
    for rows in order.tensor_split(max(1, len(order) // (ALIKE * size))):
        by_length = rows[lengths[rows].argsort(stable=True)]
        batches += by_length.tensor_split(max(1, len(rows) // size))
    for place in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[place].tolist()


def _cut(waveforms: Sequence[Float[Tensor, "_"]], generator: torch.Generator) -> dict[str, Tensor]:
    """Stretches of the shortest one's length."""
    length = min(len(one) for one in waveforms)
    cut = []
    for one in waveforms:
        first = int(torch.randint(len(one) - length + 1, (), generator=generator))
        cut.append(one[first : first + length])
    return {"input_values": torch.stack(cut)}


def _padded(teacher: TextEncoder, utterances: Sequence[Utterance]) -> Batch:
    tokens = [{name: value[0] for name, value in teacher.tokens(one).items()} for one in utterances]
    padded = dict(teacher.recipe.tokenizer().pad(tokens, return_tensors="pt"))
    return padded, padded["attention_mask"].bool()
