/* SPDX-License-Identifier: MIT */
/*
 * Claims about the engine and several routes: a turn has to do with those that something happens to or that
 * have something due, and with no other; a route can be closed and removed while others go on.
 *
 * The core is this file's: it counts what it is told.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/units.h"
#include "net/engine.h"
#include "unit.h"

enum { ROUTES = 3 };

struct mux {
    struct mux_options options;
    unsigned clocks, times, accepted, drained;
    uint64_t deadline_ns;
    bool is_finished;
};

static struct {
    struct log log;
    int log_fd;
    struct engine *engine;
    struct mux mux[ROUTES];
    struct engine_route *route[ROUTES];
    unsigned finished;
    int removed; /* index of the route that is removed when it has finished; -1: none */
} world;

/* ---- the core ---- */

void mux_stalled(struct mux *mux, uint64_t ns)
{
    (void)mux, (void)ns;
}

void mux_clock(struct mux *mux, uint64_t now_ns)
{
    (void)now_ns;
    mux->clocks++;
}

void mux_time(struct mux *mux, uint64_t due_ns)
{
    mux->times++;
    if (mux->deadline_ns <= due_ns) {
        mux->deadline_ns = TIME_NEVER;
        engine_stop(world.engine);
    }
}

mux_id mux_accepted(struct mux *mux, const void *origin)
{
    (void)origin;
    mux->accepted++;
    engine_stop(world.engine);
    return MUX_ID_NONE; /* there is no room for it */
}

void mux_drain(struct mux *mux)
{
    mux->drained++;
    mux->is_finished = true;
}

bool mux_is_finished(const struct mux *mux)
{
    return mux->is_finished;
}

uint64_t mux_deadline(const struct mux *mux)
{
    return mux->deadline_ns;
}

mux_id mux_next_changed(struct mux *mux)
{
    (void)mux;
    return MUX_ID_NONE;
}

const struct mux_options *mux_options(const struct mux *mux)
{
    return &mux->options;
}

/* What no connection asks for. */
unsigned mux_wants(const struct mux *mux, mux_id id)
{
    (void)mux, (void)id;
    return 0;
}

uint32_t mux_connect_address(const struct mux *mux, mux_id id)
{
    (void)mux, (void)id;
    return 0;
}

uint8_t *mux_recv_space(struct mux *mux, mux_id id, size_t *size)
{
    (void)mux, (void)id;
    *size = 0;
    return NULL;
}

struct span mux_send_view(const struct mux *mux, mux_id id)
{
    (void)mux, (void)id;
    return span_of(NULL, 0);
}

#define NEVER_TOLD(declaration)                                                                    \
    declaration                                                                                    \
    {                                                                                              \
        (void)mux, (void)id;                                                                       \
        fail();                                                                                    \
    }
NEVER_TOLD(void mux_probed(struct mux *mux, mux_id id))
NEVER_TOLD(void mux_ended(struct mux *mux, mux_id id))
NEVER_TOLD(void mux_closed(struct mux *mux, mux_id id))

void mux_named(struct mux *mux, mux_id id, const char *host)
{
    (void)mux, (void)id, (void)host;
    fail();
}

void mux_resolved(struct mux *mux, mux_id id, uint32_t count)
{
    (void)mux, (void)id, (void)count;
    fail();
}

void mux_connected(struct mux *mux, mux_id id, const void *origin)
{
    (void)mux, (void)id, (void)origin;
    fail();
}

void mux_received(struct mux *mux, mux_id id, size_t size)
{
    (void)mux, (void)id, (void)size;
    fail();
}

void mux_sent(struct mux *mux, mux_id id, size_t size)
{
    (void)mux, (void)id, (void)size;
    fail();
}

void mux_failed(struct mux *mux, mux_id id, enum io_failure failure)
{
    (void)mux, (void)id, (void)failure;
    fail();
}

/* ---- the world ---- */

static void add_route(unsigned index)
{
    struct error error;
    struct endpoint listen;
    struct engine_route_options options = {.listen = &listen, .listen_count = 1};
    assert_true(endpoint_parse_listen("127.0.0.1:0", &listen, &error));
    assert_true(endpoint_parse_target("127.0.0.1:1", &options.target, &error));
    world.mux[index].deadline_ns = TIME_NEVER;
    world.mux[index].options.clients_max = world.mux[index].options.links_max = 1;
    world.route[index] = engine_add_route(world.engine, &world.mux[index], &options, &error);
    assert_non_null(world.route[index]);
}

