/* SPDX-License-Identifier: MIT */
/*
 * The load generator's run: what was asked for, the clients, and what has happened so far.
 *
 * load.c reads the command line, load_run.c decides when requests are due and until when the run
 * lasts, load_client.c is what a client does, load_wire.h what it says. One thread.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"
#include "load_wire.h"

struct options {
    struct sockaddr_in target;
    const struct wire *wire;
    uint32_t clients;
    uint32_t beside; /* further clients, which are silent */
    double seconds;
    uint64_t requests; /* in all; 0: no limit but the time */
    uint32_t size;     /* of a message */
    uint32_t depth;    /* requests of a client ahead of its answers */
    double rate;       /* requests per second in all; 0: each as soon as the answers allow it */
    uint64_t upload, download; /* bytes of one body; 0: none */
    bool churn;                /* a connection for each request */
    bool idle;
    pid_t watched; /* 0: none */
};

/* Sequence numbers begin with 1. */
struct client {
    int fd;          /* -1: not connected */
    uint32_t number; /* counted over all, the silent ones last */
    uint32_t owed;   /* with --rate: sequence number of the last request that is due */
    uint32_t started;
    uint32_t answered;
    bool is_silent;
    bool is_broken;  /* its connection has failed: it asks nothing more */
    bool is_sending; /* the request `started` has not left wholly; `sent` bytes have */
    bool is_in_body; /* of the answer to `hearing`; `heard` of `body_size` bytes have come */
    uint32_t hearing;
    uint64_t sent;
    uint64_t heard, body_size;
    size_t head_size;   /* bytes kept of a head that is not whole */
    uint8_t *head;      /* borrows; of the wire's head_max bytes */
    uint64_t *since_ns; /* borrows; from when the latency of each request in flight counts, by
                            sequence number modulo run.places; 0: not in flight */
};

struct run {
    const struct options *options;
    struct client *clients;
    uint32_t clients_count; /* with those beside */
    int epoll;
    uint32_t places;           /* a power of two, not below --depth */
    uint64_t begin_ns, end_ns; /* no request is started or due after the end */
    uint64_t requests_max;
    uint64_t owed;      /* with --rate: requests that were due */
    uint64_t backlog;   /* of these: not started yet */
    uint32_t in_flight; /* started, not answered */
    uint64_t started, answered;
    uint64_t connected; /* with --churn */
    uint64_t errors;
    uint64_t heard_ns; /* when something last happened on a connection */
    struct histogram latency;
};

/* ---- load_client.c ---- */

/* Connects, and waits for it. */
void client_open(struct run *run, struct client *client);

/* Starts one request now; its latency counts from `since_ns`. */
void client_ask(struct run *run, struct client *client, uint64_t since_ns);

/* Starts as many as are due and as the depth allows. */
void client_go_on(struct run *run, struct client *client, uint64_t now);

/* What epoll has said about its connection. */
void client_handle(struct run *run, struct client *client, uint32_t events);

/* Its connection is over, and that is an error. */
void client_break(struct run *run, struct client *client);

/* With --rate: when the request of this index, counted over all clients from 0, is due. */
uint64_t due_ns(const struct run *run, uint64_t index);

/* ---- load_run.c ---- */

/* Does what the options say, prints it, and returns the number of errors. */
uint64_t run_load(const struct options *options);

#endif
