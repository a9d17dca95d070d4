/* SPDX-License-Identifier: MIT */
/*
 * Slabs: the blocks of one size that pools are made of, and the ones that no pool needs at the moment.
 *
 * Busy pools fill and empty slabs all the time; returning each to the system at once would map and unmap
 * memory thousands of times a second. So an emptied slab stays here for a moment, for whichever pool
 * needs one next. The owner calls slabs_trim now and then, by its clock: what was not needed since the
 * call before then goes back, so that a burst does not stay.
 */
#ifndef BASE_SLABS_H
#define BASE_SLABS_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/list.h"

enum {
    SLAB_BYTES = 32 * 1024, /* and aligned to as much */
    SLABS_TRIM_MAX = 256,   /* returned by one call, which so takes a millisecond at most */
};

struct slabs {
    struct list kept; /* linked through their first bytes; the one given last is taken first */
    uint32_t count;
    uint32_t taken;     /* by pools, and not given back */
    uint32_t count_max; /* of those that stay; no bound unless the owner sets one */
    uint32_t unneeded;  /* the least count since slabs_trim was last called */
    uint64_t trim_ns;   /* the owner's: when it will call it next; TIME_NEVER: it need not */
};

void slabs_init(struct slabs *slabs);

/* Frees those that are kept. */
void slabs_deinit(struct slabs *slabs);

/* A slab, whatever it contains, or NULL when there is no memory. */
void *slabs_take(struct slabs *slabs) MUST_USE;

/* Takes a slab back. */
void slabs_give(struct slabs *slabs, void *slab);

/* Returns to the system those that were here all the time since it was called last, SLABS_TRIM_MAX at
 * most. */
void slabs_trim(struct slabs *slabs);

#endif
