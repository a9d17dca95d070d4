/* SPDX-License-Identifier: MIT */
/* Slabs that a few objects keep: what is occupied stays within bounds, though little in it is used. */
#include <string.h>

#include "unit.h"

#include "base/units.h"
#include "mux/state.h"
#include "protocol/protocol.h"

enum {
    LIMIT = 16 * MIB,
    FILLERS = 120,
    KEPT_BY_POOLS = 11, /* an empty slab each: the exchanges, and five sizes of block twice */
    UPLOADS = 17,
    PART_BYTES = 900 * KIB,
};

static uint8_t scratch[MUX_SCRATCH_BYTES];

static struct mux *open_mux(void)
{
    struct mux_options options;
    mux_options_init(&options);
    options.protocol = protocol_find("echo");
    options.memory_bytes_max = LIMIT;
    options.clients_max = 1000;
    struct mux_observer nobody = {0};
    struct mux *mux = mux_create(&options, &nobody, scratch, 0);
    assert_non_null(mux);
    return mux;
}

/* Closes whoever is to go. */
static void settle(struct mux *mux)
{
    for (mux_id id = mux_next_changed(mux); id != MUX_ID_NONE; id = mux_next_changed(mux)) {
        if ((mux_wants(mux, id) & MUX_CLOSE) != 0) {
            mux_closed(mux, id);
        }
    }
}

/* Counted slab by slab. */
static size_t slabs_of(const struct pool *pool)
{
    size_t count = 0;
    for (const struct list *node = pool->free_slabs.next; node != &pool->free_slabs;
         node = node->next) {
        count++;
    }
    for (const struct list *node = pool->full_slabs.next; node != &pool->full_slabs;
         node = node->next) {
        count++;
    }
    return count;
}

static size_t bytes_of(const struct buf_pool *pool)
{
    size_t large = pool->used_bytes, slabs = 0;
    for (size_t class = 0; class < BUF_POOLED_CLASSES; class ++) {
        large -= pool->small[class].count * pool->small[class].object_size;
        slabs += slabs_of(&pool->small[class]);
    }
    return large + slabs * SLAB_BYTES;
}

static size_t occupied_by(const struct mux *mux)
{
    return slabs_of(&mux->exchange_pool) * SLAB_BYTES + bytes_of(&mux->client_bufs) +
           bytes_of(&mux->link_bufs);
}

static void expect_bound(const struct mux *mux)
{
    size_t most = LIMIT + LIMIT / 8 + 2 * MIB + KEPT_BY_POOLS * SLAB_BYTES;
    assert_true(occupied_by(mux) <= most);
    assert_true(mux_counters(mux)->memory <= LIMIT);
}

static bool is_read(const struct mux *mux, mux_id id)
{
    return (mux_wants(mux, id) & MUX_READ) != 0;
}

/* Says `size` letters, or as many lines of one letter. False: it is not read. */
static bool say(struct mux *mux, mux_id id, size_t size, bool lines)
{
    while (size > 0 && is_read(mux, id)) {
        size_t room;
        uint8_t *space = mux_recv_space(mux, id, &room);
        size_t taken = lines ? 2 : size < room ? size : room;
        memset(space, lines ? '\n' : 'x', taken);
        space[0] = 'x';
        mux_received(mux, id, taken);
        size -= lines ? 1 : taken;
        settle(mux);
    }
    return size == 0;
}

static void reset(struct mux *mux, mux_id id)
{
    mux_failed(mux, id, IO_RESET);
    settle(mux);
}

/* One queues as many as fill a slab but for one, the next place is the keeper's, and so on. Then all but the
 * keeper go. */
static mux_id pin_slabs(struct mux *mux)
{
    mux_id keeper = mux_accepted(mux, NULL);
    mux_id fillers[FILLERS];
    for (size_t index = 0; index < FILLERS; index++) {
        fillers[index] = mux_accepted(mux, NULL);
        for (int slab = 0; slab < 4; slab++) {
            (void)say(mux, fillers[index], mux->exchange_pool.slab_objects - 1, true);
            (void)say(mux, keeper, 1, true);
        }
    }
    expect_bound(mux);
    for (size_t index = 0; index < FILLERS; index++) {
        reset(mux, fillers[index]);
    }
    return keeper;
}

static void test_slabs_that_one_object_keeps_are_bounded(void **state)
{
    (void)state;
    struct mux *mux = open_mux();
    mux_id keeper = pin_slabs(mux);
    assert_true(mux_counters(mux)->memory < LIMIT / 16);
    assert_true(occupied_by(mux) > LIMIT / 2);
    mux_id honest = mux_accepted(mux, NULL);
    assert_true(say(mux, honest, 1, true));
    uint32_t uploads = 0;
    for (int index = 0; index < UPLOADS; index++) {
        uploads += say(mux, mux_accepted(mux, NULL), PART_BYTES, false);
        expect_bound(mux);
    }
    assert_true(uploads > 0);
    assert_true(mux_counters(mux)->ended[REASON_MEMORY] > 0);
    reset(mux, keeper);
    assert_true(is_read(mux, honest));
    mux_drain(mux);
    mux_destroy(&mux);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slabs_that_one_object_keeps_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
