/* SPDX-License-Identifier: MIT */
/*
 * What a protocol says about itself: one file, one table entry.
 *
 * A protocol is pure functions over bytes: how a stream is cut into messages, which response
 * belongs to which request, what is changed on the way, how trouble is told to a client. It owns
 * nothing, keeps nothing between calls (state lives in the structs it is handed), and never
 * allocates, reads a clock or touches a descriptor. The core (mux/) knows protocols only through
 * this table.
 *
 * ## Framing
 *
 * A stream is cut into *pieces*. A bounded protocol has one piece per message, the whole of it. A
 * protocol whose messages may be larger than any buffer (HTTP bodies) has several: the head, then
 * parts of the body as they come. The framer is given the bytes that begin with the next piece and
 * says:
 *
 *     FRAME_PARTIAL    more bytes are needed (frame->size: how many in all, 0: not known)
 *     FRAME_PIECE      the first frame->size bytes are a piece; frame->ends: the message ends with it
 *     FRAME_SKIP       the first frame->size bytes are between messages, mean nothing, and are dropped
 *     FRAME_WRONG      the first frame->size bytes are a whole message that can be no response; its end is
 *                      known, so that only its exchange pays for it (frame->id: which)
 *     FRAME_INVALID    these bytes are no message of this protocol, whatever may follow
 *     FRAME_TOO_LARGE  the message is larger than settings->message_bytes_max
 *
 * On FRAME_PARTIAL it is called again with the same bytes and more behind them; `framer->scanned`
 * keeps what was looked at already, so that a byte-at-a-time sender costs linear time. After
 * FRAME_PIECE it is called with the bytes behind the piece. A zeroed framer stands at a message
 * boundary; a framer that says `ends` or FRAME_WRONG has zeroed itself. The result never depends on
 * how the bytes were split.
 *
 * ## Requests and responses
 *
 * With the first piece of a request the framer fills `struct request`, which stays with the
 * exchange and is shown to everything that later concerns it: the response's framer, edits, error
 * replies. One that is resendable is whole with its first piece, since all of it is kept until then.
 *
 * Source of the rules: DESIGN section 3, "What a protocol says about itself".
 */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

/* HTTP: after which requests the link ends, since the target may not have read the body and would take it
 * for the next request. The names are the choices of --http-body-guard, in their order. */
enum body_guard { BODY_GUARD_GET, BODY_GUARD_ALL, BODY_GUARD_REFUSE, BODY_GUARD_OFF };

enum { LINE_PREFIX_MAX = 64 }; /* bytes, with the NUL */

/* What is set for a route's protocol. Protocol options get fields here, filled from their table.
 * Texts are borrowed for as long as the route lives. */
struct protocol_settings {
    size_t message_bytes_max; /* of a whole message */
    size_t head_bytes_max;    /* a streaming protocol: of a message's head, trailers likewise */
    uint64_t body_bytes_max;  /* a streaming protocol: of a message's body; 0: no limit */
    bool via;                 /* HTTP: tell both sides of this intermediary */
    bool forwarded;           /* HTTP: tell the target of the client */
    enum body_guard body_guard;
    bool http_strict;        /* HTTP: nothing is repaired */
    bool ignore_id;          /* the target's identifiers are wrong: match by order after all */
    bool modbus_ignore_unit; /* an answer may show another unit than its request */
    const char (*ignore_lines)[LINE_PREFIX_MAX]; /* echo: how lines begin that are nobody's */
    size_t ignore_lines_count;
    bool iso_ignore_mti; /* ISO 8583: an answer need not show its request's type */
    const char *target;  /* the target as configured, `host:port`; NULL: has no such name */
};

enum frame_status {
    FRAME_PARTIAL,
    FRAME_PIECE,
    FRAME_SKIP,
    FRAME_WRONG, /* of responses only */
    FRAME_INVALID,
    FRAME_TOO_LARGE,
};

/* Where a framer stands inside a message; one per connection and direction. */
struct framer {
    uint64_t left;    /* the protocol's own: body bytes to come */
    uint64_t seen;    /* the protocol's own: body bytes that a limit counts */
    uint32_t scanned; /* bytes of the unfinished piece already looked at */
    uint32_t state;   /* the protocol's own; 0 at a message boundary */
};

