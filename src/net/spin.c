/* SPDX-License-Identifier: MIT */
/*
 * See spin.h.
 *
 * A wait is short when something came within the limit, or, where it was slept through, within twice that:
 * waking up takes its time. Each short one raises the score by one, each other one lowers it by three, and
 * from SCORE_SPINS on the next wait begins awake. So where more than one wait of four is long, none does.
 */
#include "net/spin.h"

#include <unistd.h>

#include "base/units.h"
#include "net/sys.h"

enum { SCORE_MAX = 16, SCORE_SPINS = 8, SCORE_LOSS = 3 };

#define AUTO_NS (50 * NS_PER_US)

/* Of the machine: to be confined to one of them is no reason to sleep, but to yield it. */
static bool has_processors(void)
{
    return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

void spin_init(struct spin *spin, uint64_t duration_ns)
{
    *spin = (struct spin){.limit_ns = duration_ns};
    if (duration_ns == SPIN_AUTO) {
        spin->adapts = true;
        spin->limit_ns = has_processors() ? AUTO_NS : 0;
    }
}

static void keep_score(struct spin *spin, bool was_short)
{
    if (was_short && spin->score < SCORE_MAX) {
        spin->score++;
    } else if (!was_short) {
        spin->score = spin->score > SCORE_LOSS ? (uint8_t)(spin->score - SCORE_LOSS) : 0;
    }
}

/* Asks until something has come, or the time is over. */
static int ask(int epoll_fd, struct epoll_event *events, int capacity, uint64_t until_ns)
{
    int count = sys_epoll_wait(epoll_fd, events, capacity, 0);
    while (count == 0 && sys_clock_ns() < until_ns) {
        sys_yield();
        count = sys_epoll_wait(epoll_fd, events, capacity, 0);
    }
    return count;
}

static int wait_awake(struct spin *spin, int epoll_fd, struct epoll_event *events, int capacity,
                      uint64_t start_ns)
{
    int count = ask(epoll_fd, events, capacity, start_ns + spin->limit_ns);
    if (count != 0) {
        spin->hits++;
    } else {
        spin->misses++;
    }
    return count;
}

static int64_t time_left(int64_t timeout_ns, uint64_t spent_ns)
{
    if (timeout_ns < 0) {
        return timeout_ns;
    }
    return spent_ns < (uint64_t)timeout_ns ? timeout_ns - (int64_t)spent_ns : 0;
}

int spin_wait(struct spin *spin, int epoll_fd, struct epoll_event *events, int capacity,
              int64_t timeout_ns)
{
    /* A deadline that is near is met by the kernel's timer better than by asking. */
    if (spin->limit_ns == 0 || (timeout_ns >= 0 && timeout_ns <= (int64_t)spin->limit_ns)) {
        return sys_epoll_wait(epoll_fd, events, capacity, timeout_ns);
    }
    uint64_t start_ns = sys_clock_ns();
    if (!spin->adapts || spin->score >= SCORE_SPINS) {
        int count = wait_awake(spin, epoll_fd, events, capacity, start_ns);
        uint64_t spent_ns = sys_clock_ns() - start_ns;
        spin->spent_ns += spent_ns;
        keep_score(spin, count != 0);
        return count != 0
                   ? count
                   : sys_epoll_wait(epoll_fd, events, capacity, time_left(timeout_ns, spent_ns));
    }
    int count = sys_epoll_wait(epoll_fd, events, capacity, timeout_ns);
    keep_score(spin, count > 0 && sys_clock_ns() - start_ns <= 2 * spin->limit_ns);
    return count;
}
