#!/bin/bash
# bench_ingest.sh PROGRAM LINES_FILE [RATE] [ROUNDS] - CPU per line of the ingester over the bare price of a datagram.
#
# PROGRAM is bench_ingest. Each round measures the bare loop and then the ingester with the same paced sender. A round
# in which the sender did not reach the rate, or the bare loop lost datagrams, says more about the machine than about
# the ingester: it is shown, does not count, and is repeated (up to ROUNDS times in all).
# Goals (issue 2), at 200,000 lines/s: a median ratio of at most 2.5, and nothing lost.
# All of them run at real-time priority if that is allowed: what else the machine does then disturbs less.
# Exit status: 0 both goals met; 1 not met; 3 the machine was too busy for a verdict.
set -euo pipefail

program=$1
lines=$2
rate=${3:-200000}
rounds=${4:-7}
goal=2.5
seconds=3
count=$((rate * seconds))
port=$((20000 + RANDOM % 10000))
sink_port=$((port + 1))
work=$(mktemp -d)
first=()
if chrt --rr 1 true 2>/dev/null; then
    first=(chrt --rr 1)
fi
sink=
trap 'kill $sink 2>/dev/null || true; rm -rf "$work"' EXIT

# Two named pipes, so that nobody sleeps to wait: the receiver's first line says that its socket is bound.
mkfifo "$work/sink" "$work/receiver"
"${first[@]}" "$program" sink "$sink_port" >"$work/sink" &
sink=$!
read -r _ <"$work/sink"

# measure NAME ARGS...: start the receiver, send; its line in $work/NAME, the sender's in $work/NAME.sent.
measure() {
    local name=$1

    shift
    "${first[@]}" "$program" "$@" >"$work/receiver" 2>/dev/null &
    {
        read -r _
        "${first[@]}" "$program" send "$lines" "$port" "$rate" "$count" >"$work/$name.sent"
        cat >"$work/$name"
    } <"$work/receiver"
    wait $!
}

field() { # FILE PATTERN: the number that the pattern's group matches
    sed -n "s/.*$2.*/\1/p" "$work/$1"
}

median() {
    sort -n | awk '{ v[NR] = $1 } END { printf "%.2f", (NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2) }'
}

good=0
lost_sum=0
for ((round = 1; good < rounds && round <= 2 * rounds; round++)); do
    measure limit limit "$port" "$count"
    measure ingest ingest "$port" "$sink_port" "$count"
    limit=$(field limit ', \([0-9]*\) ns CPU each')
    ingest=$(field ingest ', \([0-9]*\) ns CPU each')
    lost=$(field ingest ' lost \([0-9]*\)')
    bare_lost=$(field limit ' lost \([0-9]*\)')
    slowest=$(cat "$work/limit.sent" "$work/ingest.sent" | sed -n 's/.* lines, \([0-9]*\)\/s.*/\1/p' | sort -n | head -1)
    ratio=$(awk -v a="$ingest" -v b="$limit" 'BEGIN { printf "%.2f", (b > 0 ? a / b : 0) }')
    verdict=counts
    if ((slowest < rate * 98 / 100)); then
        verdict="does not count, the sender was too slow"
    elif ((bare_lost > 0)); then
        verdict="does not count, the bare loop lost $bare_lost too"
    else
        good=$((good + 1))
        lost_sum=$((lost_sum + lost))
        printf '%s\n' "$ratio" >>"$work/good"
    fi
    printf '%s\n' "$ratio" >>"$work/all"
    printf 'round %d: bare loop %d ns, ingester %d ns, ratio %s, lost %d, sent at %d/s, load %s: %s\n' "$round" \
        "$limit" "$ingest" "$ratio" "$lost" "$slowest" "$(cut -d' ' -f1 /proc/loadavg)" "$verdict"
done

printf 'last round: %s\n            %s\n' "$(cat "$work/limit")" "$(cat "$work/ingest")"
if ((good * 2 < rounds)); then
    printf 'median ratio of all rounds: %s; only %d of %d could be measured at %d lines/s, the machine is too busy\n' \
        "$(median <"$work/all")" "$good" "$((round - 1))" "$rate"
    exit 3
fi
ratio=$(median <"$work/good")
printf 'median ratio at %d lines/s: %s (%s to %s in %d rounds), lost: %d lines; goals: at most %s, 0\n' "$rate" "$ratio" \
    "$(sort -n "$work/good" | head -1)" "$(sort -n "$work/good" | tail -1)" "$good" "$lost_sum" "$goal"
awk -v r="$ratio" -v g="$goal" -v l="$lost_sum" 'BEGIN { exit !(r <= g && l == 0) }'
