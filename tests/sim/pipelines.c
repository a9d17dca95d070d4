/* SPDX-License-Identifier: MIT */
/* Several requests on one link; see pipelines.h. */
#include "pipelines.h"

#include "clocks.h"
#include "memory.h"
#include "sharing.h"
#include "turns.h"
#include "world.h"

/* ---- room ---- */

uint32_t pipeline_room(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    return watch->is_wary && watch->answered < TRUST_ANSWERS ? 1 : world->options.in_flight_max;
}

/* How many have taken the link, whether sent or not, and the newest of them. */
static uint32_t count_taken(const struct world *world, const struct connection *link,
                            const struct seen_exchange **newest)
{
    const struct witness *witness = &world->witness;
    uint32_t count = 0;
    *newest = NULL;
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->phase != PHASE_TAKEN || exchange->link != link) {
            continue;
        }
        count++;
        if (*newest == NULL || (*newest)->taken_as < exchange->taken_as) {
            *newest = exchange;
        }
    }
    return count;
}

bool pipeline_carries_anything(const struct world *world, const struct connection *link)
{
    const struct seen_exchange *newest;
    return count_taken(world, link, &newest) > 0;
}

bool pipeline_has_no_other(const struct world *world, const struct connection *link,
                           const struct ledger_entry *entry)
{
    const struct witness *witness = &world->witness;
    for (uint64_t i = witness->oldest_open; i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        const struct ledger_entry *other = exchange->entry;
        const struct sending *last = other == NULL || other->sendings_count == 0
                                         ? NULL
                                         : &other->sendings[other->sendings_count - 1];
        if (exchange->phase == PHASE_TAKEN && exchange->link == link && other != entry &&
            (last == NULL || last->link != link || !last->response_whole)) {
            return false;
        }
    }
    return true;
}

bool pipeline_is_answering(const struct world *world, const struct connection *link)
{
    const struct witness *witness = &world->witness;
    for (uint64_t i = witness->oldest_open;
         witness->exchanges_open > 0 && i <= witness->exchanges_count; i++) {
        const struct seen_exchange *exchange = &witness->exchanges[i];
        if (exchange->phase == PHASE_TAKEN && exchange->link == link && exchange->responses > 0) {
            return true;
        }
    }
    return false;
}

/* Whether it goes on arriving; unsure: what was read may not be framed. */
static bool uploads(const struct seen_exchange *newest, bool surely)
{
    const struct ledger_entry *entry = newest == NULL ? NULL : newest->entry;
    bool is_sent = entry != NULL && entry->sendings_count > 0 &&
                   entry->sendings[entry->sendings_count - 1].whole;
    return entry != NULL && (!entry->read_whole || (!surely && !is_sent));
}

bool pipeline_is_full(const struct world *world, const struct connection *link)
{
    const struct seen_exchange *newest;
    uint32_t count = count_taken(world, link, &newest);
    return count >= pipeline_room(world, link) || links_is_old(world, link) ||
           (newest != NULL && kind_is_alone(newest->kind)) || uploads(newest, true) ||
           pipeline_is_answering(world, link);
}

bool pipeline_may_be_full(const struct world *world, const struct connection *link)
{
    const struct seen_exchange *newest;
    (void)count_taken(world, link, &newest);
    return pipeline_is_full(world, link) || uploads(newest, false) ||
           (pipeline_carries_anything(world, link) && turns_somebody_must_be_alone(world, link));
}

void check_link_has_room(const struct world *world, const struct connection *link,
                         const struct ledger_entry *entry)
{
    const struct link_watch *watch = &link->watch;
    uint32_t count = watch->awaited_count;
    if (count >= world->options.in_flight_max) {
        sim_fail("never more requests in flight than allowed", "link %llu has %u already",
                 (unsigned long long)link->number, count);
    }
    if (count >= pipeline_room(world, link)) {
        sim_fail("a link whose predecessor left requests unanswered carries one at a time",
                 "link %llu has %u, and has answered %llu", (unsigned long long)link->number, count,
                 (unsigned long long)watch->answered);
    }
    if (count > 0 &&
        (kind_is_alone(entry->kind) || kind_is_alone(watch->awaited[count - 1]->kind))) {
        sim_fail("what is alone is alone on its link", "link %llu carries %u.%u behind %u.%u",
                 (unsigned long long)link->number, entry->client, entry->sequence,
                 watch->awaited[count - 1]->client, watch->awaited[count - 1]->sequence);
    }
}

/* ---- sending again ---- */

