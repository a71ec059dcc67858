"""The dataset card: a set's manifest for people, as Hugging Face expects a `README.md`."""

import json

from synth_data import card_imported, card_targets
from synth_data.corpora.facts import Derivatives
from synth_data.guarantee import ADJACENCY, COMPOSITION, taken_to_be_public
from synth_data.ledger import Release
from synth_data.manifest import START, TENSORS, DecoderEntry, Manifest
from synth_data.provenance import Provenance, PublicSpeech
from synth_data.representation import OfSpeech, Representation
from synth_data.transforms import TRANSFORMS

SHARING: dict[Derivatives, str] = {
    "yes": "It lets derived data be shared, under its own conditions, such as naming the source.",
    "non-commercial share-alike": (
        "It lets derived data be shared for non-commercial purposes and under the same licence."
    ),
    "share-alike": "It lets derived data be shared under the same licence.",
    "agreement decides": (
        "Whether derived data may be shared is decided by the agreement under which the corpus "
        "was obtained: read it, or ask its owner, before sharing this set."
    ),
    "owner decides": "Whether this set may be shared is decided by the owner of the recordings.",
}


def card(manifest: Manifest) -> str:
    """The text of `README.md`; it says nothing that is not in the manifest."""
    sections = [
        _front_matter(manifest),
        f"# {_title(manifest)}",
        _what(manifest),
        f"## Use\n\n{_use(manifest)}{_schedule(manifest)}{_nested(manifest)}{_drawing(manifest)}",
        "## Features of real speech\n\n" + _recipe(manifest),
        "## How it was made\n\n" + _making(manifest),
        "## Intended use\n\n" + _purpose(),
        "## Accuracy\n\n" + _accuracy(manifest.provenance, private=manifest.guarantee is not None),
        "## Privacy\n\n" + _privacy(manifest),
        "## Licence\n\n" + _licence(manifest.provenance) + _of_features(manifest.features),
        "## Citation\n\n" + _citation(manifest.provenance),
    ]
    return "\n\n".join(sections) + "\n"


def _title(manifest: Manifest) -> str:
    made = manifest.provenance
    kind = "Imported" if made.imported else "Distilled"
    return f"{kind} speech emotion features from {made.corpus_title}"


def _front_matter(manifest: Manifest) -> str:
    items = sum(manifest.items.values())
    size = next(
        (name for limit, name in ((10**3, "n<1K"), (10**4, "1K<n<10K")) if items < limit),
        "n>10K",
    )
    kind = ["dataset-distillation", "speech-emotion-recognition", "synthetic"]
    if manifest.provenance.imported:
        kind = ["speech-emotion-recognition"]
    entries = {
        "pretty_name": _title(manifest),
        "license": "other",
        "license_name": "; ".join([manifest.provenance.licences, *_asks(manifest.features)]),
        "task_categories": ["audio-classification"],
        "tags": [
            *kind,
            *(manifest.dimensions.names if manifest.dimensions else ()),
        ],
        "size_categories": [size],
        "viewer": False,
    }
    # JSON is YAML, and quotes whatever a title or a licence may hold.
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries.items()]
    return "\n".join(["---", *lines, "---"])


def _what(manifest: Manifest) -> str:
    items, mels, frames = sum(manifest.items.values()), *manifest.features.shape
    start = (
        f"- `{START}`: the initial weights of the network `{manifest.start.network}` it was "
        f"distilled against, before any training (seed {manifest.start.seed}). They have seen no "
        f"speech.\n"
        if manifest.start
        else ""
    )
    what = (
        f"An *imported* data set: {items} {card_imported.WHAT}"
        if manifest.provenance.imported
        else f"A *distilled* data set: {items} synthetic feature tensors, learned to stand in for "
        f"emotional speech recordings when a model is trained."
    )
    return (
        f"{what}\n\n"
        f"- `{TENSORS}`: `features` `[{items}, {mels}, {frames}]` (item, mel, frame"
        f"{_stored(manifest)}) and `targets` `[{items}, {len(manifest.task.columns)}]` "
        f"({manifest.labels}), float32, {manifest.size:,} bytes with the values of the feature "
        f"transforms.\n"
        f"{start}"
        f"- `manifest.json`: everything else, for machines.\n\n"
        f"{card_targets.counts(manifest)}{card_targets.columns(manifest)}"
    )


def _stored(manifest: Manifest) -> str:
    """How the features are stored, where that is not as they are."""
    if not (codec := manifest.codec):
        return ""
    if isinstance(codec, DecoderEntry):
        return (
            f"; stored as codes of {codec.code} numbers and a network that makes items of them, in "
            f"{codec.numbers}, decoded as below"
        )
    every = {"cosines": "as cosines over bands and frames, one for every {} numbers"}
    kept = every.get(codec.frames, "one for every {} frames").format(codec.shorter)
    return (
        f"; stored as {codec.numbers}{f', {kept}' if codec.shorter > 1 else ''}, decoded as below"
    )


