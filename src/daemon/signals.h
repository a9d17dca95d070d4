/* SPDX-License-Identifier: MIT */
/*
 * The signals of the daemon, read from a descriptor in the loop instead of interrupting it.
 *
 * signals_block comes before any thread starts, so that every thread inherits the mask;
 * signals_restore puts everything back. Between the two a signal of the set waits until
 * signals_next takes it.
 */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/error.h"

enum { SIGNALS_IGNORED = 3 };

struct signals {
    int fd; /* owns; readable when a signal waits */
    sigset_t previous_mask;
    struct sigaction previous_ignored[SIGNALS_IGNORED];
};

/* Blocks TERM, INT, QUIT, HUP and USR1, ignores PIPE, XFSZ and USR2. False: nothing is changed. */
bool signals_block(struct signals *signals, struct error *error) MUST_USE;

/* Takes the next waiting signal; 0: none waits. */
int signals_next(struct signals *signals);

/* Drops what still waits, so that a late signal does not end a process that is ending in order, and
 * restores
 * the mask and what was ignored. */
void signals_restore(struct signals *signals);

/* `TERM`, for logs. */
const char *signal_text(int signal_number);

#endif
