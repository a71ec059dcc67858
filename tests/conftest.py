"""What all tests share."""

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from commands import ENTRIES, Command, run_here
from scripts import script

from evaluation import student_runs
from evaluation.baselines import BASELINES
from evaluation.baselines.generative import generative
from evaluation.baselines.wasserstein import WassersteinGAN
from synth_data import inversion
from synth_data.corpora.toy_words import Spoken

torch.set_num_threads(1)

# Files whose tests run whole commands or processes or a browser, render whole pages or train over
# and over, and networks of millions of parameters: slow together, if not each.
WHOLE = {
    "test_attack_report",
    "test_bad_input",
    "test_benchmark",
    "test_both_kinds",
    "test_cluster",
    "test_decoder",
    "test_dimensional",
    "test_dimensional_command",
    "test_disentangle_command",
    "test_distill_data_command",
    "test_distill_model_command",
    "test_door_audited",
    "test_dp_sgd",
    "test_encoders",
    "test_engine",
    "test_evaluate",
    "test_evaluate_data_command",
    "test_expert",
    "test_forecast",
    "test_guide",
    "test_hearing",
    "test_intervals",
    "test_layer_relevance",
    "test_model_systems",
    "test_msp_podcast",
    "test_nested",
    "test_one_frame",
    "test_page",
    "test_page_gallery",
    "test_page_in_browser",
    "test_private_sets",
    "test_published_method",
    "test_pure_torchaudio",
    "test_readme",
    "test_released_moments",
    "test_representations",
    "test_sets_that_tell_dimensions",
    "test_several_sets",
    "test_side_by_side",
    "test_speaker_attacks",
    "test_starts",
    "test_synth_data_command",
    "test_systems_beside_sets",
    "test_systems_on_words",
    "test_task_option",
    "test_teachers",
    "test_toy_dimensions",
    "test_toy_words",
    "test_worth",
}
LARGE = ("vgg15", "cnn6", "resnet9")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks them, so that what is left is quick."""
    for item in items:
        if item.path.stem in WHOLE or any(network in item.name for network in LARGE):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real corpora (`emodb/`, `ravdess/`), or a skip."""
    root = os.environ.get("SER_DATA_ROOT")
    if not root:
        pytest.skip("SER_DATA_ROOT names no folder of real corpora")
    return Path(root)


@pytest.fixture(scope="session")
def word_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with encoders for `toy-words`: `speech`, which has learned its words, and `text`.

    A minute on a core, once: processes that test side by side share what one has finished.
    """
    training = script("train_word_encoder")
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "word-encoder"
    if not shared.exists():
        own = tmp_path_factory.mktemp("word-encoder-")
        heard = training.sentences(64, 7, training.SEED + 1)
        training.save_speech_encoder(training.train(heard, epochs=4), own / "speech")
        training.save_text_encoder(own / "text")
        with suppress(OSError):  # another was faster
            own.rename(shared)
    return shared


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test trains its own students and has ledgers of its own: what is found hides what is."""
    monkeypatch.setenv("DISTILL_DATA_STUDENTS", str(tmp_path / "students-kept"))
    monkeypatch.setenv("DISTILL_DATA_LEDGERS", str(tmp_path / "ledgers"))


@pytest.fixture(autouse=True, scope="session")
def _one_process() -> Iterator[None]:
    """Commands start no others, each of which takes seconds to begin, but where `two_at_once` is.

    Tests run side by side themselves.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("LOKY_MAX_CPU_COUNT", "1")
        yield


@pytest.fixture
def two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands work as on a machine with two cores."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")


@pytest.fixture(autouse=True, scope="session")
def _generators_are_trained_for_a_moment() -> None:
    """As a baseline; nobody here listens to what they make."""
    BASELINES["generative"] = generative(WassersteinGAN(steps=2))


@pytest.fixture(autouse=True, scope="session")
def _sentences_are_spoken_once() -> None:
    """Of `toy-words`: features and encoders, of one test and the next, hear the same ones."""
    spoken = lru_cache(maxsize=2048)(Spoken.waveform)
    Spoken.waveform = lambda self, sample_rate: spoken(self, sample_rate).clone()


@pytest.fixture(autouse=True)
def _nobody_measures_or_listens(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory takes a process for each set, and the sounds of a page seconds, in many tests."""
    if request.node.get_closest_marker("as_it_is"):
        return
    monkeypatch.setattr(student_runs, "peak_memory", lambda *_: None)
    monkeypatch.setattr(inversion, "ITERATIONS", 1)


@pytest.fixture
def distill_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command `distill-data`, in this process."""
    return lambda *words: run_here(ENTRIES["distill-data"], words, monkeypatch, capsys)


@pytest.fixture
def evaluate_data(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command `evaluate-data`, in this process."""
    return lambda *words: run_here(ENTRIES["evaluate-data"], words, monkeypatch, capsys)
