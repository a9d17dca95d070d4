/* SPDX-License-Identifier: MIT */
/*
 * A link: requests go out, the target's bytes become responses, and it ends in order.
 *
 * States: see struct link in state.h. It ends in one of three ways: replaced (link_replace; what
 * follows is in retire.c), ended by the target, failed. What is on it then stays there until the fact
 * is done, and has the same fate whichever it was (settle.c, fate.c).
 */
#include <assert.h>

#include "mux/internal.h"
#include "mux/link_deadline.h"
#include "mux/retire.h"

static bool is_dialling(const struct link *link)
{
    return link->state == LINK_RESOLVING || link->state == LINK_CONNECTING;
}

/* ---- wishes ---- */

/* Whether the client that it answers has to take its bytes first. */
static bool is_blocked(const struct mux *mux, const struct link *link)
{
    if (mux->by_id) {
        return false; /* whose response comes next is not known, and each is small */
    }
    const struct exchange *oldest = exchange_first(&link->exchanges);
    return oldest != NULL && oldest->client != NULL &&
           buf_size(&oldest->client->out) > mux->options.backlog_bytes_max;
}

unsigned link_wants(const struct mux *mux, const struct link *link)
{
    switch (link->state) {
    case LINK_FREE:
        return 0;
    case LINK_RESOLVING:
        return MUX_RESOLVE;
    case LINK_CONNECTING:
        return MUX_CONNECT;
    case LINK_DELAYING:
        return MUX_READ;
    case LINK_UP:
        return (is_blocked(mux, link) ? 0 : MUX_READ) | (buf_is_empty(&link->out) ? 0 : MUX_WRITE) |
               (link->probing ? MUX_PROBE : 0);
    case LINK_RETIRING:
        return MUX_READ | MUX_END;
    case LINK_CLOSING:
        return MUX_CLOSE | (link->abort ? MUX_ABORT : 0);
    }
    return 0;
}

void link_touch(struct mux *mux, struct link *link)
{
    bool blocked = link->state == LINK_UP && is_blocked(mux, link);
    if (link->blocked && !blocked) {
        link->clock_ns = link_clock_after_block(mux, link);
    } else if (blocked && !link->blocked) {
        link->blocked_ns = mux->now_ns;
    }
    link->blocked = blocked;
    mark(&mux->changed_links, &link->changed, &link->told, link_wants(mux, link));
    timer_arm(mux, &link->timer, link_deadline(mux, link));
}

static uint64_t earlier(uint64_t at_ns, uint64_t ns)
{
    return at_ns > ns ? at_ns - ns : 0;
}

void link_stalled(struct mux *mux, struct link *link, uint64_t ns)
{
    if (link->state != LINK_UP || link->exchanges_count > 0) {
        return;
    }
    link->up_ns = earlier(link->up_ns, ns);
    link->since_ns = earlier(link->since_ns, ns);
    link->last_io_ns = earlier(link->last_io_ns, ns);
    link->probed_ns = earlier(link->probed_ns, ns);
    link_mark(mux, link);
}

void links_idle(struct mux *mux)
{
    for (uint32_t index = 0; index < mux->options.links_max; index++) {
        if (mux->links[index].state != LINK_FREE) {
            link_mark(mux, &mux->links[index]);
        }
    }
}

void link_awaited(struct mux *mux, struct link *link)
{
    const struct exchange *oldest = exchange_first(&link->exchanges);
    if (link_swallows(link) || (mux->options.hold_max_ns > 0 && oldest != NULL)) {
        link_mark(mux, link);
    }
    struct client *holder = link_holder(mux, link);
    if (holder != NULL) {
        client_mark(mux, holder);
    }
}

static void enter(struct mux *mux, struct link *link, enum link_state state)
{
    bool was_usable = link_is_usable(link);
    link->state = state;
    link->since_ns = mux->now_ns;
    mux->usable_count += (uint32_t)link_is_usable(link) - (uint32_t)was_usable;
    mux->schedule_wanted = true; /* another link may be due now */
    outage_update(mux);
    link_mark(mux, link);
}

