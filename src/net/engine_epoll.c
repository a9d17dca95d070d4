/* SPDX-License-Identifier: MIT */
/*
 * The loop, with epoll; see engine.h.
 *
 * A turn:
 *
 *     wait           until an event or the earliest deadline; not at all if a connection has more to read
 *     clock          read once, and told to each core that something happens to
 *     links          those with more to read, then those announced
 *     clients        likewise
 *     watches        signals, lookups
 *     deadlines      what is due, now that what has come is known
 *     listeners      new clients
 *     changed lists  each of these cores admits, then names its links and clients: the kernel is made to
 *                    match
 *
 * Facts of links come before those of clients, so that what the target said counts before requests
 * are admitted. The batch of events is gone through once for each kind: it is small and in the
 * cache.
 *
 * Deadlines come behind what has arrived, so that an answer that waits in a socket is not given up, however
 * late we are. A turn runs those up to the time at which its wait began, or at which the wait ended in vain:
 * what came before was announced by it. The others run in the next turn, which does not sleep then; so if we
 * are kept from running between the wait and the look at the clock, nothing is given up that came meanwhile.
 *
 * All deadlines wait for another turn when there may be more to read: when the batch was full or was
 * interrupted, when a link has more than one turn reads, or when we have just stalled (run_clock.h) and the
 * network may not have caught up; but for HELD_TURNS_MAX turns at most, so that nobody who sends without
 * end holds them up.
 *
 * Lock-step traffic costs a wait and a receive for each side's message, and a send.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "net/engine_private.h"
#include "net/sys.h"

/* ---- the log ---- */

static void unwatch_log(struct engine *engine)
{
    if (engine->log_watched_fd >= 0) {
        engine_unregister(engine, engine->log_watched_fd);
        engine->log_watched_fd = -1;
    }
}

/* Only while it takes nothing: else each line that is read would be an event. One that cannot be registered
 * is tried again in the next turn. A log that is opened again keeps its number, and the kernel has
 * forgotten the registration. */
static void watch_log(struct engine *engine)
{
    if (engine->log_reopened != engine->log->reopened) {
        unwatch_log(engine);
    }
    int fd = log_blocked_fd(engine->log);
    if (fd < 0 || engine->log_watched_fd >= 0) {
        return;
    }
    if (engine_register_source(engine, fd, EPOLLOUT, &engine->log_source)) {
        engine->log_watched_fd = fd;
        engine->log_reopened = engine->log->reopened;
    } else {
        log_unblock(engine->log);
    }
}

/* What a turn has logged goes out at its end. */
static void write_log(struct engine *engine)
{
    if (!log_is_quiet(engine->log)) {
        log_write(engine->log, engine_now());
        watch_log(engine);
    }
}

static void log_is_writable(struct engine *engine)
{
    unwatch_log(engine);
    log_unblock(engine->log);
}

/* ---- life ---- */

struct engine *engine_create(struct log *log, struct error *error)
{
    struct engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_set(error, "no memory for the engine");
        return NULL;
    }
    engine->log = log;
    engine->log_source.kind = SOURCE_LOG;
    engine->log_watched_fd = -1;
    list_init(&engine->routes);
    list_init(&engine->touched);
    list_init(&engine->watches);
    list_init(&engine->unfinished[SOURCE_CLIENT]);
    list_init(&engine->unfinished[SOURCE_LINK]);
    engine->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (engine->epoll_fd < 0) {
        char text[128];
        error_set(error, "cannot create an epoll descriptor: %s",
                  errno_text(errno, text, sizeof text));
        free(engine);
        return NULL;
    }
    run_clock_init(&engine->clock);
    reserve_fill(engine);
    return engine;
}

