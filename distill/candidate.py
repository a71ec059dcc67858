"""What is learned: items as they are stored, perhaps labels, and what the objective adds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from distill.decoding import fitted
from distill.objectives.objective import Candidate
from synth_data.codecs import Codec, Packed, codec_of, size
from synth_data.decoder import Decoder
from synth_data.errors import UserError
from synth_data.representation import Representation
from synth_data.settings import Count, Positive, changed
from synth_data.task import Task

ITEMS, LEARNED = "items", "learned/"
LABELS, NUMBERS = "labels", "numbers"  # of targets: logits of the emotions, and the dimensions
DECODER = "decoder/"  # begins the names of a decoder's weights, whose codes are the items then
SURE = 4.0  # logit of a label's own class as it starts, over the others: 0.9 of its share


@dataclass(frozen=True)
class Parameterisation:
    """How a set spends its bytes, and what of it is learned.

    Attributes:
        slices: items in the frames of one: each is learned and stored in so many times fewer
            numbers (IDC's multi-formation, Kim et al. 2022).
        numbers: that items are stored in, once they are learned; half the width, twice the items.
        labels: "hard", as items start; "soft": learned with the items, and starting near the hard
            ones; "taught": hard while items are learned, and then what the objective hears in them
            where it teaches, or else experts (`distill.expert`); or "refined": learned with the
            items, and starting as what these hear in them, but as "soft" ones where they mishear an
            item's class (after Guo et al. 2024, DATM, who leave out items and experts that are
            wrong). The same of dimensions.
        frames: what slices are: "means" of neighbouring frames, with straight lines between them
            (IDC's); or "cosines" of low frequency over bands and frames (`synth_data.cosines`).
        label_learning_rate: of Adam, on the labels' logits and on dimensions.
        limit: items stay within plus and minus so many standard deviations of features.
        decoder: "generator" for items that a small network makes of a code each
            (`synth_data.decoder`): codes and network are learned, stored and counted. On validation
            speakers of the toy corpus and RAVDESS slices in int8 were better in the bytes of
            `--ipc` items; such a set takes fewer.
        code: numbers of a code.
        width: channels of that network.
        decoder_learning_rate: of Adam on the network's weights; ten times as much did harm.
        decoder_items: for each item that there are bytes for as it is, at most so many: codes are
            so small that nothing else would bound the time and memory of a step.
        decoder_steps: in which it learns to make what the items start as.

    Raises:
        UserError: another kind of slices, and no slices.
    """

    slices: Count = 1
    numbers: Literal["float32", "float16", "int8"] = "float32"
    labels: Literal["hard", "soft", "taught", "refined"] = "hard"
    frames: Literal["means", "cosines"] = "means"
    label_learning_rate: Positive = 0.01
    limit: Positive = 8.0
    decoder: Literal["none", "generator"] = "none"
    code: Count = 32
    width: Count = 32
    decoder_learning_rate: Positive = 3e-4
    decoder_items: Count = 64
    decoder_steps: Count = 500

    def build_decoder(self) -> Decoder | None:
        """What makes items of codes, if anything does.

        Raises:
            UserError: a size of it is out of range.
        """
        if self.decoder == "none":
            return None
        return changed(
            "the decoder",
            Decoder(),
            {name: getattr(self, name) for name in ("code", "width", "numbers", "limit")},
        )

    def __post_init__(self) -> None:
        if self.slices == 1 and self.frames != "means":
            raise UserError(
                f"frames as {self.frames} are for items stored small, and with slices = 1 each is "
                f"stored as it is: set slices to 2 or more, such as 16, or leave frames out"
            )

    @property
    def learns_labels(self) -> bool:
        """Whether labels are learned with the items."""
        return self.labels in ("soft", "refined")

    @property
    def hears_labels(self) -> bool:
        """Whether somebody who learned from the real data listens to the items for their labels."""
        return self.labels in ("taught", "refined")

    @property
    def codec(self) -> Codec:
        """How items are stored, where no decoder makes them."""
        return codec_of(self.numbers, self.frames if self.slices > 1 else "every", self.slices)

    def per_class(
        self,
        ipc: int,
        spec: Representation,
        emotions: int,
        real: int | None = None,
        columns: int | None = None,
    ) -> int:
        """Items of each class in the bytes of `ipc` items as they are, to the nearest item.

        Their targets count, and all that is stored with them. With a decoder these bytes are for
        its weights first, and then for codes with their targets.

        Args:
            ipc: how many.
            spec: of an item.
            emotions: how many there are, or cells.
            real: how many utterances there are, where items start as such: then there are no more
                items than that, but for `ipc` themselves. (Of a rare emotion, utterances are then
                taken more than once; never more items than the rarest emotion has utterances would
                leave most of the bytes unused for the sake of one.)
            columns: of targets, if they are not the emotions.

        Raises:
            UserError: the decoder's weights leave no bytes for a code of each class.
        """
        target = 4 * (columns or emotions)
        room = ipc * (4 * spec.mels * spec.frames + target)
        if (decoder := self.build_decoder()) is None:
            fit = max(1, round(room / (self.bytes(1, spec, emotions) + target)))
        else:
            room *= emotions
            weights = decoder.bytes(*spec.shape, emotions)
            fit = max(0, room - weights) // (emotions * (decoder.item_bytes + target))
            if fit < 1:
                raise UserError(
                    f"the decoder's weights take {weights:,} bytes, and the set has {room:,}: use "
                    f"a smaller width or code, or a larger ipc"
                )
            fit = min(fit, ipc * self.decoder_items)
        return fit if real is None else min(fit, max(ipc, real // emotions))

    def bytes(self, items: int, spec: Representation, emotions: int) -> int:
        """That so many items take, without their targets."""
        if (decoder := self.build_decoder()) is not None:
            return decoder.bytes(*spec.shape, emotions) + items * decoder.item_bytes
        one = self.codec.encode(torch.zeros(1, *spec.shape))
        return items * size(one)

    def begin(
        self,
        features: Float[Tensor, "n mel frame"],
        targets: Float[Tensor, "n column"],
        task: Task,
        generator: torch.Generator,
    ) -> dict[str, Tensor]:
        """What is learned, as it starts, by name; a decoder is fitted to the items.

        Args:
            features: of the items before the first step.
            targets: as they start.
            task: what they tell.
            generator: of a decoder's fit.
        """
        if (decoder := self.build_decoder()) is None:
            learned = {ITEMS: self.codec.frames.shorten(features).clone()}
        else:
            groups = _groups(features, len(features) // len(task.groups))
            codes, weights = fitted(decoder, features, groups, self.decoder_steps, generator)
            learned = {ITEMS: codes}
            learned |= {DECODER + name: weight for name, weight in weights.items()}
        if self.learns_labels and task.emotions:
            learned[LABELS] = SURE * task.shares(targets)
        if self.learns_labels and task.dimensions:
            learned[NUMBERS] = task.numbers(targets).clone()
        return learned

    def within(self, items: Float[Tensor, "n *stored"], frames: int) -> Float[Tensor, "n *stored"]:
        """Items as they are learned, within the limit."""
        if self.decoder != "none":  # it bounds what it makes of codes by itself
            return items
        return self.codec.frames.within(items, self.limit, frames)

    def candidate(
        self,
        learned: Mapping[str, Tensor],
        targets: Float[Tensor, "n column"],
        frames: int,
        per_class: int,
    ) -> Candidate:
        """What an objective sees of it, differentiable in what is learned.

        Args:
            learned: by name; of targets all or nothing.
            targets: as they started.
            frames: of an item.
            per_class: items of each class.
        """
        return Candidate(
            features=self.items(learned, frames, per_class, roughly=True),
            targets=learned_targets(learned)
            if LABELS in learned or NUMBERS in learned
            else targets,
            per_class=per_class,
            learned={
                name.removeprefix(LEARNED): tensor
                for name, tensor in learned.items()
                if name.startswith(LEARNED)
            },
        )

    def items(
        self, learned: Mapping[str, Tensor], frames: int, per_class: int, *, roughly: bool = False
    ) -> Float[Tensor, "n mel frame"]:
        """The items, differentiable.

        Args:
            learned: by name.
            frames: of an item.
            per_class: items of each class.
            roughly: to five digits or so, which takes less time.
        """
        if (decoder := self.build_decoder()) is None:
            way = self.codec.frames
            return (way.lengthen_roughly if roughly else way.lengthen)(learned[ITEMS], frames)
        codes = learned[ITEMS]
        return decoder(_weights(learned), codes, _groups(codes, per_class), frames)

    def finished(
        self,
        learned: Mapping[str, Tensor],
        targets: Float[Tensor, "n column"],
        frames: int,
        per_class: int,
    ) -> tuple[Candidate, Packed | None]:
        """The items as whoever gets the set decodes them, and as they are stored, if otherwise."""
        learned = {name: value.detach().cpu() for name, value in learned.items()}
        candidate = self.candidate(learned, targets.cpu(), frames, per_class)
        if (decoder := self.build_decoder()) is not None:
            classes = torch.arange(len(candidate.targets)) // per_class
            packed = Packed(decoder, decoder.encode(_weights(learned), learned[ITEMS], classes))
        elif self.codec == Codec():
            return candidate, None
        else:
            packed = Packed(self.codec, self.codec.numbers.encode(learned[ITEMS]))
        return replace(candidate, features=packed.features(frames)), packed


def heard(said: Float[Tensor, "n column"], task: Task) -> dict[str, Tensor]:
    """Targets as they are learned, from what a network of the task says."""
    parts = {LABELS: task.shares(said), NUMBERS: bounded(task.numbers(said))}
    return {name: part for name, part in parts.items() if part.shape[1]}


def learned_targets(learned: Mapping[str, Tensor]) -> Float[Tensor, "n column"]:
    """The targets that labels and dimensions stand for, as they are learned, by name."""
    parts = [learned[LABELS].softmax(dim=1)] if LABELS in learned else []
    return torch.cat([*parts, *([learned[NUMBERS]] if NUMBERS in learned else [])], dim=1)


def bounded(numbers: Float[Tensor, "n dimension"]) -> Float[Tensor, "n dimension"]:
    """Dimensions from the lowest to the highest that there are."""
    return numbers.clamp(-1.0, 1.0)


def _groups(items: Float[Tensor, "n *any"], per_class: int) -> Float[Tensor, "n group"]:
    """The group of each item, one-hot."""
    return torch.eye(len(items) // per_class).repeat_interleave(per_class, dim=0).to(items)


def _weights(learned: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The decoder's, by name."""
    return {
        name.removeprefix(DECODER): weight
        for name, weight in learned.items()
        if name.startswith(DECODER)
    }
