/* SPDX-License-Identifier: MIT */
/* See run_clock.h. */
#include "net/run_clock.h"

#include "net/sys.h"

void run_clock_init(struct run_clock *clock)
{
    *clock = (struct run_clock){.now_ns = sys_clock_ns()};
}

/* How much of a wait that ended too late is counted. */
static uint64_t counted_of(struct run_clock *clock, uint64_t asked_ns)
{
    if (clock->now_ns < clock->forgiven_till_ns) {
        return asked_ns;
    }
    clock->forgiven_till_ns = clock->now_ns + asked_ns;
    return 0;
}

uint64_t run_clock_read(struct run_clock *clock, uint64_t asked_ns)
{
    uint64_t system_ns = sys_clock_ns();
    uint64_t known_ns = clock->now_ns + clock->lost_ns;
    uint64_t passed_ns = system_ns > known_ns ? system_ns - known_ns : 0;
    if (passed_ns > asked_ns && passed_ns - asked_ns > STALL_NS) {
        uint64_t counted_ns = counted_of(clock, asked_ns);
        clock->lost_ns += passed_ns - counted_ns;
        passed_ns = counted_ns;
    }
    clock->now_ns += passed_ns;
    return clock->now_ns;
}
