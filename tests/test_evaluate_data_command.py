"""The command `evaluate-data`, as a user meets it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import small_config
from joblib import parallel_config
from small_sets import forge, small_set
from trees import emodb_tree

from evaluation import cluster, runner
from evaluation.networks import draw_weights, skeleton
from evaluation.options import DP_SGD, EVERY_BASELINE, GENERATIVE, UNTRAINED
from evaluation.report import Report
from synth_data.corpus import load
from synth_data.features import FEATURES
from synth_data.provenance import Start
from synth_data.randomness import generator
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task


def toy_set(**changes: object) -> SyntheticSet:
    """A set of noise that says it was made from fold 1 of the toy corpus."""
    spec, emotions = FEATURES["logmel64-short"], ("anger", "happiness", "neutral", "sadness")
    network = skeleton("tdnn", spec.mels, len(emotions))
    made = {"corpus": "toy", "protocol": "four-speaker-folds", "fold": 1, "per_class": 1}
    return small_set(
        spec=spec,
        task=Task(emotions),
        features=torch.randn(4, *spec.shape, generator=generator(0, "noise")),
        targets=torch.eye(4),
        transforms=(),
        start=Start("tdnn", 0, draw_weights(network, generator(0, "start"))),
        provenance=replace(small_set().provenance, **{**made, **changes}),
    )


PLAIN = ("--baselines", "random", "--teachers", "none", "--speech", "none", "--no-scores")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    toy_set().save(tmp_path / "set")
    return tmp_path / "set"


def test_the_same_predictions_as_the_run_that_made_the_set(
    distill_data, evaluate_data, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    assert distill_data("--config", small_config(tmp_path), "--out", run, "-q").code == 0
    words = (run / "fold-1" / "set", "--dataset", "toy", "--seeds", 1, *PLAIN)
    done = evaluate_data(*words, "--recipe", run / "run.toml", "--out", tmp_path / "again")
    assert done.code == 0
    assert done.err.startswith("estimate: ")
    again = tmp_path / "again" / "fold-1" / "predictions.csv"
    before = run / "fold-1" / "predictions.csv"
    assert again.read_bytes() == before.read_bytes()
    assert done.lines[0] == done.lines[-1]
    assert done.lines[0].startswith("toy corpus, made by this package · 4 classes · 640 utterances")
    report = json.loads((tmp_path / "again" / "report.json").read_text())
    assert report["protocol"] == done.lines[0]
    assert {row["set"] for row in report["rows"]} == {"full", "distilled", "random", "untrained"}

    # On a machine with more cores than folds, students are trained in threads.
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    with parallel_config(backend="threading"):
        threads = ("--recipe", run / "run.toml", "--out", tmp_path / "threads", "-q")
        assert evaluate_data(*words, *threads).code == 0
    assert (tmp_path / "threads" / "fold-1" / "predictions.csv").read_bytes() == before.read_bytes()

    refused = evaluate_data(*words, "--out", tmp_path / "again")
    assert refused.code == 2
    assert "exists already: choose another --out, or give --overwrite" in refused.err
    own = evaluate_data(*words, "--out", run, "--overwrite")
    assert own.code == 2
    assert "holds a run of distill-data, whose own results would be lost" in own.err


def test_json_alone_on_stdout_and_another_student(evaluate_data, distill_data, tmp_path):
    run = tmp_path / "run"
    config = small_config(tmp_path)
    assert distill_data("--config", config, "--out", run, "-q").code == 0
    done = evaluate_data(
        run / "fold-1" / "set", "--dataset", "toy", "--seeds", 1, "--recipe", config,
        "--students", "tdnn, convnet", "--json", "-q", *PLAIN, "--out", tmp_path / "out",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    rows = json.loads(done.out)["rows"]
    assert {row["student"] for row in rows} == {"tdnn", "convnet"}
    starts = {row["initialisation"] for row in rows if row["student"] == "convnet"}
    assert starts == {"random"}  # the set's fixed weights are a tdnn's


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--dataset", "emodb"],
            "made from toy, not from emodb: give --dataset toy; or, to hear how",
        ),
        (["--dataset", "toi"], "unknown corpus 'toi': did you mean 'toy'"),
        (["--dataset", "toy", "--students", "tdnn,cnvnet"], "did you mean 'convnet'"),
        (["--dataset", "toy", "--seeds", "0"], "Invalid value for '--seeds'"),
        (["--dataset", "toy", "--recipe", "none.toml"], "none.toml: cannot be read as settings"),
        ([], "Missing option '--dataset'"),
    ],
)
def test_wrong_usage(evaluate_data, folder, words, message):
    done = evaluate_data(folder, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "Traceback" not in done.err


def test_an_unknown_setting_of_the_recipe(evaluate_data, folder, tmp_path):
    (tmp_path / "recipe.toml").write_text("[recipe]\nschedule = 3\n")
    done = evaluate_data(folder, "--dataset", "toy", "--recipe", tmp_path / "recipe.toml")
    assert done.code == 2
    assert (
        "unknown setting of the student's recipe 'schedule': did you mean 'schedules'" in done.err
    )


def test_other_recordings_than_the_set_was_made_from(evaluate_data, folder):
    done = evaluate_data(folder, "--dataset", "toy")
    assert (done.code, done.out) == (2, "")
    assert "these recordings are not those the set was made from (640 utterances" in done.err


def test_a_damaged_set(evaluate_data, folder, caplog):
    tensors = folder / "set.safetensors"
    content = bytearray(tensors.read_bytes())
    content[-1] ^= 1
    tensors.write_bytes(content)
    done = evaluate_data(folder, "--dataset", "toy")
    assert (done.code, done.out) == (2, "")
    assert "set.safetensors is damaged" in done.err
    assert "Traceback" not in done.err
    evaluate_data(folder, "--dataset", "toy", "-v")
    assert "Traceback" in caplog.text


def test_a_set_of_another_format_version(evaluate_data, folder):
    forge(folder, lambda manifest: manifest.update(format_version=99))
    done = evaluate_data(folder, "--dataset", "toy")
    assert (done.code, done.out) == (2, "")
    assert "manifest.json has format version 99; this package knows" in done.err
    assert "Traceback" not in done.err


def test_help_and_version(evaluate_data):
    text = evaluate_data("--help").out
    for option in ("dataset", "data-root", "students", "seeds", "seed", "recipe", "out", "json"):
        assert f"--{option} " in text
    assert "[default: 5;" in " ".join(text.split())
    assert evaluate_data("--version").out.startswith("distill-data ")


def test_a_recipe_file_without_a_recipe(evaluate_data, folder, tmp_path):
    file = tmp_path / "other.toml"
    file.write_text("[loop]\nsteps = 3\n")
    done = evaluate_data(folder, "--dataset", "toy", "--recipe", file)
    assert done.code == 2
    assert "has no table [recipe], which --recipe is for" in done.err


@pytest.fixture(scope="module")
def toy_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set that fits the toy corpus as it is, for what does not train on it for long."""
    folder = tmp_path_factory.mktemp("toy")
    real = load("toy", spec=FEATURES["logmel64-short"])
    toy_set(corpus_digest=real.digest).save(folder / "run" / "fold-1" / "set")
    (folder / "short.toml").write_text(SHORT)
    return folder


