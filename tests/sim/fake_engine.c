/* SPDX-License-Identifier: MIT */
/*
 * The engine of the simulator; see fake_engine.h.
 *
 * A turn: the clock; what became of resolving and connecting; edges of links, then of clients; accept;
 * then the changed list until it is empty. A connection that is `readable` and not wanted stays so
 * until the core asks for it; one that was left in the middle is `unfinished` and is taken up in the next
 * turn.
 */
#include "fake_engine.h"

#include <assert.h>

#include "checks.h"
#include "fake_io.h"
#include "memory.h"
#include "turns.h"
#include "world.h"

/* ---- the changed list ---- */

/* Makes the connection match what the core wants of it. */
static void obey(struct world *world, struct connection *connection)
{
    unsigned wants = mux_wants(world->mux, connection->id);
    connection->wants = wants;
    check_wishes_make_sense(world, connection, wants);
    if ((wants & MUX_CLOSE) != 0) {
        fake_io_close_connection(world, connection);
        return;
    }
    if ((wants & MUX_RESOLVE) != 0 && connection->stage == STAGE_NEW) {
        fake_io_begin_resolving(world, connection);
    }
    if ((wants & MUX_CONNECT) != 0 && connection->stage == STAGE_NEW) {
        fake_io_begin_connecting(world, connection);
    }
    if ((wants & MUX_PROBE) != 0) {
        fake_io_probe(world,
                      connection); /* which reads on, and goes on with it where it left off */
    } else if ((wants & MUX_READ) != 0 && connection->readable) {
        fake_io_read_on(world, connection, MUX_READ);
    }
    if ((wants & MUX_WRITE) != 0 && !connection->down.blocked) {
        fake_io_write_on(world, connection);
    }
    if ((mux_wants(world->mux, connection->id) & MUX_END) != 0 && !connection->shut) {
        fake_io_shut(world, connection);
    }
}

static mux_id next_changed(struct world *world)
{
    memory_core_begins();
    mux_id id = mux_next_changed(world->mux);
    memory_core_ends();
    check_core(world);
    return id;
}

static void settle(struct world *world)
{
    uint32_t rounds = 0;
    for (mux_id id; (id = next_changed(world)) != MUX_ID_NONE;) {
        if (++rounds > WORLD_EVENTS_AT_ONCE_MAX) {
            sim_fail("the changed list comes to an end", "it has named %u connections in one turn",
                     rounds);
        }
        struct connection *connection = world_find(world, id);
        if (connection == NULL) {
            assert(mux_id_is_link(id));
            connection = world_add_connection(world, true);
            connection->id = id;
        }
        obey(world, connection);
    }
}

/* ---- edges ---- */

static bool has_room(const struct connection *connection, uint64_t now)
{
    return pipe_free(&connection->down) > 0 && now >= connection->full_until;
}

static bool has_edge(const struct connection *connection, uint64_t now)
{
    const struct pipe *up = &connection->up;
    return up->arrived > connection->noticed ||
           (up->ended && up->end_at <= now && up->arrived == up->written &&
            !connection->noticed_end) ||
           (pipe_is_broken(up, now) && !connection->noticed_reset) ||
           (connection->down.blocked && has_room(connection, now));
}

static void notice(struct connection *connection, uint64_t now)
{
    struct pipe *up = &connection->up;
    if (up->arrived > connection->noticed) {
        connection->noticed = up->arrived;
        connection->readable = true;
    }
    if (up->ended && up->end_at <= now && up->arrived == up->written && !connection->noticed_end) {
        connection->noticed_end = connection->readable = true;
    }
    if (connection->down.blocked && has_room(connection, now)) {
        connection->down.blocked = false;
    }
}

static void report(struct world *world, struct connection *connection)
{
    bool unfinished = connection->unfinished;
    connection->unfinished = false;
    if (!unfinished && !has_edge(connection, world->now_ns)) {
        return;
    }
    notice(connection, world->now_ns);
    if (pipe_is_broken(&connection->up, world->now_ns) && !connection->noticed_reset) {
        connection->noticed_reset = true;
        if (connection->readable && choose(world->choice, 2) == 0) {
            fake_io_read_on(world, connection, MUX_READ);
        }
        if (!connection->told_failure) {
            fake_io_tell_failure(world, connection, IO_RESET);
        }
        return;
    }
    if (connection->readable && (connection->wants & MUX_READ) != 0) {
        fake_io_read_on(world, connection, MUX_READ);
    }
    if ((connection->wants & MUX_WRITE) != 0 && !connection->down.blocked) {
        fake_io_write_on(world, connection);
    }
    if (unfinished && (mux_wants(world->mux, connection->id) & MUX_PROBE) != 0) {
        fake_io_probe(world, connection); /* there was more to read first */
    }
}

static void report_all(struct world *world, bool links)
{
    uint32_t count = world->live_count;
    uint32_t start = world->swarm.engine.shuffles ? (uint32_t)choose(world->choice, count) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct connection *connection = world->live[(start + i) % count];
        if (connection->is_link != links) {
            continue;
        }
        if (connection->due_at <= world->now_ns &&
            (connection->stage == STAGE_RESOLVING || connection->stage == STAGE_CONNECTING)) {
            fake_io_end_waiting(world, connection);
        } else if (connection->stage == STAGE_OPEN) {
            if (!links && choose_percent(world->choice, world->swarm.engine.later_percent)) {
                continue; /* its edge stays for the next turn */
            }
            report(world, connection);
        }
    }
}

