/* SPDX-License-Identifier: MIT */
/*
 * An exchange, from queue to end.
 *
 *     GATHERING ──(whole, or enough of it)──► WAITING, or JOINED to another one (share.c)
 *
 *     WAITING ──take──► TAKEN ──(response ends, or sent and nothing expected)──► finished
 *        ▲                │
 *        └────return──────┤ (link broke, nothing written; or re-sendable)
 *                         │
 *     any ──fail──► FAILED ──(its turn in the client's order: error reply)──► finished
 *
 * An exchange stands in its client's queue from the first to the last, unless the client goes: then
 * it is finished at once (nothing of it was written), or becomes an orphan, which only its link
 * knows.
 *
 * The request's bytes stay in the client's buffer as long as they may be needed again: until the
 * first is written, for a re-sendable request until the first response byte. What is on the link is
 * a copy.
 */
#include <assert.h>
#include <string.h>

#include "mux/internal.h"

/* ---- queueing ---- */

static struct exchange *append(struct mux *mux, struct client *client)
{
    struct exchange *exchange = pool_take(&mux->exchange_pool);
    if (exchange == NULL) {
        return NULL;
    }
    exchange->serial = ++mux->exchange_serial;
    exchange->client = client;
    exchange->arrived_ns = mux->now_ns;
    exchange->arrived_outage_ns = outage_clock(mux);
    exchange->sent_ns = TIME_NEVER;
    exchange->in_begin = client->in_begin + client->framed;
    list_init(&exchange->joiners);
    list_push_back(&client->exchanges, &exchange->client_node);
    client->exchanges_count++;
    return exchange;
}

/* A request waits for a link when it is whole, or when enough of it is there. */
static bool is_ready(const struct mux *mux, const struct exchange *exchange)
{
    size_t enough = mux->options.request_buffer_bytes < mux->options.backlog_bytes_max
                        ? mux->options.request_buffer_bytes
                        : mux->options.backlog_bytes_max;
    return exchange->whole || exchange->request.eager || exchange->in_size >= enough;
}

bool exchange_queue(struct mux *mux, struct client *client, const struct frame *frame,
                    const struct request *request)
{
    struct span bytes = span_of(span_from(buf_view(&client->in), client->framed).data, frame->size);
    struct exchange *exchange = append(mux, client);
    if (exchange == NULL) {
        return false;
    }
    exchange->state = EXCHANGE_GATHERING;
    exchange->request = *request;
    exchange->request.origin = table_host(mux, client);
    mux->is_blind = mux->is_blind || request->is_blind;
    exchange->in_size = exchange->head_size = (uint32_t)frame->size;
    exchange->holds_bytes = true;
    if (client->holder == NULL) {
        client->holder = exchange;
    }
    exchange->whole = frame->ends;
    client->unfinished = !frame->ends;
    client->framed += (uint32_t)frame->size;
    mux->counters.requests++;
    exchange_report(mux, MUX_REQUEST, exchange, REASON_NONE, bytes, 0);
    if (!share_join(mux, exchange) && is_ready(mux, exchange)) {
        waiting_enter(mux, exchange);
    }
    return true;
}

bool exchange_append(struct mux *mux, struct exchange *exchange, const struct frame *frame)
{
    struct client *client = exchange->client;
    /* One that is lost takes nothing more; what was on it is about to be settled. */
    struct link *link = exchange->link != NULL && exchange->link->is_lost ? NULL : exchange->link;
    assert(!exchange->whole);
    if (link != NULL) {
        struct span bytes =
            span_of(span_from(buf_view(&client->in), client->framed).data, frame->size);
        size_t size = write_piece(mux, exchange, frame, bytes);
        if (size == 0) {
            return false;
        }
        exchange->out_end += size;
    }
    exchange->mends = exchange->mends || frame->mends;
    client->framed += (uint32_t)frame->size;
    exchange->in_size += (uint32_t)frame->size;
    exchange->whole = frame->ends;
    client->unfinished = !frame->ends;
    if (exchange->state == EXCHANGE_GATHERING && is_ready(mux, exchange)) {
        waiting_enter(mux, exchange);
    }
    if (link != NULL) {
        link_mark(mux, link);
        mux->schedule_wanted = mux->schedule_wanted || frame->ends; /* others may go behind it */
    }
    return true;
}

