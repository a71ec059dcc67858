"""Protocols: which utterances train, validate and test in each fold.

A number of speech emotion recognition means nothing without its protocol, so each has a name.
Unless the name says otherwise, no speaker is on two sides of a fold, and the validation
speakers come out of the training speakers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import torch

from synth_data.errors import CorpusError
from synth_data.folds import Fold, Group, GroupFolds, assigned, groups_of, speakers_apart
from synth_data.utterance import UNKNOWN, Utterance


@dataclass(frozen=True)
class Protocol:
    """A named way to split a corpus into folds.

    Attributes:
        name: as it is printed with every number, such as "leave-one-speaker-out".
        folds: from the utterances to their folds, in order; the first is fold 1. A fold may be made
            only when it is asked for.
        speaker_independent: no speaker of the test side is on the training side.
        validation: how validation utterances are held out, as it is printed.
        public: the side that a speaker is on does not depend on who else is in the corpus.
    """

    name: str
    folds: Callable[[Sequence[Utterance]], Sequence[Fold]]
    speaker_independent: bool = True
    validation: str = "speaker-disjoint"
    public: bool = False


def leave_one_out(group: Group, validation_share: float = 0.2) -> Protocol:
    """Each speaker (or session) is tested once, in sorted order.

    Utterances of unknown speakers, who are one each, are tested together.

    Args:
        group: what is left out. Corpora of dialogues leave sessions out: the two speakers of
            one dialogue are heard in each other's recordings.
        validation_share: part of the training groups held out for validation, at least one:
            those that follow the tested one in sorted order, cyclically.
    """

    def folds(utterances: Sequence[Utterance]) -> Sequence[Fold]:
        names = groups_of(utterances, group)
        unknown = [name for name in names if name.startswith(UNKNOWN)]
        tests = [[name] for name in names if not name.startswith(UNKNOWN)]
        return GroupFolds(
            *(utterances, group, [*tests, unknown] if unknown else tests), validation_share
        )

    return Protocol(f"leave-one-{group}-out", folds)


def grouped(name: str, tests: Sequence[Sequence[str]], group: Group = "speaker") -> Protocol:
    """Folds with listed test speakers (or sessions); the next fold's validate."""

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        present = set(groups_of(utterances, group))
        lists = [[g for g in test if g in present] for test in tests]
        missing = sorted(present - {g for test in lists for g in test})
        if missing:
            raise CorpusError(
                f"protocol '{name}' has no fold for {group} {', '.join(missing)}; "
                f"use --protocol leave-one-{group}-out, or remove them"
            )
        lists = [test for test in lists if test]
        if len(lists) < 3:
            raise CorpusError(
                f"protocol '{name}' has {len(lists)} folds with a {group} of this tree; training, "
                f"validation and test need one each, so at least 3: complete the tree, or use "
                f"--protocol leave-one-{group}-out"
            )
        return [
            assigned(utterances, group, set(test), set(lists[(k + 1) % len(lists)]))
            for k, test in enumerate(lists)
        ]

    return Protocol(name, folds)


def dealt(folds_count: int = 5, seed: int = 0, validation_share: float = 0.2) -> Protocol:
    """Whole speakers dealt into a few folds at random: for corpora of many speakers."""

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        speakers = groups_of(utterances, "speaker")
        if len(speakers) < folds_count:
            raise CorpusError(
                f"number of speakers found: {len(speakers)}, too few for {folds_count} folds; "
                f"use --protocol leave-one-speaker-out"
            )
        order = torch.randperm(len(speakers), generator=torch.Generator().manual_seed(seed))
        tests = [[speakers[i] for i in part.tolist()] for part in order.tensor_split(folds_count)]
        return list(GroupFolds(utterances, "speaker", tests, validation_share))

    return Protocol(f"speaker-independent-{folds_count}-fold", folds)


def hashed(folds_count: int = 5) -> Protocol:
    """Whole speakers, each in the fold that a hash of its name says; the next fold's validate."""

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        tests: list[list[str]] = [[] for _ in range(folds_count)]
        for speaker in groups_of(utterances, "speaker"):
            tests[int(sha256(speaker.encode()).hexdigest(), 16) % folds_count].append(speaker)
        return [
            assigned(utterances, "speaker", set(test), set(tests[(k + 1) % folds_count]))
            for k, test in enumerate(tests)
        ]

    return Protocol(f"speaker-hash-{folds_count}-fold", folds, public=True)


def speaker_split(name: str, test: Sequence[str], validation: Sequence[str] = ()) -> Protocol:
    """One fold with listed test speakers; all who are in no list train.

    Args:
        name: of the protocol.
        test: speakers.
        validation: speakers; if empty, a fifth of the training speakers.
    """

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        found = set(groups_of(utterances, "speaker"))
        training = found - set(test) - set(validation)
        if not (training and found & set(test) and (not validation or found & set(validation))):
            raise CorpusError(
                f"protocol '{name}' has a side without a speaker of this tree (speakers found: "
                f"{len(found)}, {len(found & set(test))} of them to be tested, {len(training)} "
                f"trained on): complete the tree, or use another protocol"
            )
        fold = assigned(utterances, "speaker", set(test), set(validation))
        return [fold if validation else _hold_out(utterances, fold.train, fold.test)]

    return Protocol(name, folds)


