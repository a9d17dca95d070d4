/* SPDX-License-Identifier: MIT */
/*
 * A target for the protocol `echo` that misbehaves, and that watches whether the multiplexer keeps
 * its side of the contract.
 *
 *     soak-target 127.0.0.2:0 --seed 7          prints `listening ADDRESS`, runs until SIGTERM
 *
 * It serves one connection and one request at a time and answers each line with the same line. Now
 * and then it does something else: see `mischiefs`, the table of what, when and how often. Rates
 * are drawn again each half minute, so that the target has a different character each time, and some
 * of what it does happens without the rest. SIGUSR1 makes it behave.
 *
 * A connection:
 *
 *     READING ──(the line is whole)──► WAITING ──► ANSWERING ──(answered)──► READING
 *     READING, ANSWERING ──(bytes nobody asked for, or half-closed)──► OUT_OF_STEP
 *     any ──(the peer has ended)──► closed, at once or (if it is stubborn) late
 *
 * What counts as a violation, is printed, and makes the exit status 1:
 *
 *   - a connection while another one is there whose peer has not ended, or whose peer has ended less
 *     than PATIENCE_NS ago: the multiplexer has to give us a second to close it;
 *   - bytes behind a request that is not answered yet;
 *   - a line that no client has sent so, or one that came before (a request sent twice);
 *   - a request on a connection that had answered twice in one segment, and a connection that is kept
 *     although we sent bytes that nobody asked for.
 *
 * A stray line can cross a request, and is then its answer for all that the multiplexer can know. So
 * nothing is answered after stray bytes, and connections where a request came after a stray line are
 * counted as `crossed`: clients may have got as many strays, and no more.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
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
    CONNECTIONS_MAX = 16, /* of which at most one is served; the others wait to be closed */
    EVENTS_MAX = 32,
    SCRATCH_BYTES = 64 * 1024,
    LARGE_BYTES = 8 * 1024, /* a request that large may be paused in or answered early */
    TWICE_BYTES_MAX = 512,  /* so small that two answers leave in one segment */
    CROSSED_MAX = 2,        /* the request that crossed a stray line, and the one after it */
    VIOLATIONS_SHOWN = 20,
    RATE_WHOLE = 100000,
    SERIALS_MAX = 1 << 26,
};

/* The multiplexer waits a second for us to close; we may notice its end late. */
#define PATIENCE_NS (500 * NS_PER_MS)
/* How long a character lasts. */
#define CHARACTER_NS (30 * NS_PER_S)
/* How long a connection may stay after stray bytes. */
#define REPLACE_NS (10 * NS_PER_S)

/* ---- mischief ---- */

enum moment { ON_ACCEPT, INSIDE_REQUEST, ON_REQUEST, WHEN_ANSWERED, AT_ITS_END };

enum mischief {
    NONE,
    CLOSE_AT_ONCE,
    RESET_AT_ONCE,
    GREET,
    PAUSE,
    ANSWER_EARLY,
    CLOSE_INSIDE,
    LATE,
    TOO_LATE,
    SILENT,
    DRIBBLE,
    CLOSE_UNANSWERED,
    RESET_UNANSWERED,
    CLOSE_MIDWAY,
    RESET_MIDWAY,
    ANSWER_TWICE,
    CLOSE_IDLE,
    RESET_IDLE,
    FINISH,
    SEND_STRAY_LINE,
    SEND_STRAY_PIECE,
    GO_DOWN,
    STUBBORN,
    MISCHIEFS
};

/* Rates are of 100000 such moments. Those that cost seconds are rare, so that something is served
 * in between. */
