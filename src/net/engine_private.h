/* SPDX-License-Identifier: MIT */
/*
 * The engine's own structs and the functions its files share. Private to net/.
 *
 * Who calls whom (down only; the kernel's events enter at the top):
 *
 *     engine_epoll.c       the loop
 *     route.c              a route brought to life and taken down
 *     connection.c         one connection: facts to the core, wishes to the kernel
 *     connect.c            links: resolving and connecting
 *     accept.c             new clients; the pause when descriptors run out
 *     agenda.c             which routes a turn has to do with
 *     connection_record.c  what a record says of its connection, and that it has failed
 *     poller_epoll.c       registration, watches
 *     connection_table.c   records of connections by id
 *     reserve.c            descriptors: the limit, and those kept back for links
 *
 * Invariant: descriptors of connections are closed, and their records given back, only while the
 * core's changed lists are worked off, after every event of the batch was taken in. So no event of
 * a batch points to a record that has meanwhile become another connection's.
 */
#ifndef NET_ENGINE_PRIVATE_H
#define NET_ENGINE_PRIVATE_H

#include <assert.h>
#include <sys/epoll.h>

#include "base/heap.h"
#include "base/list.h"
#include "net/engine.h"
#include "net/listener.h"
#include "net/resolver.h"
#include "net/run_clock.h"
#include "net/source.h"

enum {
    EVENTS_MAX = 512, /* taken from the kernel in one turn */
    RECEIVES_MAX = 4, /* of one connection in one turn, 64 KiB each: then it is the others' turn */
    ACCEPTS_MAX = 64, /* of one listener in one turn */
    RESERVED_MAX = 8, /* descriptors kept back: links, and what a name lookup opens */
    LOOKUP_DESCRIPTORS = 4, /* of them for a lookup: a file or two, a socket or two */
    CHUNK_RECORDS = 256,
    HELD_TURNS_MAX =
        100, /* deadlines wait no longer for what there is to read: see engine_epoll.c */
};

#define ACCEPT_PAUSE_NS   (250 * NS_PER_MS)
#define TROUBLE_REPEAT_NS (10 * NS_PER_S) /* the same trouble is logged once in this time */

/* What a connection's descriptor is ready for, as the kernel announced it. */
enum ready {
    READY_READ = 1 << 0,
    READY_WRITE = 1 << 1,
    READY_READ_ON =
        1
        << 2, /* a short receive does not mean that all was read: the end or urgent data follows */
    READY_HUNG_UP = 1 << 3, /* both directions are down, or there is an error */
};

enum connection_flag {
    CONNECTION_READABLE =
        1 << 0, /* a receive may give something; kept while MUX_READ is not wanted */
    CONNECTION_WRITABLE = 1 << 1,   /* a send may take something */
    CONNECTION_READ_ON = 1 << 2,    /* as READY_READ_ON, from then on */
    CONNECTION_HUNG_UP = 1 << 3,    /* as READY_HUNG_UP, and SO_ERROR was not looked at since */
    CONNECTION_RESOLVING = 1 << 4,  /* waits for the route's lookup */
    CONNECTION_CONNECTING = 1 << 5, /* connect() is under way */
    CONNECTION_ENDED = 1 << 6,      /* mux_ended was reported: nothing more to read */
    CONNECTION_SHUT = 1 << 7,       /* writing was shut down */
    CONNECTION_BROKEN =
        1 << 8, /* a send failed: an end-of-stream now is the failure's, not the peer's */
    CONNECTION_FAILED = 1 << 9, /* mux_failed was reported: only closing is left */
};

/* One connection; a cache line. The local address is asked of the kernel when somebody wants it. */
struct connection {
    struct source source;
    uint8_t turn;               /* of the engine, when `receives` was counted from 0 */
    uint8_t receives;           /* in that turn */
    uint8_t peer_family;        /* 0: not known yet */
    int fd;                     /* owns; -1: none */
    mux_id id;                  /* MUX_ID_NONE: the record is free */
    struct engine_route *route; /* borrows */
    struct list unfinished;     /* in engine->unfinished[kind] */
    uint16_t flags;             /* enum connection_flag */
    uint16_t peer_port;
    uint32_t peer_scope;
    uint8_t peer_host[16];
};

static_assert(sizeof(struct connection) == 64, "ten thousand idle clients cost 640 KB");

/* Records by slot, in chunks that never move. A zeroed one is empty. */
struct connection_table {
    struct connection **chunks; /* owns */
    uint32_t chunks_count;
};

struct watch {
    struct source source;
    int fd; /* borrows */
    void (*ready)(void *context);
    void *context;    /* borrows */
    struct list node; /* in engine->watches */
};

struct engine_route {
    struct list node;          /* in engine->routes */
    struct list touched;       /* in engine->touched */
    struct heap_item deadline; /* in engine->deadlines: as it was when a turn was done with it */
    uint64_t lost_told_ns;     /* of engine->clock.lost_ns, to the core */
    bool is_finished;
    void (*finished)(void *context); /* NULL: nobody wants to know */
    void *context;                   /* borrows */
    struct engine *engine;
    struct mux *mux; /* borrows */
    struct endpoint target;
    struct socket_options socket_options;
    bool has_source;
    bool has_pace;      /* --gap or --delay: the clock is told after each call on a link */
    bool names_clients; /* --forwarded: the core is told where each client comes from */
    struct address source;

