/* SPDX-License-Identifier: MIT */
/*
 * A client of the simulator: what the core may tell of it. See client_model.h, and client_hear.c for what
 * may arrive.
 *
 * Three witnesses are set against each other: what the client composed (the ledger), what the core tells
 * its observer, and what arrives at the client. A trouble that the core tells of must have a cause in
 * the world.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client_model.h"
#include "client_state.h"
#include "clocks.h"
#include "memory.h"
#include "sharing.h"
#include "world.h"

uint32_t sim_client_poison(const struct client *client)
{
    for (uint32_t i = 0; i < client->entries_count; i++) {
        const struct ledger_entry *entry = client->entries[i];
        if (!entry->is_request || entry->kind == 'C' || entry->flaw != FLAW_NONE) {
            return i;
        }
    }
    return client->entries_count;
}

/* ---- what the engine reads and the core tells ---- */

static bool has_waited(const struct world *world, const struct ledger_entry *entry, uint64_t ns)
{
    return world->now_ns - entry->ready_at >= ns;
}

/* No request fails for waiting before that. */
static uint64_t least_wait_ns(const struct world *world)
{
    const struct mux_options *options = &world->options;
    return options->wait_timeout_ns < options->queue_timeout_ns ? options->wait_timeout_ns
                                                                : options->queue_timeout_ns;
}

/* Bytes of an entry that the engine had read when it had read so far. */
static size_t bytes_read(const struct ledger_entry *entry, uint64_t upto)
{
    upto = upto < entry->stream_upto ? upto : entry->stream_upto;
    return upto < entry->stream_from ? 0 : (size_t)(upto - entry->stream_from);
}

/* Promise 6: a client with more queued than its backlog is not read, nor one whose upload has filled its
 * link. A line between chunks may be read in part, and then is not queued yet. */
static void check_backlog(const struct world *world, const struct client *client)
{
    size_t most = world->options.backlog_bytes_max;
    size_t line = dialect_streams(&world->dialect) ? MESSAGE_LINE_BYTES_MAX : 0;
    size_t queued = 0;
    for (uint32_t i = 0; i < client->seen_count; i++) {
        const struct ledger_entry *entry = client->entries[i];
        const struct seen_exchange *exchange = &world->witness.exchanges[entry->exchange];
        /* One that has waited its longest may have failed already, and wait for its place in the order. */
        if ((exchange->phase == PHASE_WAITING || exchange->phase == PHASE_JOINED) &&
            !(entry->is_ready && has_waited(world, entry, least_wait_ns(world)))) {
            size_t size = bytes_read(entry, client->read_upto);
            queued += size < entry->sound_size ? size : entry->sound_size;
        }
    }
    if (queued >= most + line) {
        sim_fail("a client over its backlog is not read",
                 "client %u has %zu bytes queued, %zu are allowed", client->number, queued, most);
    }
}

/* The request that it uploads to a link; NULL: it does not. */
static const struct ledger_entry *upload_of(const struct world *world, const struct client *client)
{
    const struct ledger_entry *last =
        client->seen_count == 0 ? NULL : client->entries[client->seen_count - 1];
    bool is_taken = last != NULL && world->witness.exchanges[last->exchange].phase == PHASE_TAKEN;
    return is_taken && !last->read_whole ? last : NULL;
}

static void check_upload(const struct world *world, const struct client *client)
{
    const struct ledger_entry *entry = upload_of(world, client);
    if (entry == NULL || entry->sendings_count == 0) {
        return;
    }
    size_t size = bytes_read(entry, client->read_upto);
    size_t sent = entry->sendings[entry->sendings_count - 1].sent;
    size_t most = world->options.backlog_bytes_max + MESSAGE_LINE_BYTES_MAX;
    if (size > sent && size - sent >= most) {
        sim_fail("an uploader is not read while its link is full",
                 "client %u has brought %zu bytes that the link did not take, %zu are allowed",
                 client->number, size - sent, most);
    }
}

/* Whether so much of it was read that it may wait for a link. */
static bool is_ready(const struct world *world, const struct ledger_entry *entry, uint64_t upto)
{
    const struct mux_options *options = &world->options;
    size_t enough = options->request_buffer_bytes < options->backlog_bytes_max
                        ? options->request_buffer_bytes
                        : options->backlog_bytes_max;
    struct span text = {.data = entry->text, .size = entry->text_size};
    size_t head = message_head_size(&world->dialect, text) + 1;
    size_t size = bytes_read(entry, upto);
    if (entry->read_whole || !dialect_streams(&world->dialect)) {
        return entry->read_whole;
    }
    return size >= head && (entry_is_eager(entry) || size >= enough);
}

