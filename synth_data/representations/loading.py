"""From the folder of an encoder to its layers, with all their weights, or a clear error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn

from synth_data.errors import UserError

# What stands behind the last layer, in some families.
BEHIND = ("pooler", "adapter")
# Weights that answers do not need, so that a folder may lack them.
UNUSED = ("masked_spec_embed", *(f"{part}." for part in BEHIND))


def load(folder: Path, kind: Any, **options: Any) -> nn.Module:
    """An encoder's layers with their weights, in single precision whatever they are stored in.

    Args:
        folder: whose weights are in safetensors.
        kind: a class of transformers.
        options: of `from_pretrained`.

    Raises:
        UserError: the weights are damaged, or not all there.
    """
    from transformers.utils import logging  # an extra, and slow to import

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model, report = kind.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            dtype=torch.float32,  # as waveforms are; transformers keeps that of the files
            **options,
        )
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{folder}: the encoder cannot be loaded ({reason}): get an undamaged copy"
        ) from error
    lacking = sorted(one for one in report["missing_keys"] if not one.startswith(UNUSED))
    if lacking:  # transformers would go on with random ones
        raise UserError(
            f"{folder}: {len(lacking)} of the encoder's weights are not in its files, the first is "
            f"{lacking[0]}: get a whole copy, of the bare encoder"
        )
    module: nn.Module = model.eval().requires_grad_(False)
    return layers_alone(module)


# `states_of` in the code on a set's card; `found` is the encoder's answer.
STATES = "[*found.hidden_states[:-1], found.last_hidden_state]"


def states_of(
    encoder: nn.Module, heard: Mapping[str, Tensor]
) -> list[Float[Tensor, "n frame dim"]]:
    """What the first layer is given, and what every layer makes of it.

    Large speech encoders (do_stable_layer_norm) normalise what their last layer makes, and
    transformers has this in `last_hidden_state` alone; elsewhere the two are the same.

    Args:
        encoder: of transformers.
        heard: what it is called with.
    """
    found = encoder(**heard, output_hidden_states=True)
    return [*found.hidden_states[:-1], found.last_hidden_state]


def layers_alone(encoder: nn.Module) -> nn.Module:
    """The encoder, changed in place: without what stands behind its last layer.

    Nobody listens there, and where a folder lacks a BERT's pooler its weights are random.
    """
    for part in BEHIND:
        if isinstance(getattr(encoder, part, None), nn.Module):
            setattr(encoder, part, nn.Identity())  # not all families do without
    return encoder
