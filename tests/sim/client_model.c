/* SPDX-License-Identifier: MIT */
/*
 * A client of the simulator: what it does. See client_model.h, and client_check.c for what it may see.
 *
 * At each moment there is one next move and a time for it (next_move). Requests are composed into `out`
 * and written as the pipe takes them, by a dribbler in single bytes.
 */
#include "client_model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client_state.h"
#include "world.h"

#define LINGERS_NS (3 * NS_PER_S)

enum move {
    MOVE_NONE,
    MOVE_CONNECT,
    MOVE_VANISH,
    MOVE_READ,
    MOVE_SEE_END,
    MOVE_WRITE,
    MOVE_ASK,
    MOVE_HALF_CLOSE,
    MOVE_CLOSE,
};

/* ---- life ---- */

static void draw_troubles(struct world *world, struct client *client)
{
    const struct client_habits *habits = &world->swarm.clients;
    struct choice *choice = world->choice;
    client->dribbles = choose_percent(choice, habits->dribbles_percent);
    client->lingers = choose_percent(choice, habits->vanishes_percent);
    if (choose_percent(choice, habits->garbage_percent)) {
        client->garbage_at = (uint32_t)choose_between(choice, 1, client->requests_count);
    } else if (choose_percent(choice, habits->oversize_percent)) {
        client->oversize_at = (uint32_t)choose_between(choice, 1, client->requests_count);
    } else if (choose_percent(choice, habits->stalls_percent)) {
        client->stall_at = (uint32_t)choose_between(choice, 1, client->requests_count);
    }
    if (choose_percent(choice, habits->vanishes_percent)) {
        client->vanishes_by_reset = choose(choice, 2) == 0;
        if (choose(choice, 2) == 0) {
            client->vanish_at_byte = choose(choice, 200);
        } else {
            client->vanish_at_ns = client->start_at + choose(choice, world->swarm.midway_ns + 1);
        }
    }
    if (choose_percent(choice, habits->stops_reading_percent)) {
        client->deaf_from = client->start_at + choose(choice, world->swarm.midway_ns + 1);
        client->deaf_until = client->deaf_from + habits->stops_reading_ns;
    }
    if (choose_percent(choice, habits->floods_percent)) {
        client->requests_count = CLIENT_ENTRIES_MAX;
        client->depth = CLIENT_ENTRIES_MAX;
    }
}

struct client *sim_client_create(struct world *world, uint32_t number, bool polite)
{
    const struct client_habits *habits = &world->swarm.clients;
    struct choice *choice = world->choice;
    struct client *client = calloc(1, sizeof *client);
    assert(client != NULL);
    client->number = number;
    client->polite = polite;
    client->start_at = world->now_ns + choose(choice, habits->start_max_ns + 1);
    client->requests_count =
        polite && world->healed ? 1 : (uint32_t)choose_between(choice, 1, habits->requests_max);
    client->depth = (uint32_t)choose_between(choice, 1, habits->depth_max);
    client->vanish_at_ns = client->vanish_at_byte = TIME_NEVER;
    client->half_closes = choose_percent(choice, habits->half_closes_percent);
    client->next_ask_at = client->start_at;
    if (!polite) {
        draw_troubles(world, client);
    }
    assert(client->requests_count <= CLIENT_ENTRIES_MAX);
    return client;
}

void sim_client_destroy(struct client **client_pointer)
{
    struct client *client = *client_pointer;
    *client_pointer = NULL;
    for (uint32_t i = 0; i < client->entries_count; i++) {
        free(client->entries[i]->text);
        free(client->entries[i]);
    }
    free(client->out);
    free(client);
}

struct ledger_entry *sim_client_entry(struct client *client, uint32_t sequence)
{
    return sequence == 0 || sequence > client->entries_count ? NULL : client->entries[sequence - 1];
}

bool sim_client_is_done(const struct client *client)
{
    return client->gone;
}

bool sim_client_is_satisfied(const struct client *client)
{
    return client->entries_count == client->requests_count &&
           client->settled == client->entries_count && client->answers == client->requests_count;
}

uint64_t sim_client_answers(const struct client *client)
{
    return client->answers;
}

void sim_client_heal(struct world *world, struct client *client)
{
    client->vanish_at_ns = client->vanish_at_byte = TIME_NEVER;
    client->deaf_until = client->deaf_until > world->now_ns ? world->now_ns : client->deaf_until;
    client->dribbles = false;
    client->stall_at = 0;
    client->held_back = 0;
    client->start_at = client->start_at > world->now_ns ? world->now_ns : client->start_at;
    if (client->entries_count > 0 && client->requests_count > client->entries_count + 4) {
        client->requests_count = client->entries_count + 4; /* a flood ends soon */
    }
}

