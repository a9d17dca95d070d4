/* SPDX-License-Identifier: MIT */
/* What the core bounds without an option: sizes, counts, times. Private to mux/. */
#ifndef MUX_LIMITS_H
#define MUX_LIMITS_H

#include "base/units.h"

enum {
    LINGER_BYTES_MAX = 64 * 1024,     /* discarded from a client that is being closed */
    WRITE_PROGRESS_BYTES = 64 * 1024, /* what a slow client must take within --write-timeout */
    BODY_PROGRESS_BYTES = 4 * 1024,   /* of a body without a link, within --client-timeout */
    RETIRE_BYTES_MAX = 64 * 1024,     /* from a target that does not look at our end */
    ORPHAN_BYTES_MAX = 256 * 1024,    /* of an orphaned response; more: the link is replaced */
    CLIENT_EXCHANGES_MAX = 1024,      /* queued of one client, however small they are */
    CLIENTS_REFUSED_MAX = 64,         /* connections over --max-clients that are being told so */
    FAIR_SHARE_MIN = 4 * 1024, /* of --buffer-memory: what each client may hold when it is short */
    HOLD_CLASSES = 22,         /* nothing, below 4 KiB, and a power of two each to 4 GiB */
    HOLD_PLACES = 2 * HOLD_CLASSES, /* in mux->holders */
    JOINED_MAX =
        64, /* of one client at a time: what it is given at once is no more than its backlog */
    BROKEN_MAX = 2,      /* links in a row that end inside their first answer and are no failure */
    TRUST_RESPONSES = 2, /* of a link whose predecessor left requests unanswered */
    TIMEOUTS_MAX = 3, /* by identifier: so many in a row, with nothing received: the link is dead */
};

#define LINGER_NS        (2 * NS_PER_S)
#define RETIRE_NS        (1 * NS_PER_S)
#define RETIRE_STREAM_NS (50 * NS_PER_MS)
#define RETIRE_WANTED_NS (100 * NS_PER_MS)
/* The least time for a client that holds a link idly while others wait. */
#define HOLD_NS_MIN (100 * NS_PER_MS)
/* For a response whose client has gone and of which no end is in sight, while others wait. */
#define ORPHAN_NS (2 * NS_PER_S)
#define RESOLVE_NS                                                                                 \
    (10 * NS_PER_S) /* longest wait for a name service; glibc's own default is 10 s */
#define SILENCE_PROBE_NS (1 * NS_PER_MS)
/* Emptied slabs, in case they are needed again; twice as long at most. */
#define SLABS_STAY_NS   (100 * NS_PER_MS)
#define REPLACE_NS      (250 * NS_PER_MS) /* from one connection to the one that replaces it */
#define OUTAGE_SHORT_NS (60 * NS_PER_S)   /* for so long those who wait are tried for in time */

#endif
