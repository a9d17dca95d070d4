/* SPDX-License-Identifier: MIT */
/*
 * What follows from a fact.
 *
 * A fact changes states, and marks the clients and links that it has touched. Nothing ends anything else
 * from inside: a link that is lost keeps what is on it, and a failed exchange its place in its client's
 * queue, until the fact is done. Then this loop works the marks off, in the order in which things happened:
 *
 *     failed   an exchange that need not wait for those before it (the client tells its responses apart, or
 *              has gone) is answered or ends
 *     client   failed exchanges whose turn it is are answered, bytes that nobody needs are released, more
 *              requests are cut; it goes if it has had everything; its wishes, clocks, deadline and turn are
 *              brought up to date
 *     link     if it is lost, what was on it is failed or returned; its wishes and deadline are brought up
 *              to date
 *
 * It ends: whatever a round marks anew has come nearer to its end.
 */
#include <assert.h>

#include "mux/internal.h"

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
    client->unsettled = false;
    if (client_is_served(client)) {
        answers_give(mux, client);
    }
    if (client_is_served(client)) {
        requests_release(mux, client);
        if (!client->partial) {
            requests_frame(mux, client);
            answers_give(mux, client);
        }
    }
    finish_if_done(mux, client);
    client_touch(mux, client);
}

/* Its link broke after it was sent. `again`: it might be sent once more, and so may those who have joined;
 * else they end with it. `unprocessed`: without that counting. */
static void share_break(struct mux *mux, struct exchange *leader, bool again, bool unprocessed)
{
    for (struct list *node = list_first(&leader->joiners); again && node != NULL;
         node = list_next(&leader->joiners, node)) {
        struct exchange *joiner = LIST_ENTRY(node, struct exchange, node);
        joiner->resent = joiner->resent || !unprocessed;
    }
    if (!again) {
        exchange_fail_joiners(mux, leader, REASON_LINK_BROKEN);
    }
}

/* What becomes of an exchange whose link ends (failure table, "link breaks ..."). */
static void settle_exchange(struct mux *mux, struct link *link, struct exchange *exchange,
                            enum mux_reason reason)
{
    bool stops = reason == REASON_SHUTDOWN;
    bool unprocessed = reason == REASON_RESPONSE_CLOSES; /* RFC 9112 section 9.6 */
    struct exchange_facts facts = exchange_facts_of(mux, exchange);
    facts.may_be_repeated = exchange->request.resendable && !exchange->responding &&
                            link->answered && (unprocessed || !exchange->resent);
    if (facts.is_sent && !stops) {
        share_break(mux, exchange, facts.may_be_repeated, unprocessed);
    }
    switch (exchange_fate(&facts, stops ? CAUSE_ITS_OWN : CAUSE_LINK_ENDED)) {
    case FATE_SEND_AGAIN:
        exchange->resent = exchange->resent || !unprocessed;
        exchange_return(mux, exchange);
        break;
    case FATE_RETURN:
        exchange_return(mux, exchange);
        break;
    case FATE_FAIL:
    case FATE_CUT:
    case FATE_DROP:
    case FATE_ORPHAN:
        exchange_fail(mux, exchange, stops ? REASON_SHUTDOWN : REASON_LINK_BROKEN);
        break;
    }
}

static void link_empty(struct mux *mux, struct link *link)
{
    assert(!link_is_usable(link));
    observe(mux, (struct mux_event){.kind = MUX_LINK_LOST,
                                    .reason = link->reason,
                                    .link_id = link_id(link),
                                    .link = link->serial});
    turns_unbind(mux, link);
    while (!list_is_empty(&link->exchanges)) {
        settle_exchange(mux, link, LIST_ENTRY(list_last(&link->exchanges), struct exchange, node),
                        link->reason);
    }
    link->is_lost = false;
    dial_ended(mux, link, link->end);
}

static void link_settle(struct mux *mux, struct link *link)
{
    if (link->is_lost) {
        link_empty(mux, link);
    }
    link_touch(mux, link);
}

static void settle_or_touch(struct mux *mux, struct client *client)
{
    if (client->unsettled) {
        client_settle(mux, client);
    } else {
        client_touch(mux, client);
    }
}

/* The next of the list, taken off it; NULL: it is empty. */
static struct list *take_first(struct list *head)
{
    struct list *node = list_first(head);
    if (node != NULL) {
        list_remove(node);
    }
    return node;
}

void settle_marks(struct mux *mux)
{
    struct list *node;
    for (;;) {
        if ((node = list_first(&mux->failed)) != NULL) {
            answer_give(mux, LIST_ENTRY(node, struct exchange, node));
        } else if ((node = take_first(&mux->marked_clients)) != NULL) {
            settle_or_touch(mux, LIST_ENTRY(node, struct client, marked));
        } else if ((node = take_first(&mux->marked_links)) != NULL) {
            link_settle(mux, LIST_ENTRY(node, struct link, marked));
        } else {
            return;
        }
    }
}
