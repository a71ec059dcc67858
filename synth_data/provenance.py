"""Where a synthetic set comes from: the corpus, the method, and the network it started from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import Tensor

from synth_data.corpora.facts import Derivatives
from synth_data.errors import SetError
from synth_data.settings import Count

# These begin a note of such sets; after the first, a file follows.
IMPORTED = "made by another program and imported from"
FROM_REAL = "every item started as one real utterance"


def package_version() -> str:
    """Of distill-data; "source" where it runs without being installed."""
    try:
        return version("distill-data")
    except PackageNotFoundError:
        return "source"


@dataclass(frozen=True, eq=False)
class Start:
    """The fixed initialisation: the network a set was distilled against, before any training.

    Attributes:
        network: its name.
        seed: the weights were drawn with.
        weights: by parameter name, float32. They have seen no speech.
    """

    network: str
    seed: int
    weights: Mapping[str, Tensor]

    def __post_init__(self) -> None:
        if not self.weights:
            raise SetError(f"the start weights of '{self.network}' are empty")
        for name, tensor in self.weights.items():
            if tensor.dtype != torch.float32:
                raise SetError(f"start weight '{name}' must be float32; found {tensor.dtype}")
            if not tensor.isfinite().all():
                raise SetError(f"start weight '{name}' holds values that are not finite")

    @property
    def digest(self) -> str:
        """SHA-256, as hexadecimal, over names in sorted order, shapes and values.

        Names and shapes go in as a JSON list `[name, [shape]]`, values as little-endian float32.
        """
        content = sha256()
        for name, tensor in sorted(self.weights.items()):
            content.update(json.dumps([name, list(tensor.shape)]).encode())
            content.update(tensor.detach().cpu().contiguous().numpy().astype("<f4").tobytes())
        return content.hexdigest()


@dataclass(frozen=True)
class PublicSpeech:
    """A second corpus, whose speakers are not protected, and what of a set is made from it.

    Attributes:
        corpus: its name on the command line.
        corpus_title: as in print.
        corpus_digest: of its content, hexadecimal.
        licence: of the corpus.
        derivatives: whether that licence lets the set be shared.
        citation: of the corpus.
        utterances: that were read.
        speakers: whose these are.
        notes: what a reader must know of them, such as which emotions were taken for which.
        uses: what is made from them, each in a few words.
    """

    corpus: str
    corpus_title: str
    corpus_digest: str
    licence: str
    derivatives: Derivatives
    citation: str
    utterances: Count
    speakers: Count
    notes: tuple[str, ...]
    uses: tuple[str, ...]

    @property
    def amount(self) -> str:
        """What was read, in words."""
        return f"{self.utterances} utterances by {self.speakers} speakers of {self.corpus_title}"

    @property
    def made(self) -> str:
        """What is made from it, in words."""
        return " and ".join(self.uses)


@dataclass(frozen=True)
class Provenance:
    """How a set was made. It names no speaker.

    Attributes:
        corpus: its name on the command line.
        corpus_title: as in print.
        corpus_digest: of its content, hexadecimal; None where that is not to be told.
        told_digest: the same with ratings of dimensions and, where features are made from them,
            transcripts; None also in sets made before it was written down.
        licence: of the corpus.
        derivatives: whether that licence lets the set be shared.
        citation: of the corpus.
        protocol: its name.
        fold: whose training side the set was made from; None: from all speakers, the set one
            ships.
        objective: its name.
        settings: every hyper-parameter; kept as plain JSON values.
        seed: of the run.
        per_class: items per emotion that were asked for.
        training_utterances: it was made from; None where that is not to be told.
        notes: what a reader must know, such as counts that differ from the published ones.
        estimate: the cross-validated accuracy, quoted; for a set made from all speakers.
        public: a second corpus that was read freely, and that the set derives from as well; None
            where there was none.
        version: of the package.
    """

    corpus: str
    corpus_title: str
    corpus_digest: str | None
    licence: str
    derivatives: Derivatives
    citation: str
    protocol: str
    fold: Count | None
    objective: str
    settings: Mapping[str, Any]
    seed: int
    per_class: Count
    training_utterances: Count | None
    notes: tuple[str, ...] = ()
    estimate: str | None = None
    public: PublicSpeech | None = None
    told_digest: str | None = None
    version: str = field(default_factory=package_version)

    def __post_init__(self) -> None:
        # Through JSON and back, so that what is loaded equals what was saved (tuples, NaN).
        plain = json.loads(json.dumps(dict(self.settings), allow_nan=False))
        object.__setattr__(self, "settings", plain)

    def is_from(self, corpus: str, digest: str) -> bool:
        """Whether the set was made from this corpus, by its content or, untold, by its name."""
        return self.corpus == corpus if self.corpus_digest is None else self.corpus_digest == digest

    def holds(self, corpus: str, digest: str) -> bool:
        """Whether anything in the set was made from this corpus, also where that is public."""
        public = self.public is not None and self.public.corpus_digest == digest
        return public or self.is_from(corpus, digest)

    @property
    def imported(self) -> bool:
        """Whether another program made the tensors: then little of all this is known."""
        return any(note.startswith(IMPORTED) for note in self.notes)

    @property
    def near_real(self) -> bool:
        """Whether its items started as utterances of the corpus, which they stay close to."""
        return any(FROM_REAL in note for note in self.notes)

    @property
    def corpora(self) -> tuple[str, ...]:
        """All that it was made from, by their names on the command line."""
        return (self.corpus,) if self.public is None else (self.corpus, self.public.corpus)

    @property
    def licences(self) -> str:
        """Of all that it was made from."""
        return self.licence if self.public is None else f"{self.licence}; {self.public.licence}"

    @property
    def content(self) -> str:
        """The corpus' content in words."""
        return f"content {self.corpus_digest}" if self.corpus_digest else "content not told"

    @property
    def amount(self) -> str:
        """What the set was made from, counted where that may be told, in words."""
        counted = f"{self.training_utterances} " if self.training_utterances else ""
        return f"{counted}utterances"

    @property
    def origin(self) -> str:
        """What the set was made from, in words."""
        if self.fold is None:
            return f"all speakers of {self.corpus_title}"
        return f"the training side of fold {self.fold} ({self.protocol}) of {self.corpus_title}"
