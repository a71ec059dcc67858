"""The benchmark's reference is plain dataset condensation, and its table says who is faster."""

import json
from dataclasses import replace
from itertools import count, islice

import pytest
import torch
from commands import run_here
from fake_speech import SPEC, fake_speech
from scripts import script
from torch import Tensor, nn

from distill.config import RunConfig
from distill.objectives import OBJECTIVES
from distill.objectives.distribution_matching import DistributionMatching
from distill.objectives.linear_gradient_matching import LinearGradientMatching
from evaluation.networks import draw_weights, skeleton
from evaluation.students import RECIPES, Examples, Recipe
from synth_data.console import run
from synth_data.randomness import generator

benchmark = script("benchmark_objectives")
import condensation  # noqa: E402 - found once the path is there
import cpu_curves  # noqa: E402

EMOTIONS = 3
LINEAR = nn.Sequential(nn.Flatten(), nn.Linear(4, EMOTIONS, bias=False)).double()
TDNN = skeleton("tdnn", SPEC.mels, EMOTIONS)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def of_class(emotion: int, features: Tensor) -> Examples:
    return Examples(features[:, :, None], torch.eye(EMOTIONS).double()[[emotion] * len(features)])


def slope(matrix: Tensor, ours: Tensor, theirs: Tensor, emotion: int) -> tuple[Tensor, Tensor]:
    """The reference's distance for a linear network, and its gradient in our items."""
    ours = ours.clone().requires_grad_()
    weights = {"1.weight": matrix.clone().requires_grad_()}
    found = condensation.distance(
        LINEAR, weights, of_class(emotion, ours), of_class(emotion, theirs)
    )
    return found.detach(), torch.autograd.grad(found, ours)[0]


def start(per_class: int) -> Examples:
    """Noise, as the items of each emotion of the fake speech."""
    features = torch.randn(
        EMOTIONS * per_class, *SPEC.shape, generator=torch.Generator().manual_seed(1)
    )
    return Examples(features, torch.eye(EMOTIONS).repeat_interleave(per_class, dim=0))


def condensing(per_class: int, rate: float = 0.1, seed: int = 0, first: Examples | None = None):
    draws = torch.Generator().manual_seed(seed)
    items = first or start(per_class)
    return condensation.condense(fake_speech((12, 12, 12)), TDNN, items, rate, draws)


def point(steps: int, seconds: float, uar: float) -> object:
    return cpu_curves.Point(steps, 1.0 if steps else 0.0, seconds, uar - 0.1, uar + 0.1)


def test_the_distance_of_one_item_is_that_of_the_directions():
    """Of an item x and an utterance u, whatever the weights: 1 - cos(x, u) for every row.

    Each row's gradients are multiples of x and of u, of the same sign.
    """
    x, u = normal(4), normal(4, seed=1)
    found, gradient = slope(normal(EMOTIONS, 4, seed=2), x[None], u[None], emotion=1)
    lengths, product = x.norm() * u.norm(), x @ u
    torch.testing.assert_close(found, EMOTIONS * (1 - product / lengths))
    by_hand = -EMOTIONS * (u / lengths - product * x / (x.norm() ** 2 * lengths))
    torch.testing.assert_close(gradient[0], by_hand)


def test_the_gradient_goes_through_the_gradient_of_the_network():
    """With two items, the rows depend on what the network makes of them: (p - y) x, by hand."""
    matrix, theirs, emotion = normal(EMOTIONS, 4, seed=2), normal(3, 4, seed=1), 2

    def rows(items: Tensor) -> Tensor:
        wrong = (items @ matrix.T).softmax(dim=1) - torch.eye(EMOTIONS).double()[emotion]
        return wrong.T @ items / len(items)

    def by_hand(items: Tensor) -> Tensor:
        one, other = rows(items), rows(theirs)
        return (1 - (one * other).sum(dim=1) / (one.norm(dim=1) * other.norm(dim=1))).sum()

    ours = normal(2, 4)
    found, gradient = slope(matrix, ours, theirs, emotion)
    torch.testing.assert_close(found, by_hand(ours))
    step = 1e-6 * torch.eye(8).double().reshape(8, 2, 4)
    numeric = torch.stack([(by_hand(ours + e) - by_hand(ours - e)) / 2e-6 for e in step])
    torch.testing.assert_close(gradient.flatten(), numeric, atol=1e-7, rtol=1e-5)


