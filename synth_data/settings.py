"""Settings from a TOML file, checked: what is unknown or of a wrong type is named."""

import dataclasses
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from synth_data.errors import UserError, unknown_name

T = TypeVar("T")

# The ranges of settings: `changed` holds them, type checkers see the plain types.
Count = Annotated[int, Field(ge=1)]
Whole = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, le=1)]
Share = Annotated[float, Field(ge=0, le=1)]


def read_settings(file: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UserError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            f"{file}: cannot be read as settings ({error}); give a TOML file, such as the run.toml "
            f"of another run"
        ) from error


def changed(what: str, default: T, values: object) -> T:
    """A dataclass value with other values for some of its fields, at any depth.

    Args:
        what: it is, as errors name it.
        default: an instance; what `values` leaves out is taken from it.
        values: a table by field name; tables within it change dataclasses within `default`.

    Raises:
        UserError: a name is no field, or a value is not of its field's type or range.
    """
    assert dataclasses.is_dataclass(default)
    if not isinstance(values, Mapping):
        raise UserError(f"{what}: should be a table of settings, found {values!r}")
    fields = {field.name: getattr(default, field.name) for field in dataclasses.fields(default)}
    for name, value in values.items():
        if name not in fields:
            raise unknown_name(f"setting of {what}", name, sorted(fields))
        inner = dataclasses.is_dataclass(fields[name])
        fields[name] = changed(f"{what}, {name}", fields[name], value) if inner else value
    try:
        checked: T = TypeAdapter(type(default)).validate_python(fields)
    except ValidationError as error:
        raise UserError(f"{what}: {in_words(error)}") from error
    return checked


def in_words(error: ValidationError) -> str:
    """What pydantic found, on one line."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc'])}: {_reason(problem['msg'])}, "
        f"found {problem['input']!r}"
        if problem["loc"]
        else _reason(problem["msg"])  # of the settings as a whole, which would be long to quote
        for problem in error.errors()
    )


def _reason(message: str) -> str:
    reason = message.removeprefix("Value error, ")
    return reason[:1].lower() + reason[1:]