static void accept_all(struct world *world)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        struct connection *connection = world->live[i];
        if (connection->stage != STAGE_BACKLOG) {
            continue;
        }
        memory_core_begins();
        mux_id id = mux_accepted(world->mux, connection);
        memory_core_ends();
        check_core(world);
        connection->stage = STAGE_OPEN;
        connection->id = id;
        WORLD_TRACE(world, "client %llu is accepted%s", (unsigned long long)connection->number,
                    id == MUX_ID_NONE ? ", no room" : "");
        if (id == MUX_ID_NONE) {
            connection_engine_close(connection, world->choice, world->now_ns, false);
        }
    }
}

/* A completion that was under way when its connection was closed: it must do no harm. */
static void tell_late_fact(struct world *world)
{
    if (world->stale_count == 0 ||
        !choose_percent(world->choice, world->swarm.engine.late_percent)) {
        return;
    }
    mux_id id = world->stale[choose(world->choice, world->stale_count) % ARRAY_COUNT(world->stale)];
    memory_core_begins();
    switch (choose(world->choice, 4)) {
    case 0:
        mux_failed(world->mux, id, IO_RESET);
        break;
    case 1:
        mux_ended(world->mux, id);
        break;
    case 2:
        mux_received(world->mux, id, 1);
        break;
    default:
        mux_closed(world->mux, id);
        break;
    }
    memory_core_ends();
    check_core(world);
}

/* ---- turns ---- */

static bool is_due(const struct connection *connection, uint64_t now)
{
    switch (connection->stage) {
    case STAGE_BACKLOG:
        return true;
    case STAGE_RESOLVING:
    case STAGE_CONNECTING:
        return connection->due_at <= now;
    case STAGE_OPEN:
        return connection->unfinished || has_edge(connection, now);
    case STAGE_NEW:
    case STAGE_CLOSED:
        break;
    }
    return false;
}

static uint64_t next_edge_at(const struct connection *connection, uint64_t now)
{
    uint64_t at = pipe_next_at(&connection->up, now);
    bool waits = connection->down.blocked && pipe_free(&connection->down) > 0;
    return waits && connection->full_until < at ? connection->full_until : at;
}

static uint64_t connection_due(const struct connection *connection, uint64_t now)
{
    if (is_due(connection, now)) {
        return now;
    }
    switch (connection->stage) {
    case STAGE_RESOLVING:
    case STAGE_CONNECTING:
        return connection->due_at;
    case STAGE_OPEN:
        return next_edge_at(connection, now);
    case STAGE_BACKLOG:
    case STAGE_NEW:
    case STAGE_CLOSED:
        break;
    }
    return TIME_NEVER;
}

uint64_t fake_engine_due(const struct world *world)
{
    if (world->mux == NULL) {
        return TIME_NEVER;
    }
    if (world_is_stopped(world)) {
        return world->stops[world->stops_count - 1].until;
    }
    uint64_t at = world->turn_is_owed ? world->now_ns : mux_deadline(world->mux);
    for (uint32_t i = 0; i < world->live_count; i++) {
        uint64_t due = connection_due(world->live[i], world->now_ns);
        at = due < at ? due : at;
    }
    return at;
}

/* The process is stopped, or its machine paused; clients and target go on. */
static void stop_perhaps(struct world *world)
{
    const struct engine_habits *habits = &world->swarm.engine;
    if (habits->stop_max_ns == 0 || world->healed || world->stops_count == WORLD_STOPS_MAX ||
        !choose_percent(world->choice, 2)) {
        return;
    }
    uint64_t until = world->now_ns + choose_between(world->choice, 1, habits->stop_max_ns);
    WORLD_TRACE(world, "the multiplexer is stopped for %llu us",
                (unsigned long long)((until - world->now_ns) / NS_PER_US));
    world->stops[world->stops_count++] = (struct world_stop){world->now_ns, until};
    world->turn_is_owed = true;
}

void fake_engine_turn(struct world *world)
{
    world->turn_is_owed = false;
    uint64_t came_until = world->now_ns; /* what comes during the turn is not looked at */
    for (uint32_t i = 0; i < world->live_count; i++) {
        connection_update(world->live[i], world->now_ns);
    }
    world->now_ns += world->swarm.engine.wake_ns;
    fake_io_tell_clock(world);
    tell_late_fact(world);
    report_all(world, true);
    report_all(world, false);
    fake_io_tell_time(world, came_until);
    accept_all(world);
    settle(world);
    check_every_wish_was_announced(world);
    check_links_are_limited(world);
    check_spoilt_links_are_given_up(world);
    if (mux_deadline(world->mux) > world->now_ns) { /* else another turn follows at once */
        check_nobody_waits_for_a_free_link(world);
    }
    check_memory_is_bounded(world);
    victims_look(world);
    check_orphans_are_given_up(world);
    if (mux_deadline(world->mux) <= world->now_ns) {
        world->turn_is_owed =
            true; /* the clock moved during the turn, or the core is not up to date */
    }
    world_sweep(world);
    stop_perhaps(world);
}

void fake_engine_drain(struct world *world)
{
    WORLD_TRACE(world, "the multiplexer is told to stop");
    fake_io_tell_clock(world);
    world->draining = true;
    world->drained_at = world->now_ns;
    memory_core_begins();
    mux_drain(world->mux);
    memory_core_ends();
    check_core(world);
    world->turn_is_owed = true;
}
