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

bool client_is_served(const struct client *client)
{
    return client->state == CLIENT_OPEN || client->state == CLIENT_FINISHED;
}

/* ---- wishes and deadlines ---- */

/* Whether another request of it may be queued. */
bool client_has_room(const struct mux *mux, const struct client *client)
{
    return client->framed < mux->options.backlog_bytes_max &&
           client->exchanges_count < CLIENT_EXCHANGES_MAX;
}

/* Whether the link that it uploads to has enough to send. */
static bool is_upload_blocked(const struct mux *mux, const struct client *client)
{
    return client_is_uploading(client) &&
           buf_size(&client_unfinished(client)->link->out) >= mux->options.backlog_bytes_max;
}

static bool wants_read(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_LINGERING) {
        return true;
    }
    if (is_upload_blocked(mux, client)) {
        return false;
    }
    return client->state == CLIENT_OPEN && !client->held_back && client_has_room(mux, client) &&
           buf_size(&client->out) <= mux->options.backlog_bytes_max;
}

unsigned client_wants(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_CLOSING) {
        return MUX_CLOSE | (client->abort ? MUX_ABORT : 0);
    }
    unsigned wants = wants_read(mux, client) ? MUX_READ : 0;
    if (!buf_is_empty(&client->out)) {
        wants |= MUX_WRITE;
    } else if (client->state == CLIENT_LINGERING) {
        wants |= MUX_END;
    }
    return wants;
}

/* Whether it has nothing under way: no exchange, no part of a request, nothing left to take. A client that
 * does not take its responses is not read, so what it has asked since is not known. */
static bool is_idle(const struct client *client)
{
    return client->state == CLIENT_OPEN && client->exchanges_count == 0 && !client->partial &&
           buf_is_empty(&client->out);
}

/* ---- what a client takes of what it was given ---- */

/* A deadline that is only ever seconds away needs no nanoseconds: a tick is about a millisecond, and half
 * as large in a client. */
enum { TICK_SHIFT = 20 };

static uint64_t tick_of(uint64_t ns)
{
    return (ns + ((uint64_t)1 << TICK_SHIFT) - 1) >> TICK_SHIFT;
}

/* When it has taken nothing for --write-timeout. */
static uint64_t taking_ends(const struct mux *mux, const struct client *client)
{
    if (!client->owes) {
        return TIME_NEVER;
    }
    uint64_t now = tick_of(mux->now_ns);
    uint32_t age = (uint32_t)now - client->took_tick; /* wraps after 52 days */
    return time_after((now - age) << TICK_SHIFT, mux->options.write_timeout_ns);
}

static void takes(const struct mux *mux, struct client *client)
{
    client->took_tick = (uint32_t)tick_of(mux->now_ns);
}

static uint64_t other_deadline(const struct mux *mux, const struct client *client)
{
    const struct mux_options *options = &mux->options;
    if (client->slow) {
        return time_after(client->since_ns, options->write_timeout_ns);
    }
    if (client->state == CLIENT_LINGERING || (client->refused && client->state == CLIENT_OPEN)) {
        return client->since_ns + LINGER_NS;
    }
    if (client->state != CLIENT_OPEN) {
        return TIME_NEVER;
    }
    if (client->partial) {
        uint64_t timeout_ns =
            client_is_uploading(client) ? options->write_timeout_ns : options->client_timeout_ns;
        return client->reads ? time_after(client->since_ns, timeout_ns) : TIME_NEVER;
    }
    if (is_idle(client) && options->idle_timeout_ns > 0) {
        return time_after(client->since_ns, options->idle_timeout_ns);
    }
    return TIME_NEVER;
}

uint64_t client_deadline(const struct mux *mux, const struct client *client)
{
    uint64_t taking_at = taking_ends(mux, client);
    uint64_t other_at = other_deadline(mux, client);
    uint64_t hold_at = client->on_link == 0 ? TIME_NEVER : client_hold_ends(mux, client);
    uint64_t at = taking_at < other_at ? taking_at : other_at;
    return at < hold_at ? at : hold_at;
}

/* Whether it has to take WRITE_PROGRESS_BYTES within --write-timeout. */
static bool is_slow(const struct mux *mux, const struct client *client)
{
    if (client->state == CLIENT_FLUSHING) {
        return !buf_is_empty(&client->out);
    }
    return client_is_served(client) && buf_size(&client->out) > mux->options.backlog_bytes_max;
}

/* Whether it is not read, since memory is short. In the middle of a message it is, for only the rest of that
 * can free what it holds. Who is held back has asked something that will end, or has something to take:
 * then it is looked at again. */
static bool is_held_back(const struct mux *mux, const struct client *client)
{
    return client->state == CLIENT_OPEN && !client->partial && !client->unfinished &&
           memory_is_over_share(mux, client);
}

