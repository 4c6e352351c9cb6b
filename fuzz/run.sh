#!/bin/sh
# run.sh BUILD FUZZER SECONDS - run one fuzz target from its corpus. SPDX-License-Identifier: MIT
#
# New inputs that reach new code go to BUILD/corpus, findings to BUILD/found. The log is shown when there is one.
set -eu
build=$1 fuzzer=$2 seconds=$3 name=${2#fuzz_}
mkdir -p "$build/corpus/$name" "$build/found"
log=$build/$fuzzer.log
if "$build/fuzz/$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$build/found/$name-" "$build/corpus/$name" "fuzz/corpus/$name" > "$log" 2>&1; then
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$fuzzer: $runs runs in $seconds s, nothing found"
else
    tail -n 60 "$log"
    echo "$fuzzer: FAILED; the input is in $build/found" >&2
    exit 1
fi
