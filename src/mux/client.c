/* SPDX-License-Identifier: MIT */
/*
 * A client: its bytes become requests, its responses go out in order, and it ends in order.
 *
 * States: see struct client in state.h. A client that is OPEN or FINISHED is *served*. Everything
 * that changes it ends in client_settle (an exchange has changed) or client_touch (only its wishes
 * have).
 *
 * Reading is a function of state: a client is read while its queued requests and its unsent
 * responses are below the backlog. So nothing is lost by pausing, and nothing has to be resumed by
 * hand.
 */
#include <assert.h>

#include "mux/state.h"

static bool is_served(const struct client *client)
{
    return client->state == CLIENT_OPEN || client->state == CLIENT_FINISHED;
}

/* ---- wishes and deadlines ---- */

/* Whether another request of it may be queued. */
static bool has_room(const struct mux *mux, const struct client *client)
{
    return client->framed < mux->options.backlog_bytes_max &&
           client->exchanges_count < CLIENT_EXCHANGES_MAX;
}

static bool wants_read(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_LINGERING) {
        return true;
    }
    return client->state == CLIENT_OPEN && has_room(mux, client) &&
           buf_size(&client->out) <= mux->options.backlog_bytes_max;
}

unsigned client_wants(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_CLOSING) {
        return MUX_CLOSE;
    }
    unsigned wants = wants_read(mux, client) ? MUX_READ : 0;
    if (!buf_is_empty(&client->out)) {
        wants |= MUX_WRITE;
    } else if (client->state == CLIENT_LINGERING) {
        wants |= MUX_END;
    }
    return wants;
}

uint64_t client_deadline(const struct mux *mux, const struct client *client)
{
    const struct mux_options *options = &mux->options;
    if (client->slow) {
        return time_after(client->since_ns, options->write_timeout_ns);
    }
    if (client->state == CLIENT_LINGERING) {
        return client->since_ns + LINGER_NS;
    }
    if (client->state != CLIENT_OPEN) {
        return TIME_NEVER;
    }
    if (client->partial) {
        return client->reads ? time_after(client->since_ns, options->client_timeout_ns)
                             : TIME_NEVER;
    }
    if (client->exchanges_count == 0 && options->idle_timeout_ns > 0) {
        return time_after(client->since_ns, options->idle_timeout_ns);
    }
    return TIME_NEVER;
}

/* Whether it has to take bytes within --write-timeout. */
static bool is_slow(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_FLUSHING) {
        return !buf_is_empty(&client->out);
    }
    return is_served(client) && buf_size(&client->out) > mux->options.backlog_bytes_max;
}

/* Into the list that it belongs to, as the one that has moved last. */
static void stalled_update(struct mux *mux, struct client *client)
{
    list_drop(&client->stalled);
    if (client->slow) {
        list_push_back(&mux->slow, &client->stalled);
    } else if (client->partial) {
        list_push_back(&mux->partials, &client->stalled);
    }
}

/* Brings `reads` and `slow` up to date; a clock that stood still begins anew. */
static void update_clocks(struct mux *mux, struct client *client)
{
    bool reads = wants_read(mux, client);
    bool slow = is_slow(mux, client);
    if (slow != client->slow || (reads && !client->reads && client->partial)) {
        client->since_ns = mux->now_ns; /* while we did not read, silence was ours */
        client->taken = 0;
    }
    client->reads = reads;
    if (slow != client->slow) {
        client->slow = slow;
        stalled_update(mux, client);
    }
}

void client_touch(struct mux *mux, struct client *client)
{
    if (client->state == CLIENT_FREE) {
        return;
    }
    update_clocks(mux, client);
    turn_update(mux, client);
    mark(&mux->changed_clients, &client->changed, &client->told, client_wants(mux, client));
    timer_arm(mux, &client->timer, client_deadline(mux, client));
}

/* ---- ends ---- */

static void set_partial(struct mux *mux, struct client *client, bool partial)
{
    if (partial && !client->slow) {
        client->since_ns = mux->now_ns;
    }
    if (partial || client->partial) {
        client->partial = partial;
        stalled_update(mux, client);
    }
}

static void end_exchanges(struct mux *mux, struct client *client)
{
    while (!list_is_empty(&client->exchanges)) {
        exchange_abandon(mux,
                         LIST_ENTRY(list_front(&client->exchanges), struct exchange, client_node));
    }
    set_partial(mux, client, false);
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
    client->state = CLIENT_CLOSING;
    end_exchanges(mux, client);
    buf_clear(&mux->client_bufs, &client->out);
    client_touch(mux, client);
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
    assert(is_served(client));
    set_reason(client, reason);
    client->state = CLIENT_FLUSHING;
    end_exchanges(mux, client);
    flush_progress(mux, client);
    client_touch(mux, client);
}

