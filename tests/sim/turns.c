/* SPDX-License-Identifier: MIT */
/* Whose turn it is; see turns.h. */
#include "turns.h"

#include <string.h>

#include "client_state.h"
#include "memory.h"
#include "pipelines.h"
#include "sharing.h"
#include "world.h"

/* ---- who waits ---- */

/* The link that has requests of the client; NULL: none has. */
static const struct connection *link_of(const struct witness *witness, uint64_t serial)
{
    const struct seen_client *client = &witness->clients[serial];
    for (uint64_t i = client->head; client->open > 0 && i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->client == serial && exchange->phase == PHASE_TAKEN &&
            !exchange->link->was_lost) {
            return exchange->link;
        }
    }
    return NULL;
}

/* The request of the client that has no link, behind exchange `after`; NULL: it has none. */
static const struct seen_exchange *next_behind(const struct witness *witness, uint64_t serial,
                                               uint64_t after)
{
    const struct seen_client *client = &witness->clients[serial];
    uint64_t from = client->head > after ? client->head : after + 1;
    for (uint64_t i = from; client->open > 0 && i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->client == serial && exchange->phase == PHASE_WAITING) {
            return exchange;
        }
    }
    return NULL;
}

/* The oldest. */
static const struct seen_exchange *next_of(const struct witness *witness, uint64_t serial)
{
    return next_behind(witness, serial, 0);
}

/* Whether it may have waited its longest: then it has failed, and waits for its place in the order. */
static bool may_have_waited_its_longest(const struct world *world, const struct seen_exchange *next)
{
    uint64_t waited_ns = world->now_ns - next->since;
    return waited_ns >= world->options.wait_timeout_ns ||
           waited_ns >= world->options.queue_timeout_ns;
}

/* Whether enough of it is there to wait for a link, without doubt. */
static bool is_ready(const struct world *world, const struct seen_exchange *next)
{
    if (!dialect_streams(&world->dialect) || !world->modelled) {
        return true;
    }
    const struct client *model = world->witness.clients[next->client].connection->client;
    const struct ledger_entry *entry =
        sim_client_entry_of(model, (uint64_t)(next - world->witness.exchanges));
    return entry != NULL && entry->flaw == FLAW_NONE && entry->surely_ready_at != TIME_NEVER;
}

/* Whether it surely has a turn. With unsent responses its client may be over its backlog; and what is not
 * at the head may have failed already, and wait for its place in the order. */
static bool has_a_turn(const struct world *world, const struct seen_exchange *next)
{
    const struct seen_client *client = &world->witness.clients[next->client];
    bool may_have_failed =
        may_have_waited_its_longest(world, next) || world->draining || memory_failed() > 0;
    bool waits_for_a_read = !sharing_is_read(next->kind) && sharing_is_joined(world, next->client);
    return is_ready(world, next) && !client->closed && !client->connection->owed &&
           !waits_for_a_read &&
           (next == &world->witness.exchanges[client->head] || !may_have_failed);
}

/* ---- fairness ---- */

static void check_own_link(const struct world *world, uint64_t taker,
                           const struct seen_exchange *taken)
{
    const struct connection *link = link_of(&world->witness, taker);
    if (link != NULL && link != taken->link) {
        sim_fail("a client with requests in flight uses their link",
                 "client #%llu has some on link %llu and takes link %llu",
                 (unsigned long long)taker, (unsigned long long)link->number,
                 (unsigned long long)taken->link->number);
    }
}

/* While a client waits that has nothing in flight, each other client gets at most one turn. (Who must be
 * alone waits for one link to be empty, while others have their turns on the others.) */