static bool is_surely_ready(const struct world *world, const struct ledger_entry *entry,
                            uint64_t upto)
{
    size_t line = entry->read_whole || entry_is_eager(entry) ? 0 : MESSAGE_LINE_BYTES_MAX;
    return entry->is_ready && upto >= line && is_ready(world, entry, upto - line);
}

static void note_reading(struct client *client, uint64_t now, uint64_t upto)
{
    if (client->marks_count == client->marks_room) {
        client->marks_room = client->marks_room * 2 + 64;
        client->marks = realloc(client->marks, client->marks_room * sizeof *client->marks);
        assert(client->marks != NULL);
    }
    client->marks[client->marks_count++] = (struct read_mark){.at = now, .upto = upto};
}

void sim_client_was_read(struct world *world, struct client *client, uint64_t upto)
{
    if (memory_failed() ==
        0) { /* without memory a request may have failed behind one that is sent */
        check_backlog(world, client);
    }
    check_upload(world, client);
    if ((mux_wants(world->mux, client->connection->id) & MUX_END) == 0) { /* not lingering */
        if (client->last_read_at != world->now_ns) {
            client->read_before_at = client->last_read_at;
        }
        client->last_read_at = world->now_ns;
    }
    note_reading(client, world->now_ns, upto);
    for (uint32_t i = 0; i < client->entries_count; i++) {
        struct ledger_entry *entry = client->entries[i];
        if (!entry->read_whole && entry->stream_upto <= upto && entry->flaw == FLAW_NONE) {
            entry->read_whole = true;
            entry->read_in = world->readings;
        }
        if (!entry->is_ready && is_ready(world, entry, upto)) {
            entry->is_ready = true;
            entry->ready_at = world->now_ns;
            entry->ready_outage_ns = links_outage_ns(world);
            entry->ready_outages = world->dialling.outages;
            entry->ready_misses = world->dialling.misses;
            entry->ready_well = links_are_well(world);
        }
        if (entry->surely_ready_at == TIME_NEVER && is_surely_ready(world, entry, upto)) {
            entry->surely_ready_at = world->now_ns;
        }
    }
    client->read_upto = upto;
}

struct ledger_entry *sim_client_entry_of(const struct client *client, uint64_t exchange)
{
    for (uint32_t i = 0; i < client->seen_count && exchange != 0; i++) {
        if (client->entries[i]->exchange == exchange) {
            return client->entries[i];
        }
    }
    return NULL;
}

struct ledger_entry *sim_client_request_seen(struct world *world, struct client *client,
                                             uint64_t exchange, struct span bytes)
{
    uint32_t index = client->seen_count++;
    struct ledger_entry *entry = index < client->entries_count ? client->entries[index] : NULL;
    bool is_right = false;
    if (entry != NULL && entry->is_request && index <= sim_client_poison(client)) {
        size_t mark = entry->wire_size - (size_t)(entry->stream_upto - entry->stream_from);
        struct span text = {.data = entry->text, .size = entry->text_size};
        size_t size = dialect_streams(&world->dialect)
                          ? message_head_size(&world->dialect, text) + 1
                          : entry->wire_size - mark;
        is_right = bytes.size == size && memcmp(bytes.data, entry->wire + mark, size) == 0 &&
                   bytes_read(entry, client->read_upto) >= size;
    }
    if (!is_right) {
        char shown[100];
        sim_fail("a request is taken as it was sent", "client %u, request %u: the core has %s",
                 client->number, index + 1, trace_bytes(shown, sizeof shown, bytes));
    }
    entry->exchange = exchange;
    return entry;
}

/* ---- troubles and their causes ---- */

static const struct sending *last_sending(const struct ledger_entry *entry)
{
    return entry->sendings_count == 0 ? NULL : &entry->sendings[entry->sendings_count - 1];
}

/* Whether a request's link really broke, or was given up for a reason that is the target's. */
static bool is_broken(const struct world *world, const struct ledger_entry *entry)
{
    const struct sending *sending = last_sending(sharing_leader(world, entry));
    if (sending == NULL) {
        return has_waited(world, entry, world->options.wait_timeout_ns);
    }
    const struct connection *link = sending->link;
    return sending->wrong || link->was_lost || link->told_end || link->told_failure ||
           link->watch.spoilt != NULL;
}