static struct {
    const char *name;
    enum moment moment;
    uint32_t usual; /* rate */
    uint32_t rate;  /* now */
    bool is_fixed;
    uint64_t count;
} mischiefs[MISCHIEFS] = {
    [NONE] = {"none", ON_ACCEPT, 0, 0, false, 0},
    [CLOSE_AT_ONCE] = {"close-at-once", ON_ACCEPT, 5000, 0, false, 0},
    [RESET_AT_ONCE] = {"reset-at-once", ON_ACCEPT, 3000, 0, false, 0},
    [GREET] = {"greet", ON_ACCEPT, 3000, 0, false, 0},
    [PAUSE] = {"pause", INSIDE_REQUEST, 10000, 0, false, 0},
    [ANSWER_EARLY] = {"answer-early", INSIDE_REQUEST, 5000, 0, false, 0},
    [CLOSE_INSIDE] = {"close-inside", INSIDE_REQUEST, 5000, 0, false, 0},
    [LATE] = {"late", ON_REQUEST, 500, 0, false, 0},
    [TOO_LATE] = {"too-late", ON_REQUEST, 5, 0, false, 0},
    [SILENT] = {"silent", ON_REQUEST, 5, 0, false, 0},
    [DRIBBLE] = {"dribble", ON_REQUEST, 300, 0, false, 0},
    [CLOSE_UNANSWERED] = {"close-unanswered", ON_REQUEST, 50, 0, false, 0},
    [RESET_UNANSWERED] = {"reset-unanswered", ON_REQUEST, 50, 0, false, 0},
    [CLOSE_MIDWAY] = {"close-midway", ON_REQUEST, 50, 0, false, 0},
    [RESET_MIDWAY] = {"reset-midway", ON_REQUEST, 50, 0, false, 0},
    [ANSWER_TWICE] = {"answer-twice", ON_REQUEST, 50, 0, false, 0},
    [CLOSE_IDLE] = {"close-idle", WHEN_ANSWERED, 150, 0, false, 0},
    [RESET_IDLE] = {"reset-idle", WHEN_ANSWERED, 50, 0, false, 0},
    [FINISH] = {"finish", WHEN_ANSWERED, 50, 0, false, 0},
    [SEND_STRAY_LINE] = {"stray-line", WHEN_ANSWERED, 30, 0, false, 0},
    [SEND_STRAY_PIECE] = {"stray-piece", WHEN_ANSWERED, 20, 0, false, 0},
    [GO_DOWN] = {"down", WHEN_ANSWERED, 10, 0, false, 0},
    [STUBBORN] = {"stubborn", AT_ITS_END, 10000, 0, false, 0},
};

/* ---- the target ---- */

enum phase { READING, WAITING, ANSWERING, OUT_OF_STEP };

struct connection {
    int fd; /* owns; -1: free */
    enum phase phase;
    enum mischief mischief;
    uint64_t ended_ns; /* the peer has finished; 0: it has not */
    uint64_t due_ns;   /* when the mischief goes on; 0: nothing is due */
    bool is_read_out;  /* the end was read too */
    bool is_paused;    /* not read */
    bool is_early;     /* the request under way is answered already */
    bool is_lingering; /* stubborn: ended, and closed when due */
    bool is_finished;  /* we have half-closed */
    uint32_t crossed;  /* requests after stray bytes */
    struct line_reader in;
    struct line answer;
    size_t sent, limit; /* bytes of the answer; up to `limit` they leave now */
};

struct options {
    struct sockaddr_in address;
    uint32_t seed, percent, slow_ms;
    uint32_t send_buffer, receive_buffer;
};

static struct target {
    struct options options;
    struct random random;
    int epoll, listener, reservation; /* own; listener -1: down */
    uint64_t now;
    uint64_t up_ns;   /* when it listens again */
    uint64_t vary_ns; /* when its character changes */
    struct connection connections[CONNECTIONS_MAX];
    uint32_t *seen; /* owns; by serial: the last sequence number that came */
    uint32_t seen_count;
    uint64_t accepted, requests, answered, crossed, overlaps, violations;
} target;

static char scratch[SCRATCH_BYTES];

