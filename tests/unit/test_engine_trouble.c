/* SPDX-License-Identifier: MIT */
/*
 * The engine, with the real core, on a system that interrupts calls and aborts connections.
 *
 * This file defines the calls of net/sys.h itself: each does what it should, after it has made the
 * trouble of the test. Waiting is where the other side lives: before the loop sleeps, clients and
 * target take a step; then both sides are waited for together, so that whoever can go on does.
 * Nothing sleeps for a time of its own. A loop that waits although everybody waits for it, or that
 * turns without end, fails the test.
 *
 * Every run also watches what the engine owes the core: the end of a connection is told only when
 * its descriptor is closed, writing is shut down once, and nothing is logged.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "net/engine.h"
#include "net/engine_private.h"
#include "net/sys.h"
#include "protocol/registry.h"
#include "unit.h"

enum {
    CLIENTS = 5,
    LINES = 20, /* of each client */
    LINKS_MAX = 8,
    DESCRIPTORS_MAX = 256,
    TURNS_MAX = 50 * 1000,
    PATIENCE_MS = 5 * 1000, /* less than any deadline that only trouble meets */
    MESSAGE_MAX = 200,
};

enum sys_trouble {
    ALL_IS_WELL,
    RECEIVE_INTERRUPTED,
    SEND_INTERRUPTED,
    SEND_SHORT,
    ACCEPT_INTERRUPTED,
    ACCEPT_ABORTED,
    CONNECT_INTERRUPTED,
    CONNECT_MEETS_ITSELF,
    WAIT_INTERRUPTED,
};

struct actor {
    int fd; /* -1: not there, or finished */
    unsigned asked, answered;
    size_t got; /* bytes of the answer that is under way */
};

struct world {
    struct log log;
    int log_fd;
    struct engine *engine;
    struct mux *mux;
    struct engine_route *route;
    int target_fd;
    int links[LINKS_MAX];
    size_t links_count;
    struct actor clients[CLIENTS];
    size_t clients_count;
    void (*step)(void);
    bool target_listens, is_draining;
    bool is_interrupted; /* the step has done something that the loop does not wait for */

    enum sys_trouble trouble;
    uint64_t calls; /* of the troubled kind */
    unsigned turns;
    bool is_connection[DESCRIPTORS_MAX]; /* the engine's */
    bool is_shut[DESCRIPTORS_MAX];
    unsigned shut, closed, closed_told;
    mux_id last_client;
    enum mux_reason link_failure;
    uint64_t links_up;
};

static struct world world;
static uint8_t scratch[MUX_SCRATCH_BYTES];

/* Each second call of the kind has the trouble. */
static bool has_trouble(enum sys_trouble trouble)
{
    return world.trouble == trouble && world.calls++ % 2 == 0;
}

static int interrupted(int error)
{
    errno = error;
    return -1;
}

static void note_connection(int fd)
{
    assert_in_range(fd, 0, DESCRIPTORS_MAX - 1);
    assert_false(world.is_connection[fd]);
    world.is_connection[fd] = true;
    world.is_shut[fd] = false;
}

/* ---- the system ---- */

int sys_socket(int domain, int type, int protocol)
{
    return socket(domain, type, protocol);
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    note_connection(fd);
    if (world.trouble == CONNECT_MEETS_ITSELF) {
        assert_int_equal(bind(fd, address, size), 0);
    }
    int result = connect(fd, address, size);
    if (result != 0 && errno == EINPROGRESS && has_trouble(CONNECT_INTERRUPTED)) {
        return interrupted(EINTR);
    }
    return result;
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    if (has_trouble(ACCEPT_INTERRUPTED)) {
        return interrupted(EINTR);
    }
    if (has_trouble(ACCEPT_ABORTED)) {
        return interrupted(ECONNABORTED);
    }
    int client = accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
        note_connection(client);
    }
    return client;
}

