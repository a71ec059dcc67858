"""torchaudio is usable when its native library does not load."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys

class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "torchaudio._extension":
            raise ERROR("libc10_cuda.so: cannot open shared object file")

sys.meta_path.insert(0, Broken())
import torch

try:
    import torchaudio
except ERROR:
    print("control: a plain import fails")

from synth_data.features import FeatureSpec
from synth_data.pure_torchaudio import torchaudio

features = FeatureSpec()(torch.randn(16_000, generator=torch.Generator().manual_seed(0)))
assert features.isfinite().all() and features.std() > 0.1
print(torchaudio.functional.resample(torch.zeros(480), 48_000, 16_000).shape)
"""


@pytest.mark.parametrize("error", ["OSError", "RuntimeError", "ImportError"])
def test_a_broken_native_library_is_survived(error):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("ERROR", error)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["control: a plain import fails", "torch.Size([160])"]
