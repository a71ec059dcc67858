"""A student of `distill-model` in its folder: all that its user needs, and the way to use it.

```python
from evaluation.systems.shipped import load_student

student = load_student("runs/representation/fold-1")
student(waveform)  # mono, at student.sample_rate: {"valence": ..., ...}, about -1 to 1
```
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from evaluation.files import write_atomically
from evaluation.systems.encoders import SpeechEncoder
from evaluation.systems.fitting import answers
from evaluation.systems.pooled import Fusion, Pooled
from evaluation.systems.sequences import Sequences
from evaluation.systems.states import summed_up
from evaluation.systems.system import Product
from evaluation.systems.tc_gru import TCGRU, Size
from evaluation.systems.text_encoders import TextEncoder
from synth_data.errors import UserError
from synth_data.features import FeatureSpec
from synth_data.progress import SILENT
from synth_data.representations import encoder, text
from synth_data.representations.loading import layers_alone
from synth_data.task import Task
from synth_data.utterance import Source, Utterance

WEIGHTS, MANIFEST, TOKENIZER = "student.safetensors", "manifest.json", "tokenizer"


def ship(folder: Path, product: Product, facts: Mapping[str, Any]) -> None:
    """Writes a student's weights, its tokenizer if it reads, and how both are used.

    Args:
        folder: made if it is missing.
        product: with the student.
        facts: for the manifest: whose it is, and what it tells.
    """
    (folder / TOKENIZER if product.tokenizer else folder).mkdir(parents=True, exist_ok=True)
    part = folder / f".{WEIGHTS}.part"
    save_file(dict(product.weights), part)
    part.replace(folder / WEIGHTS)
    for name, content in product.tokenizer.items():
        (folder / TOKENIZER / name).write_bytes(content)
    manifest = {
        "format": 1,
        **facts,
        **product.manifest,
        "sha256": {str(one): _digest(folder / one) for one in _files(product.tokenizer)},
    }
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1, default=list) + "\n")


@dataclass(frozen=True, eq=False)
class Student:
    """A student that is ready to be used.

    Attributes:
        manifest: what is known of it.
        sample_rate: of the speech that it takes, in Hz.
        network: on what is heard.
        task: what it tells; its scale is that of the corpus it was taught on.
        features: that the network hears; else it has encoders.
        encoders: one of speech, and where it reads, one of text.
    """

    manifest: Mapping[str, Any]
    sample_rate: int
    network: nn.Module
    task: Task
    features: FeatureSpec | None
    encoders: tuple[SpeechEncoder | TextEncoder, ...]

    def __call__(
        self, waveform: Float[Tensor, " sample"], transcript: str | None = None
    ) -> dict[str, float]:
        """What it tells of an utterance: each dimension, where -1 to 1 is the scale it learned.

        Args:
            waveform: mono, at `sample_rate`; of more than 30 seconds the middle is heard.
            transcript: what is said, if it reads.

        Raises:
            UserError: it reads, and there is nothing to be read.
        """
        if len(self.encoders) > 1 and not (transcript and transcript.strip()):
            raise UserError("this student reads what is said: give the transcript as well")
        utterance = Utterance("utterance", _Given(waveform), "", "speaker", text=transcript)
        heard = self._low_level(waveform) if self.features is not None else self._pooled(utterance)
        _, outputs = answers(self.network, heard)
        told = self.task.numbers(outputs)[0].tolist()
        return dict(zip(self.task.dimensions, told, strict=True))

    def _low_level(self, waveform: Float[Tensor, " sample"]) -> Sequences:
        """As `StateCache.low_level`, in half precision too."""
        assert self.features is not None
        heard = encoder.middle(waveform, self.sample_rate)
        return Sequences.of([own_length(self.features, heard).half()])

    def _pooled(self, utterance: Utterance) -> Pooled:
        return Pooled(tuple(summed_up(each, [utterance], SILENT) for each in self.encoders))


def load_student(folder: Path | str) -> Student:
    """The student that `distill-model` left in a folder such as `runs/representation/fold-1`.

    Raises:
        UserError: there is none, or it is damaged.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise UserError(f"{folder} holds no {MANIFEST} of a student: give a fold of distill-model")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        changed = [one for one, sha in manifest["sha256"].items() if _digest(folder / one) != sha]
        if changed:
            raise UserError(f"{folder / changed[0]} is not the file that the manifest lists")
        weights = load_file(folder / WEIGHTS)
        return _student(folder, manifest, weights)
    except UserError:
        raise
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, SafetensorError) as error:
        raise UserError(
            f"{folder}: the student is damaged ({type(error).__name__}: {error}): delete the fold "
            f"and give its distill-model command again"
        ) from error


