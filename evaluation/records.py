"""The rows of a report: its JSON schema is made from these classes."""

import platform
from importlib.metadata import version
from typing import Literal

from pydantic import BaseModel, ConfigDict

from synth_data.provenance import package_version

FoldName = int | Literal["all"]


class Record(BaseModel):
    """A value of the report; its fields' docstrings are the schema's descriptions."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class Estimate(Record):
    """A number and how far it would move with other test speakers."""

    mean: float
    """Over runs (draws of the set and seeds of the student)."""
    interval: tuple[float, float] | None
    """Of the mean, 95 %, from a bootstrap over test speakers; null where they cannot say."""


class Spread(Estimate):
    """An estimate, with its spread over runs."""

    sd: float | None
    """Standard deviation over runs (n - 1 in the denominator); null if there is one run."""


class Key(Record):
    """What names a row: one set, judged by one kind of student, on one fold or on all."""

    set: str
    """What the students were trained on: full, random, or another baseline; distilled, or the name
    it was given, for a set that is judged."""
    ipc: int | None
    """Items per class (or cell of the label space) of the set, or of the set that a baseline
    competes with; null for all of the real training data."""
    student: str
    """The network's name, or that of a classifier of pooled statistics."""
    initialisation: str
    """The students' weights before training: fixed (those stored with the set) or random; between
    them, fixed + 0.3 and the like (those stored, and noise of so many times the size that random
    weights have); none for students without."""
    recipe: str
    """How the students were trained: generic; custom, where its settings were given; native, by the
    schedule that comes with the set; dp-sgd, under a privacy budget; augmented, the common one with
    masks; hard-labels, the common one on each item's likeliest emotion alone."""
    speech: str
    """How the test speech was heard: clean, or a degradation by name."""


class Judged(Key):
    """One set, judged by one kind of student, on one fold or on all: what it is and costs."""

    fold: FoldName
    """The fold, or "all": the predictions of all folds pooled. A report on a single fold has no
    "all" row: it would be the same row twice."""
    judged: bool
    """Whether the set is one under evaluation, not one to compare it with."""
    made_for: str | None
    """The network that a judged set was made for; null where there is none."""
    ships: str
    """What leaves whoever holds the recordings: real items, synthetic items, synthetic items near
    real ones (which they started as), items of unknown origin, means of items, a generator,
    weights, or nothing."""
    utterances: int
    """Items in the set, a mean over folds."""
    parameters: int
    """Parameters of the student."""
    bytes: int
    """Size of what is shipped, as stored; a mean over folds."""
    seconds: float | None
    """To make the set and train one student on it, a mean over runs and folds; null where nobody
    noted what the set took."""
    student_seconds: float
    """The part of `seconds` that whoever receives the set spends on a student."""
    steps: float
    """Optimiser steps of one student, a mean over runs and folds; 0 where a solver decides."""
    settings: tuple[str, ...]
    """What was chosen on validation speakers, each once, the most frequent first."""
    peak_memory: int | None
    """Bytes that training one student takes beyond the loaded libraries; null if not measured."""
    runs: int
    """Students per fold: draws of the set times seeds."""
    speakers: int
    """Test speakers, which the intervals resample."""

    @property
    def making_seconds(self) -> float | None:
        """The rest of `seconds`, which whoever makes the set spends."""
        return None if self.seconds is None else self.seconds - self.student_seconds


class Row(Judged):
    """How well emotions were told after a set. Metrics are fractions."""

    uar: Spread
    """Unweighted average recall, over the emotions present in the test data."""
    wa: Spread
    """Weighted accuracy: the share of utterances recognised."""
    macro_f1: Spread
    """Mean F1 over the emotions present in the test data."""
    relative_uar: Estimate | None
    """UAR divided by that of the full row of the same fold, student, initialisation and speech, by
    the common recipe; null without such a row."""
    recovery: Estimate | None
    """(UAR - chance) / (UAR of that full row - chance), where chance is one over the number of
    emotions present; null unless that full row is above chance. Its interval is null if some
    resample has full data at chance."""


class Confusion(Key):
    """How a condition's students confuse emotions, over all folds of the report."""

    counts: tuple[tuple[float, ...], ...]
    """Test utterances by true (outer) and recognised emotion, a mean over runs."""


class Group(Key):
    """One speaker, or the speakers of one gender: who gains and who loses."""

    kind: Literal["speaker", "gender"]
    """What the group is."""
    group: str
    """The speaker, or female or male."""
    uar: float
    """Mean over runs, over the emotions that the group's test utterances have."""
    utterances: int
    """Test utterances of the group."""
    chance: float | None = None
    """The UAR of guessing, one over the number of emotions that these have; null in older
    reports."""


class Score(Key):
    """DD-Ranking's scores of a judged set (Li et al. 2025), from UAR as fractions in [0, 1]."""

    label_robust: Estimate | None
    """Label-robust score: what is left of the set's worth when neither soft labels nor its own
    recipe help it; in [0, 1], where no lead and no loss is 0.269. Null without random subsets, full
    data, or students on hard labels of a set with soft ones."""
    augmentation_robust: Estimate | None
    """Augmentation-robust score: the lead over random subsets with and without augmentation, on the
    same scale; null where no students were trained with augmentation."""


class Comparison(Key):
    """A paired difference of UAR, or of mean CCC: a judged set against another, same speakers.

    Also a teacher, or its pupil, against full data.
    """

    against: str
    """The other set, of the same ipc (or without one, such as full), student, initialisation,
    recipe (the common one, if this is native; dp-sgd, if that is the other set) and speech."""
    fold: FoldName
    """As in the rows: all folds if there are several."""
    difference: Estimate
    """UAR (where dimensions are told, mean CCC) of `set` minus that of `against`; its interval says
    whether other speakers would agree."""
    speakers: int
    """Test speakers, which the interval resamples."""


class Attack(Record):
    """How far the strongest attacker gets who wants to know who is speaking."""

    speech: str
    """How the speech is heard: as full data by this name are."""
    game: str
    """identification, of one of a few known speakers; verification of a claim; gender; membership
    among those that a set was made from."""
    whose: str
    """Voices: fitted, those of the speakers that the sets were made from; or unseen; or both."""
    attacker: str
    """The one who gets farthest, of those who count."""
    informed: bool
    """Whether it learned from speech that is heard in the same way; else from speech as it is."""
    success: Estimate
    """Share of utterances that were named right; of verification the equal error rate; of
    membership the area under the curve."""
    chance: float
    """What one who hears nothing would have for it."""
    against_plain: float | None
    """Its lead over chance, relative to the strongest lead on speech as it is: 0 if it hears
    nothing any more, 1 if it hears as much; null for speech as it is."""
    linkability: float | None
    """D_sys of verification, in [0, 1]; above 0 by chance where trials are few."""
    valid: bool
    """Whether the same attacker gets far on speech as it is; if none does, nothing is shown."""
    folds: int
    """That it is pooled over."""


class Versions(Record):
    """What computed the report."""

    package: str
    """Of distill-data; "source" where it is not installed."""
    python: str
    """Of Python."""
    torch: str
    """Of PyTorch, with its build."""

    @classmethod
    def here(cls) -> "Versions":
        """Of this process."""
        return cls(
            package=package_version(), python=platform.python_version(), torch=version("torch")
        )
