/* SPDX-License-Identifier: MIT */
/*
 * A client's bytes become requests.
 *
 *     client->in:   | framed: of queued requests that may still be needed | the rest: not framed |
 *
 * The protocol cuts whole requests off the rest, as many as there is room for; each becomes an
 * exchange. What is behind a request that ends the connection, or behind garbage, is discarded
 * (poisoned). Garbage itself becomes a failed exchange, so that its error reply takes its place in
 * the client's order.
 */
#include <assert.h>

#include "mux/state.h"

void client_set_partial(struct mux *mux, struct client *client, bool partial)
{
    if (partial && !client->slow) {
        client->since_ns = mux->now_ns;
    }
    if (partial || client->partial) {
        client->partial = partial;
        client_stalled(mux, client);
    }
}

/* Nothing behind the framed requests counts any more. */
void client_poison(struct mux *mux, struct client *client)
{
    client->poisoned = true;
    client->state = CLIENT_FINISHED;
    client_set_partial(mux, client, false);
    buf_truncate(&mux->client_bufs, &client->in, client->framed);
}

/* An error reply in the place of what comes next from it, which then does not count any more. */
void client_refuse(struct mux *mux, struct client *client, enum mux_reason reason)
{
    if (exchange_queue_failed(mux, client, reason)) {
        client_poison(mux, client);
    } else {
        client_gone(mux, client, REASON_MEMORY);
    }
}

/* Drops the bytes of exchanges at the front that no longer need them. */
void requests_release(struct mux *mux, struct client *client)
{
    uint32_t size = client->framed;
    for (struct list *node = list_first(&client->exchanges); node != NULL;
         node = list_next(&client->exchanges, node)) {
        struct exchange *exchange = LIST_ENTRY(node, struct exchange, client_node);
        if (exchange->holds_bytes) {
            size = exchange->in_begin - client->in_begin;
            break;
        }
    }
    if (size == 0) {
        return;
    }
    buf_consume(&mux->client_bufs, &client->in, size);
    client->in_begin += size;
    client->framed -= size;
}

/* Takes a piece off the front of the unframed bytes. */
static void take_request(struct mux *mux, struct client *client, const struct frame *frame,
                         const struct request *request)
{
    assert(frame->ends);
    client_set_partial(mux, client, false);
    if (!exchange_queue(mux, client, frame->size, request)) {
        client_refuse(mux, client, REASON_MEMORY);
    } else if (request->closes) {
        client_poison(mux, client);
    }
}

/* More bytes are needed, and may come or not. */
static void wait_for_more(struct mux *mux, struct client *client)
{
    if (client->state == CLIENT_OPEN) {
        client_set_partial(mux, client, true);
    } else {
        client_poison(mux, client);
    }
}

/* Cuts requests off the received bytes, as many as there is room for. */
void requests_frame(struct mux *mux, struct client *client)
{
    const struct mux_options *options = &mux->options;
    while (client_is_served(client) && !client->poisoned &&
           client->framed < buf_size(&client->in) && client_has_room(mux, client)) {
        struct frame frame = {0};
        struct request request = {0};
        struct span bytes = span_from(buf_view(&client->in), client->framed);
        switch (options->protocol->frame_request(&options->settings, &client->framer, bytes, &frame,
                                                 &request)) {
        case FRAME_PIECE:
            take_request(mux, client, &frame, &request);
            break;
        case FRAME_PARTIAL:
            wait_for_more(mux, client);
            return;
        case FRAME_INVALID:
            client_refuse(mux, client, REASON_CLIENT_MALFORMED);
            break;
        case FRAME_TOO_LARGE:
            client_refuse(mux, client, REASON_CLIENT_TOO_LARGE);
            break;
        }
    }
}
