"""The table of a model-distillation system, for people; and which layers matter."""

from collections.abc import Mapping, Sequence

from evaluation.systems.layer_relevance import LayerRelevance
from evaluation.systems.rows import SystemRow, SystemRun

NONE = "-"
ABOUT = (
    "CCC: concordance over the test utterances of all folds (where folds share their training, of "
    "each by itself), the mean over seeds and ± its deviation (audio-textual: seeds of heads; each"
    " fold has one encoder of each kind), with its 95 % interval over test speakers. Relative: to "
    "the model on low-level features that nobody taught. Parameters and bytes are of all that it "
    "takes to use a model, means over folds. Of teacher: parameters relative to those of what "
    "taught it: the teacher with its encoders (representation), or the encoders that were "
    "distilled into it (audio-textual; in brackets, relative to the encoder of speech alone). "
    "Minutes are those of making it, of what taught it, and of the listening that this takes, also"
    " where it was kept from before. Who uses a model needs no recordings of the corpus; who makes"
    " it needs all."
)


def table(rows: Sequence[SystemRow]) -> str:
    """The rows in Markdown."""
    dimensions, folds = list(rows[0].ccc), {row.fold for row in rows}
    head = ["model", *dimensions, "mean CCC", "interval", "relative", "parameters", "of teacher"]
    head += ["shipped", "minutes", "hears"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        spread = f" ± {row.sd:.3f}" if row.sd is not None else ""
        cells = [
            row.model + ("" if len(folds) == 1 else f", fold {row.fold}"),
            *(f"{row.ccc[name]:.3f}" for name in dimensions),
            f"{row.mean:.3f}{spread}",
            NONE if row.interval is None else "{:.2f} to {:.2f}".format(*row.interval),
            NONE if row.relative is None else f"{row.relative:.0%}",
            f"{row.parameters:,}",
            _fraction(row),
            f"{row.bytes:,} bytes",
            f"{row.minutes:.1f}",
            row.hears,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _fraction(row: SystemRow) -> str:
    """Of the parameters of what taught it; and of the encoder of speech alone, as in the paper."""
    if row.fraction is None:
        return NONE
    alone = "" if row.of_speech is None else f" ({row.of_speech:.1%} of speech's)"
    return f"{row.fraction:.1%}{alone}"


def markdown(run: SystemRun, relevance: Mapping[str, LayerRelevance]) -> str:
    """The report.

    Args:
        run: what was found.
        relevance: of an encoder's layers, by the name of its picture.
    """
    parts = [f"# Model distillation: {run.system}", run.line, table(run.rows), ABOUT]
    for picture, found in relevance.items():
        parts += [
            f"## Layers of {found.encoder}, {found.protocol}",
            found.table(),
            f"![layers]({picture})",
        ]
    if run.notes:
        parts.append("\n".join(f"- {note}" for note in run.notes))
    parts.append(f"```sh\n{run.command}\n```")
    return "\n\n".join(parts) + "\n"
