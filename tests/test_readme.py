"""The README, its pages and the examples do what they say, and their tables are right."""

import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from small_teachers import save_speech, save_text, small_corpus
from trees import Turn, emodb_tree, iemocap_tree, noise, ravdess_tree

import distill.cli
import evaluation.cli
import evaluation.systems.cli
import synth_data.cli
from distill.disentangle import DISENTANGLERS
from distill.objectives import OBJECTIVES
from evaluation.networks import NETWORKS
from evaluation.options import EVERY_BASELINE, UNTRAINED
from evaluation.records import Row
from evaluation.report import Report
from evaluation.runs import DISTILLED
from evaluation.students import RECIPES, Recipe
from evaluation.teachers import TEACHERS
from synth_data.corpora import CORPORA
from synth_data.corpora.toy import TOY, toy_utterances
from synth_data.synthetic import SyntheticSet

ROOT = Path(__file__).parents[1]
# The README, and the pages that it sends readers to, in the order in which they are read.
PAGES = {
    name: (ROOT / name / "README.md").read_text()
    for name in ("", "distill", "evaluation", "synth_data", "examples")
}
README = PAGES[""]
ENTRIES: dict[str, Callable[[], None]] = {
    "distill-data": distill.cli.main,
    "distill-model": evaluation.systems.cli.main,
    "evaluate-data": evaluation.cli.main,
    "synth-data": synth_data.cli.main,
}
TINY = """
seeds = 1
feature = "logmel64-short"
[loop]
steps = 1
initialisation = "noise"
[settings]
starts = 1
checkpoints = 1
[recipe]
schedules = [{ steps = 1, learning_rate = 1e-3 }]
"""
# All speakers and emotions of the corpus that commands mean if they name none, less often.
SMALL_TOY = replace(
    TOY,
    counts=dict.fromkeys(TOY.emotions, 2 * TOY.speakers),
    read=lambda _root, _allow_missing: toy_utterances(per_speaker_and_emotion=2),
)
TINY_MODELS = """
[settings.recipe]
epochs = 1
[settings.listening]
steps = 1
"""
TINY_ENCODERS = """
[settings.recipe]
epochs = 1
[settings.speech]
steps = 1
[settings.text]
steps = 1
[settings.beside.recipe]
epochs = 1
"""


def blocks(language: str) -> list[str]:
    text = "\n".join(PAGES.values())
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)


SET_UP, TEST, *COMMANDS = (block.splitlines() for block in blocks("sh"))


