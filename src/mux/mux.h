/* SPDX-License-Identifier: MIT */
/*
 * The core of one route: clients, links, exchanges, the scheduler and all deadlines. Sans-I/O.
 *
 * *Facts* go in (accepted, received, sent, ended, failed, closed, time); what each connection now
 * *wants* is computed from state and asked by the engine, for the connections on the changed list.
 *
 *     mux_clock(now)                         the clock, first in each turn
 *     facts about links, then about clients  each returns with the state consistent again
 *     mux_time(due)                          what is due, unless there is more to read first
 *     while ((id = mux_next_changed()))      admits waiting requests first, then names connections,
 *         make the kernel match mux_wants(id)  links before clients; facts may be reported
 * meanwhile sleep until an event or mux_deadline()
 *
 * Rules:
 *  - The core never calls out, except to the observer, which gets const data and may not call in.
 *  - Connections are named by mux_id: slot and generation. Facts about an id that has ended are
 * ignored, so a late completion does no harm.
 *  - The core owns slots and buffers, the engine owns descriptors. MUX_CLOSE is a wish; the slot is
 * free again only after mux_closed.
 *  - Work per fact is bounded. Nothing is allocated per message in the steady state.
 *  - One thread. Several routes share nothing but the scratch buffer of their thread.
 *
 * What the core promises is DESIGN section 2; the failure table is section 3.
 */
#ifndef MUX_MUX_H
#define MUX_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "base/span.h"
#include "mux/reason.h"
#include "protocol/protocol.h"

struct mux;

/* A connection: bits 0..30 slot, bit 31 whether it is a link, bits 32..63 generation. */
typedef uint64_t mux_id;
#define MUX_ID_NONE ((mux_id)0)

static inline bool mux_id_is_link(mux_id id)
{
    return (id & ((mux_id)1 << 31)) != 0;
}

/* Index for a table of the engine's, dense from 0: clients and links count separately. */
static inline uint32_t mux_id_slot(mux_id id)
{
    return (uint32_t)id & 0x7FFFFFFFU;
}

/* ---- options ---- */

enum { MUX_SCRATCH_BYTES = 64 * 1024, MUX_LINKS_MAX = 64 };

/* How a link that we end is closed; see retire.c. In the order of the choices of --link-close. */
enum link_close { LINK_CLOSE_AUTO, LINK_CLOSE_FIN, LINK_CLOSE_RST };

/* Everything is in nanoseconds or bytes; DESIGN section 3, "Time" and "Limits". 0 switches off the
 * times that say so. */
struct mux_options {
    const struct protocol *protocol; /* borrows for the core's life */
    struct protocol_settings settings;

    uint32_t clients_max;
    uint32_t links_max;          /* at most MUX_LINKS_MAX */
    uint32_t in_flight_max;      /* per link; 1: the lock, which --gap needs */
    size_t request_buffer_bytes; /* --buffer-requests */
    size_t memory_bytes_max;     /* --buffer-memory: what clients and targets make us hold */
    size_t backlog_bytes_max;    /* per client and direction */

    uint64_t client_timeout_ns;
    uint64_t idle_timeout_ns; /* 0: off */
    uint64_t connect_timeout_ns;
    uint64_t queue_timeout_ns;
    uint64_t wait_timeout_ns;
    uint64_t response_timeout_ns; /* --timeout */
    uint64_t write_timeout_ns;
    uint64_t hold_max_ns; /* --max-hold; 0: off */
    uint64_t delay_ns;
    uint64_t gap_ns;
    uint64_t check_gap_ns; /* 0: off */
    uint64_t retry_delay_min_ns;
    uint64_t retry_delay_max_ns;
    uint64_t link_idle_ns;     /* 0: off */
    uint64_t link_lifetime_ns; /* 0: off */
    uint64_t grace_ns;

    enum link_close link_close;

    bool coalesce;  /* identical reads share one response */
    bool on_demand; /* no link before a request waits */
    bool hold;      /* keep a link open always */

    uint64_t seed;             /* of the jitter */
    struct hash_secret secret; /* of tables whose keys clients choose */
};

/* Fills everything but `protocol` with the defaults of DESIGN section 3. */
void mux_options_init(struct mux_options *options);

/* ---- events ---- */

