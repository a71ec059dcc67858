"""A legend over a picture: no name is cut off or left out, however long or many they are."""

import io

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from evaluation.page.picture import Picture, data_uri

FONT = 9  # points
COLUMNS = 4  # at most
SHOWN = 150  # characters: more find no room in any picture
UNSEEN = "\N{ZERO WIDTH SPACE}"


def labelled(name: str) -> str:
    """The label of something that the legend is to show: it would hide names that begin with _.

    >>> labelled("mine"), labelled("_mine") == UNSEEN + "_mine"
    ('mine', True)
    """
    return f"{UNSEEN}{name}" if name.startswith("_") else name


def blank(width: float, height: float) -> Figure:
    """An empty figure, in inches, without the legend's height."""
    figure = Figure(figsize=(width, height), dpi=72, layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def under_legend(figure: Figure, alt: str) -> Picture:
    """The figure as a picture, grown by a legend of all that has a label.

    Args:
        figure: of `blank`, drawn.
        alt: in words.
    """
    legend = _legend(figure)
    height = figure.get_figheight() + legend.get_window_extent().height / figure.dpi
    figure.set_figheight(height)
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    width = figure.get_figwidth()
    return Picture(
        data_uri(file.getvalue(), "image/svg+xml"), alt, round(96 * width), round(96 * height)
    )


def _legend(figure: Figure) -> Legend:
    """In as many columns as there is room for; in one, with longer names shortened."""
    for columns in range(COLUMNS, 0, -1):
        legend = figure.legend(
            frameon=False, fontsize=FONT, loc="outside upper left", ncols=columns
        )
        excess = legend.get_window_extent().width + FONT - figure.bbox.width  # and some margin
        if excess <= 0:
            return legend
        if columns > 1:
            legend.remove()
    texts = legend.get_texts()
    room = max(text.get_window_extent().width for text in texts) - excess
    for text in texts:
        name, kept = text.get_text(), SHOWN
        while text.get_window_extent().width > room:
            text.set_text(_shortened(name, kept))
            kept -= 1
    return legend


def _shortened(name: str, kept: int) -> str:
    """Without its middle, as names often differ at their ends.

    >>> _shortened("distribution-matching", 7)
    'dist…ing'
    """
    if len(name) <= kept:
        return name
    return f"{name[: kept - kept // 2]}\N{HORIZONTAL ELLIPSIS}{name[len(name) - kept // 2 :]}"
