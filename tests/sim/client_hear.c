/* SPDX-License-Identifier: MIT */
/*
 * A client of the simulator: what may arrive at it. See client_model.h.
 *
 * What arrives must be the response to the oldest unanswered request, or the error reply for the trouble
 * that was told. A response that streams is compared as it comes, so that a part is enough to
 * betray another's; the end of the connection is its end only where its head says so, and then it must
 * be all that the target said.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_model.h"
#include "client_state.h"
#include "model_protocol.h"
#include "sharing.h"
#include "target_model.h"
#include "world.h"

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

/* ---- responses ---- */

/* Computes the right response once, since those that stream are compared piece by piece. */
static struct span right_response(const struct world *world, struct client *client,
                                  const struct ledger_entry *entry, struct span text)
{
    char kind = (char)text.data[0];
    if (client->right_of != entry->sequence || (char)client->right[0] != kind) {
        client->right = realloc(client->right, message_response_room(&world->dialect));
        assert(client->right != NULL);
        client->right_of = entry->sequence;
        client->right_size = message_response_text(
            &world->dialect, kind, span_of(entry->text, entry->text_size), client->right);
    }
    if (sharing_is_shareable(entry->kind)) { /* see sharing_answered for the number */
        message_set_number(span_of(client->right, client->right_size), client->right,
                           message_number(text));
    }
    return span_of(client->right, client->right_size);
}

/* Whether `text` is `all`, or the first part of it. */
static bool is_part_of(struct span all, struct span text, bool is_whole)
{
    return (is_whole ? text.size == all.size : text.size <= all.size) &&
           (text.size == 0 || memcmp(all.data, text.data, text.size) == 0);
}

static bool is_right(const struct world *world, struct client *client,
                     const struct ledger_entry *entry, struct span text, bool is_whole)
{
    char kind = (char)text.data[0];
    return (kind == 'R' || kind == 'Z' || kind == 'I') &&
           is_part_of(right_response(world, client, entry, text), text, is_whole);
}

/* Whether the target, which does not always tell the truth or to the end, put just these bytes where the
 * response to this request belongs. */
static bool is_what_the_target_said(const struct world *world, const struct sending *sending,
                                    struct span text, bool is_whole)
{
    struct reader reader = {0};
    bool is_it = false;
    uint64_t at = sending->response_from;
    while (!is_it && (target_link_has_lied(sending->link->target) || sending->link->told_end)) {
        size_t size = reader_take(&reader, &world->dialect, TARGET_SIDE, RESPONSE,
                                  pipe_history(&sending->link->up, at, sending->response_upto));
        bool is_complete = reader.phase == READER_WHOLE ||
                           (reader.phase == READER_UNTIL_END && sending->response_whole);
        is_it = (reader.size > 0 || is_complete) && (is_complete || !is_whole) &&
                is_part_of(reader_text(&reader), text, is_whole);
        if (reader.phase != READER_WHOLE) {
            break;
        }
        at += size;
        reader_reset(&reader);
    }
    reader_deinit(&reader);
    return is_it;
}

static bool was_said(const struct world *world, const struct ledger_entry *entry, struct span text,
                     bool is_whole)
{
    const struct ledger_entry *leader = sharing_leader(world, entry);
    for (uint32_t i = 0; i < leader->sendings_count; i++) {
        if (is_what_the_target_said(world, &leader->sendings[i], text, is_whole)) {
            return true;
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
            entry->own_id == id) {
            return i;
        }
    }
    return client->entries_count;
}

/* The entry whose response is heard, which must be what has come of it so far. */
static struct ledger_entry *check_response(const struct world *world, struct client *client,
                                           bool is_whole)
{
    struct span text = reader_text(&client->reader);
    uint32_t head =
        dialect_has_ids(&world->dialect) ? index_of_id(client, client->reader.id) : head_of(client);
    struct ledger_entry *entry = head < client->entries_count ? client->entries[head] : NULL;
    if (entry == NULL || !entry->is_request ||
        !((text.size > 0 && is_right(world, client, entry, text, is_whole)) ||
          was_said(world, entry, text, is_whole))) {
        char shown[100];
        sim_fail("a response reaches the client that asked, or nobody",
                 "client %u, awaiting the answer to %u.%u, gets%s: %s", client->number,
                 client->number, head + 1, is_whole ? "" : " in part",
                 trace_bytes(shown, sizeof shown, text));
    }
    if (client->told_end_by != 0 && client->told_end_by != entry->sequence) {
        sim_fail("nothing follows a response whose head says that it is the last",
                 "client %u gets an answer to %u.%u", client->number, client->number, head + 1);
    }
    if (client->reader.tells_end) {
        client->told_end_by = entry->sequence;
    }
    return entry;
}

