"""An account of what is given away: charged before an answer is made, and kept with the answer.

Every release is written to the ledgers first, that of the set and that of the corpus on this
machine, then made, then saved, and only then used. So an interrupted run that goes on reads what
it was told before and asks nothing again; and a crash between charge and answer is paid for.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import get_args

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from synth_data.errors import UserError
from synth_data.ledger import Ledger, OverBudgetError, PrivacyBudget, Release, Unit, epsilon_of
from synth_data.mechanism import Draw, Question, Sample

CHARGED = "charged.jsonl"


@dataclass
class Account:
    """What may be asked for one set, and what was.

    Attributes:
        budget: of the set.
        plan: what will be asked, by purpose, with the noise that makes it cost the budget.
        folder: where charges and answers are kept; None for one that ends with this process.
        ledger_of_corpus: a file that every set from the same corpus is charged to; None for none.
        ledger: what was released so far.
    """

    budget: PrivacyBudget
    plan: Sequence[Release]
    folder: Path | None = None
    ledger_of_corpus: Path | None = None
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.budget, tuple(self._charged_before()))

    def answer(self, question: Question, ask: Callable[[float], Tensor]) -> Tensor:
        """The noisy answer to a question; the same one if it was answered before.

        Args:
            question: what is asked.
            ask: makes the answer, from its noise multiplier.

        Raises:
            OverBudgetError: the question is not in the plan, and there is no room for it.
        """
        known = self._place(question)
        if known is not None and known.exists():
            self.require_paid({question.purpose: question.number})
            return _read(known)
        release = self._release(question)
        self.ledger = self._with(release)
        self._write(release)
        answer = ask(release.noise_multiplier)
        if known is not None:
            known.parent.mkdir(parents=True, exist_ok=True)
            fresh = known.with_suffix(".new")
            save_file({"answer": answer.contiguous()}, fresh)
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.replace(known)
        return answer

    def require_paid(self, questions: Mapping[str, int]) -> None:
        """Raises `UserError` if the ledger has fewer charges than so many questions cost.

        Args:
            questions: how often each purpose was asked for.
        """
        charged: Counter[str] = Counter()
        for release in self.ledger.releases:
            charged[release.purpose] += release.count
        for purpose, asked in questions.items():
            if charged[purpose] < asked:
                where = self.folder / CHARGED if self.folder else "the ledger"
                raise UserError(
                    f"{where} has {charged[purpose]} charges for '{purpose}', and {asked} answers "
                    f"are used: what they cost is not known, so nothing can be guaranteed. Put the "
                    f"ledger back, or start in another folder (--out), which costs as much again"
                )

    def _release(self, question: Question) -> Release:
        """What the question costs: as planned, or with the least noise of the plan."""
        q = probability_of(question.sample)
        for planned in self.plan:
            if (planned.purpose, planned.sampling_probability) == (question.purpose, q):
                return replace(planned, count=1)
        least = min(planned.noise_multiplier for planned in self.plan)
        return Release(question.purpose, least, q)

    def _with(self, release: Release) -> Ledger:
        """The ledger after a release."""
        key = (release.purpose, release.sampling_probability)
        planned = sum(p.count for p in self.plan if (p.purpose, p.sampling_probability) == key)
        spent = sum(
            r.count for r in self.ledger.releases if (r.purpose, r.sampling_probability) == key
        )
        if spent < planned:  # paid for by the plan as a whole
            return replace(self.ledger, releases=merged((*self.ledger.releases, release)))
        whole = merged((*_unspent(self.plan, self.ledger.releases), *self.ledger.releases))
        try:
            Ledger(self.budget, whole).charged(release)
        except OverBudgetError as error:
            where = f"{self.folder}: " if self.folder else ""
            raise OverBudgetError(
                f"{where}{error}. What was charged and not kept, as by a crash, is spent: another "
                f"--out has a budget of its own, and costs as much again on top"
            ) from error
        return replace(self.ledger, releases=merged((*self.ledger.releases, release)))

    def _place(self, question: Question) -> Path | None:
        if self.folder is None:
            return None
        name = "".join(c if c.isalnum() else "-" for c in question.purpose)
        return self.folder / f"{name}-{question.number}.safetensors"

    def _write(self, release: Release) -> None:
        line = asdict(release) | {"unit": self.budget.unit}
        for path in (self.folder and self.folder / CHARGED, self.ledger_of_corpus):
            if path is not None:
                append(path, line)

    def _charged_before(self) -> tuple[Release, ...]:
        if self.folder is None:
            return ()
        return merged(read_charges(self.folder / CHARGED, self.budget.unit))


def forget_answers(folder: Path) -> None:
    """Removes what an account saved, but for its ledger, once the set is in place."""
    for path in folder.glob("*.safetensors"):
        path.unlink()


def _read(path: Path) -> Tensor:
    try:
        return load_file(path)["answer"]
    except (SafetensorError, OSError, KeyError) as error:
        raise UserError(
            f"{path}: damaged ({error}). It was paid for, and is not asked again: put it back from "
            f"a copy, or start in another folder (--out), which costs as much again"
        ) from error


def probability_of(sample: Sample) -> float:
    """With which each unit is in a sample."""
    return sample.sampling_probability if isinstance(sample, Draw) else 1.0


def merged(releases: Iterable[Release]) -> tuple[Release, ...]:
    """The same releases, with like ones counted together."""
    counts: dict[Release, int] = {}
    for release in releases:
        like = replace(release, count=1)
        counts[like] = counts.get(like, 0) + release.count
    return tuple(replace(like, count=count) for like, count in counts.items())


def _unspent(plan: Sequence[Release], spent: Sequence[Release]) -> tuple[Release, ...]:
    """What of a plan is still to come."""
    done = {replace(release, count=1): release.count for release in merged(spent)}
    rest = []
    for planned in merged(plan):
        left = planned.count - done.get(replace(planned, count=1), 0)
        if left > 0:
            rest.append(replace(planned, count=left))
    return tuple(rest)


def append(path: Path, line: dict[str, object]) -> None:
    """Adds a line to a ledger, and returns once it is on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_charges(path: Path, unit: Unit) -> list[Release]:
    """The releases in a ledger's file that protect such units; none where there is no file.

    Raises:
        UserError: the file is damaged.
    """
    if not path.exists():
        return []
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            line = json.loads(text)
            if line.pop("unit") == unit:
                found.append(Release(**line))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(
                f"{path}, line {number}: damaged ({error}). What was given away before is not "
                f"known without it: mend the line, from a copy if there is one"
            ) from error
    return found


