/* SPDX-License-Identifier: MIT */
/*
 * The core's own structs and the functions its files share. Private to mux/: nobody else includes
 * it.
 *
 * Which file has which idea stands in ARCHITECTURE.md, "The house".
 *
 * client.c and link.c meet in exchange.c: a client that goes turns its exchanges into orphans, a
 * link that breaks fails or returns its exchanges. Neither calls back into its caller's module for
 * the same object: the functions that end a connection first take it out of every list, then speak
 * of it.
 */
#ifndef MUX_STATE_H
#define MUX_STATE_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"
#include "mux/dial.h"
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
    struct list exchanges;    /* head; in the order of their bytes on the link */
    struct list bound;        /* head; clients whose turn waits for room on this link */
    struct client *reserver;  /* borrows; waits for it to be empty; NULL: nobody */
    struct exchange *sending; /* the oldest whose bytes are not all written; NULL: none */
    struct buf in;            /* a partial response */
    struct buf out;           /* requests to send */
    struct framer framer;
    struct quiet quiet;
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
    bool answered;          /* delivered a whole response */
    bool heard;             /* a byte has come since a request went out */
    bool abort;             /* closed by a reset */
    bool probing;           /* MUX_PROBE is wanted */
    bool was_up, is_wanted;
    bool is_extra;    /* was begun while another link was usable */
    bool is_expiring; /* --link-lifetime is over: it takes no more requests */
    bool blocked;     /* not read, since the client it answers is behind */
    bool sharing;     /* whoever goes now does not end the link before its response is complete */
    enum mux_reason replaced_after; /* ... for this; REASON_NONE: it does not */
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
    struct list node;        /* in mux->waiting, link->exchanges or leader->joiners */
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

/* Puts a connection on its changed list if it has a wish that the engine does not know of. Wishes
 * that end need no telling: the engine asks again before each call. */
static inline void mark(struct list *changed, struct list *node, uint8_t *told, unsigned wants)
{
    if ((wants & ~(unsigned)*told) != 0 && !list_is_linked(node)) {
        list_push_back(changed, node);
    }
    *told = (uint8_t)(*told & wants);
}

/* ---- mux.c ---- */
void observe(struct mux *mux, struct mux_event event);
mux_id client_id(const struct client *client);
mux_id link_id(const struct link *link);

/* ---- table.c ---- */
struct client *table_take(struct mux *mux);
void table_give(struct mux *mux, struct client *client);
struct client *table_at(const struct mux *mux, uint32_t slot);
/* Where a client comes from; without memory for it that stays unknown (NULL). */
void table_set_host(struct mux *mux, const struct client *client, const char *host);
const char *table_host(const struct mux *mux, const struct client *client);
void table_deinit(struct mux *mux);

/* ---- timer.c ---- */
void timer_arm(struct mux *mux, struct timer *timer, uint64_t at_ns);
void timer_run(struct mux *mux);
void timer_plan_trim(struct mux *mux);

/* ---- client.c ---- */
struct client *client_open(struct mux *mux, const void *origin);
void client_received(struct mux *mux, struct client *client, struct span bytes);
void client_sent(struct mux *mux, struct client *client, size_t size);
void client_ended(struct mux *mux, struct client *client);
void client_closed(struct mux *mux, struct client *client);
unsigned client_wants(const struct mux *mux, const struct client *client);
uint64_t client_deadline(const struct mux *mux, const struct client *client);
void client_expired(struct mux *mux, struct client *client);
void client_drain(struct mux *mux, struct client *client);
/* Closes at once: its waiting exchanges are dropped, those on a link become orphans. */
void client_gone(struct mux *mux, struct client *client, enum mux_reason reason);
/* Why what it has asked and nobody has sent yet is dropped. */
enum mux_reason client_gone_reason(const struct client *client);
/* Closes behind what is queued for it; its exchanges end as above. */
void client_flush(struct mux *mux, struct client *client, enum mux_reason reason);
/* Something about it has changed: its wishes, its deadline, its turn. */
void client_touch(struct mux *mux, struct client *client);
/* One of its exchanges has ended or no longer holds bytes. */
void client_settle(struct mux *mux, struct client *client);
/* Whether its requests are still served. */
bool client_is_served(const struct client *client);
/* Whether another request of it may be queued. */
bool client_has_room(const struct mux *mux, const struct client *client);

