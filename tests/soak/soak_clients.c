/* SPDX-License-Identifier: MIT */
/*
 * Clients that come and go in every way a client can, and that know their own answers.
 *
 *     soak-clients ADDRESS:PORT --clients 1000 --seconds 600 --seed 7
 *
 * Each client connects, sends some lines (line.h) alone or in bursts, verifies every byte that comes
 * back, and leaves: after the last answer, by half-closing, in the middle of a line, with a reset,
 * or just so. Some send byte by byte, fall silent inside a line, do not read for a while, or say
 * nothing. A client whose connection is closed without an answer has been told that something went
 * wrong, which is all that `echo` can say; that is counted.
 *
 *     RESTING ──► CONNECTING ──► TALKING ──(has said everything, half-closes)──► FINISHED
 *        ▲             any ──(has left, or was closed)──► RESTING
 *
 * An answer that is not the one that is due (somebody else's, one that came twice, one to half a
 * line) ends the run at once with status 1. A request that has neither an answer nor a close after
 * --patience is a hang: printed, counted, status 1 at the end. With --polite nobody misbehaves, and
 * a close without an answer counts as a failure too.
 *
 * One thread, epoll edge-triggered, and a look at every client each few milliseconds for what is due.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/random.h"
#include "base/units.h"
#include "bench/net.h"
#include "tests/soak/line.h"
#include "tests/soak/process.h"

enum {
    EVENTS_MAX = 256,
    SCRATCH_BYTES = 16 * 1024,
    PENDING_MAX = 8,
    TICK_MS = 2,
    CLIENTS_PER_SOURCE = 100,
    FIRST_SOURCE = 0x7F000101, /* 127.0.1.1 */
    HANGS_SHOWN = 20,
    SMALL_BYTES = 200,
    LARGE_BYTES_MAX = 128 * 1024,
};

#define DRIBBLE_NS (4 * NS_PER_MS)

enum state { RESTING, CONNECTING, TALKING, FINISHED };

enum way {
    LEAVE_ANSWERED,        /* with nothing outstanding */
    LEAVE_FINISHED,        /* half-closes, reads the rest */
    LEAVE_FINISHED_INSIDE, /* half-closes in the middle of a line */
    LEAVE_WITH_RESET,      /* at any moment */
    LEAVE_RESET_INSIDE,    /* resets in the middle of a line */
    LEAVE_JUST_SO,         /* closes with answers outstanding */
    STALL_INSIDE,          /* falls silent in the middle of a line until closed */
};

struct pending {
    struct line line;
    uint64_t sent_ns; /* whole; 0: not yet */
};

struct client {
    int fd; /* owns; -1: none */
    enum state state;
    enum way way;
    uint32_t serial;                                  /* of the connection */
    uint32_t sequence;                                /* of the last line begun */
    uint32_t lines_left;                              /* to begin */
    uint32_t burst;                                   /* lines outstanding at a time */
    bool dribbles, is_large, is_deaf_once, is_saying; /* is_saying: a line is under way */
    struct line saying;
    size_t said, stop_at; /* bytes of it; where the client leaves inside, 0: nowhere */
    struct pending pending[PENDING_MAX]; /* oldest first; wholly sent */
    uint32_t pending_count;
    size_t heard;       /* bytes of the answer to the oldest */
    size_t stray_heard; /* of a stray line in its place */
    uint64_t wake_ns;   /* what it does next waits for this */
    uint64_t leave_ns;  /* resets then; 0: not yet */
    uint64_t deaf_until_ns;
    uint64_t since_ns; /* progress, or the begin of a wait of its own */
};

struct options {
    struct sockaddr_in address;
    uint32_t clients, seconds, seed, patience_ms, first_serial, rest_ms;
    uint32_t send_buffer, receive_buffer;
    bool is_polite;
};

static struct run {
    struct options options;
    struct random random;
    struct client *clients; /* owns */
    int epoll;
    uint64_t now, end_ns;
    uint32_t serial;
    bool is_stopping;
    uint32_t connected;
    uint64_t connections, requests, answered, unanswered, resets, strays, hangs;
    uint64_t cut;          /* answers of which only a part came */
    uint64_t left_waiting; /* requests whose client left before the answer */
    uint64_t slowest_ns;
} run;

static char scratch[SCRATCH_BYTES];

static uint64_t below(uint64_t bound)
{
    return random_below(&run.random, bound);
}

static bool chance(uint32_t percent)
{
    return below(100) < percent;
}