def ledger_of_corpus(digest: str) -> Path:
    """The file that all private sets from a corpus, by its content, are charged to.

    In `$DISTILL_DATA_LEDGERS`, else where the platform keeps a user's data (XDG base directories).

    Raises:
        UserError: there is no such place, for somebody without a home.
    """
    if named := os.environ.get("DISTILL_DATA_LEDGERS"):
        return Path(named).expanduser() / f"{digest}.jsonl"
    base = os.environ.get("XDG_DATA_HOME")
    if not base:
        try:
            base = str(Path.home() / ".local" / "share")
        except RuntimeError as error:
            raise UserError(
                "what private sets give away is written down in the home folder, and there is "
                "none: set DISTILL_DATA_LEDGERS to a folder that stays"
            ) from error
    return Path(base) / "distill-data" / "ledgers" / f"{digest}.jsonl"


def epsilon_of_corpus(path: Path, budget: PrivacyBudget) -> float:
    """What all releases in a corpus' ledger that protect a budget's units come to, at its delta.

    At most: releases of many kinds would take the accountant of sampled ones too long together, and
    are then counted as if they had asked everybody.
    """
    releases = merged(read_charges(path, budget.unit))
    try:
        return epsilon_of(releases, budget.delta)
    except UserError:
        asked_all = [replace(one, sampling_probability=1.0) for one in releases]
        return epsilon_of(merged(asked_all), budget.delta)


def other_units(path: Path, unit: Unit) -> list[Unit]:
    """Units that other releases in a ledger protect, which cannot be added to those of `unit`."""
    return [other for other in get_args(Unit) if other != unit and read_charges(path, other)]
