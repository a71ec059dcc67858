"""What is known of a corpus, whoever reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from synth_data.protocol import Protocol
from synth_data.utterance import Utterance

Access = Literal["built-in", "public", "on request", "own"]
Derivatives = Literal[
    "yes", "non-commercial share-alike", "share-alike", "agreement decides", "owner decides"
]


@dataclass(frozen=True)
class Recordings:
    """What is published of a corpus' recordings, by which a derived copy is told from the corpus.

    Attributes:
        sample_rate: in Hz.
        shortest: duration in seconds; `longest` likewise.
        total: duration of all in seconds.
    """

    sample_rate: int
    shortest: float
    longest: float
    total: float


@dataclass(frozen=True)
class Corpus:
    """A corpus' facts and its reader: one file in `corpora/`, one line in `CORPORA`.

    Attributes:
        name: as on the command line.
        title: as in print.
        emotions: the class names, in the order of the targets; empty where the data decide.
        label_note: how raw labels became `emotions`, such as "exc->hap"; empty if unchanged.
        counts: published utterances per emotion; empty where nothing is published.
        speakers: published number of speakers; None where nothing is published.
        recordings: their published durations and sampling rate; None where nothing is published.
        language: of the speech.
        access: who may have it.
        licence: its name, and where it is stated.
        derivatives: whether the licence lets a distilled set be shared.
        url: where to get it.
        citation: how to cite it.
        protocols: by name; the first is the default, unless `listed_protocol` says another.
        read: `read(root, allow_missing)` lists the utterances. Labels without audio and audio
            without labels raise `CorpusError` unless `allow_missing`; what is left out then is
            told where the list is a `tree.Kept`.
        read_rated: the same with all utterances that have dimensions, also those whose emotion is
            none of `emotions`; None where they are those of `read`.
        layout: the expected tree, a few lines, shown when a tree is wrong.
        dimensions: of `task.DIMENSIONS`, that its labels have; empty where they have none.
        scale: of these, from the lowest to the highest value.
        scales: where each copy may have its own: those that are known, and the first that holds
            all values is taken; else empty.
        proxies: what the values of dimensions are, where nobody rated the utterances; else empty.
        rated: published number of utterances with dimensions; None where nothing is published.
        listed_protocol: `listed_protocol(root)` names the default protocol where each copy may list
            its own split, and None where this one does not.
    """

    name: str
    title: str
    emotions: tuple[str, ...]
    protocols: Mapping[str, Protocol]
    read: Callable[[Path | None, bool], list[Utterance]]
    language: str
    access: Access
    licence: str
    derivatives: Derivatives
    url: str
    citation: str
    layout: str
    label_note: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    speakers: int | None = None
    recordings: Recordings | None = None
    dimensions: tuple[str, ...] = ()
    scale: tuple[float, float] = (-1.0, 1.0)
    scales: tuple[tuple[float, float], ...] = ()
    proxies: str = ""
    rated: int | None = None
    read_rated: Callable[[Path | None, bool], list[Utterance]] | None = None
    listed_protocol: Callable[[Path | None], str | None] | None = None
