#!/bin/sh
# detect.sh [TLC [DATA [VALUE...]]] - how good detectors become, and what is left of one when it is pruned.
# SPDX-License-Identifier: MIT
#
# DATA (../shared/data) has the folders vehicles-openimages and face-mask: parts, each with images and labels_kitti; the validation
# part of the latter, which has no other, chooses and tests. For each of three seeds
#   vehicles   examples/detect/vehicles.txt is trained, evaluated on the test pictures, pruned to 40 % of its multiplications, trained
#              again by examples/detect/vehicles-retrain.txt with the whole one as its teacher, and evaluated once more
#   masks      bench/detect-masks.txt is trained, first with frozen blocks on smaller pictures, then as it is, and evaluated
# and the tables have every seed, mean and spread (highest less lowest). Can be set: SEEDS, SETS (vehicles, masks), OUT: a new folder
# for what is written, which is kept; otherwise that is removed. VALUEs are for the specs: training_config.num_epochs=2.
set -eu
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"

tlc=${1:-build/tlc} data=${2:-../shared/data}
[ $# -le 2 ] && set -- || shift 2
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
    printf 'dataset_config.%s={ label_directory_path: "%s/labels_kitti" image_directory_path: "%s/images" }' "$1" "$set/$2" "$set/$2"
}
train() { # RESULTS [VALUE...]: sets model, the best one; adds to minutes
    results=$1 from=$(date +%s)
    shift
    run train -e "$spec" -r "$results" --values "$results.train" "$(source_of data_sources train)" \
        "$(source_of validation_data_source val)" "random_seed=$seed" "$@"
    model=$(value "$results.train" best_model)
    minutes=$(echo "$minutes $(date +%s) $from" | awk '{ print $1 + ($2 - $3) / 60 }')
}
evaluate() { # PART: of the model, average precision in the spec's way, COCO's at an overlap of a half, and the minutes it took
    run evaluate -e "$spec" -m "$model" --values "$out/scores" "$(source_of data_sources train)" "$(source_of validation_data_source "$1")"
    echo "$(value "$out/scores" mean_precision) $(value "$out/scores" precision_50) $minutes"
}

vehicles() {
    spec=examples/detect/vehicles.txt
    train "$out/vehicles$seed" "$@"
    whole=$(evaluate test) teacher=$model small=$out/pruned$seed.onnx
    run prune -m "$teacher" -o "$small" --target macs=0.4 --images "$set/train/images"
    minutes=0 spec=examples/detect/vehicles-retrain.txt
    train "$out/again$seed" "model_config.pretrained_model_file=$small" "model_config.teacher_model_file=$teacher" "$@"
    row="$whole $(evaluate test)"
}
masks() {
    spec=bench/detect-masks.txt
    train "$out/first$seed" "model_config.freeze_blocks=[0,1,2,3,4,5]" training_config.num_epochs=20 \
        training_config.learning_rate.soft_start_annealing_schedule.max_learning_rate=5e-4 \
        augmentation_config.preprocessing.output_image_width=512 augmentation_config.preprocessing.output_image_height=512 "$@"
    train "$out/masks$seed" "model_config.pretrained_model_file=$model" "$@"
    row=$(evaluate val)
}

table() { # FILE: rows of a seed and one or two times three figures
    awk '{ seed[NR] = $1; n = NF - 1; for (i = 1; i <= n; i++) v[i, NR] = (i % 3 ? 100 : 1) * $(i + 1) }
         function cell(x) { printf " %.1f |", x }
         END {
            print (n > 3 ? "| | mAP | AP50 | minutes | pruned: mAP | pruned: AP50 | minutes |" : "| | mAP | AP50 | minutes |")
            print (n > 3 ? "|---|---|---|---|---|---|---|" : "|---|---|---|---|")
            for (k = 1; k <= NR; k++) {
                printf "| seed %s |", seed[k]
                for (i = 1; i <= n; i++) cell(v[i, k])
                print ""
            }
            for (what = 0; what < 2; what++) {
                printf "| %s |", what ? "spread" : "mean"
                for (i = 1; i <= n; i++) {
                    lo = hi = v[i, 1]; sum = 0
                    for (k = 1; k <= NR; k++) { sum += v[i, k]; if (v[i, k] < lo) lo = v[i, k]; if (v[i, k] > hi) hi = v[i, k] }
                    cell(what ? hi - lo : sum / NR)
                }
                print ""
            }
         }' "$1"
}

measure() { # WHAT FOLDER [VALUE...]
    what=$1 set=$data/$2
    shift 2
    if [ ! -d "$set/train/images" ] || [ ! -d "$set/val/images" ]; then
        echo "bench-detect: $what skipped, there is no $set with train/images and val/images"
        return
    fi
    for seed in ${SEEDS:-1 2 3}; do
        minutes=0
        "$what" "$@"
        echo "$seed $row" >> "$out/$what.rows"
        echo "$what: seed $seed is done: $row" >&2
    done
    printf '\n%s\n\n' "$what"
    table "$out/$what.rows"
}

for what in ${SETS:-vehicles masks}; do
    case $what in
    vehicles) measure vehicles vehicles-openimages "$@" ;;
    masks) measure masks face-mask "$@" ;;
    *) echo "bench-detect: SETS are vehicles and masks, not '$what'" >&2; exit 2 ;;
    esac
done