ssize_t sys_recv(int fd, void *bytes, size_t size)
{
    return has_trouble(RECEIVE_INTERRUPTED) ? interrupted(EINTR) : recv(fd, bytes, size, 0);
}

ssize_t sys_send(int fd, const void *bytes, size_t size)
{
    if (has_trouble(SEND_INTERRUPTED)) {
        return interrupted(EINTR);
    }
    if (size > 3 && has_trouble(SEND_SHORT)) {
        size = 3;
    }
    return send(fd, bytes, size, MSG_NOSIGNAL);
}

int sys_shutdown_write(int fd)
{
    assert_true(world.is_connection[fd]);
    assert_false(world.is_shut[fd]);
    world.is_shut[fd] = true;
    world.shut++;
    return shutdown(fd, SHUT_WR);
}

int sys_close(int fd)
{
    if (fd >= 0 && fd < DESCRIPTORS_MAX && world.is_connection[fd]) {
        world.is_connection[fd] = false;
        world.closed++;
    }
    return close(fd);
}

int sys_epoll_control(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    return epoll_ctl(epoll_fd, operation, fd, event);
}

int sys_processors_count(void)
{
    return 1;
}

void sys_yield(void)
{
}

uint64_t sys_clock_ns(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Everybody that can go on without the loop, and the loop's events. */
static size_t waited_for(int epoll_fd, struct pollfd *fds)
{
    size_t count = 0;
    fds[count++] = (struct pollfd){.fd = epoll_fd, .events = POLLIN};
    fds[count++] =
        (struct pollfd){.fd = world.target_listens ? world.target_fd : -1, .events = POLLIN};
    for (size_t index = 0; index < world.links_count; index++) {
        fds[count++] = (struct pollfd){.fd = world.links[index], .events = POLLIN};
    }
    for (size_t index = 0; index < world.clients_count; index++) {
        fds[count++] = (struct pollfd){.fd = world.clients[index].fd, .events = POLLIN};
    }
    return count;
}

static int milliseconds(int64_t ns)
{
    return (int)((ns + (int64_t)NS_PER_MS - 1) / (int64_t)NS_PER_MS);
}

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns)
{
    if (++world.turns > TURNS_MAX) {
        fail_msg("the loop turns without end");
    }
    if (has_trouble(WAIT_INTERRUPTED)) {
        return interrupted(EINTR);
    }
    bool is_patient = timeout_ns < 0 || timeout_ns > PATIENCE_MS * (int64_t)NS_PER_MS;
    uint64_t until = is_patient ? TIME_NEVER : sys_clock_ns() + (uint64_t)timeout_ns;
    for (;;) {
        world.is_interrupted = false;
        world.step();
        if (world.is_interrupted) {
            return 0;
        }
        struct pollfd fds[2 + LINKS_MAX + CLIENTS];
        size_t count = waited_for(epoll_fd, fds);
        uint64_t now = sys_clock_ns();
        int64_t rest = until > now ? (int64_t)(until - now) : 0;
        int ready = poll(fds, count, is_patient ? PATIENCE_MS : milliseconds(rest));
        assert_true(ready >= 0);
        if (ready == 0 && is_patient) {
            fail_msg("nothing happens any more");
        }
        if (ready == 0 || (fds[0].revents & POLLIN) != 0) {
            return epoll_wait(epoll_fd, events, capacity, 0);
        }
    }
}

/* ---- what the core says ---- */

static void on_event(void *context, const struct mux_event *event)
{
    (void)context;
    if (event->kind == MUX_CLIENT_OPENED) {
        world.last_client = event->client_id;
    } else if (event->kind == MUX_LINK_FAILED) {
        world.link_failure = event->reason;
    } else if (event->kind == MUX_LINK_UP) {
        world.links_up++;
    } else if (event->kind == MUX_CLIENT_CLOSED || event->kind == MUX_LINK_CLOSED) {
        world.closed_told++;
        assert_true(world.closed >= world.closed_told); /* the descriptor is gone already */
    }
}

