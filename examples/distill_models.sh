#!/usr/bin/env bash
# Two ways to make a recogniser small, side by side, on the toy corpus with words: two systems that
# distil the model, and a set that distils the data. The encoders that teach are made first; where
# there are others, name folders or hub names: SPEECH=facebook/hubert-base-ls960 TEXT=... DATASET=...
# Arguments go to both systems: --fold 1 --seeds 1 for a quick look. Half an hour on a core.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=runs/distilled-models
dataset=${DATASET:-toy-words}

if [[ -z ${SPEECH:-} ]]; then
    [[ -d $runs/encoders/text ]] || python examples/train_word_encoder.py --out "$runs/encoders"
    SPEECH=$runs/encoders/speech TEXT=$runs/encoders/text
fi
distill-model --system representation --dataset "$dataset" --teacher "$SPEECH" --out "$runs/representation" "$@"
distill-model --system audio-textual --dataset "$dataset" --teacher "$SPEECH" --text-teacher "$TEXT" --out "$runs/audio-textual" "$@"

distill-data --task dimensional --dataset "$dataset" --ipc 10 --fold 1 --out "$runs/set"
evaluate-data "$runs/set" --dataset "$dataset" --seeds 3 --baselines random --teachers none --speech none --no-scores --systems "$runs/representation,$runs/audio-textual" --out "$runs/judged"
