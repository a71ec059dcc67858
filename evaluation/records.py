"""The rows of a report: its JSON schema is made from these classes."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

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
    """95 % percentile bootstrap over test speakers, of the mean; null if there is one speaker."""


class Spread(Estimate):
    """An estimate, with its spread over runs."""

    sd: float | None
    """Standard deviation over runs (n - 1 in the denominator); null if there is one run."""


class Row(Record):
    """One set, judged by one kind of student, on one fold or on all. Metrics are fractions."""

    set: str
    """What the students were trained on: full, distilled, random, or another baseline."""
    ipc: int | None
    """Items per class of the set; null for all of the real training data."""
    fold: FoldName
    """The fold, or "all": the predictions of all folds pooled. A report on a single fold has no
    "all" row: it would be the same row twice."""
    student: str
    """The network's name."""
    initialisation: str
    """The students' weights before training: fixed (those stored with the set) or random."""
    recipe: str
    """How the students were trained."""
    uar: Spread
    """Unweighted average recall, over the emotions present in the test data."""
    wa: Spread
    """Weighted accuracy: the share of utterances recognised."""
    macro_f1: Spread
    """Mean F1 over the emotions present in the test data."""
    relative_uar: Estimate | None
    """UAR divided by that of the full row of the same fold, student and initialisation (and
    recipe, if full data were trained with several); null without such a row."""
    recovery: Estimate | None
    """(UAR - chance) / (UAR of that full row - chance), where chance is one over the number of
    emotions present; null unless that full row is above chance. Its interval is null if some
    resample has full data at chance."""
    utterances: int
    """Items in the set, a mean over folds."""
    parameters: int
    """Parameters of the student."""
    bytes: int
    """Size of the set as stored, a mean over folds."""
    seconds: float
    """To make the set and train one student on it, a mean over runs and folds."""
    student_seconds: float
    """The part of `seconds` that trains the student."""
    runs: int
    """Students per fold: draws of the set times seeds."""
    speakers: int
    """Test speakers, which the intervals resample."""


class Comparison(Record):
    """The distilled set against another, on the same speakers: a paired difference of UAR."""

    set: str
    """Always distilled."""
    against: str
    """The other set, of the same ipc (or without one: full)."""
    ipc: int | None
    """Items per class of the distilled set."""
    fold: FoldName
    """As in the rows: all folds if there are several."""
    student: str
    """The network's name."""
    initialisation: str
    """As in the rows."""
    recipe: str
    """As in the rows."""
    difference: Estimate
    """UAR of `set` minus UAR of `against`; its interval says whether other speakers would agree."""
    speakers: int
    """Test speakers, which the interval resamples."""
