"""Whether sets can be judged together, on these recordings and in this way."""

from collections.abc import Sequence

from evaluation.named_sets import NamedSet
from evaluation.networks import skeleton
from synth_data.corpora.facts import Corpus
from synth_data.errors import SetError, UserError
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task


def require_same(one: NamedSet, real: RealSet) -> None:
    """Raises `SetError` unless the set was made from these recordings, told the same of."""
    made = one.synthetic.provenance
    if made.is_from(real.corpus, real.digest):
        alike = real.spec == one.synthetic.spec  # or transcripts count in one of the two alone
        if alike and made.told_digest not in (None, real.content):
            raise SetError(
                f"these recordings are those that {one.folder} was made from, but their ratings "
                f"or transcripts are others: use those of then, or make the set again"
            )
        return
    if made.corpus_digest is None:
        raise SetError(
            f"{one.folder} was made from {made.corpus}, and these recordings are {real.corpus}: "
            f"give --dataset {made.corpus}, or a --label-map for another corpus"
        )
    raise SetError(
        f"these recordings are not those the set was made from ({len(real)} utterances with "
        f"digest {real.digest[:12]}, not {made.corpus_digest[:12]}), so its test speakers "
        f"might be among its training speakers: use the same recordings and the same "
        f"--allow-missing and --skip-bad"
    )


def not_another(one: NamedSet, corpus: Corpus) -> SetError:
    """What to say of a label map from a corpus to itself."""
    return SetError(
        f"{one.folder} was made from {corpus.name} itself, so that its training speakers would be "
        f"among the test speakers: --label-map is for another corpus; leave it out"
    )


def require_fit(synthetic: SyntheticSet, real: RealSet) -> None:
    """Raises `SetError` unless students of the set can be asked about these utterances."""
    asked, found = synthetic.task, real.task
    if asked.dimensions != found.dimensions:
        raise SetError(
            f"the set tells {told(asked)}; {real.facts.title} was read to tell {told(found)}: "
            f"load the corpus for the set's task, {asked.name}"
        )
    if asked.weights != found.weights:
        raise SetError(
            f"the set's students learn {told(asked)}, and those of {real.facts.title} would learn "
            f"{told(found)}: use real.weighed({asked.weights})"
        )
    if asked.emotions != found.emotions:
        raise SetError(
            f"the set has the emotions {', '.join(asked.emotions)}; "
            f"{real.facts.title} has {', '.join(found.emotions)}: use the corpus it was made for, "
            f"or say which emotions are the same with --label-map"
        )
    if synthetic.spec != real.spec:
        raise SetError(
            f"the set's feature recipe is not that of the real speech: {synthetic.spec} "
            f"against {real.spec}; load the corpus with the set's recipe"
        )
    made = synthetic.provenance
    split, fold = real.protocol, real.fold_number
    same = (made.protocol, made.fold) == (split, fold)
    if fold is not None and made.is_from(real.corpus, real.digest) and not same:
        of = "all speakers" if made.fold is None else f"fold {made.fold} of {made.protocol}"
        raise SetError(
            f"the set was made from {of}, and this is fold {fold} of {split} of the same "
            f"recordings, whose test speakers may be among those it was made from: judge it on its "
            f"own fold"
        )
    if start := synthetic.start:
        network = skeleton(start.network, real.spec.mels, len(found.columns))
        expected = {name: weight.shape for name, weight in network.state_dict().items()}
        if {name: weight.shape for name, weight in start.weights.items()} != expected:
            raise SetError(
                f"the set's start weights do not fit its network {start.network}: it was written "
                f"by another version of this package, or by another; make it again with this one"
            )


def told(task: Task) -> str:
    """What there is to tell, in words."""
    if not task.dimensions:
        return ", ".join(task.emotions)
    return f"{', '.join(task.emotions)}; {task.told}" if task.emotions else task.told


def require_one_task(sets: Sequence[NamedSet]) -> None:
    """Raises `SetError` if sets tell different things."""
    first = sets[0]
    for other in sets[1:]:
        one, another = first.synthetic.task, other.synthetic.task
        same = (
            one.name == another.name
            and one.dimensions == another.dimensions
            and one.weights == another.weights
        )
        if not same:
            raise SetError(
                f"{first.folder} tells {told(one)}, and {other.folder} {told(another)}: what they "
                f"are worth is no one number; judge them in separate reports"
            )


def require_one_protocol(sets: Sequence[NamedSet]) -> None:
    """Raises `SetError` if sets were made for other splits: one's test speakers train another."""
    first, named = sets[0], sets[0].synthetic.provenance.protocol
    for other in sets[1:]:
        if (another := other.synthetic.provenance.protocol) != named:
            raise SetError(
                f"{first.folder} was made by protocol {named}, and {other.folder} by {another}, so "
                f"test speakers of one may be among the training speakers of the other: judge them "
                f"in separate reports"
            )


def require_distinct(sets: Sequence[NamedSet]) -> None:
    """Raises `SetError` if two sets, made for different folds, would be one row of the report."""
    seen: dict[tuple[str, int], NamedSet] = {}
    for one in sets:
        other = seen.setdefault((one.name, one.ipc), one)
        if other is not one:
            raise SetError(
                f"{other.folder} and {one.folder} are both called {one.name}, at ipc {one.ipc}, "
                f"and another corpus tests them on the same speakers: give one of them, or name "
                f"each, as in first={other.folder} second={one.folder}"
            )


def require_fixed_start(own: Sequence[str], students: Sequence[str]) -> None:
    """Raises `UserError` if no student starts from weights that noise can be added to.

    Args:
        own: the networks whose fixed weights the sets have.
        students: who is trained.
    """
    if not set(students) & set(own):
        raise UserError(
            f"--start-noise is added to a set's fixed weights, and no set has any for "
            f"{' or '.join(students)}: "
            + (f"give --students {','.join(dict.fromkeys(own))}" if own else "leave it out")
        )
