/* SPDX-License-Identifier: MIT */
/*
 * The peers of the multiplexer: one target with a single slot, and a number of lock-step clients,
 * all with sockets of their own that the fault layer never touches.
 *
 * They act when they are told to (..._act), on what is ready then, and never block. Whatever they
 * see that must not be is a failure on the spot:
 *
 *  - the target: two connections at once, a line that is not exactly one request, bytes behind a
 *    request that is not yet answered, a request that was never sent, or one for the second time;
 *  - a client: a byte that is not the next one of its answer, a wait without end.
 *
 * Time is the fault layer's.
 */
#ifndef FAULTS_PEERS_H
#define FAULTS_PEERS_H

#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"
#include "faults/message.h"

enum {
    CLIENTS_MAX = 24, /* connections of a run */
    REQUESTS_MAX = 5, /* of a client */
    CLIENTS_AT_ONCE_MAX = 8,
};

/* ---- the book: every request of the run ---- */

struct book {
    uint32_t sent[CLIENTS_MAX]; /* a bit for each request that a client has wholly sent */
    uint32_t seen[CLIENTS_MAX]; /* that the target has seen */
    unsigned answered, seen_count;
};

/* ---- the target ---- */

struct target {
    struct random random;
    struct book *book;         /* borrows */
    int listener;              /* owns */
    int fd;                    /* owns; -1: nobody is connected */
    uint16_t misdeed_permille; /* of the requests */
    uint32_t delay_ns_max;
    size_t read_max, write_max; /* bytes at once */
    struct sockaddr_in address;

    uint8_t in[MESSAGE_BYTES_MAX];
    size_t in_size;
    bool has_request;              /* read and not answered */
    size_t early_size, early_left; /* of a request answered early; bytes of it to come */
    uint8_t early[MESSAGE_BYTES_MAX];
    uint64_t answer_at; /* TIME_NEVER: not at all */
    size_t out_size, out_sent;
    size_t out_stop; /* breaks off here; out_size: does not */
    bool resets;     /* when it breaks off */
    uint8_t out[MESSAGE_BYTES_MAX];
    unsigned connections;
};

void target_open(struct target *target, uint64_t seed, struct book *book, bool misbehaves,
                 bool has_small_buffers);
void target_close(struct target *target);
bool target_act(struct target *target);
/* From now on it answers at once and breaks nothing off. */
void target_calm(struct target *target);
uint64_t target_deadline(const struct target *target);

/* ---- a client ---- */

enum client_state { CLIENT_UNBORN, CLIENT_SENDING, CLIENT_AWAITING, CLIENT_ENDED };

/* What it does to a request. */
enum client_fate {
    FATE_GOOD,
    FATE_HALF_CLOSE, /* after its last request */
    FATE_RESET,      /* inside the request, or while it waits */
    FATE_CLOSE,      /* likewise, in order */
    FATE_STALL,      /* inside the request */
};

struct client {
    struct random random;
    struct book *book; /* borrows */
    unsigned number;
    enum client_state state;
    int fd; /* owns; -1 */
    unsigned requests_count, sequence;
    enum client_fate fate;
    size_t fate_at;     /* bytes of the request sent before it strikes */
    uint64_t fate_time; /* and not before */
    uint16_t misdeed_permille;
    size_t chunk_max;
    bool has_small_buffers;
    bool was_cut; /* ended by the multiplexer before all was answered */
    uint64_t born_at;
    uint64_t since_ns, since_waits; /* of the present request */
    size_t out_size, out_sent, in_size;
    uint8_t *out, *expected; /* owns */
};

void peer_client_init(struct client *client, uint64_t seed, unsigned number, struct book *book,
                      uint16_t misdeed_permille, bool has_small_buffers);
void peer_client_deinit(struct client *client);
bool peer_client_act(struct client *client, const struct sockaddr_in *multiplexer);
uint64_t peer_client_deadline(const struct client *client);

/* ---- for both ---- */

/* Closes so that the other side sees a reset. */
void peer_reset(int *fd);
void peer_close(int *fd);
/* No waiting for acknowledgements, which the clock would not see; on a listener for what it accepts.
 * And, if wanted, small buffers, and segments that fit into them. */
void peer_prepare(int fd, bool has_small_buffers);
/* Another size for a message: mostly small, now and then larger than any buffer. */
size_t peer_message_size(struct random *random);
/* In how large parts a message of that size is read and written: some tens at most. */
size_t peer_chunk(struct random *random, size_t size);

#endif
