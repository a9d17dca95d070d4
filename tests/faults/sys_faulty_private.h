/* SPDX-License-Identifier: MIT */
/*
 * What the files of the fault layer share: its state, and the choice whether a fault strikes.
 *
 *     sys_faulty.c   choices, clock, life
 *     sys_stream.c   sockets: opening, receiving, sending, breaking, closing
 *     sys_events.c   epoll
 */
#ifndef FAULTS_SYS_FAULTY_PRIVATE_H
#define FAULTS_SYS_FAULTY_PRIVATE_H

#include <netinet/in.h>
#include <sys/epoll.h>

#include "base/random.h"
#include "faults/sys_faulty.h"

enum { DESCRIPTORS_MAX = 1024 };

/* What is known of a descriptor of the engine's. */
struct descriptor {
    bool is_connection;
    bool is_registered;
    bool end_announced;
    bool is_broken;   /* by this layer: what is received now comes from here */
    uint8_t rearm_in; /* waits until it is announced again; 0: not due */
    int error;        /* broken: still to be told */
    int epoll_fd;
    struct epoll_event event; /* as registered */
    uint8_t *kept;            /* owns; broken: what had arrived */
    size_t kept_begin, kept_end;
};

/* One for the process: system calls have no context. */
struct layer {
    struct random random;
    struct rates rates;
    bool is_storming;
    const struct faulty_peers *peers; /* NULL: no run */
    bool peers_are_acting;
    int patience_ms;
    uint64_t now_ns;
    uint64_t waits, idle_waits, idle_since_ns;
    uint64_t shortage_until_ns;
    unsigned shortage_tries; /* left */
    uint64_t counts[FAULTS_COUNT];
    struct descriptor descriptors[DESCRIPTORS_MAX];
    /* Addresses that refuse, and that never answer. */
    int refusing_fd, silent_fd, silent_filler_fd;
    struct sockaddr_in refusing, silent;
};

extern struct layer faulty;

/* Whether the fault happens now. */
bool faulty_strikes(enum fault fault);
int faulty_one_of(const int *errors, size_t count);
/* Notes that a call on `fd` fails, sets errno, returns -1. */
int faulty_fail(const char *call, int fd, int error);

struct descriptor *faulty_descriptor(int fd);
void faulty_forget(int fd);

/* Lets the peers act, unless they are about it. True: something moved. */
bool faulty_act(void);
/* Between two calls of the engine. */
void faulty_maybe_act(void);

#endif