/* For a body that streams the longest silence counts, in its own direction. */
static bool timed_out(const struct world *world, const struct ledger_entry *entry)
{
    const struct sending *sending = last_sending(sharing_leader(world, entry));
    if (sending == NULL || (sending->wrong && last_sending(entry) == sending) ||
        !has_waited(world, entry, world->options.response_timeout_ns)) {
        return false;
    }
    uint64_t from = sending->streams ? sending->last_byte_at : sending->first_byte_at;
    uint64_t last_byte_at = sending->link->watch.last_byte_at;
    if (sending->answering && last_byte_at > from) {
        from = last_byte_at;
    }
    if (world->now_ns - from < world->options.response_timeout_ns) {
        return false;
    }
    /* In a pipeline the clock runs for the oldest only. */
    const struct link_watch *watch = &sending->link->watch;
    return !entry_expects_response(entry) || dialect_has_ids(&world->dialect) ||
           world->options.in_flight_max == 1 ||
           (watch->awaited_count > 0 && watch->awaited[0] == entry);
}

/* Whether a request may have ended for this reason. */
bool sim_client_cause_is_real(const struct world *world, const struct client *client,
                              const struct ledger_entry *entry, enum mux_reason reason)
{
    switch (reason_trouble(reason)) {
    case TROUBLE_UNREACHABLE:
        return links_were_out(world, entry, world->options.queue_timeout_ns) &&
               !links_were_well(world, entry);
    case TROUBLE_TIMEOUT:
        return timed_out(world, entry);
    case TROUBLE_BROKEN:
        return is_broken(world, entry) || memory_failed() > 0;
    case TROUBLE_OVERLOADED:
        return (reason == REASON_HOLD && world->options.hold_max_ns > 0) ||
               has_waited(world, entry, world->options.wait_timeout_ns) || memory_failed() > 0 ||
               (reason == REASON_MEMORY && world->swarm.memory_is_tight);
    case TROUBLE_SHUTDOWN:
        return world->draining && world->now_ns - world->drained_at >= world->options.grace_ns;
    case TROUBLE_MALFORMED:
        return entry->flaw == FLAW_MALFORMED;
    case TROUBLE_TOO_LARGE:
        return entry->flaw == FLAW_TOO_LARGE;
    case TROUBLE_CLIENT_TIMEOUT:
        return clocks_has_stalled(world, client, entry);
    case TROUBLE_REFUSED:
        break;
    }
    return false;
}

/* Whether trouble that is no request's may have come over the client. */
static bool apart_is_real(const struct world *world, const struct client *client,
                          enum mux_reason reason)
{
    uint32_t index = client->seen_count;
    const struct ledger_entry *next = index < client->entries_count ? client->entries[index] : NULL;
    switch (reason_trouble(reason)) {
    case TROUBLE_MALFORMED:
        return next != NULL && !next->is_request && next->kind == 'X';
    case TROUBLE_TOO_LARGE:
        return next != NULL && !next->is_request && next->kind != 'X';
    case TROUBLE_CLIENT_TIMEOUT:
        return next != NULL && clocks_has_dawdled(world, client, next);
    case TROUBLE_OVERLOADED:
        return reason == REASON_CLIENT_LIMIT
                   ? client->clients_at_start >= world->options.clients_max
                   : world->swarm.memory_is_tight || memory_failed() > 0;
    case TROUBLE_UNREACHABLE:
    case TROUBLE_TIMEOUT:
    case TROUBLE_BROKEN:
    case TROUBLE_REFUSED:
    case TROUBLE_SHUTDOWN:
        break;
    }
    return false;
}

void sim_client_error_told(struct world *world, struct client *client, uint64_t exchange,
                           enum mux_reason reason)
{
    for (uint32_t i = 0; i < client->entries_count; i++) {
        const struct ledger_entry *entry = client->entries[i];
        if (entry->exchange != exchange) {
            continue;
        }
        if (!sim_client_cause_is_real(world, client, entry, reason)) {
            sim_fail("an error has a cause",
                     "request %u.%u ends for %s, and nothing of the kind happened", entry->client,
                     entry->sequence, reason_text(reason));
        }
        client->told_any[i] = true;
        client->told[i] = reason_trouble(reason);
        return;
    }
    if (!apart_is_real(world, client, reason)) {
        sim_fail("an error has a cause", "client %u is told %s, and nothing of the kind happened",
                 client->number, reason_text(reason));
    }
    client->told_apart = true;
    client->apart = reason_trouble(reason);
}

void sim_client_cut_off(struct world *world, struct client *client, uint64_t exchange,
                        enum mux_reason reason)
{
    const struct ledger_entry *entry = sim_client_entry_of(client, exchange);
    if (entry == NULL || client->closed_by_core) {
        return;
    }
    if (!sim_client_cause_is_real(world, client, entry, reason) &&
        !client->connection->told_failure) {
        sim_fail("a response is cut off for a cause",
                 "that to request %u.%u is, for %s, and nothing of the kind happened",
                 entry->client, entry->sequence, reason_text(reason));
    }
    client->is_cut_off = true;
    client->cut_off_reason = reason;
}

