"""The outer loop: an objective pulls a candidate until it is a synthetic set."""

import logging
import math
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.checkpoint import Checkpoint
from distill.objectives.objective import Candidate, Objective, State, Student
from evaluation.networks import draw_weights, require_uncoupled, skeleton
from synth_data.curator import Curator, TooFewUtterancesError
from synth_data.errors import UserError
from synth_data.normalisation import normalised
from synth_data.progress import SILENT, Progress
from synth_data.provenance import Provenance, Start, package_version
from synth_data.randomness import generator
from synth_data.settings import Count, NotNegative, Positive
from synth_data.synthetic import SyntheticSet

logger = logging.getLogger(__name__)

SAVE_EVERY = 20.0  # seconds between checkpoints: at most so much work is lost
STATE, QUESTIONS = "state/", "questions/"  # how a checkpoint names the two


@dataclass(frozen=True)
class Loop:
    """How the candidate is optimised: Adam on the features, a cosine to zero.

    Attributes:
        steps: outer steps.
        learning_rate: of Adam at the start; features have about unit variance.
        initialisation: of the candidate: "real" utterances, drawn at random, which the set may
            then resemble; or "noise" around the class means, which are asked at the door. Where
            a class has fewer than `ipc` utterances, "real" becomes "noise", and the set says so.
        noise: its standard deviation.
    """

    steps: Count = 1000
    learning_rate: Positive = 0.03
    initialisation: Literal["real", "noise"] = "real"
    noise: NotNegative = 0.5


def distill(
    curator: Curator,
    objective: Objective,
    student: str,
    *,
    ipc: int,
    seed: int,
    loop: Loop = Loop(),
    checkpoint: Path | None = None,
    progress: Progress = SILENT,
) -> SyntheticSet:
    """Makes a synthetic set from the utterances behind a door.

    Args:
        curator: the door to the training utterances; one for each set, since the questions it
            was asked are listed with the set. If the feature recipe leaves normalisation to the
            training set, it is fitted here.
        objective: what the set should match.
        student: the network it is made for, by name; its initial weights, drawn from the seed,
            become the set's fixed initialisation.
        ipc: items per class, at least 1.
        seed: equal seeds give equal sets, bit for bit, on one machine.
        loop: how the candidate is optimised.
        checkpoint: a file to save progress in and to go on from, with the seconds spent so
            far under "seconds"; the caller removes it once the set is in place.
        progress: a bar for the steps.

    Raises:
        UserError: ipc below 1, a student that is unknown or couples the utterances of a batch,
            or a checkpoint of another run.
    """
    if ipc < 1:
        raise UserError(f"ipc must be 1 or more; found {ipc}")
    require_uncoupled(student)
    settings = {
        "objective": asdict(objective),
        "loop": asdict(loop),
        "student": student,
        "features": asdict(curator.spec),
    }
    curator = normalised(curator)
    source = curator.source
    run = {
        "seed": seed,
        "ipc": ipc,
        "corpus": source.digest,
        "protocol": source.protocol,
        "fold": source.fold,
        "method": objective.name,
        "version": package_version(),
    }
    saved = Checkpoint(checkpoint, run | settings)

    emotions = len(curator.emotions)
    network = skeleton(student, curator.spec.mels, emotions)
    start = Start(student, seed, draw_weights(network, generator(seed, "start")))
    model = Student(network, {name: w.to(curator.device) for name, w in start.weights.items()})
    targets = torch.eye(emotions).repeat_interleave(ipc, dim=0)

    before = saved.load()
    if before is None:
        began = time.monotonic()
        before = _begin(curator, objective, model, ipc, seed, loop)
        before["seconds"] = torch.tensor(time.monotonic() - began)
    features = _optimise(before, curator, objective, model, targets, loop, saved, progress)
    notes = source.notes
    if bool(before["from_real"]):
        likeness = _correlation(features, before["initial"])
        notes += (
            f"every item started as one real utterance and stays close to it (mean correlation "
            f"{likeness:.2f}): whoever has that recording can recognise it in the set",
        )
    elif loop.initialisation == "real":
        notes += (
            f"initialisation from real utterances not available: an emotion has fewer than {ipc}; "
            f"noise around the class means was used",
        )

    return SyntheticSet(
        features=features,
        targets=targets,
        emotions=curator.emotions,
        spec=curator.spec,
        start=start,
        transforms=curator.transforms,
        provenance=Provenance(
            corpus=source.facts.name,
            corpus_title=source.facts.title,
            corpus_digest=source.digest,
            licence=source.facts.licence,
            derivatives=source.facts.derivatives,
            citation=source.facts.citation,
            protocol=source.protocol or "all speakers",
            fold=source.fold,
            objective=objective.name,
            settings=settings
            | {"questions asked of the real speech": dict(sorted(curator.questions.items()))},
            seed=seed,
            per_class=ipc,
            training_utterances=source.utterances,
            notes=notes,
        ),
    )