/* ---- composing ---- */

static char draw_kind(struct world *world)
{
    if (world->dialect.protocol->edit == NULL || world->healed ||
        !choose_percent(world->choice, world->swarm.clients.kinds_percent)) {
        return 'N';
    }
    if (choose_percent(world->choice, world->swarm.clients.closes_percent) &&
        !dialect_has_ids(&world->dialect)) {
        return 'C';
    }
    return "G!A"[choose(world->choice, 3)];
}

static void add_entry(struct client *client, char kind, struct span text, size_t size,
                      bool is_request)
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
    client->entries[client->entries_count++] = entry;
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
    const char *name = world->dialect.protocol->name;
    if (strncmp(name, "model", 5) == 0) {
        return span_of("X nonsense\n", 11);
    }
    return strcmp(name, "mpu") == 0 ? span_of("12x4nonsense", 12) : span_of(NULL, 0);
}

static void compose(struct world *world, struct client *client, char kind, size_t letters,
                    bool is_request)
{
    uint8_t *text = malloc(letters + MESSAGE_HEAD_BYTES_MAX);
    uint8_t *bytes = malloc(letters + MESSAGE_HEAD_BYTES_MAX + 8);
    assert(text != NULL);
    assert(bytes != NULL);
    size_t text_size =
        message_request_text(kind, client->number, client->entries_count + 1, letters, text);
    size_t size =
        message_write(&world->dialect, CLIENT_SIDE, REQUEST, span_of(text, text_size), bytes);
    add_entry(client, kind, span_of(text, text_size), size, is_request);
    put_out(client, span_of(bytes, size));
    free(text);
    free(bytes);
}

static void ask(struct world *world, struct client *client)
{
    uint32_t sequence = client->entries_count + 1;
    struct span garbage = garbage_of(world);
    size_t message_max = world->dialect.message_bytes_max;
    if (sequence == client->garbage_at && garbage.size > 0) {
        add_entry(client, 'X', garbage, garbage.size, false);
        put_out(client, garbage);
    } else if (sequence == client->oversize_at && message_max < 9000) {
        compose(world, client, 'N', message_max, false);
    } else {
        size_t letters = (size_t)choose(world->choice, world->swarm.clients.letters_max + 1);
        compose(world, client, draw_kind(world), letters, true);
        if (sequence == client->stall_at) {
            client->held_back = (size_t)choose_between(world->choice, 1, client->out_size);
        }
    }
    WORLD_TRACE(world, "client %u composes %u.%u, %zu bytes", client->number, client->number,
                sequence, client->out_size);
    client->next_ask_at =
        world->now_ns + choose(world->choice, world->swarm.clients.think_max_ns + 1);
}

/* ---- moves ---- */

static bool is_finished_asking(const struct client *client)
{
    return client->entries_count == client->requests_count && client->out_done == client->out_size;
}

struct plan {
    enum move move;
    uint64_t at;
};

static void propose(struct plan *plan, enum move move, uint64_t at)
{
    if (at < plan->at) {
        *plan = (struct plan){.move = move, .at = at};
    }
}

static void propose_hearing(const struct world *world, const struct client *client,
                            struct plan *plan)
{
    const struct pipe *down = &client->connection->down;
    uint64_t now = world->now_ns;
    bool deaf = now >= client->deaf_from && now < client->deaf_until;
    uint64_t at = deaf ? client->deaf_until : now;
    if (pipe_available(down) > 0) {
        propose(plan, MOVE_READ, at);
    } else if (!client->saw_reset && pipe_is_broken(down, now)) {
        propose(plan, MOVE_SEE_END, now);
    } else if (!client->saw_end && !client->saw_reset && pipe_is_at_end(down, now)) {
        propose(plan, MOVE_SEE_END, at);
    }
    propose(plan, MOVE_NONE, pipe_next_at(down, now));
}

static void propose_speaking(const struct client *client, uint64_t now, struct plan *plan)
{
    const struct pipe *up = &client->connection->up;
    if (client->half_closed || client->saw_reset) {
        return;
    }
    if (client->out_done + client->held_back < client->out_size) {
        if (pipe_free(up) > 0) {
            propose(plan, MOVE_WRITE, client->next_write_at > now ? client->next_write_at : now);
        }
    } else if (client->out_done == client->out_size &&
               client->entries_count < client->requests_count &&
               client->entries_count - client->settled < client->depth) {
        propose(plan, MOVE_ASK, client->next_ask_at > now ? client->next_ask_at : now);
    }
}

