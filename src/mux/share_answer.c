/* SPDX-License-Identifier: MIT */
/*
 * The response of a leader, for all who have joined it. See share.c.
 */
#include <assert.h>

#include "mux/internal.h"

/* Its response, whole, for one that has joined. */
static void answer(struct mux *mux, const struct link *link, struct exchange *exchange,
                   uint8_t kind, struct span piece)
{
    struct client *client = exchange->client;
    response_report(mux, link, exchange, piece);
    if (!client_deliver(mux, client, &exchange->request, kind, piece)) {
        client_gone(mux, client, REASON_MEMORY);
        return;
    }
    mux->counters.responses++;
    exchange_finish(mux, exchange, REASON_NONE);
    memory_enforce_while(mux, link);
}

void share_response(struct mux *mux, const struct link *link, struct exchange *leader, uint8_t kind,
                    struct span piece)
{
    assert(link->is_read); /* so the piece stays, whoever goes meanwhile */
    struct list joiners;   /* one may go while another is answered */
    list_init(&joiners);
    list_move_all(&joiners, &leader->joiners);
    while (!list_is_empty(&joiners)) {
        answer(mux, link, LIST_ENTRY(list_front(&joiners), struct exchange, node), kind, piece);
    }
}
