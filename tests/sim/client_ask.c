/* SPDX-License-Identifier: MIT */
/*
 * A client of the simulator: what it asks, and writes into the ledger. See client_model.h.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client_state.h"
#include "sharing.h"
#include "world.h"

enum { AWAITS_INTERIM_NS = 20 * NS_PER_MS };

/* Of reads that may be shared. The first two fall together in the core's table. */
static const uint32_t keys[KEYS_MAX] = {1, 988, 2};

/* In a calm run nothing is asked behind a response that may end the connection: a body that comes while it
 * lingers is more than is discarded. */
static char draw_kind(struct world *world, const struct client *client)
{
    const struct client_habits *habits = &world->swarm.clients;
    if (habits->script != NULL) {
        size_t index =
            (client->number - 1) * (size_t)client->requests_count + client->entries_count;
        return habits->script[index % strlen(habits->script)];
    }
    if (!world->healed && choose_percent(world->choice, habits->reads_percent)) {
        return 'S';
    }
    if (world->dialect.protocol->edit == NULL || world->healed ||
        !choose_percent(world->choice, world->swarm.clients.kinds_percent)) {
        return 'N';
    }
    bool streams = dialect_streams(&world->dialect);
    bool may_end_links = !world->swarm.is_calm && !dialect_has_ids(&world->dialect);
    const char *kinds = streams ? "G!EOL" : "G!AL";
    char kind = kinds[choose(world->choice, strlen(kinds) - (may_end_links ? 0 : 1))];
    if (choose_percent(world->choice, world->swarm.clients.closes_percent) &&
        !dialect_has_ids(&world->dialect)) {
        kind = 'C';
    }
    bool is_last = client->entries_count + 1 == client->requests_count;
    bool may_close = is_last || !streams || !world->swarm.is_calm;
    return (kind == 'O' || kind == 'C') && !may_close ? 'E' : kind;
}

static struct ledger_entry *add_entry(struct client *client, char kind, struct span text,
                                      size_t size, bool is_request)
{
    struct ledger_entry *entry = calloc(1, sizeof *entry);
    assert(entry != NULL);
    entry->client = client->number;
    entry->sequence = client->entries_count + 1;
    entry->kind = kind;
    entry->text = malloc(text.size + 1);
    assert(entry->text != NULL);
    memcpy(entry->text, text.data, text.size);
    entry->text_size = text.size;
    entry->is_request = is_request;
    entry->stream_from = client->composed;
    client->composed += size;
    entry->stream_upto = client->composed;
    entry->sound_size = size;
    entry->surely_ready_at = TIME_NEVER;
    client->entries[client->entries_count++] = entry;
    return entry;
}

static void put_out(struct client *client, struct span bytes)
{
    assert(client->out_done == client->out_size);
    client->out = realloc(client->out, bytes.size);
    assert(client->out != NULL);
    memcpy(client->out, bytes.data, bytes.size);
    client->out_size = bytes.size;
    client->out_done = 0;
}

/* Bytes that are no message of the protocol; empty: every byte is. */
static struct span garbage_of(const struct world *world)
{
    if (world->dialect.protocol->edit != NULL) {
        return span_of("X nonsense\n", 11);
    }
    return strcmp(world->dialect.protocol->name, "mpu") == 0 ? span_of("12x4nonsense", 12)
                                                             : span_of(NULL, 0);
}

static struct ledger_entry *compose(struct world *world, struct client *client, char kind,
                                    size_t letters, size_t body, bool is_request)
{
    uint8_t *text = malloc(letters + body + MESSAGE_HEAD_BYTES_MAX);
    uint8_t *bytes = malloc(message_room(&world->dialect, letters + body + MESSAGE_HEAD_BYTES_MAX));
    uint8_t *wire = malloc(message_room(&world->dialect, letters + body + MESSAGE_HEAD_BYTES_MAX));
    assert(text != NULL);
    assert(bytes != NULL);
    assert(wire != NULL);
    struct span said = {.data = text};
    uint32_t sequence = client->entries_count + 1;
    if (sharing_is_shareable(kind)) {
        uint32_t key = keys[choose(world->choice, world->swarm.clients.keys_count)];
        said.size = message_request_text(kind, 0, key, key % 7, 0, text);
    } else {
        said.size = message_request_text(kind, client->number, sequence, letters, body, text);
    }
    size_t size = message_write(&world->dialect, CLIENT_SIDE, REQUEST, said, bytes);
    struct ledger_entry *entry = add_entry(client, kind, said, size, is_request);
    entry->wire = wire;
    entry->wire_size = message_write(&world->dialect, TARGET_SIDE, REQUEST, said, wire);
    if (dialect_has_ids(&world->dialect)) {
        entry->own_id = message_client_id(client->number, sequence);
        message_set_id(bytes, entry->own_id);
        message_set_id(wire + 1, entry->own_id); /* until a link gives it its own */
    }
    put_out(client, span_of(bytes, size));
    free(text);
    free(bytes);
    return entry;
}