void engine_destroy(struct engine **engine_pointer)
{
    struct engine *engine = *engine_pointer;
    if (engine == NULL) {
        return;
    }
    while (!list_is_empty(&engine->routes)) {
        route_destroy(LIST_ENTRY(list_first(&engine->routes), struct engine_route, node));
    }
    while (!list_is_empty(&engine->watches)) {
        engine_unwatch(engine, LIST_ENTRY(list_first(&engine->watches), struct watch, node)->fd);
    }
    unwatch_log(engine);
    reserve_empty(engine);
    heap_deinit(&engine->deadlines);
    (void)sys_close(engine->epoll_fd);
    free(engine);
    *engine_pointer = NULL;
}

void engine_set_spin(struct engine *engine, uint64_t duration_ns)
{
    spin_init(&engine->spin, duration_ns);
}

const struct spin *engine_spin(const struct engine *engine)
{
    return &engine->spin;
}

/* ---- events ---- */

static unsigned ready_of(uint32_t events)
{
    unsigned ready = 0;
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)) != 0) {
        ready |= READY_READ;
    }
    if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) {
        ready |= READY_WRITE;
    }
    if ((events & (EPOLLRDHUP | EPOLLPRI | EPOLLHUP | EPOLLERR)) != 0) {
        ready |= READY_READ_ON;
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        ready |= READY_HUNG_UP;
    }
    return ready;
}

static void take_event(struct source *source, uint32_t events)
{
    switch ((enum source_kind)source->kind) {
    case SOURCE_CLIENT:
    case SOURCE_LINK:
        connection_announced(CONTAINER_OF(source, struct connection, source), ready_of(events));
        break;
    case SOURCE_LISTENER:
        accept_ready(CONTAINER_OF(source, struct listener, source));
        break;
    case SOURCE_LOG:
        log_is_writable(CONTAINER_OF(source, struct engine, log_source));
        break;
    case SOURCE_WATCH: {
        struct watch *watch = CONTAINER_OF(source, struct watch, source);
        watch->ready(watch->context);
        break;
    }
    }
}

/* Which kinds of sources have events, a bit for each: most turns have one event. */
static unsigned kinds_of(const struct engine *engine, int count)
{
    unsigned kinds = 0;
    for (int index = 0; index < count; index++) {
        kinds |= 1U << ((const struct source *)engine->events[index].data.ptr)->kind;
    }
    return kinds;
}

static void take_events(struct engine *engine, int count, unsigned kinds, enum source_kind kind)
{
    if ((kinds >> kind & 1) == 0) {
        return;
    }
    for (int index = 0; index < count; index++) {
        struct source *source = engine->events[index].data.ptr;
        if (source->kind == kind) {
            take_event(source, engine->events[index].events);
        }
    }
}

/* Those that become unfinished again go behind the last one and wait for the next turn. */
static void take_unfinished(struct engine *engine, enum source_kind kind)
{
    struct list *unfinished = &engine->unfinished[kind];
    const struct list *last = list_last(unfinished);
    bool more = last != NULL;
    while (more && !list_is_empty(unfinished)) {
        struct list *node = unfinished->next;
        more = node != last;
        list_remove(node);
        connection_continue(LIST_ENTRY(node, struct connection, unfinished));
    }
}

/* ---- the turn ---- */

/* The clock, `asked_ns` after it was read last or sooner. Cores are told when something happens to them, and
 * all of them when time was lost. */
static void read_clock(struct engine *engine, uint64_t asked_ns)
{
    uint64_t lost_ns = engine->clock.lost_ns;
    (void)run_clock_read(&engine->clock, asked_ns);
    if (engine->clock.lost_ns > lost_ns) {
        agenda_touch_all(engine);
    }
}

/* Lets happen what was due by then, when what has come was read: `count` events were taken. Else in
 * the next turn, which does not sleep then. */
static void run_deadlines(struct engine *engine, int count, bool has_stalled, uint64_t due_ns)
{
    bool has_more = count < 0 || count == EVENTS_MAX || has_stalled ||
                    !list_is_empty(&engine->unfinished[SOURCE_LINK]);
    if (has_more && engine->turns_held < HELD_TURNS_MAX) {
        engine->turns_held++;
        return;
    }
    engine->turns_held = 0;
    agenda_run_deadlines(engine, due_ns);
}