/* ---- ends ---- */

/* A link that was up is no longer. What is on it is settled when the fact is done, the newest first, so that
 * what returns to the front of the queue stands there in its old order. */
static void lose(struct mux *mux, struct link *link, enum mux_reason reason, enum link_state state)
{
    assert(link_is_usable(link));
    enum link_end end = dial_judge(mux, link, reason);
    link->reason = reason;
    link->probing = false;
    mux->counters.links_lost++;
    dial_ends(mux, end);
    enter(mux, link, state);
    if (!link->is_read) {
        buf_clear(&mux->link_bufs, &link->in);
    }
    buf_clear(&mux->link_bufs, &link->out);
    if (reason == REASON_TARGET_STRAY) {
        quiet_strayed(mux, link);
    }
    const struct exchange *oldest = exchange_first(&link->exchanges);
    mux->is_wary = mux->is_wary || (oldest != NULL && oldest->sent_ns != TIME_NEVER);
    link->is_lost = true;
    link->end = end;
}

void link_replace(struct mux *mux, struct link *link, enum mux_reason reason)
{
    if (link->has_ended) {
        return;
    }
    if (link_is_usable(link)) {
        lose(mux, link, reason, retire_begin(mux, link, reason));
    } else if (is_dialling(link)) {
        link->reason = reason;
        enter(mux, link, LINK_CLOSING);
    }
}

/* An address could not be connected. The next is tried when this one's descriptor is closed. */
static void attempt_failed(struct mux *mux, struct link *link, enum mux_reason reason)
{
    link->reason = reason;
    mux->counters.links_failed++;
    observe(mux, (struct mux_event){.kind = MUX_LINK_FAILED,
                                    .reason = reason,
                                    .link_id = link_id(link),
                                    .link = link->serial});
    enter(mux, link, LINK_CLOSING);
    link->next_address = link->address_known && mux->address_index + 1 < mux->addresses_count;
    if (!link->next_address) {
        dial_failed(mux, link, mux->now_ns);
    }
}

/* Bytes that nobody waits for: counted, told, dropped. */
void link_count_stray(struct mux *mux, const struct link *link, const struct request *request,
                      struct span bytes)
{
    mux->counters.strays++;
    report_bytes(mux, MUX_STRAY, link, request, bytes);
}

void link_stray(struct mux *mux, struct link *link)
{
    link_count_stray(mux, link, NULL, buf_view(&link->in));
    link_replace(mux, link, REASON_TARGET_STRAY);
}

static enum mux_reason failure_reason(enum io_failure failure)
{
    switch (failure) {
    case IO_RESET:
        return REASON_TARGET_RESET;
    case IO_REFUSED:
        return REASON_REFUSED;
    case IO_UNREACHABLE:
        return REASON_NO_ROUTE;
    case IO_UNRESOLVED:
        return REASON_UNRESOLVED;
    case IO_OTHER:
        break;
    }
    return REASON_IO_ERROR;
}

void link_failed(struct mux *mux, struct link *link, enum io_failure failure)
{
    if (is_dialling(link)) {
        attempt_failed(mux, link, failure_reason(failure));
    } else if (link_is_usable(link)) {
        quiet_closed(mux, link);
        lose(mux, link, failure_reason(failure), LINK_CLOSING);
    } else if (link->state == LINK_RETIRING) {
        enter(mux, link, LINK_CLOSING);
    }
}

void link_swallowed(struct mux *mux, struct link *link, size_t size)
{
    if (link->state == LINK_RETIRING && retire_received(mux, link, size)) {
        retire_over(mux, link);
        enter(mux, link, LINK_CLOSING);
    }
}