__attribute__((format(printf, 1, 2))) static void violation(const char *format, ...)
{
    va_list arguments;
    target.violations++;
    if (target.violations > VIOLATIONS_SHOWN) {
        return;
    }
    fprintf(stderr, "VIOLATION: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

static uint64_t below(uint64_t bound)
{
    return random_below(&target.random, bound);
}

/* A moment from now, never 0. */
static uint64_t soon(uint64_t most_ns)
{
    return target.now + 1 + below(most_ns + 1);
}

static enum mischief draw(enum moment moment)
{
    uint64_t drawn = below(RATE_WHOLE);
    for (enum mischief mischief = NONE; mischief < MISCHIEFS; mischief++) {
        if (mischiefs[mischief].moment != moment) {
            continue;
        }
        if (drawn < mischiefs[mischief].rate) {
            mischiefs[mischief].count++;
            return mischief;
        }
        drawn -= mischiefs[mischief].rate;
    }
    return NONE;
}

/* ---- ends of a connection ---- */

static void drop(struct connection *connection, bool with_reset)
{
    if (connection->fd < 0) {
        return;
    }
    if (with_reset) {
        close_with_reset(connection->fd);
    } else {
        close(connection->fd);
    }
    connection->fd = -1;
}

/* The peer has finished: we close too, unless we are stubborn. */
static void follow(struct connection *connection)
{
    if (connection->is_lingering) {
        return;
    }
    if (draw(AT_ITS_END) == STUBBORN) {
        connection->is_lingering = true;
        connection->due_ns = soon(2 * NS_PER_S);
    } else {
        drop(connection, false);
    }
}

/* From now on nothing is answered, and the peer has to end. */
static void leave_step(struct connection *connection)
{
    connection->phase = OUT_OF_STEP;
    connection->due_ns = target.now + REPLACE_NS;
    connection->sent = connection->limit = 0;
}

/* ---- going down, coming back ---- */

/* Keeps the port for us while nobody listens on it, and learns which one the kernel chose. */
static void reserve_port(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
        bind(fd, (const struct sockaddr *)address, size) < 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) < 0) {
        die("bind");
    }
    target.reservation = fd;
}

static void open_again(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    target.listener = open_listener(&target.options.address);
    set_kernel_buffers(target.listener, target.options.send_buffer, target.options.receive_buffer);
    if (epoll_ctl(target.epoll, EPOLL_CTL_ADD, target.listener, &event) < 0) {
        die("epoll_ctl");
    }
}

static void go_down(struct connection *connection)
{
    drop(connection, false);
    close(target.listener);
    target.listener = -1;
    target.up_ns = target.now + 50 * NS_PER_MS + below(1500 * NS_PER_MS);
}

/* ---- answers ---- */

/* What an idle connection may come to, at once or after a moment. */
static void answered(struct connection *connection)
{
    static const uint64_t pauses[] = {0, NS_PER_MS, 20 * NS_PER_MS};
    target.answered++;
    connection->phase = READING;
    connection->is_early = false;
    connection->sent = connection->limit = 0;
    connection->mischief = draw(WHEN_ANSWERED);
    connection->due_ns =
        connection->mischief == NONE ? 0 : soon(pauses[below(sizeof pauses / sizeof *pauses)]);
}

/* All that may leave now has left. */
static void limit_reached(struct connection *connection)
{
    if (connection->mischief == CLOSE_MIDWAY || connection->mischief == RESET_MIDWAY) {
        drop(connection, connection->mischief == RESET_MIDWAY);
    } else if (connection->limit < connection->answer.size) {
        connection->due_ns = soon(5 * NS_PER_MS); /* dribbling */
    } else if (connection->phase == ANSWERING) {
        answered(connection);
    }
}

static void send_answer(struct connection *connection)
{
    while (connection->fd >= 0 && connection->sent < connection->limit) {
        size_t size = connection->limit - connection->sent;
        size = size < sizeof scratch ? size : sizeof scratch;
        line_fill(&connection->answer, connection->sent, scratch, size);
        ssize_t sent = send(connection->fd, scratch, size, 0);
        if (sent < 0) {
            if (errno != EAGAIN) {
                drop(connection, false);
            }
            return;
        }
        connection->sent += (size_t)sent;
        if (connection->sent == connection->limit) {
            limit_reached(connection);
        }
    }
}

static void begin_answer(struct connection *connection, size_t limit)
{
    connection->phase = ANSWERING;
    connection->due_ns = 0;
    connection->limit = limit;
    send_answer(connection);
}

