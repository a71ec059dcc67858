"""What a pre-trained encoder of text makes of transcripts."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from evaluation.systems.opened import Opened
from synth_data.corpora.tree import few
from synth_data.errors import UserError
from synth_data.representations import text
from synth_data.utterance import Utterance


@dataclass(frozen=True, eq=False)
class TextEncoder(Opened):
    """A BERT, MPNet, MiniLM or the like."""

    recipe: text.TextEncoder

    def tokens(self, utterance: Utterance) -> dict[str, Tensor]:
        """The transcript as the encoder takes it."""
        assert utterance.text is not None  # `require_transcripts`
        return self.recipe.tokens(utterance.text)

    @torch.no_grad()
    def states(self, utterance: Utterance) -> Float[Tensor, "state token dim"]:
        """The embeddings of the tokens, and what every layer makes of them.

        Raises:
            AudioError: they are not finite.
        """
        return self.listen(utterance, self.tokens(utterance))


def open_text(where: str) -> TextEncoder:
    """The text encoder in a folder, or of a name on the Hugging Face hub.

    Raises:
        UserError: there is none, it has no weights or no tokenizer, or it is none of text.
    """
    recipe = text.opened(where, {})
    return TextEncoder(recipe, recipe.network())


def require_transcripts(corpus: str, utterances: Sequence[Utterance]) -> None:
    """Passes utterances that all have a transcript.

    Raises:
        UserError: some have none; the message counts them and names the first.
    """
    silent = [one.name for one in utterances if not (one.text and one.text.strip())]
    if silent:
        raise UserError(
            f"{len(silent)} of {len(utterances)} utterances of {corpus} have no transcript, which "
            f"a text encoder needs: {few(silent)}. Add the transcripts (of a table: a column "
            f"text), leave these out with --skip-bad, or use --system representation without "
            f"--text-teacher"
        )
