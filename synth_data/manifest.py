"""`manifest.json`: everything about a set but its numbers, with a schema.

`Manifest.model_json_schema()` documents the file. It is read as untrusted input: unknown,
missing and ill-typed entries are errors. `digest` seals it: the SHA-256 of the file as it stands,
with 64 zeros in place of the digest. That finds damage; it is no signature.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import from_json

from synth_data.codecs import Codec, codec_of
from synth_data.decoder import MOST_NUMBERS, WIDEST, Decoder
from synth_data.errors import SetError, UserError
from synth_data.guarantee import ADJACENCY, COMPOSITION, NONE, Guarantee, taken_to_be_public
from synth_data.ledger import PrivacyBudget, Release, Unit
from synth_data.provenance import Provenance, PublicSpeech
from synth_data.representation import MOST_FRAMES, Representation
from synth_data.representations import Fusion, Recorded
from synth_data.schedule import Momentum
from synth_data.settings import Count, Positive
from synth_data.task import Task

MANIFEST = "manifest.json"
CARD = "README.md"
TENSORS = "set.safetensors"
START = "start.safetensors"
KIND = "distill-data synthetic set"
FORMAT_VERSION = 1
UNSEALED = "0" * 64
LATE = ("told_digest",)  # of the provenance; files older than it leave it out

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=100)]
FileName = Literal["README.md", "set.safetensors", "start.safetensors"]


def _usable(spec: Representation) -> Representation:
    """Refuses a recipe that no utterance could go through."""
    for name, (low, value, high) in spec.limits().items():
        if not low <= value <= high:
            raise ValueError(f"{name} is {value:g}, allowed is {low:g} to {high:g}")
    return spec


class _Entry(BaseModel):
    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        revalidate_instances="always",
    )


class StartEntry(_Entry):
    """The fixed initialisation, whose weights are in `start.safetensors`."""

    network: Name
    seed: int
    digest: Digest


class DimensionsEntry(_Entry):
    """The columns of targets after those of the emotions: numbers in [-1, 1].

    `scale` is what -1 and 1 are on the corpus' own scale; `cells` those of the label space that
    there are items for: bits of a number say which dimension is high, the first the highest.
    `proxies` says what the values are if nobody rated the utterances, and is empty if somebody did.
    `weights` are those of the dimensions in what is learned; none: all alike.
    """

    names: Annotated[tuple[Name, ...], Field(min_length=1)]
    scale: tuple[float, float]
    cells: tuple[Annotated[int, Field(ge=0)], ...]
    proxies: Annotated[str, Field(max_length=100)]
    weights: tuple[Annotated[float, Field(ge=0, allow_inf_nan=False)], ...] = ()


class CodecEntry(_Entry):
    """How items are stored: which numbers, which frames, and how many frames for one that is."""

    numbers: Literal["float32", "float16", "int8"]
    frames: Literal["every", "means", "middle", "cosines"]
    shorter: Annotated[Count, Field(le=MOST_FRAMES)]

    @property
    def codec(self) -> Codec:
        """That it describes."""
        return codec_of(**self.model_dump())


class DecoderEntry(_Entry):
    """Items that a network makes of codes: numbers of a code, channels, and within which limit."""

    code: Annotated[int, Field(ge=1, le=MOST_NUMBERS)]
    width: Annotated[int, Field(ge=1, le=WIDEST)]
    numbers: Literal["float32", "float16"]
    limit: Positive

    @property
    def codec(self) -> Decoder:
        """That it describes."""
        return Decoder(**self.model_dump())


def codec_entry(codec: Codec | Decoder) -> CodecEntry | DecoderEntry:
    """What a manifest says of how items are stored."""
    entry = DecoderEntry if isinstance(codec, Decoder) else CodecEntry
    return entry(**codec.named())


class ScheduleEntry(_Entry):
    """The native schedule, whose step sizes are the tensor `schedule.learning_rates`."""

    momentum: Momentum
    together: Count


class NoGuarantee(_Entry):
    """Nothing is guaranteed about the speakers."""

    mechanism: Literal["none"]
    statement: Literal["no formal guarantee"]


class ReleaseEntry(_Entry):
    """Noisy answers to one purpose."""

    purpose: Name
    noise_multiplier: float
    sampling_probability: float
    count: Count


class DifferentialPrivacy(_Entry):
    """What is guaranteed about every unit; epsilon follows from the releases."""

    mechanism: Literal["gaussian"]
    statement: str
    unit: Unit
    adjacency: Literal["add or remove one unit"]
    epsilon: float
    delta: float
    composition: str
    releases: tuple[ReleaseEntry, ...]
    public: tuple[str, ...]

    @property
    def guarantee(self) -> Guarantee:
        """The same, counted again.

        Raises:
            SetError: the releases cannot be, or come to more.
        """
        try:
            budget = PrivacyBudget(self.epsilon, self.delta, self.unit)
            releases = tuple(Release(**one.model_dump()) for one in self.releases)
            return Guarantee(budget, releases)
        except UserError as error:
            raise SetError(f"{MANIFEST}, privacy: {error}") from error


def privacy_entry(
    guarantee: Guarantee | None, speech: PublicSpeech | None, dimensions: str = ""
) -> NoGuarantee | DifferentialPrivacy:
    """What a manifest says of a guarantee, or of none: `taken_to_be_public` has the arguments."""
    if guarantee is None:
        return NoGuarantee(mechanism="none", statement=NONE)
    budget = guarantee.budget
    return DifferentialPrivacy(
        mechanism="gaussian",
        statement=guarantee.statement,
        unit=budget.unit,
        adjacency=ADJACENCY,
        epsilon=budget.epsilon,
        delta=budget.delta,
        composition=COMPOSITION,
        releases=tuple(ReleaseEntry(**asdict(one)) for one in guarantee.releases),
        public=taken_to_be_public(speech, dimensions),
    )


class FileEntry(_Entry):
    """A file beside the manifest."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Digest