    struct resolver *resolver; /* owns; NULL: the target is no name */
    struct address addresses[RESOLVED_MAX];
    size_t addresses_count;
    const char *missing_interface; /* of target.host, at the last lookup; NULL: none */

    struct listener *listeners; /* owns; never moves once registered */
    size_t listeners_count;

    struct connection_table tables[2]; /* by enum source_kind: clients, links */
};

struct engine {
    struct log *log;
    struct source log_source; /* registered while the log takes nothing */
    int log_watched_fd;       /* -1: it is not */
    unsigned log_reopened;    /* as often as the log when it was registered */
    int epoll_fd;             /* owns */
    struct spin spin;
    struct run_clock clock;
    uint32_t turns_held; /* in a row, in which no deadline was run */
    bool is_stopping;
    uint8_t turn; /* counts turns, wrapping; see struct connection */
    struct list routes;
    struct list touched;   /* routes that this turn has to do with; see agenda.c */
    struct heap deadlines; /* of routes */
    uint32_t routes_count, finished_count;
    struct list watches;
    struct list unfinished[2]; /* connections with more to read than one turn allows, by kind */

    /* engine_names is asked from inside mux_closed, when the descriptor is gone already. */
    const struct connection *closing;
    struct address closing_local;

    int reserved[RESERVED_MAX]; /* owns; see reserve.c */
    size_t reserved_count;
    uint64_t descriptors_needed; /* of all routes */
    unsigned lookups_running;

    bool accept_is_paused;
    bool accept_may_resume; /* a descriptor was closed since */
    uint64_t accept_resume_at;

    struct log_limit accept_limit;
    struct log_limit io_limit;

    struct epoll_event events[EVENTS_MAX];
};

/* ---- poller_epoll.c ---- */
/* Connections: edge-triggered, all they can be ready for. False: the system has no memory for it.
 */
bool engine_register_connection(struct engine *engine, struct connection *connection) MUST_USE;
/* Listeners and watches: level-triggered, for reading. */
bool engine_register_reader(struct engine *engine, int fd, struct source *source) MUST_USE;
bool engine_register_source(struct engine *engine, int fd, uint32_t events,
                            struct source *source) MUST_USE;
void engine_unregister(struct engine *engine, int fd);

/* ---- agenda.c ---- */
/* Something happens to the route in this turn: before the core is told of it. */
void agenda_touch(struct engine_route *route);
void agenda_touch_all(struct engine *engine);
/* Lets happen what was due by then, in routes that have something due, and in those that were touched. */
void agenda_run_deadlines(struct engine *engine, uint64_t due_ns);
/* A route that was touched, and that the turn is not done with; NULL: none. */
struct engine_route *agenda_next(const struct engine *engine);
/* The kernel matches what its core wants. Its end is told here. */
void agenda_done(struct engine_route *route);
/* A new route; and one that ends. False: no memory. */
bool agenda_add(struct engine_route *route) MUST_USE;
void agenda_remove(struct engine_route *route);

/* ---- route.c ---- */
void route_destroy(struct engine_route *route);

/* ---- accept.c ---- */
void accept_ready(struct listener *listener);
/* Ends the pause when there is reason to. */
void accept_resume(struct engine *engine, uint64_t now_ns);

/* ---- connection.c ---- */
/* The kernel announced something. */
void connection_announced(struct connection *connection, unsigned ready);
/* It may go on reading in a new turn. */
void connection_continue(struct connection *connection);
/* Does what the core wants of the connection. */
void connection_match(struct engine_route *route, mux_id id);

/* ---- connection_record.c ---- */
/* Reports a failure, once; errno is logged when it is an unusual one. */
void connection_fail(struct connection *connection, enum io_failure failure, int error);
/* Tells the core the time if it is a link, and the route measures --gap or --delay. */
void connection_pace(const struct connection *connection);
void connection_set_peer(struct connection *connection, const struct address *peer);
struct address connection_peer(const struct connection *connection);

/* ---- connect.c ---- */
void connect_resolve(struct engine_route *route, mux_id id);
void connect_begin(struct engine_route *route, mux_id id);
void connect_finish(struct connection *connection);
/* The route's lookup is done; `context` is the route. */
void connect_resolved(void *context);

/* ---- connection_table.c ---- */
/* The record of a live connection, NULL when there is none. */
struct connection *connection_find(const struct engine_route *route, mux_id id);
/* The record of a connection, made if there is none yet. NULL: no memory. */
struct connection *connection_take(struct engine_route *route, mux_id id) MUST_USE;
void connection_give(struct connection *connection);
/* Calls `visit` with every live record. */
void connection_each(const struct connection_table *table,
                     void (*visit)(struct connection *connection));
void connection_table_deinit(struct connection_table *table);

/* ---- reserve.c ---- */
void reserve_fill(struct engine *engine);
/* Whether it is whole (and so nobody but clients needs a descriptor). */
bool reserve_is_full(const struct engine *engine);
/* Gives up to `count` back to the system, for somebody who needs them more. False: there were none.
 */
bool reserve_release(struct engine *engine, size_t count);
void reserve_empty(struct engine *engine);
/* Raises the soft limit on descriptors so that the route's clients fit in, as far as it goes. */
void reserve_raise_limit(struct engine *engine, const struct engine_route *route);
/* Whether an errno says that descriptors or memory ran out. */
bool is_exhaustion(int error);

#endif
