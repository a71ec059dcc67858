"""What a small device pays: the memory that training one student takes."""

import gc
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import torch

from evaluation.networks import NETWORKS, draw_weights, skeleton
from evaluation.students import Examples, Recipe, Setting, train
from synth_data.randomness import generator

KIBI = 1024  # bytes, the unit of /proc
STEPS = 3  # after which the peak no longer grows
# What is freed goes back to the system at once, so that what a process holds is what it needs.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}


@cache
def peak_memory(
    student: str, items: int, mels: int, frames: int, emotions: int, batch: int
) -> int | None:
    """Bytes by which training a network raises a fresh process above what its libraries hold.

    Values do not matter, so noise of the same shape is trained on; the set itself is counted.

    Args:
        student: a network; None is returned for other students, and where the system does not
            tell (other than Linux).
        items: in the set.
        mels: of an item.
        frames: of an item.
        emotions: of its targets.
        batch: items per step.
    """
    if student not in NETWORKS or not sys.platform.startswith("linux"):
        return None
    shape = [str(number) for number in (items, mels, frames, emotions, batch)]
    command = [sys.executable, "-m", "evaluation.edge", student, *shape]
    found = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | ALLOCATOR
    )
    return int(found.stdout) if found.returncode == 0 else None


def _measure(student: str, items: int, mels: int, frames: int, emotions: int, batch: int) -> int:
    torch.set_num_threads(1)
    draws = generator(0, "edge")

    def steps(count: int, size: int) -> None:
        network = skeleton(student, mels, emotions)
        weights = draw_weights(network, draws)
        targets = torch.eye(emotions)[torch.arange(size) % emotions]
        examples = Examples(torch.randn(size, mels, frames, generator=draws), targets)
        train(network, weights, examples, Recipe(batch=batch), Setting(count, 1e-3), draws)

    steps(1, 2)  # loads what training loads; BatchNorm needs two
    gc.collect()
    before = held("VmRSS")
    steps(STEPS, items)
    return held("VmHWM") - before


def held(what: str) -> int:
    """Bytes that this process holds (VmRSS), or the most that it has held (VmHWM).

    `getrusage` would tell its parent's most, too.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) * KIBI


if __name__ == "__main__":
    print(_measure(sys.argv[1], *(int(number) for number in sys.argv[2:])))