bool exchange_queue_failed(struct mux *mux, struct client *client, enum mux_reason reason,
                           uint16_t code)
{
    struct exchange *exchange = append(mux, client);
    if (exchange == NULL) {
        return false;
    }
    exchange->state = EXCHANGE_FAILED;
    exchange->reason = reason;
    exchange->code = code;
    exchange->whole = true;
    client_unsettle(mux, client);
    return true;
}

/* ---- leaving where it stands ---- */

static void leave_link(struct mux *mux, struct exchange *exchange)
{
    assert(exchange->state == EXCHANGE_TAKEN);
    struct link *link = exchange->link;
    bool oldest = list_first(&link->exchanges) == &exchange->node;
    if (link->sending == exchange) {
        link->sending = exchange_behind(exchange);
    }
    list_remove(&exchange->node);
    if (exchange->has_id) {
        ids_free(&link->ids, exchange->id);
        exchange->has_id = false;
    }
    link->exchanges_count--;
    mux->counters.in_flight--;
    exchange->link = NULL;
    if (exchange->client != NULL) {
        exchange->client->on_link--;
    }
    if (oldest) {
        link->head_ns = link->clock_ns = mux->now_ns;
    }
    turn_place_free(mux, link, exchange->client);
    link_mark(mux, link);
}

static void leave(struct mux *mux, struct exchange *exchange)
{
    switch (exchange->state) {
    case EXCHANGE_WAITING:
        waiting_leave(mux, exchange);
        share_end(mux, exchange);
        break;
    case EXCHANGE_TAKEN:
        leave_link(mux, exchange);
        share_end(mux, exchange);
        break;
    case EXCHANGE_JOINED:
        share_leave(mux, exchange);
        break;
    case EXCHANGE_GATHERING:
        share_end(mux, exchange);
        break;
    case EXCHANGE_FAILED:
        list_drop(&exchange->node);
        break;
    }
}

/* Its bytes are not needed any more. */
static void drop_bytes(struct exchange *exchange)
{
    struct client *client = exchange->client;
    exchange->holds_bytes = false;
    while (client->holder != NULL && !client->holder->holds_bytes) { /* each is stepped over once */
        client->holder = exchange_after(client->holder);
    }
}

static void leave_client(struct mux *mux, struct exchange *exchange)
{
    struct client *client = exchange->client;
    drop_bytes(exchange);
    list_remove(&exchange->client_node);
    client->exchanges_count--;
    if (!exchange->whole) {
        client->unfinished = false;
    }
    if (client->exchanges_count == 0 && !client->partial && !client->slow) {
        client->since_ns = mux->now_ns; /* it is idle */
    }
    client_unsettle(mux, client);
    exchange->client = NULL;
    exchange->request.origin = NULL; /* it was the client's */
}

void exchange_release_bytes(struct mux *mux, struct exchange *exchange)
{
    if (!exchange->holds_bytes) {
        return;
    }
    drop_bytes(exchange);
    client_unsettle(mux, exchange->client);
}

/* ---- on a link ---- */

void exchange_take(struct mux *mux, struct exchange *exchange, struct link *link)
{
    struct client *client = exchange->client;
    assert(exchange->holds_bytes);
    struct span view = span_from(buf_view(&client->in), exchange->in_begin - client->in_begin);
    struct span bytes = {.data = view.data, .size = exchange->in_size};
    size_t before = buf_size(&link->out);
    assert(bytes.data != NULL);
    if (mux->by_id) {
        exchange->id = ids_give(&link->ids, exchange);
    }
    if (!waiting_has_room(mux) || !write_request(mux, exchange, link, bytes)) {
        if (mux->by_id) {
            ids_free(&link->ids, exchange->id);
        }
        exchange_fail(mux, exchange, REASON_MEMORY);
        return;
    }
    waiting_leave(mux, exchange);
    exchange->state = EXCHANGE_TAKEN;
    exchange->has_id = mux->by_id;
    exchange->link = link;
    exchange->out_begin = link->written + before;
    exchange->out_end = link->written + buf_size(&link->out);
    exchange->sent_ns = TIME_NEVER;
    exchange->effects_ended = mux->effects_ended;
    exchange->responding = false;
    quiet_taken(mux, link);
    if (link->exchanges_count++ == 0) {
        link->head_ns = link->clock_ns = mux->now_ns;
    }
    list_push_back(&link->exchanges, &exchange->node);
    if (link->sending == NULL) {
        link->sending = exchange;
    }
    client->on_link++;
    client->link_slot = link->slot & (MUX_LINKS_MAX - 1);
    mux->counters.in_flight++;
    mux->counters.requests_taken++;
    exchange_report(mux, MUX_REQUEST_TAKEN, exchange, REASON_NONE,
                    span_from(buf_view(&link->out), before), mux->now_ns - exchange->arrived_ns);
    exchange->streams = !exchange->whole;
    if (!exchange->whole) {
        client->since_ns = mux->now_ns; /* from now on it holds up others: --write-timeout */
        client->taken = 0;
    }
    client_mark(mux, client);
    link_mark(mux, link);
}

