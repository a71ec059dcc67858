"""What is taken for what: confusion matrices side by side, as shaded tables."""

from collections.abc import Sequence

from evaluation.page.colours import shade
from evaluation.page.results import title
from evaluation.page.table import Body, Cell, Column, Part, Table
from evaluation.page.view import View, key_of, name
from evaluation.page.wording import NONE
from evaluation.records import Confusion

SHORTEST = 3  # letters of an emotion at the head of a column


def confusions(view: View) -> list[Part]:
    """Full data, the set and random subsets, per judged set and initialisation."""
    found = {key_of(confusion): confusion for confusion in view.report.confusions}
    return [
        Part(
            title(row),
            [
                _table(found[key], view.report.emotions, title(row))
                for key in view.beside(row)
                if key in found
            ],
        )
        for row in view.judged
        if key_of(row) in found
    ]


def short_names(names: Sequence[str]) -> list[str]:
    """As few first letters as tell the names apart, and at least three.

    >>> short_names(["anger", "boredom", "bored out"])
    ['ang', 'boredo', 'bored ']
    """
    return [
        next(
            (
                one[:length]
                for length in range(SHORTEST, len(one))
                if sum(other.startswith(one[:length]) for other in names) == 1
            ),
            one,
        )
        for one in names
    ]


def _table(confusion: Confusion, emotions: Sequence[str], part: str) -> Table:
    columns = [
        Column(
            "spoken", "the emotion that was spoken; recognised emotions stand above", words=True
        ),
        *(Column(short, full) for short, full in zip(short_names(emotions), emotions, strict=True)),
    ]
    rows = [
        [Cell(emotion), *(_cell(count, sum(counts)) for count in counts)]
        for emotion, counts in zip(emotions, confusion.counts, strict=True)
    ]
    return Table(
        name(confusion),
        f"Confusions: {name(confusion)} (in {part})",
        columns,
        [Body(rows)],
        matrix=True,
    )


def _cell(count: float, total: float) -> Cell:
    """A share of the true emotion's utterances, in percent."""
    if total == 0:
        return Cell(NONE)
    return Cell(f"{100 * count / total:.0f}", shades=shade(count / total))
