"""torchaudio's pure-Python parts, importable whatever torch build stands beside it.

torchaudio's wheel carries a native library that does not load beside a CPU-only torch or one
built for a newer CUDA, and importing the package then fails. Nothing used here needs it. This is
the only module that imports torchaudio, and it must come before any library that may import it.
"""

import sys
import types

try:
    import torchaudio
except (ImportError, OSError, RuntimeError):
    for name in [n for n in sys.modules if n.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    stand_in = types.ModuleType("torchaudio._extension")
    vars(stand_in).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_RIR_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        fail_if_no_align=lambda function: function,
        lazy_import_sox_ext=lambda: None,
    )
    sys.modules["torchaudio._extension"] = stand_in
    import torchaudio

from torchaudio.compliance import kaldi
from torchaudio.transforms import MelSpectrogram

__all__ = ["MelSpectrogram", "kaldi", "torchaudio"]
