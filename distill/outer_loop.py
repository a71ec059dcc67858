"""The outer loop: an objective pulls what is learned until it is a synthetic set."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from distill.candidate import (
    DECODER,
    ITEMS,
    LABELS,
    LEARNED,
    NUMBERS,
    Parameterisation,
    bounded,
    heard,
    learned_targets,
)
from distill.checkpoint import Checkpoint
from distill.clipping import clipped
from distill.expert import Expert
from distill.initialisations import INITIALISATIONS
from distill.judge import Judge
from distill.nested import drawn
from distill.objectives.objective import Objective, State, Student
from distill.outer_state import Look, OuterState
from distill.speaker_penalty import SpeakerPenalty
from synth_data.curator import Curator
from synth_data.errors import UserError, unknown_name
from synth_data.progress import SILENT, Progress
from synth_data.randomness import generator
from synth_data.schedule import Momentum
from synth_data.settings import Count, NotNegative, Positive, Whole

SAVE_EVERY = 20.0  # seconds between checkpoints: about so many seconds of steps are lost at most
PATIENCE = 20  # steps in a row without a usable gradient, before a run is given up


@dataclass(frozen=True)
class Made:
    """What an outer loop ended with.

    Attributes:
        learned: by name.
        best: when it was so, where it was judged.
        looks: what validation speakers said, in order.
        steps: that were taken in all.
        stopped: why they were fewer than asked for; empty if they were not.
    """

    learned: dict[str, Tensor]
    best: Look | None
    looks: tuple[Look, ...]
    steps: int
    stopped: str


@dataclass(frozen=True)
class Loop:
    """How a candidate is optimised: Adam, with a cosine to zero.

    A gradient whose norm is more than twice its running mean is shortened to that, and a step
    whose gradient is not finite is not taken.

    Attributes:
        steps: outer steps; 0 for items as they start, under the labels that are asked for.
        learning_rate: of Adam on the items at the start; features have about unit variance.
        schedule_learning_rate: the same on what an objective learns besides items and labels,
            such as the logarithms of step sizes.
        initialisation: of the candidate (`INITIALISATIONS`): "real" utterances, drawn at random,
            or chosen by "k-means" or "herding", all of which the set may then resemble;
            "class-means", which are asked at the door, with noise; noise with the "spectrum" of
            the speech, which is asked as well (`distill.spectrum`); "noise" alone; or "public"
            utterances, drawn at random from another corpus. Where a class has fewer utterances than
            are needed, they are taken again, with noise.
        noise: its standard deviation.
        average: what is returned is a moving average of what is learned, which keeps so much of
            itself at every step; 0 for the last step alone.
        checks: how often the candidate is judged on validation speakers, where there are any, not
            counting its start; what is returned is the best one found, so never worse than that.
        students: that are trained each time, from each initialisation that the set is made for.

    Raises:
        UserError: an initialisation that is not in the table.
    """

    steps: Whole = 600
    learning_rate: Positive = 0.03
    schedule_learning_rate: Positive = 0.03
    initialisation: str = "real"
    noise: NotNegative = 0.5
    average: Momentum = 0.0
    checks: Count = 2
    students: Count = 2

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS:
            raise unknown_name("initialisation", self.initialisation, INITIALISATIONS)


@dataclass(frozen=True)
class OuterLoop:
    """A run's outer loop.

    Attributes:
        curator: the door.
        objective: what pulls.
        student: the network that the set is made for.
        per_class: items of each class.
        parameterisation: what is learned.
        loop: how.
        seed: that all random numbers are derived from.
        expert: those to learn before the first step, if anybody needs one.
        penalty: on what of the speakers is in the items, added to the objective's loss.
        judge: says how good what is learned is; without one the last step's is taken.
        max_seconds: that there are, for what is asked before the steps, for these and for judging.
        share: of what is left of them before the first step, for the steps.
        origin: the door to what items start from, if that is another.
        prefixes: items of each class that are sets as well, of which a step meets one or the whole.
    """

    curator: Curator
    objective: Objective
    student: Student
    per_class: int
    parameterisation: Parameterisation
    loop: Loop
    seed: int
    expert: Expert | None = None
    penalty: SpeakerPenalty | None = None
    judge: Judge | None = None
    max_seconds: float = math.inf
    share: float = 1.0
    origin: Curator | None = None
    prefixes: tuple[int, ...] = ()

    def begin(self, progress: Progress = SILENT) -> OuterState:
        """Asks what must be asked before the first step.

        Args:
            progress: a bar for the steps of each expert.
        """
        began = time.monotonic()
        initial, targets = self._initial(generator(self.seed, "candidate"))
        learned = self.parameterisation.begin(
            *(initial, targets.to(initial.device), self.curator.task),
            generator(self.seed, "decoder"),
        )
        for name, value in self.objective.learned().items():
            learned[LEARNED + name] = value.to(initial.device)
        expert: dict[str, Tensor] = {}
        if self.expert is not None:
            expert = self.expert.learn(self.curator, self.student, self.seed, progress)
        objective = self.objective.init(self.curator, self.student, self.seed)
        if self.parameterisation.labels == "refined":
            learned |= self._refined(learned, targets, self._heard(learned, objective, expert))
        state = OuterState.begin(
            initial=initial,
            targets=targets,
            learned=learned,
            objective=objective,
            expert=expert,
            questions=self.curator.questions,
            draws=generator(self.seed, "steps"),
        )
        state.seconds = time.monotonic() - began
        return state

    def run(self, state: OuterState, saved: Checkpoint, progress: Progress) -> Made:
        """Takes the steps that are left and returns what was learned.

        Args:
            state: of `begin`, or saved; it moves on.
            saved: where it goes on the way.
            progress: a bar for the steps.

        Raises:
            UserError: the objective has no usable gradient any more, and nobody judged what there
                was before.
        """
        asked = dict(state.questions)  # which may be the door's own list
        self.curator.questions.clear()
        self.curator.questions.update(asked)
        state.questions = self.curator.questions
        for value in state.learned.values():
            value.requires_grad_()
        optimiser = self._adam(state)
        began = time.monotonic() - state.seconds

        def save() -> float:
            """Returns the seconds that it took."""
            state.seconds = time.monotonic() - began
            saved.save(state.tensors())
            return time.monotonic() - began - state.seconds

        if state.step == 0:
            if self.parameterisation.hears_labels:
                self._look(state, real=True)
            self._look(state)
            state.before = time.monotonic() - began
        took = save()
        stopped = ""
        steps, last_save = self.loop.steps, time.monotonic()
        checks = {round(steps * check / self.loop.checks) for check in range(1, self.loop.checks)}
        bar = progress(range(state.step, steps), initial=state.step, total=steps)
        for step in bar:
            done = step / steps
            # It is to be judged once more.
            whole = self.share * (self.max_seconds - state.before) - state.judging
            spent = time.monotonic() - began - state.before
            if spent >= whole:
                stopped = "its time was over"
                break
            done = max(done, spent / whole)
            if state.without < PATIENCE:  # else it had ended here before it was interrupted
                loss = self._step(state, optimiser, 0.5 * (1 + math.cos(math.pi * done)))
                state.without = state.without + 1 if loss is None else 0
            if state.without >= PATIENCE:
                stopped = (
                    f"{self.objective.name} has had no finite gradient for {PATIENCE} steps, up to "
                    f"step {step + 1}: lower its learning rates, or those of the loop"
                )
                if self.judge is None:
                    raise UserError(stopped)
                break  # back to the best one there was
            state.step = step + 1
            if state.step in checks:
                self._look(state)
            # Gigabytes of an objective's networks are not written all the time.
            if time.monotonic() - last_save > SAVE_EVERY * max(1.0, took):
                took = save()
                last_save = time.monotonic()
                if loss is not None:
                    bar.set_postfix(loss=f"{float(loss):.3g}", refresh=False)
        self._look(state)
        save()
        ended = state.best if state.looks else self._now(state)
        return Made(
            {name: value.detach().cpu() for name, value in ended.items()},
            max(state.looks, key=lambda look: look.score, default=None),
            tuple(state.looks),
            state.step,
            stopped,
        )

    def _step(
        self, state: OuterState, optimiser: torch.optim.Adam, decay: float
    ) -> Float[Tensor, ""] | None:
        """One outer step; None if its gradient is not finite, so that it is not taken."""
        learned = state.learned
        for group in optimiser.param_groups:
            group["lr"] = group["initial_lr"] * decay
        targets = state.targets.to(self.curator.device)
        frames = self.curator.spec.frames
        candidate = self.parameterisation.candidate(learned, targets, frames, self.per_class)
        met = drawn(candidate, self.prefixes, state.draws)
        loss, state.objective = self.objective.step(
            state.objective, met, self.curator, self.student, state.draws
        )
        if self.penalty is not None:
            loss = loss + self.penalty(met.features)
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=list(learned.values()))
        if not clipped(learned, state.norms):
            return None
        optimiser.step()
        with torch.no_grad():
            learned[ITEMS].copy_(self.parameterisation.within(learned[ITEMS], frames))
            if NUMBERS in learned:
                learned[NUMBERS].copy_(bounded(learned[NUMBERS]))
            for name, value in state.average.items():
                value.lerp_(learned[name], 1 - self.loop.average)
        return loss.detach()

    def _heard(
        self, learned: Mapping[str, Tensor], objective: State, expert: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """What the objective, where it teaches, or else the experts hear in the items: labels.

        Args:
            learned: by name.
            objective: its state, with what it was answered.
            expert: the experts' weights.
        """
        spec = self.curator.spec
        items = self.parameterisation.items(learned, spec.frames, self.per_class)
        if self.objective.teaches:
            said = self.objective.hears(objective, items, spec, self.student)
        else:
            assert self.expert is not None  # as `experts_needed` sees to
            said = self.expert.hears(self.student, expert, items)
        return heard(said, self.curator.task)

    def _refined(
        self,
        learned: Mapping[str, Tensor],
        targets: Float[Tensor, "n column"],
        said: Mapping[str, Tensor],
    ) -> dict[str, Tensor]:
        """Labels as what is heard, where that is of an item's class, and else as they were.

        Noise is heard as anything: its labels would leave classes without an item.

        Args:
            learned: by name, with soft labels.
            targets: of the items as they start.
            said: of the items.
        """
        task = self.curator.task
        told = learned_targets(said)
        right = task.group_of(told) == task.group_of(targets.to(told.device))
        return {name: part.where(right[:, None], learned[name]) for name, part in said.items()}

    def _now(self, state: OuterState, real: bool = False) -> dict[str, Tensor]:
        """What there is by now, with its labels.

        Args:
            state: of the loop.
            real: under the utterances' own labels, which a set is compared with.
        """
        learned = state.average if self.loop.average else state.learned
        now = {name: value.detach() for name, value in learned.items()}
        if real:
            return {name: value for name, value in now.items() if name not in (LABELS, NUMBERS)}
        if self.parameterisation.labels == "taught":
            now |= self._heard(now, state.objective, state.expert)
        return now

    def _look(self, state: OuterState, real: bool = False) -> None:
        """Asks validation speakers, once per step, and keeps the best."""
        if self.judge is None or any((x.step, x.real) == (state.step, real) for x in state.looks):
            return
        began = time.monotonic()
        now = self._now(state, real)
        score = self.judge(now, state.targets)
        if score > max((look.score for look in state.looks), default=-math.inf):
            state.best = {name: value.clone() for name, value in now.items()}
        state.looks.append(Look(state.step, score, real))
        state.judging = time.monotonic() - began

    def _adam(self, state: OuterState) -> torch.optim.Adam:
        """Adam as it was; its moments are those of the state, and move with it."""
        rates = {
            ITEMS: self.loop.learning_rate,
            LABELS: self.parameterisation.label_learning_rate,
            NUMBERS: self.parameterisation.label_learning_rate,
        }
        groups = []
        for name, value in state.learned.items():
            rate = rates.get(name, self.loop.schedule_learning_rate)
            if name.startswith(DECODER):
                rate = self.parameterisation.decoder_learning_rate
            groups.append({"params": [value], "lr": rate, "initial_lr": rate})
        optimiser = torch.optim.Adam(groups)
        for name, value in state.learned.items():
            optimiser.state[value] = {
                "step": state.taken[name],
                "exp_avg": state.means[name],
                "exp_avg_sq": state.squares[name],
            }
        return optimiser

    def _initial(
        self, draws: torch.Generator
    ) -> tuple[Float[Tensor, "n mel frame"], Float[Tensor, "n column"]]:
        """The items before the first step, and their targets."""
        begin, origin = INITIALISATIONS[self.loop.initialisation].begin, self.origin
        items, targets, noisy = begin(origin or self.curator, self.student, self.per_class, draws)
        noise = torch.randn(items.shape, generator=draws) * noisy[:, None, None]
        return items + self.loop.noise * noise.to(items.device), targets
