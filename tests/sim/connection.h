/* SPDX-License-Identifier: MIT */
/*
 * A simulated TCP connection with two ends: the engine's (the multiplexer's descriptor) and the
 * peer's (a client's or the target's). `up` flows from the peer to the engine, `down` back.
 *
 * Closing an end ends its stream, or resets the connection when there are bytes that were sent and
 * never read, as the kernel does; bytes for an end that is gone are answered with a reset.
 * Connections stay until the world ends, since the checks look back into them.
 */
#ifndef SIM_CONNECTION_H
#define SIM_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "link_watch.h"
#include "mux/mux.h"
#include "pipe.h"
#include "victims.h"

struct client;
struct target_link;

enum stage {
    STAGE_BACKLOG,    /* a client that was not accepted yet */
    STAGE_NEW,        /* a link that wants nothing yet */
    STAGE_RESOLVING,  /* until due_at */
    STAGE_CONNECTING, /* until due_at */
    STAGE_OPEN,
    STAGE_CLOSED,
};

struct connection {
    uint64_t number; /* counts from 1, clients and links apart: the N in `client N`, `link N` */
    bool is_link;
    enum stage stage;
    mux_id id;
    struct pipe up, down;
    bool peer_open;
    struct client *client;      /* borrows; NULL: a puppet or a link */
    struct target_link *target; /* borrows; NULL: a puppet or a client */

    /* the engine's side */
    uint64_t due_at; /* of resolving and connecting */
    enum io_failure failure;
    bool succeeds;    /* otherwise `failure` */
    unsigned wants;   /* as last announced by the changed list */
    uint64_t noticed; /* stream offset up to which arrival has been noticed */
    bool noticed_end, noticed_reset;
    bool readable;       /* an edge came, and the end of the bytes was not seen since */
    bool unfinished;     /* work was left for the next turn */
    uint64_t full_until; /* the kernel takes nothing: what was sent before is not acknowledged */
    bool shut;           /* MUX_END was done, at shut_at */
    uint64_t shut_at;
    bool told_end, told_failure;         /* to the core */
    uint64_t connected_at, last_seen_at; /* last_seen: bytes went or came, or it was probed */
    uint64_t taken_at;                   /* a request took the link */
    uint64_t unread_at;                  /* last seen not wanting to be read */
    bool was_up, was_lost;               /* the core has told so of the link */
    enum mux_reason lost_reason;         /* and why, at lost_at */
    uint64_t lost_at;
    uint64_t lost_bytes, lost_heard_at; /* what was read since, and its first byte when */
    bool is_extra;                      /* its attempt began while another link was usable */
    uint64_t sent_bytes;
    bool owed; /* a client for whom the core has bytes that were not all sent, since owed_since */
    uint64_t owed_since;
    struct link_watch watch;
    struct holding holding;
};

void connection_init(struct connection *connection, uint64_t number, bool is_link);
void connection_open_pipes(struct connection *connection, const struct pipe_style *up,
                           const struct pipe_style *down);
void connection_deinit(struct connection *connection);

/* The engine's end. */
size_t connection_engine_write(struct connection *connection, struct choice *choice, uint64_t now,
                               struct span bytes);
/* `aborts`: by a reset, whatever there is. */
void connection_engine_close(struct connection *connection, struct choice *choice, uint64_t now,
                             bool aborts);

/* The peer's end. */
size_t connection_peer_write(struct connection *connection, struct choice *choice, uint64_t now,
                             struct span bytes);
void connection_peer_end(struct connection *connection, struct choice *choice, uint64_t now);
void connection_peer_close(struct connection *connection, struct choice *choice, uint64_t now);
void connection_peer_reset(struct connection *connection, struct choice *choice, uint64_t now);

void connection_update(struct connection *connection, uint64_t now);

/* Whether neither end is open any more. */
bool connection_is_over(const struct connection *connection);

#endif
