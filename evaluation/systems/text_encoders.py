"""What a pre-trained encoder of text makes of transcripts."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from evaluation.systems.encoders import FAMILIES
from synth_data import pure_torchaudio  # noqa: F401 - before transformers, which may import it
from synth_data.errors import UserError
from synth_data.representations.encoder_folder import load, open_encoder
from synth_data.utterance import Utterance

VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model")  # without one, every word is unknown
LONGEST = 512  # tokens that are read at most; fewer where the encoder knows fewer places


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """A BERT, MPNet, MiniLM or the like.

    Attributes:
        name: of its folder, or on the hub.
        digest: of its weights, settings and tokenizer, hexadecimal.
        network: of `transformers`, without gradients.
        layers: its transformer layers; it has one state more, the embeddings of the tokens.
        tokenizer: of `transformers`.
        longest: tokens that it reads.
    """

    name: str
    digest: str
    network: nn.Module
    layers: int
    tokenizer: Any
    longest: int

    def tokens(self, utterance: Utterance) -> dict[str, Tensor]:
        """The transcript as the encoder takes it; its first tokens, if it is long."""
        longest = self.longest
        found = self.tokenizer(
            utterance.text, return_tensors="pt", truncation=True, max_length=longest
        )
        return dict(found)

    @torch.no_grad()
    def states(self, utterance: Utterance) -> Float[Tensor, "state token dim"]:
        """The embeddings of the tokens, and what every layer makes of them."""
        found = self.network(**self.tokens(utterance), output_hidden_states=True)
        return torch.cat(found.hidden_states)


def open_text(where: str) -> TextEncoder:
    """The text encoder in a folder, or of a name on the Hugging Face hub.

    Raises:
        UserError: there is none, it has no weights or no tokenizer, or it is none of text.
    """
    folder = open_encoder(where)
    transformers = import_module("transformers")  # an extra, and slow to import
    transformers.utils.logging.disable_progress_bar()  # of loading, which takes a moment
    if "vocab_size" not in folder.config or folder.config.get("model_type") in FAMILIES:
        raise UserError(
            f"{folder.path} is no text encoder, its config.json says model_type "
            f"{folder.config.get('model_type')!r}: give one such as BERT, MPNet or MiniLM"
        )
    if not any(found for pattern in VOCABULARIES for found in folder.path.glob(pattern)):
        raise UserError(
            f"{folder.path}: no vocabulary of a tokenizer (tokenizer.json): save it beside the "
            f"encoder, with the tokenizer's save_pretrained"
        )
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder.path, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{folder.path}: its tokenizer cannot be loaded ({reason}): save it beside the encoder"
        ) from error
    places = folder.config.get("max_position_embeddings")
    return TextEncoder(
        name=folder.name,
        digest=folder.digest,
        network=load(folder.path, transformers.AutoModel),
        layers=folder.number("num_hidden_layers"),
        tokenizer=tokenizer,
        # Some families count places from behind the padding token's.
        longest=LONGEST if type(places) is not int else max(2, min(LONGEST, places - 2)),
    )


def require_transcripts(corpus: str, utterances: Sequence[Utterance], named: int = 5) -> None:
    """Passes utterances that all have a transcript.

    Raises:
        UserError: some have none; the message counts them and names the first.
    """
    silent = [one.name for one in utterances if not (one.text and one.text.strip())]
    if silent:
        more = f" and {len(silent) - named} more" if len(silent) > named else ""
        raise UserError(
            f"{len(silent)} of {len(utterances)} utterances of {corpus} have no transcript, which "
            f"a text encoder needs: {', '.join(silent[:named])}{more}. Add the transcripts (of a "
            f"table: a column text), or use --system representation without --text-teacher"
        )
