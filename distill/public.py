"""Public speech: a second corpus, whose speakers are not protected, so that it is read freely.

Two things that a privacy budget forbids to make of the corpus itself can be made of that: where
items start, and what a disentangler is fitted to. Neither depends on the corpus, so a unit more or
less of it changes neither, and what its door answers is as much moved by a unit as before.
"""

import math
from collections.abc import Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from distill.disentangle.disentangler import Disentangler
from distill.initialisations import INITIALISATIONS
from distill.outer_loop import Loop
from synth_data.curator import Curator
from synth_data.errors import CorpusError, UserError
from synth_data.label_map import LEFT_OUT, relabelled, require_known
from synth_data.provenance import PublicSpeech
from synth_data.real import RealSet

# A correlation of features that is a copy's. In RAVDESS those at another sampling rate had 0.999,
# and MP3 and Ogg ones 0.980 or more; an actor who says the same twice has 0.973 or less.
SAME = 0.975
STILL = 1e-3  # deviation over time below which features say nothing of who is heard
ROUNDING = 1e-6  # of a number, up to which what differs is rounding
PART = 1024  # utterances at a time


def uses(loop: Loop, disentangler: Disentangler | None) -> tuple[str, ...]:
    """What a run makes of public speech, where it has some."""
    made = []
    if INITIALISATIONS[loop.initialisation].public:
        made.append("the items' start")
    if disentangler is not None and disentangler.fitted:
        made.append(f"the transform of {disentangler.name}")
    return tuple(made)


def require_of_use(named: bool, loop: Loop, disentangler: Disentangler | None) -> None:
    """Raises `UserError` if public speech is needed and there is none, or the other way round.

    Args:
        named: whether there is any.
        loop: says where items start.
        disentangler: if there is one.
    """
    if not named and INITIALISATIONS[loop.initialisation].public:
        raise UserError(
            f"items that start as public utterances ({loop.initialisation}) need a corpus that "
            f"may be read freely: name it with --public-dataset, or give another --initialisation"
        )
    if named and not uses(loop, disentangler):
        nobody = "" if disentangler is None else f", and {disentangler.name} is fitted to nobody"
        raise UserError(
            f"a public corpus is named, and nothing is made of it{nobody}: let items start as its "
            f"utterances (--initialisation public), or fit --disentangle leace or adversarial to "
            f"its speakers, or leave --public-dataset out"
        )


def under_emotions_of(
    public: RealSet, emotions: tuple[str, ...], label_map: Mapping[str, str]
) -> RealSet:
    """Public utterances under the emotions of a run; those of other emotions are left out.

    Args:
        public: all utterances of the public corpus.
        emotions: of the run, in order.
        label_map: from an emotion of the public corpus to one of the run, or to nothing; those of
            the same name need not be in it.

    Raises:
        UserError: the map names an emotion that is not there.
        CorpusError: an emotion of the run has no public utterance.
    """
    require_known(public, emotions, label_map)
    others = {name: LEFT_OUT for name in public.emotions if name not in emotions}
    whole = others | dict(label_map)
    there = {whole.get(utterance.emotion, utterance.emotion) for utterance in public.utterances}
    if missing := [name for name in emotions if name not in there]:
        raise CorpusError(
            f"{public.facts.title}, the public corpus, has no utterance of {', '.join(missing)}. "
            f"Its emotions are {', '.join(public.emotions)}: say which of them is meant with "
            f"--public-label-map, such as {public.emotions[0]}={missing[0]}; or name another "
            f"public corpus, or none (another --initialisation, no --disentangle)"
        )
    return relabelled(public, emotions, whole)


