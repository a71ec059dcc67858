"""Which layers of a speech encoder carry valence, activation and dominance.

De Oliveira, Raj Prabhu and Gerkmann 2023 ("Leveraging semantic information for efficient
self-supervised emotion recognition with audio-textual distilled models") find shallow layers of a
HuBERT relevant for arousal and deep ones for valence. Their method is not in the abstract, so both
usual ones are here, each dimension by itself, over speaker-independent folds:

- probing layer by layer (Pasad et al. 2021): a ridge regression on each state's mean over time,
  with the penalty that is best on validation speakers; its concordance (CCC) on all test speakers;
- learned layer weights (SUPERB, Yang et al. 2021): a softmax over the states, learned with a small
  head by 1 - CCC. States are brought to deviation 1 first, or a loud layer would need less weight.

A state is what the first layer is given (number 0) or what a layer makes of it (from 1).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from evaluation.concordance import ccc_of, centre, moment_rows
from evaluation.intervals import alike, correlation_interval, interval, speaker_weights
from evaluation.systems.layer_weights import USUAL, Mixing, mix
from evaluation.systems.ridge import best_reading
from synth_data.errors import UserError
from synth_data.folds import Fold
from synth_data.progress import SILENT, Progress
from synth_data.protocol import Protocol
from synth_data.randomness import generator
from synth_data.utterance import Utterance

DIMENSIONS = ("valence", "activation", "dominance")
SMALLEST_DEVIATION = 1e-6


@dataclass(frozen=True)
class Concordance:
    """A CCC over all test speakers, or a difference of two, with its 95 % interval.

    Attributes:
        value: of the pooled test utterances.
        interval: over speakers; None where a single one was tested.
    """

    value: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Relevance:
    """What the states of an encoder tell of one dimension.

    Attributes:
        dimension: its name.
        utterances: that it is known of.
        speakers: who say them.
        probed: the CCC of a regression on each state.
        last_over_first: the CCC of the last state minus that of the first, on the same speakers.
        weights: learned, of each state; they sum to 1. The mean over folds.
        deviations: of the weights, over folds.
        mixed: the CCC of the mixture of states and its head.
    """

    dimension: str
    utterances: int
    speakers: int
    probed: tuple[Concordance, ...]
    last_over_first: Concordance
    weights: tuple[float, ...]
    deviations: tuple[float, ...]
    mixed: Concordance

    @property
    def best(self) -> int:
        """The state that tells most; the first of equal ones."""
        return int(np.argmax([one.value for one in self.probed]))

    @property
    def depth(self) -> float:
        """Where the learned weights lie on average, from 0 to the number of layers."""
        return float(np.dot(self.weights, np.arange(len(self.weights))))


@dataclass(frozen=True)
class LayerRelevance:
    """What the states of an encoder tell of every dimension.

    Attributes:
        encoder: its name.
        corpus: its name.
        protocol: its name.
        dimensions: as they were asked for.
    """

    encoder: str
    corpus: str
    protocol: str
    dimensions: tuple[Relevance, ...]

    def of(self, dimension: str) -> Relevance:
        """One dimension by name."""
        return next(one for one in self.dimensions if one.dimension == dimension)

    def to_json(self) -> str:
        """All numbers, with what follows from them."""
        found = asdict(self)
        for row, one in zip(found["dimensions"], self.dimensions, strict=True):
            row |= {"best": one.best, "depth": one.depth}
        return json.dumps(found, indent=2) + "\n"

    def table(self) -> str:
        """CCC and learned weight of each state, as Markdown."""
        names = [one.dimension for one in self.dimensions]
        heads = [*(f"{name}, CCC" for name in names), *(f"{name}, weight" for name in names)]
        lines = [f"| state | {' | '.join(heads)} |", f"|---|{'---:|' * len(heads)}"]
        for state in range(len(self.dimensions[0].probed)):
            cells = [_cell(one.probed[state]) for one in self.dimensions]
            cells += [f"{one.weights[state]:.2f}" for one in self.dimensions]
            lines.append(f"| {state} | {' | '.join(cells)} |")
        mixed = [_cell(one.mixed) for one in self.dimensions]
        depths = [f"mean {one.depth:.1f}" for one in self.dimensions]
        lines.append(f"| mixed | {' | '.join(mixed + depths)} |")
        apart = [_cell(one.last_over_first) for one in self.dimensions]
        lines.append(f"| last - first | {' | '.join(apart + [''] * len(names))} |")
        return "\n".join(lines)


def layer_relevance(
    states: Float[Tensor, "n state dim"],
    utterances: Sequence[Utterance],
    protocol: Protocol,
    encoder: str,
    corpus: str,
    dimensions: Sequence[str] = DIMENSIONS,
    mixing: Mixing = USUAL,
    seed: int = 0,
    progress: Progress = SILENT,
) -> LayerRelevance:
    """Asks every state of an encoder for every dimension.

    Args:
        states: of each utterance, a mean over time.
        utterances: aligned with them. Those that lack a dimension are left out of it.
        protocol: that they are split by.
        encoder: its name.
        corpus: its name.
        dimensions: attributes of utterances.
        mixing: how layer weights are learned.
        seed: of the heads, their batches, and the bootstrap.
        progress: over dimensions.

    Raises:
        UserError: the protocol lets speakers be on two sides of a fold, or a side of a fold has
            fewer than two utterances with a dimension.
    """
    require_askable(utterances, protocol, dimensions)
    folds = protocol.folds(utterances)
    found = []
    for dimension in progress(dimensions, unit="dimension"):
        listener = _Listener(states, _truth(utterances, dimension), mixing, seed, dimension)
        found.append(listener.relevance(utterances, folds))
    return LayerRelevance(encoder, corpus, protocol.name, tuple(found))


def require_askable(
    utterances: Sequence[Utterance], protocol: Protocol, dimensions: Sequence[str]
) -> None:
    """Passes what `layer_relevance` can be asked about, before anything is listened to.

    Raises:
        UserError: as `layer_relevance`.
    """
    if not protocol.speaker_independent:
        raise UserError(
            f"the protocol {protocol.name} tests speakers that it trains on, whose voices all "
            f"layers know: use one that keeps speakers apart, such as leave-one-speaker-out"
        )
    folds = protocol.folds(utterances)
    for dimension in dimensions:
        _require_sides(dimension, _truth(utterances, dimension), folds, protocol.name)


def _truth(utterances: Sequence[Utterance], dimension: str) -> Float[np.ndarray, " n"]:
    return np.array([_known(utterance, dimension) for utterance in utterances])


def _known(utterance: Utterance, dimension: str) -> float:
    value = getattr(utterance, dimension)
    return float("nan") if value is None else value


def _require_sides(
    dimension: str, truth: Float[np.ndarray, " n"], folds: Sequence[Fold], protocol: str
) -> None:
    for number, fold in enumerate(folds, start=1):
        for side in ("train", "validation", "test"):
            known = int(np.isfinite(truth[list(getattr(fold, side))]).sum())
            if known < 2:
                raise UserError(
                    f"{dimension} is known of {known} utterances on the {side} side of fold "
                    f"{number} of {protocol}, and a CCC takes two: use a corpus that tells it, or "
                    f"another protocol"
                )


@dataclass(frozen=True)
class _Listener:
    """One dimension's regressions and mixtures."""

    states: Float[Tensor, "n state dim"]
    truth: Float[np.ndarray, " n"]
    mixing: Mixing
    seed: int
    dimension: str

    def relevance(self, utterances: Sequence[Utterance], folds: Sequence[Fold]) -> Relevance:
        states = self.states.shape[1]
        told = np.full((len(self.truth), states + 1), np.nan)  # the last column is of the mixture
        weights = []
        for number, fold in enumerate(folds, start=1):
            train, validation, test = (
                np.array([row for row in side if np.isfinite(self.truth[row])])
                for side in (fold.train, fold.validation, fold.test)
            )
            whole = self.states[train].double()
            deviation = whole.std(dim=0, correction=0).clamp_min(SMALLEST_DEVIATION)
            scaled = [
                (self.states[rows].double() - whole.mean(dim=0)) / deviation
                for rows in (train, validation, test)
            ]
            answers = self.truth[train], self.truth[validation]
            for state in range(states):
                heard, checked, asked = (side[:, state].numpy() for side in scaled)
                of_train, of_validation = (answer[:, None] for answer in answers)
                reading = best_reading(heard, of_train, checked, of_validation)
                told[test, state] = reading(asked)[:, 0]
            random = generator(self.seed, "layer weights", self.dimension, number)
            learned, told[test, -1] = mix(scaled, *answers, self.mixing, random)
            weights.append(learned)
        tested = np.isfinite(told[:, -1])
        speakers = np.array([utterance.speaker for utterance in utterances])[tested]
        *probed, mixed, apart = _with_intervals(
            self.truth[tested], told[tested], speakers, self.seed
        )
        return Relevance(
            dimension=self.dimension,
            utterances=int(tested.sum()),
            speakers=len(set(speakers)),
            probed=tuple(probed),
            last_over_first=apart,
            weights=tuple(np.mean(weights, axis=0).tolist()),
            deviations=tuple(np.std(weights, axis=0).tolist()),
            mixed=mixed,
        )


