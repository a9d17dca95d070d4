/* SPDX-License-Identifier: MIT */
/*
 * Coalescing: requests that ask the same share one response (--coalesce).
 *
 * A shareable request is a *leader*, found by its key, until a byte of its response comes. One of the same
 * key that arrives meanwhile *joins* it: it takes no link, and is given the leader's response with its own
 * identifier.
 *
 *     WAITING or TAKEN: leader ◄──(same key)── JOINED
 *     JOINED ──(the leader's response)──► finished
 *     JOINED ──(the leader ends without one)──► WAITING, the first in the leader's place, the rest join it
 *
 * Nobody may read what was true before an effect that it can know of. A request that may have an effect
 * (it is not re-sendable) is *open* from its arrival to its end; nobody joins while one is open, and nobody
 * joins a leader that took its link before the last of them ended. And a client's request with an effect
 * is not taken while an earlier one of it has joined (turn_is_due).
 *
 * A leader that waits is joined only if it is its client's next and that client stands in the turns: it will
 * be taken before the one that joins would be. A joiner's deadline is its own: when its leader's response
 * does not come in time, only those who have waited as long end with it. When its link breaks, what was sent
 * for the leader was sent for all: they are not sent one after another.
 */
#include <assert.h>

#include "mux/internal.h"

bool share_init(struct mux *mux)
{
    return !mux->options.coalesce || keys_init(&mux->leaders, &mux->options.secret);
}

void share_deinit(struct mux *mux)
{
    keys_deinit(&mux->leaders);
}

/* ---- leaders ---- */

static struct exchange *find_leader(struct mux *mux, uint64_t key)
{
    struct key_entry *entry = keys_find(&mux->leaders, key);
    return entry == NULL ? NULL : CONTAINER_OF(entry, struct exchange, leader);
}

/* In place of an older one of the same key. */
static void lead(struct mux *mux, struct exchange *exchange)
{
    uint64_t key = exchange->request.key;
    struct key_entry *older = keys_find(&mux->leaders, key);
    if (older != NULL) {
        keys_drop(&mux->leaders, older);
    }
    keys_put(&mux->leaders, &exchange->leader, key);
}

void share_close(struct mux *mux, struct exchange *exchange)
{
    keys_drop(&mux->leaders, &exchange->leader);
}

/* ---- joining ---- */

static bool may_join(const struct mux *mux, const struct exchange *leader)
{
    if (mux->effects_open > 0) {
        return false;
    }
    if (leader->state == EXCHANGE_TAKEN) {
        return leader->effects_ended == mux->effects_ended && !leader->link->is_lost;
    }
    assert(leader->state == EXCHANGE_WAITING);
    const struct client *client = leader->client;
    return client->next == leader && list_is_linked(&client->turn) && !client->bound;
}

bool share_join(struct mux *mux, struct exchange *exchange)
{
    if (!mux->options.coalesce) {
        return false;
    }
    if (!exchange->request.resendable) {
        exchange->has_effect = true;
        mux->effects_open++;
    }
    if (!exchange->request.shareable || !exchange->whole) {
        return false;
    }
    struct exchange *leader = find_leader(mux, exchange->request.key);
    const struct client *client = exchange->client;
    bool is_behind =
        client->joined >= JOINED_MAX || buf_size(&client->out) > mux->options.backlog_bytes_max;
    if (leader == NULL || is_behind || !may_join(mux, leader) || !waiting_has_room(mux)) {
        lead(mux, exchange);
        return false;
    }
    exchange->state = EXCHANGE_JOINED;
    list_push_back(&leader->joiners, &exchange->node);
    exchange->client->joined++;
    mux->joined_count++;
    mux->counters.coalesced++;
    observe(mux, (struct mux_event){.kind = MUX_JOINED,
                                    .client_id = client_id(exchange->client),
                                    .client = exchange->client->serial,
                                    .exchange = exchange->serial,
                                    .leader = leader->serial});
    return true;
}

void share_leave(struct mux *mux, struct exchange *exchange)
{
    list_remove(&exchange->node);
    exchange->client->joined--;
    mux->joined_count--;
}

void share_end(struct mux *mux, struct exchange *exchange)
{
    if (exchange->has_effect) {
        exchange->has_effect = false;
        mux->effects_open--;
        mux->effects_ended++;
    }
    share_close(mux, exchange);
    if (list_is_empty(&exchange->joiners)) {
        return;
    }
    struct exchange *heir = LIST_ENTRY(list_front(&exchange->joiners), struct exchange, node);
    share_leave(mux, heir);
    list_move_all(&heir->joiners, &exchange->joiners);
    lead(mux, heir);
    waiting_return(mux, heir);
}
