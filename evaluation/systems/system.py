"""What a model-distillation system is given of a fold, and what it leaves."""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.fitting import Heard, answers, parameters, worth
from evaluation.systems.rows import Run
from evaluation.systems.states import StateCache
from evaluation.systems.text_encoders import TextEncoder
from synth_data.progress import SILENT, Progress
from synth_data.real import RealSet
from synth_data.utterance import Utterance


@dataclass(frozen=True, eq=False)
class Material:
    """A fold of a corpus, and who may teach.

    Attributes:
        real: all utterances, with low-level features whose energy survives.
        train: rows of `real`; `validation` and `test` are of other speakers.
        speech: encoders of speech, at least one.
        text: an encoder of text, where there is one.
        states: where what encoders say is kept.
        progress: of long work.
    """

    real: RealSet
    train: Int[Tensor, " train"]
    validation: Int[Tensor, " validation"]
    test: Int[Tensor, " test"]
    speech: tuple[SpeechEncoder, ...]
    text: TextEncoder | None
    states: StateCache
    progress: Progress = SILENT

    @property
    def targets(self) -> Float[Tensor, "n column"]:
        """Of all utterances."""
        return self.real.targets

    def watch(self) -> "Stopwatch":
        """One that starts now."""
        return Stopwatch(self.states, spared=self.states.spared)


@dataclass(frozen=True, eq=False)
class Product:
    """What a system leaves of a fold.

    Attributes:
        runs: every model that was trained and tested.
        weights: of the student that validation speakers like best: what is shipped.
        manifest: how to use them.
        notes: what was chosen.
        tokenizer: files of it, by name, if the student reads.
    """

    runs: Sequence[Run]
    weights: Mapping[str, Tensor]
    manifest: Mapping[str, Any]
    notes: Sequence[str] = ()
    tokenizer: Mapping[str, bytes] = field(default_factory=dict)


class System(ABC):
    """A published way to make a small model of a large one; its fields are its settings.

    Attributes:
        asks_layers: whether a run says how relevant each layer of its teachers is.
    """

    asks_layers: ClassVar[bool] = False

    @abstractmethod
    def require(self, speech: Sequence[SpeechEncoder], text: TextEncoder | None) -> None:
        """Passes teachers and settings that a run can be made with, before anything is done.

        Args:
            speech: encoders of speech, at least one.
            text: an encoder of text, where there is one.

        Raises:
            UserError: the system takes others, or has settings that do not go with them.
        """

    @abstractmethod
    def listens(self, trainings: int) -> int:
        """How often each encoder of speech listens to the whole corpus, at most.

        One of text reads it once.

        Args:
            trainings: folds, without those that share the models of another.
        """

    def teaching(
        self,
        speech: Sequence[SpeechEncoder],  # noqa: ARG002 - most distil no encoder
        text: TextEncoder | None,  # noqa: ARG002
        some: Sequence[Utterance],  # noqa: ARG002
        utterances: int,  # noqa: ARG002
    ) -> float:
        """Seconds of distilling encoders on a fold, about.

        Args:
            speech: encoders of speech that teach.
            text: one of text, where there is one.
            some: utterances to try it with.
            utterances: how many there are.
        """
        return 0.0

    @abstractmethod
    def run(self, material: Material, seeds: int, seed: int) -> Product:
        """Trains teachers, students and what they are compared with.

        Validation speakers end trainings and choose among layers and seeds; test speakers are
        listened to once, by finished models.

        Args:
            material: of one fold.
            seeds: of each model.
            seed: of everything random.
        """


@dataclass(frozen=True, eq=False)
class Stopwatch:
    """Seconds since it was made, as if nothing had been listened to before.

    Attributes:
        states: what was listened to; what is read from it counts with the seconds it once took.
        spared: by it, at the start.
        start: of the clock.
    """

    states: StateCache
    spared: float
    start: float = field(default_factory=time.perf_counter)

    @property
    def seconds(self) -> float:
        """So far."""
        return time.perf_counter() - self.start + self.states.spared - self.spared


def on_test(
    model: str,
    network: nn.Module,
    heard: Heard,
    material: Material,
    *,
    seed: int,
    hears: str,
    seconds: float,
    encoders: Sequence[nn.Module],
    teachers: int,
) -> Run:
    """What a finished model says of the test utterances.

    Args:
        model: its name.
        network: trained.
        heard: all utterances.
        material: the fold.
        seed: of its training.
        hears: as in `Run`.
        seconds: to make it.
        encoders: that it needs beside the network.
        teachers: parameters of who taught it; 0 if nobody did.
    """
    _, outputs = answers(network, heard, material.test)
    whole = (network, *encoders)
    stored = sum(
        value.numel() * value.element_size() for one in whole for value in one.state_dict().values()
    )
    validation, task = material.validation, material.real.task
    liked = worth(network, heard, material.targets[validation], task, validation)
    return Run(
        model=model,
        seed=seed,
        hears=hears,
        parameters=parameters(*whole),
        teachers=teachers,
        bytes=stored,
        seconds=seconds,
        validation=liked,
        said=task.numbers(outputs).tolist(),
    )


def best(runs: Sequence[Run], model: str) -> int:
    """Which seed of a model validation speakers like best."""
    return max((run for run in runs if run.model == model), key=lambda run: run.validation).seed


def stored(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    """A network's weights and statistics, as they are shipped."""
    return {
        f"{prefix}.{name}": value.detach().contiguous().clone()
        for name, value in network.state_dict().items()
    }
