/* SPDX-License-Identifier: MIT */
/*
 * Requests that share a response: the core's story of who joined whom. See sharing.h, and sharing_answers.c
 * for what clients get.
 */
#include "sharing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client_state.h"
#include "memory.h"
#include "target_model.h"
#include "turns.h"
#include "world.h"

void sharing_deinit(struct sharing *sharing)
{
    free(sharing->hearings);
    *sharing = (struct sharing){0};
}

bool sharing_is_read(char kind)
{
    return kind == 'G' || kind == 'S';
}

bool sharing_is_shareable(char kind)
{
    return kind == 'S';
}

static uint64_t serial_of(const struct world *world, const struct seen_exchange *exchange)
{
    return (uint64_t)(exchange - world->witness.exchanges);
}

uint32_t sharing_key(struct span text)
{
    char kind;
    uint32_t client, key;
    return message_request_parse(text, &kind, &client, &key) && client == 0 ? key : 0;
}

static uint32_t entry_key(const struct ledger_entry *entry)
{
    return sharing_key(span_of(entry->text, entry->text_size));
}

static struct sending *sending_on(struct ledger_entry *entry, const struct connection *link)
{
    for (uint32_t i = entry->sendings_count; i > 0; i--) {
        if (entry->sendings[i - 1].link == link) {
            return &entry->sendings[i - 1];
        }
    }
    return NULL;
}

/* ---- the target ---- */

static struct hearing *add_hearing(struct sharing *sharing)
{
    if (sharing->hearings_count == sharing->hearings_room) {
        sharing->hearings_room = sharing->hearings_room * 2 + 64;
        sharing->hearings =
            realloc(sharing->hearings, sharing->hearings_room * sizeof *sharing->hearings);
        assert(sharing->hearings != NULL);
    }
    return &sharing->hearings[sharing->hearings_count++];
}

uint32_t sharing_heard(struct world *world, const struct connection *link, uint32_t id,
                       struct span text)
{
    struct sharing *sharing = &world->sharing;
    char kind;
    uint32_t client, sequence;
    bool is_ours = message_request_parse(text, &kind, &client, &sequence);
    assert(is_ours);
    *add_hearing(sharing) = (struct hearing){.link = link, .id = id, .key = sharing_key(text)};
    sharing->reads_heard += sharing_is_shareable(kind);
    struct ledger_entry *entry = world_entry(world, client, sequence); /* of a read: none */
    struct sending *sending = entry == NULL ? NULL : sending_on(entry, link);
    if (sending != NULL) {
        sending->heard_as = sharing->hearings_count;
    }
    return sharing->hearings_count;
}

/* ---- who shares ---- */

const struct ledger_entry *sharing_leader(const struct world *world,
                                          const struct ledger_entry *entry)
{
    const struct seen_exchange *exchange = &world->witness.exchanges[entry->exchange];
    return exchange->leader == 0 ? entry : world->witness.exchanges[exchange->leader].entry;
}

struct ledger_entry *sharing_reader(const struct world *world, const struct connection *link,
                                    uint32_t id)
{
    const struct witness *witness = &world->witness;
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->phase == PHASE_TAKEN && exchange->link == link &&
            sharing_is_shareable(exchange->kind) && exchange->id == id) {
            return exchange->entry;
        }
    }
    return NULL;
}

static bool is_joined_to(const struct seen_exchange *exchange, uint64_t leader)
{
    return exchange->phase == PHASE_JOINED && exchange->leader == leader;
}

bool sharing_is_joined(const struct world *world, uint64_t client)
{
    const struct witness *witness = &world->witness;
    for (uint64_t i = witness->oldest_open;
         world->sharing.joined_now > 0 && i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->client == client && exchange->phase == PHASE_JOINED) {
            return true;
        }
    }
    return false;
}

/* ---- joining ---- */

void sharing_asked(struct world *world, struct seen_exchange *exchange)
{
    struct sharing *sharing = &world->sharing;
    sharing->effects_open += !sharing_is_read(exchange->kind);
    sharing->reads += sharing_is_shareable(exchange->kind);
    exchange->newest_effect = sharing->newest_effect;
}