/* What came of a response in the reading that gave up its link, the core may not have looked at. */
void check_no_second_copy(const struct world *world, const struct ledger_entry *entry)
{
    (void)world;
    uint32_t counted = entry->sent_for_it;
    for (uint32_t i = 0; i < entry->sendings_count; i++) {
        const struct sending *before = &entry->sendings[i];
        counted += !before->unprocessed;
        if (!sharing_is_read(entry->kind) || before->link->watch.answered == 0 || counted > 1 ||
            (before->response_upto > before->response_from &&
             before->responding_in < before->link->watch.lost_in)) {
            sim_fail("never a second copy of a request that may have had an effect",
                     "request %c%u.%u was sent %u times before; its link %llu had%s answered, %llu "
                     "response bytes had come",
                     entry->kind, entry->client, entry->sequence, entry->sendings_count,
                     (unsigned long long)before->link->number,
                     before->link->watch.answered > 0 ? "" : " not",
                     (unsigned long long)(before->response_upto - before->response_from));
        }
    }
    if (counted > 1) {
        sim_fail("what was sent for a read was sent for all who had joined it",
                 "request %u.%u was %u times, and goes out again", entry->client, entry->sequence,
                 counted);
    }
    if (entry->sendings_count == SENDINGS_MAX) {
        sim_fail("a request is not sent again for ever", "request %u.%u was sent %u times",
                 entry->client, entry->sequence, entry->sendings_count);
    }
}

/* ---- identifiers ---- */

void check_id_is_free(const struct connection *link, uint32_t id)
{
    if (link->watch.ids[id] != ID_FREE) {
        sim_fail("an identifier stands for one request", "link %llu uses %u, which is %s",
                 (unsigned long long)link->number, id,
                 link->watch.ids[id] == ID_AWAITED ? "awaited" : "that of a response to come");
    }
}

void check_response_is_overdue(const struct world *world, const struct connection *link,
                               const struct sending *sending)
{
    if (world->now_ns - sending->first_byte_at < world->options.response_timeout_ns) {
        sim_fail("a response has its time", "identifier %u on link %llu has had %llu us",
                 sending->id, (unsigned long long)link->number,
                 (unsigned long long)((world->now_ns - sending->first_byte_at) / NS_PER_US));
    }
}

/* ---- giving up ---- */

/* The oldest, for which alone the clock runs, has had its time. */
static bool has_timed_out(const struct world *world, const struct connection *link)
{
    const struct link_watch *watch = &link->watch;
    if (dialect_has_ids(&world->dialect)) {
        return watch->timeouts >= TIMEOUTS_MAX || watch->retired >= SPENT_IDS ||
               watch->sending != NULL || watch->awaited_count == 0;
    }
    if (watch->awaited_count == 0) {
        return true; /* nothing of it could be written, or not all, until its time was over */
    }
    return world->now_ns - watch->head_since >= world->options.response_timeout_ns;
}

static bool reason_holds(const struct world *world, const struct connection *link,
                         enum mux_reason reason)
{
    switch ((int)reason) {
    case REASON_TARGET_ENDED:
        return link->told_end;
    case REASON_TARGET_RESET:
        return link->told_failure;
    case REASON_TARGET_STRAY:
        return link->watch.spoilt != NULL || link->watch.has_half ||
               (dialect_has_ids(&world->dialect) && link->watch.incoming_at < link->up.read);
    case REASON_TARGET_MALFORMED:
    case REASON_TARGET_TOO_LARGE:
    case REASON_EARLY_RESPONSE:
    case REASON_REQUEST_CLOSES:
    case REASON_RESPONSE_CLOSES:
        return link->watch.spoilt != NULL;
    case REASON_RESPONSE_TIMEOUT:
        return has_timed_out(world, link);
    case REASON_HALF_REQUEST:
        return link->watch.sending != NULL;
    case REASON_MEMORY:
        return memory_failed() > 0 || world->swarm.memory_is_tight;
    case REASON_SHUTDOWN:
        return world->draining;
    case REASON_ORPHAN:
        return link_watch_has_large_orphan(link, false) || clocks_orphan_is_old(world, link);
    case REASON_HOLD:
        return world->options.hold_max_ns > 0 &&
               (turns_may_wait_for(world, link) || turns_are_asked_for(world)) &&
               world->now_ns - link->watch.head_since >= world->options.hold_max_ns;
    case REASON_LINK_LIFETIME:
        return link->watch.awaited_count == 0 && links_is_old(world, link);
    case REASON_LINK_IDLE:
        return link->watch.awaited_count == 0;
    default:
        return false;
    }
}

void check_link_is_given_up_for_a_reason(const struct world *world, const struct connection *link,
                                         enum mux_reason reason)
{
    if (!reason_holds(world, link, reason)) {
        sim_fail("a link is given up for a reason",
                 "link %llu is given up for %s, which does not hold",
                 (unsigned long long)link->number, reason_text(reason));
    }
}
