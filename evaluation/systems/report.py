"""The table of a model-distillation system, for people; and which layers matter."""

from collections.abc import Sequence

import numpy as np

from evaluation.systems.rows import Fold, SystemRow

NONE = "-"


def table(rows: Sequence[SystemRow]) -> str:
    """The rows in Markdown."""
    dimensions = list(rows[0].ccc)
    head = ["model", *dimensions, "mean CCC", "relative", "parameters", "of teacher", "shipped"]
    head += ["minutes", "hears"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        spread = f" ± {row.spread:.3f}" if row.spread is not None else ""
        cells = [
            row.model,
            *(f"{row.ccc[name]:.3f}" for name in dimensions),
            f"{row.mean:.3f}{spread}",
            NONE if row.relative is None else f"{row.relative:.0%}",
            f"{row.parameters:,}",
            NONE if row.fraction is None else f"{row.fraction:.1%}",
            f"{row.bytes:,} bytes",
            f"{row.minutes:.1f}",
            row.hears,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def markdown(
    rows: Sequence[SystemRow],
    line: str,
    command: str,
    notes: Sequence[str],
    done: Sequence[Fold],
) -> str:
    """The report."""
    parts = [
        f"# Model distillation: {rows[0].system}",
        line,
        table(rows),
        "CCC: concordance, mean over seeds and then over folds, and the deviation of the mean over "
        "both. Relative: to the model on low-level features that nobody taught. Parameters and "
        "bytes are of all that it takes to use a model; minutes are those of making it and of its "
        "teacher. Who uses a model needs no recordings of the corpus; who makes it needs all.",
    ]
    if found := relevance_table(done):
        parts += ["## Which layers matter", found, "![layers](relevance.svg)"]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    parts.append(f"```sh\n{command}\n```")
    return "\n\n".join(parts) + "\n"


def relevance_table(done: Sequence[Fold]) -> str:
    """What a teacher's head listens to, layer by layer, for each dimension; empty if unknown."""
    mean = _mean_relevance(done)
    if not mean:
        return ""
    layers = range(len(next(iter(mean.values()))))
    lines = [
        "| dimension | " + " | ".join(f"layer {layer}" for layer in layers) + " |",
        "|" + "---|" * (len(layers) + 1),
    ]
    for name, weights in mean.items():
        lines.append(f"| {name} | " + " | ".join(f"{weight:.2f}" for weight in weights) + " |")
    return "\n".join(lines)


def relevance_picture(done: Sequence[Fold]) -> str | None:
    """The same as an SVG, shade by shade; None if unknown."""
    mean = _mean_relevance(done)
    if not mean:
        return None
    layers = len(next(iter(mean.values())))
    most = max(max(weights) for weights in mean.values())
    side, left, top = 36, 110, 30
    width, height = left + side * layers + 10, top + side * len(mean) + 10
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for layer in range(layers):
        x = left + side * layer + side / 2
        drawn.append(f'<text x="{x}" y="{top - 10}" text-anchor="middle">{layer}</text>')
    for row, (name, weights) in enumerate(mean.items()):
        y = top + side * row
        drawn.append(
            f'<text x="{left - 10}" y="{y + side / 2 + 4}" text-anchor="end">{name}</text>'
        )
        for layer, weight in enumerate(weights):
            x, ink = left + side * layer, "white" if weight > most / 2 else "black"
            drawn.append(
                f'<rect x="{x}" y="{y}" width="{side - 2}" height="{side - 2}" fill="#205080" '
                f'fill-opacity="{weight / most:.3f}"/><text x="{x + side / 2 - 1}" '
                f'y="{y + side / 2 + 4}" text-anchor="middle" fill="{ink}">{weight:.2f}</text>'
            )
    return "\n".join([*drawn, "</svg>"]) + "\n"


def _mean_relevance(done: Sequence[Fold]) -> dict[str, list[float]]:
    """Over folds."""
    told = [each.relevance for each in done if each.relevance]
    return {
        name: np.mean([each[name] for each in told], axis=0).tolist()
        for name in (told[0] if told else ())
    }
