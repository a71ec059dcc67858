"""Who is speaking? The strongest attackers, and what of the emotion is left where they fail."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib import rc_context

from evaluation.attack_section import emotion_kept, heard_as
from evaluation.page.colours import QUIET, Look
from evaluation.page.curves import HEIGHT, MARKERS, STYLE, WIDTH
from evaluation.page.legend import blank, labelled, under_legend
from evaluation.page.picture import Picture
from evaluation.page.table import Body, Cell, Column, Table
from evaluation.page.view import View
from evaluation.page.wording import NONE, interval
from evaluation.records import Attack
from evaluation.runs import FULL_AS


@dataclass(frozen=True)
class Attacked:
    """The trade-off for one kind of voices, and the numbers of all games."""

    pictures: Sequence[Picture]
    numbers: Table


def attacks(view: View) -> Attacked | None:
    """None where no attacker was asked for."""
    found = view.report.attacks
    if not found:
        return None
    kept = emotion_kept(view.rows)
    bodies = [
        Body([_line(one, kept, _look(view, one.speech)) for one in own], f"{game}, {whose} voices")
        for game, whose in dict.fromkeys((one.game, one.whose) for one in found)
        if (own := [one for one in found if (one.game, one.whose) == (game, whose)])
    ]
    pictures = [
        _trade_off(view, points)
        for whose in ("fitted", "unseen")
        if (
            points := [
                (one, kept[one.speech][0])
                for one in found
                if (one.game, one.whose) == ("identification", whose)
                if one.valid and one.speech in kept
            ]
        )
    ]
    return Attacked(
        pictures,
        Table(
            "The strongest attacker at each game",
            "Who is speaking",
            [
                Column("speech", "how the speech is heard", words=True),
                Column("attacker", words=True),
                Column(
                    "success",
                    "of naming; of claims equal errors, of membership the area under the curve",
                ),
                Column("chance"),
                Column("lead kept", "over chance, relative to that on speech as it is"),
                Column("linkability", "D_sys"),
                Column("emotion UAR", "of students of all training data who hear the same"),
                Column("UAR kept", "relative to speech as it is"),
            ],
            bodies,
        ),
    )


def _look(view: View, speech: str) -> Look:
    return view.looks.get(speech.removeprefix(FULL_AS), Look(QUIET, "ring"))


def _line(one: Attack, kept: dict[str, tuple[float, float | None]], look: Look) -> list[Cell]:
    uar, share = kept.get(one.speech, (None, None))
    success = Cell(f"{one.success.mean:.3f}", small=interval(one.success))
    return [
        Cell(heard_as(one.speech), look=look),
        Cell(one.attacker, small="informed" if one.informed else "ignorant"),
        success if one.valid else Cell("void"),
        Cell(f"{one.chance:.3f}"),
        _number(one.against_plain if one.valid else None),
        _number(one.linkability if one.valid else None),
        _number(uar),
        _number(share),
    ]


def _number(value: float | None) -> Cell:
    return Cell(NONE if value is None else f"{value:.3f}")


def _trade_off(view: View, points: Sequence[tuple[Attack, float]]) -> Picture:
    """Emotion UAR over the attacker's success, a point for each way of hearing."""
    words = [
        f"{heard_as(one.speech)}: {one.success.mean:.3f} named right, UAR {uar:.3f}"
        for one, uar in points
    ]
    whose, chance = points[0][0].whose, points[0][0].chance
    with rc_context(STYLE):
        figure = blank(WIDTH, HEIGHT)
        axes = figure.add_subplot()
        for one, uar in points:
            look = _look(view, one.speech)
            axes.plot(
                *([one.success.mean], [uar]),
                color=look.colour,
                marker=MARKERS[look.shape],
                markersize=8,
                markeredgewidth=2,  # of a bar it is all there is
                linestyle="none",
                label=labelled(heard_as(one.speech)),
            )
            if one.success.interval is not None:
                axes.plot(one.success.interval, [uar, uar], color=look.colour, linewidth=1)
        axes.axvline(chance, color=QUIET, linestyle="--", linewidth=1)
        axes.axhline(view.chance, color=QUIET, linestyle="--", linewidth=1)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.15 * max([view.chance, *(uar for _, uar in points)]))
        axes.set_xlabel(f"share of utterances of {whose} speakers that are named right")
        axes.set_ylabel("emotion UAR")
        return under_legend(
            figure,
            f"Emotion UAR over success of the strongest attacker on {whose} voices. "
            f"{'; '.join(words)}. Chance: {chance:.3f}.",
        )
