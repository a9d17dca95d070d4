/* SPDX-License-Identifier: MIT */
/*
 * When a link has had its time: a function of its state, asked whenever that changes and again
 * before anything ends (timer.c). What happens then is in link.c.
 */
#include "mux/state.h"

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
    uint64_t from = oldest->sent_ns > link->head_ns ? oldest->sent_ns : link->head_ns;
    if ((oldest->streams || oldest->delivered) && link->last_io_ns > from) {
        from = link->last_io_ns; /* a body streams: the longest silence counts */
    }
    return time_after(from, mux->options.response_timeout_ns);
}

uint64_t link_lifetime_ends(const struct mux *mux, const struct link *link)
{
    uint64_t lifetime_ns = mux->options.link_lifetime_ns;
    uint64_t from_ns = time_after(link->up_ns, mux->options.delay_ns); /* it can carry requests */
    return lifetime_ns == 0 ? TIME_NEVER : time_after(from_ns, lifetime_ns);
}

/* Of a link that carries nothing. */
static uint64_t idle_deadline(const struct mux *mux, const struct link *link)
{
    if (link->is_expiring) {
        return mux->now_ns;
    }
    if (!list_is_empty(&mux->turns)) { /* who waits, but for another link, does not keep this one */
        uint64_t at = gap_end(mux, link);
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
    return at < expires_at ? at : expires_at;
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
        return link->since_ns + RETIRE_NS;
    case LINK_FREE:
    case LINK_CLOSING:
        break;
    }
    return TIME_NEVER;
}
