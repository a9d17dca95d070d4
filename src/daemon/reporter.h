/* SPDX-License-Identifier: MIT */
/*
 * The reporter: turns what the core observes into log lines.
 *
 * At info there is one line for each thing that begins or ends: clients and links. Faults are
 * warnings, and a fault that repeats warns at most once in ten seconds per kind, with the number of
 * warnings held back. (A connection that ends still has its line, at info.) Lines at info about single
 * connections are at most a hundred a second (log_may_tell). Below --verbose no byte
 * of a message reaches the log; with it each message is one described line, with --debug its bytes
 * follow.
 *
 * It looks only, and is called by the core: see mux_observer.
 */
#ifndef DAEMON_REPORTER_H
#define DAEMON_REPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "mux/mux.h"
#include "net/engine.h"

struct reporter {
    struct log *log;                  /* borrows for its life */
    const struct protocol *protocol;  /* borrows for its life */
    const struct engine_route *route; /* borrows; NULL until the route exists */
    const char *target;               /* as configured; borrows for its life */
    bool dump;                        /* --debug */
    bool omits_silent;                /* --dont-log-null */

    /* the attempt to connect that is under way */
    uint64_t failures;                     /* failed attempts since a link was last up */
    enum mux_reason failed_reason;         /* of this attempt; REASON_NONE: none yet */
    char failed_address[ADDRESS_TEXT_MAX]; /* empty: not known */

    /* what repeats */
    struct log_limit client_closed[REASON_COUNT], link_closed[REASON_COUNT],
        error_reply[REASON_COUNT];
    bool has_doubted, has_greeted, has_closer; /* that was said */
    struct log_limit connect_failed, stray, memory;
};

/* The observer for a core. It ignores the events that would become no line, so the log's level must not
 * change afterwards. */
struct mux_observer reporter_observer(struct reporter *reporter);

#endif
