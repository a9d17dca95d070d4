/* SPDX-License-Identifier: MIT */
/*
 * A client of the simulator: what it may see. See client_model.h.
 *
 * Three witnesses are set against each other: what the client composed (the ledger), what the core tells
 * its observer, and what arrives at the client. A trouble that the core tells of must have a cause in
 * the world; what arrives must be the response to the oldest unanswered request, or the error reply for
 * the trouble that was told.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_model.h"
#include "client_state.h"
#include "memory.h"
#include "model_protocol.h"
#include "target_model.h"
#include "world.h"

uint32_t sim_client_poison(const struct client *client)
{
    for (uint32_t i = 0; i < client->entries_count; i++) {
        if (!client->entries[i]->is_request || client->entries[i]->kind == 'C') {
            return i;
        }
    }
    return client->entries_count;
}

size_t response_bytes_max(const struct world *world)
{
    size_t size = world->dialect.message_bytes_max - 8;
    return size < 9000 ? size : 9000;
}

/* ---- what the engine reads and the core tells ---- */

static bool has_waited(const struct world *world, const struct ledger_entry *entry, uint64_t ns)
{
    return world->now_ns - entry->read_at >= ns;
}

/* No request fails for waiting before that. */
static uint64_t least_wait_ns(const struct world *world)
{
    const struct mux_options *options = &world->options;
    return options->wait_timeout_ns < options->queue_timeout_ns ? options->wait_timeout_ns
                                                                : options->queue_timeout_ns;
}

/* Promise 6: a client with more queued than its backlog is not read. */
static void check_backlog(const struct world *world, const struct client *client)
{
    size_t queued = 0;
    for (uint32_t i = 0; i < client->seen_count; i++) {
        const struct ledger_entry *entry = client->entries[i];
        /* One that has waited its longest may have failed already, and wait for its place in the order. */
        if (world->witness.exchanges[entry->exchange].phase == PHASE_WAITING &&
            !has_waited(world, entry, least_wait_ns(world))) {
            queued += (size_t)(entry->stream_upto - entry->stream_from);
        }
    }
    if (queued >= world->options.backlog_bytes_max) {
        sim_fail("a client over its backlog is not read",
                 "client %u has %zu bytes queued, %zu are allowed", client->number, queued,
                 world->options.backlog_bytes_max);
    }
}

void sim_client_was_read(struct world *world, struct client *client, uint64_t upto)
{
    if (memory_failed() ==
        0) { /* without memory a request may have failed behind one that is sent */
        check_backlog(world, client);
    }
    if ((mux_wants(world->mux, client->connection->id) & MUX_END) == 0) { /* not lingering */
        if (client->last_read_at != world->now_ns) {
            client->read_before_at = client->last_read_at;
        }
        client->last_read_at = world->now_ns;
    }
    for (uint32_t i = 0; i < client->entries_count; i++) {
        struct ledger_entry *entry = client->entries[i];
        if (!entry->read_whole && entry->stream_upto <= upto) {
            entry->read_whole = true;
            entry->read_at = world->now_ns;
        }
    }
}

