/* SPDX-License-Identifier: MIT */
/* The invariants of the core, asserted over everything it holds. Tests and the simulator call this
 * after every step; it changes nothing. */
#include <assert.h>

#include "mux/internal.h"
#include "mux/link_deadline.h"

static uint32_t list_count(const struct list *head)
{
    uint32_t count = 0;
    for (struct list *node = list_first(head); node != NULL; node = list_next(head, node)) {
        assert(node->next->prev == node);
        count++;
    }
    return count;
}

static void check_deadline(const struct mux *mux, const struct timer *timer, uint64_t at)
{
    assert(heap_at(&mux->heap, &timer->item) <= at); /* may be early, never late */
}

/* A wish that the engine does not know of is on the changed list. */
static void check_told(const struct list *node, unsigned told, unsigned wants)
{
    assert((wants & ~told) == 0 || list_is_linked(node));
}

static void check_client_exchanges(const struct mux *mux, const struct client *client)
{
    uint32_t count = 0;
    uint32_t on_link = 0;
    uint32_t joined = 0;
    uint32_t in_end = 0; /* offsets in client->in */
    uint64_t serial = 0;
    const struct exchange *next = NULL;
    const struct exchange *holder = NULL;
    for (struct list *node = list_first(&client->exchanges); node != NULL;
         node = list_next(&client->exchanges, node)) {
        const struct exchange *exchange = LIST_ENTRY(node, struct exchange, client_node);
        assert(exchange->client == client);
        assert(exchange->serial > serial); /* in the order asked */
        serial = exchange->serial;
        count++;
        on_link += exchange->state == EXCHANGE_TAKEN;
        joined += exchange->state == EXCHANGE_JOINED;
        assert(exchange->state != EXCHANGE_JOINED || exchange->holds_bytes);
        assert((exchange->state == EXCHANGE_TAKEN) == (exchange->link != NULL));
        assert(exchange->state != EXCHANGE_WAITING || exchange->holds_bytes);
        assert(exchange->link == NULL || exchange->link->slot == client->link_slot);
        if (exchange->state == EXCHANGE_WAITING && next == NULL) {
            next = exchange;
        }
        if (exchange->holds_bytes && holder == NULL) {
            holder = exchange;
        }
        assert(!exchange->holds_bytes || exchange->in_begin - client->in_begin >= in_end);
        if (exchange->holds_bytes) {
            in_end = exchange->in_begin - client->in_begin + exchange->in_size;
        }
    }
    assert(in_end <= client->framed);
    assert(next == client->next);
    assert(holder == client->holder);
    assert(count == client->exchanges_count);
    assert(on_link == client->on_link);
    assert(joined == client->joined);
    const struct exchange *unfinished = client_unfinished(client);
    assert(unfinished == NULL || (!unfinished->whole && count > 0));
    assert(on_link <= mux->options.in_flight_max);
    /* A failed exchange at the front would have been answered. */
    struct list *first = list_first(&client->exchanges);
    assert(first == NULL ||
           LIST_ENTRY(first, struct exchange, client_node)->state != EXCHANGE_FAILED);
}

static void check_client(const struct mux *mux, const struct client *client)
{
    bool served = client->state == CLIENT_OPEN || client->state == CLIENT_FINISHED;
    buf_check(&client->in);
    buf_check(&client->out);
    assert(client->framed <= buf_size(&client->in));
    assert(served || (client->exchanges_count == 0 && buf_is_empty(&client->in)));
    assert(client->state != CLIENT_LINGERING || buf_is_empty(&client->out));
    assert(client->state != CLIENT_CLOSING || buf_is_empty(&client->out));
    assert(!client->partial || client->state == CLIENT_OPEN);
    assert(turn_is_due(mux, client) == list_is_linked(&client->turn));
    /* Nothing left to do is done: a finished client without exchanges is on its way out. */
    assert(client->state != CLIENT_FINISHED || client->exchanges_count > 0);
    check_told(&client->changed, client->told, client_wants(mux, client));
    check_client_exchanges(mux, client);
    if (!mux->schedule_wanted) { /* which makes those that hold a link hurry */
        check_deadline(mux, &client->timer, client_deadline(mux, client));
    }
}

