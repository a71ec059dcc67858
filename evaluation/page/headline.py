"""The page's first sentences: what each judged set is worth."""

from dataclasses import dataclass

from evaluation.page.results import initialised
from evaluation.page.view import View
from evaluation.page.wording import count
from evaluation.records import Row


@dataclass(frozen=True)
class Headline:
    """A sentence, with what it is about; the claim stands out."""

    about: str
    claim: str
    rest: str


def headline(view: View) -> list[Headline]:
    """One for each judged set and initialisation of the first classroom."""
    classes = len(view.report.emotions)
    return [_headline(row, view.full(row), classes, view.apart) for row in view.judged]


def _headline(row: Row, full: Row | None, classes: int, test: str) -> Headline:
    about = ", ".join(filter(None, (row.set, row.student, initialised(row), test)))
    items = _items(row, classes)
    if full is None or row.relative_uar is None:
        return Headline(
            about,
            f"{items.rstrip(',')}: UAR {row.uar.mean:.3f}",
            "There is no student of full data beside it.",
        )
    verb = "keeps" if items.startswith("1 ") else "keep"
    reach = ""
    if row.relative_uar.interval is not None:
        low, high = row.relative_uar.interval
        reach = f"[{100 * low:.0f}, {100 * high:.0f}] "
    return Headline(
        about,
        f"{items} {verb} {100 * row.relative_uar.mean:.0f} %",
        f"{reach}of full-data UAR ({row.uar.mean:.3f} vs {full.uar.mean:.3f}), "
        f"{share(row.bytes / full.bytes)} of the bytes.",
    )


def _items(row: Row, classes: int) -> str:
    """How many; sets may hold more than `ipc` of each class, each in fewer bytes."""
    if row.ipc is None:
        return "The items"
    return in_the_bytes_of(row.ipc, row.utterances, classes, "class")


def in_the_bytes_of(ipc: int, items: int, groups: int, group: str) -> str:
    """How many items of each class or cell, and in the bytes of how many at most, if those differ.

    Args:
        ipc: whose bytes there are; items may be too few to fill them.
        items: in the set; of pooled folds, a mean over their sets.
        groups: classes or cells.
        group: what one is called.

    >>> in_the_bytes_of(10, 225, 7, "class"), in_the_bytes_of(1, 8, 8, "cell")
    ('32 items per class, in no more than the bytes of 10,', '1 item per cell')
    """
    each = round(items / groups)
    if each == ipc:
        return f"{count(ipc, 'item')} per {group}"
    return f"{count(each, 'item')} per {group}, in no more than the bytes of {ipc},"


def share(share: float) -> str:
    """In percent, with a digit after the point where it is small.

    >>> share(0.0812), share(0.0042)
    ('8 %', '0.4 %')
    """
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 2 else f"{percent:.1f} %"
