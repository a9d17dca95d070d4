/* SPDX-License-Identifier: MIT */
/*
 * The core's own structs, and what they say of themselves. Private to mux/: nobody else includes it.
 *
 * Which file has which idea stands in ARCHITECTURE.md, "The house"; internal.h has the functions that the
 * files share, and their order.
 */
#ifndef MUX_STATE_H
#define MUX_STATE_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"
#include "mux/dial.h"
#include "mux/fate.h"
#include "mux/ids.h"
#include "mux/keys.h"
#include "mux/limits.h"
#include "mux/memory.h"
#include "mux/mux.h"
#include "mux/quiet.h"

enum timer_kind { TIMER_ROUTE, TIMER_CLIENT, TIMER_LINK };

/* A place in the heap of deadlines. It may stand earlier than the true deadline, never later: a
 * deadline that moves away (the usual case) costs nothing, and is put right when the early one
 * comes. */
struct timer {
    struct heap_item item; /* tag: enum timer_kind */
};

/*
 * A client.
 *
 *     OPEN ──(end-of-stream, drain, a request after which nothing counts)──► FINISHED
 *     OPEN, FINISHED ──(error reply that closes)──► FLUSHING ◄──(FINISHED and nothing left to
 * serve) FLUSHING ──(all sent)──► LINGERING, or CLOSING if the client has ended LINGERING
 * ──(end-of-stream, enough discarded, 2 s)──► CLOSING any ──(gone, too slow)──► CLOSING
 * ──(mux_closed)──► FREE
 */
enum client_state {
    CLIENT_FREE,
    CLIENT_OPEN,      /* requests are read */
    CLIENT_FINISHED,  /* nothing more is read; what is whole is served */
    CLIENT_FLUSHING,  /* nothing more is served; unsent bytes go out */
    CLIENT_LINGERING, /* writing is shut down; what still comes is discarded */
    CLIENT_CLOSING,   /* the engine is to close it */
};

struct client {
    struct list changed;     /* in mux->changed_clients */
    struct list marked;      /* in mux->marked_clients: what follows from a change is to be done */
    struct list turn;        /* in mux->turns or, while `bound`, in link->bound */
    struct list holding;     /* in mux->holders[place], while it holds memory; see memory.c */
    struct list exchanges;   /* head; in the order asked */
    struct exchange *next;   /* the oldest that is WAITING; NULL: none */
    struct exchange *holder; /* the oldest that holds bytes of `in`; NULL: none */
    struct buf in;  /* bytes of queued requests that may still be needed, then `framed` ends, then
                       the rest */
    struct buf out; /* responses to send */
    struct framer framer;
    uint64_t serial;
    /* Slow: since when WRITE_PROGRESS_BYTES are awaited; else partial: since when the head, or the next
     * bytes of a body, are, or reading resumed; else idle or lingering since. */
    uint64_t since_ns;
    struct timer timer;
    uint32_t in_begin;  /* stream position of the first byte in `in`; wraps */
    uint32_t framed;    /* bytes at the front of `in` that belong to framed requests */
    uint32_t taken;     /* bytes sent since since_ns, or discarded while lingering */
    uint32_t took_tick; /* when it last took something of `out`, or `out` began; see client.c */
    uint32_t slot, generation;
    uint16_t exchanges_count;
    uint16_t on_link;      /* exchanges that are on a link */
    uint16_t joined;       /* exchanges that are JOINED */
    uint8_t link_slot : 6; /* of the link that has its exchanges, while on_link > 0 */
    bool spoke : 1;        /* bytes of it were received */
    bool unsettled : 1;    /* more than its wishes has changed: see settle.c */
    uint8_t place;         /* where it stands by what it holds; 0: it holds nothing */
    uint8_t reason;        /* enum mux_reason, from the moment its end is decided */
    uint8_t told;          /* wishes that the engine knows of (see mark) */
    uint8_t state : 3;     /* enum client_state */
    bool ended : 1;        /* its end-of-stream was seen */
    bool poisoned : 1;     /* bytes behind the framed ones are discarded */
    bool partial : 1;      /* the framer waits for more of a message */
    bool reads : 1;        /* MUX_READ was wanted when last looked */
    bool unfinished : 1;   /* its last exchange's request is not whole yet */
    bool until_end : 1;    /* what it was given last is complete when it is closed */
    bool abort : 1;     /* closed by a reset: what it was given is incomplete and does not say so */
    bool slow : 1;      /* it has to take WRITE_PROGRESS_BYTES within --write-timeout */
    bool owes : 1;      /* it has to take something within --write-timeout */
    bool held_back : 1; /* not read: memory is short, and it holds more than its share */
    bool refused : 1;   /* over --max-clients */
    bool bound : 1;     /* waits for room on one link */
    bool reserves : 1;  /* is the reserver of a link */
};

