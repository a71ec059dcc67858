#!/usr/bin/env bash
# Two ways to make a recogniser small, side by side, on the toy corpus with words: two systems that
# distil the model, and sets that distil the data: one of log-mels; one in the representation of the
# encoder that teaches, and the same with labels that a teacher gives its items. The encoders that
# teach are made first; where there are others, name folders or hub names, both:
# SPEECH=facebook/hubert-base-ls960 FAMILY=hubert TEXT=... DATASET=... Arguments go to both systems:
# --fold 1 --seeds 1 for a quick look. Half an hour on a core; given again, it goes on where it was.
set -euo pipefail
cd "$(dirname "$0")/.."
runs=${RUNS:-runs/distilled-models}
dataset=${DATASET:-toy-words}

if [[ -z ${SPEECH:-} ]]; then
    [[ -d $runs/encoders/text ]] || python examples/train_word_encoder.py --out "$runs/encoders"
    SPEECH=$runs/encoders/speech TEXT=$runs/encoders/text
fi
: "${TEXT:?names an encoder of text, as SPEECH names one of speech}"
if [[ -f $SPEECH/config.json ]]; then
    FAMILY=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["model_type"])' "$SPEECH/config.json")
fi
: "${FAMILY:?says what SPEECH is, where that is a name on the hub: hubert, wav2vec2 or wavlm}"

distil() { # folder, arguments: a set, or what is left to do of one
    local resume=()
    [[ -f $1/run.toml ]] && resume=(--resume)
    distill-data "${@:2}" --dataset "$dataset" --ipc 10 --fold 1 --out "$1" "${resume[@]}"
}

distill-model --system representation --dataset "$dataset" --teacher "$SPEECH" --out "$runs/representation" "$@"
distill-model --system audio-textual --dataset "$dataset" --teacher "$SPEECH" --text-teacher "$TEXT" --out "$runs/audio-textual" "$@"

judged=(--dataset "$dataset" --seeds 3 --baselines random --teachers none --speech none --no-scores --systems "$runs/representation,$runs/audio-textual" --overwrite)

distil "$runs/set" --task dimensional
evaluate-data "$runs/set" "${judged[@]}" --out "$runs/judged"

distil "$runs/set-in-encoder" --task dimensional --feature "$FAMILY:$SPEECH,layer=all,pool=sequence" --native-steps 0
python examples/teach_a_set.py --run "$runs/set-in-encoder" --dataset "$dataset" --encoder "$SPEECH" --out "$runs/taught-set"
evaluate-data distilled="$runs/set-in-encoder" taught="$runs/taught-set" "${judged[@]}" --encoder "$SPEECH" --out "$runs/judged-in-encoder"
