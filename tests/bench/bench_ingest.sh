#!/bin/bash
# bench_ingest.sh PROGRAM LINES_FILE [RATE] [ROUNDS] - CPU per line of the ingester over the bare price of a datagram.
#
# PROGRAM is bench_ingest. Each round measures the bare loop and the ingester in the same minute with the same paced
# sender and prints both and their ratio; the last line is the median ratio. The goal (issue 2) is at most 2.5 at
# 200,000 lines/s.
set -euo pipefail

program=$1
lines=$2
rate=${3:-200000}
rounds=${4:-5}
seconds=5
port=$((20000 + RANDOM % 10000))
sink_port=$((port + 1))
count=$((rate * (seconds - 1)))
ratios=()

"$program" sink "$sink_port" $(((seconds + 2) * rounds * 2 + 5)) &
sink=$!
trap 'kill "$sink" 2>/dev/null || true' EXIT

# measure WHAT ARGS...: start the receiver, send, print its line.
measure() {
    local out

    out=$(mktemp)
    "$program" "$@" >"$out" 2>/dev/null &
    sleep 0.5
    "$program" send "$lines" "$port" "$rate" "$count" >/dev/null
    wait $!
    cat "$out"
    rm -f "$out"
}

cpu_of() {
    sed -n 's/.*, \([0-9]*\) ns CPU each.*/\1/p' <<<"$1"
}

for ((round = 1; round <= rounds; round++)); do
    limit=$(measure limit "$port" "$seconds")
    ingest=$(measure ingest "$port" "$sink_port" "$seconds")
    ratio=$(awk -v a="$(cpu_of "$ingest")" -v b="$(cpu_of "$limit")" 'BEGIN { printf "%.2f", a / b }')
    printf '%s\n%s\nround %d: ratio %s\n' "$limit" "$ingest" "$round" "$ratio"
    ratios+=("$ratio")
done
printf 'median ratio at %d lines/s: %s\n' "$rate" \
    "$(printf '%s\n' "${ratios[@]}" | sort -n | sed -n "$(((rounds + 1) / 2))p")"