/* ---- client_hold.c ---- */
/* When a client that holds a link and brings and takes nothing has to give way; TIME_NEVER: it need not. */
uint64_t client_hold_ends(const struct mux *mux, const struct client *client);
/* Its end is decided: if it held a link idly, the next one in a row has less time. */
void client_hold_over(struct mux *mux, const struct client *client);
/* Whose bytes the link waits for, or who has to take what it was given; NULL: neither. */
struct client *link_holder(const struct mux *mux, const struct link *link);

/* ---- request.c ---- */
void client_set_partial(struct mux *mux, struct client *client, bool partial);
/* The time for what is partial runs from now on, unless another clock does. */
void client_clock_begins(struct mux *mux, struct client *client);
/* Nothing behind the framed requests counts any more. */
void client_poison(struct mux *mux, struct client *client);
/* An error reply in the place of what comes next from it, which then does not count any more. */
void client_refuse(struct mux *mux, struct client *client, enum mux_reason reason, uint16_t code);
/* What the framer says of the first piece of a request that has not come whole: its `code`. */
uint16_t request_partial_code(const struct mux *mux, const struct client *client);
/* The exchange whose request is not whole yet, always its last; NULL: there is none. */
struct exchange *client_unfinished(const struct client *client);
/* Whether it holds a link with a request that is still to come. */
bool client_is_uploading(const struct client *client);
/* Cuts requests off the received bytes, as many as there is room for. */
void requests_frame(struct mux *mux, struct client *client);
/* Drops the bytes of exchanges at the front that no longer need them. */
void requests_release(struct mux *mux, struct client *client);

/* ---- answer.c ---- */
/* Queues a piece of a response for it, edited for the request (NULL: as it is). False: no memory; nothing
 * was queued. */
bool client_deliver(struct mux *mux, struct client *client, const struct request *request,
                    uint8_t kind, struct span piece);
/* Answers a failed exchange, whose client is served, and finishes it. */
void answer_give(struct mux *mux, struct exchange *exchange);
/* Answers the failed exchanges whose turn has come. */
void answers_give(struct mux *mux, struct client *client);

/* ---- response.c ---- */
void link_received(struct mux *mux, struct link *link, struct span bytes);
/* The target has finished: a response that goes on until then is complete. */
void response_ended(struct mux *mux, struct link *link);

/* What has come of an unfinished message is nobody's: the link is replaced. */
void response_stray(struct mux *mux, struct link *link);
void response_report(struct mux *mux, const struct link *link, const struct exchange *exchange,
                     struct span piece);

/* ---- share.c ---- */
bool share_init(struct mux *mux);
void share_deinit(struct mux *mux);
/* A request has come. True: it shares another's response, and needs no link. */
bool share_join(struct mux *mux, struct exchange *exchange);
/* It is no longer JOINED. */
void share_leave(struct mux *mux, struct exchange *exchange);
/* Nobody joins it any more: its response has begun. */
void share_close(struct mux *mux, struct exchange *exchange);
/* The whole response of the leader, for all who have joined it. */
void share_response(struct mux *mux, const struct link *link, struct exchange *leader, uint8_t kind,
                    struct span piece);
/* Its link broke after it was sent. `again`: it might be sent once more, and so may theirs; else they end
 * with it. `unprocessed`: without that counting. */
void share_break(struct mux *mux, struct exchange *leader, bool again, bool unprocessed);
void share_fail(struct mux *mux, struct exchange *leader, enum mux_reason reason);
/* It did not come in time; who has waited as long ends with the leader. */
void share_expire(struct mux *mux, struct exchange *leader);
/* The exchange leaves where it stood, for good; who has joined it goes on without it. */
void share_end(struct mux *mux, struct exchange *exchange);

/* ---- link.c ---- */
void link_resolved(struct mux *mux, struct link *link, uint32_t count);
void link_connected(struct mux *mux, struct link *link, const void *origin);
void link_probed(struct mux *mux, struct link *link);
void link_sent(struct mux *mux, struct link *link, size_t size);
void link_ended(struct mux *mux, struct link *link);
void link_swallowed(struct mux *mux, struct link *link, size_t size); /* no longer up */
void link_failed(struct mux *mux, struct link *link, enum io_failure failure);
void link_closed(struct mux *mux, struct link *link);
unsigned link_wants(const struct mux *mux, const struct link *link);
void link_expired(struct mux *mux, struct link *link);
void link_touch(struct mux *mux, struct link *link);
/* It has grown older than the clock says, if it carries nothing that we may have kept waiting. */
void link_stalled(struct mux *mux, struct link *link, uint64_t ns);
/* Nobody stands in the turns: --link-idle may begin to run. */
void links_idle(struct mux *mux);
/* Somebody waits for it: who holds it has less time. */
void link_awaited(struct mux *mux, struct link *link);
/* Ends it in order; its exchanges are failed or returned. */
void link_replace(struct mux *mux, struct link *link, enum mux_reason reason);
/* Takes the bytes of an exchange of which nothing is sent out again, and those of its client's later
 * exchanges. */