def gender_split(name: str, sizes: Mapping[str, tuple[int, int, int]], seed: int = 0) -> Protocol:
    """One fold of randomly drawn speakers, so many of each gender on each side.

    A name stands for one split, so a corpus with other numbers of speakers is refused.

    Args:
        name: of the protocol.
        sizes: numbers of speakers to train, validate and test, by gender.
        seed: of the draw from the speakers of one gender in sorted order.
    """

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        generator = torch.Generator().manual_seed(seed)
        validation: set[str] = set()
        test: set[str] = set()
        for gender, (train_size, validation_size, test_size) in sorted(sizes.items()):
            speakers = sorted({u.speaker for u in utterances if u.gender == gender})
            wanted = train_size + validation_size + test_size
            if len(speakers) != wanted:
                raise CorpusError(
                    f"protocol '{name}' splits {wanted} {gender} speakers, found: "
                    f"{len(speakers)}; complete the tree, or use another protocol"
                )
            order = torch.randperm(wanted, generator=generator).tolist()
            drawn = [speakers[i] for i in order]
            validation |= set(drawn[train_size : train_size + validation_size])
            test |= set(drawn[train_size + validation_size :])
        return [assigned(utterances, "speaker", test, validation)]

    return Protocol(name, folds)


def listed_split() -> Protocol:
    """One fold, as the corpus' own `split` column says."""

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        sides = {
            side: tuple(i for i, u in enumerate(utterances) if u.split == side)
            for side in ("train", "validation", "test")
        }
        if not sides["train"] or not sides["test"]:
            raise CorpusError(
                "the split column needs rows with 'train' and rows with 'test'; "
                f"found {len(sides['train'])} and {len(sides['test'])}"
            )
        if not sides["validation"]:
            return [_hold_out(utterances, sides["train"], sides["test"])]
        return [speakers_apart(utterances, Fold(**sides))]

    return Protocol("listed-split", folds, validation="as listed, else speaker-disjoint")


def listed_tests(name: str, tests: Sequence[str]) -> Protocol:
    """A fold for each of several tests that the corpus' own `split` column lists.

    They share their training and validation sides, and what is listed for none of them, as that
    of another test, is on no side.

    Args:
        name: of the protocol.
        tests: as the column has them; those that this tree has no utterance of are no folds.
    """

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        def side(listed: str) -> tuple[int, ...]:
            return tuple(i for i, u in enumerate(utterances) if u.split == listed)

        train, validation = side("train"), side("validation")
        found = [listed for test in tests if (listed := side(test))]
        if not (train and validation and found):
            raise CorpusError(
                f"protocol '{name}' needs utterances to train, validate and test; found "
                f"{len(train)}, {len(validation)} and {sum(map(len, found))} (of "
                f"{', '.join(tests)}): complete the tree; nothing is tested on a test whose labels "
                f"are withheld"
            )
        return [speakers_apart(utterances, Fold(train, validation, test)) for test in found]

    return Protocol(name, folds, validation="as listed", public=True)


def pooled(folds: Sequence[Fold]) -> bool:
    """Whether predictions of these folds stand for one number: not where tests share training.

    Either all folds of a protocol do or none, so two of them tell.
    """
    return len(folds) < 2 or folds[0].train != folds[1].train


def speaker_dependent(folds_count: int = 5, seed: int = 0) -> Protocol:
    """Random folds that ignore speakers: optimistic, and only ever under this name."""

    def folds(utterances: Sequence[Utterance]) -> list[Fold]:
        order = torch.randperm(len(utterances), generator=torch.Generator().manual_seed(seed))
        parts = [tuple(sorted(part.tolist())) for part in order.tensor_split(folds_count)]
        return [
            Fold(
                train=tuple(
                    sorted(
                        i
                        for j, part in enumerate(parts)
                        if j not in (k, (k + 1) % folds_count)
                        for i in part
                    )
                ),
                validation=parts[(k + 1) % folds_count],
                test=parts[k],
            )
            for k in range(folds_count)
        ]

    return Protocol(
        f"speaker-dependent-{folds_count}-fold",
        folds,
        speaker_independent=False,
        validation="random",
    )


def _hold_out(
    utterances: Sequence[Utterance], train: tuple[int, ...], test: tuple[int, ...]
) -> Fold:
    speakers = sorted({utterances[i].speaker for i in train})
    if len(speakers) < 2:
        raise CorpusError(
            "the training split has a single speaker, so none can be held out for validation; "
            "list validation rows, or add speakers"
        )
    held = set(speakers[: max(1, round(0.2 * len(speakers)))])
    fold = Fold(
        train=tuple(i for i in train if utterances[i].speaker not in held),
        validation=tuple(i for i in train if utterances[i].speaker in held),
        test=test,
    )
    return speakers_apart(utterances, fold)
