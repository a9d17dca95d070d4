/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is.
 *
 * mux->turns holds the clients whose oldest waiting request may be taken: round robin, one request
 * per turn. A client stands there while it has a waiting request, has taken its responses
 * (backlog), and has nothing in flight on a link that is full. Requests go to a link that is up and
 * has room, whose --gap is over, and which is not silent for so long that it must be read first.
 */
#include <assert.h>

#include "mux/state.h"

bool turn_is_due(const struct mux *mux, const struct client *client)
{
    if (client->state != CLIENT_OPEN && client->state != CLIENT_FINISHED) {
        return false;
    }
    if (client->exchanges_count == 0 || buf_size(&client->out) > mux->options.backlog_bytes_max) {
        return false;
    }
    if (client->on_link >= mux->options.in_flight_max) {
        return false;
    }
    if (client->next == NULL) {
        return false;
    }
    /* What it asked before, and shares with another, is read before what it asks now has an effect. */
    return client->joined == 0 || client->next->request.resendable;
}

void turn_update(struct mux *mux, struct client *client)
{
    bool due = turn_is_due(mux, client);
    if (due == list_is_linked(&client->turn)) {
        return;
    }
    if (due) {
        list_push_back(&mux->turns, &client->turn);
        mux->schedule_wanted = true;
    } else {
        list_remove(&client->turn);
    }
}

uint64_t gap_end(const struct mux *mux, const struct link *link)
{
    return mux->options.gap_ns == 0 ? 0 : time_after(link->last_io_ns, mux->options.gap_ns);
}

/* Whether the link takes a request now; asks for a probe, or for the timer, where that is missing.
 */
static bool link_takes(struct mux *mux, struct link *link)
{
    if (link->state != LINK_UP || link->exchanges_count >= mux->options.in_flight_max) {
        return false;
    }
    if (gap_end(mux, link) > mux->now_ns) {
        link_touch(mux, link);
        return false;
    }
    if (link->probing) {
        return false;
    }
    uint64_t heard_ns = link->last_io_ns > link->probed_ns ? link->last_io_ns : link->probed_ns;
    if (mux->now_ns - heard_ns > SILENCE_PROBE_NS) {
        link->probing = true;
        link_touch(mux, link);
        return false;
    }
    return true;
}

static struct link *link_for_turn(struct mux *mux)
{
    for (uint32_t index = 0; index < mux->options.links_max; index++) {
        if (link_takes(mux, &mux->links[index])) {
            return &mux->links[index];
        }
    }
    return NULL;
}

void schedule(struct mux *mux)
{
    mux->schedule_wanted = false;
    /* Each round takes one exchange off mux->waiting. */
    while (!list_is_empty(&mux->turns)) {
        struct link *link = link_for_turn(mux);
        if (link == NULL) {
            break;
        }
        struct client *client = LIST_ENTRY(list_front(&mux->turns), struct client, turn);
        list_remove(&client->turn);
        exchange_take(mux, client->next, link);
    }
    dial_run(mux);
}
