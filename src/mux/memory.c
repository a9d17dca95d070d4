/* SPDX-License-Identifier: MIT */
/*
 * The rule for memory: --buffer-memory bounds everything that clients and targets can make us hold.
 *
 * What is held is known at any moment: blocks of buffers, of clients and of links, and exchanges, those of
 * clients that have gone included. A client holds its two blocks and its exchanges.
 *
 * *Short* is when half of the limit is used. A client that then holds more than its share is not read between
 * messages, its received bytes become no further requests while one is queued, and it receives no more
 * at once than a share.
 *
 * *Spent* is when more than the limit is used. Then the client that holds most goes, whatever it holds, and
 * what it held is free at once. Clients that hold anything stand in a list by its power of two (all below
 * 4 KiB in one), in the order in which they came to hold so much; so all in the highest list hold at least
 * half as much as the largest, and the first of them has done so longest. Time in which we do not
 * read a client whose message is not whole does not count, nor what was before: it stands apart meanwhile,
 * goes only when nobody else holds as much, and begins anew.
 *
 *     mux->holders[2 * class]      since the first came to hold so much
 *     mux->holders[2 * class + 1]  its message is not whole, and we do not read it
 *
 * Slabs are *occupied* as long as one object in them is used. Who queues, and takes back all but what keeps
 * each slab, would make us hold as much again that counts for nobody, and again for each size of block. So
 * memory is spent as well when what is occupied exceeds the limit by more than an eighth and 2 MiB.
 *
 * A link holds for its clients: what stands unsent on it is the oldest sender's, a part of a response is
 * whose it answers. No more than MUX_LINKS_MAX are looked at, and only when memory is spent.
 */
#include <assert.h>

#include "mux/internal.h"

static_assert(sizeof(struct client) <= 192, "what an idle client costs");

enum {
    RECV_BYTES_MIN = 512, /* while memory is short */
    KEPT_SLABS_MIN = 32,
    SLAB_COST = SLAB_BYTES + 4 * KIB, /* the allocator writes into the page in front of it */
    PINNED_MIN = 2 * MIB,             /* of half-empty slabs, for any limit */
    INDEX_BYTES = 32, /* per exchange, of the table of keys and the heap of what has returned */
};

/* ---- what is held ---- */

static size_t exchanges_size(const struct mux *mux, size_t count)
{
    return count * (mux->exchange_pool.object_size + INDEX_BYTES);
}

size_t memory_used(const struct mux *mux)
{
    return mux->client_bufs.used_bytes + mux->link_bufs.used_bytes +
           exchanges_size(mux, mux->exchange_pool.count);
}

/* What is there for what is held. */
static size_t occupied(const struct mux *mux)
{
    return mux->client_bufs.large_bytes + mux->link_bufs.large_bytes +
           (size_t)mux->slabs.taken * SLAB_COST;
}

size_t memory_held(const struct mux *mux, const struct client *client)
{
    return buf_held(&client->in) + buf_held(&client->out) +
           exchanges_size(mux, client->exchanges_count);
}

unsigned memory_hold_class(size_t held)
{
    if (held < FAIR_SHARE_MIN) {
        return held > 0;
    }
    unsigned class = 2 + 63 - (unsigned)__builtin_clzll(held / FAIR_SHARE_MIN);
    return class < HOLD_CLASSES ? class : HOLD_CLASSES - 1;
}

/* Whether it could free what it holds, and we do not let it. */
static bool waits_for_us(const struct client *client)
{
    return (client->partial || client->unfinished) && !client->reads && buf_is_empty(&client->out);
}

static unsigned place_of(const struct mux *mux, const struct client *client)
{
    size_t held = memory_held(mux, client);
    return held == 0 ? 0 : 2 * memory_hold_class(held) + waits_for_us(client);
}

