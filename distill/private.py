"""What a privacy budget allows: what is planned, what it costs, and for whom it is enough."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from distill.candidate import Parameterisation
from distill.disentangle.disentangler import Disentangler
from distill.initialisations import INITIALISATIONS
from distill.native import Native
from distill.objectives.objective import Objective, Student
from distill.outer_loop import Loop
from synth_data.account import Account
from synth_data.corpora.facts import Corpus
from synth_data.curator import CLASS_SHARES
from synth_data.errors import UserError
from synth_data.guarantee import can_achieve
from synth_data.ledger import PrivacyBudget, Release, caps_of, with_noise_for
from synth_data.protocol import Protocol
from synth_data.representation import Representation

BEARABLE = 0.3  # noise in an answer, relative to its length, up to which something is left of it
LARGE_EPSILON = 10.0  # beyond which a guarantee says hardly anything


@dataclass(frozen=True)
class Feasibility:
    """Whether there are enough units for a budget.

    Attributes:
        budget: to be spent.
        plan: what will be released.
        numbers: in an answer, by purpose, but for where items start: what pulls them from there
            is what must not drown.
        units: that there are at least; public.
        most: that there are, in any fold; for whoever holds them alone.
    """

    budget: PrivacyBudget
    plan: Sequence[Release]
    numbers: Mapping[str, int]
    units: int
    most: int

    @property
    def needed(self) -> int:
        """Units from which noise is bearable in every answer that items are pulled to."""
        return math.ceil(self._length / BEARABLE)

    @property
    def noise(self) -> float:
        """In the noisiest of these answers, relative to the longest that it can be."""
        return self._length / self.units

    @property
    def _length(self) -> float:
        """Of the noise in the noisiest of these answers, in what one unit can add to it.

        That is the noise multiplier times the root of the numbers. Where units are sampled fewer
        of them are in an answer.
        """
        return max(
            one.noise_multiplier / one.sampling_probability * math.sqrt(self.numbers[one.purpose])
            for one in self.plan
            if one.purpose in self.numbers
        )

    def as_json(self) -> dict[str, object]:
        """The figures by name."""
        caps = caps_of(self.plan)
        return {
            **asdict(self.budget),
            "releases": [asdict(one) for one in self.plan],
            "numbers": dict(self.numbers),
            "units": self.units,
            "units_needed": self.needed,
            "true_positive_rate_at_most": caps.true_positive_rate,
            "area_at_most": caps.area,
        }

    def __str__(self) -> str:
        budget, unit = self.budget, self.budget.unit
        return (
            f"privacy: epsilon {budget.epsilon:g} at delta {budget.delta:g} for every {unit}: "
            f"{can_achieve(self.plan, budget)}. There are at least {self.units} {unit}s; for "
            f"{max(self.numbers.values()):,} numbers under this noise {self.needed} are needed "
            f"(noise in what items are pulled to is {self.noise:.2g} of its length)"
        )

    def require(self, accept_low_utility: bool) -> None:
        """Raises `UserError` if the guarantee or the set would be meaningless.

        Args:
            accept_low_utility: go on where there are too few units for the set to be of use.
        """
        budget = self.budget
        if budget.delta >= 1 / self.most:
            raise UserError(
                f"delta is {budget.delta:g}, and there are {self.most} {budget.unit}s: giving one "
                f"of them away at random would be within it. Give a --delta well below "
                f"{1 / self.most:.2g}"
            )
        if self.units < self.needed and not accept_low_utility:
            raise UserError(
                f"{self}. Noise would drown what there is: use a larger --epsilon, more "
                f"{budget.unit}s, a smaller unit, or a corpus that can be shared. To go on all the "
                f"same: --accept-low-utility"
            )


def plan_of(objective: Objective, loop: Loop) -> tuple[Release, ...]:
    """Everything that making a set will ask, with noise relative to each other.

    Raises:
        UserError: the objective's questions have no public bound.
    """
    return (*objective.releases(loop.steps), *INITIALISATIONS[loop.initialisation].releases)


def account_of(
    budget: PrivacyBudget,
    objective: Objective,
    loop: Loop,
    folder: Path | None = None,
    ledger_of_corpus: Path | None = None,
) -> Account:
    """An account that is spent when a set is made.

    Args:
        budget: of the set.
        objective: what the set should match.
        loop: how it is optimised.
        folder: where charges and answers are kept.
        ledger_of_corpus: a file that every set from the same corpus is charged to.
    """
    plan = with_noise_for(budget, plan_of(objective, loop))
    return Account(budget, plan, folder, ledger_of_corpus)


def feasibility(
    budget: PrivacyBudget,
    objective: Objective,
    loop: Loop,
    student: Student,
    spec: Representation,
    groups: int,
    units: int,
    most: int,
) -> Feasibility:
    """Whether so many units are enough.

    Args:
        budget: of the set.
        objective: what the set should match.
        loop: how it is optimised.
        student: the network that it is made for.
        spec: of its features.
        groups: emotions, or cells of the label space.
        units: behind the door, at least; public.
        most: units that there are in any fold.
    """
    plan = with_noise_for(budget, plan_of(objective, loop))
    numbers = {CLASS_SHARES: groups, **objective.numbers(student, spec, groups)}
    pulled = {one.purpose: numbers[one.purpose] for one in plan if one.purpose in numbers}
    return Feasibility(budget, plan, pulled, units, most)


def require_possible(
    objective: Objective,
    loop: Loop,
    parameterisation: Parameterisation,
    native: Native,
    disentangler: Disentangler | None,
    speaker_penalty: float,
    spec: Representation,
    validated: bool,
    timed: bool,
    public: bool,
) -> None:
    """Raises `UserError` if making a set would read more of real speech than noisy means.

    Args:
        objective: what the set should match.
        loop: how the set is optimised.
        parameterisation: what of it is learned.
        native: whether there is a native schedule.
        disentangler: if there is one.
        speaker_penalty: its weight.
        spec: of the features.
        validated: whether real speakers are to choose between states of the set.
        timed: whether it is to end by the clock.
        public: whether there is public speech, for what is fitted.
    """
    noisy = [name for name, way in INITIALISATIONS.items() if not (way.real or way.public)]
    refused = {
        f"items that start as real utterances ({loop.initialisation})": (
            INITIALISATIONS[loop.initialisation].real,
            f"let them start as {' or '.join(noisy)} (--initialisation), or as utterances of a "
            f"public corpus (--initialisation public --public-dataset)",
        ),
        "choosing on validation speakers": (validated, "leave validation out: the last step's set"),
        "a time limit, which the length of recordings decides about": (
            timed,
            "leave --max-minutes out, and set steps under [loop]",
        ),
        "normalisation by the training utterances": (
            spec.normalisation == "training",
            "use a feature recipe that normalises each utterance, such as logmel64",
        ),
        "labels from an expert that learns from real speech": (
            parameterisation.hears_labels and not objective.teaches,
            "use hard ones or soft ones (--labels), or an objective that teaches by what it was "
            "answered (released-moments)",
        ),
        "a native schedule towards an expert that learns from real speech": (
            native.steps > 0,
            "leave it out (--native-steps 0)",
        ),
        "a transform that needs to know who speaks": (
            disentangler is not None and disentangler.knows_speakers,
            "use one that hears each utterance by itself (--disentangle leace or adversarial, with "
            "a --public-dataset), or leave --disentangle out",
        ),
        "a transform that is fitted to real speakers": (
            disentangler is not None and not public,
            "fit it to public ones (--public-dataset), or leave --disentangle out: the guarantee "
            "is about speakers already",
        ),
        "a penalty that is fitted to real speakers": (
            speaker_penalty > 0,
            "leave --speaker-penalty out: the guarantee is about speakers already",
        ),
    }
    for what, (asked, instead) in refused.items():
        if asked:
            raise UserError(
                f"{what} would read more than noisy means of the recordings, which is not possible "
                f"under --epsilon: {instead}"
            )


def require_public_folds(corpus: Corpus, protocol: Protocol) -> None:
    """Raises `UserError` if who is in the corpus decides on which side the others are."""
    if corpus.access == "own" and not protocol.public:
        public = [one.name for one in corpus.protocols.values() if one.public]
        raise UserError(
            f"the folds of {protocol.name} depend on who is in the corpus, so one person more or "
            f"less moves others: under --epsilon give --protocol {' or '.join(public)}, or --fold "
            f"none"
        )
