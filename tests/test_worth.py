"""What the project is for: chance < random real < distilled < full data, on unseen speakers."""

import pytest

from distill.config import RunConfig
from distill.experiment import Experiment
from evaluation.records import Row


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Row]:
    """The first two folds of the toy corpus, pooled, by default but for the number of students."""
    out = tmp_path_factory.mktemp("worth")
    experiment = Experiment(RunConfig(seeds=2).resolved(), out, command="", quiet=True)
    real = experiment.load()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DISTILL_DATA_STUDENTS", str(out / "students-kept"))
        report = experiment.report(real, experiment.run_folds([1, 2]))
    return {(row.set, row.initialisation): row for row in report.rows if row.fold == "all"}


@pytest.mark.slow
@pytest.mark.parametrize("initialisation", ["fixed", "random"])
def test_a_set_is_worth_more_than_real_samples_and_less_than_all(rows, initialisation):
    full, distilled, random = (
        rows[name, initialisation].uar.mean for name in ("full", "distilled", "random")
    )
    assert 0.25 + 0.1 < random < distilled - 0.02 < full - 0.05


@pytest.mark.slow
def test_the_fixed_initialisation_has_seen_no_data(rows):
    assert rows["untrained", "fixed"].uar.mean < 0.25 + 0.1


@pytest.mark.slow
def test_the_frozen_difficulty_of_the_toy_corpus(rows):
    assert 0.60 <= rows["full", "fixed"].uar.mean <= 0.85
    assert 0.60 <= rows["full", "random"].uar.mean <= 0.85
