/* SPDX-License-Identifier: MIT */
/*
 * The engine over real sockets on loopback, with a scripted core.
 *
 * This file defines the symbols of mux/mux.h itself: a core that notes every fact and wants what
 * the test tells it to want. The test's own sockets are the clients and the target; they are used
 * from the same thread, since loopback and the kernel's buffers keep what one side sends until the
 * other side runs.
 *
 * The loop runs until something that a test waits for has become true (run_until). That nothing
 * happens is shown with a barrier: a further client connects and is seen, so that what was
 * announced before it has been taken in.
 */
#include "net/engine.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "net/engine_private.h"
#include "unit.h"

/* ---- the scripted core ---- */

enum { SLOTS_MAX = 1024, KEPT_MAX = 64 };

struct port {
    mux_id id;
    unsigned wants;
    bool changed;
    unsigned resolved; /* count reported */
    bool connected, ended, failed, probed;
    enum io_failure failure;
    uint64_t received, sent, to_send;
    char kept[KEPT_MAX]; /* the first bytes received */
    bool echoes;
    unsigned turn, turn_receives, turn_receives_max;
    char local[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX]; /* of the origin */
    char host[ADDRESS_TEXT_MAX];                            /* as told by mux_named */
};

struct mux {
    struct mux_options options;
    struct engine *engine;
    struct engine_route *route;
    struct port ports[2][SLOTS_MAX]; /* clients, links */
    mux_id changed[8 * SLOTS_MAX];
    size_t changed_begin, changed_end;
    uint32_t generation;
    unsigned client_wants; /* of a new client */
    unsigned link_wants;   /* of a connected link */
    uint32_t connect_address;
    bool refuses, clients_echo, is_finished;
    unsigned accepted, closed;
    uint32_t last_slot; /* of the client accepted last */
    char closed_local[ADDRESS_TEXT_MAX],
        closed_remote[ADDRESS_TEXT_MAX]; /* asked inside mux_closed */
    unsigned turns, clocks;              /* clocks: told once more in a turn */
    bool in_turn, was_late;
    uint64_t received_when_late; /* by the port that the test waits for */
    uint64_t now_ns, give_up_ns, deadline_ns;
    bool (*until)(struct mux *mux);
};

static uint8_t scratch[MUX_SCRATCH_BYTES];

/* Byte `position` of what the core sends, different at each place of a block. */
static uint8_t pattern(uint64_t position)
{
    return (uint8_t)(position * 31 % 251);
}

/* The engine speaks only of ids that live. */
static struct port *port_of(const struct mux *mux, mux_id id)
{
    const struct port *port = &mux->ports[mux_id_is_link(id)][mux_id_slot(id)];
    assert(port->id == id);
    return (struct port *)(uintptr_t)port;
}

static void mark(struct mux *mux, struct port *port)
{
    if (!port->changed) {
        port->changed = true;
        assert(mux->changed_end < ARRAY_COUNT(mux->changed));
        mux->changed[mux->changed_end++] = port->id;
    }
}

static void want(struct mux *mux, struct port *port, unsigned wants)
{
    port->wants = wants;
    mark(mux, port);
}

static uint32_t free_slot(const struct mux *mux, bool is_link)
{
    uint32_t slot = 0;
    while (slot < SLOTS_MAX && mux->ports[is_link][slot].id != MUX_ID_NONE) {
        slot++;
    }
    assert(slot < SLOTS_MAX);
    return slot;
}

static struct port *port_open(struct mux *mux, bool is_link, unsigned wants)
{
    uint32_t slot = free_slot(mux, is_link);
    struct port *port = &mux->ports[is_link][slot];
    *port = (struct port){.id = (mux_id)++mux->generation << 32 | (mux_id)is_link << 31 | slot};
    want(mux, port, wants);
    mux->last_slot = is_link ? mux->last_slot : slot;
    return port;
}

static struct port *wanted_port;

void mux_stalled(struct mux *mux, uint64_t ns)
{
    (void)mux;
    (void)ns;
}

void mux_clock(struct mux *mux, uint64_t now_ns)
{
    assert(now_ns >= mux->now_ns);
    mux->now_ns = now_ns;
    if (mux->in_turn) {
        mux->clocks++;
    } else {
        mux->in_turn = true;
        mux->turns++;
    }
}

void mux_time(struct mux *mux, uint64_t due_ns)
{
    assert(due_ns <= mux->now_ns);
    if (due_ns > mux->give_up_ns) {
        fail_msg("what the test waits for did not happen");
    }
    if (due_ns >= mux->deadline_ns && !mux->was_late) {
        mux->was_late = true;
        mux->received_when_late = wanted_port == NULL ? 0 : wanted_port->received;
    }
}

static void format_origin(struct port *port, const void *origin)
{
    const struct engine_origin *names = origin;
    (void)address_format(names->local, port->local, sizeof port->local);
    (void)address_format(names->remote, port->remote, sizeof port->remote);
}

mux_id mux_accepted(struct mux *mux, const void *origin)
{
    if (mux->refuses) {
        return MUX_ID_NONE;
    }
    struct port *port = port_open(mux, false, mux->client_wants);
    format_origin(port, origin);
    port->echoes = mux->clients_echo;
    mux->accepted++;
    return port->id;
}

void mux_named(struct mux *mux, mux_id id, const char *host)
{
    (void)snprintf(port_of(mux, id)->host, sizeof port_of(mux, id)->host, "%s", host);
}

void mux_resolved(struct mux *mux, mux_id id, uint32_t count)
{
    struct port *port = port_of(mux, id);
    assert(count >= 1);
    port->resolved = count;
    want(mux, port, MUX_CONNECT);
}

void mux_connected(struct mux *mux, mux_id id, const void *origin)
{
    struct port *port = port_of(mux, id);
    assert(!port->connected);
    port->connected = true;
    format_origin(port, origin);
    want(mux, port, mux->link_wants);
}

uint8_t *mux_recv_space(struct mux *mux, mux_id id, size_t *size)
{
    (void)port_of(mux, id);
    *size = sizeof scratch;
    return scratch;
}

static void note_receive(struct mux *mux, struct port *port)
{
    if (port->turn != mux->turns) {
        port->turn = mux->turns;
        port->turn_receives = 0;
    }
    port->turn_receives++;
    if (port->turn_receives > port->turn_receives_max) {
        port->turn_receives_max = port->turn_receives;
    }
}

