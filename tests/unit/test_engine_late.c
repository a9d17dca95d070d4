/* SPDX-License-Identifier: MIT */
/*
 * The engine, with the real core, is kept from running for a moment: longer than a deadline is away, and
 * shorter than what counts as a stall (run_clock.h).
 *
 * This file defines the calls of net/sys.h itself: each does what it should, but the clock is the test's. It
 * moves as far as a wait asks for that has nothing to tell, and where the test says so. Sockets are local
 * ones, which carry bytes at once. The other side lives inside the wait.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/units.h"
#include "net/engine.h"
#include "net/sys.h"
#include "protocol/registry.h"
#include "unit.h"

enum { TURNS_MAX = 1000, PATH_MAX_BYTES = 64 };

#define TIMEOUT_NS (2 * NS_PER_S)
#define LATE_NS    (700 * NS_PER_MS)
#define SOON_NS    (100 * NS_PER_MS) /* less is left of TIMEOUT_NS when the moment begins */

static struct world {
    char directory[PATH_MAX_BYTES];
    struct log log;
    int log_fd;
    struct engine *engine;
    struct mux *mux;
    struct engine_route *route;
    int target_fd, link_fd;
    int asker_fd, other_fd;
    uint64_t now_ns;
    uint64_t asked_ns;          /* the target has heard the request; 0: it has not */
    bool other_speaks;          /* which ends the wait; else it is the other's --idle-timeout */
    bool was_late;              /* the moment has been */
    bool answers;               /* in the moment, and in time */
    unsigned turns, idle_polls; /* the latter have found nothing, and did not sleep */
    char got[100];              /* by who has asked */
} world;

static uint8_t scratch[MUX_SCRATCH_BYTES];

/* ---- the other side ---- */

static struct sockaddr_un local_address(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", world.directory, name);
    return address;
}