class _Header(BaseModel):
    """What every format version has; read first."""

    model_config = ConfigDict(strict=True, extra="ignore")
    kind: Literal["distill-data synthetic set"]
    format_version: int


class Manifest(_Entry):
    """A synthetic set, described.

    Attributes:
        emotions: in the order of the targets' columns; none where dimensions alone are told.
        dimensions: the columns after them, where there are any; older files leave it out.
        labels: whether each row's emotions are one-hot, or hold a share of each; or there are none.
            Beside dimensions a row may tell no emotion, and is NaN in their columns.
        items: number of items whose largest target is the emotion, or that are in the cell.
        tensors: names and shapes in `set.safetensors`; float32, but for the features of a codec.
        size: of these tensors, in bytes: all that a student needs but the fixed initialisation.
        codec: how `features.*` become features, where they are not stored as they are.
        schedule: the training that the set was made for, where it was made for one.
        features: the recipe from a waveform to a feature tensor.
        transforms: names, in order; their values are tensors `transform.0.*`, ...
        start: the fixed initialisation, where there is one.
        nested: sizes of prefixes that are sets of their own, in items of each emotion, which then
            stand in the order of their emotions; older files leave it out, and have none.
        files: all others in the folder.
    """

    kind: Literal["distill-data synthetic set"]
    format_version: Literal[1]
    digest: Digest
    emotions: tuple[Name, ...]
    dimensions: DimensionsEntry | None = None
    labels: Literal["one-hot float rows", "soft float rows", "no emotions"]
    items: dict[Name, Annotated[int, Field(ge=0)]]
    tensors: dict[Name, tuple[Count, ...]]
    size: Count
    features: Annotated[Recorded, AfterValidator(_usable)]
    transforms: tuple[Name, ...]
    codec: CodecEntry | DecoderEntry | None
    schedule: ScheduleEntry | None
    start: StartEntry | None
    nested: tuple[Count, ...] = ()
    provenance: Provenance
    privacy: Annotated[NoGuarantee | DifferentialPrivacy, Field(discriminator="mechanism")]
    files: dict[FileName, FileEntry]

    @property
    def task(self) -> Task:
        """What is to be told.

        Raises:
            SetError: it is no task.
        """
        of = self.dimensions
        try:
            if of is None:
                return Task(self.emotions)
            return Task(self.emotions, of.names, of.scale, of.cells, of.proxies, of.weights)
        except UserError as error:
            raise SetError(f"{MANIFEST}: {error}") from error

    @property
    def guarantee(self) -> Guarantee | None:
        """About the speakers, counted again from the releases; None if there is none."""
        privacy = self.privacy
        return privacy.guarantee if isinstance(privacy, DifferentialPrivacy) else None

    @classmethod
    def draft(cls, **entries: object) -> "Manifest":
        """An unsealed manifest, without files.

        Raises:
            SetError: an entry is not what the format allows.
        """
        try:
            return cls.model_validate(
                {
                    "kind": KIND,
                    "format_version": FORMAT_VERSION,
                    "digest": UNSEALED,
                    "files": {},
                    **entries,
                }
            )
        except ValidationError as error:
            raise SetError(f"the set cannot be described: {_explain(error)}") from error

    def seal(self, files: Mapping[str, bytes]) -> bytes:
        """The bytes of `manifest.json` beside these files."""
        listed = {
            name: FileEntry(bytes=len(content), sha256=sha256(content).hexdigest())
            for name, content in sorted(files.items())
        }
        open_manifest = self.model_copy(update={"files": listed, "digest": UNSEALED})
        content = (open_manifest.model_dump_json(indent=2) + "\n").encode()
        return content.replace(UNSEALED.encode(), sha256(content).hexdigest().encode(), 1)

    @classmethod
    def parse(cls, content: bytes) -> "Manifest":
        """The manifest in the bytes of a `manifest.json`.

        Raises:
            SetError: it is not one, of an unknown format version, changed since it was written,
                or against the schema.
        """
        try:
            header = _Header.model_validate_json(content)
        except ValidationError as error:
            raise SetError(
                f"{MANIFEST} is not that of a synthetic set: {_explain(error)}"
            ) from error
        if header.format_version != FORMAT_VERSION:
            raise SetError(
                f"{MANIFEST} has format version {header.format_version}; this package knows "
                f"version {FORMAT_VERSION}: update distill-data"
            )
        try:
            manifest = cls.model_validate_json(content)
        except ValidationError as error:
            raise SetError(f"{MANIFEST} is against the schema: {_explain(error)}") from error
        manifest._require_complete(content)
        found = sha256(content.replace(manifest.digest.encode(), UNSEALED.encode(), 1)).hexdigest()
        if found != manifest.digest:
            raise SetError(
                f"{MANIFEST} was changed after it was written: its digest is {found[:12]}..., "
                f"not {manifest.digest[:12]}...; get an unchanged copy of the set"
            )
        return manifest

    def _require_complete(self, content: bytes) -> None:
        """Refuses a file that leaves a field to its default: defaults change, files stay."""
        parsed = from_json(content)
        parts = [("features", self.features, parsed["features"])]
        if isinstance(self.features, Fusion):
            inner = zip(self.features.together, parsed["features"]["together"], strict=True)
            parts += [(f"features.together.{i}", *each) for i, each in enumerate(inner)]
        for part, value, said in (*parts, ("provenance", self.provenance, parsed["provenance"])):
            held = {*said, *LATE}
            missing = [field.name for field in fields(value) if field.name not in held]
            if missing:
                raise SetError(
                    f"{MANIFEST} is against the schema: {part} lacks {missing[0]}. If another "
                    f"version of this package wrote it, make the set again with this one"
                )


def _explain(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(others)} more)" if others else ""
    return f"{where or 'the file'}: {first['msg']}{more}"
