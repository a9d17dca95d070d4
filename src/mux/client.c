/* SPDX-License-Identifier: MIT */
/*
 * A client: its bytes become requests, its responses go out in order, and it ends in order.
 *
 * States: see struct client in state.h. A client that is OPEN or FINISHED is *served*. What follows
 * from a change is done when the fact is (settle.c).
 */
#include <assert.h>

#include "mux/internal.h"

/* ---- ends ---- */

void client_abandon(struct mux *mux, struct exchange *exchange)
{
    struct link *link = exchange->link;
    enum mux_reason reason = exchange_abandon(mux, exchange);
    if (reason != REASON_NONE) {
        link_replace(mux, link, reason);
    }
}

static void end_exchanges(struct mux *mux, struct client *client)
{
    while (!list_is_empty(&client->exchanges)) {
        client_abandon(mux,
                       LIST_ENTRY(list_front(&client->exchanges), struct exchange, client_node));
    }
    client_set_partial(mux, client, false);
    buf_clear(&mux->client_bufs, &client->in);
    client->framed = 0;
}

static void set_reason(struct client *client, enum mux_reason reason)
{
    if (client->reason == REASON_NONE) {
        client->reason = (uint8_t)reason;
    }
}

void client_gone(struct mux *mux, struct client *client, enum mux_reason reason)
{
    if (client->state == CLIENT_CLOSING) {
        return;
    }
    set_reason(client, reason);
    if (client->until_end && (client_is_served(client) || !buf_is_empty(&client->out))) {
        client->abort = true; /* else it would take what it has for all of it */
    }
    client->state = CLIENT_CLOSING;
    turn_update(mux, client);
    end_exchanges(mux, client);
    buf_clear(&mux->client_bufs, &client->out);
    memory_note(mux, client);
    client_mark(mux, client);
}

/* From FLUSHING on, when everything is sent. */
static void flush_progress(struct mux *mux, struct client *client)
{
    if (client->state != CLIENT_FLUSHING || !buf_is_empty(&client->out)) {
        return;
    }
    client->state = client->ended ? CLIENT_CLOSING : CLIENT_LINGERING;
    client->since_ns = mux->now_ns;
    client->taken = 0;
}

void client_flush(struct mux *mux, struct client *client, enum mux_reason reason)
{
    assert(client_is_served(client));
    set_reason(client, reason);
    client->state = CLIENT_FLUSHING;
    turn_update(mux, client);
    end_exchanges(mux, client);
    flush_progress(mux, client);
    client_mark(mux, client);
}

/* ---- facts ---- */

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

struct client *client_open(struct mux *mux, const void *origin)
{
    struct client *client = table_take(mux);
    if (client == NULL) {
        return NULL;
    }
    list_init(&client->exchanges);
    client->state = CLIENT_OPEN;
    client->timer.item.tag = TIMER_CLIENT;
    client->since_ns = mux->now_ns;
    client->serial = ++mux->client_serial;
    client->refused = mux->clients_count - mux->refused_count > mux->options.clients_max;
    observe(mux, (struct mux_event){.kind = MUX_CLIENT_OPENED,
                                    .client_id = client_id(client),
                                    .client = client->serial,
                                    .origin = origin});
    if (client->refused) {
        mux->refused_count++;
        mux->counters.clients_refused++;
        if (!mux->options.protocol->refuses_in_reply) {
            client_refuse(mux, client, REASON_CLIENT_LIMIT, 0);
        }
    } else {
        mux->counters.clients_accepted++;
        mux->counters.clients++;
    }
    client_mark(mux, client);
    return client;
}

/* The link that waited for it to take its response may be read again. */
static void unblock_link(struct mux *mux, const struct client *client)
{
    const struct exchange *oldest =
        LIST_ENTRY(list_front(&client->exchanges), struct exchange, client_node);
    if (oldest->link != NULL) {
        link_mark(mux, oldest->link);
    }
}

void client_sent(struct mux *mux, struct client *client, size_t size)
{
    mux->counters.client_bytes_out += size;
    buf_consume(&mux->client_bufs, &client->out, size);
    client_takes(mux, client);
    if (client->slow) {
        if (client->on_link > 0) {
            mux->links[client->link_slot].moved_ns = mux->now_ns;
        }
        client->taken += (uint32_t)size;
        if (client->taken >= WRITE_PROGRESS_BYTES) {
            client->since_ns = mux->now_ns;
            client->taken = 0;
        }
    }
    if (client_is_idle(client)) {
        client->since_ns = mux->now_ns;
    }
    flush_progress(mux, client);
    client_mark(mux, client);
    if (client->on_link > 0) {
        unblock_link(mux, client);
    }
}

/* A request that will not become whole is discarded. */
static void discard_partial(struct mux *mux, struct client *client)
{
    if (client->unfinished) {
        client_abandon(mux, client_unfinished(client));
    }
    client_poison(mux, client);
}

void client_ended(struct mux *mux, struct client *client)
{
    client->ended = true;
    if (client->state == CLIENT_LINGERING) {
        client_gone(mux, client, REASON_CLIENT_ENDED);
        return;
    }
    if (client->state == CLIENT_OPEN) {
        client->state = CLIENT_FINISHED;
        if (client->partial) {
            discard_partial(mux, client);
        }
        client_unsettle(mux, client);
    }
}

void client_drain(struct mux *mux, struct client *client)
{
    if (client->state != CLIENT_OPEN || client_is_uploading(client)) {
        return; /* an upload that holds a link goes on; the request ends it */
    }
    client->state = CLIENT_FINISHED;
    if (client->partial) {
        discard_partial(mux, client);
        set_reason(client, REASON_SHUTDOWN);
    }
    if (client->exchanges_count == 0 && buf_is_empty(&client->out)) {
        client_gone(mux, client, REASON_SHUTDOWN);
    } else {
        client_unsettle(mux, client);
    }
}

void client_expired(struct mux *mux, struct client *client)
{
    client_hold_over(mux, client);
    if (client->slow || client_taking_ends(mux, client) <= mux->due_ns) {
        client->reason =
            REASON_CLIENT_SLOW; /* whatever else was its end: something was not delivered */
        client_gone(mux, client, REASON_CLIENT_SLOW);
    } else if (client->state == CLIENT_LINGERING) {
        client_gone(mux, client, REASON_CLIENT_ENDED);
    } else if (client->refused) {
        client_flush(mux, client, REASON_CLIENT_LIMIT);
    } else if (client->partial) {
        client_refuse(mux, client, REASON_CLIENT_STALLED, request_partial_code(mux, client));
    } else {
        client_flush(mux, client, REASON_CLIENT_IDLE);
    }
}

void client_closed(struct mux *mux, struct client *client)
{
    client_gone(mux, client, REASON_CLIENT_RESET);
    observe(mux, (struct mux_event){.kind = MUX_CLIENT_CLOSED,
                                    .reason = (enum mux_reason)client->reason,
                                    .client_id = client_id(client),
                                    .client = client->serial,
                                    .silent = !client->spoke});
    heap_remove(&mux->heap, &client->timer.item);
    list_drop(&client->changed);
    list_drop(&client->marked);
    mux->counters.clients_closed++;
    if (client->refused) {
        mux->refused_count--;
    } else {
        mux->counters.clients--;
    }
    table_give(mux, client);
}
