#!/bin/bash
# run.sh - our speed and memory beside other programs', in one run. SPDX-License-Identifier: MIT
#
#     B=build ROUNDS=5 STEPS=3 bench/run.sh [train] [bf16] [infer] [darknet] [rest]   without a word: all
#     NETS="resnet18 ..." ALL="resnet18 vgg16 ..." PICTURES=FOLDER
#     PYTHON=python3 PYTHON_TF=$PYTHON DARKNET=FOLDER
#
# Peers are used when $PYTHON has them (torch and torchvision, onnxruntime, openvino) and $PYTHON_TF has tensorflow; darknet, which
# has to be built with OPENMP=1, when DARKNET says where. Ours
# and theirs take turns, so that a busy or throttled machine is as unfair to one as to the others; the tables show medians
# over the rounds, and ratios to the best of the peers, which are what to look at: above 1, we are faster, or need less.
set -eu
B=${B:-build} ROUNDS=${ROUNDS:-5} STEPS=${STEPS:-3} PYTHON=${PYTHON:-python3}
PYTHON_TF=${PYTHON_TF:-$PYTHON} PICTURES=${PICTURES:-examples/vehicles/train}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
[ -x "$B/bench/bench_train" ] || { echo "build first: make bench" >&2; exit 1; }
nets=${NETS:-resnet18 resnet50 vgg16 mobilenet_v2}
all=${ALL:-resnet10 resnet18 resnet34 resnet50 resnet101 mobilenet_v1 mobilenet_v2 squeezenet vgg16 vgg19 googlenet \
    darknet19 darknet53 efficientnet_b0 efficientnet_lite0}
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: > "$tmp/log"

# measure KEY COMMAND...: remember the milliseconds, megabytes and, in training, the share of kernels that COMMAND prints.
measure() {
    local key=$1
    shift
    "$@" > "$tmp/out" 2> "$tmp/err" || { echo "$key: $(tail -n 1 "$tmp/err")" >&2; return 0; }
    awk -v key="$key" '$1 == "train" || $1 == "infer" {
        for (i = 1; i < NF; i++) if ($i ~ /^(ms|MB|share)$/) print key "." $i, $(i + 1) }' "$tmp/out" >> "$tmp/log"
}

median() {
    awk -v key="$1" '$1 == key { print $2 }' "$tmp/log" | sort -g | awk '{ v[NR] = $1 }
        END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# The least of the medians of these keys, and the program it is of.
least() {
    for key; do echo "$(median "$key") ${key%%.*}"; done | grep '^[0-9]' | sort -g | head -n 1
}

# torch ARGUMENTS...: peers.py with an allocator that keeps its memory, which is PyTorch at its best.
torch() { MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=4000000000 "$PYTHON" "$here/peers.py" "$@"; }

# row WHAT OURS UNIT "THEIRS PROGRAM" GOAL: ratio is theirs/ours.
row() {
    awk -v what="$1" -v ours="$2" -v unit="$3" -v theirs="$4" -v goal="$5" 'BEGIN {
        split(theirs, t, " ")
        printf "%-34s %10s %-5s %10s %-14s %6s  %s\n", what, ours, unit, t[1] == "" ? "-" : t[1], t[2],
               t[1] == "" || ours == "" ? "-" : sprintf("%.2f", t[1] / ours), goal }'
}

goal() { case $1 in train.resnet18) echo 1.7 ;; train.resnet50) echo 1.35 ;; train.vgg16) echo 2.3 ;; train.mobilenet_v2) echo 1.5 ;;
    bf16.resnet18) echo 1.35 ;; bf16.resnet50) echo 1.25 ;; infer.resnet18.16) echo 1.7 ;; infer.vgg16.16) echo 2.5 ;;
    infer.resnet18.1) echo 1.4 ;; infer.*) echo 1.0 ;; esac; }

has() { [[ " $have " == *" $1 "* ]]; }

train() {
    for round in $(seq "$ROUNDS"); do
        for net in $nets; do
            measure "ours.train.$net" "$B/bench/bench_train" "$net" "$STEPS"
            has torch && for how in nchw nhwc; do measure "torch-$how.train.$net" torch train "$net" "$how" "$STEPS"; done
            has tensorflow && measure "tensorflow.train.$net" "$PYTHON_TF" "$here/peers.py" train "$net" tf "$STEPS"
        done
        echo "train: round $round done" >&2
    done
    for net in $nets; do
        row "train $net, batch 16" "$(median "ours.train.$net.ms")" ms \
            "$(least "torch-nchw.train.$net.ms" "torch-nhwc.train.$net.ms" "tensorflow.train.$net.ms")" "$(goal "train.$net")"
    done
    for net in $nets; do
        row "train $net, peak memory" "$(median "ours.train.$net.MB")" MB \
            "$(least "torch-nchw.train.$net.MB" "torch-nhwc.train.$net.MB")" 1.67
    done
    for net in $nets; do row "train $net, kernels alone" "$(median "ours.train.$net.share")" share "" 0.85; done
}