struct frame {
    size_t size;  /* see above */
    bool ends;    /* the message ends with this piece */
    bool interim; /* a response that does not end its exchange (HTTP 1xx); valid with `ends` */
    uint8_t kind; /* the protocol's own: what sort of piece this is; handed to edit */
    uint16_t
        code; /* the protocol's own: why FRAME_INVALID or FRAME_TOO_LARGE, what is known of a request
                      that is PARTIAL; handed to error_reply */
    uint32_t
        id; /* MATCH_BY_ID: the identifier in a response's first piece, or in one that is WRONG */
    bool mends; /* a later piece of a request: it does not go on as it is, see edit */
    /* FRAME_PARTIAL: no message has begun that the bytes must belong to; they may yet be skipped.
     * FRAME_INVALID: they cannot begin a response. Either way the request may be sent again. */
    bool unbegun;
    bool declines; /* a response that closes, to a request that the target has not looked at */
    /* The same on every piece of a response. */
    bool closes;        /* the link carries no other response behind it */
    bool closes_client; /* the client is told of its end by closing its connection */
    /* It goes on until the target's end-of-stream, which completes it: never `ends`. Its client is told of
     * that by `finish`, unless closes_client. */
    bool until_end;
    bool open_ended; /* how much is still to come is not known */
};

/* What the core keeps of a request. The framer fills all of it; the core may later set `closes`,
 * when it has decided so, and `origin`. */
struct request {
    bool expects_response; /* false: the exchange ends when the request is sent */
    bool resendable;       /* may be sent again if its link dies before a response byte */
    bool closes;           /* the client's connection ends after this exchange */
    bool eager;            /* takes a link with its first piece, though its body is to come */
    bool alone;     /* takes a link on which nothing is, and nothing follows it before its end */
    bool ends_link; /* by order: nor behind it, whatever the response says; always `alone` too */
    bool shareable; /* one response answers all requests of the same `key` (--coalesce) */
    bool is_blind;  /* its answer does not show whose it is: another message could look the same
                      (--check-gap) */
    uint8_t kind;   /* the protocol's own: HTTP method, Modbus function */
    uint32_t id;    /* the client's own identifier, restored in the response */
    uint64_t key;   /* the protocol's own: what a response must show to match */
    const char *origin; /* borrowed: the client's address without port; NULL: not known */
};

/* How a response finds its request. */
enum matching {
    MATCH_BY_ORDER, /* by position on the link */
    MATCH_BY_ID,    /* by an identifier that edit wrote and frame_response reads back */
};

/* How a message of the target stands to the request that it would answer by its place or identifier. */
enum match {
    MATCH_NONE,   /* it is no answer to it, and goes to nobody */
    MATCH_ANSWER, /* it may be the answer, for all that it shows */
    MATCH_WEAK, /* likewise, but it lacks a mark that the request has: another's could look the same */
    MATCH_PROOF, /* it is: it shows a mark of the request that not every target returns */
    MATCH_DOUBT, /* it may be, but that mark differs: MATCH_NONE once the route has seen a proof */
};

/* What went wrong with an exchange, as far as a client is told. */
enum trouble {
    TROUBLE_UNREACHABLE,    /* no link to the target in time */
    TROUBLE_TIMEOUT,        /* the target did not answer in time */
    TROUBLE_BROKEN,         /* the target broke off or answered garbage */
    TROUBLE_OVERLOADED,     /* too many clients, too much queued */
    TROUBLE_REFUSED,        /* understood, and not served here */
    TROUBLE_MALFORMED,      /* not a request of this protocol */
    TROUBLE_TOO_LARGE,      /* over --max-message */
    TROUBLE_CLIENT_TIMEOUT, /* the client fell silent inside a request */
    TROUBLE_SHUTDOWN,       /* the multiplexer is stopping */
};
#define TROUBLE_COUNT ((unsigned)TROUBLE_SHUTDOWN + 1)

/* An error reply; size 0: the protocol has none for this trouble, and the client is closed. */
struct reply {
    size_t size;
    bool closes; /* the client is closed behind it */
};

enum direction { TO_TARGET, TO_CLIENT };