/* ---- clients and target ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static int bound_socket(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void client_connect(const struct engine_route *route)
{
    const struct address *at = engine_listener_address(route, 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &at->is.any, at->size), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_in_range(world.clients_count, 0, CLIENTS - 1);
    world.clients[world.clients_count++] = (struct actor){.fd = fd};
}

static size_t line_of(unsigned client, unsigned number, char line[MESSAGE_MAX])
{
    return (size_t)snprintf(line, MESSAGE_MAX, "client %u asks %u %.*s\n", client, number,
                            (int)(number * 7 % 90),
                            "a line that is longer for some numbers and shorter for others, "
                            "so that pieces have many sizes");
}

static void leave(int *fd)
{
    (void)close(*fd);
    *fd = -1;
}

/* Sends back what comes, and closes when the other side has finished. */
static void target_step(void)
{
    int fd = accept4(world.target_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        assert_in_range(world.links_count, 0, LINKS_MAX - 1);
        world.links[world.links_count++] = fd;
    }
    for (size_t index = 0; index < world.links_count; index++) {
        int *link = &world.links[index];
        char bytes[4096];
        ssize_t size = *link < 0 ? -1 : recv(*link, bytes, sizeof bytes, 0);
        if (size > 0) {
            assert_int_equal(send(*link, bytes, (size_t)size, MSG_NOSIGNAL), size);
        } else if (size == 0) {
            leave(link);
        }
    }
}

static void client_ask(struct actor *client, unsigned number)
{
    char line[MESSAGE_MAX];
    if (client->fd >= 0 && client->asked == client->answered && client->asked < LINES) {
        size_t size = line_of(number, client->asked++, line);
        assert_int_equal(send(client->fd, line, size, MSG_NOSIGNAL), size);
    }
}

/* Takes a piece of its answer, which must be what it asked. */
static bool client_hear(struct actor *client, unsigned number)
{
    char line[MESSAGE_MAX], bytes[MESSAGE_MAX];
    size_t size = line_of(number, client->answered, line);
    ssize_t got = recv(client->fd, bytes, sizeof bytes, 0);
    if (got <= 0) {
        assert_true(got < 0 && errno == EAGAIN); /* nobody is cut off */
        return false;
    }
    assert_true((size_t)got <= size - client->got);
    assert_memory_equal(bytes, line + client->got, (size_t)got);
    client->got += (size_t)got;
    if (client->got == size) {
        client->got = 0;
        client->answered++;
    }
    return true;
}

/* True when everybody has been answered and has gone. */
static bool clients_step(void)
{
    bool all = true;
    for (unsigned number = 0; number < world.clients_count; number++) {
        struct actor *client = &world.clients[number];
        client_ask(client, number);
        while (client->fd >= 0 && client->answered < LINES && client_hear(client, number)) {
            client_ask(client, number);
        }
        if (client->fd >= 0 && client->answered == LINES) {
            leave(&client->fd);
        }
        all = all && client->fd < 0;
    }
    return all;
}

static void stop(void)
{
    engine_stop(world.engine);
    world.is_interrupted = true;
}

/* ---- the bench ---- */

static struct mux_options core_options(void)
{
    struct mux_options options;
    mux_options_init(&options);
    options.protocol = protocol_find("echo");
    assert_non_null(options.protocol);
    options.settings.message_bytes_max = MESSAGE_MAX;
    options.on_demand = true;
    options.clients_max = 2 * CLIENTS; /* and no need to raise the limit on descriptors */
    return options;
}

static struct mux *core_create(const struct mux_options *options)
{
    const struct mux_observer observer = {.event = on_event};
    struct mux *mux = mux_create(options, &observer, scratch, engine_now());
    assert_non_null(mux);
    return mux;
}

