"""Real items that a run's own report sets beside a set; `evaluate-data` knows more."""

from synth_data.codecs import Codec
from synth_data.decoder import Decoder
from synth_data.frame_kinds import Cosines

STORED_SMALL = "compressed-int8"
AS_COSINES = "cosines-int8"


def stored_small(codec: Codec | Decoder) -> tuple[str, ...]:
    """Baselines of as many real items as fit into a set's bytes when they are stored small.

    They are stored in their own ways, not in the set's.

    Args:
        codec: how the set's items are stored. Beside items as they are there are no such baselines;
            beside items as cosines, real items as cosines too.
    """
    if codec == Codec():
        return ()
    cosines = isinstance(codec, Codec) and isinstance(codec.frames, Cosines)
    return (STORED_SMALL, AS_COSINES) if cosines else (STORED_SMALL,)
