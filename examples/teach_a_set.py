r"""Gives sets the labels that a teacher hears in their items: both kinds of distillation at once.

    distill-data --task dimensional --dataset toy-words --feature hubert:FOLDER,pool=mean \
        --native-steps 0 --fold 1 --out runs/in-encoder
    python examples/teach_a_set.py --run runs/in-encoder --encoder FOLDER --out runs/taught
    evaluate-data plain=runs/in-encoder taught=runs/taught --dataset toy-words \
        --encoder FOLDER --out runs/judged

For each fold the teacher of representation distillation (`distill-model --system representation`)
learns from all real training speech, in the representation that the set was made in, and validation
speakers say when to stop.
"""

import json
import time
from pathlib import Path
from typing import Annotated

from typer import Option

from evaluation.files import write_atomically
from evaluation.named_sets import COST, SECONDS, load_sets
from evaluation.session_checks import require_same
from evaluation.systems.taught_set import teach
from synth_data.console import AllowMissing, SkipBad, command_line, run
from synth_data.corpus import known_corpus, load, protocol_of
from synth_data.errors import UserError
from synth_data.progress import bar
from synth_data.representations.encoder_folder import open_encoder

app = command_line("Labels for the items of sets, by a teacher of dimensions.")


@app.command()
def main(
    run_folder: Annotated[Path, Option("--run", help="Of distill-data: one set for each fold.")],
    out: Annotated[Path, Option(help="Folder for the sets with their new labels.")],
    dataset: Annotated[str, Option(help="The corpus that they were made from.")] = "toy-words",
    data_root: Annotated[Path | None, Option(help="The corpus' folder.")] = None,
    encoder: Annotated[
        str | None, Option(help="The folder of the encoder whose features the sets are of.")
    ] = None,
    allow_missing: AllowMissing = False,
    skip_bad: SkipBad = False,
    seed: int = 0,
) -> None:
    """Teach every set of a run, from the recordings as that run took them."""
    if encoder is not None:
        open_encoder(encoder)  # so that it is found where a set names it
    corpus = known_corpus(dataset)
    for one in bar("sets")(load_sets([str(run_folder)])):
        made, task = one.synthetic.provenance, one.synthetic.task
        fold = made.fold
        if fold is None:
            raise UserError(f"{one.folder} is of all speakers: give a run over folds")
        real = load(
            *(corpus, data_root, one.synthetic.spec),
            task=task.name,
            scale=task.scale if task.dimensions else None,
            allow_missing=allow_missing,
            skip_bad=skip_bad,
        ).weighed(task.weights)
        require_same(one, real)
        began = time.perf_counter()
        train, validation, _ = real.fold(protocol_of(corpus, made.protocol), fold)
        taught = teach(one.synthetic, train, validation, seed=seed)
        taught.save(out / f"fold-{fold}" / "set")
        if one.making_seconds is None:  # nor is it known what the taught one took in all
            continue
        seconds = one.making_seconds + time.perf_counter() - began
        write_atomically(out / f"fold-{fold}" / COST, json.dumps({SECONDS: seconds}) + "\n")
    print(out)


if __name__ == "__main__":
    run(app)