/* The connection as the multiplexer's log shows it, for complaints. */
static const char *name_of(const struct client *client)
{
    static char text[64];
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    char host[INET_ADDRSTRLEN];
    getsockname(client->fd, (struct sockaddr *)&local, &size);
    inet_ntop(AF_INET, &local.sin_addr, host, sizeof host);
    snprintf(text, sizeof text, "connection %u (%s:%u)", client->serial, host,
             ntohs(local.sin_port));
    return text;
}

/* ---- ends ---- */

static void rest(struct client *client)
{
    run.connected--;
    client->fd = -1;
    client->state = RESTING;
    client->wake_ns = run.now + below(2 * run.options.rest_ms * NS_PER_MS + 1);
}

static void leave(struct client *client, bool with_reset)
{
    run.left_waiting += client->pending_count;
    if (with_reset) {
        close_with_reset(client->fd);
    } else {
        close(client->fd);
    }
    rest(client);
}

/* Whether it took its answers as they came, so that none can have been cut for being slow. */
static bool is_prompt(const struct client *client)
{
    return client->deaf_until_ns == 0 && !client->is_large;
}

/* The multiplexer has closed. Half an answer is what only a slow client can have got. */
static void was_closed(struct client *client, bool was_reset)
{
    run.unanswered += client->pending_count;
    run.resets += was_reset;
    if (client->heard > 0 || client->stray_heard > 0) {
        run.cut++;
        if (is_prompt(client)) {
            fprintf(stderr, "FOREIGN: %s got %zu bytes only of the answer to line %u\n",
                    name_of(client), client->heard + client->stray_heard,
                    client->pending[0].line.sequence);
            exit(1);
        }
    }
    close(client->fd);
    rest(client);
}

/* ---- answers ---- */

static _Noreturn void foreign(const struct client *client, const char *bytes, size_t size)
{
    fprintf(stderr, "FOREIGN: %s, ", name_of(client));
    if (client->pending_count == 0) {
        fprintf(stderr, "which waits for nothing,");
    } else {
        fprintf(stderr, "at byte %zu of the answer to line %u,", client->heard,
                client->pending[0].line.sequence);
    }
    fprintf(stderr, " got: %.*s\n", (int)(size < 200 ? size : 200), bytes);
    exit(1);
}

static void oldest_is_done(struct client *client)
{
    client->pending_count--;
    memmove(client->pending, client->pending + 1, client->pending_count * sizeof *client->pending);
    client->heard = 0;
    client->stray_heard = 0;
}

/* A stray line where an answer begins; the target says how often that can have been. */
static size_t hear_stray(struct client *client, const char *bytes, size_t size)
{
    static const char stray[] = STRAY_LINE;
    size_t missing = sizeof stray - 1 - client->stray_heard;
    size_t part = size < missing ? size : missing;
    if (memcmp(stray + client->stray_heard, bytes, part) != 0) {
        foreign(client, bytes, size);
    }
    client->stray_heard += part;
    if (part == missing) {
        run.strays++;
        oldest_is_done(client);
    }
    return part;
}

static void note_time(const struct client *client)
{
    uint64_t from = client->pending[0].sent_ns;
    if (from < client->deaf_until_ns) {
        from = client->deaf_until_ns;
    }
    if (run.now > from && run.now - from > run.slowest_ns) {
        run.slowest_ns = run.now - from;
    }
}

static size_t hear_answer(struct client *client, const char *bytes, size_t size)
{
    const struct line *line = &client->pending[0].line;
    size_t missing = line->size - client->heard;
    size_t part = size < missing ? size : missing;
    if (!line_matches(line, client->heard, bytes, part)) {
        foreign(client, bytes, size);
    }
    client->heard += part;
    if (part == missing) {
        note_time(client);
        run.answered++;
        oldest_is_done(client);
    }
    return part;
}

static void hear(struct client *client, const char *bytes, size_t size)
{
    while (size > 0) {
        if (client->pending_count == 0) {
            foreign(client, bytes, size);
        }
        bool is_stray =
            client->stray_heard > 0 || (client->heard == 0 && bytes[0] == STRAY_LINE[0]);
        size_t part = is_stray ? hear_stray(client, bytes, size) : hear_answer(client, bytes, size);
        bytes += part;
        size -= part;
    }
}

static void receive(struct client *client)
{
    while (client->fd >= 0 && run.now >= client->deaf_until_ns) {
        ssize_t size = recv(client->fd, scratch, sizeof scratch, 0);
        if (size > 0) {
            client->since_ns = run.now;
            hear(client, scratch, (size_t)size);
        } else if (size == 0) {
            was_closed(client, false);
        } else if (errno == EAGAIN) {
            return;
        } else {
            was_closed(client, true);
        }
    }
}

