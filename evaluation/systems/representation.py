"""Representation distillation (Mitra et al. 2022): encoders teach a network on low-level features.

"Speech emotion: investigating model representations, multi-task learning and knowledge
distillation" (arXiv 2207.03334): embeddings of pre-trained encoders, side by side, are what the
teacher hears, a network for valence, activation and dominance and, beside these, emotions. A
smaller network of the same kind on low-level features learns its embedding and its outputs. The
published distance between the embeddings could not be found: here it is the squared distance of a
linear map of the student's to the teacher's, each number brought to deviation 1. And the student
first learns to hear, frame by frame, what the encoders hear.

Which layers are heard is the validation speakers' choice, dimension by dimension. And the teacher
hears the low-level features as well, since many encoders bring speech to one loudness first.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import torch
from torch import nn

from evaluation.augment import Augment
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.fitting import Lesson, Recipe, Weights, answers, fit
from evaluation.systems.listening import Hint, Listening, listen
from evaluation.systems.probing import best_layers
from evaluation.systems.rows import LOW_LEVEL, Run
from evaluation.systems.sequences import Fused, Ragged, fuse
from evaluation.systems.system import Material, Product, System, best, on_test, stored
from evaluation.systems.tc_gru import STUDENT, TCGRU, TEACHER, Size, drawn, settle
from evaluation.systems.text_encoders import TextEncoder
from synth_data.errors import UserError
from synth_data.randomness import generator
from synth_data.representations.encoder import LONGEST

TAUGHT, TEACHES = "distilled student", "teacher"
SPEECH, BOTH = "speech", "speech + transcript"


@dataclass(frozen=True)
class Representation(System):
    """The system's settings.

    Attributes:
        teacher: size of the network on embeddings.
        student: size of the network on low-level features, taught or not.
        with_low_level: whether the teacher hears low-level features beside the embeddings.
        listening: how the student learns to hear what the encoders hear.
        recipe: how all networks are trained.
        weights: of the parts of the student's lesson.
        augment: of low-level features.
    """

    teacher: Size = TEACHER
    student: Size = STUDENT
    with_low_level: bool = True
    listening: Listening = field(default_factory=Listening)
    recipe: Recipe = field(default_factory=Recipe)
    weights: Weights = field(default_factory=Weights)
    augment: Augment = field(default_factory=Augment)

    def require(
        self,
        speech: Sequence[SpeechEncoder],  # noqa: ARG002 - any will do
        text: TextEncoder | None,  # noqa: ARG002
    ) -> None:
        if self.augment.shift:
            raise UserError(
                f"augment.shift is {self.augment.shift:g}, which repeats utterances in a circle: "
                f"here each has its own length, and its end would come before its start. Leave it "
                f"out"
            )

    def listens(self, trainings: int) -> int:
        return 1 + trainings  # every layer once, and then those that a fold chooses

    def run(self, material: Material, seeds: int, seed: int) -> Product:
        watch = material.watch()
        chosen = [best_layers(each, material) for each in material.speech]
        encoded = [
            material.states.sequences(each, material.real, layers)
            for each, layers in zip(material.speech, chosen, strict=True)
        ]
        room = _Room.of(self, material, seed)
        speech = fuse(encoded)
        heard = room.fused(encoded)
        before = watch.seconds
        runs: list[Run] = []
        students = []
        for number in range(seeds):
            plain, _ = room.untaught(number)
            teacher, lesson = room.teacher(number, heard, before)
            taught, student = room.taught(number, speech, lesson, teacher)
            runs += [plain, teacher, taught]
            students.append(student)
        kept = best(runs, TAUGHT)
        layers = "; ".join(
            f"{', '.join(map(str, layers))} of {each.name}"
            for each, layers in zip(material.speech, chosen, strict=True)
        )
        return Product(
            runs=runs,
            weights=stored(students[kept], "student"),
            manifest={
                "network": "TCGRU",
                "size": asdict(self.student),
                "seed": kept,
                # Of all of an utterance: it is neither cut to a number of frames nor repeated.
                "features": {
                    name: value
                    for name, value in material.real.spec.settings().items()
                    if name != "frames"
                },
                "longest_seconds": LONGEST,
            },
            notes=[f"the teacher heard layers {layers}, chosen on validation speakers"],
        )


@dataclass(frozen=True)
class LowLevel:
    """The network on low-level features that nobody taught, which another system leads over.

    Attributes:
        student: its size.
        recipe: how it is trained.
        augment: of what it hears.
    """

    student: Size = STUDENT
    recipe: Recipe = field(default_factory=Recipe)
    augment: Augment = field(default_factory=Augment)

    @property
    def system(self) -> Representation:
        """That it is the student of."""
        return Representation(student=self.student, recipe=self.recipe, augment=self.augment)

    def run(self, material: Material, number: int, seed: int) -> Run:
        """Trained and tested.

        Args:
            material: of one fold.
            number: of its seed.
            seed: of everything random.
        """
        return _Room.of(self.system, material, seed).untaught(number)[0]


@dataclass(frozen=True, eq=False)
class _Room:
    """Where the networks of a fold are trained."""

    system: Representation
    material: Material
    low: Fused
    seed: int

    @classmethod
    def of(cls, system: Representation, material: Material, seed: int) -> "_Room":
        """With the low-level features of all utterances."""
        return cls(system, material, fuse([material.states.low_level(material.real)]), seed)

    def fused(self, encoded: Sequence[Ragged]) -> Fused:
        """All that the teacher hears, at the rate of the first encoder."""
        material, parts = self.material, [*encoded]
        if self.system.with_low_level:
            parts += self.low.parts
        if material.text is not None:
            said = material.states.pooled(material.text, material.real)[:, -1]
            parts.append(Ragged(said, torch.ones(len(said), dtype=torch.int64)))
        return fuse(parts)

    def untaught(self, number: int) -> tuple[Run, TCGRU]:
        """The student's network without a teacher."""
        watch = self.material.watch()
        network = self._student(number)
        self._fit(network, self.low, number)
        return self._tested(LOW_LEVEL, network, self.low, number, watch.seconds), network

    def teacher(self, number: int, heard: Fused, before: float) -> tuple[Run, Lesson]:
        """The teacher, and what it says of the training utterances.

        Args:
            number: of its seed.
            heard: by it.
            before: seconds that the encoders took.
        """
        watch, material = self.material.watch(), self.material
        network = self._drawn("teacher", heard, self.system.teacher, number)
        self._fit(network, heard, number)
        encoders = [each.network for each in material.speech]
        encoders += [] if material.text is None else [material.text.network]
        hears = SPEECH if material.text is None else BOTH
        took = before + watch.seconds
        run = self._tested(TEACHES, network, heard, number, took, hears, encoders)
        return run, Lesson(*answers(network, heard, material.train))

    def taught(self, number: int, speech: Fused, lesson: Lesson, teacher: Run) -> tuple[Run, TCGRU]:
        """The student, which starts from the same weights as the one that nobody taught."""
        watch, material, system = self.material.watch(), self.material, self.system
        network = self._student(number)
        draws = generator(self.seed, "systems", "listening", number)
        hint = Hint(speech.among(material.train), network.embedding.in_features, draws)
        heard = self.low.among(material.train)
        listen(network, heard, hint, system.listening, draws, material.progress)
        lesson = replace(lesson, hint=hint, weights=system.weights)
        self._fit(network, self.low, number, lesson)
        took = teacher.seconds + watch.seconds
        run = self._tested(TAUGHT, network, self.low, number, took, teachers=teacher.parameters)
        return run, network

    def _student(self, number: int) -> TCGRU:
        return self._drawn("student", self.low, self.system.student, number)

    def _drawn(self, name: str, heard: Fused, size: Size, number: int) -> TCGRU:
        outputs = self.material.targets.shape[1]
        start = generator(self.seed, "systems", name, number, "weights")
        network = drawn(heard.dim, outputs, size, start)
        settle(network, heard.among(self.material.train))
        return network

    def _fit(self, network: TCGRU, heard: Fused, number: int, lesson: Lesson | None = None) -> None:
        material = self.material
        fit(
            network,
            heard.among(material.train),
            material.targets[material.train],
            heard.among(material.validation),
            material.targets[material.validation],
            material.real.task,
            self.system.recipe,
            generator(self.seed, "systems", "batches", number),
            lesson,
            self.system.augment if heard is self.low else Augment(),
        )

    def _tested(
        self,
        model: str,
        network: TCGRU,
        heard: Fused,
        number: int,
        seconds: float,
        hears: str = SPEECH,
        encoders: Sequence[nn.Module] = (),
        teachers: int = 0,
    ) -> Run:
        return on_test(
            model,
            network,
            heard,
            self.material,
            seed=number,
            hears=hears,
            seconds=seconds,
            encoders=encoders,
            teachers=teachers,
        )