struct ledger_entry *sim_client_request_seen(struct world *world, struct client *client,
                                             uint64_t exchange, struct span bytes)
{
    uint32_t index = client->seen_count++;
    struct ledger_entry *entry = index < client->entries_count ? client->entries[index] : NULL;
    size_t size;
    struct span text;
    enum cut cut = message_cut(&world->dialect, CLIENT_SIDE, REQUEST, bytes, &size, &text);
    if (entry == NULL || index > sim_client_poison(client) || !entry->is_request ||
        !entry->read_whole || cut != CUT_WHOLE || size != bytes.size ||
        text.size != entry->text_size || memcmp(text.data, entry->text, text.size) != 0) {
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
    const struct sending *sending = last_sending(entry);
    if (sending == NULL) {
        return has_waited(world, entry, world->options.wait_timeout_ns);
    }
    const struct connection *link = sending->link;
    return link->was_lost || link->told_end || link->told_failure || link->watch.spoilt != NULL;
}

static bool timed_out(const struct world *world, const struct ledger_entry *entry)
{
    const struct sending *sending = last_sending(entry);
    if (sending == NULL ||
        world->now_ns - sending->first_byte_at < world->options.response_timeout_ns) {
        return false;
    }
    /* In a pipeline the clock runs for the oldest only. */
    const struct link_watch *watch = &sending->link->watch;
    return !entry_expects_response(entry) || dialect_has_ids(&world->dialect) ||
           (watch->awaited_count > 0 && watch->awaited[0] == entry);
}

/* Whether a request may have ended for this reason. */
static bool cause_is_real(const struct world *world, const struct ledger_entry *entry,
                          enum mux_reason reason)
{
    switch (reason_trouble(reason)) {
    case TROUBLE_UNREACHABLE:
        return has_waited(world, entry, world->options.queue_timeout_ns);
    case TROUBLE_TIMEOUT:
        return timed_out(world, entry);
    case TROUBLE_BROKEN:
        return is_broken(world, entry) || memory_failed() > 0;
    case TROUBLE_OVERLOADED:
        return has_waited(world, entry, world->options.wait_timeout_ns) || memory_failed() > 0;
    case TROUBLE_SHUTDOWN:
        return world->draining && world->now_ns - world->drained_at >= world->options.grace_ns;
    case TROUBLE_REFUSED:
    case TROUBLE_MALFORMED:
    case TROUBLE_TOO_LARGE:
    case TROUBLE_CLIENT_TIMEOUT:
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
        return world->now_ns - client->last_read_at >= world->options.client_timeout_ns;
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
        if (!cause_is_real(world, entry, reason)) {
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

/* Every whole request that counts was taken, and has ended. */
static void check_everything_was_served(const struct world *world, const struct client *client)
{
    uint32_t poison = sim_client_poison(client);
    for (uint32_t i = 0; i < client->entries_count && i <= poison; i++) {
        const struct ledger_entry *entry = client->entries[i];
        if (!entry->is_request || !entry->read_whole) {
            continue;
        }
        if (entry->exchange == 0 ||
            world->witness.exchanges[entry->exchange].phase != PHASE_ENDED) {
            sim_fail("every request ends before its client is closed in order",
                     "request %u.%u has not", entry->client, entry->sequence);
        }
    }
}

static bool has_kind(const struct client *client, char kind)
{
    for (uint32_t i = 0; i < client->seen_count; i++) {
        if (client->entries[i]->kind == kind) {
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
        return has_kind(client, 'C');
    case REASON_MEMORY:
        return world->swarm.memory_is_tight || memory_failed() > 0;
    case REASON_SHUTDOWN:
        return world->draining;
    case REASON_EARLY_RESPONSE:
        return world->swarm.target.early_percent > 0 || !world->swarm.is_calm;
    default: /* a trouble that was told and closes */
        break;
    }
    return was_told(client, reason) &&
           (told == reason || world->dialect.protocol->error_reply != NULL);
}

/* Whether responses that it did not take may be lost with it. */
static bool may_be_cut_off(const struct world *world, const struct client *client,
                           enum mux_reason reason)
{
    const struct connection *connection = client->connection;
    bool slow = connection->owed &&
                world->now_ns - connection->owed_since >= world->options.write_timeout_ns;
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
    client->may_be_cut_off = paused || may_be_cut_off(world, client, reason);
    if (!close_is_legal(world, client, reason, told)) {
        sim_fail("a client is closed for a reason",
                 "client %u is closed for %s, which does not hold", client->number,
                 reason_text(reason));
    }
}

/* ---- what arrives ---- */

static void settle_upto(const struct world *world, struct client *client, uint32_t index,
                        enum outcome outcome)
{
    uint64_t now = world->now_ns;
    if (dialect_has_ids(&world->dialect)) { /* in any order */
        client->entries[index]->outcome = outcome;
        client->entries[index]->settled_at = now;
        return;
    }
    for (uint32_t i = client->settled; i < index; i++) {
        client->entries[i]->outcome = OUTCOME_SILENT;
        client->entries[i]->settled_at = now;
    }
    client->entries[index]->outcome = outcome;
    client->entries[index]->settled_at = now;
    client->settled = index + 1;
}

void sim_client_settle_silent(struct client *client)
{
    while (client->settled < client->entries_count) {
        struct ledger_entry *entry = client->entries[client->settled];
        if (entry->outcome == OUTCOME_NONE && entry->kind == '!' && entry->is_request) {
            entry->outcome = OUTCOME_SILENT;
        }
        if (entry->outcome == OUTCOME_NONE) {
            return;
        }
        client->settled++;
    }
}

/* The oldest entry that awaits a response; entries_count: none does. */
static uint32_t head_of(const struct client *client)
{
    uint32_t index = client->settled;
    while (index < client->entries_count && client->entries[index]->is_request &&
           !entry_expects_response(client->entries[index])) {
        index++;
    }
    return index;
}

static bool is_right(const struct world *world, const struct ledger_entry *entry, struct span text)
{
    uint8_t right[9000 + MESSAGE_HEAD_BYTES_MAX];
    char kind = (char)text.data[0];
    if (kind != 'R' && kind != 'Z' && kind != 'I') {
        return false;
    }
    size_t size = message_response_text(kind, span_of(entry->text, entry->text_size),
                                        response_bytes_max(world), right);
    return size == text.size && memcmp(right, text.data, size) == 0;
}

/* Whether the target, which does not always tell the truth, put just these bytes where the response
 * to this request belongs. */
static bool is_what_the_target_said(const struct world *world, const struct ledger_entry *entry,
                                    struct span text)
{
    for (uint32_t i = 0; i < entry->sendings_count; i++) {
        const struct sending *sending = &entry->sendings[i];
        size_t size;
        struct span said;
        struct span bytes =
            pipe_history(&sending->link->up, sending->response_from, sending->response_upto);
        while (target_link_has_lied(sending->link->target) &&
               message_cut(&world->dialect, TARGET_SIDE, RESPONSE, bytes, &size, &said) ==
                   CUT_WHOLE) {
            if (said.size == text.size && memcmp(said.data, text.data, said.size) == 0) {
                return true;
            }
            bytes = span_from(bytes, size);
        }
    }
    return false;
}

/* The entry that awaits the answer of this identifier; entries_count: none does. */
static uint32_t index_of_id(const struct client *client, uint32_t id)
{
    for (uint32_t i = client->settled; i < client->entries_count; i++) {
        const struct ledger_entry *entry = client->entries[i];
        if (entry->is_request && entry->outcome == OUTCOME_NONE && entry_expects_response(entry) &&
            message_client_id(span_of(entry->text, entry->text_size)) == id) {
            return i;
        }
    }
    return client->entries_count;
}

static void take_response(struct world *world, struct client *client, struct span bytes,
                          struct span text)
{
    uint32_t head = dialect_has_ids(&world->dialect)
                        ? index_of_id(client, message_id(CLIENT_SIDE, bytes))
                        : head_of(client);
    struct ledger_entry *entry = head < client->entries_count ? client->entries[head] : NULL;
    bool is_model = world->dialect.protocol->edit != NULL;
    if (entry == NULL || !entry->is_request ||
        !((text.size > 0 && is_right(world, entry, text)) ||
          is_what_the_target_said(world, entry, text))) {
        char shown[100];
        sim_fail("a response reaches the client that asked, or nobody",
                 "client %u, awaiting the answer to %u.%u, gets: %s", client->number,
                 client->number, head + 1, trace_bytes(shown, sizeof shown, text));
    }
    if (is_model && text.size > 0 && text.data[0] == 'I') {
        entry->interim_seen = true;
        return;
    }
    client->answers++;
    settle_upto(world, client, head, OUTCOME_ANSWERED);
}

/* The index of the entry that an error reply speaks of; entries_count: none of ours. */
static uint32_t error_subject(const struct client *client, struct span tag)
{
    char line[40];
    unsigned number, sequence;
    size_t size = tag.size < sizeof line - 1 ? tag.size : sizeof line - 1;
    memcpy(line, tag.data, size);
    line[size] = '\0';
    if (sscanf(line, "%u.%u", &number, &sequence) != 2 || number != client->number ||
        sequence == 0 || sequence > client->entries_count) {
        return client->entries_count;
    }
    return sequence - 1;
}

static void take_error(struct world *world, struct client *client, struct span text)
{
    char shown[100];
    const char *word = (const char *)text.data + 2;
    const uint8_t *space = memchr(text.data + 2, ' ', text.size - 2);
    assert(space != NULL);
    size_t word_size = (size_t)((const char *)space - word);
    struct span tag = span_from(text, (size_t)(space + 1 - text.data));
    bool apart = tag.size == 1 && tag.data[0] == '-';
    uint32_t index = apart ? client->entries_count : error_subject(client, tag);
    bool known =
        apart ? client->told_apart : index < client->entries_count && client->told_any[index];
    const char *right = model_trouble(apart || !known ? client->apart : client->told[index]);
    uint32_t head = head_of(client);
    bool in_order = apart ||
                    (dialect_has_ids(&world->dialect) && known &&
                     client->entries[index]->outcome == OUTCOME_NONE) ||
                    (index >= client->settled && index <= head) ||
                    (known && client->entries[index]->outcome == OUTCOME_SILENT);
    if (!known || !in_order || strlen(right) != word_size || memcmp(right, word, word_size) != 0) {
        sim_fail("error replies take their place in the client's order",
                 "client %u, at %u.%u, gets: %s", client->number, client->number, head + 1,
                 trace_bytes(shown, sizeof shown, text));
    }
    if (!apart && index >= client->settled) {
        settle_upto(world, client, index, OUTCOME_ERROR_REPLY);
    }
}

void sim_client_hear(struct world *world, struct client *client)
{
    struct pipe *down = &client->connection->down;
    pipe_consume(down, pipe_available(down));
    for (;;) {
        size_t size;
        struct span text;
        struct span bytes = pipe_history(down, client->parsed, down->read);
        enum cut cut = message_cut(&world->dialect, CLIENT_SIDE, RESPONSE, bytes, &size, &text);
        if (cut == CUT_PARTIAL) {
            break;
        }
        char shown[100];
        WORLD_TRACE(world, "client %u hears: %s", client->number,
                    trace_bytes(shown, sizeof shown, text));
        if (cut == CUT_INVALID) {
            sim_fail("a response reaches the client whole", "client %u gets: %s", client->number,
                     trace_bytes(shown, sizeof shown, bytes));
        }
        client->parsed += size;
        if (world->dialect.protocol->error_reply != NULL && text.size > 2 &&
            memcmp(text.data, "E ", 2) == 0) {
            take_error(world, client, text);
        } else {
            take_response(world, client, bytes, text);
        }
    }
    sim_client_settle_silent(client);
}

/* What was queued for the client has come before the end. */
static void check_everything_arrived(const struct world *world, const struct client *client)
{
    for (uint32_t i = client->settled; i < client->entries_count; i++) {
        const struct ledger_entry *entry = client->entries[i];
        const struct seen_exchange *exchange = &world->witness.exchanges[entry->exchange];
        if (entry->outcome == OUTCOME_NONE && entry->exchange != 0 &&
            entry_expects_response(entry) && exchange->phase == PHASE_ENDED &&
            exchange->reason == REASON_NONE && !exchange->orphaned) {
            sim_fail("a response reaches the client that asked",
                     "client %u sees the end and not the answer to %u.%u", client->number,
                     client->number, entry->sequence);
        }
    }
}

void sim_client_hear_end(struct world *world, struct client *client)
{
    const struct pipe *down = &client->connection->down;
    bool cut_off = client->closed_by_core && client->may_be_cut_off;
    if (client->saw_end && !cut_off) {
        check_everything_arrived(world, client);
    }
    if (client->saw_end && down->read > client->parsed && !cut_off) {
        sim_fail("a response reaches the client whole",
                 "client %u sees the end inside a message, closed for %s", client->number,
                 client->closed_by_core ? reason_text(client->close_reason) : "nothing yet");
    }
}