static int begin(void **state)
{
    (void)state;
    int fds[2];
    struct error error;
    world = (__typeof__(world)){.removed = -1};
    assert_int_equal(pipe(fds), 0);
    log_init(&world.log, fds[1], LOG_INFO, LOG_TEXT);
    world.log_fd = fds[0];
    world.engine = engine_create(&world.log, &error);
    assert_non_null(world.engine);
    for (unsigned index = 0; index < ROUTES; index++) {
        add_route(index);
    }
    engine_stop(world.engine);
    engine_run(world.engine); /* what each has wanted since it was created */
    return 0;
}

static int end(void **state)
{
    (void)state;
    engine_destroy(&world.engine);
    close(world.log.sink.fd);
    return close(world.log_fd);
}

static void forget(void)
{
    for (unsigned index = 0; index < ROUTES; index++) {
        world.mux[index].clocks = world.mux[index].times = 0;
    }
}

/* Of a client of the route, which says nothing. */
static int connect_to(unsigned index)
{
    const struct address *address = engine_listener_address(world.route[index], 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, &address->is.any, address->size), 0);
    return fd;
}

/* `index` was told of its turns, and the others of nothing but the beginning of engine_run. */
static void expect_only(unsigned index)
{
    for (unsigned other = 0; other < ROUTES; other++) {
        assert_in_range(world.mux[other].clocks, 1, other == index ? 100 : 1);
        assert_true(other == index || world.mux[other].times == 0);
    }
    assert_true(world.mux[index].clocks > 1);
}

/* ---- claims ---- */

static void test_a_turn_has_to_do_with_the_route_that_something_happens_to(void **state)
{
    (void)state;
    forget();
    int fd = connect_to(1);
    engine_run(world.engine);
    assert_int_equal(world.mux[1].accepted, 1);
    expect_only(1);
    close(fd);
}

static void test_what_is_due_is_run_and_nothing_else(void **state)
{
    (void)state;
    forget();
    world.mux[2].deadline_ns = engine_now() + NS_PER_MS;
    engine_run(world.engine);
    assert_int_equal(world.mux[2].times, 1);
    expect_only(2);
}

static void has_finished(void *context)
{
    world.finished++;
    if (world.removed >= 0) {
        engine_remove_route(&world.route[world.removed]);
        assert_null(world.route[world.removed]);
    }
    if (context != NULL) {
        engine_stop(world.engine);
    }
}

static void test_a_route_ends_and_the_others_go_on(void **state)
{
    (void)state;
    world.removed = 1;
    engine_close_route(world.route[1], has_finished, &world);
    engine_run(world.engine);
    assert_int_equal(world.finished, 1);
    assert_int_equal(world.mux[1].drained, 1);
    int fd = connect_to(0);
    engine_run(world.engine);
    assert_int_equal(world.mux[0].accepted, 1);
    close(fd);
    /* One more has finished, one goes on. */
    engine_close_route(world.route[0], NULL, NULL);
    world.mux[2].deadline_ns = engine_now() + NS_PER_MS;
    engine_run(world.engine);
    assert_int_equal(world.mux[2].deadline_ns, TIME_NEVER);
}

static void close_first(void *context)
{
    uint64_t count;
    int *fd = context;
    assert_int_equal(read(*fd, &count, sizeof count), sizeof count);
    engine_close_route(world.route[0], has_finished, NULL);
}

/* From inside the loop, where no event announces it. */
static void test_the_loop_ends_when_all_have_finished(void **state)
{
    (void)state;
    struct error error;
    int fd = eventfd(1, EFD_CLOEXEC);
    engine_close_route(world.route[1], has_finished, NULL);
    engine_close_route(world.route[2], NULL, NULL);
    assert_true(engine_watch(world.engine, fd, close_first, &fd, &error));
    engine_run(world.engine);
    assert_int_equal(world.finished, 2);
    engine_unwatch(world.engine, fd);
    close(fd);
}

static void test_a_route_may_be_added_when_another_was_removed(void **state)
{
    (void)state;
    world.removed = 2;
    engine_close_route(world.route[2], has_finished, &world);
    engine_run(world.engine);
    world.mux[2] = (struct mux){0};
    add_route(2);
    int fd = connect_to(2);
    engine_run(world.engine);
    assert_int_equal(world.mux[2].accepted, 1);
    close(fd);
}

#define WITH_ROUTES(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROUTES(test_a_turn_has_to_do_with_the_route_that_something_happens_to),
        WITH_ROUTES(test_what_is_due_is_run_and_nothing_else),
        WITH_ROUTES(test_a_route_ends_and_the_others_go_on),
        WITH_ROUTES(test_the_loop_ends_when_all_have_finished),
        WITH_ROUTES(test_a_route_may_be_added_when_another_was_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
