/* SPDX-License-Identifier: MIT */
/*
 * Waiting for events awake for a moment before going to sleep (--spin).
 *
 * A process that sleeps is woken after some tens of microseconds, which is longer than many a target takes
 * to answer. So the loop may go on asking for a short while before it sleeps. It yields its processor
 * between the questions, so that whoever shares it gets on with the work that is waited for.
 *
 * SPIN_AUTO does so only where it is likely to pay: there are two processors or more, the last waits
 * were short, nobody needs the processor meanwhile, and the control group has no quota below one processor.
 * A process with nothing to do sleeps, and costs nothing.
 */
#ifndef NET_SPIN_H
#define NET_SPIN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* In place of a duration. */
#define SPIN_AUTO UINT64_MAX

struct spin {
    uint64_t limit_ns; /* of one wait awake; 0: none is */
    bool adapts;
    uint8_t score;      /* adapts: how short the last waits were */
    uint64_t pause_ns;  /* adapts: the last pause (spin.c); 0: there was none */
    uint64_t resume_ns; /* when it ends */
    bool has_quota;     /* adapts: of less than a processor */
    uint64_t look_ns;   /* when that is looked at again */
    uint64_t spent_ns;
    uint64_t hits, misses; /* waits that ended awake, and that slept after all */
    uint64_t robbed;       /* of both */
};

/* `duration_ns`: 0, SPIN_AUTO, or so long at most. */
void spin_init(struct spin *spin, uint64_t duration_ns);

/* sys_epoll_wait, awake first. */
int spin_wait(struct spin *spin, int epoll_fd, struct epoll_event *events, int capacity,
              int64_t timeout_ns);

#endif
