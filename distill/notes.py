"""What a reader of a set should know about how it was made."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from distill.disentangle.disentangler import Disentangler
from distill.initialisations import INITIALISATIONS
from distill.outer_loop import Loop, Made
from synth_data.provenance import FROM_REAL, PublicSpeech


def notes_of(
    features: Float[Tensor, "n mel frame"],
    initial: Float[Tensor, "n mel frame"],
    ended: Made,
    loop: Loop,
    speech: PublicSpeech | None,
    *,
    guided: bool,
) -> Iterator[str]:
    """Notes, one a sentence.

    Args:
        features: of the set.
        initial: what they started as.
        ended: what the outer loop ended with.
        loop: whose settings say what items start as.
        speech: public, where there is any.
        guided: whether a native schedule was learned then, and the items with it.
    """
    way = INITIALISATIONS[loop.initialisation]
    if speech is not None and way.public:
        yield (
            f"every item started as one utterance of {speech.corpus_title}, a public corpus (mean "
            f"correlation with it {_correlation(features, initial):.2f})"
        )
    if way.real:
        best = ended.steps if ended.best is None else ended.best.step
        near = "stays close to it" if best or guided else "is still that, as it is stored"
        yield (
            f"{FROM_REAL} and {near} (mean correlation "
            f"{_correlation(features, initial):.2f}): whoever has that recording can recognise it "
            f"in the set"
        )
    if ended.stopped:
        yield f"it ended after {ended.steps} of {loop.steps} steps: {ended.stopped}"
    if ended.best and (ended.best.real or ended.best.step < ended.steps):
        what = f"as it was after {ended.best.step} steps"
        if not ended.best.step:
            relabelled = not ended.best.real and any(look.real for look in ended.looks)
            what = "as it started" + (", but for its labels" if relabelled else "")
        before = "before its native schedule was learned it was" if guided else "it is"
        yield f"{before} {what}, since it was then worth most to validation speakers"


def fitted_to(speech: PublicSpeech | None, disentangler: Disentangler) -> str:
    """Whose speech a transform knows, where that is public."""
    if speech is None or not disentangler.fitted:
        return ""
    return f"; it was fitted to {speech.corpus_title} alone, a public corpus"


def _correlation(
    features: Float[Tensor, "n mel frame"], initial: Float[Tensor, "n mel frame"]
) -> float:
    """How like its start an item is: Pearson's correlation over its values, a mean over items."""
    pairs = zip(features.cpu().flatten(1), initial.cpu().flatten(1), strict=True)
    return float(torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).mean())