void mux_received(struct mux *mux, mux_id id, size_t size)
{
    struct port *port = port_of(mux, id);
    assert(size > 0 && !port->ended && !port->failed);
    for (size_t index = 0; index < size && port->received + index < KEPT_MAX; index++) {
        port->kept[port->received + index] = (char)scratch[index];
    }
    port->received += size;
    note_receive(mux, port);
    if (port->echoes) {
        port->to_send += size;
        want(mux, port, port->wants | MUX_WRITE);
    }
}

void mux_probed(struct mux *mux, mux_id id)
{
    struct port *port = port_of(mux, id);
    assert((port->wants & MUX_PROBE) != 0);
    port->probed = true;
    want(mux, port, port->wants & ~(unsigned)MUX_PROBE);
}

struct span mux_send_view(const struct mux *mux, mux_id id)
{
    static uint8_t block[16 * 1024];
    const struct port *port = port_of(mux, id);
    size_t size = 0;
    for (; size < sizeof block && port->sent + size < port->to_send; size++) {
        block[size] = pattern(port->sent + size);
    }
    return span_of(block, size);
}

void mux_sent(struct mux *mux, mux_id id, size_t size)
{
    struct port *port = port_of(mux, id);
    assert(size > 0 && port->sent + size <= port->to_send);
    port->sent += size;
    if (port->sent == port->to_send) {
        want(mux, port, port->wants & ~(unsigned)MUX_WRITE);
    }
}

void mux_ended(struct mux *mux, mux_id id)
{
    struct port *port = port_of(mux, id);
    assert(!port->ended && !port->failed);
    port->ended = true;
    mark(mux, port);
}

void mux_failed(struct mux *mux, mux_id id, enum io_failure failure)
{
    struct port *port = port_of(mux, id);
    assert(!port->failed);
    port->failed = true;
    port->failure = failure;
    want(mux, port, 0); /* the test says when to close, so that it can look */
}

void mux_closed(struct mux *mux, mux_id id)
{
    struct address local, remote;
    struct port *port = port_of(mux, id);
    assert(port->wants == MUX_CLOSE);
    if (engine_names(mux->route, id, &local, &remote)) {
        (void)address_format(&local, mux->closed_local, sizeof mux->closed_local);
        (void)address_format(&remote, mux->closed_remote, sizeof mux->closed_remote);
    }
    mux->closed++;
    *port = (struct port){0};
}

mux_id mux_next_changed(struct mux *mux)
{
    while (mux->changed_begin < mux->changed_end) {
        mux_id id = mux->changed[mux->changed_begin++];
        struct port *port = &mux->ports[mux_id_is_link(id)][mux_id_slot(id)];
        if (port->id == id && port->changed) {
            port->changed = false;
            return id;
        }
    }
    mux->changed_begin = mux->changed_end = 0;
    mux->in_turn = false;
    if (mux->until != NULL && mux->until(mux)) {
        engine_stop(mux->engine);
    }
    return MUX_ID_NONE;
}

unsigned mux_wants(const struct mux *mux, mux_id id)
{
    return port_of(mux, id)->wants;
}

uint32_t mux_connect_address(const struct mux *mux, mux_id id)
{
    (void)port_of(mux, id);
    return mux->connect_address;
}

uint64_t mux_deadline(const struct mux *mux)
{
    return mux->deadline_ns < mux->give_up_ns ? mux->deadline_ns : mux->give_up_ns;
}

void mux_drain(struct mux *mux)
{
    mux->is_finished = true;
}

bool mux_is_finished(const struct mux *mux)
{
    return mux->is_finished;
}

const struct mux_options *mux_options(const struct mux *mux)
{
    return &mux->options;
}

/* ---- the bench: engine, core, log ---- */

struct bench {
    struct log log;
    int log_fd; /* where its lines can be read */
    struct engine *engine;
    struct mux *mux;
    struct engine_route *route;
    uint16_t port; /* of the first listener */
    int target_fd; /* a listening socket, the target */
    uint16_t target_port;
};

static int local_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval patience = {.tv_sec = 10};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience), 0);
    return fd;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A bound socket; listening or not. */
static int bound_socket(bool listens, uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = local_socket();
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listens ? listen(fd, 16) : 0, 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = local_socket();
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static struct endpoint target_endpoint(const char *host, uint16_t port)
{
    char text[128];
    struct error error;
    struct endpoint endpoint;
    (void)snprintf(text, sizeof text, "%s:%u", host, port);
    assert_true(endpoint_parse_target(text, &endpoint, &error));
    return endpoint;
}

static struct endpoint listen_endpoint(const char *text)
{
    struct error error;
    struct endpoint endpoint;
    assert_true(endpoint_parse_listen(text, &endpoint, &error));
    return endpoint;
}

static struct mux *fake_create(void)
{
    struct mux *mux = calloc(1, sizeof *mux);
    assert_non_null(mux);
    mux->options.clients_max = 100;
    mux->options.links_max = 1;
    mux->client_wants = MUX_READ;
    mux->link_wants = MUX_READ;
    mux->deadline_ns = TIME_NEVER;
    mux->give_up_ns = TIME_NEVER;
    return mux;
}

static void bench_log_open(struct bench *bench)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    bench->log_fd = fds[0];
    log_init(&bench->log, fds[1], LOG_DEBUG, LOG_TEXT);
}

static struct engine_route_options route_options(const struct endpoint *listen, size_t count,
                                                 struct endpoint target)
{
    return (struct engine_route_options){.target = target,
                                         .listen = listen,
                                         .listen_count = count,
                                         .keepalive_idle_ns = 60 * NS_PER_S,
                                         .user_timeout_ns = 30 * NS_PER_S};
}

static void bench_open(struct bench *bench, const char *listen_text, const char *target_host)
{
    struct error error = {.text = ""};
    *bench = (struct bench){0};
    bench_log_open(bench);
    bench->engine = engine_create(&bench->log, &error);
    assert_non_null(bench->engine);
    bench->target_fd = bound_socket(true, &bench->target_port);
    bench->mux = fake_create();
    bench->mux->engine = bench->engine;
    struct endpoint listen = listen_endpoint(listen_text);
    struct engine_route_options options =
        route_options(&listen, 1, target_endpoint(target_host, bench->target_port));
    bench->route = engine_add_route(bench->engine, bench->mux, &options, &error);
    if (bench->route == NULL) {
        fail_msg("%s", error.text);
    }
    bench->mux->route = bench->route;
    const struct address *address = engine_listener_address(bench->route, 0);
    bench->port = address->is.any.sa_family == AF_UNIX ? 0 : ntohs(address->is.v4.sin_port);
}

