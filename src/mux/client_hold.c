/* SPDX-License-Identifier: MIT */
/*
 * Clients that hold a link and neither bring nor take anything, while others wait for it.
 *
 * An uploader that stalls, one that asked to be told to continue and does not, one that does not take its
 * response: the first has --write-timeout, the next in a row half of it and so on, since many of them would
 * otherwise keep everybody else waiting one after the other. A whole answer ends the row.
 */
#include "mux/internal.h"
#include "mux/link_deadline.h"

struct client *link_holder(const struct mux *mux, const struct link *link)
{
    if (mux->by_id || link->state != LINK_UP || link->exchanges_count == 0) {
        return NULL;
    }
    const struct exchange *oldest = exchange_front(&link->exchanges);
    const struct exchange *newest = LIST_ENTRY(link->exchanges.prev, struct exchange, node);
    if (oldest->client != NULL && oldest->client->slow) {
        return oldest->client;
    }
    if (newest->whole || newest->client == NULL) {
        return NULL;
    }
    /* While the link has bytes to send it is the target that does not take them; while the client is not
     * read, it is what it asked before that fills its backlog. */
    bool could_bring = newest->client->reads || newest->client->slow;
    return could_bring && buf_is_empty(&link->out) ? newest->client : NULL;
}

/* The link that it holds; NULL: it holds none. */
static const struct link *held_by(const struct mux *mux, const struct client *client)
{
    const struct link *link = client->on_link == 0 ? NULL : &mux->links[client->link_slot];
    return link != NULL && link_holder(mux, link) == client ? link : NULL;
}

static uint64_t hold_ns(const struct mux *mux)
{
    uint64_t longest_ns = mux->options.write_timeout_ns;
    uint32_t halvings = mux->idle_holders < 63 ? mux->idle_holders : 63;
    uint64_t hold_ns = longest_ns >> halvings;
    uint64_t least_ns = HOLD_NS_MIN < longest_ns ? HOLD_NS_MIN : longest_ns;
    return hold_ns > least_ns ? hold_ns : least_ns;
}

uint64_t client_hold_ends(const struct mux *mux, const struct client *client)
{
    const struct link *link = held_by(mux, client);
    uint64_t wanted_ns = link == NULL ? TIME_NEVER : turns_want_since(mux, link, client);
    if (wanted_ns == TIME_NEVER) {
        return TIME_NEVER;
    }
    uint64_t idle_ns = link->moved_ns > client->since_ns ? link->moved_ns : client->since_ns;
    uint64_t at = time_after(idle_ns, hold_ns(mux));
    uint64_t least_at =
        time_after(wanted_ns, hold_ns(mux) < HOLD_NS_MIN ? hold_ns(mux) : HOLD_NS_MIN);
    return at > least_at ? at : least_at;
}

void client_hold_over(struct mux *mux, const struct client *client)
{
    const struct link *link = held_by(mux, client);
    if (link != NULL && turns_want_since(mux, link, client) != TIME_NEVER &&
        mux->idle_holders < UINT32_MAX) {
        mux->idle_holders++;
        mux->schedule_wanted = true; /* other holders have less time from now on */
    }
}
