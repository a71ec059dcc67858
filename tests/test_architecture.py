"""The floors and the door hold: what each file may import and name, read from its syntax."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from torch import nn

import distill.objectives
import evaluation.networks
import synth_data.corpora
from distill.objectives import OBJECTIVES
from distill.objectives.objective import Objective
from evaluation.networks import NETWORKS
from synth_data.corpora import CORPORA
from synth_data.corpora.facts import Corpus

ROOT = Path(__file__).parents[1]
FLOORS = ("synth_data", "evaluation", "distill")  # from the ground
FILES = {path.relative_to(ROOT): path for floor in FLOORS for path in (ROOT / floor).rglob("*.py")}

each_file = pytest.mark.parametrize("file", FILES, ids=str)


def nodes(file: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(FILES[file].read_text(encoding="utf-8")))


def imports(file: Path) -> set[str]:
    """The packages that a file imports."""
    found = set()
    for node in nodes(file):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively"
            found.add(str(node.module).split(".")[0])
    return found


@each_file
def test_imports_go_down_only(file):
    above = FLOORS[FLOORS.index(file.parts[0]) + 1 :]
    assert not imports(file) & set(above)


def test_the_floors_do_stand_on_each_other():
    stands_on = {floor: set() for floor in FLOORS}
    for file in FILES:
        stands_on[file.parts[0]] |= imports(file) & set(FLOORS) - {file.parts[0]}
    assert stands_on == {
        "synth_data": set(),
        "evaluation": {"synth_data"},
        "distill": {"evaluation", "synth_data"},
    }


def test_real_speech_is_behind_the_door():
    """Only the curator names its private real set, and no getattr goes round it."""
    names = {
        file
        for file in FILES
        for node in nodes(file)
        if (isinstance(node, ast.Attribute) and node.attr == "_real")
        or (isinstance(node, ast.Constant) and node.value == "_real")
    }
    assert names == {Path("synth_data/curator.py")}


def test_objectives_never_see_a_real_set():
    for file in FILES:
        if file.parent == Path("distill/objectives"):
            assert "RealSet" not in FILES[file].read_text(encoding="utf-8"), file


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("torchaudio", {"synth_data/pure_torchaudio.py"}),
        (
            "soundfile",  # reads speech, looks at headers, writes what a page plays
            {"synth_data/audio.py", "synth_data/corpus_check.py", "synth_data/inversion.py"},
        ),
        ("distributed", {"evaluation/cluster.py"}),
    ],
)
def test_a_library_is_imported_in_few_places(library, homes):
    assert {str(file) for file in FILES if library in imports(file)} == homes


def members(package: object) -> list[tuple[str, object]]:
    """What the modules of a package define themselves."""
    found = []
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        contents = vars(importlib.import_module(module.name))
        found += [
            (name, value)
            for name, value in contents.items()
            if getattr(value, "__module__", module.name) == module.name or isinstance(value, Corpus)
        ]
    return found


def test_every_corpus_is_in_its_table():
    defined = {value.name for _, value in members(synth_data.corpora) if isinstance(value, Corpus)}
    assert defined == set(CORPORA)
    assert all(corpus.name == name for name, corpus in CORPORA.items())


def test_every_network_is_in_its_table():  # what embeds utterances is a network, not a layer
    defined = {
        value
        for _, value in members(evaluation.networks)
        if inspect.isclass(value) and issubclass(value, nn.Module) and hasattr(value, "embed")
    }
    assert defined == {getattr(make, "func", make) for make in NETWORKS.values()}


def test_every_objective_is_in_its_table_and_final():
    defined = {
        value
        for _, value in members(distill.objectives)
        if inspect.isclass(value) and issubclass(value, Objective)
    }
    assert {value for value in defined if not inspect.isabstract(value)} == set(OBJECTIVES.values())
    bases = {base for objective in OBJECTIVES.values() for base in objective.__bases__}
    assert all(inspect.isabstract(base) for base in bases)  # nothing final has heirs