/* ---- lines ---- */

static uint32_t draw_size(const struct client *client)
{
    if (!client->is_large) {
        return LINE_BYTES_MIN + (uint32_t)below(SMALL_BYTES - LINE_BYTES_MIN);
    }
    return LINE_BYTES_MIN + (uint32_t)below(chance(50) ? 8192 : LARGE_BYTES_MAX);
}

static bool leaves_inside(const struct client *client)
{
    return client->way == LEAVE_FINISHED_INSIDE || client->way == LEAVE_RESET_INSIDE ||
           client->way == STALL_INSIDE;
}

static void begin_line(struct client *client)
{
    client->lines_left--;
    client->sequence++;
    client->saying = (struct line){client->serial, client->sequence, draw_size(client)};
    client->said = 0;
    client->is_saying = true;
    client->stop_at = 0;
    if (client->lines_left == 0 && leaves_inside(client)) {
        client->stop_at = 1 + below(client->saying.size - 1);
    }
    client->since_ns = run.now;
}

static void end_line(struct client *client)
{
    client->is_saying = false;
    client->pending[client->pending_count++] =
        (struct pending){.line = client->saying, .sent_ns = run.now};
    run.requests++;
    if (client->is_deaf_once) {
        client->is_deaf_once = false;
        client->deaf_until_ns = run.now + 200 * NS_PER_MS + below(4 * NS_PER_S);
    }
    if (client->burst == 1) {
        client->wake_ns = run.now + below(20 * NS_PER_MS);
    }
}

static void finish(struct client *client)
{
    shutdown(client->fd, SHUT_WR);
    client->state = FINISHED;
    client->since_ns = run.now;
}

/* In the middle of a line: leaves, or says no more. */
static void stop_inside(struct client *client)
{
    client->is_saying = false;
    if (client->way == LEAVE_RESET_INSIDE) {
        leave(client, true);
    } else if (client->way == LEAVE_FINISHED_INSIDE) {
        finish(client);
    } else {
        client->wake_ns = UINT64_MAX; /* until the multiplexer has enough */
        client->since_ns = run.now;
    }
}

/* Sends what can be sent of the line; false when no more can be now. */
static bool say(struct client *client)
{
    size_t end = client->stop_at > 0 ? client->stop_at : client->saying.size;
    size_t size = end - client->said;
    size = client->dribbles ? 1 : size < sizeof scratch ? size : sizeof scratch;
    line_fill(&client->saying, client->said, scratch, size);
    ssize_t sent = send(client->fd, scratch, size, 0);
    if (sent < 0) {
        if (errno != EAGAIN) {
            client->deaf_until_ns = client->deaf_until_ns > 0 ? 1 : 0;
            receive(client); /* what came before the end is still ours */
        }
        return false;
    }
    client->since_ns = run.now;
    client->said += (size_t)sent;
    if (client->dribbles) {
        client->wake_ns = run.now + DRIBBLE_NS;
    }
    if (client->said == end && client->stop_at > 0) {
        stop_inside(client);
        return false;
    }
    if (client->said == end) {
        end_line(client);
    }
    return true;
}

/* Everything was said. */
static void take_leave(struct client *client)
{
    switch (client->way) {
    case LEAVE_ANSWERED:
    case STALL_INSIDE:
        if (client->pending_count == 0) {
            leave(client, false);
        }
        break;
    case LEAVE_FINISHED:
    case LEAVE_FINISHED_INSIDE:
        finish(client);
        break;
    case LEAVE_WITH_RESET:
    case LEAVE_RESET_INSIDE:
        if (client->leave_ns == 0) {
            client->leave_ns = run.now + 1 + below(chance(80) ? 20 * NS_PER_MS : 2 * NS_PER_S);
        }
        break;
    case LEAVE_JUST_SO:
        leave(client, false);
        break;
    }
}

static void talk(struct client *client)
{
    while (client->state == TALKING && run.now >= client->wake_ns) {
        if (!client->is_saying) {
            if (client->lines_left == 0) {
                take_leave(client);
                return;
            }
            if (client->pending_count >= client->burst) {
                return;
            }
            begin_line(client);
        }
        if (!say(client)) {
            return;
        }
    }
}

/* ---- a visit ---- */

