"""The recordings of a run of `distill-model`: dimensions, and transcripts where these are read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evaluation.systems.text_encoders import require_transcripts
from synth_data.corpora import CORPORA
from synth_data.corpora.facts import Corpus
from synth_data.corpora.tree import Kept, few, notes_of
from synth_data.corpus import find_root, load
from synth_data.errors import UserError
from synth_data.features import FEATURES
from synth_data.ratings import Scale
from synth_data.real import RealSet
from synth_data.utterance import Utterance

LOW_LEVEL = "logmel64-training"  # energy survives, as no utterance is normalised by itself


def recordings(
    corpus: Corpus,
    root: Path | None,
    *,
    read: bool,
    scale: Scale | None = None,
    allow_missing: bool = False,
    skip_bad: bool = False,
    progress: bool = False,
) -> RealSet:
    """A corpus with its dimensions, and with its emotions where it has any.

    Args:
        corpus: its facts.
        root: its folder; from the environment if None.
        read: whether a teacher reads transcripts.
        scale: of the dimensions, where the corpus has none of its own.
        allow_missing: as `load`.
        skip_bad: as `load`, and leave out what has no transcript where that is read.
        progress: show a bar on stderr.

    Raises:
        UserError: it has no dimensions, or lacks transcripts that are read and is not to do
            without; or as `load`.
    """
    listed = (corpus.read_rated or corpus.read)(find_root(corpus, root), allow_missing)
    rated = [one for one in listed if _rated(one, corpus.dimensions)]
    if not rated:
        others = ", ".join(known.name for known in CORPORA.values() if known.dimensions)
        raise UserError(
            f"{corpus.title} has no valence, activation, dominance: use a corpus with dimensions, "
            f"such as {others}"
        )
    silent = {one.name: None for one in rated if read and not _spoken(one)}
    if silent and (len(silent) == len(rated) or not skip_bad):
        require_transcripts(corpus.title, rated)
    with_emotions = corpus.emotions or any(one.emotion for one in listed)
    kept = Kept([one for one in listed if one.name not in silent], notes_of(listed))
    real = load(
        replace(corpus, read=lambda *_: kept, read_rated=None),  # so that its digest is of these
        root,
        FEATURES[LOW_LEVEL],
        task="both" if with_emotions else "dimensional",
        scale=scale,
        allow_missing=allow_missing,
        skip_bad=skip_bad,
        progress=progress,
    )
    note = [f"{len(silent)} utterances without a transcript left out ({few(silent)})"]
    return replace(real, facts=corpus, notes=(*real.notes, *(note if silent else [])))


def _rated(utterance: Utterance, dimensions: Sequence[str]) -> bool:
    return any(getattr(utterance, name) is not None for name in dimensions)


def _spoken(utterance: Utterance) -> bool:
    """Whether it has a transcript."""
    return bool(utterance.text and utterance.text.strip())