static void check_link(const struct mux *mux, const struct link *link)
{
    buf_check(&link->in);
    buf_check(&link->out);
    assert(list_count(&link->exchanges) == link->exchanges_count);
    assert(link->exchanges_count <= mux->options.in_flight_max);
    assert(link->state == LINK_UP || (list_is_empty(&link->bound) && link->reserver == NULL));
    assert(link->reserver == NULL || (link->reserver->reserves && link->reserver->bound));
    assert(link->reserver == NULL || link->exchanges_count > 0);
    ids_check(&link->ids, mux->by_id ? link->exchanges_count : 0);
    assert(link->state == LINK_UP || link->exchanges_count == 0);
    assert(link->state == LINK_UP || buf_is_empty(&link->out));
    assert(link_is_usable(link) || buf_is_empty(&link->in));
    uint64_t position = 0;
    const struct exchange *sending = NULL;
    for (struct list *node = list_first(&link->exchanges); node != NULL;
         node = list_next(&link->exchanges, node)) {
        const struct exchange *exchange = LIST_ENTRY(node, struct exchange, node);
        assert(exchange->state == EXCHANGE_TAKEN);
        assert(exchange->link == link);
        assert(exchange->has_id == mux->by_id);
        /* Nothing is sent where what a request left unread might be taken for part of it. */
        assert(!exchange->request.ends_link || link->exchanges_count == 1);
        assert(!mux->by_id || ids_find(&link->ids, exchange->id) == exchange);
        assert(exchange->out_begin >= position);
        assert(exchange->out_end > exchange->out_begin);
        position = exchange->out_end;
        if (sending == NULL && (!exchange->whole || link->written < exchange->out_end)) {
            sending = exchange;
        }
        assert((exchange->sent_ns == TIME_NEVER) == (link->written <= exchange->out_begin));
    }
    assert(sending == link->sending);
    assert(position <= link->written + buf_size(&link->out));
    /* Unsent bytes belong to somebody: never half a message followed by another's. */
    assert(buf_is_empty(&link->out) || position == link->written + buf_size(&link->out));
    check_told(&link->changed, link->told, link_wants(mux, link));
    if (!mux->schedule_wanted) { /* which arms the end of a gap */
        check_deadline(mux, &link->timer, link_deadline(mux, link));
    }
}

static void check_waiting(const struct mux *mux)
{
    uint64_t arrived_ns = 0;
    for (struct list *node = list_first(&mux->waiting); node != NULL;
         node = list_next(&mux->waiting, node)) {
        const struct exchange *exchange = LIST_ENTRY(node, struct exchange, node);
        assert(exchange->state == EXCHANGE_WAITING);
        assert(exchange->client != NULL);
        assert(exchange->arrived_ns >= arrived_ns); /* so the oldest has the earliest deadline */
        arrived_ns = exchange->arrived_ns;
    }
    heap_check(&mux->returned);
    check_deadline(mux, &mux->timer, waiting_deadline(mux));
    if (!mux->schedule_wanted) {
        check_deadline(mux, &mux->timer, dial_deadline(mux));
    }
    check_deadline(mux, &mux->timer, mux->grace_at_ns);
    check_deadline(mux, &mux->timer, mux->slabs.trim_ns);
}

void mux_check(const struct mux *mux)
{
    uint32_t clients = 0;
    uint32_t refused = 0;
    uint32_t turns = 0;
    uint32_t bound = 0;
    uint32_t joined = 0;
    for (uint32_t slot = 0; slot < mux->client_slots; slot++) {
        const struct client *client = table_at(mux, slot);
        if (client->state == CLIENT_FREE) {
            continue;
        }
        clients++;
        refused += client->refused;
        turns += list_is_linked(&client->turn);
        bound += client->bound;
        joined += client->joined;
        check_client(mux, client);
    }
    uint32_t links = 0;
    uint32_t usable = 0;
    uint32_t in_flight = 0;
    uint32_t bound_on_links = 0;
    uint32_t reservers = 0;
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        const struct link *link = &mux->links[slot];
        links += link->state != LINK_FREE;
        usable += link_is_usable(link);
        in_flight += link->exchanges_count;
        bound_on_links += list_count(&link->bound);
        reservers += link->reserver != NULL;
        check_link(mux, link);
    }
    assert(clients == mux->clients_count);
    assert(refused == mux->refused_count);
    assert(clients - refused == mux->counters.clients);
    assert(clients - refused <= mux->options.clients_max);
    assert(turns == list_count(&mux->turns) + bound);
    assert(bound == bound_on_links);
    assert(reservers == mux->reservers_count);
    assert(links == mux->links_count);
    assert(usable == mux->usable_count);
    assert((usable == 0 && !mux->is_replacing) == (mux->outage_from_ns != TIME_NEVER));
    assert(in_flight == mux->counters.in_flight);
    assert(list_count(&mux->waiting) + mux->returned.count == mux->counters.waiting);
    check_waiting(mux);
    assert(joined == mux->joined_count);
    if (mux->options.coalesce) {
        keys_check(&mux->leaders);
    }
    memory_check(mux);
    heap_check(&mux->heap);
}
