"""Validation speakers, while a set is being made: is it worth more than what it started from?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn

from distill.candidate import Parameterisation
from distill.objectives.objective import Objective
from evaluation import metrics
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.students import CannotTrain, Examples, Recipe, StudentRecipe, predict
from evaluation.students.native import NativeRecipe
from synth_data.provenance import Start
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.schedule import NativeSchedule


@dataclass(frozen=True)
class Judge:
    """Trains students on what is learned, as it would be stored, and tests them.

    Attributes:
        validation: utterances of speakers who are neither in training nor in test, as students
            hear them.
        start: the network that the set is made for, and its fixed weights.
        objective: that makes it: for which initialisations, and with a schedule or without.
        parameterisation: how it is stored.
        targets: of the items, one-hot.
        per_class: items of each class.
        recipe: of the students; its first setting is taken.
        seed: that all random numbers are derived from.
        prefixes: items of each class that are sets as well.
    """

    validation: RealSet
    start: Start
    objective: Objective
    parameterisation: Parameterisation
    targets: Float[Tensor, "n emotion"]
    per_class: int
    recipe: Recipe
    seed: int
    prefixes: tuple[int, ...] = ()

    def __call__(
        self, learned: Mapping[str, Tensor], schedule: NativeSchedule | None = None
    ) -> float:
        """UAR, as a mean over the initialisations that the set is made for, and over its sizes.

        From the fixed one a student is trained by the set's own schedule, where there is one that
        needs no more than the items there are; a student that cannot be trained scores 0.

        Args:
            learned: by name.
            schedule: the set's own, if it is not the objective's.
        """
        frames = self.validation.spec.frames
        made, _ = self.parameterisation.finished(learned, self.targets, frames, self.per_class)
        found = []
        for size in (*self.prefixes, self.per_class):
            some = made.first(size)
            examples = Examples(some.features, some.targets)
            found += [
                self._uar(examples, weights, recipe)
                for weights, recipe in self._students(made.learned, schedule, size)
            ]
        return sum(found) / len(found)

    def hears(self, weights: Weights) -> float:
        """UAR of the network with these weights."""
        return self._score(predict(self._network, weights, self.validation.features))

    def _students(
        self, learned: Mapping[str, Tensor], schedule: NativeSchedule | None, size: int
    ) -> Iterator[tuple[Weights, StudentRecipe]]:
        """Of a set of so many items of each class."""
        if self.objective.starts_from != "random":
            schedule = schedule or self.objective.schedule(learned, self.per_class)
            if schedule and (size == self.per_class or schedule.within(size)):
                yield self.start.weights, NativeRecipe.of(schedule)
            else:
                yield self.start.weights, self.recipe
        if self.objective.starts_from != "fixed":
            yield draw_weights(self._network, generator(self.seed, "judge")), self.recipe

    def _uar(self, examples: Examples, weights: Weights, recipe: StudentRecipe) -> float:
        draws = generator(self.seed, "judge", "training")
        setting = recipe.settings[0]
        try:
            fitted = recipe.fit(self.start.network, weights, examples, setting, draws)
        except CannotTrain:
            return 0.0
        return self._score(fitted.predict(self.validation.features))

    @property
    def _network(self) -> nn.Module:
        return skeleton(self.start.network, self.validation.spec.mels, self._emotions)

    @property
    def _emotions(self) -> int:
        return len(self.validation.emotions)

    def _score(self, heard: Int[Tensor, " n"]) -> float:
        truth = self.validation.targets.argmax(dim=1).tolist()
        return float(metrics.uar(metrics.confusion(truth, heard.tolist(), self._emotions)))