static void bench_default(struct bench *bench)
{
    bench_open(bench, "127.0.0.1:0", "127.0.0.1");
}

/* Everything that was written to the log; it must be shorter than a socket's buffer. */
static const char *log_text(struct bench *bench)
{
    static char text[16 * 1024];
    ssize_t size = read(bench->log_fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* What a test expects in the log it has read before; nothing else may be there. */
static void bench_close(struct bench *bench)
{
    wanted_port = NULL;
    engine_destroy(&bench->engine);
    assert_null(bench->engine);
    assert_string_equal(log_text(bench), "");
    close(bench->log.sink.fd);
    close(bench->log_fd);
    close(bench->target_fd);
    free(bench->mux);
}

static void run_until(struct bench *bench, bool (*until)(struct mux *mux))
{
    bench->mux->until = until;
    bench->mux->give_up_ns = engine_now() + 10 * NS_PER_S;
    engine_run(bench->engine);
    assert_true(until(bench->mux));
}

static unsigned wanted_count;
static uint64_t wanted_bytes;

static bool accepted_enough(struct mux *mux)
{
    return mux->accepted >= wanted_count;
}

static bool closed_enough(struct mux *mux)
{
    return mux->closed >= wanted_count;
}

static bool received_enough(struct mux *mux)
{
    (void)mux;
    return wanted_port->received >= wanted_bytes;
}

static bool sent_enough(struct mux *mux)
{
    (void)mux;
    return wanted_port->sent >= wanted_bytes;
}

static bool has_ended(struct mux *mux)
{
    (void)mux;
    return wanted_port->ended;
}

static bool has_failed(struct mux *mux)
{
    (void)mux;
    return wanted_port->failed;
}

static bool has_connected(struct mux *mux)
{
    (void)mux;
    return wanted_port->connected;
}

static bool was_probed(struct mux *mux)
{
    (void)mux;
    return wanted_port->probed;
}

static bool is_late(struct mux *mux)
{
    return mux->now_ns >= mux->deadline_ns;
}

/* Runs until `count` clients have been accepted in all; the port of the last. */
static struct port *run_accept(struct bench *bench, unsigned count)
{
    wanted_count = count;
    run_until(bench, accepted_enough);
    return &bench->mux->ports[0][bench->mux->last_slot];
}

static void run_received(struct bench *bench, struct port *port, uint64_t bytes)
{
    wanted_port = port;
    wanted_bytes = bytes;
    run_until(bench, received_enough);
}

static void run_port(struct bench *bench, struct port *port, bool (*until)(struct mux *mux))
{
    wanted_port = port;
    run_until(bench, until);
}

static void run_close(struct bench *bench, struct port *port)
{
    wanted_count = bench->mux->closed + 1;
    want(bench->mux, port, MUX_CLOSE);
    run_until(bench, closed_enough);
}

/* Everything that was announced before this call has been taken in when it returns. */
static void barrier(struct bench *bench)
{
    int fd = connect_to(bench->port);
    struct port *port = run_accept(bench, bench->mux->accepted + 1);
    assert_int_equal(send(fd, "!", 1, 0), 1);
    unsigned wants = port->wants;
    want(bench->mux, port, MUX_READ);
    run_received(bench, port, 1);
    assert_int_equal(close(fd), 0);
    want(bench->mux, port, wants);
    run_close(bench, port);
}

static struct port *run_link(struct bench *bench, int *target_side)
{
    struct port *port = port_open(bench->mux, true, MUX_RESOLVE);
    run_port(bench, port, has_connected);
    *target_side = accept4(bench->target_fd, NULL, NULL, SOCK_CLOEXEC);
    assert_true(*target_side >= 0);
    struct timeval patience = {.tv_sec = 10};
    assert_int_equal(setsockopt(*target_side, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience),
                     0);
    return port;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Closes so that the peer sees a reset. */
static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_end_of_stream(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* Receives and checks `size` bytes of what the core sends. */
static void assert_pattern(int fd, uint64_t from, uint64_t size)
{
    static uint8_t bytes[64 * 1024];
    for (uint64_t position = from; position < from + size;) {
        uint64_t left = from + size - position;
        ssize_t got = recv(fd, bytes, left < sizeof bytes ? left : sizeof bytes, 0);
        assert_true(got > 0);
        for (ssize_t index = 0; index < got; index++) {
            assert_int_equal(bytes[index], pattern(position++));
        }
    }
}

/* ---- clients ---- */

static void test_a_client_is_accepted_and_named(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);

    struct address here = socket_local(fd), local, remote;
    char text[ADDRESS_TEXT_MAX], listener[ADDRESS_TEXT_MAX];
    (void)address_format(&here, text, sizeof text);
    (void)address_format(engine_listener_address(bench.route, 0), listener, sizeof listener);
    assert_string_equal(port->remote, text);
    assert_string_equal(port->local, listener);
    mux_id id = port->id;
    assert_true(engine_names(bench.route, id, &local, &remote));
    assert_true(address_equals(&remote, &here));
    assert_string_equal(port->host, ""); /* not asked for */

    run_close(&bench, port);
    assert_string_equal(bench.mux->closed_remote, text);
    assert_string_equal(bench.mux->closed_local, listener);
    assert_false(engine_names(bench.route, id, &local, &remote));
    assert_end_of_stream(fd);

    int next = connect_to(bench.port);
    port = run_accept(&bench, 2);
    assert_int_equal(mux_id_slot(port->id), mux_id_slot(id));
    assert_true(engine_names(bench.route, port->id, &local, &remote));
    assert_false(engine_names(bench.route, id, &local, &remote));
    close(next);
    close(fd);
    bench_close(&bench);
}

static void test_bytes_then_end_of_stream_reach_the_core(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    say(fd, "hello");
    run_received(&bench, port, 5);
    say(fd, " world");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    run_port(&bench, port, has_ended);
    assert_int_equal(port->received, 11);
    assert_memory_equal(port->kept, "hello world", 11);
    assert_false(port->failed);
    close(fd);
    bench_close(&bench);
}

static void test_a_refused_client_is_closed(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->refuses = true;
    int fd = connect_to(bench.port);
    bench.mux->deadline_ns = engine_now() + 20 * NS_PER_MS;
    run_until(&bench, is_late);
    assert_end_of_stream(fd);
    close(fd);
    bench_close(&bench);
}

static void test_nothing_is_read_until_the_core_wants_it(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->client_wants = 0;
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    say(fd, "abc");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    barrier(&bench);
    assert_int_equal(port->received, 0);
    assert_false(port->ended);
    want(bench.mux, port, MUX_READ);
    run_port(&bench, port, has_ended);
    assert_memory_equal(port->kept, "abc", 3);
    close(fd);
    bench_close(&bench);
}

enum { FLOOD_BYTES = 3 * 1024 * 1024 };

static void *flood(void *context)
{
    static const char bytes[64 * 1024];
    int fd = *(int *)context;
    for (size_t sent = 0; sent < FLOOD_BYTES;) {
        ssize_t size = send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
        assert(size > 0);
        sent += (size_t)size;
    }
    return NULL;
}

static void test_a_flooding_client_gets_four_receives_a_turn(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->client_wants = 0;
    int fds[2];
    struct port *ports[2];
    pthread_t threads[2];
    for (unsigned index = 0; index < 2; index++) {
        fds[index] = connect_to(bench.port);
        ports[index] = run_accept(&bench, index + 1);
        assert_int_equal(pthread_create(&threads[index], NULL, flood, &fds[index]), 0);
        want(bench.mux, ports[index], MUX_READ);
    }
    run_received(&bench, ports[0], FLOOD_BYTES);
    run_received(&bench, ports[1], FLOOD_BYTES);
    for (unsigned index = 0; index < 2; index++) {
        assert_int_equal(pthread_join(threads[index], NULL), 0);
        assert_true(ports[index]->turn_receives_max <= RECEIVES_MAX);
        assert_true(ports[index]->received % FLOOD_BYTES % (64 * 1024) == 0);
        close(fds[index]);
    }
    bench_close(&bench);
}

/* Puts more into the connection's receive buffer than one turn reads, though nobody reads. */
static size_t fill(struct bench *bench, int fd, const struct port *port)
{
    static const char bytes[64 * 1024];
    size_t size = RECEIVES_MAX * sizeof scratch + 20000;
    int engine_fd = connection_find(bench->route, port->id)->fd, buffer = 1024 * 1024, queued = 0;
    assert_int_equal(setsockopt(engine_fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer), 0);
    for (size_t sent = 0; sent < size;) {
        size_t left = size - sent;
        ssize_t got = send(fd, bytes, left < sizeof bytes ? left : sizeof bytes, MSG_NOSIGNAL);
        assert_true(got > 0);
        sent += (size_t)got;
    }
    for (int tries = 0; (size_t)queued < size; tries++) {
        assert_true(tries < 1000000);
        assert_int_equal(ioctl(engine_fd, FIONREAD, &queued), 0);
    }
    return size;
}

static void test_more_than_a_turn_reads_is_read_without_further_events(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    size_t size = fill(&bench, fd, port);
    run_received(&bench, port, size);
    assert_int_equal(port->turn_receives_max, RECEIVES_MAX);
    assert_int_equal(port->turn_receives, 1); /* the rest, in a turn of its own */
    close(fd);
    bench_close(&bench);
}

static void test_a_reset_is_noticed_behind_more_than_a_turn_reads(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    size_t size = fill(&bench, fd, port);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    reset(fd);
    run_port(&bench, port, has_failed);
    assert_int_equal(port->received, size);
    assert_true(port->ended);
    bench_close(&bench);
}

static void test_urgent_data_hides_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->client_wants = 0;
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    say(fd, "abc");
    assert_int_equal(send(fd, "!", 1, MSG_OOB), 1);
    say(fd, "def");
    barrier(&bench);
    want(bench.mux, port, MUX_READ);
    run_received(&bench, port, 6);
    assert_memory_equal(port->kept, "abcdef", 6);
    close(fd);
    bench_close(&bench);
}

static void test_a_slow_reader_gets_everything_in_the_end(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    port->to_send = 16 * 1024 * 1024;
    want(bench.mux, port, MUX_READ | MUX_WRITE);
    barrier(&bench);
    assert_in_range(port->sent, 1, port->to_send - 1); /* the kernel's buffers are full */
    uint64_t taken = 0;
    while (port->sent < port->to_send) {
        assert_pattern(fd, taken, port->sent - taken);
        taken = port->sent;
        wanted_port = port;
        wanted_bytes = taken + 1;
        run_until(&bench, sent_enough);
    }
    assert_pattern(fd, taken, port->to_send - taken);
    close(fd);
    bench_close(&bench);
}

static void test_half_closing_works_in_both_directions(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    run_port(&bench, port, has_ended);

    port->to_send = wanted_bytes = 1000;
    want(bench.mux, port, MUX_READ | MUX_WRITE);
    run_until(&bench, sent_enough);
    assert_pattern(fd, 0, 1000);
    want(bench.mux, port, MUX_READ | MUX_END);
    barrier(&bench);
    assert_end_of_stream(fd);
    assert_false(port->failed); /* the hang-up that follows is in order */
    run_close(&bench, port);
    close(fd);
    bench_close(&bench);
}

/* `wants` beside MUX_END. */
static void check_end_then_finish(unsigned wants)
{
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    want(bench.mux, port, wants | MUX_END);
    barrier(&bench);
    assert_end_of_stream(fd);
    assert_int_equal(close(fd), 0);
    barrier(&bench);
    assert_int_equal(port->ended, (wants & MUX_READ) != 0);
    assert_false(port->failed);
    bench_close(&bench);
}

static void test_a_hang_up_after_both_sides_finished_is_no_failure(void **state)
{
    (void)state;
    check_end_then_finish(MUX_READ);
    check_end_then_finish(0);
}

static void test_a_reset_is_noticed_while_not_reading(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->client_wants = 0;
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    say(fd, "unread");
    reset(fd);
    run_port(&bench, port, has_failed);
    assert_int_equal(port->failure, IO_RESET);
    assert_int_equal(port->received, 0);
    run_close(&bench, port);
    bench_close(&bench);
}

static void test_a_reset_is_noticed_after_the_end_of_stream(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    run_port(&bench, port, has_ended);
    reset(fd);
    run_port(&bench, port, has_failed);
    assert_int_equal(port->failure, IO_RESET);
    bench_close(&bench);
}

static void test_an_end_and_a_reset_at_once_are_both_noticed(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    reset(fd);
    run_port(&bench, port, has_failed);
    assert_int_equal(port->failure, IO_RESET);
    bench_close(&bench);
}

static void test_what_came_before_a_reset_is_read_first(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port);
    struct port *port = run_accept(&bench, 1);
    say(fd, "last words");
    reset(fd);
    run_port(&bench, port, has_failed);
    assert_int_equal(port->received, 10);
    assert_int_equal(port->failure, IO_RESET);
    bench_close(&bench);
}

static void test_hundreds_of_clients_are_served_and_closed(void **state)
{
    (void)state;
    enum { CLIENTS = 600 };
    static int fds[CLIENTS];
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct bench bench;
    bench_default(&bench);
    bench.mux->clients_echo = true;
    for (unsigned index = 0; index < CLIENTS; index++) {
        fds[index] = connect_to(bench.port);
        say(fds[index], "0123456789");
    }
    (void)run_accept(&bench, CLIENTS);
    for (uint32_t slot = 0; slot < CLIENTS; slot++) {
        wanted_port = &bench.mux->ports[0][slot];
        wanted_bytes = 10;
        run_until(&bench, sent_enough);
    }
    for (unsigned index = 0; index < CLIENTS; index++) {
        assert_pattern(fds[index], 0, 10);
        want(bench.mux, &bench.mux->ports[0][index], MUX_CLOSE);
    }
    wanted_count = CLIENTS;
    run_until(&bench, closed_enough);
    for (unsigned index = 0; index < CLIENTS; index++) {
        assert_end_of_stream(fds[index]);
        close(fds[index]);
    }
    barrier(&bench); /* slots and records are used again */
    bench_close(&bench);
}

static int int_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    assert_int_equal(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

static void assert_options(int fd, bool is_link)
{
    assert_int_not_equal(int_option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(int_option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPIDLE), 60);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPINTVL), 10);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_KEEPCNT), 6);
    assert_int_equal(int_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), is_link ? 30000 : 0);
    assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}