def own_length(spec: FeatureSpec, waveform: Float[Tensor, " sample"]) -> Float[Tensor, "frame mel"]:
    """Features of all of an utterance, neither cut nor repeated."""
    frames = 1 + len(waveform) // round(spec.hop * spec.sample_rate)
    found: Tensor = FeatureSpec(**{**spec.settings(), "frames": frames})(waveform).T
    return found


@dataclass(frozen=True)
class _Given(Source):
    """Speech that is at hand, at the rate that is asked for."""

    samples: Tensor

    def waveform(self, sample_rate: int) -> Float[Tensor, " sample"]:  # noqa: ARG002
        return self.samples

    def digest(self) -> bytes:
        return sha256(self.samples.numpy().tobytes()).digest()


@dataclass(frozen=True, eq=False)
class _Reader(TextEncoder):
    """An encoder of text with a tokenizer of its own."""

    tokenizer: Any

    def tokens(self, utterance: Utterance) -> dict[str, Tensor]:
        limits = {"truncation": True, "max_length": self.recipe.longest}
        return dict(self.tokenizer(utterance.text, return_tensors="pt", **limits))


def _student(folder: Path, manifest: Mapping[str, Any], weights: Mapping[str, Tensor]) -> Student:
    emotions, dimensions = manifest["emotions"], manifest["dimensions"]
    task = Task(tuple(emotions), tuple(dimensions), tuple(manifest["scale"]))
    features: FeatureSpec | None = None
    encoders: tuple[SpeechEncoder | TextEncoder, ...] = ()
    if "features" in manifest:
        features = FeatureSpec(**manifest["features"])
        network: nn.Module = TCGRU(features.mels, len(task.columns), Size(**manifest["size"]))
        network.load_state_dict(_of("student", weights))
    else:
        shapes = [(states, width) for states, width in manifest["shapes"]]
        network = Fusion(shapes, len(task.columns), manifest["hidden"])
        network.load_state_dict(_of("head", weights))
        encoders = _speech(manifest["speech"], weights), _text(folder, manifest["text"], weights)
    rate = features.sample_rate if features is not None else manifest["speech"]["sample_rate"]
    return Student(manifest, rate, network.eval(), task, features, encoders)


def _speech(told: Mapping[str, Any], weights: Mapping[str, Tensor]) -> SpeechEncoder:
    config = told["config"]
    recipe = encoder.SpeechEncoder(
        family=config["model_type"],
        name=told["teacher"],
        digest_of_encoder=told["digest_of_teacher"],
        width=config["hidden_size"],
        layers=_last(config["num_hidden_layers"]),
        **{name: told[name] for name in ("scaled", "stride", "receptive", "sample_rate")},
    )
    return SpeechEncoder(recipe, _network(config, _of("speech", weights)))


def _text(folder: Path, told: Mapping[str, Any], weights: Mapping[str, Tensor]) -> TextEncoder:
    from transformers import AutoTokenizer  # an extra, and slow to import

    config = told["config"]
    network = _network(config, _of("text", weights))
    layers = int(network.config.num_hidden_layers)  # type: ignore[union-attr,arg-type]
    recipe = text.TextEncoder(
        name=told["teacher"],
        digest_of_encoder=told["digest_of_teacher"],
        width=int(network.config.hidden_size),  # type: ignore[union-attr,arg-type]
        layers=_last(layers),
        longest=told["longest"],
    )
    tokenizer = AutoTokenizer.from_pretrained(
        folder / TOKENIZER, local_files_only=True, trust_remote_code=False
    )
    return _Reader(recipe, network, tokenizer)


def _network(config: Mapping[str, Any], weights: Mapping[str, Tensor]) -> nn.Module:
    from transformers import AutoConfig, AutoModel  # an extra, and slow to import

    given = {name: value for name, value in config.items() if name != "model_type"}
    whole = AutoConfig.for_model(config["model_type"], **given)
    network = layers_alone(AutoModel.from_config(whole))  # type: ignore[no-untyped-call]
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def _last(layers: int) -> tuple[float, ...]:
    """Weights of an encoder's states, of which all are heard here."""
    return (*(0.0 for _ in range(layers)), 1.0)


def _of(part: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def _files(tokenizer: Mapping[str, bytes]) -> list[Path]:
    return [Path(WEIGHTS), *(Path(TOKENIZER) / name for name in tokenizer)]


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()
