# shellcheck shell=sh disable=SC2154 # variables of script/bench
# SPDX-License-Identifier: MIT
#
# Many requests in flight on one connection, measured beside the lock and beside no multiplexer at all.
# Read by script/bench, whose functions it uses.

# keep NAME ADDRESS OPTION...: one measurement of the round, kept for `middle`.
keep() {
    kept=$1
    shift
    load "$work/load.$kept.$round" "$@"
}

# middle NAME VALUE is the median over the rounds.
middle() {
    for round in $(seq "$rounds"); do
        value "$work/load.$1.$round" "$2"
    done | sort -n | awk '{ values[NR] = $1 }
        END { print NR % 2 ? values[(NR + 1) / 2] : (values[NR / 2] + values[NR / 2 + 1]) / 2 }'
}

# two_multiplexers TARGET COUNT: one with so many in flight in $many, one with the lock in $lock.
two_multiplexers() {
    start "many.$2" "$program" server -p echo -t "$1" -l 127.0.0.1:0 --in-flight "$2"
    many=$address
    many_process=$process
    start "lock.$2" "$program" server -p echo -t "$1" -l 127.0.0.1:0
    lock=$address
    lock_process=$process
}

# A target that takes 1 ms for each request and works on as many as come.
print_concurrency() {
    start slow build/bench/bench-target 127.0.0.1:0 --service 1000
    slow=$address
    slow_process=$process
    two_multiplexers "$slow" 16
    for round in $(seq "$rounds"); do
        echo "round $round of $rounds, 1 ms of service" >&2
        keep slow.direct "$slow" --clients 16 --seconds "$seconds"
        keep slow.many "$many" --clients 16 --seconds "$seconds"
        keep slow.lock "$lock" --clients 16 --seconds "$seconds"
    done
    stop "$many_process"
    stop "$lock_process"
    stop "$slow_process"
    echo
    echo "A target with 1 ms of service that works on many at once, 16 clients, requests/s:"
    echo
    echo "| 16 direct connections | --in-flight 16 | ratio | the lock | ratio |"
    echo "|--:|--:|--:|--:|--:|"
    awk -v direct="$(middle slow.direct requests_per_second)" \
        -v many="$(middle slow.many requests_per_second)" \
        -v lock="$(middle slow.lock requests_per_second)" \
        'BEGIN { printf "| %d | %d | **%.2f** | %d | %.2f |\n", direct, many, many / direct, lock, lock / direct }'
}

# No service time: what a request costs the multiplexer.
print_pipeline() {
    two_multiplexers "$echo" 1024
    for round in $(seq "$rounds"); do
        for count in 100 1000; do
            echo "round $round of $rounds, $count clients" >&2
            keep "bare.$count" "$echo" --clients "$count" --seconds "$seconds" --watch "$echo_process"
            keep "many.$count" "$many" --clients "$count" --seconds "$seconds" --watch "$many_process"
            keep "lock.$count" "$lock" --clients "$count" --seconds "$seconds" --watch "$lock_process"
        done
    done
    stop "$many_process"
    stop "$lock_process"
    echo
    echo "CPU time for each request with --in-flight 1024, no service time:"
    echo
    echo "| clients | CPU, µs | bare echo server | ratio | the lock | ratio | requests/s | lock |"
    echo "|--:|--:|--:|--:|--:|--:|--:|--:|"
    for count in 100 1000; do
        awk -v count="$count" -v many="$(middle "many.$count" cpu_us_per_request)" \
            -v bare="$(middle "bare.$count" cpu_us_per_request)" \
            -v lock="$(middle "lock.$count" cpu_us_per_request)" \
            -v many_rate="$(middle "many.$count" requests_per_second)" \
            -v lock_rate="$(middle "lock.$count" requests_per_second)" \
            'BEGIN { printf "| %d | %.2f | %.2f | **%.2f** | %.2f | %.2f | %d | %d |\n",
                count, many, bare, many / bare, lock, many / lock, many_rate, lock_rate }'
    done
}

# Fifteen polite clients in lock-step, without and with one that has 200 requests queued all the time.
print_fairness() {
    start slow.fair build/bench/bench-target 127.0.0.1:0 --service 100
    slow_process=$process
    start fair "$program" server -p echo -t "$address" -l 127.0.0.1:0
    fair=$address
    fair_process=$process
    for round in $(seq "$rounds"); do
        echo "round $round of $rounds, fairness" >&2
        keep fair.alone "$fair" --clients 15 --seconds "$seconds"
        (pinned 1 build/bench/bench-load "$fair" --clients 1 --depth 200 --seconds "$((seconds + 2))" \
            >"$work/greedy") &
        greedy=$!
        sleep 1
        keep fair.beside "$fair" --clients 15 --seconds "$seconds"
        wait "$greedy" || die "the greedy client failed"
    done
    stop "$fair_process"
    stop "$slow_process"
    echo
    echo "Fifteen polite clients of a target with 100 µs of service, and one with 200 requests queued, p99 in µs:"
    echo
    echo "| without it | beside it | ratio |"
    echo "|--:|--:|--:|"
    awk -v alone="$(middle fair.alone latency_p99_us)" -v beside="$(middle fair.beside latency_p99_us)" \
        'BEGIN { printf "| %d | %d | **%.2f** |\n", alone, beside, beside / alone }'
}
