"""The tensors in a set's files: by which names, and from and to safetensors."""

from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor

from synth_data.codecs import Packed
from synth_data.decoder import Decoder
from synth_data.errors import SetError, UserError
from synth_data.manifest import MANIFEST, TENSORS, Manifest
from synth_data.schedule import NativeSchedule

FEATURES, RATES = "features.", "schedule.learning_rates"  # how tensors are named
LARGEST = 2**29  # numbers to decode, 4 GB in doubles; a few stored ones could ask for any amount


def packed_of(manifest: Manifest, tensors: Mapping[str, Tensor]) -> Packed | None:
    """The stored features, if they are encoded.

    Raises:
        SetError: they are not of the shapes and types that the manifest's codec has, or decoding
            them would take more memory than a set should.
    """
    if manifest.codec is None:
        return None
    codec, shape = manifest.codec.codec, (*manifest.features.shape, len(manifest.task.groups))
    try:
        layout = codec.layout(*shape)
    except UserError as error:
        raise SetError(f"{MANIFEST}: {error}") from error
    stored, counts = {}, set()
    for name, (kind, expected) in layout.items():
        tensor = take(tensors, FEATURES + name)
        fits = len(tensor.shape) == len(expected) and all(
            wanted in (None, found) for wanted, found in zip(expected, tensor.shape, strict=True)
        )
        if tensor.dtype != kind or not fits:
            said = ", ".join("item" if wanted is None else str(wanted) for wanted in expected)
            raise SetError(
                f"'{FEATURES + name}' must be {kind} of shape [{said}]; found {tensor.dtype} of "
                f"{list(tensor.shape)}"
            )
        if None in expected:
            counts.add(len(tensor))
        stored[name] = tensor
    if len(counts) != 1:
        raise SetError("the stored features differ in their number of items")
    _require_small(manifest, *counts)
    if isinstance(codec, Decoder):
        codec.require(stored, shape[2])
    return Packed(codec, stored)


def _require_small(manifest: Manifest, items: int) -> None:
    """Raises `SetError` if decoding so many items would take more numbers than `LARGEST`."""
    mels, frames = manifest.features.shape
    # Means are drawn out to a multiple of what each stands for, and a network may be wider than
    # what it makes.
    longest = frames + getattr(manifest.codec, "shorter", 0)
    widest = max(mels, getattr(manifest.codec, "width", 0))
    if (numbers := items * widest * longest) > LARGEST:
        raise SetError(
            f"to decode {items} items takes {numbers:,} numbers, allowed are {LARGEST:,}: get the "
            f"set from somebody who makes smaller ones"
        )


def schedule_of(manifest: Manifest, tensors: Mapping[str, Tensor]) -> NativeSchedule | None:
    """The native schedule, if there is one."""
    if manifest.schedule is None:
        return None
    return NativeSchedule(
        take(tensors, RATES), manifest.schedule.momentum, manifest.schedule.together
    )


def to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """A safetensors file; equal tensors give equal bytes."""
    # Cloned, since tied weights and views share memory, which the format refuses.
    own = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    return safetensors.torch.save(own, metadata={"format": "pt"})


def from_bytes(files: Mapping[str, bytes], name: str) -> dict[str, Tensor]:
    """The tensors of one of a set's files.

    Raises:
        SetError: it is no safetensors file, or holds other numbers than such a set does.
    """
    try:
        tensors = safetensors.torch.load(files[name])
    except Exception as error:  # a parser of foreign bytes: whatever it throws, they are at fault
        raise SetError(f"{name} is not a readable safetensors file ({error})") from error
    for tensor_name, tensor in tensors.items():
        if tensor.dtype != torch.float32 and not tensor_name.startswith(FEATURES):
            raise SetError(f"{name}: '{tensor_name}' must be float32; found {tensor.dtype}")
    return tensors


def take(tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """One of them, or a `SetError` that says which there are."""
    if name not in tensors:
        raise SetError(
            f"{TENSORS} has no '{name}'; found {', '.join(sorted(tensors)) or 'nothing'}"
        )
    return tensors[name]
