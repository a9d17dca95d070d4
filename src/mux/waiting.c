/* SPDX-License-Identifier: MIT */
/*
 * The requests that wait for a link, in order of arrival, and how long they may.
 *
 * --wait-timeout counts from arrival, --queue-timeout the time without a usable link since then (the outage
 * clock, dial.c). Both deadlines are in the order of arrival, so the oldest has the earliest, and none needs
 * a timer of its own.
 *
 * Requests that come back, from a link that broke or from a leader that ended, may have arrived before or
 * after any that waits. They stand in a heap beside the list: a search would pass as many as clients like to
 * queue. Room is made in the heap before a request leaves.
 *
 * Each client remembers its oldest waiting request (`next`).
 */
#include <assert.h>

#include "mux/internal.h"

/* ---- in and out ---- */

void waiting_enter(struct mux *mux, struct exchange *exchange)
{
    exchange->state = EXCHANGE_WAITING;
    exchange->arrived_ns = mux->now_ns;
    exchange->arrived_outage_ns = outage_clock(mux);
    list_push_back(&mux->waiting, &exchange->node);
    mux->counters.waiting++;
    if (exchange->client->next == NULL) {
        exchange->client->next = exchange;
        turn_update(mux, exchange->client);
    }
    if (list_first(&mux->waiting) == &exchange->node) {
        timer_arm(mux, &mux->timer, waiting_deadline(mux));
    }
}

void waiting_leave(struct mux *mux, struct exchange *exchange)
{
    assert(exchange->state == EXCHANGE_WAITING);
    if (exchange->returned.place > 0) {
        heap_remove(&mux->returned, &exchange->returned);
    } else {
        list_remove(&exchange->node);
    }
    mux->counters.waiting--;
    struct client *client = exchange->client;
    if (client->next == exchange) { /* each is stepped over once */
        do {
            client->next = exchange_after(client->next);
        } while (client->next != NULL && client->next->state != EXCHANGE_WAITING);
        turn_update(mux, client);
    }
}

bool waiting_has_room(struct mux *mux)
{
    uint32_t away = mux->counters.in_flight + mux->joined_count;
    return heap_reserve(&mux->returned, mux->returned.count + away + 1);
}

void waiting_return(struct mux *mux, struct exchange *exchange)
{
    struct client *client = exchange->client;
    exchange->state = EXCHANGE_WAITING;
    heap_set(&mux->returned, &exchange->returned, exchange->arrived_ns);
    mux->counters.waiting++;
    if (client->next == NULL || exchange->serial < client->next->serial) {
        client->next = exchange;
    }
    turn_first(mux, client);
    timer_arm(mux, &mux->timer, waiting_deadline(mux));
}

struct exchange *waiting_first(const struct mux *mux)
{
    struct exchange *first = exchange_first(&mux->waiting);
    struct heap_item *item = heap_first(&mux->returned);
    if (item == NULL) {
        return first;
    }
    struct exchange *returned = CONTAINER_OF(item, struct exchange, returned);
    return first == NULL || returned->arrived_ns <= first->arrived_ns ? returned : first;
}

/* ---- the time a request may wait ---- */

static uint64_t wait_ends(const struct mux *mux, const struct exchange *exchange)
{
    return time_after(exchange->arrived_ns, mux->options.wait_timeout_ns);
}

bool waiting_is_over(const struct mux *mux, const struct exchange *exchange)
{
    return wait_ends(mux, exchange) <= mux->now_ns;
}

/* When a request has gone queue_timeout without a usable link, if the present outage lasts. */
static uint64_t outage_ends(const struct mux *mux, const struct exchange *exchange)
{
    if (mux->outage_from_ns == TIME_NEVER) {
        return TIME_NEVER;
    }
    uint64_t waited_ns =
        mux->outage_ns - exchange->arrived_outage_ns; /* wraps when it arrived in this outage */
    uint64_t rest_ns = mux->options.queue_timeout_ns - waited_ns; /* and here back again */
    return mux->outage_from_ns + rest_ns;
}

static uint64_t waiting_ends(const struct mux *mux, const struct exchange *exchange)
{
    uint64_t wait_at = wait_ends(mux, exchange);
    uint64_t outage_at = outage_ends(mux, exchange);
    return wait_at < outage_at ? wait_at : outage_at;
}

/* Whether it has waited too long for any link to be usable. */
bool waiting_is_unreachable(const struct mux *mux, const struct exchange *exchange)
{
    return outage_ends(mux, exchange) <= mux->due_ns;
}

uint64_t waiting_deadline(const struct mux *mux)
{
    /* Both deadlines are in the order of arrival, so the oldest has the earliest. */
    const struct exchange *oldest = waiting_first(mux);
    return oldest == NULL ? TIME_NEVER : waiting_ends(mux, oldest);
}

uint64_t outage_clock(const struct mux *mux)
{
    return mux->outage_ns +
           (mux->outage_from_ns == TIME_NEVER ? 0 : mux->now_ns - mux->outage_from_ns);
}

void outage_update(struct mux *mux)
{
    bool outage = mux->usable_count == 0 && !mux->is_replacing;
    if (outage == (mux->outage_from_ns != TIME_NEVER)) {
        return;
    }
    if (outage) {
        mux->outage_from_ns = mux->now_ns;
        timer_arm(mux, &mux->timer, waiting_deadline(mux));
    } else {
        mux->outage_ns = outage_clock(mux);
        mux->outage_from_ns = TIME_NEVER;
    }
}
