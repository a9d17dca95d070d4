/* SPDX-License-Identifier: MIT */
/*
 * The load generator: many clients of an echo. A client sends lines, each with its number and a
 * sequence number, and compares every byte of the answers. It is in lock-step, or sends --depth
 * lines ahead of their answers.
 *
 *     bench-load HOST:PORT --clients 64 --seconds 3          measures requests, latency, CPU time
 *     bench-load HOST:PORT --clients 10000 --idle            opens connections and holds them
 *
 * One thread and epoll, edge-triggered. Latencies go into a histogram whose buckets are 1/32 apart,
 * so a percentile is right within about 3 %. The CPU time of another process (--watch) is read from
 * its clock at the first request and after the last answer, so that connecting is not in it.
 *
 * An answer with a wrong byte ends the run at once with status 1: a fast wrong answer has no speed.
 * A connection that breaks, or an answer that is missing 10 s after the end, counts as an error.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

enum {
    EVENTS_MAX = 256,
    MESSAGE_MIN_BYTES = 40, /* both numbers and their words */
    MESSAGE_MAX_BYTES = 4096,
    LINGER_SECONDS = 10,
};

static const uint64_t ns_per_second = 1000000000;

struct options {
    struct sockaddr_in target;
    uint32_t clients;
    double seconds;
    uint64_t requests; /* in all; 0: no limit but the time */
    uint32_t size;     /* of a message */
    uint32_t depth;    /* requests of a client ahead of its answers */
    bool idle;
    pid_t watched; /* 0: none */
};

struct client {
    int fd; /* -1: broken */
    uint32_t number;
    uint32_t sequence; /* of the last request sent */
    uint32_t answered; /* of the last answer that was whole */
    size_t received;   /* of the answer behind it */
    uint64_t *sent_ns; /* owns; of the requests in flight, by sequence modulo --depth */
    char *message;     /* owns; a request to send, or what the next answer must be */
};

static uint32_t in_flight_of(const struct client *client)
{
    return client->sequence - client->answered;
}

/* ---- latencies ---- */

enum { STEPS = 32, STEP_BITS = 5, BUCKETS = 64 * STEPS };

struct histogram {
    uint64_t buckets[BUCKETS];
    uint64_t count, max;
};

static unsigned bucket_of(uint64_t value)
{
    unsigned bits = 63U - (unsigned)__builtin_clzll(value | STEPS);
    return (bits - STEP_BITS) * STEPS + (unsigned)(value >> (bits - STEP_BITS));
}

/* The largest value that a bucket holds. */
static uint64_t bucket_top(unsigned bucket)
{
    if (bucket < 2 * STEPS) {
        return bucket;
    }
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(bucket % STEPS + STEPS + 1) << shift) - 1;
}

static void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->buckets[bucket_of(value)]++;
    histogram->count++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

static uint64_t histogram_percentile(const struct histogram *histogram, unsigned percent)
{
    uint64_t wanted = (histogram->count * percent + 99) / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted) {
            return bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
        }
    }
    return histogram->max;
}

/* ---- the run ---- */

struct run {
    const struct options *options;
    struct client *clients;
    int epoll;
    uint32_t in_flight;
    uint64_t started, answered; /* requests */
    uint64_t errors;
    uint64_t end_ns; /* no request is started after it */
    uint64_t requests_max;
    struct histogram latency;
};

static void break_client(struct run *run, struct client *client)
{
    if (client->fd < 0) {
        return;
    }
    run->in_flight -= in_flight_of(client);
    client->answered = client->sequence;
    close(client->fd);
    client->fd = -1;
    run->errors++;
}

static void write_message(const struct run *run, struct client *client, uint32_t sequence)
{
    uint32_t size = run->options->size;
    int used =
        snprintf(client->message, size, "client %06u request %010u ", client->number, sequence);
    memset(client->message + used, 'x', size - (size_t)used);
    client->message[size - 1] = '\n';
}

/* Messages are far smaller than a socket buffer, so that a short send means trouble. */
static void send_request(struct run *run, struct client *client, uint64_t now)
{
    client->sequence++;
    client->sent_ns[client->sequence % run->options->depth] = now;
    write_message(run, client, client->sequence);
    run->started++;
    run->in_flight++;
    ssize_t sent = send(client->fd, client->message, run->options->size, 0);
    if (sent != (ssize_t)run->options->size) {
        break_client(run, client);
    }
}

