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
from evaluation.systems.fitting import Recipe, fit
from evaluation.systems.pooled import Fusion, Head, Pooled, drawn_head
from evaluation.systems.probing import best_layers
from evaluation.systems.representation import BOTH, SPEECH, Representation, untaught
from evaluation.systems.rows import Run
from evaluation.systems.states import summed_up
from evaluation.systems.system import Material, Product, System, best, on_test, stored
from evaluation.systems.text_encoders import TextEncoder
from synth_data.errors import UserError
from synth_data.randomness import generator

HEARS: Mapping[tuple[str, ...], str] = {
    ("audio",): SPEECH,
    ("text",): "transcript",
    ("audio", "text"): BOTH,
}


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
        beside: the system whose low-level model stands in the table, to lead over.
    """

    speech: Distillation = field(default_factory=Distillation)
    text: Distillation = field(default_factory=lambda: Distillation(keep=1, steps=300))
    layers: tuple[int, ...] = ()
    head: Head = field(default_factory=Head)
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=80))
    beside: Representation = field(default_factory=Representation)

    asks_layers: ClassVar[bool] = True

    def run(self, material: Material, seeds: int, seed: int) -> Product:
        speech, text = self._teachers(material)
        watch = material.watch()
        layers = self._layers(speech, material)
        every = tuple(range(1, text.layers + 1))
        heard = {
            "audio": material.states.pooled(speech, material.real),
            "text": material.states.pooled(text, material.real),
        }
        listening = watch.seconds
        plain = [untaught(self.beside, material, number, seed) for number in range(seeds)]

        bench = _Bench(self, material, seed)
        taught = {
            "audio": bench.taught(speech, layers, self.speech),
            "text": bench.taught(text, every, self.text),
        }
        both = speech.network, text.network
        runs = list(plain)
        heads: dict[tuple[str, int], Fusion] = {}
        for number in range(seeds):
            for parts in (("audio",), ("audio", "text")):
                encoders = both[: len(parts)]
                states = Pooled(tuple(heard[part] for part in parts))
                run, head = bench.judged("teacher", parts, states, encoders, number, listening)
                heads[run.model, number] = head
                runs.append(run)
            whole = runs[-1].parameters  # of both encoders and their head
            for parts in (("audio",), ("text",), ("audio", "text")):
                own = [taught[part] for part in parts]
                took = sum(each.seconds for each in own) + listening
                states = Pooled(tuple(each.states for each in own))
                networks = [each.network for each in own]
                run, head = bench.judged("student", parts, states, networks, number, took, whole)
                heads[run.model, number] = head
                runs.append(run)
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
                "speech": _config(taught["audio"].network),
                "text": _config(taught["text"].network),
                "speech_scaled": speech.recipe.scaled,
                "sample_rate": speech.recipe.sample_rate,
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
        )

    def _teachers(self, material: Material) -> tuple[SpeechEncoder, TextEncoder]:
        """The two encoders.

        Raises:
            UserError: there is no encoder of text, or more than one of speech.
        """
        if material.text is None or len(material.speech) != 1:
            raise UserError(
                f"audio-textual distils one encoder of speech and one of text; found "
                f"{len(material.speech)} of speech and {int(material.text is not None)} of text: "
                f"give one --teacher and a --text-teacher"
            )
        return material.speech[0], material.text

    def _layers(self, speech: SpeechEncoder, material: Material) -> list[int]:
        """The layers of the encoder of speech that teach.

        Raises:
            UserError: one that was asked for is not there.
        """
        beyond = [layer for layer in self.layers if not 0 <= layer <= speech.layers]
        if beyond:
            raise UserError(
                f"layer {beyond[0]} cannot teach: {speech.name} has layers 0 to {speech.layers}"
            )
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
        teachers: int = 0,
    ) -> tuple[Run, Fusion]:
        """A head on encoders, trained and tested.

        Args:
            who: "teacher" or "student".
            parts: of "audio" and "text".
            heard: by the encoders, of all utterances.
            encoders: that are part of the model.
            number: of the seed.
            before: seconds that the encoders took.
            teachers: parameters of theirs.
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
            teachers=teachers,
        )
        return run, head


def _name(who: str, parts: Sequence[str]) -> str:
    return f"{who} {'+'.join(parts)}"


def _config(network: nn.Module) -> dict[str, object]:
    """By which transformers builds the encoder; of a family with a pooler, that is not shipped."""
    return dict(network.config.to_diff_dict())  # type: ignore[union-attr,operator]
