/* SPDX-License-Identifier: MIT */
/*
 * Which faults a run has, and how often: drawn per seed, so that some seeds have one kind alone and
 * others have all of them.
 *
 * A mild fault costs time and calls only: an engine that takes it right loses no connection, and
 * answers every request.
 */
#ifndef FAULTS_RATES_H
#define FAULTS_RATES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"

enum fault {
    /* mild */
    FAULT_INTERRUPT,       /* EINTR, of all calls that may wait */
    FAULT_RECEIVE_AGAIN,   /* EAGAIN: the bytes come just after */
    FAULT_RECEIVE_SHORT,   /* some bytes: the others come just after */
    FAULT_SEND_AGAIN,      /* EAGAIN: room comes later */
    FAULT_SEND_SHORT,      /* room for some */
    FAULT_ACCEPT_AGAIN,    /* EAGAIN: the client comes just after */
    FAULT_ACCEPT_NO_ROOM,  /* out of descriptors or memory; the client stays in the backlog */
    FAULT_EVENTS_FEW,      /* the kernel tells less than it could */
    FAULT_EVENTS_SHUFFLED, /* in another order */
    FAULT_EVENTS_SPURIOUS, /* what it told before, again */
    FAULT_CONNECT_QUICK,   /* connected when connect returns */
    FAULT_CLOSE,           /* close fails, and has closed all the same */
    FAULT_PEERS_ACT,       /* target and clients act between two calls of the engine */
    /* that cost a connection */
    FAULT_ACCEPT_ABORTED,  /* the client went while it waited */
    FAULT_SOCKET_NO_ROOM,  /* no socket for a link */
    FAULT_CONNECT_AT_ONCE, /* connect itself fails */
    FAULT_CONNECT_LATER,   /* refused after a while */
    FAULT_CONNECT_NEVER,   /* no answer */
    FAULT_RECEIVE_RESET,   /* the connection breaks, found by a receive */
    FAULT_SEND_RESET,      /* found by a send */
    FAULT_SHUTDOWN_RESET,  /* found by a shutdown */
    FAULT_REGISTER,        /* epoll has no memory for another descriptor */
    FAULT_CLOCK,           /* the process did not run for a while */
};
#define FAULTS_COUNT     ((unsigned)FAULT_CLOCK + 1)
#define FAULT_FIRST_HARD FAULT_ACCEPT_ABORTED

enum storm { STORM_NONE, STORM_MILD, STORM_HARD };

struct rates {
    uint16_t permille[FAULTS_COUNT];
};

void rates_draw(struct rates *rates, struct random *random, enum storm storm);
const char *fault_name(enum fault fault);

#endif