/* Brings `held_back`, `reads`, `slow` and `owes` up to date; a clock that stood still begins anew. */
static void update_clocks(struct mux *mux, struct client *client)
{
    client->held_back = is_held_back(mux, client);
    bool reads = wants_read(mux, client);
    bool slow = is_slow(mux, client);
    if (slow != client->slow || (reads && !client->reads && client->partial)) {
        client->since_ns = mux->now_ns; /* while we did not read, silence was ours */
        client->taken = 0;
    }
    bool owes = !slow && !buf_is_empty(&client->out);
    if (owes && !client->owes) {
        takes(mux, client);
    }
    client->reads = reads;
    client->slow = slow;
    client->owes = owes;
}

void client_touch(struct mux *mux, struct client *client)
{
    if (client->state == CLIENT_FREE) {
        return;
    }
    update_clocks(mux, client);
    memory_note(mux, client);
    turn_update(mux, client);
    mark(&mux->changed_clients, &client->changed, &client->told, client_wants(mux, client));
    timer_arm(mux, &client->timer, client_deadline(mux, client));
}

/* ---- ends ---- */

static void end_exchanges(struct mux *mux, struct client *client)
{
    while (!list_is_empty(&client->exchanges)) {
        exchange_abandon(mux,
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

enum mux_reason client_gone_reason(const struct client *client)
{
    if (client->reason != REASON_NONE) {
        return (enum mux_reason)client->reason;
    }
    return client->ended ? REASON_CLIENT_ENDED : REASON_SHUTDOWN;
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
    assert(client_is_served(client));
    set_reason(client, reason);
    client->state = CLIENT_FLUSHING;
    end_exchanges(mux, client);
    if (is_idle(client)) {
        client->since_ns = mux->now_ns;
    }
    flush_progress(mux, client);
    client_touch(mux, client);
}

/* ---- settling ---- */

/* A client that sends nothing more and has been given everything. */
static void finish_if_done(struct mux *mux, struct client *client)
{
    if (client->state != CLIENT_FINISHED || client->exchanges_count > 0) {
        return;
    }
    enum mux_reason reason = mux->draining ? REASON_SHUTDOWN : REASON_CLIENT_CLOSES;
    client_flush(mux, client, client->ended ? REASON_CLIENT_ENDED : reason);
}

void client_settle(struct mux *mux, struct client *client)
{
    if (!client_is_served(client)) {
        return;
    }
    answers_give(mux, client);
    if (!client_is_served(client)) {
        return;
    }
    requests_release(mux, client);
    if (!client->partial) {
        requests_frame(mux, client);
        answers_give(mux, client);
    }
    if (client->exchanges_count == 0 && !client->partial && !client->slow) {
        client->since_ns = mux->now_ns;
    }
    finish_if_done(mux, client);
    client_touch(mux, client);
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
            client_settle(mux, client);
        }
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
    bool was_idle = is_idle(client);
    uint64_t idle_ns = client->since_ns, exchanges = mux->exchange_serial;
    count_progress(mux, client, bytes.size);
    if (!buf_append(&mux->client_bufs, &client->in, bytes)) {
        client_refuse(mux, client, REASON_MEMORY, 0);
    } else {
        requests_frame(mux, client);
    }
    client_settle(mux, client);
    if (was_idle && is_idle(client) && exchanges == mux->exchange_serial) {
        client->since_ns = idle_ns; /* what it has sent was nothing */
        client_touch(mux, client);
    }
}

/* The link that waited for it to take its response may be read again. */
static void unblock_link(struct mux *mux, const struct client *client)
{
    const struct exchange *oldest =
        LIST_ENTRY(list_front(&client->exchanges), struct exchange, client_node);
    if (oldest->link != NULL) {
        link_touch(mux, oldest->link);
    }
}

void client_sent(struct mux *mux, struct client *client, size_t size)
{
    mux->counters.client_bytes_out += size;
    buf_consume(&mux->client_bufs, &client->out, size);
    takes(mux, client);
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
    if (is_idle(client)) {
        client->since_ns = mux->now_ns;
    }
    flush_progress(mux, client);
    client_touch(mux, client);
    if (client->on_link > 0) {
        unblock_link(mux, client);
    }
}

/* A request that will not become whole is discarded. */
static void discard_partial(struct mux *mux, struct client *client)
{
    if (client->unfinished) {
        exchange_abandon(mux, client_unfinished(client));
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
        client_settle(mux, client);
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
        client_settle(mux, client);
    }
}

void client_expired(struct mux *mux, struct client *client)
{
    client_hold_over(mux, client);
    if (client->slow || taking_ends(mux, client) <= mux->due_ns) {
        client->reason =
            REASON_CLIENT_SLOW; /* whatever else was its end: something was not delivered */
        client_gone(mux, client, REASON_CLIENT_SLOW);
    } else if (client->state == CLIENT_LINGERING) {
        client_gone(mux, client, REASON_CLIENT_ENDED);
    } else if (client->refused) {
        client_flush(mux, client, REASON_CLIENT_LIMIT);
    } else if (client->partial) {
        client_refuse(mux, client, REASON_CLIENT_STALLED, request_partial_code(mux, client));
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
                                    .client = client->serial,
                                    .silent = !client->spoke});
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
