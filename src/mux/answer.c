/* SPDX-License-Identifier: MIT */
/*
 * What a client is given: pieces of responses, and the error replies of failed exchanges when their
 * turn in the client's order has come. A reply that the protocol does not have is the client's end.
 */
#include <assert.h>

#include "mux/internal.h"

bool client_deliver(struct mux *mux, struct client *client, const struct request *request,
                    uint8_t kind, struct span piece)
{
    assert(client_is_served(client));
    const struct protocol *protocol = mux->options.protocol;
    if (protocol->edit == NULL || request == NULL) {
        if (!buf_append(&mux->client_bufs, &client->out, piece)) {
            return false;
        }
    } else {
        uint8_t *space = buf_reserve(&mux->client_bufs, &client->out, piece.size + EDIT_GROWTH_MAX);
        if (space == NULL) {
            return false;
        }
        size_t size =
            protocol->edit(&mux->options.settings, TO_CLIENT, request, 0, kind, piece, space);
        assert(size <= piece.size + EDIT_GROWTH_MAX);
        buf_commit(&client->out, size);
        buf_consume(&mux->client_bufs, &client->out, 0);
    }
    /* What it holds is noted when the marks are worked off, or before memory is found to be spent. */
    client_mark(mux, client);
    return true;
}

/* Writes the error reply of the exchange's reason. True: the client stays. */
static bool reply(struct mux *mux, struct client *client, const struct exchange *exchange)
{
    const struct protocol *protocol = mux->options.protocol;
    uint8_t bytes[REPLY_BYTES_MAX];
    struct reply reply = {.size = 0, .closes = true};
    if (protocol->error_reply != NULL) {
        const struct request *request = exchange->in_size > 0 ? &exchange->request : NULL;
        reply = protocol->error_reply(&mux->options.settings, reason_trouble(exchange->reason),
                                      exchange->code, request, bytes);
        assert(reply.size <= sizeof bytes);
    }
    observe(mux, (struct mux_event){.kind = MUX_ERROR_REPLY,
                                    .reason = exchange->reason,
                                    .client_id = client_id(client),
                                    .client = client->serial,
                                    .exchange = exchange->serial,
                                    .bytes = span_of(bytes, reply.size)});
    if (reply.size == 0 || !client_deliver(mux, client, NULL, 0, span_of(bytes, reply.size))) {
        return false;
    }
    mux->counters.error_replies++;
    return !reply.closes;
}

static void answer_failed(struct mux *mux, struct exchange *exchange)
{
    struct client *client = exchange->client;
    enum mux_reason reason = exchange->reason;
    bool stays = reply(mux, client, exchange) && !exchange->request.closes;
    exchange_finish(mux, exchange, reason);
    if (!stays) {
        client_flush(mux, client, reason);
    }
}

/* The client has part of the response: nothing but its end can tell it that there is no more. */
static void cut_off(struct mux *mux, struct exchange *exchange)
{
    struct client *client = exchange->client;
    enum mux_reason reason = exchange->reason;
    bool looks_complete = exchange->closes_client;
    exchange_finish(mux, exchange, reason);
    if (looks_complete) {
        client->abort = true;
        client_gone(mux, client, reason);
    } else {
        client_flush(mux, client, reason);
    }
}

void answer_give(struct mux *mux, struct exchange *exchange)
{
    if (exchange->client == NULL) {
        exchange_finish(mux, exchange, exchange->reason);
    } else if (exchange->delivered) {
        cut_off(mux, exchange);
    } else {
        answer_failed(mux, exchange);
    }
}

void answers_give(struct mux *mux, struct client *client)
{
    while (client_is_served(client) && !list_is_empty(&client->exchanges)) {
        struct exchange *exchange =
            LIST_ENTRY(list_front(&client->exchanges), struct exchange, client_node);
        if (exchange->state != EXCHANGE_FAILED) {
            return;
        }
        answer_give(mux, exchange);
    }
}
