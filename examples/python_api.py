"""From recordings to a report in Python: what `distill-data` does, with small settings."""

from pathlib import Path

from distill.engine import distill
from distill.objectives.gradient_matching import GradientMatching
from distill.outer_loop import Loop
from evaluation.evaluate import evaluate
from evaluation.options import Options
from evaluation.report import Report
from evaluation.students import Recipe
from synth_data.corpus import load, protocol_line, protocol_of
from synth_data.curator import Curator
from synth_data.features import FEATURES

feature = "logmel64-short"
real = load("toy", spec=FEATURES[feature])
protocol = protocol_of(real.facts, "four-speaker-folds")
train, validation, test = real.fold(protocol, 1)

synthetic = distill(
    Curator(train),
    GradientMatching(starts=1, checkpoints=4),
    "tdnn",
    ipc=1,
    seed=0,
    loop=Loop(steps=30),
)
synthetic.save("runs/python-api/set")

short = {"tdnn": Recipe.single(steps=30)}  # leave `recipes` out for well-trained students
options = Options(seeds=2, recipes=short)
result = evaluate(synthetic, train, validation, test, options=options)

report = Report.of(
    protocol_line(real, protocol, feature),
    [result],
    corpus=real.corpus,
    command="python examples/python_api.py",
    notes=real.notes,
)
report.save(Path("runs/python-api"))
print(report.table())
