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

#include "mux/internal.h"

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
        client_abandon(mux, client_unfinished(client));
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

static void discard(struct mux *mux, struct client *client, size_t size)
{
    client->taken += (uint32_t)size;
    if (client->taken >= LINGER_BYTES_MAX) {
        client_gone(mux, client, REASON_CLIENT_ENDED);
    }
}

/* Inside a message a client has to bring the rest of it or so much: of an upload that holds a link within
 * --write-timeout, of a head or a message that has none, or of a body in front of its link, within
 * --client-timeout. */
static void count_progress(struct mux *mux, struct client *client, size_t size)
{
    if (!client->partial || client->slow || client->refused) {
        return;
    }
    bool gathers = client->unfinished && !client_is_uploading(client);
    client->taken += (uint32_t)size;
    if (client->taken >= (gathers ? BODY_PROGRESS_BYTES : WRITE_PROGRESS_BYTES)) {
        client->since_ns = mux->now_ns;
        client->taken = 0;
    }
}

static void note_speaking(struct mux *mux, struct client *client)
{
    client->spoke = true;
    observe(mux, (struct mux_event){.kind = MUX_CLIENT_SPOKE,
                                    .client_id = client_id(client),
                                    .client = client->serial});
}

void client_received(struct mux *mux, struct client *client, struct span bytes)
{
    if (!client->spoke) {
        note_speaking(mux, client);
    }
    mux->counters.client_bytes_in += bytes.size;
    if (client->state == CLIENT_LINGERING) {
        discard(mux, client, bytes.size);
        return;
    }
    if (client->state != CLIENT_OPEN) {
        return;
    }
    count_progress(mux, client, bytes.size);
    if (!buf_append(&mux->client_bufs, &client->in, bytes)) {
        client_refuse(mux, client, REASON_MEMORY, 0);
    } else {
        requests_frame(mux, client);
    }
    client_mark(mux, client);
}