void memory_note(struct mux *mux, struct client *client)
{
    unsigned place = place_of(mux, client);
    if (place == client->place) {
        return;
    }
    list_drop(&client->holding);
    client->place = (uint8_t)place;
    if (place > 0) {
        list_push_back(&mux->holders[place], &client->holding);
    }
}

void memory_init(struct mux *mux)
{
    for (unsigned place = 0; place < HOLD_PLACES; place++) {
        list_init(&mux->holders[place]);
    }
    /* What is kept for the next message is not held, but is there. */
    size_t kept_max = mux->options.memory_bytes_max / 32;
    mux->client_bufs.kept_more_max = mux->link_bufs.kept_more_max = kept_max;
    mux->slabs.count_max = (uint32_t)(KEPT_SLABS_MIN + kept_max / SLAB_BYTES);
}

/* ---- short ---- */

/* What every message asks first: so little is there that nothing can be short, whatever is held in it. */
bool memory_is_plenty(const struct mux *mux)
{
    return occupied(mux) <= mux->options.memory_bytes_max / 8 * 3;
}

static bool is_short(const struct mux *mux)
{
    if (memory_is_plenty(mux)) {
        return false;
    }
    return memory_used(mux) > mux->options.memory_bytes_max / 2 ||
           occupied(mux) > mux->options.memory_bytes_max + PINNED_MIN / 2;
}

static size_t fair_share(const struct mux *mux)
{
    size_t share =
        mux->options.memory_bytes_max / (mux->clients_count > 0 ? mux->clients_count : 1);
    return share < FAIR_SHARE_MIN ? FAIR_SHARE_MIN : share;
}

bool memory_is_over_share(const struct mux *mux, const struct client *client)
{
    if (memory_is_plenty(mux)) {
        return false;
    }
    size_t with_another = memory_held(mux, client) + exchanges_size(mux, 1);
    return is_short(mux) && with_another > fair_share(mux);
}

size_t memory_recv_size(const struct mux *mux, const struct client *client)
{
    if (client->partial || client->unfinished || !is_short(mux)) {
        return MUX_SCRATCH_BYTES;
    }
    size_t share = fair_share(mux);
    size_t held = memory_held(mux, client);
    size_t room = held + RECV_BYTES_MIN < share ? share - held : RECV_BYTES_MIN;
    return room < MUX_SCRATCH_BYTES ? room : MUX_SCRATCH_BYTES;
}

/* `taken`: whose bytes are being given to clients, and will be free at once; NULL: none. */
bool memory_is_spent(const struct mux *mux, const struct link *taken)
{
    size_t soon_free = taken == NULL ? 0 : buf_held(&taken->in);
    size_t most = mux->options.memory_bytes_max + soon_free;
    return memory_used(mux) > most || occupied(mux) > most + most / 8 + PINNED_MIN;
}

void memory_check(const struct mux *mux)
{
    size_t used = mux->link_bufs.used_bytes;
    for (uint32_t slot = 0; slot < mux->client_slots; slot++) {
        const struct client *client = table_at(mux, slot);
        if (client->state == CLIENT_FREE) {
            continue;
        }
        assert(client->place == place_of(mux, client));
        assert(list_is_linked(&client->holding) == (client->place > 0));
        used += memory_held(mux, client);
        /* It is looked at again when what it has asked ends, or it takes what it was given. */
        assert(!client->held_back || client->exchanges_count > 0 || !buf_is_empty(&client->out));
    }
    assert(used <= memory_used(mux));
    assert(!memory_is_plenty(mux) || memory_used(mux) <= mux->options.memory_bytes_max / 2);
    for (uint32_t slot = 0; slot < mux->options.links_max; slot++) {
        used += exchanges_size(mux, mux->links[slot].exchanges_count); /* some of them orphans */
    }
    assert(used >= memory_used(mux));
    assert(!memory_is_spent(mux, NULL) ||
           memory_used(mux) == exchanges_size(mux, mux->exchange_pool.count));
}