bf16() {
    for round in $(seq "$ROUNDS"); do
        for net in $nets; do
            measure "ours.bf16.$net" env AMP=1 "$B/bench/bench_train" "$net" "$STEPS"
            has torch && measure "torch-autocast.bf16.$net" torch train "$net" bf16 "$STEPS"
            for batch in 1 16; do
                model=$tmp/$net.$batch.onnx runs=$((30 / batch + 3))
                measure "ours.infer16.$net.$batch" env AMP=1 "$B/bench/bench_infer" "$net" "$batch" "$runs" "$model"
                has openvino && measure "openvino.infer16.$net.$batch" "$PYTHON" "$here/peers.py" infer "$model" openvino-bf16 "$runs"
                rm -f "$model"
            done
        done
        echo "bf16: round $round done" >&2
    done
    for net in $nets; do
        row "train $net in bf16, batch 16" "$(median "ours.bf16.$net.ms")" ms "$(least "torch-autocast.bf16.$net.ms")" "$(goal "bf16.$net")"
        row "train $net in bf16, peak memory" "$(median "ours.bf16.$net.MB")" MB "$(least "torch-autocast.bf16.$net.MB")" ""
        for batch in 1 16; do
            row "infer $net in bf16, batch $batch" "$(median "ours.infer16.$net.$batch.ms")" ms \
                "$(least "openvino.infer16.$net.$batch.ms")" 1.0
        done
    done
}

darknet() {
    [ -n "${DARKNET:-}" ] || return 0
    local picture
    picture=$(find "$PICTURES" -name '*.jpg' | sort | head -n 1)
    for round in $(seq "$ROUNDS"); do
        for net in resnet18 resnet50; do
            measure "ours.beside.$net" "$B/bench/bench_train" "$net" "$STEPS"
            measure "darknet.beside.$net" "$here/darknet.sh" "$DARKNET" "$net" "$picture" "$STEPS"
        done
    done
    for net in resnet18 resnet50; do
        row "train $net, batch 16" "$(median "ours.beside.$net.ms")" ms "$(least "darknet.beside.$net.ms")" ""
    done
}

infer() {
    for round in $(seq "$ROUNDS"); do
        for net in $all; do
            for batch in 1 16; do
                model=$tmp/$net.$batch.onnx runs=$((30 / batch + 3))
                measure "ours.infer.$net.$batch" "$B/bench/bench_infer" "$net" "$batch" "$runs" "$model"
                has onnxruntime && measure "onnxruntime.infer.$net.$batch" "$PYTHON" "$here/peers.py" infer "$model" ort "$runs"
                has openvino && measure "openvino.infer.$net.$batch" "$PYTHON" "$here/peers.py" infer "$model" openvino "$runs"
                rm -f "$model"
            done
        done
        echo "infer: round $round done" >&2
    done
    for net in $all; do
        for batch in 1 16; do
            row "infer $net, batch $batch" "$(median "ours.infer.$net.$batch.ms")" ms \
                "$(least "onnxruntime.infer.$net.$batch.ms" "openvino.infer.$net.$batch.ms")" "$(goal "infer.$net.$batch")"
        done
    done
}

rest() {
    if [ -x "$B/bench/bench_image" ] && [ -d "$PICTURES" ]; then
        echo "picture loading, one thread, from $PICTURES (goal: 400/s from 500x375)"
        "$B/bench/bench_image" "$PICTURES"
    fi
    if [ -x "$B/tlc" ]; then
        start=$(for i in $(seq 21); do
            t=$(date +%s%N)
            "$B/tlc" --version > /dev/null
            echo $((($(date +%s%N) - t) / 10000))
        done | sort -g | sed -n 11p)
        echo "tlc --version: $(awk -v t="$start" 'BEGIN { printf "%.2f", t / 100 }') ms (goal: 20)"
    fi
}

have="$("$PYTHON" "$here/peers.py" have 2> /dev/null || true) $("$PYTHON_TF" "$here/peers.py" have 2> /dev/null | grep tensorflow || true)"
have=${have//$'\n'/ }
echo "threads $OMP_NUM_THREADS, $ROUNDS rounds; peers:" $have
printf '%-34s %10s %-5s %10s %-14s %6s  %s\n' what ours unit peer "" ratio goal
for part in ${*:-train bf16 infer darknet rest}; do "$part"; done
