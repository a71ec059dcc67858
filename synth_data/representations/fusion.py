"""Several representations of an utterance side by side."""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from synth_data.errors import UserError
from synth_data.representation import MOST_NUMBERS, Limits, OfSpeech, Representation
from synth_data.representations.kinds import Single
from synth_data.utterance import Utterance


@dataclass(frozen=True)
class Fusion(Representation):
    """The numbers of several representations in one frame, concatenated (early fusion).

    Parts with one frame are repeated to the frames of the others. Where these differ in number,
    every part is pooled to one frame: those with several to mean and deviation over them.

    Attributes:
        together: the parts, in order.
        kind: of representation.
    """

    together: Annotated[tuple[Single, ...], Field(min_length=2, max_length=8)]
    kind: Literal["fusion"] = "fusion"

    def __post_init__(self) -> None:
        if len(self.together) < 2:
            raise UserError("a fusion needs two parts or more, with + between them")
        rates = {part.sample_rate for part in self.together if isinstance(part, OfSpeech)}
        if len(rates) > 1:
            raise UserError(
                f"parts of a fusion hear the same waveform; found sample rates of "
                f"{' and '.join(map(str, sorted(rates)))} Hz: use parts of one rate"
            )

    @property
    def parts(self) -> tuple[Representation, ...]:
        return self.together

    @property
    def pooled(self) -> bool:
        """Whether parts differ in their number of frames, so that all are pooled."""
        return len({part.frames for part in self.together} - {1}) > 1

    @property
    def shape(self) -> tuple[int, int]:
        if self.pooled:
            return sum(part.mels * (2 if part.frames > 1 else 1) for part in self.together), 1
        return sum(part.mels for part in self.together), max(part.frames for part in self.together)

    @property
    def title(self) -> str:
        return f"{' + '.join(part.title for part in self.together)}, {self._how}"

    @property
    def hop(self) -> float | None:
        hops = {part.hop for part in self.together if part.frames > 1}
        return hops.pop() if len(hops) == 1 and not self.pooled else None

    @property
    def normalisation(self) -> Literal["utterance", "training"]:
        alone = all(part.normalisation == "utterance" for part in self.together)
        return "utterance" if alone else "training"

    @property
    def _how(self) -> str:
        """What is done to bring the parts together, in words."""
        if self.pooled:
            return "parts of several frames as mean and deviation over them, all in one frame"
        repeated = self.frames > 1 and any(part.frames == 1 for part in self.together)
        return "parts of one frame repeated in every frame" if repeated else "frame by frame"

    def of(self, utterance: Utterance) -> Float[Tensor, "mel frame"]:
        return self._joined([part.of(utterance) for part in self.together])

    def _joined(self, found: list[Tensor]) -> Float[Tensor, "mel frame"]:
        if self.pooled:
            return torch.cat([_statistics(one) for one in found])
        return torch.cat([one.expand(-1, self.frames) for one in found])

    def limits(self) -> Limits:
        return {
            **{
                f"together.{i}.{name}": limit
                for i, part in enumerate(self.together)
                for name, limit in part.limits().items()
            },
            "numbers in a frame": (1, self.mels, MOST_NUMBERS),
        }

    def require_here(self) -> None:
        for part in self.together:
            part.require_here()

    def lacks(self, utterance: Utterance) -> str | None:
        return next(filter(None, (part.lacks(utterance) for part in self.together)), None)

    def snippet(self) -> str:
        heard = any(part.hears for part in self.together)
        steps = ["heard = waveform", "parts = []"] if heard else ["parts = []"]
        for part in self.together:
            if part.hears:
                steps.append("waveform = heard")
            steps += [part.snippet(), "parts.append(features)"]
        pool = """
parts = [
    part if part.shape[1] == 1 else
    torch.cat([part.mean(dim=1, keepdim=True), part.std(dim=1, correction=0, keepdim=True)])
    for part in parts
]"""
        return (
            "\n".join(steps)
            + (pool if self.pooled else "")
            + f"\nfeatures = torch.cat([part.expand(-1, {self.frames}) for part in parts])"
        )


def _statistics(features: Float[Tensor, "mel frame"]) -> Float[Tensor, "statistic 1"]:
    if features.shape[1] == 1:
        return features
    mean = features.mean(dim=1, keepdim=True)
    return torch.cat([mean, features.std(dim=1, correction=0, keepdim=True)])