/* Both in one segment, so that the multiplexer reads them together. */
static void answer_twice(struct connection *connection)
{
    size_t size = connection->answer.size;
    line_fill(&connection->answer, 0, scratch, size);
    memcpy(scratch + size, scratch, size);
    if (send(connection->fd, scratch, 2 * size, 0) != (ssize_t)(2 * size)) {
        drop(connection, true);
        return;
    }
    target.answered++;
    leave_step(connection);
}

static void dribble(struct connection *connection)
{
    size_t left = connection->answer.size - connection->limit;
    size_t most = left / 8 + 1;
    begin_answer(connection, connection->limit + 1 + below(most));
}

/* ---- requests ---- */

static void take_note(const struct line *line)
{
    target.requests++;
    if (line->serial >= SERIALS_MAX) {
        violation("no client has the serial %u", line->serial);
        return;
    }
    if (line->serial >= target.seen_count) {
        uint32_t count = line->serial * 2 + 1024;
        target.seen = realloc(target.seen, count * sizeof *target.seen);
        if (target.seen == NULL) {
            die("memory");
        }
        memset(target.seen + target.seen_count, 0,
               (count - target.seen_count) * sizeof *target.seen);
        target.seen_count = count;
    }
    if (line->sequence <= target.seen[line->serial]) {
        violation("request %u of connection %u came again, or late", line->sequence, line->serial);
    }
    target.seen[line->serial] = line->sequence;
}

static void take_request(struct connection *connection)
{
    uint64_t slow = target.options.slow_ms * NS_PER_MS;
    connection->phase = WAITING;
    connection->mischief = draw(ON_REQUEST);
    connection->sent = 0;
    connection->limit = 0;
    switch ((int)connection->mischief) {
    case LATE:
        connection->due_ns = soon(30 * NS_PER_MS);
        break;
    case TOO_LATE:
        connection->due_ns = target.now + slow / 2 + below(slow);
        break;
    case SILENT:
        connection->due_ns = target.now + slow + below(slow);
        break;
    case DRIBBLE:
        dribble(connection);
        break;
    case CLOSE_UNANSWERED:
    case RESET_UNANSWERED:
        drop(connection, connection->mischief == RESET_UNANSWERED);
        break;
    case CLOSE_MIDWAY:
    case RESET_MIDWAY:
        begin_answer(connection, 1 + below(connection->answer.size - 1));
        break;
    case ANSWER_TWICE:
        if (connection->answer.size <= TWICE_BYTES_MAX) {
            answer_twice(connection);
            break;
        }
        connection->mischief = NONE;
        begin_answer(connection, connection->answer.size);
        break;
    default:
        begin_answer(connection, connection->answer.size);
        break;
    }
}

/* A large request has begun. */
static void meet_large(struct connection *connection)
{
    connection->mischief = draw(INSIDE_REQUEST);
    if (connection->mischief == CLOSE_INSIDE) {
        drop(connection, false);
    } else if (connection->mischief == PAUSE) {
        connection->is_paused = true;
        connection->due_ns = soon(800 * NS_PER_MS);
    } else if (connection->mischief == ANSWER_EARLY) {
        connection->is_early = true;
        connection->answer = connection->in.line;
        connection->sent = 0;
        connection->limit = connection->answer.size;
        send_answer(connection);
    }
}

/* Whole: it was answered already, is being answered, or is answered from here on. */
static void meet_whole(struct connection *connection)
{
    take_note(&connection->in.line);
    if (connection->is_paused) {
        connection->is_paused = false; /* the rest of it had been read before the pause began */
        connection->due_ns = 0;
    }
    if (connection->phase == OUT_OF_STEP) {
        connection->crossed++;
        bool may_be_answer =
            connection->mischief == GREET || connection->mischief == SEND_STRAY_LINE;
        target.crossed += may_be_answer && connection->crossed == 1;
        if (connection->mischief == ANSWER_TWICE) {
            violation("a request after two answers to the one before");
        } else if (connection->crossed > CROSSED_MAX) {
            violation("requests after stray bytes");
        }
    } else if (!connection->is_early) {
        connection->answer = connection->in.line;
        take_request(connection);
    } else if (connection->sent == connection->limit) {
        answered(connection);
    } else {
        connection->phase = ANSWERING;
    }
}