static void take_response(struct world *world, struct client *client)
{
    struct ledger_entry *entry = check_response(world, client, true);
    struct span text = reader_text(&client->reader);
    client->awaits_interim_until = 0;
    if (world->dialect.protocol->edit != NULL && text.size > 0 && text.data[0] == 'I') {
        entry->interim_seen = true;
        return;
    }
    if (sharing_is_shareable(entry->kind) && text.size > 0 &&
        is_right(world, client, entry, text, true)) {
        sharing_answered(world, entry, text);
    }
    client->answers++;
    settle_upto(world, client, entry->sequence - 1, OUTCOME_ANSWERED);
}

/* ---- error replies ---- */

/* The index of the entry that an error reply speaks of; entries_count: none of ours. That to a read that may
 * be shared names no client, but has its identifier. */
static uint32_t error_subject(const struct client *client, struct span tag)
{
    char line[40];
    unsigned number, sequence;
    size_t size = tag.size < sizeof line - 1 ? tag.size : sizeof line - 1;
    memcpy(line, tag.data, size);
    line[size] = '\0';
    bool is_told = sscanf(line, "%u.%u", &number, &sequence) == 2;
    if (is_told && number == 0) {
        return index_of_id(client, client->reader.id);
    }
    if (!is_told || number != client->number || sequence == 0 || sequence > client->entries_count) {
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

/* ---- what arrives ---- */

/* One message, or what has come of it. False: no more can be told apart. */
static bool hear_next(struct world *world, struct client *client)
{
    struct reader *reader = &client->reader;
    const struct pipe *down = &client->connection->down;
    struct span bytes = pipe_history(down, client->parsed, client->heard);
    uint32_t head = head_of(client);
    if (reader->taken == 0) {
        reader->is_old = head < client->entries_count && client->entries[head]->kind == 'O';
    }
    size_t size = reader_take(reader, &world->dialect, CLIENT_SIDE, RESPONSE, bytes);
    client->parsed += size;
    char shown[100];
    if (reader->phase == READER_INVALID) {
        sim_fail("a response reaches the client whole", "client %u gets: %s", client->number,
                 trace_bytes(shown, sizeof shown, bytes));
    }
    if (reader->phase == READER_WHOLE) {
        WORLD_TRACE(world, "client %u hears: %s", client->number,
                    trace_bytes(shown, sizeof shown, reader_text(reader)));
        if (reader->is_error) {
            take_error(world, client, reader_text(reader));
        } else {
            take_response(world, client);
        }
        reader_reset(reader);
        return true;
    }
    if (size > 0) {
        (void)check_response(world, client, false);
    }
    return false;
}

void sim_client_hear(struct world *world, struct client *client)
{
    struct pipe *down = &client->connection->down;
    size_t size = pipe_available(down);
    if (client->sip_bytes_max > 0) {
        size_t sip = (size_t)choose_between(world->choice, 1, client->sip_bytes_max);
        size = sip < size ? sip : size;
        client->next_read_at =
            world->now_ns + choose(world->choice, world->swarm.clients.dribble_ns + 1);
    }
    pipe_consume(down, size);
    client->heard += size;
    while (hear_next(world, client)) {
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

/* The end of the connection where a message is under way. */
static void hear_end_inside(struct world *world, struct client *client)
{
    bool ended_inside = client->half_closed && client->out_done < client->out_size;
    bool cut_off =
        client->is_cut_off || ended_inside || (client->closed_by_core && client->may_be_cut_off);
    if (client->reader.phase == READER_UNTIL_END) {
        const struct ledger_entry *entry = check_response(world, client, false);
        struct span text = reader_text(&client->reader);
        if (!is_right(world, client, entry, text, true) && !was_said(world, entry, text, true)) {
            sim_fail("a part of a response never looks like all of it",
                     "client %u gets %zu bytes and the end, closed for %s", client->number,
                     text.size,
                     client->closed_by_core ? reason_text(client->close_reason) : "nothing yet");
        }
        take_response(world, client);
        reader_reset(&client->reader);
    } else if (!cut_off) {
        sim_fail("a response reaches the client whole",
                 "client %u sees the end inside a message, closed for %s", client->number,
                 client->closed_by_core ? reason_text(client->close_reason) : "nothing yet");
    }
}

void sim_client_hear_end(struct world *world, struct client *client)
{
    const struct pipe *down = &client->connection->down;
    if (!client->saw_end) {
        return;
    }
    if (client->reader.taken > 0 || down->read > client->parsed) {
        hear_end_inside(world, client);
    }
    if (!client->closed_by_core || !client->may_be_cut_off) {
        check_everything_arrived(world, client);
    }
}