enum mux_event_kind {
    MUX_CLIENT_OPENED,   /* origin */
    MUX_CLIENT_SPOKE,    /* its first bytes have come */
    MUX_CLIENT_CLOSED,   /* reason, silent; reported inside mux_closed */
    MUX_LINK_CONNECTING, /* an attempt begins: creating target connection */
    MUX_LINK_UP,         /* origin */
    MUX_LINK_FAILED,     /* an address could not be connected or resolved: reason, failure */
    MUX_LINK_RETRY,      /* all addresses failed, or the link did: ns until the next attempt,
                       TIME_NEVER when there is none before somebody asks */
    MUX_LINK_LOST,       /* a link that was up has ended or is being replaced: reason */
    MUX_LINK_CLOSED,     /* its slot is free; reported inside mux_closed, after MUX_LINK_UP only */
    MUX_REQUEST,         /* a whole request was received: bytes */
    MUX_JOINED,          /* it takes no link, but shares the response of `leader` */
    MUX_REQUEST_TAKEN,   /* it goes out on a link: bytes (as sent), ns it waited */
    MUX_RESPONSE, /* a response piece goes to the client (client 0: an orphan's, swallowed): bytes,
                     ns */
    MUX_ERROR_REPLY,    /* the multiplexer answers: reason, bytes (size 0: closes instead) */
    MUX_EXCHANGE_ENDED, /* the last of every exchange: reason (REASON_NONE: answered or nothing
                           expected) */
    MUX_RESENT,   /* a request returns to the queue after its link broke: reason (of the link) */
    MUX_STRAY,    /* bytes from the target that nobody waits for, or that do not answer `request` */
    MUX_DOUBT,    /* a response is delivered although something in it does not fit `request` */
    MUX_GREETING, /* bytes came before the first request of a link, and were dropped */
    MUX_UNASKED,  /* a harmless message that answers nothing was dropped, and the link goes on */
    MUX_CLOSER, /* the target closes links behind answers: ns of silence precede further requests */
    MUX_PAUSED, /* --buffer-memory is spent: the client that is closed for it */
};

/* Serials count from 1 in order of appearance and are 0 where there is none. All pointers are
 * borrowed for the duration of the call. */
struct mux_event {
    enum mux_event_kind kind;
    enum mux_reason reason;
    mux_id client_id;
    mux_id link_id;
    uint64_t client; /* serial of the client: the N of `#N` */
    uint64_t link;   /* serial of the link */
    uint64_t exchange;
    uint64_t leader;               /* serial of an exchange */
    const struct request *request; /* what bytes do not answer; NULL: nobody waits for any */
    struct span bytes;
    uint64_t ns;
    bool silent;        /* it has never said a byte */
    const void *origin; /* what the engine passed in with mux_accepted or mux_connected */
};

struct mux_observer {
    void *context;                                               /* borrows */
    void (*event)(void *context, const struct mux_event *event); /* NULL: nobody looks */
    uint32_t
        ignored; /* events not wanted: a bit 1 << kind each; those of every message cost time */
};

/* Counted by the core itself; each only grows, except the gauges at the end. */
struct mux_counters {
    uint64_t clients_accepted, clients_refused; /* refused: over --max-clients */
    uint64_t clients_closed;
    uint64_t requests;       /* whole requests received */
    uint64_t requests_taken; /* went to a link (again after a return counts again) */
    uint64_t responses;      /* whole responses delivered to a client's queue */
    uint64_t coalesced;      /* requests that joined another one */
    uint64_t one_way;        /* requests sent that expect no response */
    uint64_t orphans;        /* exchanges whose client went while they were in flight */
    uint64_t dropped;        /* exchanges whose client went while they waited */
    uint64_t error_replies;  /* with bytes */
    uint64_t returned;       /* requests back to the queue, nothing written */
    uint64_t resent;         /* re-sendable requests back to the queue after they were written */
    uint64_t strays;         /* reads that brought bytes nobody waits for */
    uint64_t greetings;      /* links that brought bytes before their first request */
    uint64_t unasked;        /* harmless messages that nobody waited for */
    uint64_t timeouts;       /* responses that did not come in time */
    uint64_t crossed; /* links that the target closed behind an answer, with a request lost */
    uint64_t link_attempts, links_up, links_failed, links_lost;
    uint64_t cut;                 /* exchanges ended by shutdown */
    uint64_t ended[REASON_COUNT]; /* exchanges that ended with an error, per reason */
    uint64_t client_bytes_in, client_bytes_out, link_bytes_in, link_bytes_out;
    /* gauges */
    uint32_t clients, links, waiting, in_flight;
    uint64_t memory; /* bytes that count against --buffer-memory */
};

/* ---- life ---- */

/* `scratch` has MUX_SCRATCH_BYTES and is borrowed for the core's life; the routes of one thread
 * share it. Returns NULL when there is no memory. Options must be sane (asserted): checked by
 * config. */
struct mux *mux_create(const struct mux_options *options, const struct mux_observer *observer,
                       uint8_t *scratch, uint64_t now_ns);
void mux_destroy(struct mux **mux);

