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
    per_class, rest = divmod(row.utterances, classes)
    if rest or per_class == row.ipc:
        return f"{count(row.ipc, 'item')} per class"
    return f"{count(per_class, 'item')} per class, in the bytes of {row.ipc},"


def share(share: float) -> str:
    """In percent, with a digit after the point where it is small.

    >>> share(0.0812), share(0.0042)
    ('8 %', '0.4 %')
    """
    percent = 100 * share
    return f"{percent:.0f} %" if percent >= 2 else f"{percent:.1f} %"
