"""What a run does where nothing is said; which objective that is, `distill.choice` says."""

from typing import Any

# What an empty command line means for the built-in corpus: everything, within a minute.
FIRST_MINUTE: dict[str, Any] = {
    "fold": 1,
    "feature": "logmel64-short",
    "loop": {"steps": 400, "learning_rate": 0.1},  # fewer steps, so larger ones
    "settings": {"starts": 4, "checkpoints": 4},  # where an objective has such
    "recipe": {"schedules": [{"steps": 150, "learning_rate": 3e-3}]},
}
UNKNOWN_EMOTIONS = 4  # taken to be so many until recordings of one's own are read
SMALL_ITEMS: dict[str, Any] = {"slices": 4, "numbers": "int8"}
COSINES: dict[str, Any] = {"slices": 8, "numbers": "int8", "frames": "cosines"}
FEWEST_BYTES = {"slices": 16}  # of one item of each class
# So many items have by then gained what they gain, and lose a little by longer ways.
COSINES_LOOP: dict[str, Any] = {"steps": 200, "learning_rate": 0.01}
HALF_NUMBERS = {"numbers": "float16"}  # of a decoder, which makes whole items
# Under a privacy budget nothing real may be seen, and what follows the answers is cheap.
PRIVATE_LOOP: dict[str, Any] = {"initialisation": "spectrum", "steps": 60, "learning_rate": 0.1}
# What experts add for recordings, where there is time for one: labels, and a native schedule.
TAUGHT, NATIVE_STEPS = {"labels": "taught"}, 3
LEARNED = {"labels": "soft"}  # where dimensions are told: worth 0.01 to 0.07 of CCC


def small_items(ipc: int, frames: int, *, means: bool) -> dict[str, Any]:
    """How sets of recordings store their items: as cosines of low frequency, many in one's bytes.

    There is room for some thirty items for each of `ipc`, and for sixty where that is one (README,
    "Which way to store items?"). Items of fewer frames than slices are stored whole.

    Args:
        ipc: whose bytes there are.
        frames: of an item.
        means: to be stored as means of frames instead: since somebody says so, or how many slices
            there are, or where cosines were not tried, under a privacy budget, for dimensions, and
            of other features than log-mels.
    """
    cosines = COSINES | (FEWEST_BYTES if ipc == 1 else {})
    if means or cosines["slices"] > frames:
        return SMALL_ITEMS | {"slices": min(SMALL_ITEMS["slices"], frames)}
    return cosines
