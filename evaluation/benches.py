"""The benches of one fold: one for each way in which students hear speech."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from evaluation.bench import Bench
from evaluation.choosing import chosen_by
from evaluation.hearing import Hearing
from evaluation.jobs import Heard
from evaluation.named_sets import NamedSet, students_for
from evaluation.options import Options
from evaluation.outcomes import Outcomes
from evaluation.runner import Runner
from evaluation.runs import CLEAN, FULL, Run
from synth_data.progress import SILENT, Progress
from synth_data.real import RealSet


@dataclass(frozen=True, eq=False)
class Benches:
    """What all benches of a fold share, and those that were made.

    Attributes:
        judged: the sets under evaluation.
        options: what to include; baselines stand beside the first bench alone.
        also_heard: the test utterances as heard otherwise, by how.
        jobs: students trained side by side.
        outcomes: where outcomes are found and kept.
        progress: a bar for the students.
        made: so far.
    """

    judged: Sequence[NamedSet]
    options: Options
    also_heard: Mapping[str, RealSet]
    jobs: int = 1
    outcomes: Outcomes | None = None
    progress: Progress = SILENT
    made: list[Bench] = field(default_factory=list)

    def of(
        self,
        hearing: Hearing,
        sides: tuple[RealSet, RealSet, RealSet],
        full: str = FULL,
        anchor: bool = False,
    ) -> Bench:
        """A bench more.

        Args:
            hearing: how its students hear speech, and the sets that they are trained on.
            sides: training, validation and test utterances.
            full: the name of all real training data, heard like this.
            anchor: whether the sides are as somebody else hides who speaks: no set stands there,
                and they are not heard otherwise.
        """
        train, to_choose_by, asked = (hearing.of(side).features for side in sides)
        otherwise = {} if anchor else self.also_heard
        more = {name: hearing.of(side).features for name, side in otherwise.items()}
        heard = Heard(to_choose_by, {CLEAN: asked} | more)
        runner = Runner(
            heard,
            chosen_by(sides[1]),
            jobs=self.jobs,
            outcomes=self.outcomes,
            progress=self.progress,
        )
        # Sets that others are compared with, in size and start: at the first bench all of them.
        beside = hearing.sets if self.made else self.judged
        options = replace(self.options, baselines=()) if self.made else self.options
        subsets = self.made[0].subsets if self.made else set()
        side = replace(sides[0], features=train)
        bench = Bench(
            beside, hearing.sets, side, heard, self.students, options, runner, full, subsets
        )
        self.made.append(bench)
        return bench

    @property
    def students(self) -> tuple[str, ...]:
        """Those asked for, else those that the sets are for."""
        return self.options.students or students_for(self.judged)

    def closed(self, runs: Sequence[Run]) -> dict[str, Any]:
        """What a fold's result holds: these runs, what could not be made and what failed."""
        for bench in self.made:
            bench.runner.close()
        return {
            "runs": tuple(runs),
            "unavailable": tuple(
                dict.fromkeys(why for bench in self.made for why in bench.unavailable)
            ),
            "failed": tuple(why for bench in self.made for why in bench.failed),
        }


def who_speaks(test: RealSet) -> dict[str, Any]:
    """What a fold's result says of its test utterances, whatever there was to tell of them."""
    splits = {utterance.split for utterance in test.utterances}
    return {
        "utterances": tuple(utterance.name for utterance in test.utterances),
        "speakers": tuple(test.speakers),
        "genders": tuple(utterance.gender or "" for utterance in test.utterances),
        "listed": (splits.pop() or "") if len(splits) == 1 else "",
    }
