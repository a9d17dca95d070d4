/* SPDX-License-Identifier: MIT */
/*
 * Deadlines, lazily.
 *
 * Each client, each link and the route have one place in the heap. The true deadline is a function
 * of state; the place may be earlier, never later. So the usual movement, a deadline that recedes
 * with each message, leaves the heap alone; when the early time comes, the true one is asked for.
 */
#include <assert.h>

#include "mux/internal.h"
#include "mux/link_deadline.h"

enum { EXPIRIES_MAX = 8 /* deadlines of one connection that may be over at one moment */ };

static uint64_t route_deadline(const struct mux *mux)
{
    uint64_t at = waiting_deadline(mux);
    uint64_t dial_at = dial_deadline(mux);
    if (dial_at < at) {
        at = dial_at;
    }
    if (mux->grace_at_ns < at) {
        at = mux->grace_at_ns;
    }
    return mux->slabs.trim_ns < at ? mux->slabs.trim_ns : at;
}

/* Slabs that pools have emptied get a time to be needed again. */
void timer_plan_trim(struct mux *mux)
{
    mux->slabs.trim_ns = mux->now_ns + SLABS_STAY_NS;
    timer_arm(mux, &mux->timer, mux->slabs.trim_ns);
}

/* If some are left, the end of the turn plans the next time. */
static void trim(struct mux *mux)
{
    slabs_trim(&mux->slabs);
    mux->slabs.trim_ns = TIME_NEVER;
}

/* Closes who has still not taken what was left for it. */
static void drain_cut(struct mux *mux)
{
    mux->grace_at_ns = TIME_NEVER;
    for (uint32_t slot = 0; slot < mux->client_slots; slot++) {
        struct client *client = table_at(mux, slot);
        if (client->state != CLIENT_FREE) {
            client_gone(mux, client, REASON_SHUTDOWN);
        }
    }
}

/* Ends what is left when the grace of a drain is over; error replies get as long as a lingering
 * close. */
static void grace_expire(struct mux *mux)
{
    mux->grace_is_over = true;
    mux->grace_at_ns = mux->now_ns + LINGER_NS;
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        link_replace(mux, &mux->links[slot], REASON_SHUTDOWN);
    }
    struct exchange *oldest;
    settle_marks(mux);
    while ((oldest = waiting_first(mux)) != NULL) {
        exchange_fail(mux, oldest, REASON_SHUTDOWN);
        settle_marks(mux);
        memory_enforce(mux);
    }
}

static void waiting_expire(struct mux *mux)
{
    struct exchange *oldest;
    while ((oldest = waiting_first(mux)) != NULL && waiting_deadline(mux) <= mux->due_ns) {
        bool unreachable = waiting_is_unreachable(mux, oldest);
        exchange_fail(mux, oldest, unreachable ? REASON_UNREACHABLE : REASON_WAIT_TIMEOUT);
        settle_marks(mux); /* an error reply is memory */
        memory_enforce(mux);
    }
}

static void route_expired(struct mux *mux)
{
    waiting_expire(mux);
    if (mux->due_ns >= mux->slabs.trim_ns) {
        trim(mux);
    }
    if (mux->due_ns >= mux->grace_at_ns) {
        if (mux->grace_is_over) {
            drain_cut(mux);
        } else {
            grace_expire(mux);
        }
    }
    dial_run(mux);
}

static uint64_t deadline_of(struct mux *mux, struct timer *timer)
{
    switch ((enum timer_kind)timer->item.tag) {
    case TIMER_ROUTE:
        return route_deadline(mux);
    case TIMER_CLIENT:
        return client_deadline(mux, CONTAINER_OF(timer, struct client, timer));
    case TIMER_LINK:
        return link_deadline(mux, CONTAINER_OF(timer, struct link, timer));
    }
    return TIME_NEVER;
}

static void expired(struct mux *mux, struct timer *timer)
{
    switch ((enum timer_kind)timer->item.tag) {
    case TIMER_ROUTE:
        route_expired(mux);
        break;
    case TIMER_CLIENT:
        client_expired(mux, CONTAINER_OF(timer, struct client, timer));
        break;
    case TIMER_LINK:
        link_expired(mux, CONTAINER_OF(timer, struct link, timer));
        break;
    }
}

/* Lets everything happen that is due. The clock may have jumped over several deadlines of one connection:
 * what follows from the first may be over as well. Returns the next deadline. */
static uint64_t catch_up(struct mux *mux, struct timer *timer)
{
    uint64_t at;
    for (unsigned round = 0; (at = deadline_of(mux, timer)) <= mux->due_ns; round++) {
        assert(round < EXPIRIES_MAX); /* each comes nearer to the end */
        expired(mux, timer);
        settle_marks(mux);
    }
    return at;
}

void timer_run(struct mux *mux)
{
    /* Each round moves one place later or removes it. */
    while (heap_first_at(&mux->heap) <= mux->due_ns) {
        struct timer *timer = CONTAINER_OF(heap_first(&mux->heap), struct timer, item);
        uint64_t at = catch_up(mux, timer);
        if (at == TIME_NEVER) {
            heap_remove(&mux->heap, &timer->item);
        } else {
            heap_set(&mux->heap, &timer->item, at);
        }
    }
}
