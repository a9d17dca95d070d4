/* SPDX-License-Identifier: MIT */
/* Who goes when memory is spent; see victims.h. */
#include "victims.h"

#include "client_state.h"
#include "memory.h"
#include "world.h"

#define SMALL              (4 * KIB) /* those that hold less are all alike */
#define EXCHANGE_BYTES     512       /* surely more than one occupies ... */
#define EXCHANGE_BYTES_MIN 200       /* ... and surely less */

/* Where the last request ends that the core has told of. */
static uint64_t told_upto(const struct client *client)
{
    return client->seen_count == 0 ? 0 : client->entries[client->seen_count - 1]->stream_upto;
}

/* ---- looking ---- */

static void note_out(const struct world *world, struct connection *connection)
{
    struct holding *holding = &connection->holding;
    size_t size =
        connection->id == MUX_ID_NONE ? 0 : mux_send_view(world->mux, connection->id).size;
    holding->out_most = size == 0 ? 0 : size > holding->out_most ? size : holding->out_most;
    holding->out_seen = size;
    holding->sent_seen = connection->sent_bytes;
    holding->given = 0;
}

static void look_at_client(const struct world *world, const struct seen_client *client)
{
    struct connection *connection = client->connection;
    note_out(world, connection);
    if (client->open == 0 && connection->up.read == told_upto(connection->client)) {
        connection->holding.empty_at = connection->up.read;
    }
}

static void look_at_link(const struct world *world, struct connection *link)
{
    note_out(world, link);
    if (link->watch.awaited_count == 0 && link->watch.incoming_at == link->up.read) {
        link->holding.empty_at = link->up.read;
    }
}

/* Clients that are followed and not closed. */
static uint64_t followed(const struct world *world)
{
    uint64_t count = world->witness.clients_count;
    return count < WITNESS_CLIENTS_MAX ? count : WITNESS_CLIENTS_MAX - 1;
}

/* Whether it was served all the time, and nothing of it dropped. */
static bool is_still_read(const struct world *world, const struct connection *client)
{
    unsigned wants = client->id == MUX_ID_NONE ? MUX_CLOSE : mux_wants(world->mux, client->id);
    return (wants & (MUX_READ | MUX_CLOSE | MUX_END)) == MUX_READ;
}

static void confirm(struct world *world)
{
    for (uint32_t i = 0; i < world->suspicions.count; i++) {
        uint64_t other = world->suspicions.seen[i].other;
        if (is_still_read(world, world->witness.clients[other].connection)) {
            sim_fail("the client that holds most goes",
                     "client #%llu did with %zu bytes at most, and client #%llu held %zu",
                     (unsigned long long)world->suspicions.seen[i].client,
                     world->suspicions.seen[i].most, (unsigned long long)other,
                     world->suspicions.seen[i].least);
        }
    }
    world->suspicions.count = 0;
}

void victims_look(struct world *world)
{
    if (!world->modelled) {
        return;
    }
    confirm(world);
    for (uint64_t serial = 1; serial <= followed(world); serial++) {
        if (!world->witness.clients[serial].closed) {
            look_at_client(world, &world->witness.clients[serial]);
        }
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (world->live[i]->is_link) {
            look_at_link(world, world->live[i]);
        }
    }
}

void victims_given(const struct world *world, struct connection *connection, size_t size)
{
    size_t growth = world->options.protocol->edit == NULL ? 0 : EDIT_GROWTH_MAX;
    struct holding *holding = &connection->holding;
    holding->given += size + growth;
    if (holding->out_seen + holding->given > holding->out_most) {
        holding->out_most = holding->out_seen + holding->given;
    }
}

/* ---- what one holds ---- */

/* Of the block of a buffer in which there were so many bytes at most: it grew while it was half full. */
static size_t block_most(size_t size)
{
    return size == 0 ? 0 : 4 * size + 256;
}

static size_t buffers_most(const struct connection *connection)
{
    return block_most((size_t)(connection->up.read - connection->holding.empty_at)) +
           block_most(connection->holding.out_most);
}

static bool is_on(const struct world *world, uint64_t serial, const struct connection *link)
{
    const struct witness *witness = &world->witness;
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->client == serial && exchange->phase == PHASE_TAKEN &&
            exchange->link == link) {
            return true;
        }
    }
    return false;
}

/* What is on a link that has a request of it is its own, perhaps. */
static size_t holds_most(const struct world *world, uint64_t serial)
{
    const struct seen_client *client = &world->witness.clients[serial];
    size_t most = buffers_most(client->connection) + (size_t)(client->open + 1) * EXCHANGE_BYTES;
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        if (link->is_link && is_on(world, serial, link)) {
            most += buffers_most(link);
        }
    }
    return most;
}

/* What was read of it and is not whole. A stream's is given to the link as it comes. */
static size_t part_least(const struct world *world, const struct client *client)
{
    uint32_t poison = sim_client_poison(client);
    uint64_t upto = client->connection->up.read;
    if (poison < client->entries_count && client->entries[poison]->stream_from < upto) {
        upto = client->entries[poison]->stream_from;
    }
    uint64_t from = told_upto(client);
    return !dialect_streams(&world->dialect) && upto > from ? (size_t)(upto - from) : 0;
}

static size_t holds_least(const struct world *world, const struct seen_client *client)
{
    const struct connection *connection = client->connection;
    const struct holding *holding = &connection->holding;
    uint64_t sent = connection->sent_bytes - holding->sent_seen;
    size_t out = holding->out_seen > sent ? (size_t)(holding->out_seen - sent) : 0;
    return out + (size_t)client->open * EXCHANGE_BYTES_MIN + part_least(world, connection->client);
}

void victims_gone(struct world *world, const struct mux_event *event)
{
    uint64_t serial = event->client;
    struct suspicions *suspicions = &world->suspicions;
    if (!world->modelled || serial == 0 || serial >= WITNESS_CLIENTS_MAX || memory_failed() > 0) {
        return;
    }
    size_t most = holds_most(world, serial);
    for (uint64_t other = 1; other <= followed(world); other++) {
        const struct seen_client *client = &world->witness.clients[other];
        if (other == serial || client->closed || client->paused) {
            continue;
        }
        size_t least = holds_least(world, client);
        if (least >= SMALL && 2 * most < least && suspicions->count < SUSPICIONS_MAX) {
            suspicions->seen[suspicions->count].client = serial;
            suspicions->seen[suspicions->count].other = other;
            suspicions->seen[suspicions->count].most = most;
            suspicions->seen[suspicions->count].least = least;
            suspicions->count++;
        }
    }
}
