"""The synthetic set: a few feature tensors per emotion, shared in place of recordings.

On disk it is a folder that needs nothing of this package:

    set.safetensors     features, targets, and the values of the feature transforms
    start.safetensors   the fixed initialisation, where there is one
    manifest.json       everything else (`Manifest.model_json_schema()`)
    README.md           the same for people: a dataset card

The same set gives the same bytes in every file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from synth_data import set_folder
from synth_data.card import card
from synth_data.codecs import Packed, size
from synth_data.decoder import Decoder
from synth_data.drawing import drawn_notes, mixed, require_drawable
from synth_data.errors import SetError
from synth_data.guarantee import Guarantee
from synth_data.manifest import (
    CARD,
    MANIFEST,
    START,
    TENSORS,
    DimensionsEntry,
    Manifest,
    ScheduleEntry,
    StartEntry,
    codec_entry,
    privacy_entry,
)
from synth_data.prefix import by_class, note, require_sizes
from synth_data.provenance import Provenance, Start
from synth_data.randomness import generator
from synth_data.representation import Representation
from synth_data.schedule import NativeSchedule
from synth_data.set_checks import check_emotions, check_targets
from synth_data.set_size import SetSize
from synth_data.set_tensors import (
    FEATURES,
    RATES,
    from_bytes,
    packed_of,
    schedule_of,
    take,
    to_bytes,
)
from synth_data.task import Task
from synth_data.transforms import Transform, stack, unstack

__all__ = ["Provenance", "Start", "SyntheticSet"]


@dataclass(frozen=True, eq=False)
class SyntheticSet:
    """Synthetic items, how to use them, and how they were made. It has no speakers.

    Attributes:
        features: `[n, mel, frame]`, float32, already transformed.
        targets: `[n, column]`, float32 rows: each emotion's share in [0, 1], which sum to 1, and
            then the dimensions in [-1, 1]. Beside dimensions some rows may tell no emotion: NaN.
        task: what is to be told, which names the targets' columns.
        spec: recipe from a waveform to features; then come the transforms.
        start: the network the set was distilled against, before training; None where a method
            knows no such network.
        provenance: how it was made.
        transforms: that real features must go through to meet these, in order.
        packed: the features as they are stored, where that is in fewer bytes.
        schedule: the training from `start` that the set was made for, where it was made for one.
        guarantee: what is guaranteed about the speakers; None if nothing is.
        nested: sizes of prefixes that it was made to hold as sets of their own, in items of each
            emotion, from the smallest; none for most sets.

    Raises:
        SetError: tensors do not fit each other, the recipe or the emotions, or are not finite.
    """

    # Shapes are not in these types: files decide them, so `__post_init__` has to report them.
    features: Tensor
    targets: Tensor
    task: Task
    spec: Representation
    start: Start | None
    provenance: Provenance
    transforms: tuple[Transform, ...] = ()
    packed: Packed | None = None
    schedule: NativeSchedule | None = None
    guarantee: Guarantee | None = None
    nested: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_emotions(self.task.columns)
        check_targets(self.targets, self.task)
        # On the meta device, since a recipe from a foreign file may ask for any amount of memory.
        item = self.transform(torch.empty(1, *self.spec.shape, device="meta"))
        expected = [len(self.targets), *item.shape[1:]]
        if self.features.dtype != torch.float32 or list(self.features.shape) != expected:
            raise SetError(
                f"features must be float32 of shape {expected}, as the targets, the recipe and "
                f"the transforms say; found {self.features.dtype} of {list(self.features.shape)}"
            )
        if not self.features.isfinite().all():
            raise SetError("features hold values that are not finite")
        if self.packed and not torch.equal(self.packed.features(expected[2]), self.features):
            raise SetError("features are not what the stored ones decode to")
        if self.schedule and not self.start:
            raise SetError("a native schedule starts from the fixed initialisation; found none")
        if self.nested:
            every = self._by_class()
            require_sizes(self.nested, every.shape[1])
            if not _in_order(every):
                raise SetError("items of a nested set must stand in the order of their emotions")

    def __len__(self) -> int:
        return len(self.features)

    @property
    def emotions(self) -> tuple[str, ...]:
        """The class names; none where dimensions alone are told."""
        return self.task.emotions

    @property
    def per_class(self) -> dict[str, int]:
        """Number of items whose largest target is the emotion, or whose numbers lie in the cell."""
        groups = self.task.groups
        counts = self.task.group_of(self.targets).bincount(minlength=len(groups))
        return dict(zip(groups, counts.tolist(), strict=True))

    @property
    def bytes(self) -> int:
        """Of everything a student needs: features, targets, transforms and schedule, as stored."""
        return sum(tensor.nbytes for tensor in _tensors(self).values())

    @property
    def start_bytes(self) -> int:
        """Of the fixed initialisation; 0 without one."""
        return sum(tensor.nbytes for tensor in self.start.weights.values()) if self.start else 0

    def transform(self, features: Float[Tensor, "n mel frame"]) -> Float[Tensor, "n mel frame"]:
        """Brings features of real speech, computed with `spec`, to where the set's features are."""
        for transform in self.transforms:
            features = transform(features)
        return features

    def prefix(self, per_class: int) -> "SyntheticSet":
        """The first items of each emotion, as a set of its own.

        It keeps the guarantee, since cutting asks nothing of the speech, and the native schedule if
        that uses no other items; it has no estimate of what it is worth.

        Args:
            per_class: items of each emotion; of sizes that are not in `nested` a note says so.

        Raises:
            SetError: there are not more items than that, or not as many of each emotion.
        """
        every = self._by_class()
        require_sizes((per_class,), every.shape[1])
        rows = every[:, :per_class].flatten()
        packed = self.packed and self.packed.some(rows)
        features = packed.features(self.features.shape[2]) if packed else self.features[rows]
        fits = self.schedule is not None and _in_order(every) and self.schedule.within(per_class)
        told = note(
            *(per_class, every.shape[1], _digest(self)),
            made_for=per_class in self.nested,
            schedule_lost=self.schedule is not None and not fits,
        )
        smaller = tuple(each for each in self.nested if each < per_class)
        schedule = self.schedule if fits else None
        notes = (*self.provenance.notes, told)
        return self._derived(features, packed, self.targets[rows], notes, schedule, smaller)

    def drawn(self, per_class: int, seed: int) -> "SyntheticSet":
        """Other items that this set's decoder makes, as a set of its own (`synth_data.drawing`).

        It keeps the guarantee, since drawing asks nothing of the speech; it has no native schedule,
        which is for certain items, and no estimate of what it is worth.

        Args:
            per_class: items of each emotion or cell that the set's own items were made for.
            seed: equal seeds draw equal items.

        Raises:
            SetError: the set has no decoder, a class has one item only, or more are asked for than
                a set can hold.
        """
        mels, frames = self.features.shape[1:]
        codec = self.packed.codec if self.packed else None
        decoder = require_drawable(codec, per_class, len(self.task.groups), mels, frames)
        assert self.packed is not None  # as whoever has a decoder has
        stored = self.packed.stored
        codes, targets, classes = mixed(
            *(stored["codes"].float(), self.targets, stored["classes"].long()),
            *(per_class, generator(seed, "drawn")),
        )
        new = {"codes": codes.to(stored["codes"].dtype), "classes": classes.to(torch.uint8)}
        packed = Packed(decoder, stored | new)
        notes = drawn_notes(
            *(per_class, len(self), _digest(self), seed, self.provenance.notes),
            schedule_lost=self.schedule is not None,
        )
        return self._derived(packed.features(frames), packed, targets, notes)

    def _derived(
        self,
        features: Tensor,
        packed: Packed | None,
        targets: Tensor,
        notes: tuple[str, ...],
        schedule: NativeSchedule | None = None,
        nested: tuple[int, ...] = (),
    ) -> "SyntheticSet":
        """A set of items that come from this one's, with notes that say so."""
        return replace(
            self,
            features=features,
            packed=packed,
            targets=targets,
            schedule=schedule,
            nested=nested,
            provenance=replace(
                self.provenance,
                per_class=_size_of(features, targets, packed, self.task).ipc,
                notes=notes,
                estimate=None,
            ),
        )

    def _by_class(self) -> Int[Tensor, "group per_class"]:
        return by_class(self.targets, self.task, distilled=self.start is not None)

    def save(self, folder: Path | str) -> None:
        """Writes the set's folder, all or nothing; replaces one only if it is itself a set.

        Raises:
            SetError: the folder holds something else, or cannot be written.
        """
        set_folder.write(Path(folder), _files(self))

    @classmethod
    def load(cls, folder: Path | str) -> "SyntheticSet":
        """Reads a set's folder, from wherever it came: everything in it is checked.

        Raises:
            SetError: it is no set, of an unknown format, or anything in it is damaged, missing,
                too much, or in contradiction with the rest.
        """
        manifest, files = set_folder.read(Path(folder))
        try:
            tensors = from_bytes(files, TENSORS)
            start = None
            if manifest.start:
                weights = from_bytes(files, START)
                start = Start(manifest.start.network, manifest.start.seed, weights)
            packed = packed_of(manifest, tensors)
            features = (
                packed.features(manifest.features.frames) if packed else take(tensors, "features")
            )
            loaded = cls(
                features=features,
                packed=packed,
                schedule=schedule_of(manifest, tensors),
                targets=take(tensors, "targets"),
                task=manifest.task,
                spec=manifest.features,
                start=start,
                provenance=manifest.provenance,
                transforms=unstack(manifest.transforms, tensors),
                guarantee=manifest.guarantee,
                nested=manifest.nested,
            )
            _check_agreement(manifest, loaded, tensors)
        except SetError as error:
            raise SetError(f"{folder}: {error}") from error
        return loaded