/* As many as --depth allows. */
static void send_requests(struct run *run, struct client *client, uint64_t now)
{
    while (client->fd >= 0 && in_flight_of(client) < run->options->depth && now < run->end_ns &&
           run->started < run->requests_max) {
        send_request(run, client, now);
    }
}

static _Noreturn void wrong_answer(const struct client *client, const char *bytes, size_t size)
{
    fprintf(stderr, "client %u got a wrong answer to request %u: %.*s\n", client->number,
            client->answered + 1, (int)size, bytes);
    exit(1);
}

static void take_answer(struct run *run, struct client *client, uint64_t now)
{
    client->answered++;
    client->received = 0;
    histogram_add(&run->latency, now - client->sent_ns[client->answered % run->options->depth]);
    run->in_flight--;
    run->answered++;
}

/* Compares what has come with the answers that are due. */
static void take_bytes(struct run *run, struct client *client, const char *bytes, size_t size)
{
    uint64_t now = now_ns();
    while (size > 0) {
        if (in_flight_of(client) == 0) {
            wrong_answer(client, bytes, size);
        }
        write_message(run, client, client->answered + 1);
        size_t left = run->options->size - client->received;
        size_t part = size < left ? size : left;
        if (memcmp(client->message + client->received, bytes, part) != 0) {
            wrong_answer(client, bytes, part);
        }
        bytes += part;
        size -= part;
        client->received += part;
        if (part == left) {
            take_answer(run, client, now);
        }
    }
}

static void handle(struct run *run, struct client *client)
{
    static char bytes[64 * 1024];
    ssize_t size = sizeof bytes;
    while (client->fd >= 0 && size == sizeof bytes) {
        size = recv(client->fd, bytes, sizeof bytes, 0);
        if (size > 0) {
            take_bytes(run, client, bytes, (size_t)size);
        } else if (size == 0 || errno != EAGAIN) {
            break_client(run, client);
        }
    }
    send_requests(run, client, now_ns());
}

/* Until every request is answered. */
static void exchange_all(struct run *run)
{
    uint64_t now = now_ns();
    for (uint32_t i = 0; i < run->options->clients && run->started < run->requests_max; i++) {
        if (run->options->idle) {
            send_request(run, &run->clients[i], now_ns());
        } else {
            send_requests(run, &run->clients[i], now_ns());
        }
    }
    uint64_t give_up = run->end_ns > now ? run->end_ns : now;
    give_up += LINGER_SECONDS * ns_per_second;
    while (run->in_flight > 0 && now_ns() < give_up) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(run->epoll, events, EVENTS_MAX, 1000);
        for (int i = 0; i < count; i++) {
            handle(run, events[i].data.ptr);
        }
    }
    run->errors += run->in_flight;
}

static void connect_clients(struct run *run)
{
    const struct options *options = run->options;
    run->epoll = epoll_create1(EPOLL_CLOEXEC);
    run->clients = calloc(options->clients, sizeof *run->clients);
    char *messages = malloc((size_t)options->clients * options->size);
    uint64_t *times = calloc((size_t)options->clients * options->depth, sizeof *times);
    if (run->epoll < 0 || run->clients == NULL || messages == NULL || times == NULL) {
        die("start");
    }
    for (uint32_t i = 0; i < options->clients; i++) {
        run->clients[i] = (struct client){.fd = connect_from(&options->target, i), .number = i};
        run->clients[i].message = messages + (size_t)i * options->size;
        run->clients[i].sent_ns = times + (size_t)i * options->depth;
        struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET,
                                    .data.ptr = &run->clients[i]};
        if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, run->clients[i].fd, &event) < 0) {
            die("epoll_ctl");
        }
    }
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
    return (uint64_t)used.tv_sec * ns_per_second + (uint64_t)used.tv_nsec;
}

