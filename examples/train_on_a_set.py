"""Trains a model of one's own on a synthetic set, in plain PyTorch, and lets it listen.

    python examples/train_on_a_set.py runs/toy/fold-1/set recording.wav ...

Training reads the set with safetensors alone. `synth_data` comes in only to bring recordings to
the features of the set; the set's own README.md spells that recipe out without the package.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn


def main() -> None:
    """Trains on the set named on the command line, then names the emotion of each recording."""
    parser = argparse.ArgumentParser(description="Train a model on a synthetic set.")
    parser.add_argument("set", type=Path, help="folder of the set")
    parser.add_argument("recordings", type=Path, nargs="*", help="audio files to recognise")
    parser.add_argument("--steps", type=int, default=300, help="of training (default: 300)")
    arguments = parser.parse_args()

    tensors = load_file(arguments.set / "set.safetensors")
    manifest = json.loads((arguments.set / "manifest.json").read_text())
    emotions = manifest["emotions"]
    if dimensions := manifest.get("dimensions"):
        told = ", ".join(dimensions["names"])
        parser.error(
            f"{arguments.set} tells {told}, and this program names emotions: its README.md has code"
        )
    model = train(features_in(tensors, manifest), tensors["targets"], arguments.steps)
    print(f"trained on {len(tensors['targets'])} items of {', '.join(emotions)}")

    for recording in arguments.recordings:
        with torch.no_grad():
            shares = model(features_of(recording, arguments.set)).softmax(dim=1)[0]
        best = int(shares.argmax())
        print(f"{recording}: {emotions[best]} ({shares[best]:.2f})")


def features_in(tensors: dict[str, Tensor], manifest: dict[str, Any]) -> Tensor:
    """The items [item, mel, frame]; a set's README.md shows how its own are decoded."""
    codec, frames = manifest["codec"], manifest["features"]["frames"]
    if codec is None:
        return tensors["features"]
    if "frames" not in codec:
        raise SystemExit("a network makes the items of this set: its README.md has the code")
    values = tensors["features.values"].float()
    if codec["numbers"] == "int8":
        scale, offset = (tensors["features." + name].float() for name in ("scale", "offset"))
        values = values * scale[:, None, None] + offset[:, None, None]
    if codec["frames"] == "cosines":
        return from_cosines(values, frames)
    if codec["frames"] == "means":
        by = float(codec["shorter"])
        values = nn.functional.interpolate(values, scale_factor=by, mode="linear")
    # The middle of an utterance is repeated, and of whatever there is no more than this is needed.
    return values.repeat(1, 1, -(-frames // values.shape[2]))[:, :, :frames]


def from_cosines(values: Tensor, frames: int) -> Tensor:
    """Items of which these numbers are the cosines of lowest frequency, over bands and frames."""
    mels = values.shape[1]
    cross = torch.outer(torch.arange(mels) + 1, torch.arange(frames) + 1).flatten()
    kept = cross.argsort(stable=True)[: values[0].numel()]
    envelope = cross.double() ** -0.75
    envelope = envelope * (len(cross) / envelope.square().sum()).sqrt()
    whole = torch.zeros(len(values), len(cross), dtype=torch.float64)
    whole[:, kept] = values.flatten(1).double() * envelope[kept]
    return (waves(mels).T @ whole.reshape(-1, mels, frames) @ waves(frames)).float()


def waves(size: int) -> Tensor:
    """An orthonormal discrete cosine transform."""
    rate, place = torch.arange(size).double()[:, None], torch.arange(size).double() + 0.5
    wave = torch.cos(torch.pi / size * rate * place) * (2 / size) ** 0.5
    return torch.where(rate == 0, size**-0.5, wave)


def train(features: Tensor, targets: Tensor, steps: int) -> nn.Module:
    """Any model does that takes [item, mel, frame]; here convolutions over time and their mean."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(features.shape[1], 64, kernel_size=5, padding=2),
        nn.SiLU(),
        nn.Conv1d(64, 64, kernel_size=5, padding=2),
        nn.SiLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(64, targets.shape[1]),
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(steps):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(features), targets).backward()
        optimiser.step()
    return model


def features_of(recording: Path, folder: Path) -> Tensor:
    """The recording as one item [1, mel, frame], by the set's recipe and transforms."""
    from synth_data.synthetic import SyntheticSet
    from synth_data.utterance import AudioFile, Utterance

    synthetic = SyntheticSet.load(folder)
    said = Utterance(recording.name, AudioFile(recording), emotion="?", speaker="?")
    return synthetic.transform(synthetic.spec.of(said)[None])


if __name__ == "__main__":
    main()