static void check_turns_are_fair(const struct world *world, struct witness *witness, uint64_t taker)
{
    for (uint64_t serial = 1; serial <= witness->clients_count && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        struct seen_client *client = &witness->clients[serial];
        const struct seen_exchange *next = next_of(witness, serial);
        if (serial == taker || next == NULL || !has_a_turn(world, next) ||
            link_of(witness, serial) != NULL ||
            (kind_is_alone(next->kind) && world->options.links_max > 1)) {
            memset(client->turns_seen, 0, sizeof client->turns_seen);
            continue;
        }
        if (++client->turns_seen[taker] > 1) {
            sim_fail("nobody starves", "client #%llu waited while client #%llu had %u turns",
                     (unsigned long long)serial, (unsigned long long)taker,
                     client->turns_seen[taker]);
        }
    }
}

void turns_taken(struct world *world, uint64_t taker, const struct seen_exchange *exchange)
{
    if (taker < WITNESS_CLIENTS_MAX) {
        check_own_link(world, taker, exchange);
        check_turns_are_fair(world, &world->witness, taker);
    }
}

void turns_returned(struct world *world, uint64_t taker)
{
    for (uint64_t serial = 1; taker < WITNESS_CLIENTS_MAX && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        uint32_t *turns = &world->witness.clients[serial].turns_seen[taker];
        *turns -= *turns > 0;
    }
}

/* ---- nobody waits for nothing ---- */

/* Without memory a response that was whole may have been lost, and then the next links are wary. */
static uint32_t sure_room(const struct world *world, const struct connection *link)
{
    return memory_failed() > 0 ? 1 : pipeline_room(world, link);
}

static bool could_carry(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    uint32_t count = watch->awaited_count;
    /* What system calls on other links take may make it late. */
    uint64_t late_ns = (world->swarm.engine.tick_max_ns + world->swarm.engine.wake_ns) * 64;
    uint64_t gap_ns = world->options.gap_ns == 0 ? 0 : world->options.gap_ns + late_ns;
    uint64_t delay_ns = world->options.delay_ns == 0 ? 0 : world->options.delay_ns + late_ns;
    if (dialect_streams(&world->dialect) && pipeline_is_answering(world, link)) {
        return false;
    }
    if (quiet_may_last(world, link)) {
        return false;
    }
    return link->is_link && link->stage == STAGE_OPEN && link->was_up && !link->was_lost &&
           (link->wants & (MUX_PROBE | MUX_WRITE)) == 0 && count < sure_room(world, link) &&
           watch->sending == NULL &&
           (count == 0 || !kind_is_alone(watch->awaited[count - 1]->kind)) &&
           world->now_ns >= link->connected_at + delay_ns &&
           world->now_ns >= link->connected_at + gap_ns &&
           world->now_ns >= watch->last_byte_at + gap_ns && !links_is_old(world, link);
}

static bool waits_for_any_link(const struct world *world, bool surely)
{
    const struct witness *witness = &world->witness;
    for (uint64_t serial = 1; serial <= witness->clients_count && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        const struct seen_exchange *next = next_of(witness, serial);
        bool sure = next != NULL && has_a_turn(world, next) && !kind_is_alone(next->kind);
        if (next != NULL && link_of(witness, serial) == NULL && (!surely || sure)) {
            return true;
        }
    }
    return false;
}

bool turns_wait_for_any_link(const struct world *world)
{
    return waits_for_any_link(world, true);
}

bool turns_may_wait_for_any_link(const struct world *world)
{
    return waits_for_any_link(world, false);
}

bool turns_may_wait_for(const struct world *world, const struct connection *link)
{
    const struct witness *witness = &world->witness;
    for (uint64_t serial = 1; serial <= witness->clients_count && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        const struct connection *own = link_of(witness, serial);
        if (next_of(witness, serial) != NULL && (own == NULL || own == link)) {
            return true;
        }
    }
    return false;
}

/* At the latest. */
static uint64_t arrival_of(const struct world *world, const struct seen_exchange *next)
{
    const struct seen_client *client = &world->witness.clients[next->client];
    uint64_t serial = (uint64_t)(next - world->witness.exchanges);
    const struct ledger_entry *entry = sim_client_entry_of(client->connection->client, serial);
    uint64_t at = next->since > client->head_since ? next->since : client->head_since;
    if (entry != NULL && entry->surely_ready_at != TIME_NEVER && entry->surely_ready_at > at) {
        at = entry->surely_ready_at;
    }
    return entry != NULL && entry->ready_at > at ? entry->ready_at : at;
}