/* Stops in order: idle clients and partial requests are closed, whole requests served within
 * grace_ns, then links are retired. The engine has closed its listeners. Idempotent. */
void mux_drain(struct mux *mux);

/* Whether a drained core has no connection left. */
bool mux_is_finished(const struct mux *mux);

/* ---- facts ---- */

/* The clock alone; it never goes back. Nothing is run before the next mux_time. The engine calls it before
 * the facts of a turn, and after each send and receive on a link, before it reports it, so that --gap and
 * --delay are measured from the real moment. */
void mux_clock(struct mux *mux, uint64_t now_ns);
/* Runs what was due by then. The engine calls it behind the facts of a turn, with a time before which
 * everything has been told that had come: whoever has made it in time is not given up because we come late.
 * The clock may have jumped over any number of deadlines. It may be ahead of `due_ns`; else that is the
 * time. */
void mux_time(struct mux *mux, uint64_t due_ns);
/* The clock stood still for `ns` while we did not run. That counts against nobody who may have waited for
 * us; but a link that carries nothing has grown older by it, and has been idle. Before mux_clock. */
void mux_stalled(struct mux *mux, uint64_t ns);

/* A client connection was accepted. 0: no room even to say no; close it. `origin` goes to the
 * observer. */
mux_id mux_accepted(struct mux *mux, const void *origin) MUST_USE;

/* Where a client comes from, in the words of `request.origin`; before its first bytes. Copied. */
void mux_named(struct mux *mux, mux_id id, const char *host);

/* A link's target name was resolved to `count` >= 1 addresses (after MUX_RESOLVE). */
void mux_resolved(struct mux *mux, mux_id id, uint32_t count);
void mux_connected(struct mux *mux, mux_id id, const void *origin);

/* Lends space for receiving: the scratch buffer, valid until mux_received. While memory is short, a client
 * gets less of it. */
uint8_t *mux_recv_space(struct mux *mux, mux_id id, size_t *size);
/* `size` >= 1 bytes were put there. */
void mux_received(struct mux *mux, mux_id id, size_t size);
/* MUX_PROBE was done: the connection was read, and nothing was there or all of it has been
 * reported. */
void mux_probed(struct mux *mux, mux_id id);

/* Lends the bytes to send now; valid until the next fact. Size 0: nothing. */
struct span mux_send_view(const struct mux *mux, mux_id id);
void mux_sent(struct mux *mux, mux_id id, size_t size);

/* The peer finished sending (end-of-stream). */
void mux_ended(struct mux *mux, mux_id id);

enum io_failure {
    IO_RESET,       /* reset, broken pipe, hang-up, keepalive or user time-out */
    IO_REFUSED,     /* connect: refused */
    IO_UNREACHABLE, /* connect: no route, network down, timed out in the kernel */
    IO_UNRESOLVED,  /* the name has no address, or the resolver failed */
    IO_OTHER,       /* anything else; the engine has logged it */
};

/* Resolving, connecting, reading or writing failed. The connection wants MUX_CLOSE next. */
void mux_failed(struct mux *mux, mux_id id, enum io_failure failure);

/* The descriptor is closed (or there never was one); the id is dead from here on. */
void mux_closed(struct mux *mux, mux_id id);

/* ---- questions ---- */

enum mux_want {
    MUX_RESOLVE = 1 << 0, /* resolve the target, then mux_resolved or mux_failed */
    MUX_CONNECT =
        1 << 1, /* connect to address mux_connect_address(), then mux_connected or mux_failed */
    MUX_READ = 1 << 2,  /* read what comes */
    MUX_PROBE = 1 << 3, /* read once now, whatever the kernel announced, then mux_probed */
    MUX_WRITE = 1 << 4, /* mux_send_view has bytes */
    MUX_END = 1 << 5,   /* shut down writing, once; never together with MUX_WRITE */
    MUX_CLOSE = 1 << 6, /* close the descriptor (aborting a resolve or connect), then mux_closed */
    MUX_ABORT =
        1 << 7, /* with MUX_CLOSE: by a reset, so that the peer sees that something is missing */
};

/* The next connection whose wishes may have changed, MUX_ID_NONE when there is none left. */
mux_id mux_next_changed(struct mux *mux);
unsigned mux_wants(const struct mux *mux, mux_id id);
uint32_t mux_connect_address(const struct mux *mux, mux_id id); /* index into what was resolved */

/* When mux_time must be called at the latest; TIME_NEVER: not needed. */
uint64_t mux_deadline(const struct mux *mux);

const struct mux_counters *mux_counters(const struct mux *mux);
const struct mux_options *mux_options(const struct mux *mux);

/* Asserts every invariant of the core; linear in what it holds. For tests and the simulator. */
void mux_check(const struct mux *mux);

#endif