def _with_intervals(
    truth: Float[np.ndarray, " n"],
    told: Float[np.ndarray, "n column"],
    speakers: Sequence[str] | np.ndarray,
    seed: int,
) -> list[Concordance]:
    """Each column's CCC, and that of the last state minus that of the first.

    States are all columns but the last, which is the mixture's.
    """
    names = sorted(set(speakers))
    of_speaker: Bool[np.ndarray, "speaker n"] = np.array([speakers == name for name in names])
    middle = centre(truth[:, None])
    rows = moment_rows(np.repeat(truth[:, None], told.shape[1], axis=1) - middle, told - middle)
    sums = np.einsum("sn,ncm->scm", of_speaker.astype(float), rows)
    drawn = speaker_weights(len(names), np.random.default_rng(seed)).astype(float)
    found = ccc_of(np.einsum("rs,scm->rcm", drawn, sums))
    apart = found[:, -2] - found[:, 0]
    as_many = alike(of_speaker.sum(axis=1))
    return [
        *(
            Concordance(float(column[0]), correlation_interval(column, as_many))
            for column in found.T
        ),
        Concordance(float(apart[0]), interval(apart, as_many, within=(-2.0, 2.0))),
    ]


def _cell(found: Concordance) -> str:
    if found.interval is None:
        return f"{found.value:.2f}"
    low, high = found.interval
    return f"{found.value:.2f} [{low:.2f}, {high:.2f}]"