static void check_sharing_is_on(const struct world *world, const struct mux_event *event)
{
    if (!world->options.coalesce) {
        sim_fail("without --coalesce nothing is shared", "exchange %llu joins %llu",
                 (unsigned long long)event->exchange, (unsigned long long)event->leader);
    }
}

static void check_reads_are_the_same(const struct seen_exchange *reader,
                                     const struct seen_exchange *leader)
{
    const struct ledger_entry *one = reader->entry;
    const struct ledger_entry *other = leader->entry;
    bool is_open = leader->phase == PHASE_WAITING || leader->phase == PHASE_TAKEN;
    if (!sharing_is_shareable(one->kind) || !sharing_is_shareable(other->kind) ||
        entry_key(one) != entry_key(other) || !is_open) {
        sim_fail("only the same read is shared, while it is under way",
                 "request %c%u.%u joins %c%u.%u, in phase %d", one->kind, one->client,
                 one->sequence, other->kind, other->client, other->sequence, (int)leader->phase);
    }
}

static void check_no_effect_is_between(const struct world *world,
                                       const struct seen_exchange *reader,
                                       const struct seen_exchange *leader)
{
    const struct sharing *sharing = &world->sharing;
    if (sharing->effects_open > 0) {
        sim_fail("nobody joins while an effect is open", "request %u.%u does, %llu are",
                 reader->entry->client, reader->entry->sequence,
                 (unsigned long long)sharing->effects_open);
    }
    if (leader->phase == PHASE_TAKEN && leader->effects_ended != sharing->effects_ended) {
        sim_fail("nobody joins a read that took its link before an effect ended",
                 "request %u.%u joins %u.%u", reader->entry->client, reader->entry->sequence,
                 leader->entry->client, leader->entry->sequence);
    }
}

/* It may have come in the very reading that lets the core see to a request which it had before. */
static void check_response_has_not_begun(const struct seen_exchange *reader,
                                         const struct seen_exchange *leader)
{
    const struct sending *sending =
        leader->phase == PHASE_TAKEN ? sending_on(leader->entry, leader->link) : NULL;
    if (sending != NULL && sending->responding && sending->responding_in < reader->entry->read_in) {
        sim_fail("nobody joins who asked when a byte of the response had come",
                 "request %u.%u joins %u.%u", reader->entry->client, reader->entry->sequence,
                 leader->entry->client, leader->entry->sequence);
    }
}

void sharing_joined(struct world *world, const struct mux_event *event)
{
    struct witness *witness = &world->witness;
    struct seen_exchange *reader = &witness->exchanges[event->exchange];
    struct seen_exchange *leader = &witness->exchanges[event->leader];
    if (!world->modelled) {
        return;
    }
    check_sharing_is_on(world, event);
    check_reads_are_the_same(reader, leader);
    check_no_effect_is_between(world, reader, leader);
    check_response_has_not_begun(reader, leader);
    reader->phase = PHASE_JOINED;
    reader->leader = event->leader;
    world->sharing.joined++;
    world->sharing.joined_now++;
}

void sharing_taken(const struct world *world, struct seen_exchange *exchange)
{
    exchange->effects_ended = world->sharing.effects_ended;
    if (!sharing_is_read(exchange->kind) && sharing_is_joined(world, exchange->client)) {
        sim_fail("what a client shares is read before its next request has an effect",
                 "exchange %llu of client #%llu is taken",
                 (unsigned long long)serial_of(world, exchange),
                 (unsigned long long)exchange->client);
    }
}

/* ---- the leader's end ---- */

/* A sending that has ended with its link was made for all who had joined by then. */
static void share_sending(struct world *world, const struct seen_exchange *leader)
{
    struct witness *witness = &world->witness;
    const struct sending *sending = sending_on(leader->entry, leader->link);
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        struct seen_exchange *exchange = &witness->exchanges[i];
        if (is_joined_to(exchange, serial_of(world, leader))) {
            exchange->entry->sent_for_it += sending != NULL && !sending->unprocessed;
        }
    }
}

void sharing_returned(struct world *world, const struct seen_exchange *leader)
{
    if (world->sharing.joined_now > 0 && leader->entry != NULL) {
        share_sending(world, leader);
    }
}