void link_unsend(struct mux *mux, struct link *link, struct exchange *exchange);
bool link_is_usable(const struct link *link);

/* ---- schedule.c ---- */
void schedule(struct mux *mux);
/* Puts the client into the turns, or takes it out, as its state demands. */
void turn_update(struct mux *mux, struct client *client);
bool turn_is_due(const struct mux *mux, const struct client *client);
/* Its turn is the next, if it has one. */
void turn_first(struct mux *mux, struct client *client);
/* An exchange of the client (NULL: an orphan) has left the link. */
void turn_place_free(struct mux *mux, struct link *link, struct client *client);
/* The link takes no more: who waits for it stands in the turns again. */
void turns_unbind(struct mux *mux, struct link *link);
/* Since when somebody waits that could have this link, were it not for the client that holds it (NULL: an
 * orphan does); TIME_NEVER: nobody does. */
uint64_t turns_want_since(const struct mux *mux, const struct link *link,
                          const struct client *holder);
/* A client that waits for any link to be empty; NULL: nobody does. */
struct client *turns_free_reserver(const struct mux *mux);
/* Whether a client waits for any link, to take it or to have it alone. */
bool turns_want_any_link(const struct mux *mux);
/* Whether it is up and takes no request before something on it ends. */
bool link_is_full(const struct mux *mux, const struct link *link);

/* ---- exchange.c ---- */
/* The first piece of a request, the next bytes behind the framed ones. False: no memory. */
bool exchange_queue(struct mux *mux, struct client *client, const struct frame *frame,
                    const struct request *request);
/* Another piece of it. False: no memory. */
bool exchange_append(struct mux *mux, struct exchange *exchange, const struct frame *frame);
/* Something that ends in an error reply at its place in the client's order. False: no memory. */
bool exchange_queue_failed(struct mux *mux, struct client *client, enum mux_reason reason,
                           uint16_t code);
void exchange_take(struct mux *mux, struct exchange *exchange, struct link *link);
/* Up to `written` its link's bytes are in the kernel. */
void exchange_sent(struct mux *mux, struct exchange *exchange, uint64_t written);
/* The one behind it in its client's queue, or on its link; NULL: none. */
struct exchange *exchange_after(const struct exchange *exchange);
struct exchange *exchange_behind(const struct exchange *exchange);
/* From its link back to those that wait. */
void exchange_return(struct mux *mux, struct exchange *exchange);

void exchange_fail(struct mux *mux, struct exchange *exchange, enum mux_reason reason);
/* The client has gone: dropped, taken back, or an orphan from now on. */
void exchange_abandon(struct mux *mux, struct exchange *exchange);
void exchange_finish(struct mux *mux, struct exchange *exchange, enum mux_reason reason);
void exchange_release_bytes(struct mux *mux, struct exchange *exchange);
struct exchange *exchange_first(const struct list *head);

/* ---- write.c ---- */
/* Puts what is there of a request on a link. False: no memory. */
bool write_request(struct mux *mux, struct exchange *exchange, struct link *link,
                   struct span bytes);
/* Likewise another piece of it. Returns how many bytes it became; 0: no memory. */
size_t write_piece(struct mux *mux, const struct exchange *exchange, const struct frame *frame,
                   struct span piece);

/* ---- waiting.c ---- */
/* WAITING from now on; it stands nowhere. */
void waiting_enter(struct mux *mux, struct exchange *exchange);
/* Likewise, as old as it is; its client's turn is the next. */
void waiting_return(struct mux *mux, struct exchange *exchange);
void waiting_leave(struct mux *mux, struct exchange *exchange);
/* Whether --wait-timeout is over for it. */
bool waiting_is_over(const struct mux *mux, const struct exchange *exchange);
/* Whether another exchange may leave those that wait and come back to them later. False: no memory. */
bool waiting_has_room(struct mux *mux) MUST_USE;
/* The one that arrived first; NULL: nobody waits. */
struct exchange *waiting_first(const struct mux *mux);
/* Deadline of the oldest, and what ends those that are due. */
uint64_t waiting_deadline(const struct mux *mux);
void waiting_expire(struct mux *mux);

#endif
