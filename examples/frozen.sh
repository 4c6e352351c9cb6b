#!/bin/sh
# frozen.sh [TLC [WEIGHTS]] - how good the features of published weights are: a head trained on the frozen network.
# SPDX-License-Identifier: MIT
#
# For each network whose file is somewhere below the folder WEIGHTS (../shared/data/weights), or in models/: train a head
# on the vehicles in examples/ with three seeds, without touching the network, and evaluate it on their test pictures.
# Prints a row of the table in docs/frozen.md for each, which also says where the files are from. What is written goes
# to a temporary folder. SEEDS and PYTHON (with numpy and onnx, for SqueezeNet's file) can be set.
set -eu
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

tlc=${1:-build/tlc}
weights=${2:-../shared/data/weights}
seeds=${SEEDS:-1 2 3}
case $tlc in */*) tlc=$(cd "$(dirname "$tlc")" && pwd)/$(basename "$tlc") ;; esac
if [ -d "$weights" ]; then weights=$(cd "$weights" && pwd); fi
cd "$(dirname "$0")/.."
spec=examples/vehicles.txt
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

find_file() { # NAME: its path; nothing when it is not there
    find models "$weights" -name "$1" 2>/dev/null | head -n 1
}

# SqueezeNet's published file is in a form of its own; what is beside the others is its content as an array file.
squeezenet() {
    [ -n "$(find_file squeezenet_v1.0.npz)" ] || return 0
    "${PYTHON:-python3}" tools/make_models.py "$weights" "$out/models" squeezenet > "$out/log" 2>&1 || return 0
    echo "$out/models/squeezenet.onnx"
}

accuracy() { # RESULTS SEED FILE SPEC...: of a head trained on the frozen network, on the test pictures
    results=$1 seed=$2 file=$3
    shift 3
    "$tlc" classification train -e "$spec" -r "$results" --values "$results.train" "$@" \
        "train_config.pretrained_model_path=$file" train_config.n_epochs=0 "train_config.random_seed=$seed" \
        > "$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
    "$tlc" classification evaluate -e "$spec" -m "$(sed -n 's/^best_model=//p' "$results.train")" \
        --values "$results.test" > "$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
    sed -n 's/^accuracy=//p' "$results.test"
}

row() { # TITLE FILE ARCH ALPHA SIZE
    title=$1 file=$2
    if [ ! -f "$file" ]; then echo "frozen: no file for $title, left out" >&2; return 0; fi
    set -- "model_config.arch=$3" "model_config.alpha=$4" "model_config.input_image_size=3,$5,$5"
    all=
    for seed in $seeds; do
        a=$(accuracy "$out/$(basename "$file").$seed" "$seed" "$file" "$@")
        all="$all $a"
    done
    echo "$all" | awk -v title="$title" -v size="${3##*,}" -v file="$(basename "$file")" '{
        for (i = 1; i <= NF; i++) { sum += $i; seeds = seeds sprintf(" %.3f", $i) }
        printf "| %s | %d | `%s` |%s | %.3f |\n", title, size, file, seeds, sum / NF }'
}

echo "| network | picture | file | seeds $seeds | mean |"
echo "|---|---|---|---|---|"
v1() { row "MobileNet v1 $1" "$(find_file "mobilenet_v1_$1_$2_quant$3.tflite")" mobilenet_v1 "$1" "$2"; }
v1 0.25 128 ""
v1 0.5 160 ""
v1 0.75 192 ""
v1 1.0 224 _embedding_extractor
row "MobileNet v2" "$(find_file mobilenet_v2_imagenet.onnx)" mobilenet_v2 1 224
row "MobileNet v2" "$(find_file mobilenet_v2_1.0_224_quant.tflite)" mobilenet_v2 1 224
row "MobileNet v2" "$(find_file tf2_mobilenet_v2_1.0_224_ptq.tflite)" mobilenet_v2 1 224
row "MobileNet v2" "$(find_file mobilenet_v2_trunk.safetensors)" mobilenet_v2 1 224
row "SqueezeNet 1.0" "$(squeezenet)" squeezenet 1 227
row "EfficientNet-lite0" "$(find_file efficientnet_lite0.safetensors)" efficientnet_lite0 1 224