static void test_both_sides_have_their_socket_options(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port), target_side;
    struct port *client = run_accept(&bench, 1);
    assert_options(connection_find(bench.route, client->id)->fd, false);
    struct port *link = run_link(&bench, &target_side);
    assert_options(connection_find(bench.route, link->id)->fd, true);
    close(target_side);
    close(fd);
    bench_close(&bench);
}

/* ---- links ---- */

static void test_a_link_is_connected_and_carries_bytes(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int target_side;
    struct port *link = run_link(&bench, &target_side);
    struct address remote = socket_local(target_side);
    char text[ADDRESS_TEXT_MAX];
    assert_int_equal(link->resolved, 1);
    assert_string_equal(link->remote, address_format(&remote, text, sizeof text));
    link->to_send = wanted_bytes = 100;
    want(bench.mux, link, MUX_READ | MUX_WRITE);
    run_port(&bench, link, sent_enough);
    assert_pattern(target_side, 0, 100);
    say(target_side, "answer");
    run_received(&bench, link, 6);
    run_close(&bench, link);
    assert_string_equal(bench.mux->closed_remote, text);
    assert_end_of_stream(target_side);
    close(target_side);
    bench_close(&bench);
}

static void test_the_clock_is_told_on_links_when_pace_is_measured(void **state)
{
    (void)state;
    for (unsigned has_gap = 0; has_gap < 2; has_gap++) {
        struct bench bench;
        struct error error;
        bench_default(&bench);
        struct engine_route_options options =
            route_options(NULL, 0, target_endpoint("127.0.0.1", bench.target_port));
        bench.mux->options.gap_ns = has_gap;
        engine_destroy(&bench.engine);
        bench.engine = bench.mux->engine = engine_create(&bench.log, &error);
        bench.mux->route = engine_add_route(bench.engine, bench.mux, &options, &error);

        int target_side;
        struct port *link = run_link(&bench, &target_side);
        assert_int_equal(bench.mux->clocks, has_gap * 1);
        link->to_send = wanted_bytes = 1;
        want(bench.mux, link, MUX_READ | MUX_WRITE);
        run_port(&bench, link, sent_enough);
        assert_int_equal(bench.mux->clocks, has_gap * 2);
        say(target_side, "!");
        run_received(&bench, link, 1);
        assert_int_equal(bench.mux->clocks, has_gap * 3);
        close(target_side);
        bench_close(&bench);
    }
}

