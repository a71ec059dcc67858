"""The page's table of models that were distilled, beside the sets."""

from collections.abc import Mapping, Sequence

from evaluation import tables
from evaluation.dimensional.report import DimensionalReport
from evaluation.dimensional.systems import NEEDED, Way, ways
from evaluation.page.colours import QUIET, Look
from evaluation.page.table import Body, Cell, Column, Line, Part, Plot, Scale, Table, reach
from evaluation.page.wording import MINUS, NONE, in_words, interval, minutes, spread
from evaluation.runs import CLEAN

MODEL = Look(QUIET, "ring")


def systems(report: DimensionalReport, looks: Mapping[str, Look]) -> list[Part]:
    """A table for each test on which a system was tried.

    Args:
        report: with its systems.
        looks: by set.
    """
    parts = []
    for fold in report.main_folds:
        if found := ways(fold, report.heard(CLEAN), report.systems, report.encoders):
            name = report.tested(fold)
            parts.append(Part(name, [_table(found, report.dimensions, name, looks)]))
    return parts


def _table(
    found: Sequence[Way], dimensions: Sequence[str], test: str, looks: Mapping[str, Look]
) -> Table:
    scale = Scale.around([0.0, *reach(one.ccc for one in found)])
    zero = (Line(scale.percent(0.0), dashed=True),)

    def cells(one: Way) -> list[Cell]:
        look = MODEL if one.of is None else looks[one.of]
        mark = scale.mark(one.ccc, look)
        return [
            Cell(one.name, look=look),
            Cell(one.student),
            Cell(spread(one.ccc)),
            Cell(plot=Plot((mark,), zero, f"CCC {in_words(one.ccc)}")),
            Cell(interval(one.ccc)),
            *(Cell(f"{one.dimensions[name]:.3f}".replace("-", MINUS)) for name in dimensions),
            Cell(NONE if one.ratio is None else f"{one.ratio:.3f}"),
            Cell(f"{one.parameters:,}"),
            Cell(tables.size(one.bytes)),
            Cell(minutes(one.seconds)),
            Cell(one.needs),
        ]

    columns = [
        Column("set or model", words=True),
        Column("student", "and its start; of a model, what it hears", words=True),
        Column("CCC", "mean concordance of the dimensions, ± standard deviation over runs"),
        Column("95 % interval of CCC", words=True, scale=scale),
        Column("from, to"),
        *(Column(dimension, f"CCC of {dimension}") for dimension in dimensions),
        Column("ratio", "mean CCC relative to the best student here of full data"),
        Column("parameters", "with those of the encoders that features are computed with"),
        Column("bytes", "of what is shipped, and of these encoders"),
        Column("minutes", "to make what is shipped; of sets and full data with a student"),
        Column(NEEDED, words=True),
    ]
    bodies = [
        Body([cells(one) for one in found if one.of is not None], "data"),
        Body([cells(one) for one in found if one.of is None], "models"),
    ]
    return Table("Mean CCC on clean speech", f"Model distillation: {test}", columns, bodies)
