/* SPDX-License-Identifier: MIT */
/*
 * Where clients stand while their oldest request waits for a link; schedule.c has the whole of it.
 */
#include <assert.h>

#include "mux/internal.h"

bool turn_is_due(const struct mux *mux, const struct client *client)
{
    if (client->state != CLIENT_OPEN && client->state != CLIENT_FINISHED) {
        return false;
    }
    if (client->next == NULL || buf_size(&client->out) > mux->options.backlog_bytes_max) {
        return false;
    }
    /* What it asked before, and shares with another, is read before what it asks now has an effect. */
    return client->joined == 0 || client->next->request.resendable;
}

static void stand_nowhere(struct mux *mux, struct client *client)
{
    list_drop(&client->turn);
    client->bound = false;
    for (uint32_t slot = 0; client->reserves && slot < mux->options.links_max; slot++) {
        if (mux->links[slot].reserver == client) {
            mux->links[slot].reserver = NULL;
            mux->reservers_count--;
            client->reserves = false;
        }
    }
}

void turn_update(struct mux *mux, struct client *client)
{
    bool due = turn_is_due(mux, client);
    if (due && client->reserves && !client->next->request.alone) {
        stand_nowhere(mux, client); /* what was to be alone has ended without a link */
    }
    if (due == list_is_linked(&client->turn)) {
        return;
    }
    if (due) {
        list_push_back(&mux->turns, &client->turn);
    } else {
        stand_nowhere(mux, client); /* and may have kept a link from others */
    }
    mux->schedule_wanted = true;
}

void turn_last(struct mux *mux, struct client *client)
{
    stand_nowhere(mux, client);
    turn_update(mux, client);
}

void turn_first(struct mux *mux, struct client *client)
{
    stand_nowhere(mux, client);
    if (turn_is_due(mux, client)) {
        list_push_front(&mux->turns, &client->turn);
    }
    mux->schedule_wanted = true;
}

void turn_place_free(struct mux *mux, struct link *link, struct client *client)
{
    if (client != NULL && client->bound && client->on_link == 0 && !client->reserves) {
        turn_last(mux, client); /* any link will do for it again */
    }
    if (link->reserver != NULL && link->exchanges_count == 0) {
        turn_first(mux, link->reserver);
    }
    mux->schedule_wanted = true;
}

void turns_unbind(struct mux *mux, struct link *link)
{
    while (!list_is_empty(&link->bound)) {
        turn_first(mux, LIST_ENTRY(list_last(&link->bound), struct client, turn));
    }
}

/* Since when the first of them waits that is not the holder. */
static uint64_t waits_since(const struct list *head, const struct client *holder)
{
    struct list *node = list_first(head);
    if (node != NULL && LIST_ENTRY(node, struct client, turn) == holder) {
        node = list_next(head, node);
    }
    return node == NULL ? TIME_NEVER : LIST_ENTRY(node, struct client, turn)->next->arrived_ns;
}

uint64_t turns_want_since(const struct mux *mux, const struct link *link,
                          const struct client *holder)
{
    uint64_t any_ns = waits_since(&mux->turns, holder);
    uint64_t bound_ns = waits_since(&link->bound, holder);
    return any_ns < bound_ns ? any_ns : bound_ns;
}

struct client *turns_free_reserver(const struct mux *mux)
{
    for (uint32_t slot = 0; mux->reservers_count > 0 && slot < mux->options.links_max; slot++) {
        struct client *client = mux->links[slot].reserver;
        if (client != NULL && client->on_link == 0) {
            return client;
        }
    }
    return NULL;
}

bool turns_want_any_link(const struct mux *mux)
{
    return !list_is_empty(&mux->turns) || turns_free_reserver(mux) != NULL;
}

bool link_is_full(const struct mux *mux, const struct link *link)
{
    uint32_t room = link->trust_missing > 0 ? 1 : mux->options.in_flight_max;
    if (link->is_expiring || link->reserver != NULL || link->exchanges_count >= room) {
        return true;
    }
    if (link->exchanges_count == 0) {
        return false;
    }
    const struct exchange *newest = LIST_ENTRY(link->exchanges.prev, struct exchange, node);
    return newest->request.alone || !newest->whole ||
           (!mux->by_id && exchange_front(&link->exchanges)->delivered);
}