static int connect_to(const char *name)
{
    struct sockaddr_un address = local_address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static int listen_at(const char *name)
{
    struct sockaddr_un address = local_address(name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static void step(void)
{
    char bytes[100];
    if (world.link_fd < 0) {
        world.link_fd = accept4(world.target_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    }
    if (world.link_fd >= 0 && world.asked_ns == 0 &&
        recv(world.link_fd, bytes, sizeof bytes, 0) > 0) {
        world.asked_ns = world.now_ns;
    }
    if (recv(world.asker_fd, world.got, sizeof world.got - 1, 0) >= 0) {
        engine_stop(world.engine);
    }
}

/* We wait for the last deadline before the time for the answer is over, or for that. */
static bool is_moment(uint64_t until_ns)
{
    return world.asked_ns > 0 && !world.was_late &&
           until_ns + SOON_NS >= world.asked_ns + TIMEOUT_NS;
}

/* Just before the time for the answer is over a wait ends. Then we do not run for a moment, in which the
 * time is over; and in which the answer comes, if it does. */
static int end_the_wait(int epoll_fd, struct epoll_event *events, int capacity, uint64_t until_ns)
{
    int count = 0;
    world.was_late = true;
    world.now_ns = until_ns;
    if (world.other_speaks) {
        world.now_ns = world.asked_ns + TIMEOUT_NS - SOON_NS;
        say(world.other_fd, "part of a request");
        count = epoll_wait(epoll_fd, events, capacity, 0);
        assert_int_equal(count, 1);
    }
    if (world.answers) {
        say(world.link_fd, "answer\n");
    }
    world.now_ns += LATE_NS;
    return count;
}

/* ---- the system ---- */

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns)
{
    assert_true(++world.turns < TURNS_MAX);
    step();
    int count = epoll_wait(epoll_fd, events, capacity, 0);
    if (count != 0 || timeout_ns == 0) {
        world.idle_polls += count == 0;
        return count;
    }
    assert_true(timeout_ns > 0); /* else nothing would ever happen */
    uint64_t until_ns = world.now_ns + (uint64_t)timeout_ns;
    if (is_moment(until_ns)) {
        return end_the_wait(epoll_fd, events, capacity, until_ns);
    }
    world.now_ns = until_ns;
    return 0;
}

uint64_t sys_clock_ns(void)
{
    return world.now_ns;
}

int sys_socket(int domain, int type, int protocol)
{
    return socket(domain, type, protocol);
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return connect(fd, address, size);
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    return accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t sys_recv(int fd, void *bytes, size_t size)
{
    return recv(fd, bytes, size, 0);
}

ssize_t sys_send(int fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL);
}

int sys_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR);
}

int sys_close(int fd)
{
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

/* ---- life ---- */

static void open_route(void)
{
    struct error error;
    struct endpoint listen;
    struct engine_route_options options = {.listen = &listen, .listen_count = 1};
    char text[PATH_MAX_BYTES + 20];
    (void)snprintf(text, sizeof text, "unix:%s/clients", world.directory);
    assert_true(endpoint_parse_listen(text, &listen, &error));
    (void)snprintf(text, sizeof text, "unix:%s/target", world.directory);
    assert_true(endpoint_parse_target(text, &options.target, &error));
    world.engine = engine_create(&world.log, &error);
    assert_non_null(world.engine);
    world.route = engine_add_route(world.engine, world.mux, &options, &error);
    assert_non_null(world.route);
}

static int begin(void **state)
{
    (void)state;
    struct mux_options options;
    world = (struct world){.link_fd = -1, .now_ns = 1000 * NS_PER_S, .answers = true};
    (void)snprintf(world.directory, sizeof world.directory, "/tmp/test-engine-late-XXXXXX");
    assert_non_null(mkdtemp(world.directory));
    world.log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    log_init(&world.log, world.log_fd, LOG_DEBUG, LOG_TEXT);
    mux_options_init(&options);
    options.protocol = &protocol_echo;
    options.response_timeout_ns = TIMEOUT_NS;
    options.idle_timeout_ns = TIMEOUT_NS - SOON_NS;
    options.check_gap_ns = 0;
    world.mux = mux_create(&options, NULL, scratch, world.now_ns);
    assert_non_null(world.mux);
    world.target_fd = listen_at("target");
    open_route();
    world.asker_fd = connect_to("clients");
    world.other_fd = connect_to("clients");
    say(world.asker_fd, "question\n");
    return 0;
}

static int end(void **state)
{
    (void)state;
    const int fds[] = {world.asker_fd, world.other_fd, world.link_fd, world.target_fd,
                       world.log_fd};
    struct sockaddr_un address = local_address("target");
    engine_destroy(&world.engine);
    mux_destroy(&world.mux);
    for (size_t index = 0; index < ARRAY_COUNT(fds); index++) {
        (void)close(fds[index]);
    }
    return unlink(address.sun_path) != 0 || rmdir(world.directory) != 0;
}

/* ---- tests ---- */

static void test_an_answer_that_came_while_an_event_was_looked_at_counts(void **state)
{
    (void)state;
    world.other_speaks = true;
    engine_run(world.engine);
    assert_true(world.was_late);
    assert_string_equal(world.got, "answer\n");
}

static void test_an_answer_that_came_while_another_deadline_was_late_counts(void **state)
{
    (void)state;
    engine_run(world.engine);
    assert_true(world.was_late);
    assert_string_equal(world.got, "answer\n");
}

static void test_an_answer_that_did_not_come_is_given_up_in_the_next_turn(void **state)
{
    (void)state;
    world.other_speaks = true;
    world.answers = false;
    engine_run(world.engine);
    assert_string_equal(world.got, ""); /* but the end, since echo has no words for it */
    assert_int_equal(mux_counters(world.mux)->timeouts, 1);
    assert_in_range(world.now_ns - world.asked_ns, TIMEOUT_NS,
                    TIMEOUT_NS - SOON_NS + LATE_NS + NS_PER_MS);
}

static void test_a_deadline_that_ends_a_wait_in_time_needs_no_other_look(void **state)
{
    (void)state;
    world.was_late = true; /* it is not */
    engine_run(world.engine);
    assert_int_equal(mux_counters(world.mux)->timeouts, 1);
    assert_int_equal(world.now_ns - world.asked_ns, TIMEOUT_NS);
    assert_int_equal(world.idle_polls, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_answer_that_came_while_an_event_was_looked_at_counts),
        TEST(test_an_answer_that_came_while_another_deadline_was_late_counts),
        TEST(test_an_answer_that_did_not_come_is_given_up_in_the_next_turn),
        TEST(test_a_deadline_that_ends_a_wait_in_time_needs_no_other_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