static void test_a_refused_connection_is_reported(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    close(bench.target_fd);
    bench.target_fd = local_socket();
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_failed);
    assert_int_equal(link->failure, IO_REFUSED);
    assert_false(link->connected);
    run_close(&bench, link);
    bench_close(&bench);
}

static void test_an_address_that_no_lookup_gave_is_unresolved(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->connect_address = 1;
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_failed);
    assert_int_equal(link->failure, IO_UNRESOLVED);
    run_close(&bench, link);
    bench_close(&bench);
}

static void test_connecting_can_be_given_up(void **state)
{
    (void)state;
    /* A full backlog: further connections stay in connecting. */
    struct bench bench;
    bench_default(&bench);
    assert_int_equal(listen(bench.target_fd, 0), 0);
    int filler = connect_to(bench.target_port);
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    barrier(&bench);
    assert_false(link->connected);
    assert_false(link->failed);
    run_close(&bench, link);
    close(filler);
    bench_close(&bench);
}

static void test_a_probe_reads_what_is_there(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->link_wants = 0;
    int target_side;
    struct port *link = run_link(&bench, &target_side);
    want(bench.mux, link, MUX_PROBE);
    run_port(&bench, link, was_probed);
    assert_int_equal(link->received, 0);

    say(target_side, "stray");
    link->probed = false;
    want(bench.mux, link, MUX_PROBE);
    run_port(&bench, link, was_probed);
    assert_int_equal(link->received, 5);

    assert_int_equal(shutdown(target_side, SHUT_WR), 0);
    link->probed = false;
    want(bench.mux, link, MUX_PROBE | MUX_READ);
    run_port(&bench, link, was_probed);
    assert_true(link->ended);

    link->probed = false;
    want(bench.mux, link, MUX_PROBE);
    run_port(&bench, link, was_probed);
    close(target_side);
    bench_close(&bench);
}

static void test_a_response_in_front_of_a_reset_is_read_though_a_send_fails_first(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int target_side;
    struct port *link = run_link(&bench, &target_side);
    barrier(&bench);
    say(target_side, "response");
    reset(target_side);
    link->to_send = 10;
    want(bench.mux, link, MUX_READ | MUX_WRITE); /* engine_run sends before it waits for events */
    run_port(&bench, link, has_failed);
    assert_int_equal(link->received, 8);
    assert_int_equal(link->sent, 0);
    assert_false(link->ended);
    assert_int_equal(link->failure, IO_RESET);
    bench_close(&bench);
}