/* False: the connection is no more. */
static bool feed(struct connection *connection, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t taken;
        bool had_header = connection->in.have >= LINE_HEADER_BYTES;
        if (connection->phase == WAITING || connection->phase == ANSWERING) {
            violation("%zu bytes behind a request that is not answered", size);
            drop(connection, true);
            return false;
        }
        enum line_status status = line_read(&connection->in, bytes, size, &taken);
        if (status == LINE_WRONG) {
            violation("no client has sent this: %.*s", (int)(size < 80 ? size : 80), bytes);
            drop(connection, true);
            return false;
        }
        if (connection->phase == READING && !connection->is_paused) {
            connection->due_ns = 0; /* no longer idle */
        }
        if (status == LINE_WHOLE) {
            meet_whole(connection);
        } else if (!had_header && connection->in.have >= LINE_HEADER_BYTES &&
                   connection->in.line.size >= LARGE_BYTES && connection->phase == READING) {
            meet_large(connection);
        }
        if (connection->fd < 0) {
            return false;
        }
        bytes += taken;
        size -= taken;
    }
    return true;
}

static void receive(struct connection *connection)
{
    while (connection->fd >= 0 && !connection->is_paused && !connection->is_read_out) {
        ssize_t size = recv(connection->fd, scratch, sizeof scratch, 0);
        if (size > 0) {
            static char bytes[SCRATCH_BYTES]; /* answering uses the scratch too */
            memcpy(bytes, scratch, (size_t)size);
            if (!feed(connection, bytes, (size_t)size)) {
                return;
            }
        } else if (size == 0) {
            connection->is_read_out = true;
        } else if (errno == EAGAIN) {
            return;
        } else {
            drop(connection, false);
        }
    }
}

/* ---- what happens ---- */

/* An answer that is late or being dribbled is finished even though nobody waits for it. */
static bool is_busy(const struct connection *connection)
{
    return connection->phase == WAITING || connection->phase == ANSWERING;
}

static void settle(struct connection *connection)
{
    if (connection->fd >= 0 && connection->is_read_out && !is_busy(connection)) {
        follow(connection);
    }
}

static void handle(struct connection *connection, uint32_t events)
{
    if (connection->fd < 0) {
        return;
    }
    if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0 && connection->ended_ns == 0) {
        connection->ended_ns = target.now;
    }
    receive(connection);
    send_answer(connection);
    if (connection->fd >= 0 && (events & EPOLLERR) != 0) {
        drop(connection, false); /* reset by the peer */
    }
    settle(connection);
}

/* The mischief of an idle connection. Stray bytes are sent only when no request is there yet. */
static void be_idle_badly(struct connection *connection)
{
    static const char line[] = STRAY_LINE, piece[] = STRAY_PIECE;
    receive(connection);
    if (connection->fd < 0 || connection->phase != READING || connection->in.have > 0 ||
        connection->is_read_out) {
        return;
    }
    switch ((int)connection->mischief) {
    case CLOSE_IDLE:
    case RESET_IDLE:
        drop(connection, connection->mischief == RESET_IDLE);
        break;
    case FINISH:
        connection->is_finished = true;
        leave_step(connection);
        shutdown(connection->fd, SHUT_WR);
        break;
    case GREET:
    case SEND_STRAY_LINE:
        leave_step(connection);
        (void)send(connection->fd, line, sizeof line - 1, 0);
        break;
    case SEND_STRAY_PIECE:
        leave_step(connection);
        (void)send(connection->fd, piece, sizeof piece - 1, 0);
        break;
    case GO_DOWN:
        go_down(connection);
        break;
    default:
        break;
    }
}

static void be_out_of_step(struct connection *connection)
{
    if (connection->ended_ns == 0 && connection->crossed == 0) {
        violation("a connection is kept for 10 s after '%s'", mischiefs[connection->mischief].name);
    }
    drop(connection, false);
}