static void plan(struct client *client)
{
    static const enum way ways[] = {
        LEAVE_ANSWERED,        LEAVE_ANSWERED,     LEAVE_ANSWERED,   LEAVE_ANSWERED,
        LEAVE_FINISHED,        LEAVE_FINISHED,     LEAVE_WITH_RESET, LEAVE_WITH_RESET,
        LEAVE_FINISHED_INSIDE, LEAVE_RESET_INSIDE, LEAVE_JUST_SO,
    };
    *client = (struct client){.fd = -1, .serial = ++run.serial};
    client->lines_left = 1 + (uint32_t)below(PENDING_MAX);
    client->burst = 1 + (uint32_t)below(client->lines_left);
    client->is_large = chance(5);
    if (client->is_large) {
        client->burst = 1;
    }
    if (run.options.is_polite) {
        client->way = chance(50) ? LEAVE_ANSWERED : LEAVE_FINISHED;
        return;
    }
    client->way = chance(2) ? STALL_INSIDE : ways[below(sizeof ways / sizeof *ways)];
    client->dribbles = !client->is_large && chance(4);
    client->is_deaf_once = chance(3);
    if (chance(3)) {
        client->wake_ns = run.now + below(8 * NS_PER_S); /* says nothing yet */
    }
}

static int open_from(uint32_t number)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(FIRST_SOURCE + number / CLIENTS_PER_SOURCE);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        die("socket");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    set_kernel_buffers(fd, run.options.send_buffer, run.options.receive_buffer);
    if (bind(fd, (const struct sockaddr *)&source, sizeof source) < 0) {
        die("bind");
    }
    return fd;
}

static void visit(struct client *client)
{
    plan(client);
    client->fd = open_from((uint32_t)(client - run.clients));
    client->state = CONNECTING;
    client->since_ns = run.now;
    if (connect(client->fd, (const struct sockaddr *)&run.options.address,
                sizeof run.options.address) < 0 &&
        errno != EINPROGRESS) {
        die("connect");
    }
    run.connected++;
    run.connections++;
    watch(run.epoll, client->fd, client);
}

/* The multiplexer accepts as long as it lives; a reset may come before we have seen that. */
static void arrive(struct client *client, uint32_t events)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error == ECONNREFUSED) {
        fprintf(stderr, "FAILED: nobody listens\n");
        exit(1);
    }
    if (error != 0) {
        was_closed(client, true);
    } else if ((events & EPOLLOUT) != 0) {
        client->state = TALKING;
        client->since_ns = run.now;
    }
}

/* ---- what is due ---- */

/* Whether the multiplexer owes something. */
static bool is_owed(const struct client *client)
{
    if (run.now < client->deaf_until_ns) {
        return false;
    }
    return client->state == CONNECTING || client->state == FINISHED || client->pending_count > 0 ||
           (client->is_saying && !client->dribbles) || client->wake_ns == UINT64_MAX;
}

static uint64_t owed_since(const struct client *client)
{
    uint64_t since = client->since_ns;
    if (client->pending_count > 0 && !client->is_large) {
        since = client->pending[0].sent_ns;
    }
    return since > client->deaf_until_ns ? since : client->deaf_until_ns;
}

static void look_for_hang(struct client *client)
{
    if (!is_owed(client) || run.now - owed_since(client) < run.options.patience_ms * NS_PER_MS) {
        return;
    }
    run.hangs++;
    if (run.hangs <= HANGS_SHOWN) {
        fprintf(stderr,
                "HANG: %s, state %d, way %d, %u outstanding, line %u (%u bytes), %zu "
                "said, %zu heard\n",
                name_of(client), (int)client->state, (int)client->way, client->pending_count,
                client->sequence, client->saying.size, client->said, client->heard);
    }
    leave(client, true);
}

static void look_after(struct client *client)
{
    if (client->state == RESTING) {
        if (!run.is_stopping && run.now >= client->wake_ns) {
            visit(client);
        }
        return;
    }
    if (client->leave_ns != 0 && run.now >= client->leave_ns) {
        leave(client, true);
        return;
    }
    if (run.is_stopping && client->state == TALKING && !client->is_saying) {
        client->lines_left = 0;
        if (client->pending_count == 0) {
            leave(client, false);
            return;
        }
    }
    receive(client);
    talk(client);
    if (client->state != RESTING) {
        look_for_hang(client);
    }
}

static void handle(struct client *client, uint32_t events)
{
    if (client->fd < 0) {
        return;
    }
    if (client->state == CONNECTING) {
        arrive(client, events);
    }
    if (client->state == TALKING || client->state == FINISHED) {
        receive(client);
    }
    talk(client);
}

static void turn(void)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(run.epoll, events, EVENTS_MAX, TICK_MS);
    run.now = now_ns();
    for (int i = 0; i < count; i++) {
        handle(events[i].data.ptr, events[i].events);
    }
}