/* Every whole request that counts was taken, and has ended. */
static void check_everything_was_served(const struct world *world, const struct client *client)
{
    uint32_t poison = sim_client_poison(client);
    for (uint32_t i = 0; i < client->entries_count && i <= poison; i++) {
        const struct ledger_entry *entry = client->entries[i];
        if (!entry->is_request || !entry->read_whole || entry->flaw != FLAW_NONE) {
            continue;
        }
        if (entry->exchange == 0 ||
            world->witness.exchanges[entry->exchange].phase != PHASE_ENDED) {
            sim_fail("every request ends before its client is closed in order",
                     "request %u.%u has not", entry->client, entry->sequence);
        }
    }
}

/* Whether a request or its response ends the connection. */
static bool has_told_end(const struct client *client)
{
    for (uint32_t i = 0; i < client->seen_count; i++) {
        const struct sending *sending = last_sending(client->entries[i]);
        if (client->entries[i]->kind == 'C' || (sending != NULL && sending->closes_client)) {
            return true;
        }
    }
    return false;
}

/* Whether a response began before its request was wholly sent, so that its head has told the end. */
static bool has_early_response(const struct client *client)
{
    for (uint32_t i = 0; i < client->seen_count; i++) {
        const struct sending *sending = last_sending(client->entries[i]);
        if (sending != NULL && sending->response_whole && sending->early) {
            return true;
        }
    }
    return false;
}

static bool was_told(const struct client *client, enum mux_reason reason)
{
    bool told = client->told_apart && client->apart == reason_trouble(reason);
    for (uint32_t i = 0; i < client->entries_count; i++) {
        told = told || (client->told_any[i] && client->told[i] == reason_trouble(reason));
    }
    return told;
}

/* Whether it was silent for --idle-timeout. Deadlines run before the facts of a turn, so bytes of that
 * very turn came too late. */
static bool was_idle(const struct world *world, const struct client *client)
{
    const struct connection *connection = client->connection;
    uint64_t idle_ns = world->options.idle_timeout_ns;
    bool same_turn = connection->shut && connection->shut_at == client->last_read_at;
    uint64_t silent_since = same_turn ? client->read_before_at : client->last_read_at;
    return idle_ns > 0 && world->now_ns - silent_since >= idle_ns;
}

static bool close_is_legal(const struct world *world, const struct client *client,
                           enum mux_reason reason, enum mux_reason told)
{
    const struct connection *connection = client->connection;
    switch ((int)reason) {
    case REASON_CLIENT_ENDED:
        check_everything_was_served(world, client);
        return connection->told_end;
    case REASON_CLIENT_RESET:
        return connection->told_failure;
    case REASON_CLIENT_SLOW:
        return !world->swarm.is_calm;
    case REASON_CLIENT_IDLE:
        return was_idle(world, client);
    case REASON_CLIENT_CLOSES:
        return has_told_end(client) || has_early_response(client);
    case REASON_MEMORY:
        return world->swarm.memory_is_tight || memory_failed() > 0;
    case REASON_SHUTDOWN:
        return world->draining;
    case REASON_EARLY_RESPONSE:
        return has_early_response(client);
    default: /* a trouble that was told and closes */
        break;
    }
    if (client->is_cut_off && client->cut_off_reason == reason) {
        return true;
    }
    return was_told(client, reason) &&
           (told == reason || world->dialect.protocol->error_reply != NULL);
}

/* Whether responses that it did not take may be lost with it. */
static bool may_be_cut_off(const struct world *world, const struct client *client,
                           enum mux_reason reason)
{
    const struct connection *connection = client->connection;
    bool slow =
        connection->owed && world->now_ns - connection->owed_since >= clocks_least_hold_ns(world);
    bool grace_over =
        world->draining && world->now_ns - world->drained_at >= world->options.grace_ns;
    return slow || grace_over || reason == REASON_CLIENT_RESET || reason == REASON_MEMORY ||
           memory_failed() > 0;
}

void sim_client_was_closed(struct world *world, struct client *client, enum mux_reason reason,
                           enum mux_reason told, bool paused)
{
    client->closed_by_core = true;
    client->close_reason = reason;
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (world->live[i]->is_link) {
            link_watch_client_gone(world, world->live[i], client->number);
        }
    }
    client->may_be_cut_off = paused || may_be_cut_off(world, client, reason);
    if (!close_is_legal(world, client, reason, told)) {
        sim_fail("a client is closed for a reason",
                 "client %u is closed for %s, which does not hold", client->number,
                 reason_text(reason));
    }
}
