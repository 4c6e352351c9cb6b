#!/bin/sh
# run.sh PROGRAM... - run cmocka test programs and add up their results. SPDX-License-Identifier: MIT
#
# The output of a program is shown when something in it failed. A program that crashes, hangs, or runs
# no test at all counts as one failure. The last line is the sum; the exit code is 1 when any failed.
# Threads that wait for each other by spinning take the processor from the one they wait for when the
# machine is busy: 20 times slower. Passive ones sleep.
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-passive}"
# Under SAN=1: fontconfig keeps what it has found until the end, and offsets in place of pointers, which look like leaks.
suppressions=$(mktemp) log=$(mktemp) || exit 1
trap 'rm -f "$log" "$suppressions"' EXIT
echo leak:libfontconfig > "$suppressions"
export LSAN_OPTIONS="suppressions=$suppressions:print_suppressions=0"
passed=0 failed=0 skipped=0

for program; do
    from=$(date +%s)
    CMOCKA_MESSAGE_OUTPUT=TAP timeout 900 "$program" > "$log" 2>&1
    code=$?
    # Older versions of cmocka write "not ok 3 # SKIP name", newer ones "ok 3 # SKIP name".
    set -- $(awk '/^(not )?ok [0-9]+ # SKIP/ { s++; next } /^ok [0-9]/ { p++ } /^not ok [0-9]/ { f++ }
                  END { print p + 0, f + 0, s + 0 }' "$log")
    p=$1 f=$2 s=$3 why=
    if [ $code -ne 0 ] && [ "$f" -eq 0 ]; then f=1 why="  (exit code $code)"; fi
    if [ $((p + f + s)) -eq 0 ]; then f=1 why="  (it ran no test)"; fi
    [ "$f" -eq 0 ] || cat "$log"
    if [ "$s" -gt 0 ]; then grep -i '^skipped' "$log" | sort -u; fi
    printf '%-28s %3s passed, %s failed, %s skipped, %3s s%s\n' "$(basename "$program")" "$p" "$f" "$s" $(($(date +%s) - from)) "$why"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done

echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ]
