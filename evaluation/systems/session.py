"""A run of `distill-model`: folds, one after the other, into a folder that can be gone on with."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from evaluation.files import write_atomically
from evaluation.systems.encoders import SpeechEncoder, open_speech
from evaluation.systems.layer_plot import picture
from evaluation.systems.layer_relevance import LayerRelevance, layer_relevance, require_askable
from evaluation.systems.plan import Plan, listening
from evaluation.systems.report import markdown
from evaluation.systems.rows import (
    REPORT,
    RESULT,
    Fold,
    SystemRun,
    fold_folder,
    read_fold,
    rows_of,
    save,
)
from evaluation.systems.states import StateCache
from evaluation.systems.system import Material, Product, System
from evaluation.systems.text_encoders import TextEncoder, open_text, require_transcripts
from synth_data.corpora.facts import Corpus
from synth_data.corpus import load, protocol_line, protocol_of
from synth_data.errors import UserError
from synth_data.features import FEATURES
from synth_data.progress import SILENT, bar
from synth_data.protocol import Protocol, pooled
from synth_data.provenance import package_version
from synth_data.real import RealSet

LOW_LEVEL = "logmel64-training"  # energy survives, as no utterance is normalised by itself
SETTINGS = "run.json"
WEIGHTS, MANIFEST = "student.safetensors", "manifest.json"


@dataclass(frozen=True, eq=False)
class Opened:
    """What a run works on.

    Attributes:
        real: the corpus, with low-level features.
        protocol: how it is split.
        speech: encoders of speech that teach.
        text: an encoder of text, where one does.
        numbers: of the folds that were asked for.
    """

    real: RealSet
    protocol: Protocol
    speech: tuple[SpeechEncoder, ...]
    text: TextEncoder | None
    numbers: tuple[int, ...]


@dataclass(frozen=True)
class Session:
    """What is distilled, from what, and where the results go.

    Attributes:
        name: of the system.
        system: its settings.
        corpus: with dimensions.
        data_root: its folder, where the environment does not say.
        teachers: folders or hub names of encoders of speech.
        text_teacher: the same of one of text, where there is one.
        protocol: its name; None: the corpus' default.
        fold: the only one; None: all.
        seeds: of each model.
        seed: of everything random.
        out: the output folder.
        command: the command line, quoted in the report.
        allow_missing: go on when labels lack audio or audio lacks labels.
        skip_bad: leave out unusable recordings.
        show_progress: bars on stderr.
        quiet: say nothing on the way.
    """

    name: str
    system: System
    corpus: Corpus
    data_root: Path | None
    teachers: tuple[str, ...]
    text_teacher: str | None
    protocol: str | None
    fold: int | None
    seeds: int
    seed: int
    out: Path
    command: str
    allow_missing: bool = False
    skip_bad: bool = False
    show_progress: bool = False
    quiet: bool = False

    def open(self) -> "Opened":
        """The corpus and those who teach, with all that can be wrong with them seen.

        Raises:
            UserError: the corpus has no dimensions or lacks transcripts, there is no such fold, or
                an encoder cannot be had.
        """
        speech = tuple(open_speech(one) for one in self.teachers)
        text = None if self.text_teacher is None else open_text(self.text_teacher)
        real = load(
            self.corpus,
            self.data_root,
            FEATURES[LOW_LEVEL],
            task="both",
            allow_missing=self.allow_missing,
            skip_bad=self.skip_bad,
            progress=self.show_progress,
        )
        if text is not None:
            require_transcripts(self.corpus.title, real.utterances)
        protocol = protocol_of(self.corpus, self.protocol)
        count = len(protocol.folds(real.utterances))
        if self.fold is not None and not 1 <= self.fold <= count:
            raise UserError(
                f"fold {self.fold} does not exist: {protocol.name} on {real.corpus} has folds 1 to "
                f"{count}"
            )
        numbers = tuple(range(1, count + 1)) if self.fold is None else (self.fold,)
        return Opened(real, protocol, speech, text, numbers)

    def plan(self, opened: "Opened") -> Plan:
        """What is left to do; nothing is written."""
        left = tuple(n for n in opened.numbers if not (self._folder(n) / RESULT).is_file())
        utterances = opened.real.utterances
        took = listening(opened.speech, opened.text, utterances) if left else 0.0
        return Plan(left, self.seeds, len(utterances), took)

    def run(self, opened: "Opened") -> SystemRun:
        """Distils all folds that are not done, and writes the report.

        Raises:
            UserError: the folder holds another run.
        """
        real, protocol = opened.real, opened.protocol
        speech, text = opened.speech, opened.text
        self._begin(real, protocol, speech, text)
        for number in opened.numbers:
            if not (self._folder(number) / RESULT).is_file():
                self._distil(real, protocol, number, speech, text)
        count = len(protocol.folds(real.utterances))
        done = [
            read_fold(self._folder(number) / RESULT)
            for number in range(1, count + 1)
            if (self._folder(number) / RESULT).is_file()
        ]
        line = protocol_line(real, protocol, LOW_LEVEL)
        if len(done) < count:
            line += f" · folds {', '.join(str(each.fold) for each in done)} of {count}"
        every = protocol.folds(real.utterances)
        rows = rows_of(self.name, done, pooled([every[each.fold - 1] for each in done]))
        notes = [f"fold {each.fold}: {note}" for each in done for note in each.notes]
        relevance = {}
        part = replace(protocol, folds=lambda _: [every[each.fold - 1] for each in done])
        if self.system.asks_layers and (why_not := _not_askable(real, part)):
            notes.append(f"which layers tell which dimension was not asked: {why_not}")
        elif self.system.asks_layers:
            for place, encoder in enumerate(speech, start=1):
                name = f"layers-{place}.svg" if len(speech) > 1 else "layers.svg"
                relevance[name] = self._relevance(real, part, encoder)
        run = SystemRun(
            system=self.name,
            corpus=real.corpus,
            recordings=real.digest,
            ratings=real.ratings,
            protocol=protocol.name,
            line=line,
            command=self.command,
            notes=notes,
            rows=rows,
        )
        self._report(run, relevance)
        return run

    def _relevance(
        self, real: RealSet, protocol: Protocol, encoder: SpeechEncoder
    ) -> LayerRelevance:
        """Which layers tell which dimension, on the test speakers; nothing is chosen by it."""
        progress = bar("layers") if self.show_progress else SILENT
        pooled_states = StateCache.of_this_machine().pooled(encoder, real)
        means = pooled_states[:, :, : pooled_states.shape[2] // 2]
        dimensions, seed = real.task.dimensions, self.seed
        return layer_relevance(
            *(means, real.utterances, protocol, encoder.name, real.corpus),
            dimensions=dimensions,
            seed=seed,
            progress=progress,
        )

    def _folder(self, number: int) -> Path:
        return fold_folder(self.out, number)

    def _begin(
        self,
        real: RealSet,
        protocol: Protocol,
        speech: Sequence[SpeechEncoder],
        text: TextEncoder | None,
    ) -> None:
        """Writes the settings down, or makes sure that those of before are the same.

        Raises:
            UserError: the folder holds something else.
        """
        settings = {
            "system": self.name,
            "settings": asdict(self.system),  # type: ignore[call-overload]
            "corpus": real.corpus,
            "recordings": real.digest,
            "ratings": real.ratings,
            "scale": real.task.scale,
            "transcripts": sha256(repr([one.text for one in real.utterances]).encode()).hexdigest(),
            "protocol": protocol.name,
            "teachers": [each.digest for each in speech],
            "text_teacher": None if text is None else text.digest,
            "seeds": self.seeds,
            "seed": self.seed,
            "version": package_version(),
        }
        settings = json.loads(json.dumps(settings))
        file = self.out / SETTINGS
        if not file.exists():
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise UserError(f"{self.out} exists and is no run's folder: choose another --out")
            write_atomically(file, json.dumps(settings, indent=1) + "\n")
            return
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            differing = [name for name, value in settings.items() if before.get(name) != value]
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{file}: damaged ({error}); choose another --out") from error
        if differing:
            raise UserError(
                f"{self.out} holds a run that differs in {', '.join(differing)}: give the command "
                f"that began it, or another --out"
            )

    def _distil(
        self,
        real: RealSet,
        protocol: Protocol,
        number: int,
        speech: tuple[SpeechEncoder, ...],
        text: TextEncoder | None,
    ) -> None:
        fold = protocol.folds(real.utterances)[number - 1]
        sides = {"training": fold.train, "validation": fold.validation, "test": fold.test}
        for side, rows in sides.items():
            if not rows:
                raise UserError(
                    f"fold {number} of {protocol.name} on {real.corpus} has no {side} utterance: "
                    f"use another --protocol"
                )
        progress = bar(f"fold {number}") if self.show_progress else SILENT
        train, validation, test = (torch.tensor(rows) for rows in sides.values())
        states = StateCache.of_this_machine(progress)
        material = Material(real, train, validation, test, speech, text, states, progress)
        product = self.system.run(material, self.seeds, self.seed)
        heard = [real.utterances[row] for row in fold.test]
        result = Fold(
            fold=number,
            dimensions=list(real.task.dimensions),
            utterances=[one.name for one in heard],
            speakers=[one.speaker for one in heard],
            truth=real.task.numbers(real.targets[test]).tolist(),
            runs=list(product.runs),
            notes=list(product.notes),
        )
        self._ship(product, real, number)
        write_atomically(self._folder(number) / RESULT, save(result))  # last: it marks the end
        if not self.quiet and not self.show_progress:
            print(f"fold {number} is done", file=sys.stderr, flush=True)

    def _ship(self, product: Product, real: RealSet, number: int) -> None:
        """The student's weights and how to use them."""
        folder = self._folder(number)
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{WEIGHTS}.part"
        save_file(dict(product.weights), part)
        part.replace(folder / WEIGHTS)
        manifest: dict[str, Any] = {
            "format": 1,
            "system": self.name,
            "outputs": list(real.task.columns),
            "scale": list(real.task.scale),
            "features": real.spec.settings(),
            **product.manifest,
            "sha256": sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
            "corpus": real.facts.title,
            "licence": real.facts.licence,
            "derivatives": real.facts.derivatives,
            "version": package_version(),
        }
        write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, default=list) + "\n")

    def _report(self, run: SystemRun, relevance: Mapping[str, LayerRelevance]) -> None:
        for name, found in relevance.items():
            write_atomically(self.out / name, picture(found))
            write_atomically((self.out / name).with_suffix(".json"), found.to_json())
        report = markdown(run, relevance)
        write_atomically(self.out / "report.md", report)
        written = json.dumps(asdict(run), indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.out / REPORT, written)  # last: it marks the end


def _not_askable(real: RealSet, protocol: Protocol) -> str | None:
    """Why the layers cannot be asked what they tell; None if they can.

    The models of such a run are worth a report all the same.
    """
    try:
        require_askable(real.utterances, protocol, real.task.dimensions)
    except UserError as error:
        return str(error)
    return None
