/* SPDX-License-Identifier: MIT */
/*
 * A run of the load generator: connects, lets the clients ask until the end, waits for the answers
 * that are missing, and prints what came out.
 *
 * One epoll, edge-triggered. With --rate the times of all requests are fixed before the first is
 * sent: request k of R a second is due k/R after the beginning and belongs to client k modulo
 * --clients. One that its client cannot send yet waits, and its latency counts from when it was due,
 * so that a target which stalls cannot hide it by stopping the load as well.
 *
 * Silent clients ask once, before anything is measured, and have to be there at the end. The CPU time
 * of another process is read from its clock at the first request and after the last answer, so that
 * connecting is not in it (but with --churn, which measures just that).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "net.h"

enum { EVENTS_MAX = 256, LINGER_SECONDS = 10 };

static const uint64_t ns_per_second = 1000000000;

/* ---- clients ---- */

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL) {
        die("memory");
    }
    return memory;
}

/* Answers that come out of order leave gaps; places for four times the depth hold them. */
static uint32_t places_for(const struct options *options)
{
    uint32_t wanted = options->depth * (options->wire->is_by_id ? 4 : 1);
    uint32_t places = 1;
    while (places < wanted) {
        places *= 2;
    }
    return places;
}

static void open_clients(struct run *run)
{
    const struct options *options = run->options;
    size_t head_max = options->wire->head_max;
    uint32_t count = options->clients + options->beside;
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (run->epoll < 0) {
        die("epoll");
    }
    run->places = places_for(options);
    run->clients = allocate(count, sizeof *run->clients);
    run->clients_count = count;
    uint8_t *heads = allocate(count, head_max);
    uint64_t *times = allocate((size_t)count * run->places, sizeof *times);
    for (uint32_t i = 0; i < count; i++) {
        struct client *client = &run->clients[i];
        *client = (struct client){.fd = -1, .number = i, .is_silent = i >= options->clients};
        client->head = heads + i * head_max;
        client->since_ns = times + (size_t)i * run->places;
        if (client->is_silent || !options->churn) {
            client_open(run, client);
        }
    }
}

/* ---- time ---- */

/* Starts what is due, round-robin over the clients. */
static void owe(struct run *run, uint64_t now)
{
    while (run->owed < run->requests_max) {
        uint64_t due = due_ns(run, run->owed);
        if (due > now || due >= run->end_ns) {
            return;
        }
        struct client *client = &run->clients[run->owed % run->options->clients];
        run->owed++;
        if (client->is_broken) {
            run->errors++;
            continue;
        }
        client->owed++;
        run->backlog++;
        client_go_on(run, client, now);
    }
}

/* The time at which the next request is due; UINT64_MAX: no further one. */
static uint64_t next_due_ns(const struct run *run)
{
    if (run->options->rate == 0 || run->owed >= run->requests_max) {
        return UINT64_MAX;
    }
    uint64_t due = due_ns(run, run->owed);
    return due < run->end_ns ? due : UINT64_MAX;
}

static int wait_until(int epoll, struct epoll_event *events, uint64_t now, uint64_t until)
{
    uint64_t left = until > now ? until - now : 0;
    if (left > ns_per_second) {
        left = ns_per_second;
    }
    struct timespec timeout = {.tv_sec = (time_t)(left / ns_per_second),
                               .tv_nsec = (long)(left % ns_per_second)};
    return epoll_pwait2(epoll, events, EVENTS_MAX, &timeout, NULL);
}

/* Until every request is answered, or nothing has happened for a while after the end. */
static void exchange_all(struct run *run)
{
    uint64_t due = next_due_ns(run), now = now_ns();
    run->heard_ns = now;
    while (due != UINT64_MAX || run->in_flight > 0 || run->backlog > 0) {
        uint64_t last = run->end_ns > run->heard_ns ? run->end_ns : run->heard_ns;
        uint64_t give_up = last + LINGER_SECONDS * ns_per_second;
        if (now >= give_up) {
            break;
        }
        struct epoll_event events[EVENTS_MAX];
        int count = wait_until(run->epoll, events, now, due < give_up ? due : give_up);
        for (int i = 0; i < count; i++) {
            client_handle(run, events[i].data.ptr, events[i].events);
        }
        now = now_ns();
        if (due != UINT64_MAX) {
            owe(run, now);
            due = next_due_ns(run);
        }
    }
    run->errors += run->in_flight + run->backlog;
}

/* ---- what is measured ---- */

static uint64_t ns_of(struct timespec time)
{
    return (uint64_t)time.tv_sec * ns_per_second + (uint64_t)time.tv_nsec;
}