/* What a client was given, it takes at its leisure: meanwhile its link is not read. */
static void test_what_a_link_said_before_a_reset_stays_until_it_is_read(void **state)
{
    (void)state;
    for (unsigned sends = 0; sends < 2; sends++) {
        struct bench bench;
        bench_default(&bench);
        int target_side;
        struct port *link = run_link(&bench, &target_side);
        want(bench.mux, link, 0);
        barrier(&bench);
        say(target_side, "response");
        reset(target_side);
        link->to_send = sends * 10;
        want(bench.mux, link, sends == 0 ? 0 : MUX_WRITE); /* the send is told of the reset */
        barrier(&bench);
        assert_false(link->failed);
        want(bench.mux, link, MUX_READ);
        run_port(&bench, link, has_failed);
        assert_int_equal(link->received, 8);
        assert_int_equal(link->failure, IO_RESET);
        bench_close(&bench);
    }
}

static bool has_connected_or_failed(struct mux *mux)
{
    (void)mux;
    return wanted_port->connected || wanted_port->failed;
}

static void test_a_name_is_resolved(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "127.0.0.1:0", "localhost");
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_connected_or_failed);
    if (link->failed) { /* ::1 came first, where nobody listens */
        assert_int_equal(link->failure, IO_REFUSED);
        assert_int_equal(link->resolved, 2);
        run_close(&bench, link);
        bench.mux->connect_address = 1;
        link = port_open(bench.mux, true, MUX_RESOLVE);
        run_port(&bench, link, has_connected);
    }
    bench_close(&bench);
}

static bool all_links_are_resolved(struct mux *mux)
{
    return mux->ports[1][0].resolved > 0 && mux->ports[1][1].resolved > 0;
}

static void test_one_lookup_answers_all_who_wait(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "127.0.0.1:0", "localhost");
    (void)port_open(bench.mux, true, MUX_RESOLVE);
    (void)port_open(bench.mux, true, MUX_RESOLVE);
    run_until(&bench, all_links_are_resolved);
    bench_close(&bench);
}

static void test_a_name_that_does_not_exist_is_unresolved(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "127.0.0.1:0", "no-such-name.invalid");
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_failed);
    assert_int_equal(link->failure, IO_UNRESOLVED);
    assert_non_null(strstr(log_text(&bench), "cannot resolve no-such-name.invalid: "));
    run_close(&bench, link);
    bench_close(&bench);
}

static void test_an_interface_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "127.0.0.1:0", "[fe80::1%nosuch0]");
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    assert_null(engine_missing_interface(bench.route));
    run_port(&bench, link, has_failed);
    assert_int_equal(link->failure, IO_UNRESOLVED);
    assert_string_equal(engine_missing_interface(bench.route), "nosuch0");
    assert_non_null(strstr(log_text(&bench), "cannot resolve fe80::1%nosuch0: "));
    run_close(&bench, link);
    bench_close(&bench);
}

static void test_a_lookup_nobody_waits_for_does_no_harm(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "127.0.0.1:0", "localhost");
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    link->changed = false;
    connection_match(bench.route, link->id); /* starts it */
    run_close(&bench, link);
    link = port_open(bench.mux, true, MUX_RESOLVE); /* waits for the same one, or a new one */
    run_port(&bench, link, has_connected_or_failed);
    run_close(&bench, link);

    link = port_open(bench.mux, true, MUX_RESOLVE);
    link->changed = false;
    connection_match(bench.route, link->id);
    bench_close(&bench); /* the engine does not wait for the answer */
}

static struct engine_route *
add_route(struct bench *bench, const struct engine_route_options *options, struct error *error)
{
    error->text[0] = '\0';
    return engine_add_route(bench->engine, bench->mux, options, error);
}

static void test_a_link_comes_from_the_source_address(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    struct error error;
    struct engine_route_options options =
        route_options(NULL, 0, target_endpoint("127.0.0.1", bench.target_port));
    options.has_source = true;
    assert_true(address_parse_source("127.0.0.2", &options.source, &error));
    bench.mux->is_finished = false;
    struct mux *mux = fake_create();
    mux->engine = bench.engine;
    mux->route = engine_add_route(bench.engine, mux, &options, &error);
    assert_non_null(mux->route);
    struct port *link = port_open(mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_connected);
    assert_memory_equal(link->local, "127.0.0.2:", 10);

    assert_true(address_parse_source("::1", &options.source, &error));
    assert_null(add_route(&bench, &options, &error));
    assert_non_null(strstr(error.text, "they are not of one kind"));
    bench_close(&bench);
    free(mux);
}

/* ---- listeners ---- */

static void test_a_bare_port_listens_on_both_families(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, "0", "127.0.0.1");
    assert_int_equal(engine_listeners_count(bench.route), 2);
    const struct address *v6 = engine_listener_address(bench.route, 0);
    const struct address *v4 = engine_listener_address(bench.route, 1);
    assert_int_equal(v6->is.any.sa_family, AF_INET6);
    assert_int_equal(v4->is.any.sa_family, AF_INET);
    assert_int_not_equal(v4->is.v4.sin_port, 0);
    assert_int_equal(v6->is.v6.sin6_port, v4->is.v4.sin_port);

    int fd4 = connect_to(ntohs(v4->is.v4.sin_port));
    int fd6 = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 loopback6 = {.sin6_family = AF_INET6,
                                     .sin6_port = v6->is.v6.sin6_port,
                                     .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    assert_int_equal(connect(fd6, (struct sockaddr *)&loopback6, sizeof loopback6), 0);
    (void)run_accept(&bench, 2);
    struct address here = socket_local(fd6);
    char text[ADDRESS_TEXT_MAX];
    (void)address_format(&here, text, sizeof text);
    assert_true(strcmp(bench.mux->ports[0][0].remote, text) == 0 ||
                strcmp(bench.mux->ports[0][1].remote, text) == 0);
    close(fd4);
    close(fd6);
    bench_close(&bench);
}

static void test_a_port_that_is_taken_is_named(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    struct error error;
    char expected[128];
    char text[32];
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", bench.port);
    struct endpoint listen[2] = {listen_endpoint("127.0.0.1:0"), listen_endpoint(text)};
    struct engine_route_options options =
        route_options(listen, 2, target_endpoint("127.0.0.1", bench.target_port));
    assert_null(add_route(&bench, &options, &error));
    (void)snprintf(expected, sizeof expected, "cannot listen on '%s': address already in use",
                   text);
    assert_string_equal(error.text, expected);

    struct endpoint foreign = listen_endpoint("192.0.2.1:0");
    options = route_options(&foreign, 1, options.target);
    assert_null(add_route(&bench, &options, &error));
    assert_string_equal(error.text,
                        "cannot listen on '192.0.2.1:0': cannot assign requested address");
    bench_close(&bench);
}