static_assert(MUX_LINKS_MAX == 1 << 6, "client->link_slot has a bit for each that it needs");

/*
 * A link.
 *
 *     FREE ──(needed, pause over)──► RESOLVING ──► CONNECTING ──► [DELAYING] ──► UP
 *     UP ──(replaced, idle)──► RETIRING ──(end-of-stream, retire.c)──► CLOSING ──(mux_closed)──► FREE
 *     any ──(failed, ended)──► CLOSING
 */
enum link_state {
    LINK_FREE,
    LINK_RESOLVING,
    LINK_CONNECTING,
    LINK_DELAYING, /* connected, --delay runs */
    LINK_UP,
    LINK_RETIRING, /* writing is shut down; what still comes is discarded */
    LINK_CLOSING,
};

struct link {
    struct list changed;      /* in mux->changed_links */
    struct list marked;       /* in mux->marked_links, as clients are */
    struct list exchanges;    /* head; in the order of their bytes on the link */
    struct list bound;        /* head; clients whose turn waits for room on this link */
    struct client *reserver;  /* borrows; waits for it to be empty; NULL: nobody */
    struct exchange *sending; /* the oldest whose bytes are not all written; NULL: none */
    struct buf in;            /* a partial response */
    struct buf out;           /* requests to send */
    struct framer framer;
    struct quiet quiet;
    struct request last; /* by order, until marks_are_proven: what was answered last */
    bool has_last;
    struct ids ids; /* by identifier: of its exchanges */
    struct timer timer;
    uint64_t serial;
    uint64_t written;  /* bytes handed to the kernel; stream position of the first byte in `out` */
    uint64_t since_ns; /* of the state */
    uint64_t up_ns;    /* connected at */
    uint64_t last_io_ns;  /* last byte received or sent */
    uint64_t moved_ns;    /* a byte of a request sent, or taken by the slow client it answers */
    uint64_t probed_ns;   /* last probe that found nothing */
    uint64_t head_ns;     /* since when the oldest exchange is the oldest */
    uint64_t clock_ns;    /* from when its response is awaited, if it was sent before */
    uint64_t blocked_ns;  /* since when it is `blocked` */
    uint64_t orphaned_ns; /* when an exchange on it last lost its client */
    uint32_t slot, generation;
    uint32_t exchanges_count;
    uint32_t timeouts;      /* by identifier: since something was received */
    uint32_t trust_missing; /* responses until it carries more than one request at a time */
    enum link_state state;
    enum mux_reason reason; /* from the moment its end is decided */
    enum link_end end;      /* what comes next, while it `is_lost` */
    bool is_lost;           /* it was up, and what is on it is still to be settled */
    bool is_read;           /* responses are being cut out of `in`, which stays meanwhile */
    bool answered;          /* delivered a whole response */
    bool heard;             /* a byte has come since a request went out */
    bool abort;             /* closed by a reset */
    bool probing;           /* MUX_PROBE is wanted */
    bool was_up, is_wanted;
    bool is_extra;      /* was begun while another link was usable */
    bool is_expiring;   /* --link-lifetime is over: it takes no more requests */
    bool blocked;       /* not read, since the client it answers is behind */
    bool has_ended;     /* the target has ended it: nothing else does */
    uint64_t swallowed; /* bytes of the oldest exchange's response that went to nobody */
    uint64_t retired_bytes, retired_heard_ns; /* what came since it retires, the first of it when */
    uint64_t wanted_ns; /* since when a request waits for its slot, if it `is_wanted` */
    uint8_t told;       /* wishes that the engine knows of (see mark) */
    bool address_known; /* the attempt has its addresses: mux->address_index is one */
    bool next_address;  /* when closed, the attempt goes on with the next address */
};

enum exchange_state {
    EXCHANGE_GATHERING, /* only in its client's queue, until enough of its request is there */
    EXCHANGE_WAITING,   /* in mux->waiting or mux->returned, and in its client's queue */
    EXCHANGE_JOINED,    /* in its leader's list, and in its client's queue */
    EXCHANGE_TAKEN,     /* in its link's list, and in its client's queue unless it is an orphan */
    EXCHANGE_FAILED,    /* only in its client's queue, until its error reply's turn comes */
};

