/* SPDX-License-Identifier: MIT */
/*
 * The engine of the simulator; see fake_engine.h.
 *
 * A turn: the clock; what became of resolving and connecting; edges of links, then of clients; accept;
 * then the changed list until it is empty. A connection that is `readable` and not wanted stays so
 * until the core asks for it; one that was left in the middle is `unfinished` and is taken up in the next
 * turn. System calls take a little time (tick), which the core is told after those on links.
 */
#include "fake_engine.h"

#include <assert.h>
#include <string.h>

#include "checks.h"
#include "memory.h"
#include "world.h"

enum { ROUNDS_MAX = 4 /* reads or writes of one connection in a row */ };

/* ---- facts ---- */

static void tell_time(struct world *world)
{
    memory_core_begins();
    mux_time(world->mux, world->now_ns);
    memory_core_ends();
    check_core(world);
}

static void tick(struct world *world)
{
    uint64_t ns = choose(world->choice, world->swarm.engine.tick_max_ns + 1);
    if (ns > 0) {
        world->now_ns += ns;
    }
}

static void forget_wishes(const struct world *world, struct connection *connection)
{
    connection->wants &= mux_wants(world->mux, connection->id);
}

static void tell_failure(struct world *world, struct connection *connection, enum io_failure failure)
{
    WORLD_TRACE(world, "%s %llu fails (%d)", connection_kind(connection),
                (unsigned long long)connection->number, (int)failure);
    connection->told_failure = true;
    connection->readable = connection->unfinished = false;
    memory_core_begins();
    mux_failed(world->mux, connection->id, failure);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, connection);
}

/* ---- reading ---- */

static void read_some(struct world *world, struct connection *connection)
{
    struct span bytes = pipe_view(&connection->up);
    memory_core_begins();
    size_t size = 0;
    uint8_t *space = mux_recv_space(world->mux, connection->id, &size);
    memory_core_ends();
    assert(space == world->scratch);
    size = bytes.size < size ? bytes.size : size;
    if (choose_percent(world->choice, world->swarm.engine.short_read_percent)) {
        size = (size_t)choose_between(world->choice, 1, size);
    }
    memcpy(space, bytes.data, size);
    pipe_consume(&connection->up, size);
    connection->last_seen_at = world->now_ns;
    char text[80];
    WORLD_TRACE(world, "%s %llu: %zu bytes are read: %s", connection_kind(connection),
                (unsigned long long)connection->number, size,
                trace_bytes(text, sizeof text, span_of(space, size)));
    if (connection->is_link) {
        tick(world);
        link_watch_received(world, connection);
        tell_time(world);
    } else if (connection->client != NULL) {
        world_note_read(world, connection);
    }
    memory_core_begins();
    mux_received(world->mux, connection->id, size);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, connection);
}

/* Reads on until nothing is there, the core wants no more, or it was enough for this turn. */
static void read_on(struct world *world, struct connection *connection, unsigned wish)
{
    connection->unfinished = false;
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        if ((mux_wants(world->mux, connection->id) & wish) == 0 || connection->told_failure) {
            return;
        }
        if (pipe_available(&connection->up) > 0) {
            read_some(world, connection);
            continue;
        }
        connection->readable = false;
        if (pipe_is_broken(&connection->up, world->now_ns)) {
            connection->noticed_reset = true;
            tell_failure(world, connection, IO_RESET);
            return;
        }
        if (pipe_is_at_end(&connection->up, world->now_ns) && !connection->told_end) {
            WORLD_TRACE(world, "%s %llu: end-of-stream is read", connection_kind(connection),
                        (unsigned long long)connection->number);
            connection->told_end = true;
            memory_core_begins();
            mux_ended(world->mux, connection->id);
            memory_core_ends();
            check_core(world);
            forget_wishes(world, connection);
        }
        return;
    }
    connection->unfinished = true;
}

/* ---- writing ---- */

static size_t take_in(struct world *world, const struct connection *connection, struct span view)
{
    size_t size = pipe_free(&connection->down);
    size = view.size < size ? view.size : size;
    if (size > 1 && choose_percent(world->choice, world->swarm.engine.short_send_percent)) {
        size = (size_t)choose_between(world->choice, 1, size);
    }
    return size;
}

static void write_some(struct world *world, struct connection *connection, struct span view, size_t size)
{
    struct span bytes = span_of(view.data, size);
    char text[80];
    WORLD_TRACE(world, "%s %llu: %zu of %zu bytes are sent: %s", connection_kind(connection),
                (unsigned long long)connection->number, size, view.size,
                trace_bytes(text, sizeof text, bytes));
    if (connection->is_link) {
        link_watch_sending(world, connection, view, size);
    }
    size_t taken = connection_engine_write(connection, world->choice, world->now_ns, bytes);
    assert(taken == size);
    connection->last_seen_at = world->now_ns;
    connection->sent_bytes += size;
    if (connection->is_link) {
        tick(world);
        connection->watch.last_byte_at = world->now_ns;
        tell_time(world);
    }
    memory_core_begins();
    mux_sent(world->mux, connection->id, size);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, connection);
}

