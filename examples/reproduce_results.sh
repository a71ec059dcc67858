#!/usr/bin/env bash
# Makes the numbers of the README again, each run over all folds of its corpus. SER_DATA_ROOT names
# a folder that holds ravdess/ and emodb/; arguments go to every run (--dry-run says what each will
# take). A run that was interrupted goes on with: distill-data --resume --out runs/...
set -euo pipefail
: "${SER_DATA_ROOT:?must name the folder that holds ravdess/ and emodb/}"
cd "$(dirname "$0")/.."

# Three sizes.
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --config examples/table.toml --out runs/ravdess-ipc1 "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --slices 4 --config examples/table.toml --out runs/ravdess-ipc1-means "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 6 --numbers float32 --config examples/cosines.toml --out runs/ravdess-5-percent-cosines "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 6 --slices 4 --numbers float32 --config examples/table.toml --out runs/ravdess-5-percent "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 10 --config examples/table.toml --out runs/ravdess-ipc10-cosines "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 10 --slices 4 --config examples/curve.toml --out runs/ravdess-ipc10 "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --out runs/emodb-ipc1 "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --slices 4 --config examples/table.toml --out runs/emodb-ipc1-means "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 2 --numbers float32 --slices 32 --config examples/cosines.toml --out runs/emodb-5-percent "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 2 --numbers float32 --config examples/cosines.toml --out runs/emodb-5-percent-sixteen "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 10 --config examples/table.toml --out runs/emodb-ipc10-cosines "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 10 --slices 4 --config examples/table.toml --out runs/emodb-ipc10 "$@"
# Speech without its speakers, and as it is.
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --config examples/disentangled.toml --out runs/ravdess-plain "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --disentangle leace --config examples/disentangled.toml --out runs/ravdess-leace "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --disentangle adversarial --config examples/disentangled.toml --out runs/ravdess-adversarial "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --config examples/disentangled-mildly.toml --out runs/ravdess-mild "$@"
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 1 --disentangle speaker-normalisation --config examples/disentangled.toml --out runs/ravdess-speaker-normalisation "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --config examples/disentangled.toml --out runs/emodb-plain "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --disentangle leace --config examples/disentangled.toml --out runs/emodb-leace "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --disentangle adversarial --config examples/disentangled.toml --out runs/emodb-adversarial "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --disentangle speaker-normalisation --config examples/disentangled.toml --out runs/emodb-speaker-normalisation "$@"
# Gradient matching of items as they are.
distill-data --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --ipc 10 --config examples/gradient-matching.toml --out runs/ravdess-ipc10-gm "$@"
distill-data --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --ipc 1 --config examples/gradient-matching.toml --out runs/emodb-ipc1-gm "$@"

# What sets are worth beside everything else one could do. Planned runs have no sets to judge.
[[ " $* " == *" --dry-run "* ]] && exit
evaluate-data ipc1=runs/ravdess-ipc1 ipc10=runs/ravdess-ipc10-cosines 5pc=runs/ravdess-5-percent-cosines --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 5 --baselines random,k-means,herding,random-soft,compressed-int8,cosines-int8 --teachers none --speech none --no-scores --out runs/ravdess-judged
evaluate-data ipc1=runs/emodb-ipc1 ipc10=runs/emodb-ipc10-cosines 5pc=runs/emodb-5-percent --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --seeds 5 --baselines random,k-means,herding,random-soft,compressed-int8,cosines-int8 --teachers none --speech none --no-scores --out runs/emodb-judged
evaluate-data runs/ravdess-5-percent-cosines --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --students crnn --seeds 5 --baselines none --teachers none --speech none --no-scores --out runs/ravdess-5-percent-crnn
evaluate-data runs/emodb-5-percent --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --students crnn --seeds 5 --baselines none --teachers none --speech none --no-scores --out runs/emodb-5-percent-crnn
evaluate-data runs/ravdess-ipc1-means --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 3 --baselines random,k-means,herding,random-soft,compressed-int8 --teachers none --speech none --no-scores --out runs/ravdess-ipc1-means-judged
evaluate-data runs/emodb-ipc1-means --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --seeds 3 --baselines random,k-means,herding,random-soft,compressed-int8 --teachers none --speech none --no-scores --out runs/emodb-ipc1-small-judged
evaluate-data runs/ravdess-5-percent --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 3 --baselines random,k-means,herding,random-soft --teachers none --speech none --no-scores --out runs/ravdess-5-percent-judged
evaluate-data runs/ravdess-ipc10-cosines --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --students crnn --seeds 2 --baselines none --teachers none --speech none --no-scores --out runs/ravdess-ipc10-crnn
evaluate-data runs/emodb-ipc10-cosines --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --students crnn --seeds 2 --baselines none --teachers none --speech none --no-scores --out runs/emodb-ipc10-crnn
evaluate-data ten=runs/ravdess-ipc10 five=runs/ravdess-5-percent --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --students crnn --seeds 2 --baselines none --teachers none --speech none --no-scores --out runs/ravdess-crnn
evaluate-data runs/emodb-ipc10 --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --students crnn --seeds 2 --baselines none --teachers none --speech none --no-scores --out runs/emodb-crnn
evaluate-data runs/ravdess-ipc10 --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 2 --baselines k-means,herding,random-soft --teachers none --speech none --no-scores --out runs/ravdess-ipc10-beside
evaluate-data runs/emodb-ipc1-gm --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --seeds 3 --out runs/emodb-ipc1-judged
evaluate-data runs/ravdess-ipc10-gm --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 2 --teachers none --speech none --no-scores --out runs/ravdess-ipc10-judged
evaluate-data runs/emodb-ipc1-gm --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --seeds 2 --baselines none --teachers all --speech none --no-scores --out runs/emodb-ipc1-teachers
evaluate-data runs/ravdess-ipc10-gm --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 2 --baselines none --teachers all --speech none --no-scores --out runs/ravdess-ipc10-teachers
evaluate-data raw=runs/ravdess-plain leace=runs/ravdess-leace adversarial=runs/ravdess-adversarial mild=runs/ravdess-mild speaker-normalisation=runs/ravdess-speaker-normalisation --dataset ravdess --data-root "$SER_DATA_ROOT/ravdess" --seeds 3 --baselines none --teachers none --speech none --no-scores --attacks speaker,membership --out runs/ravdess-attacked
evaluate-data raw=runs/emodb-plain leace=runs/emodb-leace adversarial=runs/emodb-adversarial speaker-normalisation=runs/emodb-speaker-normalisation --dataset emodb --data-root "$SER_DATA_ROOT/emodb" --seeds 3 --baselines none --teachers none --speech none --no-scores --attacks speaker,membership --out runs/emodb-attacked