def test_a_step_lowers_the_distance_it_was_taken_for():
    """At the network of the step, and on average at others once there were more steps."""
    real = fake_speech((12, 12, 12))

    def mismatch(items: Tensor, seeds: range) -> float:
        total = 0.0
        for seed in seeds:
            drawn = draw_weights(TDNN, torch.Generator().manual_seed(seed))
            weights = {name: weight.requires_grad_() for name, weight in drawn.items()}
            for emotion, own in enumerate(items.split(1)):
                theirs = real.select(real.group_rows(emotion))
                ours = Examples(own, theirs.targets[:1])
                heard = Examples(theirs.features, theirs.targets)
                total += float(condensation.distance(TDNN, weights, ours, heard).detach())
        return total / len(seeds)

    first = start(1).features
    after_one = next(condensing(1, rate=0.01))
    assert mismatch(after_one, range(1)) < mismatch(first, range(1))
    after_many = next(islice(condensing(1), 10, None))
    assert mismatch(after_many, range(100, 103)) < 0.9 * mismatch(first, range(100, 103))


def test_the_network_trains_on_the_items_between_matches_and_is_then_drawn_afresh(monkeypatch):
    seen = []
    distance = condensation.distance

    def watched(network, weights, synthetic, real):
        seen.append({name: weight.detach().clone() for name, weight in weights.items()})
        return distance(network, weights, synthetic, real)

    monkeypatch.setattr(condensation, "distance", watched)
    monkeypatch.setitem(condensation.LOOPS, 10, (3, 20))
    items = start(10)
    made = list(islice(condensing(10, rate=1e-9, first=items), 4))
    assert len(made) == 4
    at_match = seen[::EMOTIONS]  # one distance per emotion
    losses = [float(condensation.loss(TDNN, weights, items).detach()) for weights in at_match]
    assert losses[0] > losses[1] + 0.01 > losses[2] + 0.02
    assert losses[3] > losses[2] + 0.02
    assert not torch.equal(at_match[3]["head.weight"], at_match[0]["head.weight"])


def test_real_utterances_are_drawn_afresh_for_every_match(monkeypatch):
    heard = []
    distance = condensation.distance

    def listening(network, weights, synthetic, real):
        assert torch.equal(synthetic.targets[0], real.targets[0])
        heard.append(real.features)
        return distance(network, weights, synthetic, real)

    monkeypatch.setattr(condensation, "distance", listening)
    monkeypatch.setattr(condensation, "BATCH", 4)
    list(islice(condensing(1), 2))
    assert [len(features) for features in heard] == [4] * 2 * EMOTIONS
    assert not torch.equal(heard[0], heard[EMOTIONS])


@pytest.mark.parametrize(
    ("ipc", "expected"), [(1, (1, 1)), (5, (1, 1)), (10, (10, 50)), (19, (10, 50)), (90, (50, 10))]
)
def test_loops_are_the_published_ones(ipc, expected):
    assert condensation.loops(ipc) == expected


def test_the_reference_is_judged_along_its_budget(monkeypatch):
    """A step takes three seconds by this clock, which runs on only in steps."""
    clock = [0.0]

    def steps():
        for n in count(1):
            clock[0] += 3.0
            yield torch.full((1, 1, 1), float(n))

    monkeypatch.setattr(benchmark.time, "process_time", lambda: clock[0])
    first = Examples(torch.zeros(1, 1, 1), torch.ones(1, 1))
    made = list(benchmark.along(steps(), first, 20.0))
    assert [(n, init, seconds) for n, init, seconds, _ in made] == [
        (0, 0.0, 0.0),
        (1, 0.0, 3.0),
        (2, 0.0, 6.0),
        (4, 0.0, 12.0),
        (7, 0.0, 21.0),
    ]
    assert [float(examples.features) for *_, examples in made] == [0.0, 1.0, 2.0, 4.0, 7.0]
    rushed = list(benchmark.along(steps(), first, 4.0))
    assert [n for n, *_ in rushed] == [0, 1, 2]  # 1/8 to 1/2 of the budget pass in one step


