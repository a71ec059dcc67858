"""Students trained as the set was made for: by its native schedule, from the fixed weights."""

from dataclasses import dataclass

import torch

from evaluation.networks import Weights, apply, skeleton
from evaluation.students.losses import cross_entropy
from evaluation.students.network import predict
from evaluation.students.recipe import CannotTrain, Examples, Fitted, Setting, StudentRecipe
from synth_data.schedule import NativeSchedule, batch_rows


class OwnSetting(Setting):
    """The only one, which comes with the set: there is nothing to choose."""

    def __str__(self) -> str:
        return f"{self.steps} steps of its own"


@dataclass(frozen=True)
class NativeRecipe(StudentRecipe):
    """SGD with momentum; each step has a batch and a learning rate of its own, and no dice.

    In double precision: such steps can be long, and each may carry an error on a hundredfold. In
    single precision the student of one machine would not be that of another.

    Items count alike, as they did when the set was made. Lessons of a teacher are refused: a
    schedule belongs to a set, whose own labels it was learned with.

    Attributes:
        learning_rates: of each step. Numbers and no tensor, since what a recipe prints names the
            students that are remembered.
        momentum: as in PyTorch's SGD.
        together: items of each class in a step's batch.
    """

    learning_rates: tuple[float, ...]
    momentum: float
    together: int

    @classmethod
    def of(cls, schedule: NativeSchedule) -> "NativeRecipe":
        """The recipe of a set's schedule."""
        rates = tuple(schedule.learning_rates.tolist())
        return cls(rates, schedule.momentum, schedule.together)

    @property
    def settings(self) -> tuple[Setting, ...]:
        return (OwnSetting(len(self.learning_rates), max(self.learning_rates)),)

    def fit(
        self,
        student: str,
        weights: Weights,
        examples: Examples,
        setting: Setting,
        generator: torch.Generator,  # noqa: ARG002 - nothing is random
    ) -> Fitted:
        features, targets = examples.features, examples.targets
        items, emotions = targets.shape
        if examples.lesson is not None:
            raise CannotTrain("a native schedule has no place for what a teacher says")
        if items % emotions:
            raise CannotTrain(
                f"a native schedule takes as many items of each emotion; found {items} items of "
                f"{emotions} emotions"
            )
        network = skeleton(student, features.shape[1], emotions)
        trained = {
            name: weight.detach().clone().double() if weight.is_floating_point() else weight.clone()
            for name, weight in weights.items()
        }
        learned = [trained[name].requires_grad_() for name, _ in network.named_parameters()]
        sgd = torch.optim.SGD(learned, momentum=self.momentum)
        for step, rate in enumerate(self.learning_rates):
            rows = batch_rows(step, emotions, items // emotions, self.together)
            logits = apply(network, trained, features[rows].double(), training=True)
            sgd.param_groups[0]["lr"] = rate
            sgd.zero_grad()
            cross_entropy(logits, targets[rows].double()).mean().backward()
            sgd.step()
        done = {name: weight.detach().to(weights[name].dtype) for name, weight in trained.items()}
        if not all(weight.isfinite().all() for weight in done.values()):
            raise CannotTrain(f"training diverged ({setting})")
        return Fitted(
            predict=lambda heard: predict(network, done, heard),
            parameters=sum(weight.numel() for weight in learned),
            weights=done,
        )
