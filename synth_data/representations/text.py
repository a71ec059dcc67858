"""What is said, not how: embeddings of transcripts by a text encoder, through transformers."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from synth_data import pure_torchaudio  # noqa: F401 - before transformers, which may import it
from synth_data.errors import AudioError, UserError
from synth_data.representation import (
    FIT_LENGTH,
    MOST_FRAMES,
    MOST_NUMBERS,
    Limits,
    Representation,
    fit_length,
)
from synth_data.representations.encoder_folder import (
    EncoderDigest,
    EncoderName,
    find,
    open_encoder,
)
from synth_data.representations.layers import Weights, in_words, require_weights, weights_of
from synth_data.representations.loading import STATES, load, states_of
from synth_data.settings import Count, changed
from synth_data.utterance import Utterance

Pool = Literal["mean", "sequence"]
FRAMES = 32  # tokens of a sequence, if nothing else is said
LONGEST = 512  # tokens that are read at most; fewer where the encoder knows fewer places

TOKENIZERS = ("tokenizer.json", "vocab.*", "*.model")  # of which one holds the words


@dataclass(frozen=True)
class TextEncoder(Representation):
    """A frozen text encoder's layers, weighted by fixed numbers, over a transcript.

    The first tokens of a transcript are read, as many as the encoder can. "mean" is that over all
    tokens, as sentence encoders are trained (Reimers and Gurevych 2019).

    Attributes:
        kind: of representation.
        name: of the encoder, on the hub or that of its folder.
        digest_of_encoder: SHA-256 of its weights, settings and tokenizer; it is known by this.
        width: numbers for a token in its layers.
        layers: weight of its embeddings, and of each layer's output.
        pool: "mean" over the tokens, or "sequence".
        frames: tokens of a sequence, cut to length as log-mels are; else 1.
        longest: tokens that are read.
    """

    name: EncoderName
    digest_of_encoder: EncoderDigest
    width: int
    layers: Weights
    longest: int
    kind: Literal["text encoder"] = "text encoder"
    pool: Pool = "mean"
    frames: int = 1

    libraries: ClassVar[tuple[str, ...]] = ("transformers", "tokenizers")
    slow: ClassVar[bool] = True
    hears: ClassVar[bool] = False

    def __post_init__(self) -> None:
        require_weights(self.layers)
        if self.pool == "mean" and self.frames != 1:
            raise UserError(
                "frames are of a sequence, and a mean has one: give pool=sequence, or leave them "
                "out"
            )

    @property
    def shape(self) -> tuple[int, int]:
        return self.width, self.frames

    @property
    def title(self) -> str:
        return f"text {self.name}, {in_words(self.layers)}, {self.pool}"

    def limits(self) -> Limits:
        return {
            "width": (1, self.width, MOST_NUMBERS),
            "frames": (1, self.frames, MOST_FRAMES),
            "longest": (2, self.longest, LONGEST),
        }

    @property
    def needs(self) -> str:
        return self.name

    def require_here(self) -> None:
        find(self.name, self.digest_of_encoder)

    def lacks(self, utterance: Utterance) -> str | None:
        return None if utterance.text and utterance.text.strip() else "a transcript"

    def of(self, utterance: Utterance) -> Float[Tensor, "mel frame"]:
        if (lacking := self.lacks(utterance)) or utterance.text is None:
            raise UserError(f"{utterance.name}: {self.title} needs {lacking}; found none")
        return self(utterance.text)

    def network(self) -> nn.Module:
        """The encoder itself, of `transformers`, without gradients.

        Raises:
            UserError: it is not here, or not all of it.
        """
        return self._loaded()[1]

    def tokens(self, text: str) -> dict[str, Tensor]:
        """What the encoder takes: the first tokens, as many as it can read."""
        longest = self.longest
        found = self.tokenizer()(text, return_tensors="pt", truncation=True, max_length=longest)
        return dict(found)

    def tokenizer(self) -> Any:
        """That of the encoder, of `transformers`.

        Raises:
            UserError: as `network`, or it cannot be loaded.
        """
        return self._loaded()[0]

    def _loaded(self) -> tuple[Any, nn.Module]:
        return _loaded(find(self.name, self.digest_of_encoder))

    def __call__(self, text: str) -> Float[Tensor, "mel frame"]:
        """The features of a transcript, float32.

        Raises:
            AudioError: they are not finite.
        """
        encoder = self.network()
        with torch.inference_mode():
            found = states_of(encoder, self.tokens(text))
            frames = torch.einsum("l,lfd->df", torch.tensor(self.layers), torch.cat(found))
        if not frames.isfinite().all():
            raise AudioError(f"the encoder {self.name} gives no finite features of it")
        frames = frames.clone()
        if self.pool == "mean":
            return frames.mean(dim=1, keepdim=True)
        return fit_length(frames, self.frames)

    def snippet(self) -> str:
        pooled = "features = frames.mean(dim=1, keepdim=True)"
        if self.pool == "sequence":
            pooled = FIT_LENGTH.format(name="frames", frames=self.frames)
        return f"""\