def _in_order(rows: Int[Tensor, "emotion per_class"]) -> bool:
    return torch.equal(rows.flatten(), torch.arange(rows.numel()))


def _size_of(features: Tensor, targets: Tensor, packed: Packed | None, task: Task) -> SetSize:
    stored = size(packed.stored) if packed else features.nbytes
    item = stored / len(features)
    if packed and isinstance(packed.codec, Decoder):  # its weights are no item's
        item = float(packed.codec.item_bytes)
    told, groups = targets[0].nbytes, len(task.groups)
    return SetSize(
        bytes=stored + targets.nbytes,
        item=item + told,
        whole=features[0].nbytes + told,
        per_class=len(features) / groups,
        groups=groups,
    )


def _tensors(synthetic: SyntheticSet) -> dict[str, Tensor]:
    packed, schedule = synthetic.packed, synthetic.schedule
    return {
        **(
            {FEATURES + name: tensor for name, tensor in packed.stored.items()}
            if packed
            else {"features": synthetic.features}
        ),
        "targets": synthetic.targets,
        **({RATES: schedule.learning_rates} if schedule else {}),
        **stack(synthetic.transforms),
    }


def _digest(synthetic: SyntheticSet) -> str:
    """SHA-256 of its tensors, as they are stored."""
    return sha256(to_bytes(_tensors(synthetic))).hexdigest()


