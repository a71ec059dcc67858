"""Somebody else's tensors as a synthetic set, so that they can be judged like any other."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.functional import one_hot

from synth_data.errors import SetError
from synth_data.protocol import Protocol
from synth_data.provenance import IMPORTED, Provenance
from synth_data.real import RealSet
from synth_data.synthetic import SyntheticSet

FEATURES, TARGETS, LABELS = "features", "targets", "labels"


def adopt(
    file: Path,
    real: RealSet,
    protocol: Protocol,
    fold: int | None,
    emotions: tuple[str, ...],
    method: str,
) -> SyntheticSet:
    """A set of tensors that another program made.

    Args:
        file: `.safetensors` or `.npz` with `features` `[n, mel, frame]` in the feature recipe of
            `real`, and `targets` `[n, column]` (shares of emotions, then dimensions from -1 to 1,
            as the task of `real` has them) or, for emotions alone, `labels` `[n]` (class indices).
        real: the corpus that the tensors were made from.
        protocol: how it was split for that.
        fold: whose training side was used; None: all speakers.
        emotions: names of the emotions' columns, in the order of the file; the set's are in the
            order of the corpus. Dimensions are in that order in both.
        method: how they were made, as it will be called.

    Raises:
        SetError: the file cannot be read, lacks a tensor, or does not fit the corpus.
    """
    tensors = _read(file)
    features = _taken(tensors, FEATURES, file).float()
    targets = _targets(tensors, len(emotions), real.task.dimensions, file)
    if sorted(emotions) != sorted(real.emotions):
        raise SetError(
            f"{file} has the emotions {', '.join(emotions)}; {real.facts.title} has "
            f"{', '.join(real.emotions)}: name them as the corpus does"
        )
    if tuple(features.shape[1:]) != real.spec.shape:
        raise SetError(
            f"{file}: features are of shape {list(features.shape)}; this feature recipe gives "
            f"[n, {real.spec.mels}, {real.spec.frames}], mels before frames: choose another "
            f"--feature, or transpose them"
        )
    order = [emotions.index(emotion) for emotion in real.emotions]
    targets = torch.cat([targets[:, order], targets[:, len(order) :]], dim=1)
    trained = len(real) if fold is None else len(protocol.folds(real.utterances)[fold - 1].train)
    return SyntheticSet(
        features=features,
        targets=targets,
        task=real.task,
        spec=real.spec,
        start=None,
        provenance=Provenance(
            corpus=real.corpus,
            corpus_title=real.facts.title,
            corpus_digest=real.digest,
            told_digest=real.content,
            licence=real.facts.licence,
            derivatives=real.facts.derivatives,
            citation=real.facts.citation,
            protocol=protocol.name,
            fold=fold,
            objective=method,
            settings={},
            seed=0,
            per_class=-(
                -len(features) // len(real.task.groups)
            ),  # rivals of its size are no smaller
            training_utterances=trained,
            notes=(
                f"{IMPORTED} {file.name}",
                *dict.fromkeys(part.licence for part in real.spec.parts if part.licence),
            ),
        ),
    )


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".npz":
            with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
                return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        return load_file(file)
    except (OSError, ValueError, TypeError, BadZipFile, SafetensorError) as error:
        raise SetError(
            f"{file}: cannot be read ({error}); give a .safetensors or an .npz file without "
            f"pickled objects"
        ) from error


def _taken(tensors: dict[str, Tensor], name: str, file: Path) -> Tensor:
    if name not in tensors:
        raise SetError(
            f"{file} has no '{name}'; found {', '.join(sorted(tensors)) or 'nothing'}: it needs "
            f"'{FEATURES}', and '{TARGETS}' or '{LABELS}'"
        )
    if tensors[name].is_complex():
        raise SetError(f"{file}: '{name}' must be real numbers; found {tensors[name].dtype}")
    return tensors[name]


def _targets(
    tensors: dict[str, Tensor], emotions: int, dimensions: tuple[str, ...], file: Path
) -> Tensor:
    if TARGETS in tensors or dimensions:
        targets = _taken(tensors, TARGETS, file).float()
        columns = emotions + len(dimensions)
        if targets.ndim != 2 or targets.shape[1] != columns:
            raise SetError(
                f"{file}: '{TARGETS}' must have {columns} columns ({emotions} emotions"
                f"{''.join(f', {name}' for name in dimensions)}); found {list(targets.shape)}"
            )
        return targets
    labels = _taken(tensors, LABELS, file)
    whole = not labels.is_floating_point() and labels.ndim == 1 and len(labels) > 0
    indices = labels.long()  # the least of unsigned integers is not to be had everywhere
    if not whole or not 0 <= int(indices.min()) <= int(indices.max()) < emotions:
        raise SetError(
            f"{file}: '{LABELS}' must be class indices from 0 to {emotions - 1}, one per item; "
            f"found {labels.dtype} of shape {list(labels.shape)}"
        )
    return one_hot(indices, emotions).float()