static void do_due(struct connection *connection)
{
    connection->due_ns = 0;
    if (connection->is_lingering) {
        drop(connection, false);
    } else if (connection->is_paused) {
        connection->is_paused = false;
        receive(connection);
    } else if (connection->phase == OUT_OF_STEP) {
        be_out_of_step(connection);
    } else if (connection->phase == WAITING && connection->mischief == SILENT) {
        drop(connection, false);
    } else if (connection->phase == WAITING) {
        begin_answer(connection, connection->answer.size);
    } else if (connection->phase == ANSWERING) {
        dribble(connection);
    } else {
        be_idle_badly(connection);
    }
    settle(connection);
}

/* ---- accepting ---- */

static bool has_ended(struct connection *connection)
{
    struct pollfd state = {.fd = connection->fd, .events = POLLRDHUP};
    if (connection->ended_ns == 0 && poll(&state, 1, 0) > 0) {
        connection->ended_ns = target.now;
    }
    return connection->ended_ns != 0;
}

/* What is still there when another connection comes. */
static void look_at_rival(struct connection *rival)
{
    if (!has_ended(rival)) {
        violation("a second connection while the first is being used");
    } else if (!rival->is_finished && target.now - rival->ended_ns < PATIENCE_NS) {
        violation("a connection %u ms after the end of one that is not closed yet",
                  (unsigned)((target.now - rival->ended_ns) / NS_PER_MS));
    } else {
        target.overlaps++;
    }
}

/* A free place; if there is none, that of the connection whose peer ended first. */
static struct connection *place(void)
{
    struct connection *oldest = NULL;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &target.connections[i];
        if (connection->fd < 0) {
            return connection;
        }
        if (connection->ended_ns != 0 &&
            (oldest == NULL || connection->ended_ns < oldest->ended_ns)) {
            oldest = connection;
        }
    }
    if (oldest == NULL) {
        oldest = &target.connections[0];
    }
    drop(oldest, false);
    return oldest;
}

static void meet(struct connection *connection)
{
    connection->mischief = draw(ON_ACCEPT);
    if (connection->mischief == CLOSE_AT_ONCE || connection->mischief == RESET_AT_ONCE) {
        drop(connection, connection->mischief == RESET_AT_ONCE);
    } else if (connection->mischief == GREET) {
        be_idle_badly(connection);
    }
}

static void accept_all(void)
{
    while (target.listener >= 0) {
        int fd = accept_next(target.listener);
        if (fd < 0) {
            return;
        }
        target.accepted++;
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            if (target.connections[i].fd >= 0) {
                look_at_rival(&target.connections[i]);
            }
        }
        struct connection *connection = place();
        *connection = (struct connection){.fd = fd};
        watch(target.epoll, fd, connection);
        meet(connection);
    }
}

/* ---- the loop ---- */

static uint64_t next_due(void)
{
    uint64_t next = target.listener < 0 ? target.up_ns : UINT64_MAX;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *connection = &target.connections[i];
        if (connection->fd >= 0 && connection->due_ns != 0 && connection->due_ns < next) {
            next = connection->due_ns;
        }
    }
    return next;
}

static void wait_for_events(void)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t due = next_due();
    uint64_t left = due <= target.now ? 0 : due - target.now;
    left = left < NS_PER_S ? left : NS_PER_S;
    int pause_ms = (int)((left + NS_PER_MS - 1) / NS_PER_MS);
    int count = epoll_wait(target.epoll, events, EVENTS_MAX, pause_ms);
    bool is_visited = false;
    target.now = now_ns();
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            is_visited = true;
        } else {
            handle(events[i].data.ptr, events[i].events);
        }
    }
    if (is_visited) {
        accept_all(); /* last: what has ended is known by then */
    }
}

static void do_what_is_due(void)
{
    target.now = now_ns();
    if (target.listener < 0 && target.now >= target.up_ns) {
        open_again();
    }
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &target.connections[i];
        if (connection->fd >= 0 && connection->due_ns != 0 && connection->due_ns <= target.now) {
            do_due(connection);
        }
    }
}