static void write_on(struct world *world, struct connection *connection)
{
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        if ((mux_wants(world->mux, connection->id) & MUX_WRITE) == 0 || connection->told_failure) {
            return;
        }
        if (pipe_is_broken(&connection->up, world->now_ns)) {
            connection->noticed_reset = true;
            tell_failure(world, connection, IO_RESET);
            return;
        }
        struct span view = mux_send_view(world->mux, connection->id);
        if (view.size == 0) {
            sim_fail("a wish to write comes with bytes", "%s %llu wants MUX_WRITE and has nothing to send",
                     connection_kind(connection), (unsigned long long)connection->number);
        }
        size_t size = take_in(world, connection, view);
        if (size == 0) {
            connection->down.blocked = true;
            return;
        }
        write_some(world, connection, view, size);
    }
    connection->unfinished = true;
}

/* ---- resolving, connecting, closing ---- */

static void begin_resolving(struct world *world, struct connection *link)
{
    const struct network *network = &world->network;
    link->stage = STAGE_RESOLVING;
    link->succeeds = network->resolves;
    link->failure = IO_UNRESOLVED;
    link->due_at = network->resolver_hangs ? TIME_NEVER : time_after(world->now_ns, network->resolve_ns);
    WORLD_TRACE(world, "link %llu: resolving", (unsigned long long)link->number);
}

static bool slot_is_taken(const struct world *world)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (world->live[i]->is_link && world->live[i]->peer_open) {
            return true;
        }
    }
    return false;
}

static void begin_connecting(struct world *world, struct connection *link)
{
    const struct network *network = &world->network;
    uint32_t address = mux_connect_address(world->mux, link->id);
    if (!world->resolved || address >= world->resolved_count) {
        sim_fail("only resolved addresses are connected", "link %llu wants address %u of %u",
                 (unsigned long long)link->number, address, world->resolved_count);
    }
    enum address_mode mode = network->modes[address % NETWORK_ADDRESSES_MAX];
    if (mode == ADDRESS_ACCEPTS && network->one_slot && slot_is_taken(world)) {
        mode = ADDRESS_REFUSES;
    }
    link->stage = STAGE_CONNECTING;
    link->succeeds = mode == ADDRESS_ACCEPTS;
    link->failure = mode == ADDRESS_UNREACHABLE ? IO_UNREACHABLE : IO_REFUSED;
    link->due_at = mode == ADDRESS_HANGS ? TIME_NEVER : time_after(world->now_ns, network->connect_ns);
    WORLD_TRACE(world, "link %llu: connecting to address %u", (unsigned long long)link->number, address);
}

static void end_resolving(struct world *world, struct connection *link)
{
    link->stage = STAGE_NEW;
    link->due_at = TIME_NEVER;
    world->resolved = true;
    world->resolved_count = world->network.addresses_count;
    memory_core_begins();
    mux_resolved(world->mux, link->id, world->resolved_count);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, link);
}

static void end_connecting(struct world *world, struct connection *link)
{
    link->stage = STAGE_OPEN;
    link->due_at = TIME_NEVER;
    link->connected_at = link->last_seen_at = world->now_ns;
    WORLD_TRACE(world, "link %llu is connected", (unsigned long long)link->number);
    world_link_arrives(world, link);
    memory_core_begins();
    mux_connected(world->mux, link->id, link);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, link);
}

static void end_waiting(struct world *world, struct connection *link)
{
    if (!link->succeeds) {
        link->stage = STAGE_NEW;
        link->due_at = TIME_NEVER;
        tell_failure(world, link, link->failure);
    } else if (link->stage == STAGE_RESOLVING) {
        end_resolving(world, link);
    } else {
        end_connecting(world, link);
    }
}

static void close_connection(struct world *world, struct connection *connection)
{
    WORLD_TRACE(world, "%s %llu: the engine closes it", connection_kind(connection),
                (unsigned long long)connection->number);
    if (connection->stage == STAGE_OPEN) {
        if (connection->is_link) {
            check_link_is_retired_in_order(world, connection);
            link_watch_over(world, connection);
        }
        connection_engine_close(connection, world->choice, world->now_ns);
    } else {
        connection->stage = STAGE_CLOSED;
    }
    memory_core_begins();
    mux_closed(world->mux, connection->id);
    memory_core_ends();
    connection->id = MUX_ID_NONE;
    connection->wants = 0;
    check_core(world);
}

/* ---- the changed list ---- */