/* The target has ended it. */
void link_over(struct mux *mux, struct link *link)
{
    if (link_is_usable(link)) {
        quiet_closed(mux, link);
        lose(mux, link, REASON_TARGET_ENDED, LINK_CLOSING);
    } else if (link->state == LINK_RETIRING) {
        enter(mux, link, LINK_CLOSING);
    }
}

/* The next address of the same attempt, under a new id. */
static void connect_next(struct mux *mux, struct link *link)
{
    link->next_address = false;
    mux->address_index++;
    enter(mux, link, LINK_CONNECTING);
}

void link_closed(struct mux *mux, struct link *link)
{
    if (link->was_up) {
        observe(mux, (struct mux_event){.kind = MUX_LINK_CLOSED,
                                        .reason = link->reason,
                                        .link_id = link_id(link),
                                        .link = link->serial});
    }
    list_drop(&link->changed);
    list_drop(&link->marked);
    link->told = 0;
    link->generation = link->generation == UINT32_MAX ? 1 : link->generation + 1;
    if (link->next_address && (dial_is_wanted(mux) || !mux->draining)) {
        connect_next(mux, link);
        return;
    }
    if (link->next_address) {
        dial_failed(mux, link, mux->now_ns); /* the others are not tried */
    }
    heap_remove(&mux->heap, &link->timer.item);
    ids_clear(&link->ids);
    *link = (struct link){.slot = link->slot,
                          .generation = link->generation,
                          .ids = link->ids,
                          .timer = {.item = {.tag = TIMER_LINK}}};
    list_init(&link->exchanges);
    list_init(&link->bound);
    mux->links_count--;
    mux->schedule_wanted = true;
}

/* ---- connecting ---- */

void link_resolved(struct mux *mux, struct link *link, uint32_t count)
{
    assert(count > 0);
    if (link->state != LINK_RESOLVING) {
        return;
    }
    mux->addresses_count = count;
    mux->address_index = 0;
    link->address_known = true;
    enter(mux, link, LINK_CONNECTING);
}

void link_connected(struct mux *mux, struct link *link, const void *origin)
{
    if (link->state != LINK_CONNECTING) {
        return;
    }
    link->was_up = true;
    link->up_ns = link->last_io_ns = mux->now_ns;
    quiet_begin(&link->quiet);
    mux->counters.links_up++;
    dial_connected(mux);
    link->trust_missing = mux->is_wary ? TRUST_RESPONSES : 0;
    link->probing = true; /* a target that greets is found out before a request is sent */
    enter(mux, link, mux->options.delay_ns > 0 ? LINK_DELAYING : LINK_UP);
    mux->schedule_wanted = true;
    observe(mux, (struct mux_event){.kind = MUX_LINK_UP,
                                    .link_id = link_id(link),
                                    .link = link->serial,
                                    .origin = origin});
}

/* ---- requests ---- */

/* The first byte of these has gone out. All are told before any of them ends, since its client may then give
 * up another of them. */
static void note_begun(const struct mux *mux, const struct link *link)
{
    struct exchange *exchange = link->sending;
    while (exchange != NULL && link->written > exchange->out_begin) {
        if (exchange->sent_ns == TIME_NEVER) {
            exchange->sent_ns = mux->now_ns;
        }
        exchange = exchange_behind(exchange);
    }
}

void link_sent(struct mux *mux, struct link *link, size_t size)
{
    mux->counters.link_bytes_out += size;
    link->written += size;
    link->last_io_ns = link->moved_ns = mux->now_ns;
    buf_consume(&mux->link_bufs, &link->out, size);
    note_begun(mux, link);
    /* Each round ends with the first that is not wholly written, or steps over one that is. */
    while (link->sending != NULL && link->written > link->sending->out_begin) {
        struct exchange *exchange = link->sending;
        bool written = link->written >= exchange->out_end;
        if (written && exchange->whole) {
            link->sending = exchange_behind(exchange);
        }
        exchange_sent(mux, exchange, link->written);
        if (!written || link->sending == exchange) {
            break;
        }
    }
    link_mark(mux, link);
    link_mark_uploader(mux, link);
}

