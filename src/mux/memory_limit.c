/* SPDX-License-Identifier: MIT */
/*
 * --buffer-memory is spent: who goes. See memory.c for the rule.
 */
#include <assert.h>

#include "mux/internal.h"

/* NULL: nobody holds anything. */
static struct client *largest_client(const struct mux *mux)
{
    for (unsigned class = HOLD_CLASSES - 1; class > 0; class --) {
        for (unsigned place = 2 * class; place <= 2 * class + 1; place++) {
            struct list *node = list_first(&mux->holders[place]);
            if (node != NULL) {
                return LIST_ENTRY(node, struct client, holding);
            }
        }
    }
    return NULL;
}

static size_t link_holds(const struct link *link)
{
    return buf_held(&link->in) + buf_held(&link->out);
}

/* NULL: none holds anything. */
static struct link *largest_link(struct mux *mux, const struct link *but)
{
    struct link *largest = NULL;
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        struct link *link = &mux->links[slot];
        if (link != but && link_holds(link) > (largest == NULL ? 0 : link_holds(largest))) {
            largest = link;
        }
    }
    return largest;
}

static void tell(struct mux *mux, const struct client *client)
{
    observe(mux, (struct mux_event){.kind = MUX_PAUSED,
                                    .reason = REASON_MEMORY,
                                    .client_id = client_id(client),
                                    .client = client->serial});
}

/* Whether all that it holds is a message that is not whole. It can then be told why it is refused. */
static bool holds_only_a_part(const struct client *client)
{
    return client->partial && buf_is_empty(&client->out) &&
           client->exchanges_count == client->unfinished;
}

static void end_client(struct mux *mux, struct client *client)
{
    tell(mux, client);
    if (holds_only_a_part(client)) {
        client_refuse(mux, client, REASON_MEMORY, 0);
        client_settle(mux, client);
    } else {
        client_gone(mux, client, REASON_MEMORY);
    }
}

/* Whose the larger of a link's buffers is; NULL: nobody's that is known. */
static struct client *holder_on(const struct mux *mux, const struct link *link)
{
    const struct exchange *exchange = link->sending;
    if (buf_held(&link->in) > buf_held(&link->out)) {
        exchange = mux->by_id ? NULL : exchange_first(&link->exchanges);
    }
    return exchange == NULL ? NULL : exchange->client;
}

/* The client goes, and with it what it has on the link. */
static void end_link(struct mux *mux, struct link *link)
{
    struct client *client = holder_on(mux, link);
    if (client != NULL) {
        tell(mux, client);
        client_gone(mux, client, REASON_MEMORY);
    }
    if (client == NULL || buf_held(&link->in) > buf_held(&link->out)) {
        link_replace(mux, link, REASON_MEMORY);
    }
}

/* False: nothing is left that could go but the structs of clients that have gone. */
static bool end_largest(struct mux *mux, const struct link *but)
{
    struct client *client = largest_client(mux);
    struct link *link = largest_link(mux, but);
    if (link != NULL &&
        (client == NULL || memory_hold_class(link_holds(link)) > client->place / 2u)) {
        end_link(mux, link);
    } else if (client != NULL) {
        end_client(mux, client);
    }
    return link != NULL || client != NULL;
}

void memory_enforce_while(struct mux *mux, const struct link *taken)
{
    if (memory_is_plenty(mux) || !memory_is_spent(mux, taken)) {
        return;
    }
    struct list *node =
        list_first(&mux->marked_clients); /* who holds more or less since the fact began */
    for (; node != NULL; node = list_next(&mux->marked_clients, node)) {
        memory_note(mux, LIST_ENTRY(node, struct client, marked));
    }
    /* Each round takes a client away, or what it has on a link. */
    while (memory_is_spent(mux, taken) && end_largest(mux, taken)) {
    }
}

void memory_enforce(struct mux *mux)
{
    memory_enforce_while(mux, NULL);
}