SHORT = """\
[recipe]
batch = 8
schedules = [{ steps = 2, learning_rate = 0.001 }]
"""


@pytest.mark.as_it_is
def test_everything_by_default(evaluate_data, toy_run, tmp_path):
    done = evaluate_data(
        toy_run / "run", "--dataset", "toy", "--seeds", 1, "--recipe", toy_run / "short.toml",
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert done.code == 0, done.err
    report = Report.load(tmp_path / "out" / "report.json")
    sets = {row.set for row in report.rows}
    assert {"distilled", UNTRAINED, *EVERY_BASELINE} - {DP_SGD, GENERATIVE} <= sets
    assert DP_SGD not in sets  # which needs a guarantee
    assert GENERATIVE not in sets  # which has to be asked for
    assert not any(DP_SGD in reason for reason in report.unavailable)
    assert {"teacher: ensemble", "distilled-model: ensemble, logits"} <= sets
    assert {row.speech for row in report.rows} == {"clean", "noise-10dB", "reverberation-0.4s"}
    assert report.scores
    assert report.failed == ()
    assert all(row.peak_memory for row in report.rows if row.set in ("full", "distilled"))
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<audio") == 4
    assert report.protocol.split(" · ")[0] in page

    # Given again, it finds every student, and says the same.
    words = (toy_run / "run", "--dataset", "toy", "--seeds", 1, "--recipe", toy_run / "short.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "carry_out", None)  # nothing is left to carry out
        again = evaluate_data(*words, "--out", tmp_path / "out", "--overwrite", "-q")
    assert again.code == 0, again.err
    assert again.out == done.out


def test_an_estimate_before_anything_is_done(evaluate_data, toy_run, tmp_path, monkeypatch):
    """No features either, which take hours through an encoder."""
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path / "features"))
    done = evaluate_data(
        toy_run / "run", "--dataset", "toy", "--dry-run", "--out", tmp_path / "out",
        "--recipe", toy_run / "short.toml",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.err.startswith("estimate: ")
    assert "on" in done.err
    assert done.lines[0].startswith("toy corpus, made by this package · 4 classes · 640 utterances")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "features").exists()