static void look_after_all(void)
{
    for (uint32_t i = 0; i < run.options.clients; i++) {
        look_after(&run.clients[i]);
    }
}

static void run_all(void)
{
    uint64_t looked_ns = 0;
    while (!run.is_stopping || run.connected > 0) {
        turn();
        run.is_stopping = run.is_stopping || is_told_to_stop || run.now >= run.end_ns;
        if (run.now - looked_ns >= TICK_MS * NS_PER_MS) {
            looked_ns = run.now;
            look_after_all();
        }
    }
}

static void start(void)
{
    const struct options *options = &run.options;
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.clients = calloc(options->clients, sizeof *run.clients);
    if (run.epoll < 0 || run.clients == NULL) {
        die("start");
    }
    random_init(&run.random, options->seed);
    run.serial = options->first_serial;
    run.now = now_ns();
    run.end_ns = run.now + options->seconds * NS_PER_S;
    for (uint32_t i = 0; i < options->clients; i++) {
        run.clients[i] = (struct client){.fd = -1};
        run.clients[i].wake_ns = run.now + below(NS_PER_S);
    }
}

static void report(void)
{
    printf("connections=%" PRIu64 " requests=%" PRIu64 " answered=%" PRIu64, run.connections,
           run.requests, run.answered);
    printf(" unanswered=%" PRIu64 " left=%" PRIu64 " cut=%" PRIu64, run.unanswered,
           run.left_waiting, run.cut);
    printf(" strays=%" PRIu64 " resets=%" PRIu64 " hangs=%" PRIu64, run.strays, run.resets,
           run.hangs);
    printf(" foreign=0 slowest_ms=%" PRIu64 "\n", run.slowest_ns / NS_PER_MS);
}

static bool is_good(void)
{
    bool is_served = !run.options.is_polite || (run.unanswered == 0 && run.strays == 0);
    return run.hangs == 0 && run.answered > 0 && is_served;
}

/* ---- the command line ---- */

static _Noreturn void usage(int status)
{
    fprintf(
        status == 0 ? stdout : stderr,
        "usage: soak-clients ADDRESS:PORT [OPTION]...\n\n"
        "  --clients N         clients at a time (1000)\n"
        "  --seconds S         new visits begin for so long, or until SIGTERM (10)\n"
        "  --seed N            what is drawn (1)\n"
        "  --patience MS       a request without answer or close for so long hangs (12000)\n"
        "  --rest MS           mean pause between two visits of a client (300)\n"
        "  --first-serial N    connections count from here; a target must not see one twice (0)\n"
        "  --send-buffer N     SO_SNDBUF\n"
        "  --receive-buffer N  SO_RCVBUF\n"
        "  --polite            everybody behaves, and all must be answered\n"
        "  --help              this text\n");
    exit(status);
}

static void parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"clients", required_argument, NULL, 'c'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"seed", required_argument, NULL, 's'},
                                          {"patience", required_argument, NULL, 'p'},
                                          {"rest", required_argument, NULL, 'r'},
                                          {"first-serial", required_argument, NULL, 'f'},
                                          {"send-buffer", required_argument, NULL, 'S'},
                                          {"receive-buffer", required_argument, NULL, 'R'},
                                          {"polite", no_argument, NULL, 'P'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (letter) {
        case 'c':
            options->clients = parse_number(optarg, 1, 20000);
            break;
        case 't':
            options->seconds = parse_number(optarg, 1, 1000000);
            break;
        case 's':
            options->seed = parse_number(optarg, 0, UINT32_MAX);
            break;
        case 'p':
            options->patience_ms = parse_number(optarg, 1, 1000000);
            break;
        case 'r':
            options->rest_ms = parse_number(optarg, 0, 1000000);
            break;
        case 'f':
            options->first_serial = parse_number(optarg, 0, INT32_MAX);
            break;
        case 'S':
            options->send_buffer = parse_number(optarg, 1, INT32_MAX);
            break;
        case 'R':
            options->receive_buffer = parse_number(optarg, 1, INT32_MAX);
            break;
        case 'P':
            options->is_polite = true;
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
    options->address = parse_address(argv[optind]);
}

int main(int argc, char **argv)
{
    run.options = (struct options){
        .clients = 1000, .seconds = 10, .seed = 1, .patience_ms = 12000, .rest_ms = 300};
    parse_options(argc, argv, &run.options);
    start_soak_process();
    start();
    run_all();
    report();
    return is_good() ? 0 : 1;
}
