"""Validation speakers, while a set is being made: is it worth more than what it started from?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from distill.candidate import Parameterisation
from distill.objectives.objective import Objective
from evaluation import metrics
from evaluation.concordance import ccc
from evaluation.networks import Weights, draw_weights, skeleton
from evaluation.students import CannotTrain, Examples, Recipe, StudentRecipe, logits_of
from evaluation.students.native import NativeRecipe
from synth_data.provenance import Start
from synth_data.randomness import generator
from synth_data.real import RealSet
from synth_data.schedule import NativeSchedule

LEAST_CCC = -1.0


@dataclass(frozen=True)
class Judge:
    """Trains students on what is learned, as it would be stored, and tests them.

    Attributes:
        validation: utterances of speakers who are neither in training nor in test, as students
            hear them, with the task of the set.
        start: the network that the set is made for, and its fixed weights.
        objective: that makes it: for which initialisations, and with a schedule or without.
        parameterisation: how it is stored.
        per_class: items of each class.
        recipe: of the students; its first setting is taken.
        seed: that all random numbers are derived from.
        prefixes: items of each class that are sets as well.
        students: that are trained, from each initialisation.
    """

    validation: RealSet
    start: Start
    objective: Objective
    parameterisation: Parameterisation
    per_class: int
    recipe: Recipe
    seed: int
    prefixes: tuple[int, ...] = ()
    students: int = 1

    def __call__(
        self,
        learned: Mapping[str, Tensor],
        targets: Float[Tensor, "n column"],
        schedule: NativeSchedule | None = None,
    ) -> float:
        """UAR or CCC, a mean over the initialisations that the set is made for and over its sizes.

        From the fixed one a student is trained by the set's own schedule, where there is one that
        needs no more than the items there are; a student that cannot be trained scores the least
        that there is.

        Args:
            learned: by name.
            targets: of the items as they started.
            schedule: the set's own, if it is not the objective's.
        """
        frames = self.validation.spec.frames
        made, _ = self.parameterisation.finished(learned, targets, frames, self.per_class)
        found = []
        for size in (*self.prefixes, self.per_class):
            some = made.first(size)
            examples = Examples(some.features, some.targets, task=self.validation.task)
            found += [
                self._worth(examples, weights, recipe, n)
                for n in range(self.students)
                for weights, recipe in self._students(made.learned, schedule, size, n)
            ]
        return sum(found) / len(found)

    def hears(self, weights: Weights) -> float:
        """UAR or CCC of the network with these weights."""
        return self._score(logits_of(self._network, weights, self.validation.features))

    def _students(
        self, learned: Mapping[str, Tensor], schedule: NativeSchedule | None, size: int, n: int
    ) -> Iterator[tuple[Weights, StudentRecipe]]:
        """The nth of a set of so many items of each class, from each initialisation."""
        if self.objective.starts_from != "random":
            schedule = schedule or self.objective.schedule(learned, self.per_class)
            if schedule and (size == self.per_class or schedule.within(size)):
                yield self.start.weights, NativeRecipe.of(schedule)
            else:
                yield self.start.weights, self.recipe
        if self.objective.starts_from != "fixed":
            yield draw_weights(self._network, generator(self.seed, "judge", n)), self.recipe

    def _worth(self, examples: Examples, weights: Weights, recipe: StudentRecipe, n: int) -> float:
        draws = generator(self.seed, "judge", "training", n)
        setting = recipe.settings[0]
        try:
            fitted = recipe.fit(self.start.network, weights, examples, setting, draws)
        except CannotTrain:
            return LEAST_CCC if self.validation.task.dimensions else 0.0
        return self._score(logits_of(self._network, fitted.weights, self.validation.features))

    @property
    def _network(self) -> nn.Module:
        columns = len(self.validation.task.columns)
        return skeleton(self.start.network, self.validation.spec.mels, columns)

    def _score(self, said: Float[Tensor, "n column"]) -> float:
        """Of what a network says of the validation speakers."""
        task, targets = self.validation.task, self.validation.targets
        if task.dimensions:
            truth, told = (task.numbers(each).double().numpy() for each in (targets, said))
            return float(ccc(truth, told).mean())
        heard = task.shares(said).argmax(dim=1).tolist()
        found = metrics.confusion(targets.argmax(dim=1).tolist(), heard, len(task.emotions))
        return float(metrics.uar(found))
