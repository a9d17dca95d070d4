/* SPDX-License-Identifier: MIT */
/*
 * What the fake engine does to one connection, and how it tells the core; see fake_io.h.
 *
 * System calls on links take a little time (tick), which the core is told before it is told of what
 * they did, as the real engine does.
 */
#include "fake_io.h"

#include <assert.h>
#include <string.h>

#include "checks.h"
#include "memory.h"
#include "world.h"

enum { ROUNDS_MAX = 4 /* reads or writes of one connection in a row */ };

/* ---- facts ---- */

void fake_io_tell_clock(struct world *world)
{
    memory_core_begins();
    mux_clock(world->mux, world->now_ns);
    memory_core_ends();
}

void fake_io_tell_time(struct world *world, uint64_t due_ns)
{
    memory_core_begins();
    world->someone_waits = mux_counters(world->mux)->waiting > 0;
    mux_time(world->mux, due_ns);
    memory_core_ends();
    check_core(world);
}

/* A system call on a link takes a moment, and the core is told how late it is. */
static void tick(struct world *world)
{
    uint64_t ns = choose(world->choice, world->swarm.engine.tick_max_ns + 1);
    world->now_ns += ns;
    memory_core_begins();
    mux_clock(world->mux, world->now_ns);
    memory_core_ends();
}

static void forget_wishes(const struct world *world, struct connection *connection)
{
    connection->wants &= mux_wants(world->mux, connection->id);
}

void fake_io_tell_failure(struct world *world, struct connection *connection,
                          enum io_failure failure)
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

static void note_lost_bytes(const struct world *world, struct connection *link, size_t size)
{
    if (link->was_lost) {
        link->lost_heard_at = link->lost_bytes == 0 ? world->now_ns : link->lost_heard_at;
        link->lost_bytes += size;
    }
}

static void read_some(struct world *world, struct connection *connection)
{
    struct span bytes = pipe_view(&connection->up);
    world->readings++;
    check_nobody_is_read_for_a_slow_client(world, connection,
                                           mux_wants(world->mux, connection->id));
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
        note_lost_bytes(world, connection, size);
    } else if (connection->client != NULL) {
        world_note_read(world, connection);
    }
    memory_core_begins();
    mux_received(world->mux, connection->id, size);
    memory_core_ends();
    check_core(world);
    if (connection->is_link && !connection->was_lost) {
        link_watch_credit(world, connection);
    }
    world->readings++;
    forget_wishes(world, connection);
}

/* Reads on until nothing is there, the core wants no more, or it was enough for this turn. */
void fake_io_read_on(struct world *world, struct connection *connection, unsigned wish)
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
            fake_io_tell_failure(world, connection, IO_RESET);
            return;
        }
        if (pipe_is_at_end(&connection->up, world->now_ns) && !connection->told_end) {
            WORLD_TRACE(world, "%s %llu: end-of-stream is read", connection_kind(connection),
                        (unsigned long long)connection->number);
            connection->told_end = true;
            if (connection->is_link) {
                link_watch_ended(world, connection);
            }
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

/* How much of the view the kernel takes. */
static size_t take_in(struct world *world, struct connection *connection, struct span view)
{
    if (!world->healed && choose_percent(world->choice, world->swarm.engine.full_percent)) {
        connection->full_until =
            world->now_ns + choose_between(world->choice, 1, world->swarm.engine.full_ns);
        return 0;
    }
    size_t size = pipe_free(&connection->down);
    size = view.size < size ? view.size : size;
    if (size > 1 && choose_percent(world->choice, world->swarm.engine.short_send_percent)) {
        size = (size_t)choose_between(world->choice, 1, size);
    }
    return size;
}

static void write_some(struct world *world, struct connection *connection, struct span view,
                       size_t size)
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
    }
    memory_core_begins();
    mux_sent(world->mux, connection->id, size);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, connection);
}

