"""How much is left in noise and in reverberation."""

from evaluation.page.results import by_initialisation, heading
from evaluation.page.table import Body, Cell, Column, Part, Table
from evaluation.page.view import View
from evaluation.page.wording import NONE, interval
from evaluation.records import Key, Row
from evaluation.runs import CLEAN


def robustness(view: View) -> list[Part]:
    """A table per classroom: sets by how the test speech is heard."""
    speeches = list(dict.fromkeys([CLEAN, *(row.speech for row in view.rows)]))
    if speeches == [CLEAN]:
        return []
    heard = {_place(row, row.speech): row for row in view.rows}

    def cell(row: Row, speech: str) -> Cell:
        found = heard.get(_place(row, speech))
        if found is None:
            return Cell(NONE)
        return Cell(f"{found.uar.mean:.3f}", small=interval(found.uar))

    return [
        Part(
            heading(classroom),
            [
                Table(
                    "UAR and its 95 % interval, by how the test speech is heard",
                    f"Robustness: {heading(classroom)}",
                    [
                        Column("set", words=True),
                        Column("ipc", "items per class"),
                        *(Column(speech) for speech in speeches),
                    ],
                    [
                        Body(
                            [
                                [
                                    Cell(row.set, look=view.looks[row.set]),
                                    Cell(NONE if row.ipc is None else str(row.ipc)),
                                    *(cell(row, speech) for speech in speeches),
                                ]
                                for row in own
                            ],
                            start,
                        )
                        for start, own in by_initialisation(view.of(classroom, view.clean))
                    ],
                )
            ],
        )
        for classroom in view.classrooms
    ]


def _place(row: Row, speech: str) -> Key:
    return Key(**(row.model_dump(include=set(Key.model_fields)) | {"speech": speech}))