def _files(synthetic: SyntheticSet) -> dict[str, bytes]:
    contents: dict[str, bytes] = {TENSORS: to_bytes(_tensors(synthetic))}
    if synthetic.start:
        contents[START] = to_bytes(synthetic.start.weights)
    manifest = _manifest(synthetic)
    contents[CARD] = card(manifest).encode()
    return {**contents, MANIFEST: manifest.seal(contents)}


def _manifest(synthetic: SyntheticSet) -> Manifest:
    start = synthetic.start
    told = synthetic.task
    return Manifest.draft(
        emotions=told.emotions,
        dimensions=DimensionsEntry(
            names=told.dimensions,
            scale=told.scale,
            cells=told.cells,
            proxies=told.proxies,
            weights=told.weights,
        )
        if told.dimensions
        else None,
        labels=_labels(synthetic),
        items=synthetic.per_class,
        tensors={name: tuple(tensor.shape) for name, tensor in _tensors(synthetic).items()},
        size=synthetic.bytes,
        features=synthetic.spec,
        transforms=tuple(transform.name for transform in synthetic.transforms),
        codec=codec_entry(synthetic.packed.codec) if synthetic.packed else None,
        schedule=ScheduleEntry(momentum=schedule.momentum, together=schedule.together)
        if (schedule := synthetic.schedule)
        else None,
        start=StartEntry(network=start.network, seed=start.seed, digest=start.digest)
        if start
        else None,
        nested=synthetic.nested,
        provenance=synthetic.provenance,
        privacy=privacy_entry(synthetic.guarantee, synthetic.provenance.public, told.told),
    )


def _labels(synthetic: SyntheticSet) -> str:
    """How emotions are told, as in a manifest."""
    shares = synthetic.task.shares(synthetic.targets)
    if not synthetic.emotions:
        return "no emotions"
    one_hot = ((shares == 0) | (shares == 1) | shares.isnan()).all()
    return "one-hot float rows" if one_hot else "soft float rows"


def _check_agreement(
    manifest: Manifest, loaded: SyntheticSet, tensors: Mapping[str, Tensor]
) -> None:
    """The manifest must say what would be written of the loaded set."""
    if unknown := sorted(tensors.keys() - _tensors(loaded).keys()):
        raise SetError(f"{TENSORS} has unknown tensors: {', '.join(unknown[:5])}")
    derived = _manifest(loaded)
    for name in (
        "dimensions",
        "labels",
        "items",
        "tensors",
        "size",
        "codec",
        "schedule",
        "start",
        "privacy",
    ):
        said, found = getattr(manifest, name), getattr(derived, name)
        if said != found:
            raise SetError(
                f"{MANIFEST} and the tensors disagree about {name}: it says {said}, "
                f"they give {found}; get a fresh copy"
            )
    held = _size_of(loaded.features, loaded.targets, loaded.packed, loaded.task)
    held.require(loaded.provenance.per_class)