static void report(const struct run *run, uint64_t elapsed_ns, uint64_t cpu_ns)
{
    const struct histogram *latency = &run->latency;
    double answered = run->answered > 0 ? (double)run->answered : 1;
    printf("requests %" PRIu64 "\n", run->answered);
    printf("requests_per_second %.0f\n", (double)run->answered * 1e9 / (double)elapsed_ns);
    printf("latency_p50_us %.1f\n", (double)histogram_percentile(latency, 50) / 1e3);
    printf("latency_p99_us %.1f\n", (double)histogram_percentile(latency, 99) / 1e3);
    printf("latency_max_us %.1f\n", (double)latency->max / 1e3);
    if (run->options->watched != 0) {
        printf("cpu_us_per_request %.3f\n", (double)cpu_ns / 1e3 / answered);
    }
    printf("errors %" PRIu64 "\n", run->errors);
}

static void measure(struct run *run)
{
    const struct options *options = run->options;
    uint64_t cpu_ns = watched_cpu_ns(options->watched);
    uint64_t start_ns = now_ns();
    run->end_ns = start_ns + (uint64_t)(options->seconds * 1e9);
    run->requests_max = options->requests > 0 ? options->requests : UINT64_MAX;
    exchange_all(run);
    uint64_t elapsed_ns = now_ns() - start_ns;
    report(run, elapsed_ns, watched_cpu_ns(options->watched) - cpu_ns);
}

/* One request each if asked for; then nothing, until a byte or the end comes on stdin. A connection
 * that has been closed meanwhile is an error, and so is one that has got a byte. */
static void hold(struct run *run)
{
    char byte;
    run->requests_max = run->options->requests;
    exchange_all(run);
    printf("ready\n");
    fflush(stdout);
    if (read(STDIN_FILENO, &byte, 1) < 0) {
        die("stdin");
    }
    for (uint32_t i = 0; i < run->options->clients; i++) {
        int fd = run->clients[i].fd;
        if (fd >= 0 && (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0 || errno != EAGAIN)) {
            break_client(run, &run->clients[i]);
        }
    }
    printf("errors %" PRIu64 "\n", run->errors);
}

/* ---- the command line ---- */

static _Noreturn void usage(int status)
{
    fprintf(
        status == 0 ? stdout : stderr,
        "usage: bench-load ADDRESS:PORT [OPTION]...\n\n"
        "  --clients N    connections (1)\n"
        "  --seconds S    start requests for so long (3)\n"
        "  --requests N   start at most N requests in all\n"
        "  --size N       bytes of a message (64)\n"
        "  --depth N      requests of a client ahead of their answers (1)\n"
        "  --watch PID    measure the CPU time of this process\n"
        "  --idle         do --requests requests (none unless given), say 'ready', and hold the\n"
        "                 connections until a byte comes on stdin\n"
        "  --help         this text\n");
    exit(status);
}

static uint32_t parse_number(const char *text, uint32_t minimum, uint32_t maximum)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0' || value < minimum || value > maximum) {
        fprintf(stderr, "'%s' is not a number from %u to %u\n", text, minimum, maximum);
        exit(2);
    }
    return (uint32_t)value;
}

static void parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"clients", required_argument, NULL, 'c'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"requests", required_argument, NULL, 'r'},
                                          {"size", required_argument, NULL, 'b'},
                                          {"depth", required_argument, NULL, 'd'},
                                          {"watch", required_argument, NULL, 'w'},
                                          {"idle", no_argument, NULL, 'i'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (letter) {
        case 'c':
            options->clients = parse_number(optarg, 1, 999999);
            break;
        case 's':
            options->seconds = parse_number(optarg, 1, 86400);
            break;
        case 'r':
            options->requests = parse_number(optarg, 1, UINT32_MAX);
            break;
        case 'b':
            options->size = parse_number(optarg, MESSAGE_MIN_BYTES, MESSAGE_MAX_BYTES);
            break;
        case 'd':
            options->depth = parse_number(optarg, 1, 10000);
            break;
        case 'w':
            options->watched = (pid_t)parse_number(optarg, 1, INT32_MAX);
            break;
        case 'i':
            options->idle = true;
            break;
        case 'h':
            usage(0);
        default:
            usage(2);
        }
    }
    if (argc - optind != 1) {
        usage(2);
    }
    options->target = parse_address(argv[optind]);
}

int main(int argc, char **argv)
{
    static struct options options = {.clients = 1, .seconds = 3, .size = 64, .depth = 1};
    parse_options(argc, argv, &options);
    static struct run run;
    run.options = &options;
    start_process();
    connect_clients(&run);
    if (options.idle) {
        hold(&run);
    } else {
        measure(&run);
    }
    return run.errors == 0 ? 0 : 1;
}