static uint64_t watched_cpu_ns(pid_t watched)
{
    clockid_t clock;
    struct timespec used = {0};
    if (watched != 0 &&
        (clock_getcpuclockid(watched, &clock) != 0 || clock_gettime(clock, &used) != 0)) {
        fprintf(stderr, "cannot read the CPU time of process %d\n", (int)watched);
        exit(1);
    }
    return ns_of(used);
}

static uint64_t own_cpu_ns(void)
{
    struct timespec used = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return ns_of(used);
}

struct costs {
    uint64_t elapsed_ns, watched_ns, own_ns;
};

static void report_latency(const struct histogram *latency)
{
    static const struct {
        const char *name;
        unsigned permille;
    } rows[] = {{"p50", 500}, {"p90", 900}, {"p99", 990}, {"p999", 999}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("latency_%s_us %.1f\n", rows[i].name,
               (double)histogram_permille(latency, rows[i].permille) / 1e3);
    }
    printf("latency_max_us %.1f\n", (double)latency->max / 1e3);
}

static void report(const struct run *run, const struct costs *costs)
{
    const struct options *options = run->options;
    double answered = run->answered > 0 ? (double)run->answered : 1;
    double bytes = answered * (double)(options->upload + options->download);
    printf("requests %" PRIu64 "\n", run->answered);
    printf("requests_per_second %.0f\n", (double)run->answered * 1e9 / (double)costs->elapsed_ns);
    if (options->rate > 0) {
        double offered_ns = (double)(due_ns(run, run->owed) - run->begin_ns);
        printf("rate_offered %.0f\n", offered_ns > 0 ? (double)run->owed * 1e9 / offered_ns : 0);
    }
    report_latency(&run->latency);
    if (options->watched != 0) {
        printf("cpu_us_per_request %.3f\n", (double)costs->watched_ns / 1e3 / answered);
    }
    printf("load_cpu_us_per_request %.3f\n", (double)costs->own_ns / 1e3 / answered);
    if (bytes > 0) {
        printf("bytes_per_second %.0f\n",
               run->answered > 0 ? bytes * 1e9 / (double)costs->elapsed_ns : 0);
    }
    if (bytes > 0 && options->watched != 0) {
        printf("cpu_ns_per_byte %.4f\n", (double)costs->watched_ns / bytes);
    }
    printf("errors %" PRIu64 "\n", run->errors);
}

/* ---- runs ---- */

/* One request each; what it took is not measured. */
static void ask_silent(struct run *run)
{
    for (uint32_t i = run->options->clients; i < run->clients_count; i++) {
        client_ask(run, &run->clients[i], now_ns());
    }
    exchange_all(run);
    run->started = 0;
    run->answered = 0;
    memset(&run->latency, 0, sizeof run->latency);
}

/* Clients from this number on have nothing under way: one that has got a byte is an error, and so is
 * one that was closed. */
static void check_silence(struct run *run, uint32_t first)
{
    for (uint32_t i = first; i < run->clients_count; i++) {
        struct client *client = &run->clients[i];
        uint8_t byte;
        if (!client->is_broken &&
            (recv(client->fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)) {
            client_break(run, client);
        }
    }
}

static void measure(struct run *run)
{
    const struct options *options = run->options;
    ask_silent(run);
    run->requests_max = options->requests > 0 ? options->requests : UINT64_MAX;
    uint64_t watched_ns = watched_cpu_ns(options->watched), own_ns = own_cpu_ns();
    run->begin_ns = now_ns();
    run->end_ns = run->begin_ns + (uint64_t)(options->seconds * 1e9);
    for (uint32_t i = 0; i < options->clients && options->rate == 0; i++) {
        client_go_on(run, &run->clients[i], now_ns());
    }
    exchange_all(run);
    struct costs costs = {.elapsed_ns = now_ns() - run->begin_ns,
                          .watched_ns = watched_cpu_ns(options->watched) - watched_ns,
                          .own_ns = own_cpu_ns() - own_ns};
    check_silence(run, options->clients);
    report(run, &costs);
}

/* One request each if asked for; then nothing, until a byte or the end comes on stdin. */
static void hold(struct run *run)
{
    char byte;
    for (uint32_t i = 0; i < run->clients_count && i < run->options->requests; i++) {
        client_ask(run, &run->clients[i], now_ns());
    }
    exchange_all(run);
    printf("ready\n");
    fflush(stdout);
    if (read(STDIN_FILENO, &byte, 1) < 0) {
        die("stdin");
    }
    check_silence(run, 0);
    printf("errors %" PRIu64 "\n", run->errors);
}

/* Without the slack that timers usually have, so that requests leave when they are due. */
uint64_t run_load(const struct options *options)
{
    static struct run run;
    run.options = options;
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    open_clients(&run);
    if (options->idle) {
        hold(&run);
    } else {
        measure(&run);
    }
    return run.errors;
}