/* Nothing behind the framed requests counts any more. */
static void poison(struct mux *mux, struct client *client)
{
    client->poisoned = true;
    client->state = CLIENT_FINISHED;
    set_partial(mux, client, false);
    buf_truncate(&mux->client_bufs, &client->in, client->framed);
}

/* An error reply in the place of what comes next from it, which then does not count any more. */
static void refuse(struct mux *mux, struct client *client, enum mux_reason reason)
{
    if (exchange_queue_failed(mux, client, reason)) {
        poison(mux, client);
    } else {
        client_gone(mux, client, REASON_MEMORY);
    }
}

/* ---- responses ---- */

bool client_deliver(struct mux *mux, struct client *client, const struct request *request,
                    bool first, struct span piece)
{
    assert(is_served(client));
    (void)first;
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
            protocol->edit(&mux->options.settings, TO_CLIENT, request, 0, 0, piece, space);
        assert(size <= piece.size + EDIT_GROWTH_MAX);
        buf_commit(&client->out, size);
        buf_consume(&mux->client_bufs, &client->out, 0);
    }
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
        reply = protocol->error_reply(&mux->options.settings, reason_trouble(exchange->reason), 0,
                                      request, bytes);
        assert(reply.size <= sizeof bytes);
    }
    observe(mux, (struct mux_event){.kind = MUX_ERROR_REPLY,
                                    .reason = exchange->reason,
                                    .client_id = client_id(client),
                                    .client = client->serial,
                                    .exchange = exchange->serial,
                                    .bytes = span_of(bytes, reply.size)});
    if (reply.size == 0 || !client_deliver(mux, client, NULL, true, span_of(bytes, reply.size))) {
        return false;
    }
    mux->counters.error_replies++;
    return !reply.closes;
}

/* Answers the failed exchanges whose turn has come. */
static void answer_failed(struct mux *mux, struct client *client)
{
    while (is_served(client) && !list_is_empty(&client->exchanges)) {
        struct exchange *exchange =
            LIST_ENTRY(list_front(&client->exchanges), struct exchange, client_node);
        if (exchange->state != EXCHANGE_FAILED) {
            return;
        }
        enum mux_reason reason = exchange->reason;
        bool stays = reply(mux, client, exchange) && !exchange->request.closes;
        exchange_finish(mux, exchange, reason);
        if (!stays) {
            client_flush(mux, client, reason);
        }
    }
}

/* ---- requests ---- */

/* Drops the bytes of exchanges at the front that no longer need them. */
static void release_bytes(struct mux *mux, struct client *client)
{
    uint64_t keep_from = client->in_begin + client->framed;
    for (struct list *node = list_first(&client->exchanges); node != NULL;
         node = list_next(&client->exchanges, node)) {
        struct exchange *exchange = LIST_ENTRY(node, struct exchange, client_node);
        if (exchange->holds_bytes) {
            keep_from = exchange->in_begin;
            break;
        }
    }
    size_t size = (size_t)(keep_from - client->in_begin);
    if (size == 0) {
        return;
    }
    buf_consume(&mux->client_bufs, &client->in, size);
    client->in_begin += size;
    client->framed -= (uint32_t)size;
}

/* Takes a piece off the front of the unframed bytes. */
static void take_request(struct mux *mux, struct client *client, const struct frame *frame,
                         const struct request *request)
{
    assert(frame->ends);
    set_partial(mux, client, false);
    if (!exchange_queue(mux, client, frame->size, request)) {
        refuse(mux, client, REASON_MEMORY);
    } else if (request->closes) {
        poison(mux, client);
    }
}

/* More bytes are needed, and may come or not. */
static void wait_for_more(struct mux *mux, struct client *client)
{
    if (client->state == CLIENT_OPEN) {
        set_partial(mux, client, true);
    } else {
        poison(mux, client);
    }
}

/* Cuts requests off the received bytes, as many as there is room for. */
static void frame_requests(struct mux *mux, struct client *client)
{
    const struct mux_options *options = &mux->options;
    while (is_served(client) && !client->poisoned && client->framed < buf_size(&client->in) &&
           has_room(mux, client)) {
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
            refuse(mux, client, REASON_CLIENT_MALFORMED);
            break;
        case FRAME_TOO_LARGE:
            refuse(mux, client, REASON_CLIENT_TOO_LARGE);
            break;
        }
    }
}

/* A client that sends nothing more and has been given everything. */
static void finish_if_done(struct mux *mux, struct client *client)
{
    if (client->state != CLIENT_FINISHED || client->exchanges_count > 0) {
        return;
    }
    enum mux_reason reason = client->ended ? REASON_CLIENT_ENDED : REASON_CLIENT_CLOSES;
    client_flush(mux, client, mux->draining && !client->poisoned ? REASON_SHUTDOWN : reason);
}

