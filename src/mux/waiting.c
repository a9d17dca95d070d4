/* SPDX-License-Identifier: MIT */
/*
 * The requests that wait for a link, in order of arrival, and how long they may.
 *
 * --wait-timeout counts from arrival, --queue-timeout the time without a usable link since then (the outage
 * clock, dial.c). Both deadlines are in the order of arrival, so the oldest has the earliest, and none needs
 * a timer of its own. A request that comes back from a link goes to the place that its arrival gives it.
 *
 * Each client remembers its oldest waiting request (`next`).
 */
#include <assert.h>

#include "mux/state.h"

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
    }
    if (list_first(&mux->waiting) == &exchange->node) {
        timer_arm(mux, &mux->timer, waiting_deadline(mux));
    }
}

void waiting_leave(struct mux *mux, struct exchange *exchange)
{
    assert(exchange->state == EXCHANGE_WAITING);
    list_remove(&exchange->node);
    mux->counters.waiting--;
    struct client *client = exchange->client;
    if (client->next == exchange) { /* each is stepped over once */
        do {
            client->next = exchange_after(client->next);
        } while (client->next != NULL && client->next->state != EXCHANGE_WAITING);
    }
}

/* In its place by arrival. What returns is among the oldest, so the walk is short. */
static void insert(struct mux *mux, struct exchange *exchange)
{
    struct list *position = mux->waiting.next;
    struct list *last = list_last(&mux->waiting);
    if (last != NULL &&
        LIST_ENTRY(last, struct exchange, node)->arrived_ns < exchange->arrived_ns) {
        position = &mux->waiting; /* one that had joined may be the youngest */
    }
    while (position != &mux->waiting &&
           LIST_ENTRY(position, struct exchange, node)->arrived_ns < exchange->arrived_ns) {
        position = position->next;
    }
    list_insert_before(position, &exchange->node);
    mux->counters.waiting++;
}

void waiting_return(struct mux *mux, struct exchange *exchange)
{
    struct client *client = exchange->client;
    exchange->state = EXCHANGE_WAITING;
    insert(mux, exchange);
    if (client->next == NULL || exchange->serial < client->next->serial) {
        client->next = exchange;
    }
    turn_first(mux, client);
    timer_arm(mux, &mux->timer, waiting_deadline(mux));
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

uint64_t waiting_deadline(const struct mux *mux)
{
    /* Both deadlines are in the order of arrival, so the oldest has the earliest. */
    struct exchange *oldest = exchange_first(&mux->waiting);
    return oldest == NULL ? TIME_NEVER : waiting_ends(mux, oldest);
}

void waiting_expire(struct mux *mux)
{
    while (!list_is_empty(&mux->waiting)) {
        struct exchange *oldest = LIST_ENTRY(list_front(&mux->waiting), struct exchange, node);
        if (waiting_ends(mux, oldest) > mux->now_ns) {
            return;
        }
        bool unreachable = outage_ends(mux, oldest) <= mux->now_ns;
        exchange_fail(mux, oldest, unreachable ? REASON_UNREACHABLE : REASON_WAIT_TIMEOUT);
    }
}
