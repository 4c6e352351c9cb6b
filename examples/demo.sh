#!/bin/sh
# demo.sh [TLC] - the main job on five types of vehicles: fine-tune, evaluate, prune, retrain, export, use.
# SPDX-License-Identifier: MIT
#
# Every command is shown before it runs; type them yourself to do the same with your own pictures. All
# that is written goes to demo-out, which is replaced if an earlier demo made it.
set -eu
# On a machine that does other things as well, threads that sleep while they wait beat threads that spin, by far.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

tlc=${1:-tlc}
case $tlc in */*) tlc=$(cd "$(dirname "$tlc")" && pwd)/$(basename "$tlc") ;; esac
cd "$(dirname "$0")/.."

spec=examples/vehicles.txt
out=demo-out
mark=$out/.made-by-demo

if [ -e "$out" ] && [ ! -e "$mark" ]; then
    echo "demo: '$out' exists and is not of an earlier demo; move it away first" >&2
    exit 1
fi
rm -rf "$out"
mkdir "$out"
: > "$mark"

say() { printf '\n== %s\n' "$1"; }
run() {
    printf '\n$ tlc %s\n' "$*"
    "$tlc" "$@"
}
measure() { # NAME MODEL: evaluate on the test pictures; keep the numbers for the table
    run classification evaluate -e "$spec" -m "$2" --values "$out/$1.accuracy"
    "$tlc" info "$2" --values "$out/$1.size" > "$out/$1.info"
}
value() { sed -n "s/^$2=//p" "$out/$1"; } # FILE NAME: one number of a --values file

say "1. Fine-tune MobileNetV2, which knows ImageNet, on 424 pictures"
run classification train -e "$spec" -r "$out/unpruned" --values "$out/train"
unpruned=$(value train best_model)
measure unpruned "$unpruned"

say "2. Remove the channels that matter least on these pictures, until half of the multiply-accumulates are left"
run classification prune -m "$unpruned" -o "$out/pruned.onnx" --target macs=0.5 \
    --images examples/vehicles/train
measure pruned "$out/pruned.onnx"

say "3. Train what is left again, now to give what the unpruned model gives: the same spec, other weights to start from"
run classification train -e "$spec" -r "$out/retrained" --values "$out/retrain" train_config.n_epochs=6 \
    "train_config.pretrained_model_path=$out/pruned.onnx" "train_config.teacher_model_path=$unpruned"
retrained=$(value retrain best_model)
measure retrained "$retrained"

say "4. Export it for ONNX Runtime and other programs"
run classification export -m "$retrained" -o "$out/vehicles.onnx" -i examples/vehicles/test

say "5. Classify pictures"
picture=$(find examples/vehicles/test/bus -name '*.jpg' | sort | head -n 1)
run classification inference -m "$out/vehicles.onnx" -i "$picture"
run classification inference -m "$out/vehicles.onnx" -d examples/vehicles/test -r "$out" -b 16

say "What came of it, on 121 test pictures"
awk -F= -v out="$out" '
    function number(file, name,   line, v) {
        while ((getline line < file) > 0) if (index(line, name "=") == 1) v = substr(line, length(name) + 2)
        close(file)
        return v
    }
    BEGIN {
        printf "\n%-10s %9s %12s %12s %10s %9s\n", "model", "accuracy", "parameters", "MACs", "file", "images/s"
        split("unpruned pruned retrained", names, " ")
        for (i = 1; i <= 3; i++) {
            a = out "/" names[i] ".accuracy"; s = out "/" names[i] ".size"
            printf "%-10s %9.3f %12d %10.1f M %7.2f MB %9.1f\n", names[i], number(a, "accuracy"), number(s, "params"),
                   number(s, "macs") / 1e6, number(s, "bytes") / 1e6, number(a, "images_per_second")
        }
    }'
printf '\nAll of it is in %s: the models, training curves for TensorBoard, result.csv.\n' "$out"