static void match_changed(struct engine *engine)
{
    struct engine_route *route;
    while ((route = agenda_next(engine)) != NULL) {
        mux_id id;
        while ((id = mux_next_changed(route->mux)) != MUX_ID_NONE) {
            connection_match(route, id);
        }
        agenda_done(route);
    }
}

static uint64_t earliest_deadline(const struct engine *engine)
{
    uint64_t at = log_is_quiet(engine->log) ? TIME_NEVER : log_deadline(engine->log);
    if (at != TIME_NEVER) { /* by the system's clock, as all that is logged */
        at = at > engine->clock.lost_ns ? at - engine->clock.lost_ns : 0;
    }
    if (engine->accept_is_paused && engine->accept_resume_at < at) {
        at = engine->accept_resume_at;
    }
    uint64_t route_at = heap_first_at(&engine->deadlines);
    return route_at < at ? route_at : at;
}

/* How long to wait; < 0: for ever. The clock is read, unless there is no deadline. */
static int64_t wait_ns(struct engine *engine)
{
    uint64_t at = earliest_deadline(engine);
    uint64_t now_ns = at == TIME_NEVER ? 0 : run_clock_read(&engine->clock, 0);
    if (!list_is_empty(&engine->unfinished[SOURCE_CLIENT]) ||
        !list_is_empty(&engine->unfinished[SOURCE_LINK])) {
        return 0;
    }
    if (at == TIME_NEVER) {
        return -1;
    }
    if (at <= now_ns) {
        return 0;
    }
    return at - now_ns < INT64_MAX ? (int64_t)(at - now_ns) : INT64_MAX;
}

/* A wait that began when the clock was read last has found `count` events. Up to when is what has come
 * announced? */
static uint64_t announced_until(const struct engine *engine, int count, int64_t asked_ns)
{
    bool in_vain = count == 0 && asked_ns > 0;
    return engine->clock.now_ns + (in_vain ? (uint64_t)asked_ns : 0);
}

static void take_turn(struct engine *engine)
{
    int64_t asked_ns = wait_ns(engine);
    int count = spin_wait(&engine->spin, engine->epoll_fd, engine->events, EVENTS_MAX, asked_ns);
    assert(count >= 0 || errno == EINTR);
    unsigned kinds = kinds_of(engine, count);
    uint64_t due_ns = announced_until(engine, count, asked_ns);
    engine->turn++;
    uint64_t lost_ns = engine->clock.lost_ns;
    read_clock(engine, asked_ns < 0 ? TIME_NEVER : (uint64_t)asked_ns);
    take_unfinished(engine, SOURCE_LINK);
    take_events(engine, count, kinds, SOURCE_LINK);
    take_unfinished(engine, SOURCE_CLIENT);
    take_events(engine, count, kinds, SOURCE_CLIENT);
    take_events(engine, count, kinds, SOURCE_WATCH);
    due_ns = due_ns < engine->clock.now_ns ? due_ns : engine->clock.now_ns;
    run_deadlines(engine, count, engine->clock.lost_ns > lost_ns, due_ns);
    take_events(engine, count, kinds, SOURCE_LISTENER);
    take_events(engine, count, kinds, SOURCE_LOG);
    match_changed(engine);
    accept_resume(engine, engine->clock.now_ns); /* descriptors may have been closed */
    write_log(engine);
}

/* Whether there are routes and all of them are finished. */
static bool is_finished(const struct engine *engine)
{
    return engine->routes_count > 0 && engine->finished_count == engine->routes_count;
}

void engine_run(struct engine *engine)
{
    /* What the cores have wanted since they were created, or since the last run. */
    read_clock(engine, TIME_NEVER);
    agenda_touch_all(engine);
    match_changed(engine);
    accept_resume(engine, engine->clock.now_ns);
    write_log(engine);
    while (!engine->is_stopping && !is_finished(engine)) {
        take_turn(engine);
    }
    engine->is_stopping = false;
}

void engine_stop(struct engine *engine)
{
    engine->is_stopping = true;
}