enum {
    REPLY_BYTES_MAX = 512,    /* capacity offered to error_reply */
    EDIT_GROWTH_MAX = 4096,   /* how much longer than the piece an edited piece may be */
    DESCRIBE_BYTES_MAX = 256, /* capacity offered to describe */
};

/* An option that a protocol takes; help, configuration checking and documentation come from it. */
struct protocol_option {
    const char *name;     /* as on the command line, without dashes */
    const char *fallback; /* the default, as one would write it */
    const char *sentence;
};

struct protocol {
    const char *name;     /* as on the command line */
    const char *sentence; /* what it is, for `list` and help; no full stop */
    enum matching matching;
    const char *lock_step; /* why only one request may be in flight on a link; NULL: more may */
    uint32_t id_max; /* MATCH_BY_ID: identifiers on a link go from 0 to this, all its bits set */

    /* Cuts the next piece from a client's stream. `request` is filled with a request's first piece.
     */
    enum frame_status (*frame_request)(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request);

    /* Cuts the next piece from the target's stream. `request` is what the response answers: by
     * order, the oldest unanswered one; MATCH_BY_ID: NULL, since the core looks frame->id up only
     * then, and every piece is a whole message. By order it is NULL, too, if nobody waits and `is_harmless`
     * says that there may be something to drop. */
    enum frame_status (*frame_response)(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame);

    /* Whether a response may be the answer to `request`, for all that its bytes show in addition to
     * place or identifier. Asked with a first piece; NULL: MATCH_ANSWER always. */
    enum match (*match)(const struct protocol_settings *settings, const struct request *request,
                        struct span piece);

    /* Whether a whole message is nobody's and harmless, such as a sign of life: it is dropped, and the
     * link goes on. `request`: what waits for an answer; NULL: nothing does. Without a byte of
     * the message: whether any could be. Only where bounded messages
     * match by order; NULL: none is. */
    bool (*is_harmless)(const struct protocol_settings *settings, const struct request *request,
                        struct span message);

    /* Writes one line for people on why `piece` is no answer to `request` (MATCH_NONE or MATCH_DOUBT), and
     * which option accepts it; as `describe` otherwise. NULL: there is nothing more to say. */
    void (*explain)(const struct request *request, struct span piece, char *text, size_t capacity);

    /* Writes a piece as it goes on to the other side, at most piece.size + EDIT_GROWTH_MAX bytes,
     * and returns how many (0: nothing of it passes, which is no error). Called with the pieces of responses
     * and the first of requests; the others of a request go on as they are, unless one of them said
     * `mends`, and must not grow. `out` has room for as much as may be written. `id` is the link's
     * identifier for the exchange (MATCH_BY_ID), `kind` what the framer said of the piece. NULL:
     * pieces pass unchanged. */
    size_t (*edit)(const struct protocol_settings *settings, enum direction direction,
                   const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                   uint8_t *out);

    /* Writes what tells the client that a response is complete which was `until_end`, and not
     * `closes_client`, at most REPLY_BYTES_MAX bytes; returns how many. NULL: there are no such responses. */
    size_t (*finish)(const struct request *request, uint8_t *out);

    /* Writes what tells the client of `trouble`, at most REPLY_BYTES_MAX bytes. `request` is NULL
     * when there is none (malformed, over --max-clients); `code` is what the framer said of a
     * request that is invalid or too large, or of a response (TROUBLE_BROKEN), else 0. NULL: the
     * protocol cannot say such things. */
    struct reply (*error_reply)(const struct protocol_settings *settings, enum trouble trouble,
                                uint16_t code, const struct request *request, uint8_t *out);

    /* Clients over --max-clients are told so in answer to their first request, since error_reply
     * needs one. */
    bool refuses_in_reply;

    /* Writes one line for people about a message, NUL-terminated, secrets masked, at most
     * `capacity` bytes with the NUL. Never fails, whatever the bytes. */
    void (*describe)(enum direction direction, struct span message, char *text, size_t capacity);

    const struct protocol_option *options; /* `options_count` of them */
    size_t options_count;
};

/* The protocols this program knows, in the order of `list`. */
extern const struct protocol *const protocols[];
extern const size_t protocols_count;

/* By name; NULL: unknown. */
const struct protocol *protocol_find(const char *name);

#endif