/* How much of a body; a request that may be sent again has none. */
static size_t draw_body(struct world *world, char kind)
{
    size_t most = dialect_streams(&world->dialect) ? world->swarm.clients.body_bytes_max : 0;
    if (world->swarm.is_brisk) {
        return most;
    }
    if (kind == 'G' || most == 0 || choose(world->choice, 4) == 0) {
        return 0;
    }
    return choose(world->choice, 3) == 0 ? most : 1 + (size_t)choose(world->choice, most);
}

/* A body that goes wrong behind the head: a line that is none, or one chunk more than allowed. */
static void compose_flawed(struct world *world, struct client *client, enum flaw flaw)
{
    const struct dialect *dialect = &world->dialect;
    char kind = draw_kind(world, client);
    kind = kind == 'G' ? 'N' : kind;
    size_t most = (size_t)world->swarm.clients.body_bytes_max;
    size_t limit = (size_t)dialect->body_bytes_max;
    size_t body = flaw == FLAW_TOO_LARGE ? limit + 1 + (size_t)choose(world->choice, limit)
                                         : 1 + (size_t)choose(world->choice, most);
    size_t chunks = (body + dialect->chunk_bytes - 1) / dialect->chunk_bytes;
    size_t line = flaw == FLAW_TOO_LARGE ? limit / dialect->chunk_bytes
                                         : (size_t)choose(world->choice, chunks + 1);
    struct ledger_entry *entry = compose(world, client, kind, 1, body, true);
    struct span text = {.data = entry->text, .size = entry->text_size};
    entry->flaw = flaw;
    entry->sound_size = message_line_at(dialect, text, line);
    if (flaw == FLAW_MALFORMED) {
        client->out[entry->sound_size] = 'x';
    }
}

static void compose_ordinary(struct world *world, struct client *client)
{
    size_t letters = (size_t)choose(world->choice, world->swarm.clients.letters_max + 1);
    char kind = draw_kind(world, client);
    const struct ledger_entry *entry =
        compose(world, client, kind, letters, draw_body(world, kind), true);
    struct span text = {.data = entry->text, .size = entry->text_size};
    client->awaits_interim_at = message_head_size(&world->dialect, text) + 1;
    if (kind == 'E' && client->awaits_interim_at < client->out_size) {
        client->awaits_interim_until =
            world->now_ns + choose(world->choice, (uint64_t)AWAITS_INTERIM_NS + 1);
    }
    if (entry->sequence == client->stall_at) {
        client->held_back = (size_t)choose_between(world->choice, 1, client->out_size);
    }
}

void sim_client_ask(struct world *world, struct client *client)
{
    uint32_t sequence = client->entries_count + 1;
    struct span garbage = garbage_of(world);
    bool streams = dialect_streams(&world->dialect) && world->swarm.clients.body_bytes_max > 0;
    bool inside = streams && choose(world->choice, 4) > 0;
    size_t message_max = world->dialect.message_bytes_max;
    client->awaits_interim_until = 0;
    if (sequence == client->garbage_at && inside) {
        compose_flawed(world, client, FLAW_MALFORMED);
    } else if (sequence == client->garbage_at && garbage.size > 0) {
        (void)add_entry(client, 'X', garbage, garbage.size, false);
        put_out(client, garbage);
    } else if (sequence == client->oversize_at && inside && world->dialect.body_bytes_max > 0) {
        compose_flawed(world, client, FLAW_TOO_LARGE);
    } else if (sequence == client->oversize_at && message_max < 9000) {
        (void)compose(world, client, 'N', message_max, 0, false);
    } else {
        compose_ordinary(world, client);
    }
    WORLD_TRACE(world, "client %u composes %u.%u, %zu bytes", client->number, client->number,
                sequence, client->out_size);
    client->next_ask_at =
        world->now_ns + choose(world->choice, world->swarm.clients.think_max_ns + 1);
}
