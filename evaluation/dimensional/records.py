"""The rows of a report on dimensions: its JSON schema is made from these classes."""

from evaluation.records import Estimate, Judged, Record, Spread


class Metrics(Record):
    """How well one dimension was told, or the mean over all of them."""

    ccc: Spread
    """Concordance (Lin 1989), in [-1, 1]: 0 for what says nothing, such as one number always."""
    pearson: Spread
    """Correlation, in [-1, 1]."""
    mae: Spread
    """Mean absolute error, in the units of the corpus' scale."""


class Dimension(Metrics):
    """How well one dimension was told."""

    dimension: str
    """Its name."""


class DimensionalRow(Judged):
    """How well dimensions were told after a set."""

    mean: Metrics
    """Means over the dimensions."""
    dimensions: tuple[Dimension, ...]
    """Each of them."""
    relative_ccc: Estimate | None
    """Mean CCC divided by that of the full row of the same fold, student, initialisation and
    speech, by the common recipe; null without such a row, or where full data tell nothing."""
    uar: Spread | None
    """Unweighted average recall of the emotions beside the dimensions; null where none are told."""
