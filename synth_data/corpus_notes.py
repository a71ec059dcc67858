"""What is said with every number of a corpus: how it differs from the published one."""

from collections import Counter
from collections.abc import Iterator, Sequence

from synth_data.corpora.facts import Corpus
from synth_data.errors import AudioError
from synth_data.representation import Representation
from synth_data.task import Task
from synth_data.utterance import Utterance

NAMED = 5  # bad recordings named in a message; the others are counted


def differences(
    corpus: Corpus, task: Task, used: Sequence[Utterance], refused: Sequence[AudioError]
) -> Iterator[str]:
    """What differs from the published corpus; the part in brackets is left out where space is."""
    if corpus.counts and (task.emotions or corpus.rated is None):
        found = Counter(utterance.emotion for utterance in used)
        differing = [
            f"{emotion} {found[emotion]} instead of {published}"
            for emotion, published in corpus.counts.items()
            if found[emotion] != published
        ]
        total = sum(corpus.counts.values())
        if differing:
            classed = sum(utterance.emotion in corpus.counts for utterance in used)
            headline = (
                f"{counted(classed, 'utterance')} instead of the published {total}"
                if classed != total
                else "counts per emotion differ from the published"
            )
            yield f"{headline} ({', '.join(differing)})"
    speakers = len({utterance.speaker for utterance in used})
    if corpus.speakers is not None and speakers != corpus.speakers:
        yield f"{counted(speakers, 'speaker')} instead of the published {corpus.speakers}"
    if unknown := sum(utterance.of_unknown_speaker for utterance in used):
        yield f"{counted(unknown, 'utterance')} of unknown speakers (each a speaker of its own)"
    if refused:
        named = "; ".join(map(str, refused[:NAMED])) + ("; ..." if len(refused) > NAMED else "")
        yield f"{counted(len(refused), 'recording')} skipped ({named})"


def licences(spec: Representation) -> Iterator[str]:
    """What those of what computes the features ask."""
    return iter(dict.fromkeys(part.licence for part in spec.parts if part.licence))


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number of things, in words."""
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