struct exchange {
    struct list node;        /* in mux->waiting, link->exchanges, leader->joiners or mux->failed */
    struct list client_node; /* in client->exchanges */
    struct key_entry leader; /* in mux->leaders: others may join it */
    struct list joiners;     /* head; in order of arrival */
    struct client *client;   /* NULL: an orphan */
    struct link *link;       /* while TAKEN */
    uint64_t serial;
    uint64_t arrived_ns;
    uint64_t arrived_outage_ns;  /* the outage clock then */
    uint32_t in_begin;           /* stream position of its first byte in the client's `in` */
    struct heap_item returned;   /* in mux->returned */
    uint64_t out_begin, out_end; /* stream positions on the link */
    uint64_t sent_ns;            /* first byte handed to the kernel; TIME_NEVER: none yet */
    uint64_t effects_ended;      /* of the route, when it took its link */
    struct request request;
    uint32_t in_size;   /* bytes of its request that were framed so far */
    uint32_t head_size; /* of its first piece */
    uint32_t id;        /* on its link, if it `has_id` */
    uint16_t code;      /* what the framer said when it refused */
    enum exchange_state state;
    enum mux_reason reason; /* why it FAILED */
    bool holds_bytes;       /* its bytes in client->in may still be needed */
    bool whole;             /* its request is framed to the end */
    bool streams;           /* it took a link before it was whole */
    bool mends;             /* a piece behind its first does not go on as it is */
    bool responding;        /* something of its response has come */
    bool delivered;         /* a piece of its final response went to the client */
    bool until_end;         /* its response is complete when the link ends */
    bool open_ended;        /* how much of its response is to come is not known */
    bool closes_client;     /* its response is complete when the client is closed */
    bool resent;
    bool has_id;     /* holds an identifier of its link */
    bool has_effect; /* counted in mux->effects_open */
};

struct mux {
    struct mux_options options;
    struct mux_observer observer;
    uint8_t *scratch;        /* borrows */
    uint64_t now_ns, due_ns; /* deadlines up to due_ns run; see mux_time */
    bool by_id;              /* responses find their requests by identifier, else by order */
    bool any_order;          /* a client tells its responses apart by identifier */
    bool is_blind; /* the answer to a request of this route showed, or would show, nothing of it */
    uint32_t shifted; /* links in a row whose first answer had stray bytes behind it; see quiet.h */
    bool marks_are_proven; /* the target was seen to return what MATCH_PROOF is about */

    struct client **client_chunks; /* table.c */
    uint32_t client_slots;         /* slots that exist */
    char **hosts;             /* owns, and each: where clients come from, by slot; NULL: not told */
    struct list free_clients; /* by `changed` */
    uint32_t clients_count;   /* not FREE, refused ones included */
    uint32_t refused_count;

    struct link *links;       /* links_max of them */
    uint32_t links_count;     /* not FREE */
    uint32_t usable_count;    /* DELAYING or UP */
    uint32_t reservers_count; /* links with a reserver */

    struct list changed_clients, changed_links;
    /* Empty between facts; see settle.c. */
    struct list marked_clients, marked_links;
    struct list failed;   /* exchanges whose clients have gone, or know them by identifier */
    struct list turns;    /* clients with a request that may be taken; see schedule.c */
    struct list waiting;  /* exchanges WAITING since they arrived, in order of arrival */
    struct heap returned; /* those that wait again, by arrival; has room for all that may come to */
    struct list holders[HOLD_PLACES]; /* clients, by what they hold; see memory.c */

    /* share.c */
    struct keys leaders;   /* by request.key */
    uint32_t joined_count; /* exchanges JOINED */
    uint64_t effects_open; /* requests that may have an effect, from arrival to end */
    uint64_t effects_ended;

    bool schedule_wanted;
    uint32_t idle_holders; /* clients in a row that held a link idly; see client_hold.c */
    bool observing;        /* the observer is being called: it may not call in */

    struct heap heap;
    struct timer timer; /* TIMER_ROUTE */
    struct slabs slabs; /* that no pool needs */
    struct pool exchange_pool;
    struct buf_pool client_bufs;
    struct buf_pool link_bufs;

