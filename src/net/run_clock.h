/* SPDX-License-Identifier: MIT */
/*
 * The time in which we ran: what the cores are told.
 *
 * It follows the system's monotonic clock, which stands still while the machine is suspended, and stands
 * still itself while we are kept from running: stopped (SIGSTOP), paused (a container, a virtual machine),
 * or stuck in a system call. Nobody can answer to, or be heard by, a process that does not run, so that time
 * counts against nobody. It never goes back.
 *
 * A *stall* is a reading that comes more than STALL_NS later than was asked for. When in the wait we were
 * stopped is not known, so the whole wait is forgiven; but not again before the clock has made up for it,
 * or someone who stops us often would keep a deadline from ever coming. Then the clock goes on as far as
 * was asked for, and no further.
 */
#ifndef NET_RUN_CLOCK_H
#define NET_RUN_CLOCK_H

#include <stdint.h>

#include "base/units.h"

#define STALL_NS (1 * NS_PER_S)

struct run_clock {
    uint64_t now_ns;           /* at the last reading */
    uint64_t lost_ns;          /* in which we did not run; the system's clock is ahead by it */
    uint64_t forgiven_till_ns; /* until then no other wait is forgiven */
};

/* Starts as the system's clock. */
void run_clock_init(struct run_clock *clock);

/* Reads it, `asked_ns` after the last reading if nothing comes before; TIME_NEVER: whenever. */
uint64_t run_clock_read(struct run_clock *clock, uint64_t asked_ns);

#endif
