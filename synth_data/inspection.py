"""What is in a synthetic set and how it was made, as text and as JSON."""

import json
from typing import Any

from synth_data.guarantee import ADJACENCY, NONE, Guarantee
from synth_data.manifest import Manifest
from synth_data.provenance import Provenance, PublicSpeech
from synth_data.representation import Representation
from synth_data.synthetic import SyntheticSet


def summary(synthetic: SyntheticSet, manifest: Manifest) -> dict[str, Any]:
    """The manifest as plain JSON values, and under "measured" what is read off the tensors."""
    low, high = synthetic.features.aminmax()
    return {
        **manifest.model_dump(mode="json"),
        "measured": {
            "bytes": synthetic.bytes,
            "start_bytes": synthetic.start_bytes,
            "seconds_per_item": _seconds(synthetic.spec),
            "range": [low.item(), high.item()],
        },
    }


def describe(synthetic: SyntheticSet) -> str:
    """The same for people: one aligned line for each thing to know."""
    made, spec, start = synthetic.provenance, synthetic.spec, synthetic.start
    seconds = _seconds(spec)
    low, high = synthetic.features.aminmax()
    counts = ", ".join(f"{name} {count}" for name, count in synthetic.per_class.items())
    transforms = ", ".join(transform.name for transform in synthetic.transforms)
    rows = [
        ("items", f"{len(synthetic)}: {counts}"),
        ("shape", f"{list(synthetic.features.shape)} (item, mel, frame)"),
        *_dimensions(synthetic),
        *_nested(synthetic),
        ("speech time", "the utterance as a whole" if seconds is None else f"{seconds:g} s each"),
        ("bytes", f"{synthetic.bytes:,} (start weights: {synthetic.start_bytes:,})"),
        ("values", f"{low:.3f} to {high:.3f}"),
        ("features", _recipe(spec)),
        ("transforms", transforms or "none"),
        ("", ""),
        ("source", f"{made.corpus_title} ({made.corpus}), {made.content}"),
        ("made from", f"{made.amount} of {made.origin}"),
        *_public(made.public),
        ("evaluate on", _evaluable(made)),
        (
            "objective",
            f"{made.objective}, {'' if made.imported else f'seed {made.seed}, '}"
            f"{made.per_class} per {_group(synthetic)}",
        ),
        *(("", f"{name} = {json.dumps(value)}") for name, value in made.settings.items()),
        ("start", f"{start.network}, seed {start.seed}" if start else "none"),
        *([("", f"SHA-256 {start.digest}")] if start else []),
        *(("note", note) for note in made.notes),
        *([("estimate", made.estimate)] if made.estimate else []),
        ("version", f"distill-data {made.version}"),
        ("", ""),
        ("licence", made.licence),
        ("derivatives", made.derivatives),
        *_licence(made.public),
        *(("and licence", part.licence) for part in spec.parts if part.licence),
        *_privacy(synthetic.guarantee),
    ]
    return "\n".join(f"{label:<12} {text}".rstrip() for label, text in rows)


def _dimensions(synthetic: SyntheticSet) -> list[tuple[str, str]]:
    task = synthetic.task
    if not task.dimensions:
        return []
    untold = int(task.shares(synthetic.targets).isnan().any(dim=1).sum())
    return [
        ("dimensions", f"{task.told}, in the targets from -1 to 1"),
        *([("", f"they are {task.proxies}")] if task.proxies else []),
        ("emotions", ", ".join(task.emotions) or "none"),
        *([("", f"not told of {untold} items")] if untold else []),
    ]


def _nested(synthetic: SyntheticSet) -> list[tuple[str, str]]:
    if not synthetic.nested:
        return []
    group = "cell" if synthetic.task.dimensions else "emotion"
    sizes = ", ".join(map(str, synthetic.nested))
    return [("prefixes", f"that are sets: the first {sizes} of each {group}")]


def _public(speech: PublicSpeech | None) -> list[tuple[str, str]]:
    if speech is None:
        return []
    return [
        ("public", f"{speech.amount} ({speech.corpus}), content {speech.corpus_digest}"),
        *(("", note) for note in speech.notes),
        ("", f"made from it: {speech.made}"),
    ]


def _licence(speech: PublicSpeech | None) -> list[tuple[str, str]]:
    if speech is None:
        return []
    both = f"both licences hold, this one for {speech.made}"
    return [("and licence", speech.licence), ("derivatives", f"{speech.derivatives} ({both})")]


def _privacy(guarantee: Guarantee | None) -> list[tuple[str, str]]:
    if guarantee is None:
        return [("privacy", f"{NONE} (mechanism: none)")]
    rows = [
        ("privacy", f"{guarantee.statement} ({ADJACENCY}; mechanism: gaussian)"),
        ("", f"so {guarantee.meaning}"),
    ]
    for one in guarantee.releases:
        sampled = (
            f", each {guarantee.budget.unit} with probability {one.sampling_probability:g}"
            if one.sampling_probability < 1
            else ""
        )
        noise = f"noise multiplier {one.noise_multiplier:.4g}"
        rows.append(("released", f"{one.purpose}: {one.count} x, {noise}{sampled}"))
    return rows


def _group(synthetic: SyntheticSet) -> str:
    return "cell" if synthetic.task.dimensions else "class"


def _seconds(spec: Representation) -> float | None:
    return None if spec.hop is None else round(spec.frames * spec.hop, 6)


def _recipe(spec: Representation) -> str:
    return ", ".join(f"{name} {value}" for name, value in spec.settings().items())


def _evaluable(made: Provenance) -> str:
    if made.fold is None:
        return f"another corpus: every speaker of {made.corpus_title} went in"
    return f"the test side of fold {made.fold} ({made.protocol}), or another corpus"
