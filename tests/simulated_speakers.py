"""Simulated speakers, heard by two recognisers: what intervals over speakers are held against."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

MANY = 100_000  # speakers, for the true values


@dataclass(frozen=True)
class World:
    """What the speakers of a population are like.

    Attributes:
        classes: emotions, some easier than others.
        between: how much speakers differ in how well they are recognised (logits).
        within: how much they differ in which emotion is recognised (logits).
        lacking: some speakers have no utterance of some emotions.
        talkers: so many speakers have a hundred utterances each, and the others one; with none,
            all have 5 to 60.
    """

    classes: int = 4
    between: float = 0.8
    within: float = 0.5
    lacking: bool = True
    talkers: int = 0

    def recalls(self, speakers: int, generator: Generator) -> np.ndarray:
        """[recogniser, speaker, class]; what is hard for one recogniser is hard for the other."""
        easy = np.linspace(1.0, -0.5, self.classes)
        voice = generator.normal(0, self.between, (speakers, 1))
        habits = generator.normal(0, self.within, (3, speakers, self.classes))
        first = easy + voice + habits[0]
        second = easy - 0.6 + voice + generator.normal(0, self.between / 2, (speakers, 1))
        return 1 / (1 + np.exp(-np.stack([first, second + 0.5 * habits[0] + habits[1]])))

    def utterances(self, speakers: int, generator: Generator) -> np.ndarray:
        """[speaker, class]."""
        shares = generator.dirichlet(np.full(self.classes, 8.0), speakers)
        if self.lacking:
            of_some = generator.random((speakers, 1)) < 0.3
            lacks = of_some & (generator.random(shares.shape) < 0.3)
            lacks[np.arange(speakers), generator.integers(0, self.classes, speakers)] = False
            shares = np.where(lacks, 0, shares)
            shares /= shares.sum(axis=1, keepdims=True)
        totals = generator.integers(5, 61, speakers)
        if self.talkers:
            totals = np.where(np.arange(speakers) < self.talkers, 100, 1)
        return np.stack([generator.multinomial(n, p) for n, p in zip(totals, shares, strict=True)])

    def true_uars(self, generator: Generator) -> np.ndarray:
        """Of both recognisers, over the whole population."""
        # Counts do not depend on how well a speaker is recognised.
        return self.recalls(MANY, generator).mean(axis=(1, 2))

    def confusions(self, speakers: int, generator: Generator) -> np.ndarray:
        """[recogniser, speaker, truth, predicted]; what is not recognised is taken for the next."""
        counts = self.utterances(speakers, generator)
        right = generator.binomial(counts, self.recalls(speakers, generator))
        found = np.zeros((2, speakers, self.classes, self.classes), dtype=np.int64)
        own = np.arange(self.classes)
        found[:, :, own, own] = right
        found[:, :, own, (own + 1) % self.classes] = counts - right
        return found