void exchange_sent(struct mux *mux, struct exchange *exchange, uint64_t written)
{
    assert(exchange->sent_ns != TIME_NEVER);
    if (exchange->streams && list_first(&exchange->link->exchanges) == &exchange->node) {
        exchange->link->clock_ns = mux->now_ns; /* the response is awaited from its last byte on */
    }
    if (exchange->whole && written >= exchange->out_end && !exchange->request.expects_response) {
        mux->counters.one_way++;
        exchange_finish(mux, exchange, REASON_NONE);
    } else if (!exchange->request.resendable) {
        exchange_release_bytes(mux, exchange); /* what is framed then may be its end */
    }
}

/* ---- back to the queue ---- */

void exchange_return(struct mux *mux, struct exchange *exchange)
{
    struct client *client = exchange->client;
    assert(client != NULL && exchange->holds_bytes);
    if (exchange->sent_ns == TIME_NEVER) {
        mux->counters.returned++;
    } else {
        mux->counters.resent++;
    }
    exchange_report(mux, MUX_RESENT, exchange, REASON_LINK_BROKEN, span_of(NULL, 0), 0);
    leave_link(mux, exchange);
    waiting_return(mux, exchange);
    if (!exchange->whole) {
        client->since_ns =
            mux->now_ns; /* what it has brought was not noted while it held the link */
    }
    client_mark(mux, client); /* it uploads no more, and may be silent for --client-timeout again */
}

/* ---- ends ---- */

struct exchange_facts exchange_facts_of(const struct mux *mux, const struct exchange *exchange)
{
    return (struct exchange_facts){
        .has_client = exchange->client != NULL && client_is_served(exchange->client),
        .is_sent = exchange->sent_ns != TIME_NEVER,
        .is_delivered = exchange->delivered,
        .has_time = !waiting_is_over(mux, exchange),
    };
}

void exchange_finish(struct mux *mux, struct exchange *exchange, enum mux_reason reason)
{
    if (reason != REASON_NONE) {
        mux->counters.ended[reason]++;
        mux->counters.cut += reason == REASON_SHUTDOWN;
    }
    exchange_report(mux, MUX_EXCHANGE_ENDED, exchange, reason, span_of(NULL, 0),
                    mux->now_ns - exchange->arrived_ns);
    leave(mux, exchange);
    if (exchange->client != NULL) {
        leave_client(mux, exchange);
    }
    pool_give(&mux->exchange_pool, exchange);
}

void exchange_fail(struct mux *mux, struct exchange *exchange, enum mux_reason reason)
{
    struct client *client = exchange->client;
    struct exchange_facts facts = exchange_facts_of(mux, exchange);
    if (client == NULL) {
        leave(mux, exchange);
        exchange->state = EXCHANGE_FAILED;
        exchange->reason = reason;
        list_push_back(&mux->failed, &exchange->node); /* it ends behind who has failed with it */
        return;
    }
    if (exchange_fate(&facts, CAUSE_ITS_OWN) == FATE_DROP) {
        exchange_finish(mux, exchange, reason);
        return;
    }
    leave(mux, exchange);
    exchange->state = EXCHANGE_FAILED;
    exchange->reason = reason;
    drop_bytes(exchange);
    if (!exchange->whole) {
        exchange->request.closes = true;
        exchange->whole = true; /* nobody waits for the rest, which is discarded */
        client->unfinished = false;
        client_poison(mux, client);
    }
    if (mux->any_order && !exchange->request.closes) {
        list_push_back(&mux->failed, &exchange->node); /* it need not wait for those before it */
    }
    client_unsettle(mux, client);
}