@pytest.fixture
def place(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with small corpora, in one process and with short training."""
    emodb_tree(tmp_path / "data" / "emodb", ("03", "08", "09", "10"))
    ravdess_tree(tmp_path / "data" / "ravdess", (1, 4, 8, 3))
    turns = [
        Turn(f"Ses0{session}F_impro01", letter, emotion, noise(tmp_path / "turn.wav"))
        for session in range(1, 4)
        for letter in "FM"
        for emotion in ("ang", "exc", "neu", "sad")
    ]
    iemocap_tree(tmp_path / "IEMOCAP_full_release", turns)
    rows = ["file,emotion,speaker"]
    for speaker in range(5):
        for emotion in ("calm", "tense"):
            rows.append(f"wav/{speaker}-{emotion}.wav,{emotion},{speaker}")
            noise(tmp_path / "wav" / f"{speaker}-{emotion}.wav", len(rows))
    (tmp_path / "my_recordings.csv").write_text("\n".join(rows))
    (tmp_path / "tiny.toml").write_text(TINY)
    (tmp_path / "tiny-representation.toml").write_text(TINY_MODELS)
    (tmp_path / "tiny-audio-textual.toml").write_text(TINY_ENCODERS)
    save_speech(tmp_path / "runs" / "word-encoder" / "speech")
    save_text(tmp_path / "runs" / "word-encoder" / "text")
    monkeypatch.setitem(CORPORA, "toy-words", small_corpus())
    monkeypatch.setitem(CORPORA, "toy", SMALL_TOY)
    plain = re.sub(r"^(starts|checkpoints) = 1$", "", TINY, flags=re.MULTILINE)
    (tmp_path / "tiny-private.toml").write_text(plain)
    monkeypatch.setenv("DISTILL_DATA_LEDGERS", str(tmp_path / "ledgers"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("DISTILL_DATA_CACHE", str(tmp_path_factory.getbasetemp() / "features"))
    for student in NETWORKS:
        monkeypatch.setitem(RECIPES, student, replace(Recipe.single(1), batch=4))
    return tmp_path


def in_small(line: str, place: Path) -> list[str]:
    """A command of the README as arguments, on the small corpora and with small settings."""
    line = line.replace("/corpora/", f"{place}/")
    arguments = shlex.split(os.path.expandvars(line), comments=True)
    if arguments[0] == "distill-data" and not {"--resume", "--config"} & set(arguments):
        private = "--epsilon" in arguments  # which has an objective without such settings
        arguments += ["--config", "tiny-private.toml" if private else "tiny.toml"]
    if arguments[0] == "distill-model":
        system = arguments[arguments.index("--system") + 1]
        arguments += ["--config", f"tiny-{system}.toml", "--seeds", "1"]
    return arguments


@pytest.mark.slow
def test_commands_run_in_order(place, monkeypatch, capsys):
    lines = [line for block in COMMANDS for line in block]
    assert {line.split()[0] for line in lines} == set(ENTRIES)
    for line in lines:
        arguments = in_small(line, place)
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as leaving:
            ENTRIES[arguments[0]]()
        assert leaving.value.code == 0, f"{line}\n{capsys.readouterr().err}"
    shared = SyntheticSet.load(place / "runs" / "shared" / "fold-none" / "set")
    assert shared.provenance.estimate


def test_a_run_leaves_what_is_listed(place, monkeypatch):
    monkeypatch.setattr(sys, "argv", in_small("distill-data --out runs/toy", place))
    with pytest.raises(SystemExit):
        distill.cli.main()
    listed = set()
    for cell in re.findall(
        r"^\| (`.*?) \| ", section("What a run leaves behind", "evaluation"), re.MULTILINE
    ):
        listed |= set(re.findall(r"`([^`]+[./][^`]*)`", cell))
    folder = place / "runs" / "toy"
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there = {name.replace("fold-K", "fold-1") for name in listed}
    assert {name for name in there if not name.endswith("/")} == {
        name for name in left if not name.startswith("fold-1/set/")
    }
    for path in (folder / "fold-1" / "set").iterdir():
        assert f"`{path.name}`" in section("What a run leaves behind", "evaluation")


def section(title: str, page: str = "") -> str:
    return PAGES[page].split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_set_up_is_that_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert "Python 3.11 or newer" in README
    assert SET_UP[-2:] == ["pip install -e .", "distill-data"]
    assert set(ENTRIES) == set(project["scripts"])
    assert TEST[:-1] == [SET_UP[0], 'pip install -e ".[test]"']
    assert "test" in project["optional-dependencies"]


def test_ci_runs_the_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    assert f"check test {TEST[-1]}\n" in script


def test_ci_refuses_an_unknown_word():
    ci = ROOT / ".ci" / "run"
    done = subprocess.run([ci, "tests"], capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 2
    assert "usage: .ci/run [format|lint|types|test|all]; found 'tests'" in done.stderr


@pytest.mark.usefixtures("place")
def test_python_example_runs(capsys):
    block, *_ = blocks("python")
    example = ROOT / "examples" / "python_api.py"
    docstring, code = example.read_text().split("\n\n", 1)
    assert docstring.startswith('"""')
    assert code == block, "the README and examples/python_api.py differ"
    runpy.run_path(str(example), run_name="__main__")
    report = Report.load(Path("runs/python-api/report.json"))
    assert report.table() in capsys.readouterr().out
    assert len(SyntheticSet.load("runs/python-api/set")) == 4


def test_what_other_python_imports_is_there():
    """The rest needs what a user has; `test_shipped_students` runs the same."""
    _, *others = blocks("python")
    lines = [line for block in others for line in block.splitlines() if line.startswith("from ")]
    assert lines
    for line in lines:
        exec(line, {})


def test_results_are_made_by_commands_that_run(place, monkeypatch, capsys):
    """Each command of the script, planned on small corpora."""
    script = (ROOT / "examples" / "reproduce_results.sh").read_text()
    lines = [line for line in script.splitlines() if line.startswith("distill-data")]
    assert len(lines) == 23
    for line in lines:
        line = line.replace('"$@"', "--dry-run").replace("examples/", f"{ROOT}/examples/")
        arguments = in_small(line, place)
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as leaving:
            distill.cli.main()
        assert leaving.value.code == 0, f"{line}\n{capsys.readouterr().err}"


def test_results_need_the_recordings():
    environment = {k: v for k, v in os.environ.items() if k != "SER_DATA_ROOT"}
    done = subprocess.run(
        ["bash", ROOT / "examples" / "reproduce_results.sh"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "SER_DATA_ROOT" in done.stderr


def corpora_table() -> Iterator[str]:
    yield "| name | corpus | classes | utterances | speakers | access | derivatives | protocol |"
    yield "|---|---|---:|---:|---:|---|---|---|"
    for corpus in CORPORA.values():
        title = corpus.title + (f" ({corpus.label_note})" if corpus.label_note else "")
        numbers = len(corpus.emotions), sum(corpus.counts.values()), corpus.speakers
        cells = [
            f"`{corpus.name}`",
            title,
            *(str(number or "-") for number in numbers),
            corpus.access,
            corpus.derivatives,
            next(iter(corpus.protocols)),
        ]
        yield f"| {' | '.join(cells)} |"


def test_corpora_are_those_known():
    written = README.split("<!-- corpora -->\n")[1].split("<!-- /corpora -->")[0]
    assert written.strip().splitlines() == list(corpora_table())


def test_every_key_of_the_report_is_explained():
    text = section("What a run leaves behind", "evaluation")
    for key in (*Report.model_fields, *Row.model_fields):
        assert f"`{key}`" in text
    for kind in (DISTILLED, UNTRAINED):
        assert f"`{kind}`" in text
    worth = section("Baselines", "evaluation")
    for name in (*EVERY_BASELINE, *TEACHERS):
        assert f"`{name}`" in worth, name
    for name in RECIPES:
        assert f"`{name.removesuffix('-bn')}`" in section("Students", "evaluation"), name


def test_every_name_and_path_exists():
    tables = {"CORPORA": CORPORA, "OBJECTIVES": OBJECTIVES, "NETWORKS": NETWORKS}
    for table in (*tables, "BASELINES"):
        assert f"`{table}`" in section("The code")
    objectives = section("Objectives", "distill")
    assert set(re.findall(r"^\| `([\w-]+)` \|", objectives, re.MULTILINE)) == set(OBJECTIVES)
    taken = section("Taking the speaker out", "distill")
    assert set(re.findall(r"^\| `([\w-]+)` \|", taken, re.MULTILINE)) == set(DISENTANGLERS)
    for text in PAGES.values():
        for path in re.findall(
            r"`((?:synth_data|evaluation|distill|examples|\.ci)/[\w./]*)`", text
        ):
            assert (ROOT / path).exists(), path


def test_every_example_is_listed():
    listed = set(re.findall(r"`([\w-]+\.(?:py|sh|toml))`", PAGES["examples"].split("\n## ")[0]))
    kept = {path.name for path in (ROOT / "examples").iterdir() if path.is_file()}
    assert listed == kept - {"README.md"}


def anchor(title: str) -> str:
    """What a heading is reached by."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page):
    folder = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        name, _, heading = target.partition("#")
        there = folder / name if name else folder / "README.md"
        assert there.is_file(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
            assert heading in map(anchor, titles), target
