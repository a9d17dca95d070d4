/* SPDX-License-Identifier: MIT */
/* A simulated world; see world.h. */
#include "world.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "client_model.h"
#include "clocks.h"
#include "fake_engine.h"
#include "memory.h"
#include "target_model.h"
#include "weather.h"

const char *connection_kind(const struct connection *connection)
{
    return connection->is_link ? "link" : "client";
}

void world_open(struct world *world, const char *replay)
{
    trace_begin(&world->trace, replay);
    const struct protocol_settings *settings = &world->options.settings;
    world->dialect = world->swarm.dialect;
    world->dialect.protocol = world->options.protocol;
    world->dialect.message_bytes_max = settings->message_bytes_max;
    world->dialect.body_bytes_max = settings->body_bytes_max;
    if (!dialect_streams(&world->dialect)) {
        size_t most = settings->message_bytes_max - 8;
        world->dialect.response_bytes_max = most < 9000 ? most : 9000;
    }
    world->memory_before = memory_core_bytes();
    const struct mux_observer observer = {.context = world, .event = witness_event};
    memory_core_begins();
    world->mux = mux_create(&world->options, &observer, world->scratch, world->now_ns);
    memory_core_ends();
    assert(world->mux != NULL);
    check_core(world);
    world->turn_is_owed = true;
}

void world_close(struct world *world)
{
    memory_core_begins();
    mux_destroy(&world->mux);
    memory_core_ends();
    assert(world->mux == NULL);
    if (memory_core_bytes() != world->memory_before) {
        sim_fail("mux_destroy leaves nothing", "%zu bytes are still allocated",
                 memory_core_bytes() - world->memory_before);
    }
    for (uint32_t i = 0; i < world->connections_count; i++) {
        if (world->connections[i]->target != NULL) {
            target_link_destroy(&world->connections[i]->target);
        }
        connection_deinit(world->connections[i]);
        free(world->connections[i]);
    }
    for (uint32_t i = 0; i < world->clients_count; i++) {
        sim_client_destroy(&world->clients[i]);
    }
    free(world->connections);
    free(world->live);
    witness_deinit(&world->witness);
    sharing_deinit(&world->sharing);
    trace_stop();
}

struct connection *world_add_connection(struct world *world, bool is_link)
{
    if (world->connections_count == world->connections_room) {
        world->connections_room = world->connections_room * 2 + 16;
        size_t size = world->connections_room * sizeof(struct connection *);
        world->connections = realloc(world->connections, size);
        world->live = realloc(world->live, size);
        assert(world->connections != NULL);
        assert(world->live != NULL);
    }
    struct connection *connection = malloc(sizeof *connection);
    assert(connection != NULL);
    connection_init(connection, is_link ? ++world->link_connections : ++world->client_connections,
                    is_link);
    connection->due_at = TIME_NEVER;
    world->connections[world->connections_count++] = connection;
    world->live[world->live_count++] = connection;
    return connection;
}

struct connection *world_find(const struct world *world, mux_id id)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (world->live[i]->id == id) {
            return world->live[i];
        }
    }
    return NULL;
}

void world_sweep(struct world *world)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (!connection_is_over(world->live[i])) {
            world->live[kept++] = world->live[i];
        }
    }
    world->live_count = kept;
}

struct ledger_entry *world_entry(const struct world *world, uint32_t client, uint32_t sequence)
{
    if (client == 0 || client > world->clients_count) {
        return NULL;
    }
    return sim_client_entry(world->clients[client - 1], sequence);
}

void world_link_arrives(struct world *world, struct connection *link)
{
    connection_open_pipes(link, &world->swarm.pipe_to_engine, &world->swarm.pipe_to_peer);
    if (world->modelled) {
        link->target = target_link_create(world, link);
    }
}

void world_note_read(struct world *world, const struct connection *connection)
{
    sim_client_was_read(world, connection->client, connection->up.read);
}

/* ---- stops ---- */

uint64_t world_stopped_since(const struct world *world, uint64_t from)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < world->stops_count; i++) {
        uint64_t begin = world->stops[i].from > from ? world->stops[i].from : from;
        uint64_t end =
            world->stops[i].until < world->now_ns ? world->stops[i].until : world->now_ns;
        sum += end > begin ? end - begin : 0;
    }
    return sum;
}

bool world_is_stopped(const struct world *world)
{
    return world->stops_count > 0 && world->now_ns < world->stops[world->stops_count - 1].until;
}

/* ---- steps ---- */

enum actor_kind { ACTOR_ENGINE, ACTOR_CLIENT, ACTOR_TARGET, ACTOR_WEATHER, ACTOR_TROUBLE };

