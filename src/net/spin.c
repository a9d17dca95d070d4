/* SPDX-License-Identifier: MIT */
/*
 * See spin.h.
 *
 * A wait is short when something came within the limit, or, where it was slept through, within twice that:
 * waking up takes its time. Each short one raises the score by one, each other one lowers it by three, and
 * from SCORE_SPINS on the next wait begins awake. So where more than one wait of four is long, none does.
 *
 * An awake one that finds something with its first question has gained nothing, and does not count.
 *
 * Then auto *pauses*, that is, sleeps whatever the score:
 *
 *  - when a wait awake took much longer than its limit. It was *robbed*: the processor was given to
 *    somebody who kept it, or was taken away because a quota was spent. A sleeper would have been woken
 *    ahead of the one, and would have spent less of the other. Such a wait is long, whatever it found.
 *  - when waits awake have brought the score down. A target that shares the processor cannot answer while
 *    we ask: sched_yield gives way within a control group or a session, not to others. Asleep the same
 *    waits are short, so the score alone would make us try again and again.
 *
 * And it sleeps where the control group has a quota below one processor (a container): what is spent awake
 * is missing when there is work, and then everybody waits until the quota is renewed. That is looked at now
 * and then, as a quota may be changed.
 *
 * A pause is ten times as long as the wait that caused it. One that begins within the length of the last
 * is twice as long as that, up to a second: where spinning does harm, it is tried once a second.
 */
#include "net/spin.h"

#include "base/units.h"
#include "net/cpu_quota.h"
#include "net/sys.h"

enum { SCORE_MAX = 16, SCORE_SPINS = 8, SCORE_LOSS = 3 };

#define AUTO_NS (50 * NS_PER_US)

/* Beyond the limit. Less is the turn of a target or client that shares the processor. */
#define ROBBED_NS (500 * NS_PER_US)

enum { PAUSE_FACTOR = 10 };
#define PAUSE_MAX_NS (1 * NS_PER_S)

#define QUOTA_LOOK_NS (200 * NS_PER_MS)

void spin_init(struct spin *spin, uint64_t duration_ns)
{
    *spin = (struct spin){.limit_ns = duration_ns};
    if (duration_ns == SPIN_AUTO) {
        spin->adapts = true;
        /* Of the machine: to be confined to one of them is no reason to sleep, but to yield it. */
        spin->limit_ns = sys_processors_count() > 1 ? AUTO_NS : 0;
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

static uint64_t pause_after(const struct spin *spin, uint64_t spent_ns, uint64_t now_ns)
{
    bool again = spin->pause_ns > 0 && now_ns <= spin->resume_ns + spin->pause_ns;
    uint64_t pause_ns = PAUSE_FACTOR * spent_ns;
    if (again && pause_ns < 2 * spin->pause_ns) {
        pause_ns = 2 * spin->pause_ns;
    }
    return pause_ns < PAUSE_MAX_NS ? pause_ns : PAUSE_MAX_NS;
}

/* A wait awake ends. */
static void judge(struct spin *spin, bool was_ready, bool found, uint64_t spent_ns, uint64_t now_ns)
{
    bool was_robbed = spent_ns > spin->limit_ns + ROBBED_NS;
    if (was_ready && !was_robbed) {
        return;
    }
    spin->robbed += was_robbed;
    keep_score(spin, found && !was_robbed);
    if (was_robbed || spin->score < SCORE_SPINS) {
        spin->pause_ns = pause_after(spin, spent_ns, now_ns);
        spin->resume_ns = now_ns + spin->pause_ns;
    }
}

static bool has_quota(struct spin *spin, uint64_t now_ns)
{
    if (now_ns >= spin->look_ns) {
        spin->has_quota = cpu_quota_percent() < 100;
        spin->look_ns = now_ns + QUOTA_LOOK_NS;
    }
    return spin->has_quota;
}

static bool is_worth_it(struct spin *spin, uint64_t now_ns)
{
    if (!spin->adapts) {
        return true;
    }
    return spin->score >= SCORE_SPINS && now_ns >= spin->resume_ns && !has_quota(spin, now_ns);
}

/* Asks until something has come, or the time is over. `*is_ready`: it was there already. */
static int ask(int epoll_fd, struct epoll_event *events, int capacity, uint64_t until_ns,
               bool *is_ready)
{
    int count = sys_epoll_wait(epoll_fd, events, capacity, 0);
    *is_ready = count != 0;
    while (count == 0 && sys_clock_ns() < until_ns) {
        sys_yield();
        count = sys_epoll_wait(epoll_fd, events, capacity, 0);
    }
    return count;
}

static int wait_awake(struct spin *spin, int epoll_fd, struct epoll_event *events, int capacity,
                      uint64_t start_ns, uint64_t *spent_ns)
{
    bool is_ready;
    int count = ask(epoll_fd, events, capacity, start_ns + spin->limit_ns, &is_ready);
    uint64_t now_ns = sys_clock_ns();
    *spent_ns = now_ns - start_ns;
    spin->spent_ns += *spent_ns;
    if (count != 0) {
        spin->hits++;
    } else {
        spin->misses++;
    }
    if (spin->adapts) {
        judge(spin, is_ready, count != 0, *spent_ns, now_ns);
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
    if (is_worth_it(spin, start_ns)) {
        uint64_t spent_ns;
        int count = wait_awake(spin, epoll_fd, events, capacity, start_ns, &spent_ns);
        return count != 0
                   ? count
                   : sys_epoll_wait(epoll_fd, events, capacity, time_left(timeout_ns, spent_ns));
    }
    int count = sys_epoll_wait(epoll_fd, events, capacity, timeout_ns);
    keep_score(spin, count > 0 && sys_clock_ns() - start_ns <= 2 * spin->limit_ns);
    return count;
}