def require_apart(real: RealSet, public: RealSet) -> None:
    """Raises `CorpusError` if recordings are in both corpora, be it in another file format.

    Their speakers would not be public; and where they are tested on, the set would be made of them.
    Other recordings of the same people are not noticed.

    Args:
        real: what is to be distilled.
        public: with the same features.
    """
    theirs = {utterance.audio.digest() for utterance in public.utterances}
    files = {row for row, one in enumerate(real.utterances) if one.audio.digest() in theirs}
    both = sorted(files | set(twins(real.features, public.features)))
    if both:
        name = real.utterances[both[0]].name
        raise not_apart(f"{len(both)} recordings are in both, such as {name}")


def twins(ours: Float[Tensor, "n mel frame"], theirs: Float[Tensor, "m mel frame"]) -> list[int]:
    """The rows of ours that are in theirs as well, however loud."""
    found = torch.zeros(len(ours), dtype=torch.bool)
    middle = scale = torch.tensor(0.0)
    if ours.shape[2] == 1:  # an utterance as a whole, each number on a scale of its own
        scale, middle = torch.std_mean(torch.cat([ours, theirs]), dim=0)
    unit_rows = partial(_unit_rows, middle=middle, scale=scale)
    for their_part in map(unit_rows, theirs.split(PART)):
        alike = [unit_rows(part) @ their_part.T > SAME for part in ours.split(PART)]
        found |= torch.cat(alike).any(dim=1).cpu()
    return found.nonzero().flatten().tolist()


def _unit_rows(
    features: Float[Tensor, "n mel frame"], middle: Tensor, scale: Tensor
) -> Float[Tensor, "n number"]:
    """What changes over time, at length one; zero where hardly anything does.

    Of utterances as a whole instead what sets each apart from all others.
    """
    if features.shape[2] == 1:
        varies = scale > ROUNDING * middle.abs()
        moving = torch.where(varies, (features - middle) / scale, 0.0).flatten(1)
    else:
        moving = (features - features.mean(dim=2, keepdim=True)).flatten(1)
    length = moving.norm(dim=1, keepdim=True)
    return torch.where(length > STILL * math.sqrt(moving.shape[1]), moving / length, 0.0)


def not_apart(found: str) -> CorpusError:
    """What to say of a corpus that is public and to be distilled."""
    return CorpusError(
        f"the public corpus is not another one than the corpus to be distilled: {found}. Its "
        f"speakers are not public, and some of them may be tested on: name a public corpus of "
        f"other people"
    )


def door_to(public: RealSet, curator: Curator) -> Curator:
    """The door to public speech: exact, and onto what `curator` is onto.

    Args:
        public: under the emotions of the run (`under_emotions_of`).
        curator: the door to what is distilled.

    Raises:
        UserError: the two have other emotions or features.
        CorpusError: an emotion has no public utterance.
    """
    for what, theirs, ours in (
        ("emotions", public.emotions, curator.emotions),
        ("features", public.spec, curator.spec),
    ):
        if theirs != ours:
            raise UserError(
                f"public speech must have the {what} of the speech that is distilled: found "
                f"{theirs}, not {ours}; load it with the same recipe, and bring it under the "
                f"same emotions with distill.public.under_emotions_of"
            )
    public.require_every_group("the public side")
    door = Curator(public.to(curator.device))
    for transform in curator.transforms:
        door = door.map(transform)
    return door


def record(public: RealSet, loop: Loop, disentangler: Disentangler | None) -> PublicSpeech:
    """What a set tells of public speech."""
    facts = public.facts
    return PublicSpeech(
        corpus=facts.name,
        corpus_title=facts.title,
        corpus_digest=public.digest,
        licence=facts.licence,
        derivatives=facts.derivatives,
        citation=facts.citation,
        utterances=len(public),
        speakers=len(set(public.speakers)),
        notes=public.shared_notes,
        uses=uses(loop, disentangler),
    )


def in_words(told: PublicSpeech) -> str:
    """What a run says of public speech before it starts."""
    return (
        f"public speech: {told.amount}, for {told.made}. Nothing is guaranteed to its speakers, "
        f"and the set derives from it as well: its licence is {told.licence} ({told.derivatives})"
    )