static void shut(struct world *world, struct connection *connection)
{
    WORLD_TRACE(world, "%s %llu: writing is shut down", connection_kind(connection),
                (unsigned long long)connection->number);
    connection->shut = true;
    connection->shut_at = world->now_ns;
    pipe_end(&connection->down, world->choice, world->now_ns);
}

static void probe(struct world *world, struct connection *link)
{
    link->readable = true;
    read_on(world, link, MUX_READ | MUX_PROBE);
    if (pipe_available(&link->up) > 0 || (mux_wants(world->mux, link->id) & MUX_PROBE) == 0) {
        return; /* more to read first, or no longer wanted */
    }
    link->last_seen_at = world->now_ns;
    memory_core_begins();
    mux_probed(world->mux, link->id);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, link);
}

/* Makes the connection match what the core wants of it. */
static void obey(struct world *world, struct connection *connection)
{
    unsigned wants = mux_wants(world->mux, connection->id);
    connection->wants = wants;
    check_wishes_make_sense(world, connection, wants);
    if ((wants & MUX_CLOSE) != 0) {
        close_connection(world, connection);
        return;
    }
    if ((wants & MUX_RESOLVE) != 0 && connection->stage == STAGE_NEW) {
        begin_resolving(world, connection);
    }
    if ((wants & MUX_CONNECT) != 0 && connection->stage == STAGE_NEW) {
        begin_connecting(world, connection);
    }
    if ((wants & MUX_PROBE) != 0) {
        probe(world, connection);
    }
    if ((wants & MUX_READ) != 0 && connection->readable) {
        read_on(world, connection, MUX_READ);
    }
    if ((wants & MUX_WRITE) != 0 && !connection->down.blocked) {
        write_on(world, connection);
    }
    if ((mux_wants(world->mux, connection->id) & MUX_END) != 0 && !connection->shut) {
        shut(world, connection);
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
            sim_fail("the changed list comes to an end", "it has named %u connections in one turn", rounds);
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

static bool has_edge(const struct connection *connection, uint64_t now)
{
    const struct pipe *up = &connection->up;
    return up->arrived > connection->noticed ||
           (up->ended && up->end_at <= now && up->arrived == up->written && !connection->noticed_end) ||
           (pipe_is_broken(up, now) && !connection->noticed_reset) ||
           (connection->down.blocked && pipe_free(&connection->down) > 0);
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
    if (connection->down.blocked && pipe_free(&connection->down) > 0) {
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
            read_on(world, connection, MUX_READ);
        }
        if (!connection->told_failure) {
            tell_failure(world, connection, IO_RESET);
        }
        return;
    }
    if (connection->readable && (connection->wants & MUX_READ) != 0) {
        read_on(world, connection, MUX_READ);
    }
    if ((connection->wants & MUX_WRITE) != 0 && !connection->down.blocked) {
        write_on(world, connection);
    }
}

static void report_all(struct world *world, bool links)
{
    uint32_t count = world->live_count;
    uint32_t start = (uint32_t)choose(world->choice, count);
    for (uint32_t i = 0; i < count; i++) {
        struct connection *connection = world->live[(start + i) % count];
        if (connection->is_link != links) {
            continue;
        }
        if (connection->due_at <= world->now_ns &&
            (connection->stage == STAGE_RESOLVING || connection->stage == STAGE_CONNECTING)) {
            end_waiting(world, connection);
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
            connection_engine_close(connection, world->choice, world->now_ns);
        }
    }
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
        return pipe_next_at(&connection->up, now);
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
    uint64_t at = world->turn_is_owed ? world->now_ns : mux_deadline(world->mux);
    for (uint32_t i = 0; i < world->live_count; i++) {
        uint64_t due = connection_due(world->live[i], world->now_ns);
        at = due < at ? due : at;
    }
    return at;
}

void fake_engine_turn(struct world *world)
{
    world->turn_is_owed = false;
    for (uint32_t i = 0; i < world->live_count; i++) {
        connection_update(world->live[i], world->now_ns);
    }
    tell_time(world);
    report_all(world, true);
    report_all(world, false);
    accept_all(world);
    settle(world);
    check_every_wish_was_announced(world);
    check_links_are_limited(world);
    check_memory_is_bounded(world);
    if (mux_deadline(world->mux) <= world->now_ns) {
        world->turn_is_owed = true; /* the clock moved during the turn, or the core is not up to date */
    }
    world_sweep(world);
}

void fake_engine_drain(struct world *world)
{
    WORLD_TRACE(world, "the multiplexer is told to stop");
    world->draining = true;
    world->drained_at = world->now_ns;
    memory_core_begins();
    mux_drain(world->mux);
    memory_core_ends();
    check_core(world);
    world->turn_is_owed = true;
}