def test_the_ratio_compares_the_times_to_the_same_uar():
    reference = cpu_curves.Curve("dc", (point(0, 0, 0.3), point(5, 50, 0.5), point(9, 100, 0.5)))
    fast = cpu_curves.Curve("fast", (point(0, 2, 0.3), point(10, 4, 0.4), point(20, 10, 0.6)))
    slow = cpu_curves.Curve("slow", (point(0, 2, 0.3), point(10, 21, 0.45)))
    assert cpu_curves.ratio(fast, reference) == "5.00"
    assert cpu_curves.ratio(reference, reference) == "1.00"
    assert cpu_curves.ratio(slow, reference) == "not reached"
    still = cpu_curves.Curve("dc", (point(0, 0, 0.3), point(5, 50, 0.2)))
    assert cpu_curves.ratio(fast, still) == "reference gained nothing"
    assert slow.seconds_per_step == 2.0
    first, _, *rows = cpu_curves.tables([fast, slow, reference]).splitlines()
    assert first.startswith("| objective | init, CPU s |")
    assert rows[0] == "| fast | 1.00 | 0.4500 | 0.600 | 10.0 CPU s | 5.00 |"
    assert rows[1] == "| slow | 1.00 | 2.0000 | 0.450 | - | not reached |"
    assert "| fast | 10 | 4.0 | 0.300 | 0.500 | 0.400 |" in rows


def test_objectives_and_reference_start_from_the_same_items(monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "tdnn", Recipe.single(steps=20))
    config = RunConfig(student="tdnn", ipc=2, seeds=1)
    objectives = {
        "linear": LinearGradientMatching(starts=1, checkpoints=2, stride=1),
        "means": DistributionMatching(starts=1, checkpoints=1),
    }
    train, validation = fake_speech((8, 8, 8)), fake_speech((4, 4, 4), seed=1)
    curves = benchmark.benchmark(train, validation, objectives, config, [0, 3], 0.05)
    assert [curve.name for curve in curves] == ["linear", "means", benchmark.REFERENCE]
    assert len({(c.points[0].fixed, c.points[0].random) for c in curves}) == 1
    for curve in curves:
        assert curve.points[0].steps == 0
        assert curve.seconds_per_step > 0
        assert all(0 <= found.init <= found.seconds for found in curve.points)
        assert all(0 <= found.fixed <= 1 and 0 <= found.random <= 1 for found in curve.points)
    assert all(curve.points[-1].init > 0 for curve in curves[:-1])
    assert capsys.readouterr().err.startswith("linear: 0 steps, ")


