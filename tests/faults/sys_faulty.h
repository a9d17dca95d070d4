/* SPDX-License-Identifier: MIT */
/*
 * A kernel in a bad mood: the system calls of net/sys.h with faults, over real sockets.
 *
 * The engine is linked with this in place of net/sys.c. Every fault is one that Linux (or, for
 * EINTR, POSIX) may show; what that means for each is written at the function in sys_faulty.c. All
 * choices come from one seeded generator.
 *
 * Everything runs on the engine's thread. The peers (target and clients) run inside the engine's
 * calls: always while it waits for events, and with FAULT_PEERS_ACT between any two calls. The
 * clock is not the machine's: it creeps with each look at it, and leaps to the next deadline of
 * engine or peers when nothing moves.
 */
#ifndef FAULTS_SYS_FAULTY_H
#define FAULTS_SYS_FAULTY_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "faults/rates.h"

/* What the layer needs of the peers. */
struct faulty_peers {
    void *context; /* borrows until faulty_deinit */
    /* Acts on what is ready. True: something moved. */
    bool (*act)(void *context);
    /* What they wait for: fills `polls` and returns how many, at most `capacity`. */
    size_t (*wait_for)(void *context, struct pollfd *polls, size_t capacity);
    /* When they act by themselves; TIME_NEVER: not before something is ready. */
    uint64_t (*deadline)(void *context);
    /* Whether one of them waits for the engine. */
    bool (*is_waiting)(void *context);
};

/* Once per process: addresses that refuse and that never answer. */
void faulty_open(void);
void faulty_close(void);

/* Once per run. Faults begin with faulty_storm; until then the kernel is in a good mood.
 * `patience_ms`: how long nothing may move before the clock leaps to a far deadline
 * of the engine. */
void faulty_init(uint64_t seed, enum storm storm, const struct faulty_peers *peers,
                 int patience_ms);
void faulty_deinit(void);

void faulty_storm(bool on);

/* Virtual time, without any creeping. */
uint64_t faulty_now(void);
/* Turns of the engine in this run. */
uint64_t faulty_waits(void);
/* Faults injected since the process began. */
uint64_t faulty_count(enum fault fault);

#endif
