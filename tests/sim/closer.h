/* SPDX-License-Identifier: MIT */
/*
 * A target that closes links behind answers and does not say so, as checks: after the second request that was
 * lost to it a close is waited for, and is seen before the next request is sent; until ten answers in a row
 * had none behind them.
 */
#ifndef SIM_CLOSER_H
#define SIM_CLOSER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/units.h"

struct world;
struct connection;

#define SIM_CLOSE_QUIET_NS (20 * NS_PER_MS)

struct closer_count {
    uint32_t lost, stayed;
};

/* Of a world. Whether a close came within the silence may be in doubt. */
struct closer_watch {
    struct closer_count forgets, remembers; /* in doubt it did not, and it did */
    uint64_t crossed;
};

/* A response on the link is whole; it does not count as answered yet. */
void closer_answered(struct world *world, const struct connection *link);

/* The target has ended the link, which the core has just given up. */
void closer_link_ended(struct world *world, const struct connection *link);

/* Whether the link has to be silent before it takes a request; `surely`: without doubt. */
bool closer_is_awaited(const struct world *world, const struct connection *link, bool surely);

/* A request is about to take the link. */
void check_close_is_awaited(const struct world *world, struct connection *link);

/* At the end of a run. */
void check_few_requests_cross_a_close(const struct world *world);

#endif
