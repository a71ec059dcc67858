"""What a card says of targets: their columns, what items are of, and the loss that teaches them."""

import json
import re

from synth_data.manifest import DimensionsEntry, Manifest

CCC = """\
def ccc(told, meant):  # of each column: 1 where they agree, 0 where they know nothing of each other
    a, b = told - told.mean(dim=0), meant - meant.mean(dim=0)
    apart = (told.mean(dim=0) - meant.mean(dim=0)).square()
    spread = a.square().mean(dim=0) + b.square().mean(dim=0) + apart
    return 2 * (a * b).mean(dim=0) / spread.clamp_min(1e-6)

def loss_of(told, meant):
"""
DIMENSIONS_ALONE = "    return 1 - ccc(told, meant){mean}\n"
BOTH = """\
    known = meant[:, :{emotions}].isfinite().all(dim=1)  # of other items the emotion is not told
    named = torch.nn.functional.cross_entropy(told[known, :{emotions}], meant[known, :{emotions}])
    return named + 1 - ccc(told[:, {emotions}:], meant[:, {emotions}:]){mean}
"""


def group(manifest: Manifest) -> str:
    """What a set has equally many items of, in a word."""
    return "cell" if manifest.dimensions else "emotion"


def columns(manifest: Manifest) -> str:
    """What the columns of dimensions are, as a paragraph; empty for emotions alone."""
    if not (told := manifest.dimensions):
        return ""
    low, high = told.scale
    where = f"the columns after the {len(manifest.emotions)} emotions" * bool(manifest.emotions)
    names = ", ".join(told.names)
    text = (
        f"\n\n{names[0].upper()}{names[1:]} are {where or 'the columns'} of the targets, from -1 "
        f"to 1, which are {low:g} and {high:g} on the scale of the corpus; "
        f"`{low:g} + (told + 1) / 2 * {high - low:g}` is what a model tells, on that scale."
    )
    if told.proxies:
        text += (
            f" Nobody rated the recordings: the values are {told.proxies}, the same for all of one "
            f"emotion."
        )
    return text + _cells(told)


def counts(manifest: Manifest) -> str:
    """How many items there are of what, as a paragraph."""
    listed = ", ".join(f"{plain(name)} {count}" for name, count in manifest.items.items())
    if manifest.dimensions is None:
        return f"Items per emotion, in the order of the targets' columns: {listed}."
    return f"Items per cell: {listed}."


def plain(name: str) -> str:
    r"""A name from a corpus, such that Markdown takes nothing in it for markup.

    >>> print(plain("sad"), plain("<b>sad</b>"))
    sad \<b\>sad\</b\>
    """
    return re.sub(r"([\\`*_\[\]<>!|#])", r"\\\1", name)


def loss(manifest: Manifest, told: str, meant: str) -> str:
    """Code for the loss between what a model tells and what is meant."""
    if manifest.dimensions is None:
        return f"torch.nn.functional.cross_entropy({told}, {meant})"
    return f"loss_of({told}, {meant})"


def definitions(manifest: Manifest) -> str:
    """Code that names the columns, and what the loss needs."""
    names = json.dumps(list(manifest.task.columns), ensure_ascii=False)
    if manifest.dimensions is None:
        return f"emotions = {names}"
    shares = ", ".join(f"{share:.6g}" for share in manifest.task.importance.tolist())
    mean = f" @ torch.tensor([{shares}])" if manifest.task.weights else ".mean()"
    way = BOTH if manifest.emotions else DIMENSIONS_ALONE
    own = way.format(emotions=len(manifest.emotions), mean=mean)
    return f"columns = {names}\n\n{CCC}{own}"


def _cells(told: DimensionsEntry) -> str:
    every = 2 ** len(told.names)
    left = every - len(told.cells)
    missing = f" Of {every} cells {left} have hardly any recording, and no items." if left else ""
    return (
        f" There is no class, so items are made for cells of the label space: `+` after a "
        f"dimension is above the middle of its scale, `-` below.{missing}"
    )