    /* dial.c */
    struct back_off back_offs[2]; /* of links while there is none, and of extra ones */
    uint32_t broken_in_row;       /* links that the target broke off inside their first answer */
    uint32_t replacements_count;  /* links that were replaced, and no attempt was begun since */
    uint64_t connected_ns;        /* the last link was connected */
    uint32_t addresses_count, address_index; /* of the attempt that is under way */
    bool dialled;                            /* one attempt was begun (eager start) */
    bool is_wary;       /* a link ended with unanswered requests, and none has answered two since */
    uint64_t outage_ns; /* time without a usable link, up to outage_from_ns */
    uint64_t outage_from_ns; /* the present outage began; TIME_NEVER: there is none */
    bool is_replacing; /* the last link did not fail, and no attempt was begun since: no outage */
    struct random random;
    struct closer closer;
    bool draining, grace_is_over;
    uint64_t grace_at_ns; /* the grace ends, then the last lingering */

    uint64_t client_serial, link_serial, exchange_serial;
    struct mux_counters counters;
};

/* Whether somebody wants events of this kind. */
static inline bool is_observed(const struct mux *mux, enum mux_event_kind kind)
{
    return mux->observer.event != NULL && (mux->observer.ignored >> kind & 1) == 0;
}

/* Marks: something about a client or a link has changed. What follows from that is done when the fact is. */
static inline void client_mark(struct mux *mux, struct client *client)
{
    if (!list_is_linked(&client->marked)) {
        list_push_back(&mux->marked_clients, &client->marked);
    }
}

/* Likewise, and more follows than new wishes and deadlines. */
static inline void client_unsettle(struct mux *mux, struct client *client)
{
    client->unsettled = true;
    client_mark(mux, client);
}

static inline void link_mark(struct mux *mux, struct link *link)
{
    if (!list_is_linked(&link->marked)) {
        list_push_back(&mux->marked_links, &link->marked);
    }
}

/* Puts a connection on its changed list if it has a wish that the engine does not know of. Wishes
 * that end need no telling: the engine asks again before each call. */
static inline void mark(struct list *changed, struct list *node, uint8_t *told, unsigned wants)
{
    if ((wants & ~(unsigned)*told) != 0 && !list_is_linked(node)) {
        list_push_back(changed, node);
    }
    *told = (uint8_t)(*told & wants);
}

/* Its place in the heap of deadlines is no later than this. */
static inline void timer_arm(struct mux *mux, struct timer *timer, uint64_t at_ns)
{
    if (at_ns < heap_at(&mux->heap, &timer->item)) {
        heap_set(&mux->heap, &timer->item, at_ns);
    }
}

/* The first of mux->waiting or of a link; NULL: none. */
static inline struct exchange *exchange_first(const struct list *head)
{
    struct list *node = list_first(head);
    return node == NULL ? NULL : LIST_ENTRY(node, struct exchange, node);
}

/* Likewise, of a list that is not empty. */
static inline struct exchange *exchange_front(const struct list *head)
{
    return LIST_ENTRY(list_front(head), struct exchange, node);
}

/* The one behind it in its client's queue; NULL: none. */
static inline struct exchange *exchange_after(const struct exchange *exchange)
{
    struct list *node = list_next(&exchange->client->exchanges, &exchange->client_node);
    return node == NULL ? NULL : LIST_ENTRY(node, struct exchange, client_node);
}

/* The one behind it on its link; NULL: none. */
static inline struct exchange *exchange_behind(const struct exchange *exchange)
{
    struct list *node = list_next(&exchange->link->exchanges, &exchange->node);
    return node == NULL ? NULL : LIST_ENTRY(node, struct exchange, node);
}

/* Whether its requests are still served. */
static inline bool client_is_served(const struct client *client)
{
    return client->state == CLIENT_OPEN || client->state == CLIENT_FINISHED;
}

/* The exchange whose request is not whole yet, always its last; NULL: there is none. */
static inline struct exchange *client_unfinished(const struct client *client)
{
    return client->unfinished ? LIST_ENTRY(client->exchanges.prev, struct exchange, client_node)
                              : NULL;
}

/* Whether it holds a link with a request that is still to come. */
static inline bool client_is_uploading(const struct client *client)
{
    const struct exchange *exchange = client_unfinished(client);
    return exchange != NULL && exchange->state == EXCHANGE_TAKEN;
}

static inline bool link_is_usable(const struct link *link)
{
    return link->state == LINK_DELAYING || link->state == LINK_UP;
}

#endif