/* Who has joined and is still without an end, when its leader ends. */
static void check_joiner_may_stay(const struct world *world, const struct seen_exchange *leader,
                                  const struct seen_exchange *joiner)
{
    const struct sending *sending =
        leader->link == NULL ? NULL : sending_on(leader->entry, leader->link);
    if (leader->reason == REASON_NONE && memory_failed() == 0) {
        sim_fail("a response goes to all who have joined",
                 "request %u.%u does not get that of exchange %llu%s", joiner->entry->client,
                 joiner->entry->sequence, (unsigned long long)serial_of(world, leader),
                 leader->orphaned ? ", whose client has gone" : "");
    }
    if (leader->reason == REASON_TARGET_MALFORMED && sending != NULL && sending->wrong) {
        sim_fail("who has joined a read that was answered wrongly fails with it",
                 "request %u.%u does not, when exchange %llu does", joiner->entry->client,
                 joiner->entry->sequence, (unsigned long long)serial_of(world, leader));
    }
    if (leader->reason == REASON_RESPONSE_TIMEOUT && sending != NULL && sending->whole &&
        joiner->since <= sending->first_byte_at) {
        sim_fail("who has waited as long ends with its leader",
                 "request %u.%u does not, when exchange %llu has had its time",
                 joiner->entry->client, joiner->entry->sequence,
                 (unsigned long long)serial_of(world, leader));
    }
}

/* The first who joined takes the place of its leader, and the others stay with it. */
static void follow(struct world *world, const struct seen_exchange *leader)
{
    struct witness *witness = &world->witness;
    uint64_t old = serial_of(world, leader), heir = 0;
    if (leader->reason == REASON_LINK_BROKEN && leader->link != NULL) {
        share_sending(world, leader);
    }
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        struct seen_exchange *exchange = &witness->exchanges[i];
        if (!is_joined_to(exchange, old)) {
            continue;
        }
        check_joiner_may_stay(world, leader, exchange);
        exchange->leader = heir;
        if (heir == 0) {
            heir = i;
            exchange->phase = PHASE_WAITING;
            turns_returned(world, exchange->client);
            world->sharing.joined_now--;
            world->sharing.heirs++;
        }
    }
}

void sharing_ended(struct world *world, struct seen_exchange *exchange)
{
    struct sharing *sharing = &world->sharing;
    struct ledger_entry *entry = exchange->entry;
    if (entry == NULL) {
        return;
    }
    if (!sharing_is_read(exchange->kind)) {
        sharing->effects_open--;
        sharing->effects_ended++;
    }
    const struct sending *sending =
        exchange->link == NULL ? NULL : sending_on(entry, exchange->link);
    if (!sharing_is_read(exchange->kind) && exchange->reason == REASON_NONE && sending != NULL &&
        sending->heard_as > sharing->newest_effect &&
        !target_link_has_lied(sending->link->target)) {
        sharing->newest_effect = sending->heard_as;
    }
    if (exchange->leader != 0) {
        sharing->joined_now--;
        world->witness.exchanges[exchange->leader].served += exchange->reason == REASON_NONE;
        return;
    }
    sharing->served_by_orphans += exchange->orphaned ? exchange->served : 0;
    if (sharing->joined_now > 0) {
        follow(world, exchange);
    }
}

void check_joiners_end_in_time(const struct world *world)
{
    const struct witness *witness = &world->witness;
    /* Its leader may stand unsent behind others on its link, each of which has its time. */
    uint64_t longest =
        time_after(world->options.wait_timeout_ns,
                   world->options.response_timeout_ns * (world->options.in_flight_max + 1));
    uint64_t slack = NS_PER_MS + world->swarm.engine.tick_max_ns * 1000;
    for (uint64_t i = witness->oldest_open;
         world->sharing.joined_now > 0 && i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->phase == PHASE_JOINED &&
            world->now_ns >
                time_after(exchange->since,
                           longest + slack + world_stopped_since(world, exchange->since))) {
            sim_fail("who has joined ends by its own deadline",
                     "request %u.%u is %llu ms old, and allowed %llu", exchange->entry->client,
                     exchange->entry->sequence,
                     (unsigned long long)((world->now_ns - exchange->since) / NS_PER_MS),
                     (unsigned long long)(longest / NS_PER_MS));
        }
    }
}
