"""Audio-textual distilled encoders (de Oliveira et al. 2023): shallow speech, and text for depth.

"Leveraging semantic information for efficient self-supervised emotion recognition with
audio-textual distilled models" (arXiv 2305.19184): deep layers of a self-supervised encoder matter
for valence, as words do, and shallow ones for arousal. So a student of few layers hears, a
distilled encoder of text reads, and both together come near the large encoder. Each student is
taught layer by layer (`distil_encoder`), and a head on frozen encoders learns the dimensions.
The paper's fusion and its student of text could not be found; here encoders are pooled along an
utterance and stand side by side, and the student of text is the first layers of its teacher.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor, nn

from evaluation.systems.distil_encoder import Distillation, distilled
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.fitting import Recipe, fit, parameters
from evaluation.systems.pooled import Fusion, Head, Pooled, drawn_head
from evaluation.systems.probing import best_layers
from evaluation.systems.representation import BOTH, SPEECH, LowLevel
from evaluation.systems.rows import Run
from evaluation.systems.states import summed_up
from evaluation.systems.system import Material, Product, System, best, on_test, stored
from evaluation.systems.teaching import seconds_of
from evaluation.systems.text_encoders import TextEncoder
from evaluation.systems.tokenizers import tokenizer_files
from synth_data.errors import UserError
from synth_data.randomness import generator
from synth_data.representations.encoder import LONGEST
from synth_data.utterance import Utterance

HEARS: Mapping[tuple[str, ...], str] = {
    ("audio",): SPEECH,
    ("text",): "transcript",
    ("audio", "text"): BOTH,
}

# Of the recipe of an encoder of speech, what its student hears by.
HEARING = ("scaled", "stride", "receptive", "sample_rate")


@dataclass(frozen=True)
class AudioTextual(System):
    """The system's settings.

    Attributes:
        speech: how the encoder of speech is taught.
        text: how the encoder of text is taught.
        layers: of the encoder of speech, that teach; empty: those that tell a dimension best to
            validation speakers, and the last.
        head: on encoders.
        recipe: how heads are trained.
        beside: the low-level model that stands in the table, to lead over.
    """

    speech: Distillation = field(default_factory=Distillation)
    text: Distillation = field(default_factory=lambda: Distillation(keep=1, steps=300))
    layers: tuple[int, ...] = ()
    head: Head = field(default_factory=Head)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=80))
    beside: LowLevel = field(default_factory=LowLevel)

    asks_layers: ClassVar[bool] = True

    def require(self, speech: Sequence[SpeechEncoder], text: TextEncoder | None) -> None:
        if text is None or len(speech) != 1:
            raise UserError(
                f"audio-textual distils one encoder of speech and one of text; found "
                f"{len(speech)} of speech and {int(text is not None)} of text: give one --teacher "
                f"and a --text-teacher"
            )
        beyond = [layer for layer in self.layers if not 0 <= layer <= speech[0].layers]
        if beyond:
            raise UserError(
                f"layer {beyond[0]} cannot teach: {speech[0].name} has layers 0 to "
                f"{speech[0].layers}"
            )
        self.speech.require(speech[0])
        self.text.require(text)
        self.beside.system.require(speech, text)

    def listens(self, trainings: int) -> int:  # noqa: ARG002 - what is heard is kept for all
        return 1

    def teaching(
        self,
        speech: Sequence[SpeechEncoder],
        text: TextEncoder | None,
        some: Sequence[Utterance],
        utterances: int,
    ) -> float:
        assert text is not None  # `require`
        return sum(
            seconds_of(teacher, how, some, utterances)
            for teacher, how in ((speech[0], self.speech), (text, self.text))
        )

    def run(self, material: Material, seeds: int, seed: int) -> Product:
        (speech,), text = material.speech, material.text
        assert text is not None  # `require`
        heard, listened = {}, {}
        for part, teacher in (("audio", speech), ("text", text)):
            watch = material.watch()
            heard[part] = material.states.pooled(teacher, material.real)
            listened[part] = watch.seconds
        watch = material.watch()
        layers = self._layers(speech, material)
        chosen = 0.0 if self.layers else listened["audio"] + watch.seconds
        every = tuple(range(1, text.layers + 1))
        plain = [self.beside.run(material, number, seed) for number in range(seeds)]

        tokenizer = tokenizer_files(text)
        bench = _Bench(self, material, seed, sum(map(len, tokenizer.values())))
        taught = {
            "audio": bench.taught(speech, layers, self.speech),
            "text": bench.taught(text, every, self.text),
        }
        took = {part: each.seconds for part, each in taught.items()}
        took["audio"] += chosen
        teachers = {"audio": speech.network, "text": text.network}
        runs = list(plain)
        heads: dict[tuple[str, int], Fusion] = {}
        for number in range(seeds):
            for parts in (each for each in HEARS if "audio" in each):
                states = Pooled(tuple(heard[part] for part in parts))
                encoders = [teachers[part] for part in parts]
                before = sum(listened[part] for part in parts)
                run, _ = bench.judged("teacher", parts, states, encoders, number, before)
                runs.append(run)
            for parts in HEARS:
                states = Pooled(tuple(taught[part].states for part in parts))
                encoders = [taught[part].network for part in parts]
                before = sum(took[part] for part in parts)
                run, head = bench.judged("student", parts, states, encoders, number, before)
                heads[run.model, number] = head
                taught_by = parameters(*(teachers[part] for part in parts))
                alone = parameters(speech.network) if len(parts) > 1 else 0
                runs.append(replace(run, teachers=taught_by, speech_teacher=alone))
        fused = _name("student", ("audio", "text"))
        kept = best(runs, fused)
        return Product(
            runs=runs,
            weights={
                **stored(taught["audio"].network, "speech"),
                **stored(taught["text"].network, "text"),
                **stored(heads[fused, kept], "head"),
            },
            manifest={
                "network": "Fusion",
                "shapes": [list(each) for each in heads[fused, kept].shapes],
                "hidden": self.head.hidden,
                "seed": kept,
                "speech": {
                    "teacher": speech.name,
                    "digest_of_teacher": speech.digest,
                    "config": _config(taught["audio"].network),
                    "longest_seconds": LONGEST,
                    **{name: getattr(speech.recipe, name) for name in HEARING},
                },
                "text": {
                    "teacher": text.name,
                    "digest_of_teacher": text.digest,
                    "config": _config(taught["text"].network),
                    "longest": text.recipe.longest,  # tokens
                },
            },
            notes=[
                f"layers of {speech.name} that taught, "
                f"{'as set' if self.layers else 'chosen on validation speakers'}: "
                f"{', '.join(map(str, layers))}",
                *(
                    f"the loss of the student of {part} went from {each.losses[0]:.3f} to "
                    f"{each.losses[1]:.3f}"
                    for part, each in taught.items()
                ),
            ],
            tokenizer=tokenizer,
        )

    def _layers(self, speech: SpeechEncoder, material: Material) -> list[int]:
        """The layers of the encoder of speech that teach."""
        return list(self.layers) or sorted({*best_layers(speech, material), speech.layers})


@dataclass(frozen=True, eq=False)
class _Student:
    """A distilled encoder, what its layers sum up of all utterances, first and last loss."""

    network: nn.Module
    states: Tensor
    seconds: float
    losses: tuple[float, float]


@dataclass(frozen=True, eq=False)
class _Bench:
    """Where the encoders and heads of a fold are trained."""

    system: AudioTextual
    material: Material
    seed: int
    tokenizer: int  # bytes, that every model which reads needs

    def taught(
        self, teacher: SpeechEncoder | TextEncoder, layers: Sequence[int], how: Distillation
    ) -> _Student:
        """A student of the training utterances."""
        material, watch = self.material, self.material.watch()
        utterances = material.real.utterances
        kind = "speech" if isinstance(teacher, SpeechEncoder) else "text"
        network, losses = distilled(
            teacher,
            [utterances[row] for row in material.train.tolist()],
            layers,
            how,
            generator(self.seed, "systems", "encoder", kind),
            material.progress,
        )
        states = summed_up(replace(teacher, network=network), utterances, material.progress)
        return _Student(network, states, watch.seconds, (losses[0], losses[-1]))

    def judged(
        self,
        who: str,
        parts: Sequence[str],
        heard: Pooled,
        encoders: Sequence[nn.Module],
        number: int,
        before: float,
    ) -> tuple[Run, Fusion]:
        """A head on encoders, trained and tested.

        Args:
            who: "teacher" or "student".
            parts: of "audio" and "text".
            heard: by the encoders, of all utterances.
            encoders: that are part of the model.
            number: of the seed.
            before: seconds that the encoders took.
        """
        material, system, watch = self.material, self.system, self.material.watch()
        task, targets = material.real.task, material.targets
        name = _name(who, parts)
        train, validation = heard.rows(material.train), heard.rows(material.validation)
        start = generator(self.seed, "systems", name, number, "weights")
        head = drawn_head(train, targets.shape[1], system.head, start)
        fit(
            head,
            train,
            targets[material.train],
            validation,
            targets[material.validation],
            task,
            system.recipe,
            generator(self.seed, "systems", name, number, "batches"),
        )
        run = on_test(
            name,
            head,
            heard,
            material,
            seed=number,
            hears=HEARS[tuple(parts)],
            seconds=before + watch.seconds,
            encoders=encoders,
            teachers=0,
        )
        return replace(run, bytes=run.bytes + self.tokenizer * ("text" in parts)), head


def _name(who: str, parts: Sequence[str]) -> str:
    return f"{who} {'+'.join(parts)}"


def _config(network: nn.Module) -> dict[str, object]:
    """By which transformers builds the encoder; of a family with a pooler, that is not shipped."""
    return dict(network.config.to_diff_dict())  # type: ignore[union-attr,operator]
