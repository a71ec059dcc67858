"""Small synthetic sets, and forged ones: folders whose every digest is right."""

import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from synth_data.codecs import Packed
from synth_data.decoder import Decoder
from synth_data.features import FeatureSpec
from synth_data.provenance import Provenance, Start, package_version
from synth_data.synthetic import SyntheticSet
from synth_data.task import Task
from synth_data.transforms import Standardise

SPEC = FeatureSpec(mels=8, frames=12, normalisation="training")
ZEROS = "0" * 64
CLASSES = torch.arange(3).repeat_interleave(4)


def provenance(**changes: Any) -> Provenance:
    made = Provenance(
        corpus="emodb",
        corpus_title="EmoDB (2005 release)",
        corpus_digest="0123456789abcdef",
        licence='free for "research" use: see its site',
        derivatives="yes",
        citation="F. Burkhardt et al.,\nInterspeech 2005",
        protocol="leave-one-speaker-out",
        fold=3,
        objective="gradient-matching",
        settings={"steps": 100, "learning_rate": 0.1, "shifts": [0, 8], "mixed": None},
        seed=0,
        per_class=2,
        training_utterances=420,
        notes=("530 utterances instead of the published 535",),
        version=package_version(),
    )
    return replace(made, **changes)


def set_of_codes(classes: torch.Tensor = CLASSES, **changes: Any) -> SyntheticSet:
    """Four codes for each of three emotions, and a decoder that makes items of them."""
    draws, decoder = torch.Generator().manual_seed(1), Decoder(code=4, width=6)
    weights = decoder.draw(*SPEC.shape, 3, draws)
    codes = torch.randn(len(classes), 4, generator=draws)
    packed = Packed(decoder, decoder.encode(weights, codes, classes))
    settings = {
        "features": packed.features(SPEC.frames),
        "packed": packed,
        "targets": 0.8 * torch.eye(3)[classes] + 0.2 / 3,
        "provenance": provenance(estimate="UAR 0.61", fold=None),
    }
    return small_set(**settings | changes)


def small_set(**changes: Any) -> SyntheticSet:
    """Two items for each of three emotions, with a start and a transform."""
    generator = torch.Generator().manual_seed(0)
    weights = {
        "head.weight": torch.randn(3, 8, generator=generator),
        "head.bias": torch.zeros(3),
        "scale": torch.tensor(0.5),
    }
    entries: dict[str, Any] = {
        "features": torch.randn(6, *SPEC.shape, generator=generator),
        "targets": torch.eye(3).repeat(2, 1),
        "task": Task(("anger", "neutral", "sadness")),
        "spec": SPEC,
        "start": Start("tdnn", 7, weights),
        "provenance": provenance(),
        "transforms": (Standardise(torch.linspace(-1, 1, 8), torch.linspace(0.5, 2, 8)),),
    }
    return SyntheticSet(**{**entries, **changes})


def forge(
    folder: Path, change: Callable[[dict[str, Any]], object] = lambda _: None, **files: bytes
) -> None:
    """Changes a saved set as somebody would who also mends every digest.

    Args:
        folder: of the set.
        change: applied to the parsed manifest.
        files: new contents, by file stem: `set`, `start` or `README`.
    """
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    for stem, content in files.items():
        name = f"{stem}.md" if stem == "README" else f"{stem}.safetensors"
        (folder / name).write_bytes(content)
        manifest["files"][name] = {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    change(manifest)
    manifest["digest"] = ZEROS
    content = json.dumps(manifest)
    path.write_text(content.replace(ZEROS, sha256(content.encode()).hexdigest(), 1))