static void test_a_stopped_listener_refuses(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    engine_stop_listening(bench.route);
    engine_stop_listening(bench.route);
    struct sockaddr_in address = loopback(bench.port);
    int fd = local_socket();
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    bench_close(&bench);
}

/* A directory of the test's own, with a path in it. */
struct place {
    char directory[64], path[80], listen[96];
};

static struct place place_make(void)
{
    struct place place;
    (void)snprintf(place.directory, sizeof place.directory, "/tmp/test-engine-XXXXXX");
    assert_non_null(mkdtemp(place.directory));
    (void)snprintf(place.path, sizeof place.path, "%s/sock", place.directory);
    (void)snprintf(place.listen, sizeof place.listen, "unix:%s", place.path);
    return place;
}

static struct sockaddr_un local_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    return address;
}

static void test_unix_sockets_carry_clients_and_links(void **state)
{
    (void)state;
    struct place place = place_make();
    struct bench bench;
    bench_open(&bench, place.listen, "127.0.0.1");
    struct sockaddr_un address = local_address(place.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct port *port = run_accept(&bench, 1);
    assert_string_equal(port->local, place.listen);
    assert_string_equal(port->remote, "unix");
    say(fd, "hello");
    assert_int_equal(close(fd), 0); /* a unix socket that was closed hangs up: no failure */
    run_port(&bench, port, has_ended);
    assert_int_equal(port->received, 5);
    assert_false(port->failed);

    /* A link to the same path. */
    struct error error;
    struct engine_route_options options = route_options(NULL, 0, (struct endpoint){0});
    assert_true(endpoint_parse_target(place.listen, &options.target, &error));
    struct mux *mux = fake_create();
    engine_destroy(&bench.engine); /* removes the file */
    assert_int_equal(rmdir(place.directory), 0);

    bench.engine = engine_create(&bench.log, &error);
    mux->engine = bench.engine;
    mux->route = engine_add_route(bench.engine, mux, &options, &error);
    assert_non_null(mux->route);
    struct port *link = port_open(mux, true, MUX_RESOLVE);
    free(bench.mux);
    bench.mux = mux;
    run_port(&bench, link, has_failed); /* nobody is there any more */
    assert_int_equal(link->failure, IO_REFUSED);
    run_close(&bench, link);

    assert_int_equal(mkdir(place.directory, 0700), 0);
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listening, 1), 0);
    link = port_open(mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_connected);
    assert_string_equal(link->remote, place.listen);
    int target_side = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    say(target_side, "hello");
    run_received(&bench, link, 5);
    run_close(&bench, link);
    assert_string_equal(bench.mux->closed_remote, place.listen);
    close(target_side);
    close(listening);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(rmdir(place.directory), 0);
    bench_close(&bench);
}

static void test_a_stale_socket_file_is_replaced(void **state)
{
    (void)state;
    struct place place = place_make();
    struct sockaddr_un address = local_address(place.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd); /* as a killed process leaves it */

    struct bench bench;
    bench_open(&bench, place.listen, "127.0.0.1");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)run_accept(&bench, 1);
    close(fd);
    bench_close(&bench);
    assert_int_equal(rmdir(place.directory), 0); /* the file is gone */
}

static void assert_cannot_listen(struct bench *bench, const char *listen_text, const char *trouble)
{
    struct error error;
    char expected[256];
    struct endpoint listen = listen_endpoint(listen_text);
    struct engine_route_options options =
        route_options(&listen, 1, target_endpoint("127.0.0.1", bench->target_port));
    assert_null(add_route(bench, &options, &error));
    (void)snprintf(expected, sizeof expected, "cannot listen on '%s': %s", listen_text, trouble);
    assert_string_equal(error.text, expected);
}