void client_settle(struct mux *mux, struct client *client)
{
    if (!is_served(client)) {
        return;
    }
    answer_failed(mux, client);
    if (!is_served(client)) {
        return;
    }
    release_bytes(mux, client);
    if (!client->partial) {
        frame_requests(mux, client);
        answer_failed(mux, client);
    }
    if (client->exchanges_count == 0 && !client->partial && !client->slow) {
        client->since_ns = mux->now_ns;
    }
    finish_if_done(mux, client);
    client_touch(mux, client);
}

/* ---- memory ---- */

/* Who has to go when --buffer-memory is spent: the longest-stalled partial message, else who has
 * gone longest without taking its responses. NULL: everybody is moving. */
static struct client *memory_victim(const struct mux *mux)
{
    struct list *node = list_first(&mux->partials);
    if (node != NULL) {
        return LIST_ENTRY(node, struct client, stalled);
    }
    node = list_first(&mux->slow);
    return node == NULL ? NULL : LIST_ENTRY(node, struct client, stalled);
}

static void memory_end(struct mux *mux, struct client *client)
{
    observe(mux, (struct mux_event){.kind = MUX_PAUSED,
                                    .reason = REASON_MEMORY,
                                    .client_id = client_id(client),
                                    .client = client->serial});
    if (client->partial) {
        refuse(mux, client, REASON_MEMORY);
        client_settle(mux, client);
    } else {
        client_gone(mux, client, REASON_MEMORY);
    }
}

static void memory_enforce(struct mux *mux, struct client *latest)
{
    /* Each round takes a client off one of the two lists; the last resort is who brought the last
     * bytes. */
    while (mux->client_bufs.used_bytes > mux->options.memory_bytes_max) {
        struct client *victim = memory_victim(mux);
        if (victim == NULL) {
            client_gone(mux, latest, REASON_MEMORY);
            return;
        }
        memory_end(mux, victim);
    }
}

/* ---- facts ---- */

struct client *client_open(struct mux *mux, const void *origin)
{
    struct client *client = table_take(mux);
    if (client == NULL) {
        return NULL;
    }
    list_init(&client->exchanges);
    client->state = CLIENT_OPEN;
    client->timer.kind = TIMER_CLIENT;
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
        refuse(mux, client, REASON_CLIENT_LIMIT);
        client_settle(mux, client);
    } else {
        mux->counters.clients_accepted++;
        mux->counters.clients++;
    }
    client_touch(mux, client);
    return client;
}

static void discard(struct mux *mux, struct client *client, size_t size)
{
    client->taken += (uint32_t)size;
    if (client->taken >= LINGER_BYTES_MAX) {
        client_gone(mux, client, REASON_CLIENT_ENDED);
    }
}

void client_received(struct mux *mux, struct client *client, struct span bytes)
{
    mux->counters.client_bytes_in += bytes.size;
    if (client->state == CLIENT_LINGERING) {
        discard(mux, client, bytes.size);
        return;
    }
    if (client->state != CLIENT_OPEN) {
        return;
    }
    if (!buf_append(&mux->client_bufs, &client->in, bytes)) {
        refuse(mux, client, REASON_MEMORY);
    } else {
        frame_requests(mux, client);
    }
    client_settle(mux, client);
    memory_enforce(mux, client);
}

void client_sent(struct mux *mux, struct client *client, size_t size)
{
    mux->counters.client_bytes_out += size;
    buf_consume(&mux->client_bufs, &client->out, size);
    client->taken += (uint32_t)size;
    if (client->slow && client->taken >= WRITE_PROGRESS_BYTES) {
        client->since_ns = mux->now_ns;
        client->taken = 0;
        stalled_update(mux, client);
    }
    flush_progress(mux, client);
    client_touch(mux, client);
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
            poison(mux, client);
        }
        client_settle(mux, client);
    }
}

void client_drain(struct mux *mux, struct client *client)
{
    if (client->state != CLIENT_OPEN) {
        return;
    }
    client->state = CLIENT_FINISHED;
    if (client->partial) {
        poison(mux, client);
        set_reason(client, REASON_SHUTDOWN);
    }
    if (client->exchanges_count == 0 && buf_is_empty(&client->out)) {
        client_gone(mux, client, REASON_SHUTDOWN);
    } else {
        client_settle(mux, client);
    }
}

void client_expired(struct mux *mux, struct client *client)
{
    if (client->slow) {
        client_gone(mux, client, REASON_CLIENT_SLOW);
    } else if (client->state == CLIENT_LINGERING) {
        client_gone(mux, client, REASON_CLIENT_ENDED);
    } else if (client->partial) {
        refuse(mux, client, REASON_CLIENT_STALLED);
        client_settle(mux, client);
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
                                    .client = client->serial});
    heap_remove(&mux->heap, &client->timer.item);
    list_drop(&client->changed);
    mux->counters.clients_closed++;
    if (client->refused) {
        mux->refused_count--;
    } else {
        mux->counters.clients--;
    }
    table_give(mux, client);
}
