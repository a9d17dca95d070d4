/* SPDX-License-Identifier: MIT */
/*
 * See slabs.h. What was taken and given back in between is at the front, so those at the back are the
 * ones that were not needed: as many as the least count was.
 */
#include "base/slabs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void slabs_init(struct slabs *slabs)
{
    *slabs = (struct slabs){.count_max = UINT32_MAX};
    list_init(&slabs->kept);
}

static void drop(struct slabs *slabs, struct list *slab)
{
    list_remove(slab);
    slabs->count--;
    free(slab);
}

void slabs_deinit(struct slabs *slabs)
{
    while (!list_is_empty(&slabs->kept)) {
        drop(slabs, list_front(&slabs->kept));
    }
    assert(slabs->count == 0);
    assert(slabs->taken == 0);
    slabs->unneeded = 0;
}

void *slabs_take(struct slabs *slabs)
{
    if (slabs->count == 0) {
        void *fresh = aligned_alloc(SLAB_BYTES, SLAB_BYTES);
        slabs->taken += fresh != NULL;
        return fresh;
    }
    struct list *slab = list_front(&slabs->kept);
    slabs->taken++;
    list_remove(slab);
    slabs->count--;
    if (slabs->count < slabs->unneeded) {
        slabs->unneeded = slabs->count;
    }
    return slab;
}

void slabs_give(struct slabs *slabs, void *slab)
{
    assert(slabs->taken > 0);
    slabs->taken--;
    if (slabs->count >= slabs->count_max) {
        free(slab);
        return;
    }
    memset(slab, 0, sizeof(struct list));
    list_push_front(&slabs->kept, slab);
    slabs->count++;
}

void slabs_trim(struct slabs *slabs)
{
    assert(slabs->unneeded <= slabs->count);
    uint32_t count = slabs->unneeded < SLABS_TRIM_MAX ? slabs->unneeded : SLABS_TRIM_MAX;
    while (count-- > 0) {
        drop(slabs, list_back(&slabs->kept));
    }
    slabs->unneeded = slabs->count;
}