static struct engine_route *add_route(struct mux *mux, uint16_t target_port)
{
    struct error error = {.text = ""};
    struct endpoint listen, target;
    char text[64];
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", target_port);
    assert_true(endpoint_parse_listen("127.0.0.1:0", &listen, &error));
    assert_true(endpoint_parse_target(text, &target, &error));
    struct engine_route_options options = {.target = target, .listen = &listen, .listen_count = 1};
    struct engine_route *route = engine_add_route(world.engine, mux, &options, &error);
    assert_non_null(route);
    return route;
}

static void bench_open(enum sys_trouble trouble, const struct mux_options *options,
                       void (*step)(void))
{
    struct error error;
    uint16_t target_port;
    int fds[2];
    world = (struct world){.trouble = trouble, .step = step};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    world.log_fd = fds[0];
    log_init(&world.log, fds[1], LOG_DEBUG, LOG_TEXT);
    world.engine = engine_create(&world.log, &error);
    assert_non_null(world.engine);
    world.target_fd = bound_socket(&target_port);
    world.mux = core_create(options);
    world.route = add_route(world.mux, target_port);
}

static void target_listens(void)
{
    world.target_listens = true;
    assert_int_equal(listen(world.target_fd, 16), 0);
}

/* Nothing may have been logged. */
static void bench_close(void)
{
    char text[4096];
    engine_destroy(&world.engine);
    mux_destroy(&world.mux);
    ssize_t size = read(world.log_fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    assert_string_equal(text, "");
    (void)close(world.log.sink.fd);
    (void)close(world.log_fd);
    (void)close(world.target_fd);
    for (size_t index = 0; index < world.links_count; index++) {
        (void)close(world.links[index]);
    }
    for (size_t index = 0; index < world.clients_count; index++) {
        (void)close(world.clients[index].fd);
    }
}

/* ---- everybody is served ---- */

/* The core stops when all clients have gone; the loop ends when the link was retired. */
static void serving_step(void)
{
    target_step();
    if (clients_step() && !world.is_draining) {
        world.is_draining = true;
        engine_close_route(world.route, NULL, NULL);
        world.is_interrupted = true;
    }
}

static void assert_everybody_is_served(enum sys_trouble trouble)
{
    struct mux_options options = core_options();
    bench_open(trouble, &options, serving_step);
    target_listens();
    for (unsigned number = 0; number < CLIENTS; number++) {
        client_connect(world.route);
    }
    engine_run(world.engine);
    const struct mux_counters *counters = mux_counters(world.mux);
    assert_int_equal(counters->responses, CLIENTS * LINES);
    assert_int_equal(counters->links_up, 1);
    assert_int_equal(counters->links_failed + counters->strays + counters->returned, 0);
    assert_int_equal(world.closed, CLIENTS + 1);
    assert_int_equal(world.closed_told, CLIENTS + 1);
    assert_int_equal(world.shut, 1); /* the link's, when it was retired; the clients were first */
    assert_true(trouble == ALL_IS_WELL || world.calls > 0);
    bench_close();
}

static void test_everybody_is_served_when_all_is_well(void **state)
{
    (void)state;
    assert_everybody_is_served(ALL_IS_WELL);
}

static void test_an_interrupted_receive_is_done_again(void **state)
{
    (void)state;
    assert_everybody_is_served(RECEIVE_INTERRUPTED);
}

static void test_an_interrupted_send_is_done_again(void **state)
{
    (void)state;
    assert_everybody_is_served(SEND_INTERRUPTED);
}

static void test_a_short_send_is_continued(void **state)
{
    (void)state;
    assert_everybody_is_served(SEND_SHORT);
}

static void test_an_interrupted_accept_is_no_reason_to_pause(void **state)
{
    (void)state;
    assert_everybody_is_served(ACCEPT_INTERRUPTED);
}

static void test_an_aborted_client_is_no_reason_to_pause(void **state)
{
    (void)state;
    assert_everybody_is_served(ACCEPT_ABORTED);
}

static void test_an_interrupted_connect_goes_on(void **state)
{
    (void)state;
    assert_everybody_is_served(CONNECT_INTERRUPTED);
}

static void test_an_interrupted_wait_is_no_event(void **state)
{
    (void)state;
    assert_everybody_is_served(WAIT_INTERRUPTED);
}

/* ---- writing is shut down once ---- */

/* The client has sent a line that is too long, and lingers: matched once more, and closed. */
static void lingering_step(void)
{
    struct actor *client = &world.clients[0];
    if (client->asked++ == 0) {
        char line[MESSAGE_MAX + 1];
        memset(line, 'x', sizeof line);
        assert_int_equal(send(client->fd, line, sizeof line, MSG_NOSIGNAL), sizeof line);
    } else if (world.shut == 1 && client->fd >= 0) {
        assert_int_equal(mux_wants(world.mux, world.last_client) & MUX_END, MUX_END);
        connection_match(world.route, world.last_client); /* a wish that has been granted already */
        leave(&client->fd);
    } else if (world.closed_told == 1) {
        stop();
    }
}

static void test_writing_is_shut_down_once(void **state)
{
    (void)state;
    struct mux_options options = core_options();
    bench_open(ALL_IS_WELL, &options, lingering_step);
    client_connect(world.route);
    engine_run(world.engine);
    assert_int_equal(world.shut, 1);
    bench_close();
}

/* ---- a link that has met itself ---- */

static void meeting_step(void)
{
    if (world.link_failure != REASON_NONE || world.links_up > 0) {
        stop();
    }
}

/* Nobody listens on the port, and the kernel gives the link that very port for its own end. */
static void test_a_link_that_met_itself_was_refused(void **state)
{
    (void)state;
    struct mux_options options = core_options();
    options.on_demand = false;
    bench_open(CONNECT_MEETS_ITSELF, &options, meeting_step);
    leave(&world.target_fd); /* its port is free, and was nobody's else a moment ago */
    engine_run(world.engine);
    assert_int_equal(world.links_up, 0);
    assert_int_equal(world.link_failure, REASON_REFUSED);
    bench_close();
}

/* ---- deadlines of several routes ---- */

static void idling_step(void)
{
    char byte;
    if (recv(world.clients[0].fd, &byte, 1, 0) == 0) {
        stop();
    }
}

/* An idle client of one route, and another route with nothing to do. */
static void assert_idle_client_is_closed(bool idle_route_is_first)
{
    struct mux_options options = core_options();
    struct mux_options idle_options = core_options();
    idle_options.idle_timeout_ns = 20 * NS_PER_MS;
    bench_open(ALL_IS_WELL, idle_route_is_first ? &idle_options : &options, idling_step);
    struct mux *other = core_create(idle_route_is_first ? &options : &idle_options);
    struct engine_route *route = add_route(other, 1);
    client_connect(idle_route_is_first ? world.route : route);
    engine_run(world.engine);
    assert_int_equal(world.shut, 1); /* closed in order */
    bench_close();
    mux_destroy(&other);
}

static void test_the_deadline_of_every_route_is_kept(void **state)
{
    (void)state;
    assert_idle_client_is_closed(true);
    assert_idle_client_is_closed(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everybody_is_served_when_all_is_well),
        cmocka_unit_test(test_an_interrupted_receive_is_done_again),
        cmocka_unit_test(test_an_interrupted_send_is_done_again),
        cmocka_unit_test(test_a_short_send_is_continued),
        cmocka_unit_test(test_an_interrupted_accept_is_no_reason_to_pause),
        cmocka_unit_test(test_an_aborted_client_is_no_reason_to_pause),
        cmocka_unit_test(test_an_interrupted_connect_goes_on),
        cmocka_unit_test(test_an_interrupted_wait_is_no_event),
        cmocka_unit_test(test_writing_is_shut_down_once),
        cmocka_unit_test(test_a_link_that_met_itself_was_refused),
        cmocka_unit_test(test_the_deadline_of_every_route_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
