# shellcheck shell=sh disable=SC2154 # variables of script/bench
# SPDX-License-Identifier: MIT
#
# HTTP beside HAProxy, which shares one connection too (http-reuse always, maxconn 1, pool-max-conn 1). The target is
# nginx with one worker, the load is wrk and curl. Read by script/bench, whose functions it uses.

write_configurations() {
    mkdir -p "$work/www"
    truncate -s "$((large_bytes))" "$work/www/large"
    cat >"$work/nginx.conf" <<END
daemon off; master_process off; worker_processes 1; pid $work/nginx.pid; error_log $work/nginx.log;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 1000000000; keepalive_timeout 600; client_max_body_size 0;
    client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u;
    scgi_temp_path $work/s;
    server {
        listen 127.0.0.1:$http_port;
        location /large { root $work/www; }
        location / { return 200 "hello\n"; }
    }
}
END
    cat >"$work/haproxy.cfg" <<END
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout queue 60s
frontend in
    bind 127.0.0.1:$haproxy_port
    default_backend out
backend out
    http-reuse always
    server one 127.0.0.1:$http_port maxconn 1 pool-max-conn 1
END
}

# Three ports that are free now; programs that tell nobody which they were given need them.
free_ports() {
    /usr/bin/python3 -c 'import socket
found = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in found))'
}

# start_silent COMMAND... starts a server that does not say when it listens; see wait_for_port.
start_silent() {
    (pinned 0 "$@" >"$work/silent" 2>&1) &
    process=$!
    started="$started $process"
}

wait_for_port() {
    for _ in $(seq 100); do
        curl -s -o "$work/answer" "http://127.0.0.1:$1/" && return 0
        sleep 0.1
    done
    die "nothing answers on port $1: $(cat "$work/silent")"
}

# CPU time of all threads of a process, in nanoseconds.
cpu_ns() {
    cat /proc/"$1"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f\n", sum }'
}

# small NAME PORT PROCESS CLIENTS: CPU time per request, and the rate.
small() {
    before=$(cpu_ns "$3")
    pinned_wait wrk -t 1 -c "$4" -d "${seconds}s" "http://127.0.0.1:$2/" >"$work/wrk"
    after=$(cpu_ns "$3")
    ! grep -qE 'Socket errors|Non-2xx' "$work/wrk" || die "$1 failed: $(cat "$work/wrk")"
    requests=$(sed -n 's/^ *\([0-9]*\) requests in.*/\1/p' "$work/wrk")
    awk -v ns="$((after - before))" -v requests="$requests" -v seconds="$seconds" \
        'BEGIN { printf "cpu_us_per_request %.3f\nrequests_per_second %d\n", ns / requests / 1000, requests / seconds }' \
        >"$work/load.http.$1.$4.$round"
}

# large NAME PORT PROCESS: CPU time per byte of a download.
large() {
    before=$(cpu_ns "$3")
    pinned_wait curl -sS -o "$work/answer" "http://127.0.0.1:$2/large"
    after=$(cpu_ns "$3")
    cmp -s "$work/answer" "$work/www/large" || die "$1 delivered other bytes"
    awk -v ns="$((after - before))" -v bytes="$((large_bytes))" \
        'BEGIN { printf "cpu_ns_per_byte %.4f\n", ns / bytes }' >"$work/load.http.$1.large.$round"
}

# The load runs on the second processor, as load() has it.
pinned_wait() {
    (pinned 1 "$@")
}

print_http() {
    install_packages haproxy nginx-light wrk curl python3 diffutils
    large_bytes=$((256 * 1024 * 1024))
    ports=$(free_ports)
    http_port=${ports% *}
    haproxy_port=${ports#* }
    write_configurations
    start_silent nginx -c "$work/nginx.conf" -p "$work"
    start_silent haproxy -db -f "$work/haproxy.cfg"
    haproxy_process=$process
    wait_for_port "$http_port"
    wait_for_port "$haproxy_port"
    start http "$program" server -p http -t "127.0.0.1:$http_port" -l 127.0.0.1:0
    ours=${address##*:}
    ours_process=$process
    for round in $(seq "$rounds"); do
        for count in $clients; do
            echo "round $round of $rounds, http, $count clients" >&2
            small haproxy "$haproxy_port" "$haproxy_process" "$count"
            small ours "$ours" "$ours_process" "$count"
        done
        large haproxy "$haproxy_port" "$haproxy_process"
        large ours "$ours" "$ours_process"
    done
    stop "$ours_process"
    echo
    echo "HTTP through one connection to nginx, beside $(haproxy -v | sed -n '1s/ -.*//p'):"
    echo
    echo "| clients | CPU per request, µs | HAProxy | ratio | requests/s | HAProxy |"
    echo "|--:|--:|--:|--:|--:|--:|"
    for count in $clients; do
        awk -v count="$count" -v ours="$(middle "http.ours.$count" cpu_us_per_request)" \
            -v other="$(middle "http.haproxy.$count" cpu_us_per_request)" \
            -v our_rate="$(middle "http.ours.$count" requests_per_second)" \
            -v other_rate="$(middle "http.haproxy.$count" requests_per_second)" \
            'BEGIN { printf "| %d | %.2f | %.2f | **%.2f** | %d | %d |\n",
                count, ours, other, ours / other, our_rate, other_rate }'
    done
    echo
    awk -v ours="$(middle http.ours.large cpu_ns_per_byte)" \
        -v other="$(middle http.haproxy.large cpu_ns_per_byte)" \
        'BEGIN { printf "A large download, CPU per byte: %.3f ns, HAProxy %.3f ns, ratio **%.2f**.\n",
            ours, other, ours / other }'
}
