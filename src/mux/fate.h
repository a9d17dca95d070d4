/* SPDX-License-Identifier: MIT */
/*
 * What becomes of an exchange that does not end with its response: the failure table as one function.
 *
 *     cause                        not sent          sent                    part of its response delivered
 *     the client has gone          DROP              ORPHAN                  ORPHAN
 *     the link ended               RETURN, or FAIL   SEND_AGAIN, or FAIL     CUT
 *                                  without time left where it may be
 *     its own: time, a limit       FAIL              FAIL                    CUT
 *
 * And nobody is told of what nobody waits for: an orphan that does not end with its response is a DROP.
 *
 * Private to mux/. Pure: tests/unit/test_mux_fate.c enumerates it.
 */
#ifndef MUX_FATE_H
#define MUX_FATE_H

#include <stdbool.h>

/* Why it ends. */
enum cause {
    CAUSE_CLIENT_GONE, /* the client went, or is not served any more */
    CAUSE_LINK_ENDED,  /* its link did, for whatever reason but a stop */
    CAUSE_ITS_OWN,     /* its time is over, or that of a stop; it was refused; memory is spent */
};

enum fate {
    FATE_DROP,       /* it ends, and nobody is told */
    FATE_ORPHAN,     /* it stays on its link without a client: its response is swallowed */
    FATE_RETURN,     /* it waits again, as if it had never left */
    FATE_SEND_AGAIN, /* the same, and this is the last time */
    FATE_FAIL,       /* its client is told, in its place in the order */
    FATE_CUT,        /* its client is closed, as nothing else can tell it that no more comes */
};

struct exchange_facts {
    bool has_client;   /* that is served */
    bool is_sent;      /* a byte of it was handed to the kernel */
    bool is_delivered; /* a piece of its response was given to the client */
    bool
        may_be_repeated; /* sending it twice is harmless, it was not yet, and the link had answered before */
    bool has_time; /* --wait-timeout is not over */
};

enum fate exchange_fate(const struct exchange_facts *facts, enum cause cause);

#endif