import torch
from transformers import AutoModel, AutoTokenizer

# The encoder {self.name}, whose digest is in the manifest.
tokenizer = AutoTokenizer.from_pretrained(TEXT_ENCODER)
encoder = AutoModel.from_pretrained(TEXT_ENCODER, use_safetensors=True, dtype=torch.float32).eval()
tokens = tokenizer(text, return_tensors="pt", truncation=True, max_length={self.longest})
with torch.no_grad():
    found = encoder(**tokens, output_hidden_states=True)
layers = torch.cat({STATES})
frames = torch.einsum("l,lfd->df", torch.tensor({list(self.layers)}), layers)
{pooled}"""


@dataclass(frozen=True)
class Options:
    """What can be said of a text encoder beside where it is.

    Attributes:
        layer: or layers, as `layers.weights_of` reads them.
        pool: as in `TextEncoder`.
        frames: of a sequence; `FRAMES` if absent.
    """

    layer: str = "all"
    pool: Pool = "mean"
    frames: Count | None = None


def opened(where: str, given: Mapping[str, str]) -> TextEncoder:
    """The representation by a text encoder in a folder or on the hub.

    Args:
        where: a folder, or a name on the Hugging Face hub.
        given: some of `Options`.

    Raises:
        UserError: the folder is none of an encoder of text, or an option is unknown or out of
            range.
    """
    options = changed("text", Options(), given)
    folder = open_encoder(where)
    wanted = "vocab_size" in folder.config and "conv_stride" not in folder.config
    if not wanted or folder.config.get("is_encoder_decoder", False):
        raise UserError(
            f"{folder.path} is no encoder of text, its config.json says model_type "
            f"{folder.config.get('model_type')!r}: give one such as BERT, RoBERTa or MPNet"
        )
    if not any(one for pattern in TOKENIZERS for one in folder.path.glob(pattern)):
        raise UserError(  # transformers would go on with an empty one
            f"{folder.path}: no tokenizer beside the encoder ({', '.join(TOKENIZERS)}): save one"
        )
    places = folder.config.get("max_position_embeddings")
    # Some families count places from behind the padding token's.
    room = LONGEST if type(places) is not int else max(2, min(LONGEST, places - 2))
    return TextEncoder(
        name=folder.name,
        digest_of_encoder=folder.digest,
        width=folder.number("hidden_size", "dim"),  # as DistilBERT calls it
        layers=weights_of(
            options.layer, folder.number("num_hidden_layers", "n_layers"), folder.name
        ),
        longest=room,
        pool=options.pool,
        frames=options.frames or (FRAMES if options.pool == "sequence" else 1),
    )


@lru_cache(maxsize=2)
def _loaded(folder: Path) -> tuple[Any, nn.Module]:
    """The tokenizer and the encoder in a folder that is known to be the right one.

    Raises:
        UserError: the tokenizer cannot be loaded.
    """
    from transformers import AutoModel, AutoTokenizer  # an extra, and slow to import

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{folder}: its tokenizer cannot be loaded ({reason}): get an undamaged copy"
        ) from error
    return tokenizer, load(folder, AutoModel)
