"""What all tests share."""

import os
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of the real corpora (`emodb/`, `ravdess/`), or a skip."""
    root = os.environ.get("SER_DATA_ROOT")
    if not root:
        pytest.skip("SER_DATA_ROOT names no folder of real corpora")
    return Path(root)
