"""What a card says of tensors that another program made: that hardly anything is known of them."""

from synth_data.provenance import Provenance

WHAT = (
    "feature tensors that another program made, to stand in for emotional speech recordings when a "
    "model is trained. They may be features of real recordings."
)
PRIVACY = (
    "No formal guarantee: nothing is known of the privacy of the people whose recordings went in. "
    "Another program made the tensors, and they may be features of real recordings, which give "
    "away what such features do. Attacks can measure some of that; an attack that fails is no "
    "guarantee."
)


def source(made: Provenance) -> str:
    """What the tensors are of."""
    return f"{made.amount} from {made.origin}, as whoever imported it says"


def method(made: Provenance) -> str:
    """How they were made, as far as it was said."""
    return f"`{made.objective}`, as whoever imported it calls it; seed and settings are not known"


def accuracy(made: Provenance) -> str:
    """What is known of the set's worth."""
    return (
        f"Nothing is known of what this set is worth. It is said to be made from {made.origin}: "
        f"evaluate it with `evaluate-data` on speakers that it was not made from."
    )