void link_probed(struct mux *mux, struct link *link)
{
    if (link->probing) {
        link->probing = false;
        link->probed_ns = mux->now_ns;
        mux->schedule_wanted = true;
        link_mark(mux, link);
    }
}

/* ---- time ---- */

static void share_expire(struct mux *mux, struct exchange *leader)
{
    /* In order of arrival; those who came after the request was sent have time left. */
    while (!list_is_empty(&leader->joiners)) {
        struct exchange *oldest = LIST_ENTRY(list_front(&leader->joiners), struct exchange, node);
        if (oldest->arrived_ns > leader->sent_ns) {
            return;
        }
        exchange_fail(mux, oldest, REASON_RESPONSE_TIMEOUT);
    }
}

/* The response did not come in time. By identifier, its place is free at once and its identifier used
 * no more on this link, unless half of the request is still to be sent; by order, position on the link is
 * lost. */
static void response_expired(struct mux *mux, struct link *link, struct exchange *exchange)
{
    bool whole = exchange->whole; /* else it is its client that has stalled */
    bool half = !whole || link->written < exchange->out_end;
    mux->counters.timeouts++;
    link->timeouts++;
    if (exchange->has_id) {
        ids_retire(&link->ids, exchange->id);
        exchange->has_id = false;
    }
    if (!half) {
        share_expire(mux, exchange);
    }
    exchange_fail(mux, exchange, REASON_RESPONSE_TIMEOUT);
    if (!mux->by_id || half || link->timeouts >= TIMEOUTS_MAX || ids_are_spent(&link->ids)) {
        mux->is_wary = true; /* it is not on the link any more, and was not answered */
        link_replace(mux, link, whole ? REASON_RESPONSE_TIMEOUT : REASON_HALF_REQUEST);
    }
}

static void up_expired(struct mux *mux, struct link *link)
{
    struct exchange *oldest = exchange_first(&link->exchanges);
    link->is_expiring = link->is_expiring || link_lifetime_ends(mux, link) <= mux->due_ns;
    if (link_hold_ends(mux, link) <= mux->due_ns) {
        exchange_fail(mux, oldest, REASON_HOLD);
        mux->is_wary = true; /* it is not on the link any more, and was not answered */
        link_replace(mux, link, REASON_HOLD);
        return;
    }
    if (oldest == NULL) {
        link_replace(mux, link, link->is_expiring ? REASON_LINK_LIFETIME : REASON_LINK_IDLE);
    } else if (link_response_deadline(mux, link, oldest) > mux->due_ns) {
        return; /* what it carries is finished first */
    } else if (oldest->sent_ns == TIME_NEVER) {
        exchange_fail(mux, oldest, REASON_WAIT_TIMEOUT);
        link_replace(mux, link, REASON_RESPONSE_TIMEOUT);
    } else if (!mux->by_id && link_swallows(link)) {
        link_replace(mux, link, REASON_ORPHAN);
    } else {
        response_expired(mux, link, oldest);
    }
}

void link_expired(struct mux *mux, struct link *link)
{
    switch (link->state) {
    case LINK_RESOLVING:
        attempt_failed(mux, link, REASON_UNRESOLVED);
        break;
    case LINK_CONNECTING:
        attempt_failed(mux, link, REASON_CONNECT_TIMEOUT);
        break;
    case LINK_DELAYING:
        enter(mux, link, LINK_UP);
        mux->schedule_wanted = true;
        break;
    case LINK_UP:
        do { /* what was sent at the same time ends at the same time */
            up_expired(mux, link);
        } while (link->state == LINK_UP && link_deadline(mux, link) <= mux->due_ns);
        break;
    case LINK_RETIRING:
        if (retire_expired(mux, link)) {
            retire_over(mux, link);
            enter(mux, link, LINK_CLOSING);
        }
        break;
    case LINK_FREE:
    case LINK_CLOSING:
        break;
    }
}
