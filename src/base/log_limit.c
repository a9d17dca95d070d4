/* SPDX-License-Identifier: MIT */
/*
 * See log_limit.h. The bucket is one number, the time at which it is full: a token moves that by the time
 * which it takes to come back, and there is one while that time is not too far away.
 */
#include "base/log_limit.h"

#include <assert.h>

#include "base/units.h"

#define TOKEN_NS (NS_PER_S / LOG_FLOW_PER_SECOND)

bool log_limit_pass(struct log_limit *limit, uint64_t now_ns, uint64_t interval_ns, uint64_t *held)
{
    if (now_ns < limit->next_ns) {
        limit->held++;
        return false;
    }
    *held = limit->held;
    *limit = (struct log_limit){.next_ns = time_after(now_ns, interval_ns)};
    return true;
}

bool log_flow_pass(struct log_flow *flow, uint64_t now_ns, bool matters_more)
{
    uint64_t full_ns = flow->full_ns > now_ns ? flow->full_ns : now_ns;
    uint64_t tokens = LOG_FLOW_PER_SECOND - (matters_more ? 0 : LOG_FLOW_KEPT);
    if (full_ns - now_ns + TOKEN_NS <= tokens * TOKEN_NS) {
        flow->full_ns = full_ns + TOKEN_NS;
        return true;
    }
    if (flow->held++ == 0) {
        flow->due_ns = time_after(now_ns, NS_PER_S);
    }
    return false;
}

uint64_t log_flow_take_held(struct log_flow *flow, uint64_t now_ns)
{
    if (flow->held == 0 || now_ns < flow->due_ns) {
        return 0;
    }
    uint64_t held = flow->held;
    flow->held = 0;
    return held;
}