void fake_io_write_on(struct world *world, struct connection *connection)
{
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        unsigned wants = mux_wants(world->mux, connection->id);
        if ((wants & MUX_WRITE) == 0 || connection->told_failure) {
            connection->owed = connection->owed && (wants & MUX_CLOSE) != 0;
            return;
        }
        if (pipe_is_broken(&connection->up, world->now_ns)) {
            connection->noticed_reset = true;
            fake_io_tell_failure(world, connection, IO_RESET);
            return;
        }
        struct span view = mux_send_view(world->mux, connection->id);
        if (view.size == 0) {
            sim_fail("a wish to write comes with bytes",
                     "%s %llu wants MUX_WRITE and has nothing to send", connection_kind(connection),
                     (unsigned long long)connection->number);
        }
        if (!connection->owed) { /* the end of a response, of which nothing is told */
            connection->owed = true;
            connection->owed_since = world->now_ns;
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

void fake_io_begin_resolving(struct world *world, struct connection *link)
{
    const struct network *network = &world->network;
    uint64_t attempt_ns = network->resolve_ns + network->connect_ns;
    world->dialling.is_begun = world->dialling.is_last = true;
    if (attempt_ns > world->dialling.attempt_ns) {
        world->dialling.attempt_ns = attempt_ns;
    }
    link->stage = STAGE_RESOLVING;
    link->succeeds = network->resolves;
    link->failure = IO_UNRESOLVED;
    link->due_at =
        network->resolver_hangs ? TIME_NEVER : time_after(world->now_ns, network->resolve_ns);
    WORLD_TRACE(world, "link %llu: resolving", (unsigned long long)link->number);
}

/* A reset frees a slot on its arrival, and it arrives before what is sent after it. */
static uint32_t slots_taken(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        bool is_reset = link->stage == STAGE_CLOSED && link->down.is_reset;
        count += link->is_link && link->peer_open && !is_reset;
    }
    return count;
}

void fake_io_begin_connecting(struct world *world, struct connection *link)
{
    const struct network *network = &world->network;
    uint32_t address = mux_connect_address(world->mux, link->id);
    if (!world->resolved || address >= world->resolved_count) {
        sim_fail("only resolved addresses are connected", "link %llu wants address %u of %u",
                 (unsigned long long)link->number, address, world->resolved_count);
    }
    enum address_mode mode = network->modes[address % NETWORK_ADDRESSES_MAX];
    if (mode == ADDRESS_ACCEPTS && network->slots > 0 && slots_taken(world) >= network->slots) {
        mode = ADDRESS_REFUSES;
    }
    world->dialling.is_last = address + 1 >= world->resolved_count;
    link->stage = STAGE_CONNECTING;
    link->succeeds = mode == ADDRESS_ACCEPTS;
    link->failure = mode == ADDRESS_UNREACHABLE ? IO_UNREACHABLE : IO_REFUSED;
    link->due_at =
        mode == ADDRESS_HANGS ? TIME_NEVER : time_after(world->now_ns, network->connect_ns);
    WORLD_TRACE(world, "link %llu: connecting to address %u", (unsigned long long)link->number,
                address);
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
    link->is_extra = world->dialling.is_extra;
    world->dialling.is_open = false;
    WORLD_TRACE(world, "link %llu is connected", (unsigned long long)link->number);
    world_link_arrives(world, link);
    memory_core_begins();
    mux_connected(world->mux, link->id, link);
    memory_core_ends();
    check_core(world);
    forget_wishes(world, link);
}

void fake_io_end_waiting(struct world *world, struct connection *link)
{
    if (!link->succeeds) {
        link->stage = STAGE_NEW;
        link->due_at = TIME_NEVER;
        world->dialling.from = world->now_ns;
        fake_io_tell_failure(world, link, link->failure);
    } else if (link->stage == STAGE_RESOLVING) {
        end_resolving(world, link);
    } else {
        end_connecting(world, link);
    }
}

void fake_io_close_connection(struct world *world, struct connection *connection)
{
    WORLD_TRACE(world, "%s %llu: the engine closes it", connection_kind(connection),
                (unsigned long long)connection->number);
    if (connection->stage == STAGE_OPEN) {
        bool aborts = (mux_wants(world->mux, connection->id) & MUX_ABORT) != 0;
        if (connection->is_link) {
            check_link_is_retired_in_order(world, connection, aborts);
            link_watch_over(world, connection);
        }
        connection_engine_close(connection, world->choice, world->now_ns, aborts);
    } else {
        connection->stage = STAGE_CLOSED;
        world->dialling.from = world->now_ns;
    }
    memory_core_begins();
    mux_closed(world->mux, connection->id);
    memory_core_ends();
    world->stale[world->stale_count++ % ARRAY_COUNT(world->stale)] = connection->id;
    connection->id = MUX_ID_NONE;
    connection->wants = 0;
    check_core(world);
}

void fake_io_shut(struct world *world, struct connection *connection)
{
    WORLD_TRACE(world, "%s %llu: writing is shut down", connection_kind(connection),
                (unsigned long long)connection->number);
    connection->shut = true;
    connection->shut_at = world->now_ns;
    pipe_end(&connection->down, world->choice, world->now_ns);
}

void fake_io_probe(struct world *world, struct connection *link)
{
    link->readable = true;
    fake_io_read_on(world, link, MUX_READ | MUX_PROBE);
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
