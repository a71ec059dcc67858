"""Who gains and who loses: UAR of each speaker, and of each gender."""

from collections.abc import Mapping

from evaluation.page.results import title
from evaluation.page.table import Body, Cell, Column, Line, Mark, Part, Plot, Scale, Table
from evaluation.page.view import View, key_of, name
from evaluation.page.wording import NONE, difference
from evaluation.records import Group, Key
from evaluation.runs import FULL

Place = tuple[str, str]  # kind and name of a group

KINDS = {"speaker": "speakers, the largest loss first", "gender": "genders"}


def speakers(view: View) -> list[Part]:
    """A table per judged set and initialisation, of the first classroom's students."""
    groups: dict[Key, dict[Place, Group]] = {}
    for group in view.report.groups:
        groups.setdefault(key_of(group), {})[group.kind, group.group] = group
    return [
        Part(
            title(row),
            [_table(view, row, {key: groups[key] for key in view.beside(row) if key in groups})],
        )
        for row in view.judged
        if key_of(row) in groups
    ]


def _table(view: View, judged: Key, groups: Mapping[Key, Mapping[Place, Group]]) -> Table:
    """A row per speaker and gender; a column per set of `groups`."""
    own = groups[key_of(judged)]
    full: Mapping[Place, Group] = next(
        (found for key, found in groups.items() if key.set == FULL), {}
    )
    # A speaker who has fewer of the emotions has a higher chance.
    chances = {place: group.chance or view.chance for place, group in own.items()}
    uars = [group.uar for found in groups.values() for group in found.values()]
    scale = Scale.around([*chances.values(), *uars])

    def loss(place: Place) -> float:
        return full[place].uar - own[place].uar if place in full else 0.0

    def cells(place: Place) -> list[Cell]:
        present = {key: found[place] for key, found in groups.items() if place in found}
        marks = [Mark(view.looks[key.set], scale.percent(x.uar)) for key, x in present.items()]
        words = ", ".join(f"{name(key)} {group.uar:.3f}" for key, group in present.items())
        chance = Line(scale.percent(chances[place]), dashed=True)
        words += f"; chance {chances[place]:.3f}"
        return [
            Cell(place[1]),
            Cell(f"{own[place].utterances:,}"),
            *(Cell(f"{present[key].uar:.3f}" if key in present else NONE) for key in groups),
            Cell(difference(-loss(place)) if place in full else NONE),
            Cell(plot=Plot(tuple(marks), (chance,), f"UAR: {words}")),
        ]

    columns = [
        Column("speaker or gender", words=True),
        Column("utterances"),
        *(Column(name(key), look=view.looks[key.set]) for key in groups),
        Column("change", "UAR minus that of full data"),
        Column("UAR of each", words=True, scale=scale),
    ]
    bodies = [
        Body([cells(place) for place in sorted(places, key=lambda x: (-loss(x), x))], title)
        for kind, title in KINDS.items()
        if (places := [place for place in own if place[0] == kind])
    ]
    return Table(
        f"UAR by test speaker and by gender, {judged.student}",
        f"Speakers: {title(judged)}",
        columns,
        bodies,
    )
