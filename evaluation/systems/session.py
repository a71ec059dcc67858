"""A run of `distill-model`: folds, one after the other, into a folder that can be gone on with."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from evaluation.files import write_atomically
from evaluation.systems.encoders import SpeechEncoder, open_speech
from evaluation.systems.layer_plot import picture
from evaluation.systems.layer_relevance import LayerRelevance
from evaluation.systems.layers_asked import asked
from evaluation.systems.plan import Plan, planned
from evaluation.systems.recordings import LOW_LEVEL, recordings
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
from evaluation.systems.shipped import ship
from evaluation.systems.states import StateCache
from evaluation.systems.system import Material, System
from evaluation.systems.text_encoders import TextEncoder, open_text
from synth_data.corpora.facts import Corpus
from synth_data.corpus import protocol_line, protocol_of
from synth_data.errors import UserError
from synth_data.folds import Fold as Folded
from synth_data.progress import SILENT, bar
from synth_data.protocol import Protocol, pooled
from synth_data.provenance import package_version
from synth_data.ratings import Scale
from synth_data.real import RealSet, require_values

SETTINGS = "run.json"


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
        scale: of the dimensions, where the corpus has none of its own.
        weights: of each dimension in what is learned; none: all alike.
        allow_missing: go on when labels lack audio or a value, or audio lacks labels.
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
    scale: Scale | None = None
    weights: tuple[float, ...] = ()
    allow_missing: bool = False
    skip_bad: bool = False
    show_progress: bool = False
    quiet: bool = False

    def open(self) -> "Opened":
        """The corpus and those who teach, with all that can be wrong with them seen.

        Raises:
            UserError: the corpus has no dimensions or lacks transcripts, there is no such fold or
                a side of it is empty, an encoder cannot be had, the system takes others or has
                settings that do not go with them, or the folder holds another run.
        """
        if not self.teachers:
            raise UserError("--teacher names no encoder of speech: give a folder, or a name")
        speech = tuple(open_speech(one) for one in self.teachers)
        text = None if self.text_teacher is None else open_text(self.text_teacher)
        self.system.require(speech, text)
        real = recordings(
            self.corpus,
            self.data_root,
            read=text is not None,
            scale=self.scale,
            allow_missing=self.allow_missing,
            skip_bad=self.skip_bad,
            progress=self.show_progress,
        ).weighed(self.weights)
        protocol = protocol_of(self.corpus, self.protocol, self.data_root)
        folds = protocol.folds(real.utterances)
        if self.fold is not None and not 1 <= self.fold <= len(folds):
            raise UserError(
                f"fold {self.fold} does not exist: {protocol.name} on {real.corpus} has folds 1 to "
                f"{len(folds)}"
            )
        numbers = tuple(range(1, len(folds) + 1)) if self.fold is None else (self.fold,)
        for number in numbers:
            _require_sides(real, folds[number - 1], f"fold {number} of {protocol.name}")
        opened = Opened(real, protocol, speech, text, numbers)
        self._require_folder(self._settings(opened))
        return opened

    def plan(self, opened: "Opened") -> Plan:
        """What is left to do; nothing is written."""
        utterances = opened.real.utterances
        left = self._left(opened)
        return planned(self.system, opened.speech, opened.text, utterances, left, self.seeds)

    def run(self, opened: "Opened") -> SystemRun:
        """Distils all folds that are not done, and writes the report."""
        real, protocol = opened.real, opened.protocol
        settings = json.dumps(self._settings(opened), indent=1) + "\n"
        write_atomically(self.out / SETTINGS, settings)
        for numbers in self._left(opened):
            self._distil(opened, numbers)
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
        relevance: Mapping[str, LayerRelevance] = {}
        if self.system.asks_layers:
            relevance, why_not = asked(
                *(real, protocol, [each.fold for each in done], opened.speech),
                *(self.seed, self.show_progress),
            )
            notes += why_not
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

    def _folder(self, number: int) -> Path:
        return fold_folder(self.out, number)

    def _settings(self, opened: "Opened") -> dict[str, Any]:
        """All that decides the results, as it is written down."""
        real, text = opened.real, opened.text
        settings = {
            "system": self.name,
            "settings": asdict(self.system),  # type: ignore[call-overload]
            "corpus": real.corpus,
            "recordings": real.digest,
            "ratings": real.ratings,
            "scale": real.task.scale,
            "weights": real.task.weights,
            "transcripts": sha256(repr([one.text for one in real.utterances]).encode()).hexdigest(),
            "columns": real.task.columns,
            "protocol": opened.protocol.name,
            "teachers": [each.digest for each in opened.speech],
            "text_teacher": None if text is None else text.digest,
            "seeds": self.seeds,
            "seed": self.seed,
            "version": package_version(),
        }
        found: dict[str, Any] = json.loads(json.dumps(settings))
        return found

    def _require_folder(self, settings: Mapping[str, Any]) -> None:
        """Passes an output folder that holds nothing, or a part of this very run.

        Raises:
            UserError: the folder holds something else.
        """
        file = self.out / SETTINGS
        if not file.exists():
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise UserError(f"{self.out} exists and is no run's folder: choose another --out")
            return
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
            differing = [name for name, value in settings.items() if before.get(name) != value]
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(f"{file}: damaged ({error}); choose another --out") from error
        # Where no fold is done there is nothing that settings could be mistaken for.
        if differing and any(self.out.glob(f"fold-*/{RESULT}")):
            raise UserError(
                f"{self.out} holds a run that differs in {', '.join(differing)}: give the command "
                f"that began it, or another --out"
            )

    def _left(self, opened: "Opened") -> list[list[int]]:
        """Numbers of the folds that are not done; together, those that share their models."""
        folds = opened.protocol.folds(opened.real.utterances)
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
        for number in opened.numbers:
            if not (self._folder(number) / RESULT).is_file():
                fold = folds[number - 1]
                alike.setdefault((fold.train, fold.validation), []).append(number)
        return list(alike.values())

    def _distil(self, opened: "Opened", numbers: Sequence[int]) -> None:
        """Trains and tests on folds that differ in their test side alone."""
        real = opened.real
        every = opened.protocol.folds(real.utterances)
        folds = [every[number - 1] for number in numbers]
        named = f"fold {' and '.join(map(str, numbers))}"
        progress = bar(named) if self.show_progress else SILENT
        product = self.system.run(
            Material(
                real=real,
                train=torch.tensor(folds[0].train),
                validation=torch.tensor(folds[0].validation),
                test=torch.tensor([row for fold in folds for row in fold.test]),
                speech=opened.speech,
                text=opened.text,
                states=StateCache.of_this_machine(progress),
                progress=progress,
            ),
            self.seeds,
            self.seed,
        )
        first = 0
        for number, fold in zip(numbers, folds, strict=True):
            heard = [real.utterances[row] for row in fold.test]
            own = slice(first, first + len(heard))
            first = own.stop
            result = Fold(
                fold=number,
                dimensions=list(real.task.dimensions),
                utterances=[one.name for one in heard],
                speakers=[one.speaker for one in heard],
                truth=_known(real.task.numbers(real.targets[list(fold.test)])),
                runs=[replace(run, said=run.said[own]) for run in product.runs],
                notes=list(product.notes),
            )
            ship(self._folder(number), product, self._facts(real))
            write_atomically(self._folder(number) / RESULT, save(result))  # last: marks the end
        if not self.quiet and not self.show_progress:
            print(f"{named} done", file=sys.stderr, flush=True)

    def _facts(self, real: RealSet) -> dict[str, Any]:
        """What the manifest of a student says of any, whatever it is."""
        return {
            "system": self.name,
            "outputs": real.task.columns,
            "emotions": real.task.emotions,
            "dimensions": real.task.dimensions,
            "scale": real.task.scale,
            "corpus": real.facts.title,
            "licence": real.facts.licence,
            "derivatives": real.facts.derivatives,
            "version": package_version(),
        }

    def _report(self, run: SystemRun, relevance: Mapping[str, LayerRelevance]) -> None:
        for name, found in relevance.items():
            write_atomically(self.out / name, picture(found))
            write_atomically((self.out / name).with_suffix(".json"), found.to_json())
        report = markdown(run, relevance)
        write_atomically(self.out / "report.md", report)
        written = json.dumps(asdict(run), indent=1, ensure_ascii=False) + "\n"
        write_atomically(self.out / REPORT, written)  # last: it marks the end


def _known(numbers: Tensor) -> list[list[float | None]]:
    """Rows of numbers, None for those that are not known."""
    return [[None if math.isnan(one) else one for one in row] for row in numbers.tolist()]


def _require_sides(real: RealSet, fold: Folded, name: str) -> None:
    """Passes a fold with all three sides.

    Raises:
        UserError: one has no utterance.
        CorpusError: a dimension is known of none on a side.
    """
    sides = {"training": fold.train, "validation": fold.validation, "test": fold.test}
    for side, rows in sides.items():
        if not rows:
            raise UserError(
                f"{name} on {real.corpus} has no {side} utterance: use another --protocol"
            )
        where = f"the {side} side of {name} on {real.corpus}"
        require_values(real.task, real.targets[list(rows)], where)
