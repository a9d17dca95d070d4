/* SPDX-License-Identifier: MIT */
/*
 * A client's bytes become requests.
 *
 *     client->in:   | framed: of queued requests that may still be needed | the rest: not framed |
 *
 * The protocol cuts pieces off the rest, as many as there is room for. The first piece of a request makes
 * an exchange, the others are appended to it until one ends it; so at most the last exchange of a
 * client is *unfinished*. What is behind a request that ends the connection, or behind garbage, is discarded
 * (poisoned). Garbage itself becomes a failed exchange, or fails the unfinished one, so that its error reply
 * takes its place in the client's order.
 */
#include <assert.h>

#include "mux/state.h"

struct exchange *client_unfinished(const struct client *client)
{
    return client->unfinished ? LIST_ENTRY(client->exchanges.prev, struct exchange, client_node)
                              : NULL;
}

bool client_is_uploading(const struct client *client)
{
    const struct exchange *exchange = client_unfinished(client);
    return exchange != NULL && exchange->state == EXCHANGE_TAKEN;
}

void client_set_partial(struct mux *mux, struct client *client, bool partial)
{
    if (partial && !client->partial) {
        client_clock_begins(mux, client);
    }
    client->partial = partial;
}

void client_clock_begins(struct mux *mux, struct client *client)
{
    if (!client->slow && !client->refused && !client_is_uploading(client)) {
        client->since_ns = mux->now_ns;
        client->taken = 0;
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

/* The unfinished request is refused; if a link has part of it, the link is of no use any more. */
static void refuse_unfinished(struct mux *mux, struct exchange *exchange, enum mux_reason reason)
{
    struct link *link = exchange->link;
    if (link != NULL && exchange->sent_ns == TIME_NEVER) {
        link_unsend(mux, link, exchange);
        link = NULL;
    }
    exchange_fail(mux, exchange, reason);
    if (link != NULL) {
        mux->is_wary = true; /* it is not on the link any more, and was not answered */
        link_replace(mux, link, REASON_HALF_REQUEST);
    }
}

void client_refuse(struct mux *mux, struct client *client, enum mux_reason reason, uint16_t code)
{
    struct exchange *exchange = client_unfinished(client);
    if (exchange != NULL) {
        exchange->code = code;
        refuse_unfinished(mux, exchange, reason);
    } else if (exchange_queue_failed(mux, client, reason, code)) {
        client_poison(mux, client);
    } else {
        client_gone(mux, client, REASON_MEMORY);
    }
}

uint16_t request_partial_code(const struct mux *mux, const struct client *client)
{
    if (client->unfinished) {
        return 0;
    }
    struct framer framer = client->framer; /* which stays where it is */
    struct frame frame = {0};
    struct request request = {0};
    struct span bytes = span_from(buf_view(&client->in), client->framed);
    (void)mux->options.protocol->frame_request(&mux->options.settings, &framer, bytes, &frame,
                                               &request);
    return frame.code;
}

/* Drops the bytes at the front that no exchange needs any longer. */
void requests_release(struct mux *mux, struct client *client)
{
    uint32_t size =
        client->holder == NULL ? client->framed : client->holder->in_begin - client->in_begin;
    if (size == 0) {
        return;
    }
    buf_consume(&mux->client_bufs, &client->in, size);
    client->in_begin += size;
    client->framed -= size;
}

/* A client over --max-clients is told so in answer to its request, and closed. */
static void refuse_over_limit(struct mux *mux, struct client *client, const struct frame *frame,
                              const struct request *request)
{
    if (!exchange_queue_failed(mux, client, REASON_CLIENT_LIMIT, 0)) {
        client_gone(mux, client, REASON_MEMORY);
        return;
    }
    struct exchange *exchange = LIST_ENTRY(client->exchanges.prev, struct exchange, client_node);
    exchange->request = *request;
    exchange->request.closes = true;
    exchange->in_size = (uint32_t)frame->size;
    client_poison(mux, client);
}

/* Takes a piece off the front of the unframed bytes. */
static void take_piece(struct mux *mux, struct client *client, const struct frame *frame,
                       const struct request *request)
{
    struct exchange *exchange = client_unfinished(client);
    bool closes = exchange == NULL ? request->closes : exchange->request.closes;
    bool taken = exchange == NULL ? exchange_queue(mux, client, frame, request)
                                  : exchange_append(mux, exchange, frame);
    if (exchange == NULL || frame->ends) {
        client_clock_begins(mux, client); /* of what is behind a head, or of the next message */
    }
    exchange = client_unfinished(client);
    if (exchange != NULL && !exchange->holds_bytes) {
        requests_release(mux, client); /* the link has them, so they fill no backlog */
    }
    if (!taken) {
        client_refuse(mux, client, REASON_MEMORY, 0);
    } else if (frame->ends && (closes || mux->draining)) {
        client_poison(mux, client);
    }
}

/* More bytes are needed, and may come or not. */
static void wait_for_more(struct mux *mux, struct client *client)
{
    if (client->state == CLIENT_OPEN) {
        client_set_partial(mux, client, true);
        return;
    }
    if (client->unfinished) {
        exchange_abandon(mux, client_unfinished(client));
    }
    client_poison(mux, client);
}

/* Bytes between requests that mean nothing: they go with what stands in front of them. */
static void skip(struct mux *mux, struct client *client, size_t size)
{
    client->framed += (uint32_t)size;
    requests_release(mux, client);
}

/* Cuts the next piece off the unframed bytes. False: there is none, or more bytes are needed; `inside`: of a
 * request that has begun. */
static bool frame_next(struct mux *mux, struct client *client, bool *inside)
{
    const struct mux_options *options = &mux->options;
    struct frame frame = {0};
    struct request request = {0};
    struct span bytes = span_from(buf_view(&client->in), client->framed);
    switch (options->protocol->frame_request(&options->settings, &client->framer, bytes, &frame,
                                             &request)) {
    case FRAME_PIECE:
        if (client->refused) {
            refuse_over_limit(mux, client, &frame, &request);
        } else {
            take_piece(mux, client, &frame, &request);
        }
        return true;
    case FRAME_SKIP:
        skip(mux, client, frame.size);
        return true;
    case FRAME_PARTIAL:
        *inside = !frame.unbegun || client->state != CLIENT_OPEN;
        return false;
    case FRAME_WRONG: /* no protocol says so of a request */
    case FRAME_INVALID:
        client_refuse(mux, client, REASON_CLIENT_MALFORMED, frame.code);
        return true;
    case FRAME_TOO_LARGE:
        client_refuse(mux, client, REASON_CLIENT_TOO_LARGE, frame.code);
        return true;
    }
    return false;
}

/* Whether another request may be queued. One may always, so that something of it ends and it goes on. */
static bool may_queue(const struct mux *mux, const struct client *client)
{
    return client_has_room(mux, client) && (client->exchanges_count == 0 || client->unfinished ||
                                            !memory_is_over_share(mux, client));
}

/* Cuts requests off the received bytes, as many as there is room for. */
void requests_frame(struct mux *mux, struct client *client)
{
    bool inside = client->unfinished && client->framed == buf_size(&client->in);
    while (client_is_served(client) && !client->poisoned &&
           client->framed < buf_size(&client->in) && may_queue(mux, client)) {
        if (!frame_next(mux, client, &inside)) {
            break;
        }
        inside = client->unfinished && client->framed == buf_size(&client->in);
    }
    if (!client_is_served(client) || client->poisoned) {
        return;
    }
    if (inside) {
        wait_for_more(mux, client);
    } else {
        client_set_partial(mux, client, false);
    }
}
