/* SPDX-License-Identifier: MIT */
/*
 * How often lines may be written that could be many: one per interval, or so many per second.
 *
 * Both only count and compare; the clock is the caller's, and monotonic.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Lets one line through per interval. A zeroed one has let nothing through yet. */
struct log_limit {
    uint64_t next_ns; /* no line before this */
    uint64_t held;    /* lines held back since the last */
};

/* Whether a line may be written now; `*held` is then the number held back before it. */
bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns,
                    uint64_t *held) MUST_USE;

/*
 * Lets LOG_FLOW_PER_SECOND lines through per second, in the long run: a bucket of as many tokens, which
 * fills up at that rate. The last LOG_FLOW_KEPT of them are for lines that matter more than the others, so
 * that a flood does not hide those. Lines that find no token are counted; a second after the first of them
 * their number is due to be said. A zeroed one is full.
 */
enum { LOG_FLOW_PER_SECOND = 100, LOG_FLOW_KEPT = 20 };

struct log_flow {
    uint64_t full_ns; /* the bucket is full at */
    uint64_t held;    /* lines without a token */
    uint64_t due_ns;  /* while `held`: when that is said */
};

bool log_flow_pass(struct log_flow *flow, uint64_t now_ns, bool matters_more) MUST_USE;

/* The number of lines that is due to be said, and forgets it. 0: none is due. */
uint64_t log_flow_take_held(struct log_flow *flow, uint64_t now_ns) MUST_USE;

#endif