def test_another_corpus_with_a_stated_map(evaluate_data, toy_run, tmp_path):
    emodb_tree(tmp_path / "emodb", ("03", "08", "09", "10"))
    words = (toy_run / "run", "--dataset", "emodb", "--data-root", tmp_path / "emodb")
    refused = evaluate_data(*words, "--label-map", "fear=anger")
    assert refused.code == 2
    assert "the set has no boredom, disgust: say what they are with --label-map" in refused.err
    refused = evaluate_data(*words, "--label-map", "fear=anger", "--attacks", "speaker")
    assert "with --label-map those are of another corpus: leave out --attacks" in refused.err
    planned = evaluate_data(*words, "--label-map", "fear=anger,boredom=,disgust=", "--dry-run")
    assert planned.code == 0, planned.err
    assert "label map: boredom->left out, disgust->left out, fear->anger" in planned.out
    done = evaluate_data(
        *words, "--label-map", "fear=anger,boredom=,disgust=", "--fold", 2, "--seeds", 1,
        "--recipe", toy_run / "short.toml", "--out", tmp_path / "out", *PLAIN,
    )  # fmt: skip
    assert done.code == 0, done.err
    report = Report.load(tmp_path / "out" / "report.json")
    assert report.emotions == ("anger", "happiness", "neutral", "sadness")
    assert "label map: boredom->left out, disgust->left out, fear->anger" in report.protocol
    assert "sets made from toy" in report.protocol
    assert {row.fold for row in report.rows} == {2}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--baselines", "randm"], "unknown baseline 'randm': did you mean 'random'"),
        (["--teachers", "ensembel"], "unknown teacher 'ensembel': did you mean 'ensemble'"),
        (["--speech", "noise"], "unknown speech 'noise'"),
        (["--start-noise", "0.1,much"], "takes numbers with commas between them, such as 0.1,0.3"),
        (["--start-noise", "0"], "noise on the fixed weights must be positive; found 0: give"),
        (
            ["--start-noise", "0.1", "--students", "svm"],
            "no set has any for svm: give --students t",
        ),
        (["--label-map", "anger"], "a label map is written THEIRS=OURS"),
        (["--students", "none"], "--students none leaves nobody to judge a set by"),
        (["--label-map", "x=y"], "was made from toy itself, so that its training speakers would"),
        (["--fold", "3"], "no set is of fold 3: those given are of 1; leave out --fold"),
        (["--baselines", "none,random"], "'none' stands alone, in place of a list of baselines"),
        (["--cluster", "tcp://127.0.0.1:9"], "no Dask scheduler answers at tcp://127.0.0.1:9"),
    ],
)
def test_more_wrong_usage(evaluate_data, toy_run, tmp_path, monkeypatch, words, message):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    done = evaluate_data(
        toy_run / "run", "--dataset", "toy", "--recipe", toy_run / "short.toml",
        "--out", tmp_path / "out", *words,
    )  # fmt: skip
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_sets_of_several_folds_on_another_corpus(evaluate_data, toy_run, tmp_path):
    made = SyntheticSet.load(toy_run / "run" / "fold-1" / "set")
    for fold in (1, 2):
        again = replace(made, provenance=replace(made.provenance, fold=fold))
        again.save(tmp_path / "run" / f"fold-{fold}" / "set")
    words = ("--dataset", "emodb", "--label-map", "fear=anger", "--out", tmp_path / "out")
    done = evaluate_data(tmp_path / "run", *words)
    assert done.code == 2
    assert "are both called distilled, at ipc 1, and another corpus tests them on" in done.err


def test_a_folder_that_an_interrupted_evaluation_left(evaluate_data, toy_run, tmp_path):
    out = tmp_path / "out"
    (out / "fold-1").mkdir(parents=True)
    (out / "fold-1" / "predictions.csv").write_text("what an interrupted evaluation left")
    words = ("--recipe", toy_run / "short.toml", "--seeds", 1, "--out", out, *PLAIN)
    assert evaluate_data(toy_run / "run", "--dataset", "toy", *words).code == 0
    assert evaluate_data(toy_run / "run", "--dataset", "toy", *words).code == 2  # now it is done


def test_no_folder_can_be_made(evaluate_data, toy_run, tmp_path):
    (tmp_path / "file").write_text("in the way")
    words = ("--recipe", toy_run / "short.toml", "--out", tmp_path / "file" / "out")
    done = evaluate_data(toy_run / "run", "--dataset", "toy", *words)
    assert done.code == 2
    assert "Not a directory" in done.err
    assert "Traceback" not in done.err


def test_a_folder_without_any_set(evaluate_data, tmp_path):
    done = evaluate_data(tmp_path, "--dataset", "toy")
    assert done.code == 2
    assert "is neither the folder of a set" in done.err
