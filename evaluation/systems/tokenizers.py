"""The tokenizer of an encoder of text, as files: whoever reads with a student needs it."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from evaluation.systems.text_encoders import TextEncoder


def tokenizer_files(teacher: TextEncoder) -> Mapping[str, bytes]:
    """The content of each, by its name.

    As transformers writes them, whole: of some encoders a part of it stands in other files.
    """
    with TemporaryDirectory() as folder:
        teacher.recipe.tokenizer().save_pretrained(folder)
        return {one.name: one.read_bytes() for one in sorted(Path(folder).iterdir())}
