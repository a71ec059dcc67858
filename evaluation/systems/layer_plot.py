"""The picture of layer relevance: concordance over layers, and the learned weights beside it."""

import io

from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from evaluation.page.curves import STYLE
from evaluation.systems.layer_relevance import LayerRelevance

WIDTH, HEIGHT = 9.5, 3.7  # inches
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")  # Okabe and Ito 2008
MARKERS = ("o", "^", "s", "D", "v")  # so that colour alone says nothing


def picture(relevance: LayerRelevance) -> str:
    """Both ways of asking, as SVG.

    Left, the CCC of a regression on each layer, with the bootstrap's 95 % interval over speakers as
    a band. Right, the learned weights, with their deviation over folds as bars.
    """
    layers = range(len(relevance.dimensions[0].probed))
    with rc_context(STYLE):
        whole = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        FigureCanvasSVG(whole)
        probed, weighed = whole.subplots(1, 2)
        for one, colour, marker in zip(relevance.dimensions, COLOURS, MARKERS, strict=False):
            line = {"color": colour, "marker": marker, "markersize": 5}
            probed.plot(layers, [found.value for found in one.probed], label=one.dimension, **line)
            ranges = [found.interval for found in one.probed]
            known = [found for found in ranges if found is not None]
            if len(known) == len(ranges):
                low, high = zip(*known, strict=True)
                probed.fill_between(layers, low, high, color=colour, alpha=0.15, linewidth=0)
            weighed.errorbar(layers, one.weights, yerr=one.deviations, capsize=2, **line)
        probed.axhline(0, color="#6b6b6b", linewidth=0.8)
        probed.set_ylim(top=1.0)
        probed.set_ylabel("CCC of a linear regression")
        weighed.axhline(1 / len(layers), color="#6b6b6b", linewidth=0.8, linestyle="--")
        weighed.set_ylim(bottom=0)
        weighed.set_ylabel("learned weight (dashed: alike)")
        step = -(-len(layers) // 13)  # no more ticks than can be read
        for axes in (probed, weighed):
            axes.set_xticks(list(layers)[::step])
            axes.set_xlabel("layer (0: what the first is given)")
        title = f"{relevance.encoder} on {relevance.corpus}, {relevance.protocol}"
        whole.legend(frameon=False, fontsize=9, loc="outside upper left", ncols=5, title=title)
        file = io.BytesIO()
        whole.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue().decode()