def _schedule(manifest: Manifest) -> str:
    """The native schedule in words and code; empty where there is none."""
    if not (schedule := manifest.schedule):
        return ""
    (steps,) = manifest.tensors["schedule.learning_rates"]
    classes = len(manifest.task.groups)
    code = f"""\
together, per_class = {schedule.together}, {sum(manifest.items.values()) // classes}
model, items, targets = model.double(), features.double(), tensors["targets"].double()
optimiser = torch.optim.SGD(model.parameters(), lr=1.0, momentum={schedule.momentum})
for step, rate in enumerate(tensors["schedule.learning_rates"]):
    turn = (step * together + torch.arange(together)) % per_class
    rows = (torch.arange({classes})[:, None] * per_class + turn).flatten()
    optimiser.param_groups[0]["lr"] = rate.item()
    optimiser.zero_grad()
    {card_targets.loss(manifest, "model(items[rows])", "targets[rows]")}.backward()
    optimiser.step()
model = model.float()"""
    return (
        f"\n\nThe set was made for {steps} steps of one training, from the weights in `{START}`, "
        f"each with a step size of its own, in double precision since the steps may be long:\n\n"
        f"{_python(code)}"
    )


def _nested(manifest: Manifest) -> str:
    """Which prefixes are sets, and how to cut one; empty for a set that holds none."""
    if not manifest.nested:
        return ""
    classes, smallest = len(manifest.task.groups), manifest.nested[0]
    group = card_targets.group(manifest)
    per_class = sum(manifest.items.values()) // classes
    code = f"""\
rows = (torch.arange({classes})[:, None] * {per_class} + torch.arange({smallest})).flatten()
features, targets = features[rows], tensors["targets"][rows]"""
    sizes = ", ".join(map(str, manifest.nested))
    schedule = ""
    if entry := manifest.schedule:
        (steps,) = manifest.tensors["schedule.learning_rates"]
        used = min(steps * entry.together, per_class)
        schedule = f" The schedule above takes the first {used}: without them there is none."
    return (
        f"\n\nThe set is nested: items stand in the order of their {group}s, {per_class} of each, "
        f"and the first of each are smaller sets that it was made to hold, with so many of each: "
        f"{sizes}.{schedule} To cut one:\n\n{_python(code)}\n\n"
        f"`synth-data prefix SET --items {smallest} --out FOLDER` writes one as a set of its own."
    )


def _drawing(manifest: Manifest) -> str:
    """How to draw other items; empty where no decoder makes them."""
    if not isinstance(manifest.codec, DecoderEntry):
        return ""
    return (
        f"\n\nThe network makes an item of any code. `synth-data draw SET --items 100 --out "
        f"FOLDER` draws so many of each {card_targets.group(manifest)}, with codes that mix two of "
        f"the set's own."
    )


def _use(manifest: Manifest) -> str:
    mels, frames = manifest.features.shape
    features = 'features = tensors["features"]'
    if codec := manifest.codec:
        features = codec.codec.snippet("features.", mels, frames)
    return _python(
        f"""\
import torch
from safetensors.torch import load_file

tensors = load_file("{TENSORS}")
{features}
{card_targets.definitions(manifest)}
model = torch.nn.Sequential(  # or any other that takes [item, mel, frame]
    torch.nn.Flatten(), torch.nn.Linear({mels} * {frames}, {len(manifest.task.columns)})
)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(300):
    optimiser.zero_grad()
    loss = {card_targets.loss(manifest, "model(features)", 'tensors["targets"]')}
    loss.backward()
    optimiser.step()"""
    )


def _recipe(manifest: Manifest) -> str:
    spec = manifest.features
    steps = [spec.snippet()]
    steps += [
        TRANSFORMS[name].snippet(f"transform.{i}.") for i, name in enumerate(manifest.transforms)
    ]
    return (
        f"The model is then used on real speech that went through the same recipe"
        f"{_given(spec)}:\n\n" + _python("\n".join(steps)) + "\n\n"
        "`synth_data` of the package distill-data does the same: "
        "`SyntheticSet.load(folder)`, its `spec` and its `transform`."
    )


def _given(spec: Representation) -> str:
    """What the recipe starts from, in words."""
    told = []
    if any(part.hears for part in spec.parts):
        rates = {part.sample_rate for part in spec.parts if isinstance(part, OfSpeech)}
        hertz = " or ".join(map(str, sorted(rates)))
        told.append(f"`waveform` is mono float32 in [-1, 1] at {hertz} Hz, half a second or more")
    if not all(part.hears for part in spec.parts):
        told.append("`text` is its transcript")
    return f" ({spec.title}). {_capital('; '.join(told))}"


