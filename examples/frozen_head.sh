#!/bin/sh
# frozen_head.sh [TLC] - what it costs to train a head on a frozen network, with its features computed each time and once.
# SPDX-License-Identifier: MIT
#
# MobileNetV2 from models/, all its blocks frozen, on the vehicles in examples/. The time from the model of the first epoch to
# that of the last says what an epoch takes, validation and checkpoint included. All trainings must end with the same file.
set -eu
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

tlc=${1:-build/tlc}
epochs=${EPOCHS:-10}
case $tlc in */*) tlc=$(cd "$(dirname "$tlc")" && pwd)/$(basename "$tlc") ;; esac
cd "$(dirname "$0")/.."
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

model() { printf '%s/%s/weights/mobilenet_v2_%03d.onnx' "$out" "$1" "$2"; }

per_epoch() { # NAME OPTIONS...: seconds
    name=$1
    shift
    "$tlc" classification train -e examples/vehicles.txt -r "$out/$name" "$@" "train_config.n_epochs=$epochs" \
        'model_config.freeze_blocks=[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]' model_config.freeze_bn=true \
        train_config.optimizer.sgd.momentum=0.9 train_config.lr_config.cosine.learning_rate=0.01 \
        > "$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
    stat -c %.9Y "$(model "$name" 1)" "$(model "$name" "$epochs")" |
        awk -v n="$epochs" 'NR == 1 { first = $1 } NR == 2 { printf "%.3f", ($1 - first) / (n - 1) }'
}

each=$(per_epoch each)
once=$(per_epoch once --cache-features)
grep '^features of' "$out/log"
disk=$(per_epoch disk --cache-features=1)
echo "seconds an epoch: $each with features computed each time, $once kept in memory, $disk on disk;" \
     "$(echo "$each $once" | awk '{ printf "%.0f", $1 / $2 }') times as fast"
sha256sum "$(model each "$epochs")" "$(model once "$epochs")" "$(model disk "$epochs")" | sed "s|$out/||"
cmp "$(model each "$epochs")" "$(model once "$epochs")"
cmp "$(model each "$epochs")" "$(model disk "$epochs")"