def test_items_that_no_student_survives_are_worth_a_guess(monkeypatch):
    monkeypatch.setitem(RECIPES, "tdnn", Recipe.single(steps=5))
    validation = fake_speech((5, 5, 5))
    weights = draw_weights(TDNN, generator(0, "start"))
    ruined = Examples(torch.full_like(start(2).features, torch.inf), start(2).targets)
    found = benchmark.judged(ruined, weights, validation, RunConfig(student="tdnn", seeds=1))
    assert found == (1 / EMOTIONS, 1 / EMOTIONS)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--objectives", "unrolld"], "unknown objective 'unrolld': did you mean 'unrolled'?"),
        (["--steps", "10,many"], "--steps takes numbers of outer steps"),
        (["--steps", "0"], "such as 100,1000; found '0'"),
        (["--fold", "99"], "fold 99 does not exist"),
        (["--student", "tdn"], "unknown student 'tdn': did you mean 'tdnn'?"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(words, message, monkeypatch, capsys):
    outcome = run_here(lambda: run(benchmark.app), tuple(words), monkeypatch, capsys)
    assert outcome.code == 2
    assert message in outcome.err
    assert "Traceback" not in outcome.err


def test_objectives_take_the_settings_that_they_have():
    asked = RunConfig(ipc=20, settings={"classification": 0.25, "together": 3})
    matching = benchmark.objective_of(asked, "gradient-matching")
    assert (matching.name, matching.together) == ("gradient-matching", 3)
    for name in ("distribution-matching", "auto"):
        assert benchmark.objective_of(asked, name).classification == 0.25
    assert benchmark.objective_of(RunConfig(ipc=6), "auto").classification == 0.5


@pytest.fixture
def without_work(tmp_path, monkeypatch, capsys):
    """Runs the command with a file of settings, but for the work, and says what there was to do."""
    asked = []
    curve = cpu_curves.Curve("nothing", (point(0, 0, 0.3), point(1, 1, 0.3)))

    def nothing(_train, _validation, objectives, config, *_):
        asked.append((objectives, config))
        return [curve, curve]

    monkeypatch.setattr(benchmark, "benchmark", nothing)

    def command(settings: str, *words: object):
        (tmp_path / "settings.toml").write_text(settings)
        words = ("--config", tmp_path / "settings.toml", *words)
        outcome = run_here(lambda: run(benchmark.app), words, monkeypatch, capsys)
        return outcome, *(asked[-1] if asked else (None, None))

    return command


def test_the_student_may_be_auto(without_work):
    outcome, _, config = without_work("", "--student", "auto", "--objectives", "unrolled")
    assert outcome.code == 0, outcome.err
    assert config.student == "tdnn"
    assert f" · tdnn, {RECIPES['tdnn'].settings[0]} · " in outcome.lines[0]


def test_settings_may_be_of_objectives_that_auto_would_not_choose(without_work):
    words = ("--objectives", "unrolled,distribution-matching")
    settings = "[settings]\nclassification = 0.25\nwindow = 3\n[recipe]\nbatch = 5\n"
    outcome, objectives, config = without_work(settings, *words)
    assert outcome.code == 0, outcome.err
    assert objectives["unrolled"].window == 3
    assert objectives["distribution-matching"].classification == 0.25
    assert config.build_recipe() == replace(RECIPES["tdnn"], batch=5)


def test_a_setting_that_no_objective_has_is_refused(without_work):
    outcome, objectives, _ = without_work("[settings]\nclasification = 0.25\n")
    assert outcome.code == 2
    assert "unknown setting 'clasification' of objectives: did you mean" in outcome.err
    assert objectives is None


@pytest.mark.slow
def test_the_command_compares_all_objectives_on_the_toy_corpus(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "tdnn", Recipe.single(steps=2))
    small = tmp_path / "small.toml"
    small.write_text("[settings]\nstarts = 1\ncheckpoints = 2\nstride = 1\n")
    figures = tmp_path / "figures.json"
    words = ("--ipc", 1, "--steps", "2", "--minutes", 0.01, "--seeds", 1)
    words += ("--config", small, "--json", figures)
    outcome = run_here(lambda: run(benchmark.app), words, monkeypatch, capsys)
    assert outcome.code == 0, outcome.err
    names = [*OBJECTIVES, "auto", benchmark.REFERENCE]
    title, _, header, _, *rows = outcome.lines
    assert "validation speakers of fold 1 · ipc 1, slices 1, float32 · tdnn, 2 steps" in title
    assert header.endswith("| ratio |")
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[: len(names)]]
    assert [row[0] for row in cells] == names
    for row in cells:
        assert float(row[2]) > 0
        assert row[-1] in ("not reached", "reference gained nothing") or float(row[-1]) > 0
    assert "matches per network: 1;" in outcome.lines[-1]
    written = json.loads(figures.read_text())
    assert [curve["name"] for curve in written["curves"]] == names
    assert [len(curve["points"]) for curve in written["curves"]][:-1] == [2] * (1 + len(OBJECTIVES))