def _making(manifest: Manifest) -> str:
    made = manifest.provenance
    source = f"{made.amount} from {made.origin}"
    method = (
        f"`{made.objective}` with seed {made.seed}, in the bytes of {made.per_class} items per "
        f"{card_targets.group(manifest)} as they are"
    )
    settings = [f"- Settings: `{json.dumps(dict(made.settings), ensure_ascii=False)}`"]
    if made.imported:
        source, method, settings = card_imported.source(made), card_imported.method(made), []
    rows = [
        f"- Source: {made.corpus_title} (`{made.corpus}`, {made.content}): {source}.",
        *_public(made.public),
        f"- Method: {method}; distill-data {made.version}.",
        *settings,
        *(f"- Note: {note}" for note in made.notes),
    ]
    return "\n".join(rows)


def _public(speech: PublicSpeech | None) -> list[str]:
    """What there is to say of public speech: a row, or none."""
    if speech is None:
        return []
    notes = "".join(f"; {note}" for note in speech.notes)
    return [
        f"- Public speech: {speech.amount} (`{speech.corpus}`, content {speech.corpus_digest}"
        f"{notes}). Made from it: {speech.made}."
    ]


def _purpose() -> str:
    return (
        "Training and studying models that recognise acted or elicited emotion in speech, where "
        "the recordings themselves cannot be passed on.\n\n"
        "Not intended: decisions about people; inferring what a person really feels; inferring "
        "emotions at work or in education; recognising or imitating speakers; languages, "
        "recording conditions and groups of speakers that the source corpus does not hold."
    )


def _accuracy(made: Provenance, *, private: bool) -> str:
    if made.imported:
        return card_imported.accuracy(made)
    if private:
        return (
            f"This set was made from {made.origin}. What it is worth to speakers of that corpus is "
            f"no part of it, since no guarantee covers that. Evaluate it with `evaluate-data` on "
            f"speakers that it was not made from."
        )
    if made.estimate:
        return (
            f"Cross-validated estimate, from sets made in the same way without the speakers they "
            f"were tested on: {made.estimate}\n\n"
            f"This set itself was made from {made.origin}, so it cannot be evaluated on them."
        )
    if made.fold is None:
        return (
            f"This set was made from {made.origin}, and no estimate was made of what it is worth. "
            f"Evaluate it with `evaluate-data` on speakers of another corpus that it was not made "
            f"from. For an estimate on its own, `distill-data --resume --fold all` in the folder "
            f"of its run makes sets in the same way without the speakers they are tested on; the "
            f"same with `--fold none` then quotes what they are worth."
        )
    return (
        f"This set was made from {made.origin}. Evaluate it with `evaluate-data` on speakers that "
        f"it was not made from."
    )


def _privacy(manifest: Manifest) -> str:
    if (guarantee := manifest.guarantee) is not None:
        released = "\n".join(
            f"- {one.purpose}: {one.count} with noise multiplier {one.noise_multiplier:.4g}"
            f"{_sampled(one)}"
            for one in guarantee.releases
        )
        taken = taken_to_be_public(manifest.provenance.public, manifest.task.told)
        public = "\n".join(f"- {text}" for text in taken)
        return (
            f"{_capital(guarantee.statement)} ({ADJACENCY}). {_capital(guarantee.meaning)}.\n\n"
            f"All that was read of the recordings are sums over {guarantee.budget.unit}s, each "
            f"cut to a public length, with normal noise (the Gaussian mechanism, by whoever holds "
            f"the recordings):\n\n{released}\n\nThey compose as follows: {COMPOSITION}. Taken to "
            f"be public:\n\n{public}\n\nThe guarantee is of these files alone. Accuracies of "
            f"the set on speakers of the corpus are not covered by it, and stand elsewhere."
        )
    if manifest.provenance.imported:
        return card_imported.PRIVACY
    return (
        "No formal guarantee: distillation by itself guarantees nothing about the people whose "
        "recordings went in. The set has no speaker labels, but its tensors were learned from "
        "their speech; where a note above says that its items started as real utterances, they "
        "stay close to those. What they give away can be measured with attacks; an attack that "
        "fails is no guarantee."
    )


def _sampled(release: Release) -> str:
    q = release.sampling_probability
    return f", each unit with probability {q:g}" if q < 1 else ""


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _licence(made: Provenance) -> str:
    own = (
        f"The set derives from {made.corpus_title}, whose licence is: {made.licence}. "
        f"{SHARING[made.derivatives]}"
    )
    if (speech := made.public) is None:
        return own
    return (
        f"{own}\n\nIt derives from {speech.corpus_title} as well ({speech.made}), whose licence "
        f"is: {speech.licence}. {SHARING[speech.derivatives]} Both licences hold for the set."
    )


def _asks(spec: Representation) -> list[str]:
    """What the licences of what computes the features ask."""
    return list(dict.fromkeys(part.licence for part in spec.parts if part.licence))


def _of_features(spec: Representation) -> str:
    return "".join(f"\n\n{_capital(text)}." for text in _asks(spec))


def _citation(made: Provenance) -> str:
    own = f"Of the source corpus:\n\n{_quote(made.citation)}"
    if made.public is None:
        return own
    return f"{own}\n\nOf the public speech:\n\n{_quote(made.public.citation)}"


def _python(code: str) -> str:
    return f"```python\n{code}\n```"


def _quote(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())