def _begin(
    curator: Curator, objective: Objective, model: Student, ipc: int, seed: int, loop: Loop
) -> dict[str, Tensor]:
    """The progress of a run before its first step."""
    features, from_real = _initial(curator, ipc, loop, generator(seed, "candidate"))
    state = objective.init(curator, model, seed)
    return {
        "features": features,
        "initial": features.clone(),
        "from_real": torch.tensor(from_real),
        "adam/mean": torch.zeros_like(features),
        "adam/square": torch.zeros_like(features),
        "step": torch.tensor(0),
        "seconds": torch.tensor(0.0),
        "generator": generator(seed, "steps").get_state(),
        **{STATE + name: tensor for name, tensor in state.items()},
        **{QUESTIONS + name: torch.tensor(n) for name, n in curator.questions.items()},
    }


def _optimise(
    before: dict[str, Tensor],
    curator: Curator,
    objective: Objective,
    model: Student,
    targets: Tensor,
    loop: Loop,
    saved: Checkpoint,
    progress: Progress,
) -> Float[Tensor, "n mel frame"]:
    """Runs the steps that are left and returns the candidate's features."""
    device = curator.device
    features = before["features"].to(device).requires_grad_()
    candidate = Candidate(features, targets.to(device), len(targets) // len(curator.emotions))
    state: State = _named(before, STATE, device)
    curator.questions.clear()
    curator.questions.update(
        Counter({name: int(n) for name, n in _named(before, QUESTIONS, device).items()})
    )
    draws = torch.Generator()
    draws.set_state(before["generator"])
    first = int(before["step"])
    optimiser = torch.optim.Adam([features], lr=loop.learning_rate)
    optimiser.state[features] = {
        "step": torch.tensor(float(first)),
        "exp_avg": before["adam/mean"].to(device),
        "exp_avg_sq": before["adam/square"].to(device),
    }

    began = time.monotonic() - float(before["seconds"])

    def save(step: int) -> None:
        moments = optimiser.state[features]
        saved.save(
            {
                "features": features,
                "initial": before["initial"],
                "from_real": before["from_real"],
                "adam/mean": moments["exp_avg"],
                "adam/square": moments["exp_avg_sq"],
                "step": torch.tensor(step),
                "seconds": torch.tensor(time.monotonic() - began),
                "generator": draws.get_state(),
                **{STATE + name: tensor for name, tensor in state.items()},
                **{QUESTIONS + name: torch.tensor(n) for name, n in curator.questions.items()},
            }
        )

    save(first)
    last_save = time.monotonic()
    bar = progress(range(first, loop.steps), initial=first, total=loop.steps)
    for step in bar:
        for group in optimiser.param_groups:
            group["lr"] = loop.learning_rate * 0.5 * (1 + math.cos(math.pi * step / loop.steps))
        loss, state = objective.step(state, candidate, curator, model, draws)
        optimiser.zero_grad(set_to_none=True)
        loss.backward(inputs=[features])
        optimiser.step()
        if time.monotonic() - last_save > SAVE_EVERY:
            save(step + 1)
            last_save = time.monotonic()
            bar.set_postfix(loss=f"{float(loss.detach()):.3g}", refresh=False)
    save(loop.steps)
    return features.detach().cpu()


def _initial(
    curator: Curator, ipc: int, loop: Loop, draws: torch.Generator
) -> tuple[Float[Tensor, "n mel frame"], bool]:
    """The candidate before the first step, and whether it is real utterances."""
    if loop.initialisation == "real":
        try:
            return curator.draw_real(ipc, draws), True
        except TooFewUtterancesError as reason:
            logger.warning("starting from noise around the class means: %s", reason)
    means = curator.mean(lambda features, _: features, purpose="class means")
    around = means.repeat_interleave(ipc, dim=0)
    noise = torch.randn(around.shape, generator=draws).to(around.device)
    return around + loop.noise * noise, False


def _correlation(
    features: Float[Tensor, "n mel frame"], initial: Float[Tensor, "n mel frame"]
) -> float:
    """How like its start an item is: Pearson's correlation over its values, a mean over items."""
    pairs = zip(features.cpu().flatten(1), initial.cpu().flatten(1), strict=True)
    return float(torch.stack([torch.corrcoef(torch.stack(pair))[0, 1] for pair in pairs]).mean())


def _named(tensors: dict[str, Tensor], prefix: str, device: torch.device) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor.to(device)
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
