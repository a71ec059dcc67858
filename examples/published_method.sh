#!/usr/bin/env bash
# The published method at its full size: a set of DEMoS for each of its three networks, and then UAR of
# all three as students of each set. DEMOS_ROOT names the corpus, which is given out on request.
# Arguments go to every set in the making: --ipc 10 for smaller sets than those of 150 items per
# class, --dry-run for what it will take. It is meant for a machine with a GPU: one outer step of the
# VGG-15 meets 1050 items of 64 x 373 three times. Students are trained on the CPU.
set -euo pipefail
: "${DEMOS_ROOT:?must name the folder of DEMoS}"
cd "$(dirname "$0")/.."
ipc=150
[[ " $* " =~ " --ipc"[\ =]([0-9]+)" " ]] && ipc=${BASH_REMATCH[1]}
runs=runs/published-method-ipc$ipc

distill-data --config examples/published_method.toml --data-root "$DEMOS_ROOT" --student cnn6 --out "$runs/cnn6" "$@"
distill-data --config examples/published_method.toml --data-root "$DEMOS_ROOT" --student resnet9 --out "$runs/resnet9" "$@"
distill-data --config examples/published_method.toml --data-root "$DEMOS_ROOT" --student vgg15 --out "$runs/vgg15" "$@"

# Planned runs have no sets to judge.
[[ " $* " == *" --dry-run "* ]] && exit
evaluate-data cnn6="$runs/cnn6" resnet9="$runs/resnet9" vgg15="$runs/vgg15" --dataset demos --data-root "$DEMOS_ROOT" --students cnn6,resnet9,vgg15 --seeds 3 --baselines none --teachers none --speech none --no-scores --out "$runs/judged"