static void propose_leaving(const struct client *client, uint64_t now, struct plan *plan)
{
    if (client->saw_end || client->saw_reset) {
        propose(plan, MOVE_CLOSE, client->close_at > now ? client->close_at : now);
        return;
    }
    if (!is_finished_asking(client)) {
        return;
    }
    if (client->half_closes && !client->half_closed) {
        propose(plan, MOVE_HALF_CLOSE, now);
    } else if (!client->half_closes && client->settled == client->entries_count) {
        propose(plan, MOVE_CLOSE, now);
    }
}

static struct plan next_move(const struct world *world, const struct client *client)
{
    struct plan plan = {.move = MOVE_NONE, .at = TIME_NEVER};
    if (client->gone) {
        return plan;
    }
    if (client->connection == NULL) {
        propose(&plan, MOVE_CONNECT, client->start_at);
        return plan;
    }
    if (client->connection->up.written >= client->vanish_at_byte) {
        propose(&plan, MOVE_VANISH, world->now_ns);
    }
    propose(&plan, MOVE_VANISH, client->vanish_at_ns);
    propose_hearing(world, client, &plan);
    propose_speaking(client, world->now_ns, &plan);
    propose_leaving(client, world->now_ns, &plan);
    return plan;
}

uint64_t sim_client_due(const struct world *world, const struct client *client)
{
    struct plan plan = next_move(world, client);
    return plan.move == MOVE_NONE && plan.at <= world->now_ns ? TIME_NEVER : plan.at;
}

static void connect_client(struct world *world, struct client *client)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        client->clients_at_start += !world->live[i]->is_link;
    }
    client->connection = world_add_connection(world, false);
    client->connection->client = client;
    client->connection->number = client->number;
    connection_open_pipes(client->connection, &world->swarm.pipe_to_engine,
                          &world->swarm.pipe_to_peer);
    WORLD_TRACE(world, "client %u connects", client->number);
}

static void write_out(struct world *world, struct client *client)
{
    struct span rest = span_of(client->out + client->out_done,
                               client->out_size - client->out_done - client->held_back);
    if (client->dribbles) {
        rest.size = 1;
        client->next_write_at =
            world->now_ns + choose(world->choice, world->swarm.clients.dribble_ns + 1);
    }
    client->out_done +=
        connection_peer_write(client->connection, world->choice, world->now_ns, rest);
    if (client->out_done == client->out_size) {
        sim_client_settle_silent(client);
    }
}

void sim_client_leave(struct world *world, struct client *client, bool reset)
{
    WORLD_TRACE(world, "client %u %s", client->number, reset ? "resets" : "closes");
    client->gone = true;
    if (reset) {
        connection_peer_reset(client->connection, world->choice, world->now_ns);
    } else {
        connection_peer_close(client->connection, world->choice, world->now_ns);
    }
}

static void see_end(struct world *world, struct client *client)
{
    if (pipe_is_broken(&client->connection->down, world->now_ns)) {
        client->saw_reset = true;
    } else {
        client->saw_end = true;
    }
    WORLD_TRACE(world, "client %u sees %s", client->number,
                client->saw_reset ? "a reset" : "end-of-stream");
    sim_client_hear_end(world, client);
    client->close_at =
        world->now_ns + (client->lingers && client->saw_end && !world->healed ? LINGERS_NS : 0);
}

static void act(struct world *world, struct client *client, struct plan plan)
{
    switch (plan.move) {
    case MOVE_NONE:
        break;
    case MOVE_CONNECT:
        connect_client(world, client);
        break;
    case MOVE_VANISH:
        sim_client_leave(world, client, client->vanishes_by_reset);
        break;
    case MOVE_READ:
        sim_client_hear(world, client);
        break;
    case MOVE_SEE_END:
        see_end(world, client);
        break;
    case MOVE_WRITE:
        write_out(world, client);
        break;
    case MOVE_ASK:
        ask(world, client);
        break;
    case MOVE_HALF_CLOSE:
        WORLD_TRACE(world, "client %u half-closes", client->number);
        client->half_closed = true;
        connection_peer_end(client->connection, world->choice, world->now_ns);
        break;
    case MOVE_CLOSE:
        sim_client_leave(world, client, false);
        break;
    }
}

void sim_client_act(struct world *world, struct client *client)
{
    do {
        struct plan plan = next_move(world, client);
        assert(plan.at <= world->now_ns);
        act(world, client, plan);
    } while (world->swarm.is_brisk && sim_client_due(world, client) <= world->now_ns);
}
