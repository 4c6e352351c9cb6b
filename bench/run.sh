#!/bin/bash
# run.sh - our speed and memory beside PyTorch's and ONNX Runtime's, in one run. SPDX-License-Identifier: MIT
#
#     B=build ROUNDS=5 STEPS=3 PYTHON=python3 PICTURES=FOLDER NETS="resnet18 ..." bench/run.sh
#
# Peers are used when $PYTHON has them (torch and torchvision, onnxruntime). Ours and theirs take turns, so that
# a busy or throttled machine is as unfair to one as to the other; the table shows medians over the rounds, and
# ratios, which are what to look at: above 1, we are faster, or need less memory.
set -eu
B=${B:-build} ROUNDS=${ROUNDS:-5} STEPS=${STEPS:-3} PYTHON=${PYTHON:-python3}
PICTURES=${PICTURES:-examples/vehicles/train}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
[ -x "$B/bench/bench_train" ] || { echo "build first: make bench" >&2; exit 1; }
nets=${NETS:-resnet18 resnet50 mobilenet_v2}
here=$(dirname "$0")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
: > "$tmp/log"

# measure KEY COMMAND...: remember the milliseconds, megabytes and, in training, the convolutions' share that COMMAND prints.
measure() {
    local key=$1
    shift
    "$@" > "$tmp/out" || return 0
    awk -v key="$key" '$1 == "train" || $1 == "infer" {
        for (i = 1; i < NF; i++) if ($i ~ /^(ms|MB|share)$/) print key "." $i, $(i + 1) }' "$tmp/out" >> "$tmp/log"
}

# convolutions KEY STEPS COMMAND...: the share of a step that oneDNN spends in convolutions, as it says itself; for
# PyTorch. Our bench_train runs each convolution alone instead.
convolutions() {
    local key=$1 steps=$2
    shift 2
    DNNL_VERBOSE=1 ONEDNN_VERBOSE=1 "$@" > "$tmp/out" || return 0
    awk -F, -v key="$key" -v steps="$steps" '/verbose.*,exec,.*,convolution,/ { sum += $NF }
        /^train/ { split($0, f, " "); print key ".share", sum / (steps + 1) / f[4] }' "$tmp/out" >> "$tmp/log"
}

median() {
    awk -v key="$1" '$1 == key { print $2 }' "$tmp/log" | sort -g | awk '{ v[NR] = $1 }
        END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

least() { printf '%s\n' "$@" | grep . | sort -g | head -n 1; }

# torch ARGUMENTS...: peers.py with an allocator that keeps its memory, which is PyTorch at its best.
torch() { MALLOC_TRIM_THRESHOLD_=4000000000 MALLOC_MMAP_THRESHOLD_=4000000000 "$PYTHON" "$here/peers.py" "$@"; }

# row WHAT OURS UNIT THEIRS GOAL: ratio is theirs/ours.
row() {
    awk -v what="$1" -v ours="$2" -v unit="$3" -v theirs="$4" -v goal="$5" 'BEGIN {
        printf "%-34s %10s %-7s %10s  %6s  %s\n", what, ours, unit, theirs == "" ? "-" : theirs,
               theirs == "" ? "-" : sprintf("%.2f", theirs / ours), goal }'
}

have=$("$PYTHON" "$here/peers.py" have 2> /dev/null || true)
echo "threads $OMP_NUM_THREADS, $ROUNDS rounds; peers:" ${have:-none}
for round in $(seq "$ROUNDS"); do
    for net in $nets; do
        measure "ours.train.$net" "$B/bench/bench_train" "$net" "$STEPS"
        if [[ $have == *torch* ]]; then
            for layout in nchw nhwc; do measure "torch.$layout.$net" torch train "$net" "$layout" "$STEPS"; done
        fi
        for batch in 1 16; do
            model=$tmp/$net.$batch.onnx
            measure "ours.infer.$net.$batch" "$B/bench/bench_infer" "$net" "$batch" $((40 / batch + 3)) "$model"
            if [[ $have == *onnxruntime* ]]; then
                measure "ort.$net.$batch" "$PYTHON" "$here/peers.py" infer "$model" $((40 / batch + 3))
            fi
        done
        if [[ $round = 1 && $have == *torch* ]]; then
            convolutions "torch.$net" "$STEPS" torch train "$net" nhwc "$STEPS"
        fi
    done
    echo "round $round done" >&2
done

printf '%-34s %10s %-7s %10s  %6s  %s\n' what ours unit peer ratio goal
for net in $nets; do
    theirs=$(least "$(median "torch.nchw.$net.ms")" "$(median "torch.nhwc.$net.ms")")
    row "train $net, batch 16" "$(median "ours.train.$net.ms")" ms "$theirs" 1.0
done
for net in $nets; do
    theirs=$(least "$(median "torch.nchw.$net.MB")" "$(median "torch.nhwc.$net.MB")")
    row "train $net, peak memory" "$(median "ours.train.$net.MB")" MB "$theirs" 1.0
done
for net in $nets; do
    printf '%-34s %10.2f %-7s %10s  %6s  %s\n' "train $net, oneDNN convolutions" "$(median "ours.train.$net.share")" share \
           "$(median "torch.$net.share" | awk '{ printf "%.2f", $1 } END { if (!NR) print "-" }')" "" 0.8
done
for net in $nets; do
    for batch in 1 16; do
        row "infer $net, batch $batch" "$(median "ours.infer.$net.$batch.ms")" ms "$(median "ort.$net.$batch.ms")" 1.0
    done
done
if [ -x "$B/bench/bench_image" ] && [ -d "$PICTURES" ]; then
    echo
    echo "picture loading, one thread, from $PICTURES (goal: 400/s from 500x375)"
    "$B/bench/bench_image" "$PICTURES"
fi
if [ -x "$B/tlc" ]; then
    start=$(for i in $(seq 21); do
        t=$(date +%s%N)
        "$B/tlc" --version > /dev/null
        echo $((($(date +%s%N) - t) / 10000))
    done | sort -g | sed -n 11p)
    echo
    echo "tlc --version: $(awk -v t="$start" 'BEGIN { printf "%.2f", t / 100 }') ms (goal: 20)"
fi
