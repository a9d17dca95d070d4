/* SPDX-License-Identifier: MIT */
/*
 * Whose turn it is, on which link.
 *
 * A client whose oldest waiting request may be taken stands in the turns: round robin, one request per
 * turn. Its request goes to the link with the fewest in flight, or to the one that has its others. Where it
 * stands:
 *
 *     mux->turns    whose turn is next stands first
 *     link->bound   its turn had come, and only this link will do, which had no room; it stands in the turns
 *                   again, as the last, when its own requests are answered, or when there is room and
 *                   nobody else who wants it
 *
 * A link has room for --in-flight requests. What must be alone (an HTTP request that is not re-sendable)
 * waits for an empty link: its client *reserves* the emptiest, which takes nothing else until then, and goes
 * to another that is empty sooner. And nothing is sent behind what is alone, behind a request that still
 * streams, or by order while a response streams. After a link ended with unanswered requests its successor
 * has to earn trust: one at a time until it has answered two.
 *
 * A link takes a request when its --gap is over, and when it was not silent for so long that it must be
 * read first. One that turns out to have stray bytes is replaced.
 */
#include <assert.h>

#include "mux/internal.h"
#include "mux/retire.h"

/* Somebody stands in the turns: those that hold a link have less time, and the end of a silence counts. How
 * much depends on who waits longest and on how many holders there were in a row, so it is looked at whenever
 * turns were given. */
static void urge_links(struct mux *mux)
{
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        if (link->exchanges_count > 0) {
            link_awaited(mux, link);
        } else if (link->state == LINK_UP) {
            link_mark(mux, link);
        }
    }
}

/* ---- links ---- */

/* The link with the fewest in flight of those that have room and were silent for long enough; NULL: none. */
static struct link *emptiest_link(struct mux *mux)
{
    struct link *best = NULL;
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        if (link->state != LINK_UP || link_is_full(mux, link)) {
            continue;
        }
        if (quiet_ends(mux, link) > mux->now_ns) {
            link_mark(mux, link); /* its timer runs until then */
        } else if (best == NULL || link->exchanges_count < best->exchanges_count) {
            best = link;
        }
    }
    return best;
}

/* Whether the link was read lately; asks for a probe where it was not. */
static bool was_read(struct mux *mux, struct link *link)
{
    if (link->probing) {
        return false;
    }
    uint64_t heard_ns = link->last_io_ns > link->probed_ns ? link->last_io_ns : link->probed_ns;
    if (mux->now_ns - heard_ns > SILENCE_PROBE_NS) {
        link->probing = true;
        link_mark(mux, link);
        return false;
    }
    return true;
}

/* Bytes of an unfinished message on a link that carries nothing would be taken for the beginning of the next
 * response. */
static bool has_stray_bytes(const struct link *link)
{
    return link->exchanges_count == 0 && !buf_is_empty(&link->in);
}

/* ---- the turn ---- */

static void bind_to(struct mux *mux, struct client *client, struct link *link)
{
    list_remove(&client->turn);
    list_push_back(&link->bound, &client->turn);
    client->bound = true;
    link_awaited(mux, link);
}

static void reserve(struct mux *mux, struct link *link, struct client *client)
{
    link->reserver = client;
    mux->reservers_count++;
    client->reserves = true;
    bind_to(mux, client, link);
}

enum given {
    GIVEN,     /* the first client in the turns had its turn, or let others pass */
    NO_ONE,    /* nobody can have one now */
    UNSETTLED, /* a link or a request has ended: what follows from that comes first */
};

static enum given give_turn(struct mux *mux)
{
    struct client *client = LIST_ENTRY(list_front(&mux->turns), struct client, turn);
    if (waiting_is_over(mux, client->next)) {
        exchange_fail(mux, client->next, REASON_WAIT_TIMEOUT);
        return UNSETTLED;
    }
    bool has_link = client->on_link > 0;
    struct link *link = has_link ? &mux->links[client->link_slot] : emptiest_link(mux);
    if (link == NULL) {
        return NO_ONE;
    }
    if (has_link && link_is_full(mux, link)) {
        bind_to(mux, client, link);
        return GIVEN;
    }
    if (client->next->request.alone && link->exchanges_count > 0) {
        reserve(mux, link, client);
        return GIVEN;
    }
    if (!was_read(mux, link)) {
        return NO_ONE;
    }
    if (has_stray_bytes(link)) {
        link_stray(mux, link);
        return UNSETTLED;
    }
    struct exchange *exchange = client->next;
    list_remove(&client->turn);
    exchange_take(mux, exchange, link);
    return exchange->state == EXCHANGE_TAKEN ? GIVEN : UNSETTLED;
}

/* A link is empty, and not the one that a client has reserved. False: there is no such link, or client. */
static bool recall_reserver(struct mux *mux)
{
    struct client *client = turns_free_reserver(mux);
    const struct link *link = client == NULL ? NULL : emptiest_link(mux);
    if (link == NULL || link->exchanges_count > 0) {
        return false;
    }
    turn_first(mux, client);
    return true;
}

/* Nobody stands in the turns: who waits for a link that has room may. False: nobody does. */
static bool recall_bound(struct mux *mux)
{
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        if (!list_is_empty(&link->bound) && !link_is_full(mux, link)) {
            turn_last(mux, LIST_ENTRY(list_front(&link->bound), struct client, turn));
            return true;
        }
    }
    return false;
}

void schedule(struct mux *mux)
{
    /* Each round takes a request, or binds a client to a full link, or recalls one to a link with room. */
    enum given given = GIVEN;
    while ((recall_reserver(mux) || !list_is_empty(&mux->turns) || recall_bound(mux)) &&
           given == GIVEN) {
        given = give_turn(mux);
    }
    mux->schedule_wanted = given == UNSETTLED;
    if (given == UNSETTLED) {
        return;
    }
    if (!list_is_empty(&mux->turns)) {
        urge_links(mux);
    }
    if (mux->options.link_idle_ns > 0 && list_is_empty(&mux->turns)) {
        links_idle(mux);
    }
    retire_urge(mux);
    dial_run(mux);
}
