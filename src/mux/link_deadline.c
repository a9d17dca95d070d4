/* SPDX-License-Identifier: MIT */
/*
 * When a link has had its time: a function of its state, asked whenever that changes and again
 * before anything ends (timer.c). What happens then is in link.c.
 */
#include "mux/link_deadline.h"

#include "mux/internal.h"

#include "mux/retire.h"

static uint64_t later(uint64_t one, uint64_t other)
{
    return one > other ? one : other;
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

/* ---- responses ---- */

bool link_swallows(const struct link *link)
{
    const struct exchange *oldest = exchange_first(&link->exchanges);
    return oldest != NULL && oldest->client == NULL &&
           (oldest->delivered || !buf_is_empty(&link->in));
}

/* The oldest exchange's client has gone. Bytes of its response renew nothing. */
static uint64_t orphan_deadline(const struct mux *mux, const struct link *link,
                                const struct exchange *oldest)
{
    uint64_t timeout_ns = mux->options.response_timeout_ns;
    bool is_endless = link_swallows(link) && (!oldest->delivered || oldest->open_ended);
    if (is_endless && turns_want_since(mux, link, NULL) != TIME_NEVER) {
        timeout_ns = earlier(timeout_ns, ORPHAN_NS);
    }
    return time_after(later(link->head_ns, link->orphaned_ns), timeout_ns);
}

uint64_t link_clock_after_block(const struct mux *mux, const struct link *link)
{
    const struct exchange *oldest = exchange_first(&link->exchanges);
    if (oldest == NULL || oldest->sent_ns == TIME_NEVER || oldest->delivered) {
        return mux->now_ns; /* the silence was our own */
    }
    uint64_t from_ns = later(oldest->sent_ns, link->clock_ns);
    return from_ns + (mux->now_ns - later(from_ns, link->blocked_ns));
}

uint64_t link_response_deadline(const struct mux *mux, const struct link *link,
                                const struct exchange *oldest)
{
    if (oldest->sent_ns == TIME_NEVER) {
        return time_after(oldest->arrived_ns, mux->options.wait_timeout_ns);
    }
    if (mux->by_id) {
        return time_after(oldest->sent_ns, mux->options.response_timeout_ns);
    }
    if (link->blocked) {
        return TIME_NEVER;
    }
    uint64_t from = later(oldest->sent_ns, link->clock_ns);
    if (oldest->client != NULL && oldest->delivered) {
        from = later(from, link->last_io_ns); /* a body streams: the longest silence counts */
    }
    uint64_t at = time_after(from, mux->options.response_timeout_ns);
    if (oldest->client != NULL) {
        return at;
    }
    uint64_t orphan_at = orphan_deadline(mux, link, oldest);
    return oldest->delivered ? orphan_at : earlier(at, orphan_at);
}

/* ---- transfers ---- */

/* A transfer is what streams, in either direction: it may move for ever. What is awaited has --timeout. */
uint64_t link_hold_ends(const struct mux *mux, const struct link *link)
{
    const struct exchange *oldest = exchange_first(&link->exchanges);
    if (mux->options.hold_max_ns == 0 || oldest == NULL || mux->by_id ||
        oldest->sent_ns == TIME_NEVER) {
        return TIME_NEVER;
    }
    bool sends = oldest->streams && (!oldest->whole || link->written < oldest->out_end);
    if ((!sends && !oldest->delivered) ||
        turns_want_since(mux, link, oldest->client) == TIME_NEVER) {
        return TIME_NEVER;
    }
    return time_after(later(link->head_ns, oldest->sent_ns), mux->options.hold_max_ns);
}

/* ---- states ---- */

uint64_t link_lifetime_ends(const struct mux *mux, const struct link *link)
{
    uint64_t lifetime_ns = mux->options.link_lifetime_ns;
    return lifetime_ns == 0 ? TIME_NEVER : time_after(quiet_begins(mux, link), lifetime_ns);
}

/* Of a link that carries nothing. */
static uint64_t idle_deadline(const struct mux *mux, const struct link *link)
{
    if (link->is_expiring) {
        return mux->due_ns; /* at once, which is not the present: that is due in the next turn */
    }
    if (turns_want_any_link(mux)) { /* who waits, but for another link, does not keep this one */
        uint64_t at = quiet_ends(mux, link);
        return at > mux->now_ns ? at : TIME_NEVER;
    }
    if (mux->options.link_idle_ns > 0 && !mux->options.hold) {
        uint64_t from = link->since_ns > link->last_io_ns ? link->since_ns : link->last_io_ns;
        return time_after(from, mux->options.link_idle_ns);
    }
    return TIME_NEVER;
}

static uint64_t up_deadline(const struct mux *mux, const struct link *link)
{
    const struct exchange *oldest = exchange_first(&link->exchanges);
    uint64_t at =
        oldest == NULL ? idle_deadline(mux, link) : link_response_deadline(mux, link, oldest);
    uint64_t expires_at = link->is_expiring ? TIME_NEVER : link_lifetime_ends(mux, link);
    return earlier(earlier(at, expires_at), link_hold_ends(mux, link));
}

uint64_t link_deadline(const struct mux *mux, const struct link *link)
{
    switch (link->state) {
    case LINK_RESOLVING:
        return link->since_ns + RESOLVE_NS;
    case LINK_CONNECTING:
        return time_after(link->since_ns, mux->options.connect_timeout_ns);
    case LINK_DELAYING:
        return time_after(link->up_ns, mux->options.delay_ns);
    case LINK_UP:
        return up_deadline(mux, link);
    case LINK_RETIRING:
        return retire_deadline(link);
    case LINK_FREE:
    case LINK_CLOSING:
        break;
    }
    return TIME_NEVER;
}