void exchange_fail_joiners(struct mux *mux, struct exchange *leader, enum mux_reason reason)
{
    while (!list_is_empty(&leader->joiners)) {
        exchange_fail(mux, LIST_ENTRY(list_front(&leader->joiners), struct exchange, node), reason);
    }
}

/* The client whose upload filled the link may be read again. */
void link_mark_uploader(struct mux *mux, const struct link *link)
{
    struct list *node = list_last(&link->exchanges);
    const struct exchange *newest = node == NULL ? NULL : LIST_ENTRY(node, struct exchange, node);
    if (newest != NULL && !newest->whole && newest->client != NULL) {
        client_mark(mux, newest->client);
    }
}

/* One pass, however many requests the client leaves behind: those whose bytes are gone begin where they
 * end. */
void link_unsend(struct mux *mux, struct link *link, struct exchange *exchange)
{
    const struct client *client = exchange->client;
    uint64_t end = exchange->out_begin; /* of what stays */
    assert(exchange->sent_ns == TIME_NEVER);
    for (struct exchange *each = exchange; each != NULL; each = exchange_behind(each)) {
        size_t size = (size_t)(each->out_end - each->out_begin);
        bool stays = each->client != client;
        if (stays) {
            buf_move(&link->out, (size_t)(end - link->written),
                     (size_t)(each->out_begin - link->written), size);
        }
        each->out_begin = end;
        end += stays ? size : 0;
        each->out_end = end;
    }
    buf_truncate(&mux->link_bufs, &link->out, (size_t)(end - link->written));
    link_mark_uploader(mux, link);
}

static enum mux_reason client_gone_reason(const struct client *client)
{
    if (client->reason != REASON_NONE) {
        return (enum mux_reason)client->reason;
    }
    return client->ended ? REASON_CLIENT_ENDED : REASON_SHUTDOWN;
}

/* A request on a link whose client has gone. */
static enum mux_reason abandon_taken(struct mux *mux, struct exchange *exchange)
{
    struct link *link = exchange->link;
    struct exchange_facts facts = exchange_facts_of(mux, exchange);
    if (exchange_fate(&facts, CAUSE_CLIENT_GONE) == FATE_DROP) {
        if (link->state == LINK_UP && exchange->out_end > exchange->out_begin) {
            link_unsend(mux, link, exchange); /* with all others that its client leaves behind */
        }
        mux->counters.dropped++;
        exchange_finish(mux, exchange, client_gone_reason(exchange->client));
        return REASON_NONE;
    }
    bool half = !exchange->whole || link->written < exchange->out_end;
    if (exchange->delivered && exchange->closes_client) {
        exchange->client->abort = true; /* else it would take what it has for all of it */
    }
    mux->counters.orphans++;
    exchange->client->on_link--;
    leave_client(mux, exchange);
    link->orphaned_ns = mux->now_ns;
    link_mark(mux, link);
    if (half) {
        return REASON_HALF_REQUEST;
    }
    bool is_large = exchange->responding && link->framer.left > ORPHAN_BYTES_MAX;
    return exchange->until_end || is_large ? REASON_ORPHAN : REASON_NONE;
}

enum mux_reason exchange_abandon(struct mux *mux, struct exchange *exchange)
{
    switch (exchange->state) {
    case EXCHANGE_GATHERING:
    case EXCHANGE_WAITING:
    case EXCHANGE_JOINED:
        mux->counters.dropped++;
        exchange_finish(mux, exchange, client_gone_reason(exchange->client));
        break;
    case EXCHANGE_TAKEN:
        return abandon_taken(mux, exchange);
    case EXCHANGE_FAILED:
        exchange_finish(mux, exchange, exchange->reason);
        break;
    }
    return REASON_NONE;
}
