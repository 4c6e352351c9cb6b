#!/bin/sh
# detect.sh [TLC [DATA [SPEC]]] - how good a detector becomes, and what is left of it when it is pruned.
# SPDX-License-Identifier: MIT
#
# DATA (../shared/data/vehicles-openimages) has folders train, val and test, each with images and labels_kitti. For each of three
# seeds the detector of SPEC (examples/detect/vehicles.txt) is trained, evaluated on the test pictures, pruned to 40 % of its
# multiplications, trained again, and evaluated once more. Prints a table with every seed, mean and spread (highest less lowest).
# SEEDS can be set, and OUT, a new folder for what is written, which is kept; otherwise that is removed. Other words after SPEC
# are values for it: training_config.num_epochs=2.
set -eu
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

tlc=${1:-build/tlc} data=${2:-../shared/data/vehicles-openimages} spec=${3:-examples/detect/vehicles.txt}
[ $# -le 3 ] && set -- || shift 3
for part in train val test; do
    if [ ! -d "$data/$part/images" ] || [ ! -d "$data/$part/labels_kitti" ]; then
        echo "bench-detect: skipped, there is no $data/$part with images and labels_kitti"
        exit 0
    fi
done
out=${OUT:-}
if [ -z "$out" ]; then
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
elif [ -e "$out" ]; then
    echo "bench-detect: '$out' exists; give OUT a new folder" >&2
    exit 2
fi
mkdir -p "$out"

run() { # what it says is shown when it fails
    "$tlc" detectnet_v2 "$@" > "$out/log" 2>&1 || { cat "$out/log" >&2; exit 1; }
}
value() { sed -n "s/^$2=//p" "$1"; } # FILE NAME

source_of() { # FIELD PART: the spec value that names the folders of a part
    printf 'dataset_config.%s={ label_directory_path: "%s/labels_kitti" image_directory_path: "%s/images" }' "$1" "$data/$2" "$data/$2"
}
train() { # RESULTS [VALUE...]
    results=$1
    shift
    run train -e "$spec" -r "$results" --values "$results.train" "$(source_of data_sources train)" \
        "$(source_of validation_data_source val)" "random_seed=$seed" "$@"
}
evaluate() { # MODEL: average precision in the spec's way, and COCO's at an overlap of a half
    run evaluate -e "$spec" -m "$1" --values "$out/scores" "$(source_of data_sources train)" "$(source_of validation_data_source test)"
    echo "$(value "$out/scores" mean_precision) $(value "$out/scores" precision_50)"
}

for seed in ${SEEDS:-1 2 3}; do
    from=$(date +%s)
    train "$out/whole$seed" "$@"
    model=$(value "$out/whole$seed.train" best_model)
    whole=$(evaluate "$model")
    run prune -m "$model" -o "$out/pruned$seed.onnx" --target macs=0.4 --images "$data/train/images"
    train "$out/again$seed" "model_config.pretrained_model_file=$out/pruned$seed.onnx" model_config.load_graph=true "$@"
    pruned=$(evaluate "$(value "$out/again$seed.train" best_model)")
    echo "$seed $whole $pruned $(($(date +%s) - from))" >> "$out/rows"
    echo "seed $seed is done" >&2
done

awk 'function row(name) { printf "| %s |", name }
     { seed[NR] = $1; for (i = 1; i <= 5; i++) v[i, NR] = i < 5 ? 100 * $(i + 1) : $6 / 60 }
     END {
        print "| | mAP | AP50 | pruned: mAP | pruned: AP50 | minutes |"
        print "|---|---|---|---|---|---|"
        for (k = 1; k <= NR; k++) {
            row("seed " seed[k])
            for (i = 1; i <= 5; i++) printf " %.1f |", v[i, k]
            print ""
        }
        for (what = 0; what < 2; what++) {
            row(what ? "spread" : "mean")
            for (i = 1; i <= 5; i++) {
                lo = hi = v[i, 1]; sum = 0
                for (k = 1; k <= NR; k++) { sum += v[i, k]; if (v[i, k] < lo) lo = v[i, k]; if (v[i, k] > hi) hi = v[i, k] }
                printf " %.1f |", what ? hi - lo : sum / NR
            }
            print ""
        }
     }' "$out/rows"
