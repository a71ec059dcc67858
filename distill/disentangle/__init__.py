"""Disentanglers, by the name they have on the command line."""

from distill.disentangle.adversarial import Adversarial
from distill.disentangle.disentangler import Disentangler
from distill.disentangle.leace import Leace
from distill.disentangle.speaker_normalisation import SpeakerNormalisation

__all__ = ["DISENTANGLERS", "Disentangler"]

DISENTANGLERS: dict[str, type[Disentangler]] = {
    Leace.name: Leace,
    Adversarial.name: Adversarial,
    SpeakerNormalisation.name: SpeakerNormalisation,
}