/* None, as many or twice as many: some trouble shows only where other trouble does not come first. */
static void vary_rates(void)
{
    static const uint32_t factors[] = {0, 1, 1, 2};
    for (size_t i = 0; i < MISCHIEFS; i++) {
        uint32_t factor = factors[below(sizeof factors / sizeof *factors)];
        if (!mischiefs[i].is_fixed) {
            mischiefs[i].rate = mischiefs[i].usual * factor * target.options.percent / 100;
        }
    }
    target.vary_ns = target.now + CHARACTER_NS;
}

static void behave(void)
{
    for (size_t i = 0; i < MISCHIEFS; i++) {
        mischiefs[i].rate = 0;
    }
}

static void keep_in_character(void)
{
    if (is_told_to_behave) {
        behave();
    } else if (target.now >= target.vary_ns) {
        vary_rates();
    }
}

static void report(void)
{
    printf("connections=%" PRIu64 " requests=%" PRIu64 " answered=%" PRIu64 " crossed=%" PRIu64
           " overlaps=%" PRIu64 " violations=%" PRIu64,
           target.accepted, target.requests, target.answered, target.crossed, target.overlaps,
           target.violations);
    for (size_t i = NONE + 1; i < MISCHIEFS; i++) {
        printf(" %s=%" PRIu64, mischiefs[i].name, mischiefs[i].count);
    }
    printf("\n");
}

/* ---- the command line ---- */

static _Noreturn void usage(int status)
{
    fprintf(status == 0 ? stdout : stderr,
            "usage: soak-target ADDRESS:PORT [OPTION]...\n\n"
            "  --seed N            what is drawn (1)\n"
            "  --mischief PERCENT  all rates, of their defaults (100)\n"
            "  --rate NAME=N       one rate, of 100000; may be given several times\n"
            "  --slow MS           how late 'too-late' and 'silent' are, about (2500)\n"
            "  --send-buffer N     SO_SNDBUF of connections\n"
            "  --receive-buffer N  SO_RCVBUF of connections\n"
            "  --help              this text\n\n"
            "rates, by default:\n");
    for (size_t i = NONE + 1; i < MISCHIEFS; i++) {
        fprintf(status == 0 ? stdout : stderr, "  %-18s%u\n", mischiefs[i].name,
                mischiefs[i].usual);
    }
    exit(status);
}

/* NAME=N */
static void set_rate(const char *text)
{
    const char *equals = strchr(text, '=');
    for (size_t i = NONE + 1; equals != NULL && i < MISCHIEFS; i++) {
        size_t size = (size_t)(equals - text);
        if (strlen(mischiefs[i].name) == size && memcmp(mischiefs[i].name, text, size) == 0) {
            mischiefs[i].rate = parse_number(equals + 1, 0, RATE_WHOLE);
            mischiefs[i].is_fixed = true;
            return;
        }
    }
    fprintf(stderr, "'%s' is no rate; --help names them\n", text);
    exit(2);
}

static void parse_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {{"seed", required_argument, NULL, 's'},
                                          {"mischief", required_argument, NULL, 'm'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"slow", required_argument, NULL, 'l'},
                                          {"send-buffer", required_argument, NULL, 'S'},
                                          {"receive-buffer", required_argument, NULL, 'R'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (letter) {
        case 's':
            options->seed = parse_number(optarg, 0, UINT32_MAX);
            break;
        case 'm':
            options->percent = parse_number(optarg, 0, 1000);
            break;
        case 'r':
            set_rate(optarg);
            break;
        case 'l':
            options->slow_ms = parse_number(optarg, 1, 60000);
            break;
        case 'S':
            options->send_buffer = parse_number(optarg, 1, INT32_MAX);
            break;
        case 'R':
            options->receive_buffer = parse_number(optarg, 1, INT32_MAX);
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
    target.options = (struct options){.seed = 1, .percent = 100, .slow_ms = 2500};
    parse_options(argc, argv, &target.options);
    start_soak_process();
    random_init(&target.random, target.options.seed);
    target.now = now_ns();
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        target.connections[i].fd = -1;
    }
    target.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (target.epoll < 0) {
        die("epoll");
    }
    reserve_port(&target.options.address);
    open_again();
    while (!is_told_to_stop) {
        keep_in_character();
        wait_for_events();
        do_what_is_due();
    }
    report();
    return target.violations == 0 ? 0 : 1;
}
