/* SPDX-License-Identifier: MIT */
/*
 * Requests that share a response: what clients get, held against what the target heard. See sharing.h, and
 * sharing.c for the core's own story.
 */
#include "client_state.h"
#include "memory.h"
#include "sharing.h"
#include "target_model.h"
#include "world.h"

/* What was heard under the number that a response shows; NULL: nothing that has to do with its link's truth
 * can be told, since the target does not stick to it there. */
static struct hearing *truth_of(const struct sharing *sharing, const struct ledger_entry *entry,
                                uint32_t number)
{
    struct hearing *hearing =
        number == 0 || number > sharing->hearings_count ? NULL : &sharing->hearings[number - 1];
    if (hearing == NULL || hearing->key != sharing_key(span_of(entry->text, entry->text_size))) {
        sim_fail("a response shows which reading it is",
                 "that to request %u.%u shows number %u, which no such read has", entry->client,
                 entry->sequence, number);
    }
    return target_link_has_lied(hearing->link->target) ? NULL : hearing;
}

/* Whether the sending that the target answered was made for this request. */
static bool is_its_sending(const struct world *world, const struct ledger_entry *entry,
                           const struct hearing *hearing)
{
    const struct ledger_entry *leader = sharing_leader(world, entry);
    for (uint32_t i = 0; i < leader->sendings_count; i++) {
        const struct sending *sending = &leader->sendings[i];
        if (sending->link == hearing->link && sending->id == hearing->id) {
            return true;
        }
    }
    return false;
}

void sharing_answered(struct world *world, struct ledger_entry *entry, struct span text)
{
    struct sharing *sharing = &world->sharing;
    const struct seen_exchange *exchange = &world->witness.exchanges[entry->exchange];
    uint32_t number = message_number(text);
    struct hearing *hearing = truth_of(sharing, entry, number);
    if (hearing == NULL) {
        return;
    }
    entry->shown = number;
    if (number <= exchange->newest_effect) {
        sim_fail("nobody reads what was true before an effect that had ended",
                 "request %u.%u gets reading %u, and asked when %u had had its effect",
                 entry->client, entry->sequence, number, exchange->newest_effect);
    }
    hearing->answered += exchange->leader == 0;
    if (!is_its_sending(world, entry, hearing) || hearing->answered > 1) {
        sim_fail("a response goes to its request and to those who joined it, and to nobody else",
                 "request %u.%u gets reading %u, which was made for another", entry->client,
                 entry->sequence, number);
    }
}

/* ---- at the end ---- */

/* When the target had the request that was answered; 0: it is not known. */
static uint32_t effect_at(const struct ledger_entry *entry)
{
    const struct sending *last =
        entry->sendings_count == 0 ? NULL : &entry->sendings[entry->sendings_count - 1];
    bool is_known = entry->outcome == OUTCOME_ANSWERED && !sharing_is_read(entry->kind) &&
                    last != NULL && !target_link_has_lied(last->link->target);
    return is_known ? last->heard_as : 0;
}

static void check_order(const struct world *world, const struct ledger_entry *read,
                        const struct ledger_entry *effect)
{
    bool is_joiner = world->witness.exchanges[read->exchange].leader != 0;
    uint32_t at = effect_at(effect);
    bool is_late =
        read->sequence > effect->sequence ? read->shown < at : is_joiner && read->shown > at;
    if (at != 0 && is_late) {
        sim_fail("a client's reads and effects are in its order",
                 "request %u.%u was read at %u, and %u.%u had its effect at %u", read->client,
                 read->sequence, read->shown, effect->client, effect->sequence, at);
    }
}

/* What a client has read alone may have been read twice, the second time behind a later request of it. */
void check_reads_and_effects_are_in_order(const struct world *world)
{
    for (uint32_t i = 0; world->sharing.reads > 0 && i < world->clients_count; i++) {
        const struct client *client = world->clients[i];
        for (uint32_t j = 0; j < client->entries_count; j++) {
            for (uint32_t k = 0; client->entries[j]->shown != 0 && k < client->entries_count; k++) {
                check_order(world, client->entries[j], client->entries[k]);
            }
        }
    }
}

/* Every read that was answered has a sending of its own that was, or has joined one. Without faults every
 * one was heard by the target or has joined. */
void check_reads_add_up(const struct world *world)
{
    const struct sharing *sharing = &world->sharing;
    uint64_t sent = 0, alone = 0, shared = 0, answered = 0;
    for (uint64_t i = 1; sharing->reads > 0 && i <= world->witness.exchanges_count; i++) {
        const struct seen_exchange *exchange = &world->witness.exchanges[i];
        if (exchange->entry == NULL || !sharing_is_shareable(exchange->kind)) {
            continue;
        }
        const struct ledger_entry *entry = exchange->entry;
        bool has_response =
            entry->sendings_count > 0 && entry->sendings[entry->sendings_count - 1].response_whole;
        sent += entry->sendings_count;
        answered += exchange->reason == REASON_NONE;
        alone += exchange->reason == REASON_NONE && exchange->leader == 0 && has_response;
        shared += exchange->reason == REASON_NONE && exchange->leader != 0;
    }
    bool is_even = alone + shared == answered && sharing->reads_heard <= sent;
    bool is_calm_even =
        !world->swarm.is_calm || sharing->reads == sharing->reads_heard + sharing->joined;
    if ((!is_even && memory_failed() == 0) || !is_calm_even) {
        sim_fail("sendings and those who joined account for all reads",
                 "%llu reads, %llu sent, %llu heard, %llu joined; %llu answered, %llu alone, "
                 "%llu shared",
                 (unsigned long long)sharing->reads, (unsigned long long)sent,
                 (unsigned long long)sharing->reads_heard, (unsigned long long)sharing->joined,
                 (unsigned long long)answered, (unsigned long long)alone,
                 (unsigned long long)shared);
    }
}