static void test_a_live_socket_file_is_respected(void **state)
{
    (void)state;
    struct place place = place_make();
    struct bench bench;
    bench_open(&bench, place.listen, "127.0.0.1");
    assert_cannot_listen(&bench, place.listen, "address already in use");

    /* Another process has replaced our file: it stays. */
    assert_int_equal(unlink(place.path), 0);
    int fd = open(place.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_cannot_listen(&bench, place.listen, "the file exists and is no socket");
    bench_close(&bench);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(rmdir(place.directory), 0);
}

/* ---- descriptors run out ---- */

static int highest_descriptor(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static bool is_paused(struct mux *mux)
{
    return mux->engine->accept_is_paused;
}

static void test_accepting_pauses_without_descriptors_and_links_still_connect(void **state)
{
    (void)state;
    enum { CLIENTS = 20, FREE = 6 };
    int fds[CLIENTS];
    struct bench bench;
    bench_default(&bench);
    for (unsigned index = 0; index < CLIENTS; index++) {
        fds[index] = connect_to(bench.port);
    }
    limit_descriptors((rlim_t)highest_descriptor() + FREE);
    run_until(&bench, is_paused);
    assert_int_equal(bench.mux->accepted, FREE);
    assert_non_null(strstr(log_text(&bench), "cannot accept clients for now: too many open files"));

    /* No spinning: a few turns in half a second, for the looks whether there is room again. */
    unsigned turns = bench.mux->turns;
    bench.mux->deadline_ns = engine_now() + 500 * NS_PER_MS;
    run_until(&bench, is_late);
    assert_in_range(bench.mux->turns - turns, 1, 10);
    assert_int_equal(bench.mux->accepted, FREE);
    bench.mux->deadline_ns = TIME_NEVER;

    /* A link gets a descriptor of the reserve. */
    struct port *link = port_open(bench.mux, true, MUX_RESOLVE);
    run_port(&bench, link, has_connected);

    /* The first client that goes fills the reserve again, the second one makes room for a client.
     */
    run_close(&bench, &bench.mux->ports[0][0]);
    assert_int_equal(bench.mux->accepted, FREE);
    bench.engine->accept_resume_at = TIME_NEVER; /* without the help of time */
    want(bench.mux, &bench.mux->ports[0][1], MUX_CLOSE);
    (void)run_accept(&bench, FREE + 1);
    run_until(&bench, is_paused);
    assert_int_equal(bench.mux->accepted, FREE + 1);

    /* More descriptors from elsewhere are found within the pause. */
    limit_descriptors(1000);
    (void)run_accept(&bench, CLIENTS);
    for (unsigned index = 0; index < CLIENTS; index++) {
        close(fds[index]);
    }
    bench_close(&bench);
}

static void test_the_descriptor_limit_is_raised_or_warned_about(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    struct rlimit limit;
    limit_descriptors(100);
    struct engine_route_options options =
        route_options(NULL, 0, target_endpoint("127.0.0.1", bench.target_port));
    struct error error;
    bench.mux->options.clients_max = 200;
    assert_non_null(add_route(&bench, &options, &error));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_in_range(limit.rlim_cur, 300 + 64, 400 + 64); /* 100 and 200 clients, and some */
    assert_string_equal(log_text(&bench), "");

    bench.mux->options.clients_max = UINT32_MAX;
    assert_non_null(add_route(&bench, &options, &error));
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(limit.rlim_cur, limit.rlim_max);
    assert_non_null(strstr(log_text(&bench), "the limit on open files is too low"));
    bench_close(&bench);
}

/* ---- the loop ---- */

static void stop_loop(void *context)
{
    struct bench *bench = context;
    engine_stop_listening(bench->route);
    engine_stop(bench->engine);
}

static void test_a_watch_is_called_and_can_stop_the_loop(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    struct error error;
    int fd = eventfd(1, EFD_CLOEXEC);
    assert_true(engine_watch(bench.engine, fd, stop_loop, &bench, &error));
    int client =
        connect_to(bench.port); /* announced in the same batch, to a listener that is closed */
    bench.mux->give_up_ns = engine_now() + 10 * NS_PER_S;
    engine_run(bench.engine);
    assert_int_equal(bench.mux->accepted, 0);
    engine_unwatch(bench.engine, fd);
    close(fd);
    close(client);
    bench_close(&bench);
}

static void test_the_loop_ends_when_the_core_is_finished(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    bench.mux->is_finished = true;
    engine_run(bench.engine);
    bench_close(&bench);
}

static void test_a_deadline_is_kept_and_never_early(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    for (uint64_t delay_ns = 100 * NS_PER_US; delay_ns <= 10 * NS_PER_MS; delay_ns *= 10) {
        bench.mux->deadline_ns = engine_now() + delay_ns;
        unsigned turns = bench.mux->turns;
        run_until(&bench, is_late);
        /* One to begin with and one when it is time; an early wake-up would give a third. */
        assert_in_range(bench.mux->turns - turns, 1, 2);
    }
    bench_close(&bench);
}

static bool was_late(struct mux *mux)
{
    return mux->was_late;
}

/* A deadline that is over already runs behind whatever has come. */
static void run_late(struct bench *bench, struct port *port, uint64_t received)
{
    bench->mux->was_late = false;
    bench->mux->deadline_ns = engine_now();
    run_port(bench, port, was_late);
    assert_int_equal(bench->mux->received_when_late, received);
}

static void test_what_has_come_is_read_before_deadlines_run(void **state)
{
    (void)state;
    struct bench bench;
    bench_default(&bench);
    int fd = connect_to(bench.port), target_side;
    struct port *client = run_accept(&bench, 1);
    say(fd, "in time");
    run_late(&bench, client, 7);
    bench.mux->deadline_ns = TIME_NEVER;
    struct port *link = run_link(&bench, &target_side);
    size_t size = fill(&bench, target_side, link); /* more than one turn reads */
    run_late(&bench, link, size);
    close(target_side);
    close(fd);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_has_come_is_read_before_deadlines_run),
        cmocka_unit_test(test_a_client_is_accepted_and_named),
        cmocka_unit_test(test_bytes_then_end_of_stream_reach_the_core),
        cmocka_unit_test(test_a_refused_client_is_closed),
        cmocka_unit_test(test_nothing_is_read_until_the_core_wants_it),
        cmocka_unit_test(test_a_flooding_client_gets_four_receives_a_turn),
        cmocka_unit_test(test_more_than_a_turn_reads_is_read_without_further_events),
        cmocka_unit_test(test_a_reset_is_noticed_behind_more_than_a_turn_reads),
        cmocka_unit_test(test_urgent_data_hides_nothing),
        cmocka_unit_test(test_a_slow_reader_gets_everything_in_the_end),
        cmocka_unit_test(test_half_closing_works_in_both_directions),
        cmocka_unit_test(test_a_hang_up_after_both_sides_finished_is_no_failure),
        cmocka_unit_test(test_a_reset_is_noticed_while_not_reading),
        cmocka_unit_test(test_a_reset_is_noticed_after_the_end_of_stream),
        cmocka_unit_test(test_an_end_and_a_reset_at_once_are_both_noticed),
        cmocka_unit_test(test_what_came_before_a_reset_is_read_first),
        cmocka_unit_test(test_hundreds_of_clients_are_served_and_closed),
        cmocka_unit_test(test_both_sides_have_their_socket_options),
        cmocka_unit_test(test_a_link_is_connected_and_carries_bytes),
        cmocka_unit_test(test_the_clock_is_told_on_links_when_pace_is_measured),
        cmocka_unit_test(test_a_refused_connection_is_reported),
        cmocka_unit_test(test_an_address_that_no_lookup_gave_is_unresolved),
        cmocka_unit_test(test_connecting_can_be_given_up),
        cmocka_unit_test(test_a_probe_reads_what_is_there),
        cmocka_unit_test(test_a_response_in_front_of_a_reset_is_read_though_a_send_fails_first),
        cmocka_unit_test(test_what_a_link_said_before_a_reset_stays_until_it_is_read),
        cmocka_unit_test(test_a_name_is_resolved),
        cmocka_unit_test(test_one_lookup_answers_all_who_wait),
        cmocka_unit_test(test_a_name_that_does_not_exist_is_unresolved),
        cmocka_unit_test(test_an_interface_that_is_not_there_is_named),
        cmocka_unit_test(test_a_lookup_nobody_waits_for_does_no_harm),
        cmocka_unit_test(test_a_link_comes_from_the_source_address),
        cmocka_unit_test(test_a_bare_port_listens_on_both_families),
        cmocka_unit_test(test_a_port_that_is_taken_is_named),
        cmocka_unit_test(test_a_stopped_listener_refuses),
        cmocka_unit_test(test_unix_sockets_carry_clients_and_links),
        cmocka_unit_test(test_a_stale_socket_file_is_replaced),
        cmocka_unit_test(test_a_live_socket_file_is_respected),
        cmocka_unit_test(test_accepting_pauses_without_descriptors_and_links_still_connect),
        cmocka_unit_test(test_the_descriptor_limit_is_raised_or_warned_about),
        cmocka_unit_test(test_a_watch_is_called_and_can_stop_the_loop),
        cmocka_unit_test(test_the_loop_ends_when_the_core_is_finished),
        cmocka_unit_test(test_a_deadline_is_kept_and_never_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