struct actor {
    enum actor_kind kind;
    uint32_t index;
};

struct lineup {
    struct actor due[2 * WORLD_CLIENTS_MAX + 64];
    uint32_t count;
    uint64_t next_at; /* of those who are not due */
};

static void consider(struct lineup *lineup, uint64_t at, uint64_t now, enum actor_kind kind,
                     uint32_t index)
{
    if (at > now) {
        lineup->next_at = at < lineup->next_at ? at : lineup->next_at;
    } else if (lineup->count < ARRAY_COUNT(lineup->due)) {
        lineup->due[lineup->count++] = (struct actor){.kind = kind, .index = index};
    }
}

static void line_up(const struct world *world, struct lineup *lineup)
{
    uint64_t now = world->now_ns;
    lineup->count = 0;
    lineup->next_at = TIME_NEVER;
    consider(lineup, fake_engine_due(world), now, ACTOR_ENGINE, 0);
    if (!world->modelled) {
        return;
    }
    for (uint32_t i = 0; i < world->clients_count; i++) {
        consider(lineup, sim_client_due(world, world->clients[i]), now, ACTOR_CLIENT, i);
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (world->live[i]->target != NULL) {
            consider(lineup, target_link_due(world, world->live[i]->target), now, ACTOR_TARGET, i);
        }
    }
    consider(lineup, weather_due(world), now, ACTOR_WEATHER, 0);
    consider(lineup, world->trouble_at, now, ACTOR_TROUBLE, 0);
}

static void act(struct world *world, struct actor actor)
{
    switch (actor.kind) {
    case ACTOR_ENGINE:
        fake_engine_turn(world);
        break;
    case ACTOR_CLIENT:
        sim_client_act(world, world->clients[actor.index]);
        break;
    case ACTOR_TARGET:
        target_link_act(world, world->live[actor.index]->target);
        break;
    case ACTOR_WEATHER:
        weather_act(world);
        break;
    case ACTOR_TROUBLE:
        world->make_trouble(world);
        break;
    }
}

static void update_all(struct world *world)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        connection_update(world->live[i], world->now_ns);
    }
}

bool world_step(struct world *world, uint64_t until_ns)
{
    struct lineup lineup;
    update_all(world);
    line_up(world, &lineup);
    if (lineup.count == 0) {
        if (lineup.next_at > until_ns || lineup.next_at == TIME_NEVER) {
            return false;
        }
        if (!world_is_stopped(world)) {
            check_recovery_is_prompt(world);
            check_extra_links_are_opened(world);
            check_link_lifetime(world);
        }
        world->now_ns = lineup.next_at;
        world->steps_at_once = 0;
        check_every_request_ends_in_time(world);
        check_clocks_are_not_wound(world);
        check_joiners_end_in_time(world);
        return true;
    }
    world->steps++;
    if (++world->steps_at_once > WORLD_EVENTS_AT_ONCE_MAX) {
        sim_fail("the world does not spin", "%llu steps without the clock moving",
                 (unsigned long long)world->steps_at_once);
    }
    act(world, lineup.due[choose(world->choice, lineup.count)]);
    return true;
}

void world_reach(struct world *world, uint64_t until_ns)
{
    world->now_ns = world->now_ns > until_ns ? world->now_ns : until_ns;
}

/* The network is quick and wide from now on, so that no deadline is missed for want of speed. */
static void heal_pipes(struct world *world)
{
    static const struct pipe_style healthy = {.capacity = 65536};
    world->swarm.pipe_to_engine = world->swarm.pipe_to_peer = healthy;
    world->network.resolve_ns = world->network.connect_ns = 0;
    if (world->network.slots < world->options.links_max) {
        world->network.slots = 0; /* a slot that was just left is not taken for one that is free */
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        struct connection *connection = world->live[i];
        if (connection->peer_open || connection->stage == STAGE_OPEN) {
            pipe_heal(&connection->up, &healthy, world->now_ns);
            pipe_heal(&connection->down, &healthy, world->now_ns);
            connection->full_until = 0;
        } else if (connection->stage == STAGE_RESOLVING || connection->stage == STAGE_CONNECTING) {
            connection->due_at =
                connection->due_at > world->now_ns ? world->now_ns : connection->due_at;
        }
    }
}

void world_heal(struct world *world)
{
    WORLD_TRACE(world, "the faults stop");
    world->healed = true;
    weather_heal(world);
    for (uint32_t i = 0; i < world->clients_count; i++) {
        sim_client_heal(world, world->clients[i]);
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (world->live[i]->target != NULL) {
            target_link_heal(world, world->live[i]->target);
        }
    }
    heal_pipes(world);
}
