"""Trains many students: settings chosen on validation, side by side, nothing twice."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from evaluation.jobs import Answers, Heard, Job, Outcome, carry_out, hear_more
from evaluation.outcomes import Outcomes
from evaluation.students import Setting
from synth_data.progress import SILENT, Progress
from synth_data.side_by_side import side_by_side


@dataclass(frozen=True, eq=False)
class Done:
    """A job, the setting that validation chose for it, and what came of it."""

    job: Job
    setting: Setting
    outcome: Outcome


@dataclass(eq=False)
class Runner:
    """Carries jobs out.

    Attributes:
        heard: what students are asked.
        score: how well the validation utterances were told, the higher the better.
        jobs: students trained at once; -1: as many as there are cores, here or on a cluster.
        outcomes: where they are kept; None: nowhere.
        progress: a bar for the students.
    """

    heard: Heard
    score: Callable[[Answers], float]
    jobs: int = 1
    outcomes: Outcomes | None = None
    progress: Progress = SILENT
    found: int = field(default=0, init=False)  # that were there already

    def __post_init__(self) -> None:
        self._asked = self.heard.digests
        self._bar = self.progress(total=0)

    def close(self) -> None:
        """Takes the bar away."""
        self._bar.close()

    def run(self, work: Sequence[Job]) -> list[Done]:
        """Every job's outcome, in their order.

        For each unit its first job is carried out under every setting; the setting of the best
        score on validation (the first if equal) is then that of all its jobs.
        """
        firsts = {job.unit: job for job in reversed(work)}
        trials = [(job, setting) for job in firsts.values() for setting in job.recipe.settings]
        self._bar.total += len(trials) + len(work) - len(firsts)  # as far as is known by now
        self._bar.refresh()
        best: dict[object, tuple[float, Done]] = {}
        for (job, setting), outcome in zip(trials, self._outcomes(trials), strict=True):
            score = self._score(outcome)
            if job.unit not in best or score > best[job.unit][0]:
                best[job.unit] = score, Done(job, setting, outcome)
        others = [(job, best[job.unit][1].setting) for job in work if job is not firsts[job.unit]]
        done = {id(found.job): found for _, found in best.values()}
        for (job, setting), outcome in zip(others, self._outcomes(others), strict=True):
            done[id(job)] = Done(job, setting, outcome)
        return [done[id(job)] for job in work]

    def _outcomes(self, todo: Sequence[tuple[Job, Setting]]) -> Iterator[Outcome]:
        """Stored ones as they are, the others as they are made, in order."""
        keys = [job.key(setting, self._asked.validation) for job, setting in todo]
        stored = [self._stored(key, job) for key, (job, _) in zip(keys, todo, strict=True)]
        missing = [
            (job, setting, self.heard)
            for (job, setting), known in zip(todo, stored, strict=True)
            if known is None
        ]
        made = side_by_side(self.jobs, carry_out, missing) if missing else iter(())
        for key, known in zip(keys, stored, strict=True):
            outcome = known
            if outcome is None:
                outcome = next(made)
                if self.outcomes:
                    self.outcomes.put(key, self._asked, outcome)
            else:
                self.found += 1
            self._bar.update()
            yield outcome
        next(made, None)  # nothing is left, which it should know before it goes

    def _stored(self, key: str, job: Job) -> Outcome | None:
        """The outcome of an earlier run, on all the test speech of this one."""
        if self.outcomes is None:
            return None
        known = self.outcomes.find(key, self.heard, self._asked, job.keep)
        if known is not None and known.test.keys() != self.heard.test.keys():
            known = hear_more(job, known, self.heard)
            self.outcomes.put(key, self._asked, known)
        return known

    def _score(self, outcome: Outcome) -> float:
        if outcome.error:
            return -math.inf
        return self.score(outcome.validation)