bool turns_wait_for(const struct world *world, const struct connection *link, uint64_t but,
                    uint64_t *arrived_at)
{
    const struct witness *witness = &world->witness;
    bool surely = false;
    *arrived_at = 0;
    for (uint64_t serial = 1; serial <= witness->clients_count && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        const struct seen_exchange *next = serial == but ? NULL : next_of(witness, serial);
        const struct connection *own = next == NULL ? NULL : link_of(witness, serial);
        if (next == NULL || (own != NULL && own != link)) {
            continue;
        }
        uint64_t at = arrival_of(world, next);
        *arrived_at = at > *arrived_at ? at : *arrived_at;
        bool reserves = kind_is_alone(next->kind) && world->options.links_max > 1;
        surely = surely || (has_a_turn(world, next) && !reserves);
    }
    return surely && witness->clients_count < WITNESS_CLIENTS_MAX;
}

bool turns_are_asked_for(const struct world *world)
{
    const struct witness *witness = &world->witness;
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        if (witness->exchanges[i].phase == PHASE_WAITING) {
            return true;
        }
    }
    return false;
}

bool turns_somebody_must_be_alone(const struct world *world, const struct connection *link)
{
    const struct witness *witness = &world->witness;
    for (uint64_t serial = 1; serial <= witness->clients_count && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        const struct seen_exchange *next = next_of(witness, serial);
        while (next != NULL && !kind_is_alone(next->kind) &&
               may_have_waited_its_longest(world, next)) {
            next = next_behind(witness, serial, (uint64_t)(next - witness->exchanges));
        }
        const struct connection *own = link_of(witness, serial);
        if (next != NULL && kind_is_alone(next->kind) && (own == NULL || own == link)) {
            return true;
        }
    }
    return false;
}

/* Whether some other link has more to be read than was in one turn, before it is used. */
static bool is_another_read_first(const struct world *world, const struct connection *link)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *other = world->live[i];
        if (other != link && other->is_link && other->was_up && !other->was_lost &&
            (other->wants & MUX_PROBE) != 0) {
            return true;
        }
    }
    return false;
}

/* Who waits though `link` could carry its request; 0: nobody. (Who must be alone may have reserved another
 * link, and has no use for this one unless it is empty; and who may take any link may wait for one with less
 * on it, until it is read.) */
static uint64_t who_waits_for(const struct world *world, const struct connection *link)
{
    const struct witness *witness = &world->witness;
    if (link->watch.awaited_count > 0 && turns_somebody_must_be_alone(world, link)) {
        return 0;
    }
    for (uint64_t serial = 1; serial <= witness->clients_count && serial < WITNESS_CLIENTS_MAX;
         serial++) {
        const struct seen_exchange *next = next_of(witness, serial);
        const struct connection *own = link_of(witness, serial);
        bool reserves = next != NULL && kind_is_alone(next->kind) && own != link &&
                        world->options.links_max > 1 && link->watch.awaited_count > 0;
        /* What streams, behind one whose bytes fill the backlog, may not be framed far enough. */
        bool gathers = own != NULL && dialect_streams(&world->dialect);
        bool any = own == NULL && !is_another_read_first(world, link);
        if (next != NULL && has_a_turn(world, next) && !reserves && !gathers &&
            (any || own == link)) {
            return serial;
        }
    }
    return 0;
}

void check_nobody_waits_for_a_free_link(const struct world *world)
{
    for (uint32_t i = 0; world->modelled && i < world->live_count; i++) {
        uint64_t who =
            could_carry(world, world->live[i]) ? who_waits_for(world, world->live[i]) : 0;
        if (who != 0) {
            sim_fail("nobody waits for a free link",
                     "link %llu could carry a request, and client #%llu waits",
                     (unsigned long long)world->live[i]->number, (unsigned long long)who);
        }
    }
}
