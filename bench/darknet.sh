#!/bin/bash
# darknet.sh - the training step of darknet, another program in C, for run.sh. SPDX-License-Identifier: MIT
#
#     bench/darknet.sh FOLDER NET PICTURE [STEPS [BATCH]]        FOLDER: a built darknet, with OPENMP=1; NET: resnet18, resnet50, ...
#
# Prints the median of the seconds that darknet says its steps take, pictures of 224x224, once the first is over.
set -eu
folder=$1 net=$2 picture=$(realpath "$3") steps=${4:-3} batch=${5:-16}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
sed -e "s/^batch *=.*/batch=$batch/; s/^subdivisions *=.*/subdivisions=1/; s/^max_batches *=.*/max_batches=$((steps + 1))/" \
    -e 's/^\(height\|width\|max_crop\|min_crop\) *=.*/\1=224/' "$folder/cfg/$net.cfg" > "$tmp/net.cfg"
mkdir "$tmp/pictures"
for i in $(seq 100); do ln -s "$picture" "$tmp/pictures/$i.n$i.jpg"; done
ls -d "$tmp"/pictures/* > "$tmp/list"
for i in $(seq 1000); do echo "n$i"; done > "$tmp/labels"
printf 'classes=1000\ntrain=%s\nlabels=%s\nbackup=%s\ntop=5\n' "$tmp/list" "$tmp/labels" "$tmp" > "$tmp/data"
/usr/bin/env time -f '%M' -o "$tmp/peak" "$folder/darknet" classifier train "$tmp/data" "$tmp/net.cfg" > "$tmp/out" 2> "$tmp/err" ||
    { tail -n 1 "$tmp/err" >&2; exit 1; }
awk -v net="$net" -v kb="$(tail -n 1 "$tmp/peak")" '/ rate, / { for (i = 2; i <= NF; i++) if ($i ~ /^seconds/) print 1000 * $(i - 1) }' \
    "$tmp/out" | tail -n +2 | sort -g | awk -v net="$net" -v kb="$(tail -n 1 "$tmp/peak")" '{ v[NR] = $1 }
        END { if (!NR) exit 1; printf "train %s ms %.1f MB %.0f\n", net, v[int((NR + 1) / 2)], kb / 1024 }'
