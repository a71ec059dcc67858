"""Which layers of a speech encoder carry valence, activation and dominance of a corpus.

    python examples/train_word_encoder.py --out runs/word-encoder
    python examples/layer_relevance.py --encoder runs/word-encoder/speech --out runs/layers

On the corpus `toy-words`, where it is known, the last layer carries valence, which is in the words,
and the first ones activation, which is in the energy. Any corpus with dimensions will do, and any
HuBERT, wav2vec 2.0 or WavLM (from the hub: facebook/wav2vec2-base-960h).
"""

from pathlib import Path
from typing import Annotated

from typer import Option

from evaluation.files import write_atomically
from evaluation.systems.encoders import open_speech
from evaluation.systems.layer_plot import picture
from evaluation.systems.layer_relevance import layer_relevance
from synth_data.console import command_line, run
from synth_data.corpus import known_corpus, listing, protocol_of
from synth_data.features import FEATURES
from synth_data.progress import bar

app = command_line("Which layers of a speech encoder carry which dimension.")


@app.command()
def main(
    encoder: Annotated[str, Option(help="Its folder, or its name on the hub.")],
    dataset: Annotated[str, Option(help="A corpus with dimensions.")] = "toy-words",
    data_root: Annotated[Path | None, Option(help="The corpus' folder.")] = None,
    protocol: Annotated[str | None, Option(help="  [default: the corpus' first]")] = None,
    seed: int = 0,
    out: Annotated[
        Path | None, Option(help="Folder for layers.json, layers.md and layers.svg.")
    ] = None,
) -> None:
    """Print the concordance of every layer, and its learned weight."""
    corpus = known_corpus(dataset)
    how = protocol_of(corpus, protocol, data_root)
    real = listing(corpus, data_root, FEATURES["logmel64"], task="dimensional")
    listener = open_speech(encoder)
    found = layer_relevance(
        listener.pooled(real.utterances, bar("utterances")),
        real.utterances,
        how,
        listener.name,
        corpus.name,
        real.task.dimensions,
        seed=seed,
        progress=bar("dimensions"),
    )
    if out is not None:
        write_atomically(out / "layers.json", found.to_json())
        write_atomically(out / "layers.md", found.table() + "\n")
        write_atomically(out / "layers.svg", picture(found))
    print(found.table())


if __name__ == "__main__":
    run(app)
