"""Who is speaking? The section of a report that says how far attackers got."""

from collections.abc import Sequence

from evaluation.attacks.summary import VALIDITY
from evaluation.options import FIXED
from evaluation.records import Attack, Row
from evaluation.runs import CLEAN, FULL, FULL_AS
from evaluation.sections import section
from evaluation.tables import NONE, Table, interval


def attacks(found: Sequence[Attack], rows: Sequence[Row]) -> str:
    """Who is speaking: the strongest attackers, beside what students recognise of the emotion."""
    if not found:
        return ""
    recognised = emotion_kept(rows)
    return section(
        "Who is speaking?",
        ATTACKED,
        Table(
            (
                *("speech", "game", "voices", "strongest attacker", "success", "interval"),
                *("chance", "lead kept", "linkability", "emotion UAR", "UAR kept"),
            ),
            [
                [
                    heard_as(one.speech),
                    one.game,
                    one.whose,
                    f"{one.attacker}, {'informed' if one.informed else 'ignorant'}",
                    "void" if not one.valid else f"{one.success.mean:.3f}",
                    interval(one.success) if one.valid else NONE,
                    f"{one.chance:.3f}",
                    _mean_of(one.against_plain if one.valid else None),
                    _mean_of(one.linkability if one.valid else None),
                    *(_mean_of(value) for value in recognised.get(one.speech, (None, None))),
                ]
                for one in found
            ],
        ),
    )


ATTACKED = (
    "Attackers who were trained afresh on utterances of known speakers: of those that are to be "
    "named (identification), or of others (verification, of which the equal error rate is given, "
    "and gender). Of membership, whether a set tells which speakers it was made from, it is the "
    "area under the curve over both kinds of speakers; as it is: of real utterances in its place. "
    "Informed ones learned from speech that is heard in the same way. The strongest "
    "of all kinds is shown, if the same kind succeeds on speech as it is "
    f'({VALIDITY}), else "void". '
    "Lead kept: over chance, relative to the strongest on speech as it is. Fitted voices are those "
    "that the sets were made from. Emotion UAR: of students of all training data who hear the same."
)


def heard_as(speech: str) -> str:
    """The name of a way of hearing.

    >>> heard_as("full"), heard_as("full, leace")
    ('as it is', 'leace')
    """
    return "as it is" if speech == FULL else speech.removeprefix(FULL_AS)


def emotion_kept(rows: Sequence[Row]) -> dict[str, tuple[float, float | None]]:
    """By way of hearing: UAR of students of all training data, and its share of that as it is.

    From random starts, of the first student.
    """
    found: dict[str, Row] = {}
    for row in rows:
        if row.speech == CLEAN and row.initialisation != FIXED:
            found.setdefault(row.set, row)
    plain = found.get(FULL)
    return {
        name: (row.uar.mean, row.uar.mean / plain.uar.mean if plain and plain.uar.mean else None)
        for name, row in found.items()
    }


def _mean_of(value: float | None) -> str:
    """A number that may be missing."""
    return NONE if value is None else f"{value:.3f}"
