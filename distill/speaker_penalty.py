"""A penalty on what of the speakers is in synthetic items, for while they are learned."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from distill.disentangle.leace import Leace
from synth_data.curator import Curator
from synth_data.errors import UserError
from synth_data.transforms import EraseStatistics
from synth_data.transforms.erase import statistics_of


@dataclass(frozen=True, eq=False)
class SpeakerPenalty:
    """What linear erasure would take out of the items' statistics, squared.

    The directions are those of `Leace`, fitted on the utterances behind the door; at most half of
    all there are, those along which speakers differ most, as many speakers differ in all. Divided
    by the same of real utterances, so that 1 is as much of the speakers as these hold.

    Attributes:
        erase: what would be taken out.
        real: the same of real utterances, on average.
        weight: of the penalty.
    """

    erase: EraseStatistics
    real: Float[Tensor, ""]
    weight: float

    @classmethod
    def of(cls, curator: Curator, weight: float) -> "SpeakerPenalty":
        """Fits it.

        Raises:
            UserError: there are too few speakers to tell what is theirs; or the speech has been
                through what takes them out, so that what is left is mostly not theirs.
        """
        if hiding := [one.name for one in curator.transforms if one.hides_speaker]:
            raise after(hiding[0])
        half = curator.spec.mels  # of each band there are two statistics
        many = curator.count_speakers() > half
        erase = Leace(of="statistics", directions=half if many else 0).fit(curator)
        assert isinstance(erase, EraseStatistics)
        real = curator.mean(
            lambda features, _: _taken(erase, features),
            purpose="what is the speakers' in the speech",
            per_class=False,
        )
        return cls(erase, real.clamp_min(1e-12), weight)

    def __call__(self, items: Float[Tensor, "n mel frame"]) -> Float[Tensor, ""]:
        """The penalty on items; differentiable in them."""
        return self.weight * _taken(self.erase, items).mean() / self.real


def after(name: str) -> UserError:
    """The error for a penalty beside something that takes the speaker out, by its name."""
    return UserError(
        f"a speaker penalty is for sets from speech as it is: after {name} what linear classifiers "
        f"tell speakers by is gone, or nearly all that is left. Use --speaker-penalty or "
        f"--disentangle, not both"
    )


def _taken(erase: EraseStatistics, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, " n"]:
    apart = statistics_of(features) - erase.mean.to(features)
    return (apart @ erase.matrix.to(features).T).square().sum(dim=1)
