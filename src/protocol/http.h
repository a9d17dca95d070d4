/* SPDX-License-Identifier: MIT */
/*
 * What the files of HTTP/1.1 share (RFC 9110, RFC 9112); nobody else includes it.
 *
 *     http.c            the table entry and the two framers: a head, then its body
 *     http_head.c       a head, line by line, into the facts that frame a message
 *     http_first_line.c a request line, a status line
 *     http_body.c       pieces of bodies: of known length, chunked, until the end
 *     http_edit.c       heads as they go on to the other side
 *     http_mend.c       what came in a lenient form, in the strict one
 *     http_names.c      the fields that Connection names
 *     http_challenge.c  challenges in 401 and 407 responses that bind a login to a connection
 *     http_reply.c      error replies
 *     http_describe.c   one line for people
 *     http_refusal.c    why a message is refused
 *     http_writer.c     bytes behind bytes
 *     http_text.c       the grammar of tokens, lists and lines (http_text.h)
 *
 * ## Where a framer stands
 *
 * `framer->state` holds a phase, flags, and a number: the method of a request or the status of a
 * response. While a head is read, the flags are the facts found so far and `left` is the value of
 * Content-Length, so that every line is read once, when its end is there. Inside a body, `left` is
 * what is to come of it or of its chunk, and `seen` what --max-body counts.
 *
 * Every error has a row in http_refusals.def; 0 is none.
 */
#ifndef PROTOCOL_HTTP_H
#define PROTOCOL_HTTP_H

#include <assert.h>

#include "protocol/http_text.h"
#include "protocol/protocol.h"

enum {
    HTTP_REQUEST_LINE_BYTES_MAX = 16 * 1024,
    HTTP_CHUNK_LINE_BYTES_MAX = 4096,
    HTTP_NAMES_AT_ONCE =
        4096, /* of Connection; more take a pass over the fields for each so many */
    HTTP_AUTHORITY_BYTES_MAX = 1024,
    HTTP_LF_LINES_MAX =
        2048, /* in a head; each grows by a byte, and EDIT_GROWTH_MAX is for them, too */
};

/* frame.code of a refused message: an enum http_refusal, and a flag. */
enum {
    HTTP_CODE_REFUSAL_BITS = 255,
    HTTP_CODE_HEAD = 1 << 8, /* it is a HEAD request, so that the reply has no body */
};

/* What a piece is: frame.kind, less the flags below. */
enum http_piece {
    HTTP_PIECE_HEAD,
    HTTP_PIECE_BODY,
    HTTP_PIECE_CHUNK_LINE,  /* the size of a chunk, with extensions and CR LF */
    HTTP_PIECE_CHUNK_END,   /* the rest of a chunk's data, maybe empty, with the CR LF behind it */
    HTTP_PIECE_TRAILERS,    /* what follows the last chunk's line, with the empty line */
    HTTP_PIECE_CHUNK,       /* part of a body without length, which goes on as a chunk */
    HTTP_PIECE_MENDED_LINE, /* HTTP_PIECE_CHUNK_LINE that goes on in another form ... */
    HTTP_PIECE_MENDED_HEAD, /* ... and likewise HTTP_PIECE_HEAD of a response */
};

/* What the framer tells http_edit of a response's head, so that it need not be read again. */
enum {
    HTTP_PIECE_BITS = 7,
    HTTP_PIECE_LOSES = 1 << 3,   /* there is a field that may not go on as it is */
    HTTP_PIECE_OPTIONS = 1 << 4, /* Connection names fields */
    HTTP_PIECE_INTERIM = 1 << 5,
    HTTP_PIECE_CLOSES_CLIENT = 1 << 6, /* frame.closes_client */
    HTTP_PIECE_CHUNKS = 1 << 7,        /* the body behind it goes on in chunks, and has none */
};

/* The methods that are not like all others: request.kind. */
enum http_method {
    HTTP_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_OPTIONS,
    HTTP_TRACE,
    HTTP_CONNECT,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
};

/* Bits of request.key. */
enum {
    HTTP_KEY_CLIENT_10 = 1 << 0,   /* the client speaks HTTP/1.0 */
    HTTP_KEY_LOSES = 1 << 1,       /* as HTTP_PIECE_LOSES, of the request's head */
    HTTP_KEY_OPTIONS = 1 << 2,     /* as HTTP_PIECE_OPTIONS */
    HTTP_KEY_WRITES_HOST = 1 << 3, /* Host is missing, or the target's whole URI has another */
    HTTP_KEY_DROPS_HOST = 1 << 4,
    HTTP_KEY_MENDS = 1 << 5,
};

/* framer.state */
enum http_phase {
    HTTP_IN_HEAD,
    HTTP_IN_LENGTH,    /* `left` bytes of body to come */
    HTTP_IN_UNTIL_END, /* all that comes is body */
    HTTP_IN_CHUNK_LINE,
    HTTP_IN_CHUNK_DATA, /* `left` bytes of it to come, and then CR LF */
    HTTP_IN_TRAILERS,
};
enum {
    HTTP_PHASE_BITS = 7,
    /* inside a response's body */
    HTTP_CLOSES = 1 << 3,        /* frame.closes */
    HTTP_CLOSES_CLIENT = 1 << 4, /* frame.closes_client */
    /* inside a head: facts about it */
    HTTP_LOSES = 1 << 3,   /* there is a field that may not go on as it is */
    HTTP_EXPECT = 1 << 4,  /* there is Expect, whatever it says */
    HTTP_STARTED = 1 << 5, /* the first line was read */
    HTTP_VERSION_10 = 1 << 6,
    HTTP_HOST = 1 << 7,
    HTTP_LENGTH = 1 << 8,
    HTTP_CODED = 1 << 9,       /* there is Transfer-Encoding ... */
    HTTP_CHUNKED = 1 << 10,    /* ... that names chunked ... */
    HTTP_UNCHUNKED = 1 << 11,  /* ... whose last coding so far is another */
    HTTP_CODED_ELSE = 1 << 12, /* ... that names another coding */
    HTTP_CLOSE = 1 << 13,      /* Connection: close */
    HTTP_KEEP_ALIVE = 1 << 14,
    HTTP_CONTINUE = 1 << 15,  /* Expect: 100-continue */
    HTTP_NAMES = 1 << 16,     /* Connection names fields */
    HTTP_WHOLE_URI = 1 << 17, /* the target has a host of its own */
    HTTP_MENDS = 1 << 18,     /* the head goes on in another form (http_mend.c) */
    HTTP_AMBIGUOUS = 1 << 19, /* others may see another end of the message: nothing follows it */
    HTTP_NUMBER_SHIFT = 21,   /* method or status: 10 bits */
    HTTP_NUMBER_BITS = 1023,
};

/* A head's facts: the flags above, and the value of Content-Length. */
struct http_head {
    uint32_t bits;
    uint64_t length;
    uint64_t grown; /* lines that end in LF alone */
};

static inline unsigned http_head_number(const struct http_head *head)
{
    return head->bits >> HTTP_NUMBER_SHIFT & HTTP_NUMBER_BITS;
}

/* ---- http_refusal.c ---- */

unsigned http_refusal_status(enum http_refusal refusal);
const char *http_refusal_sentence(enum http_refusal refusal);

/* Says what is wrong, and returns `status`. */
enum frame_status http_refuse(struct frame *frame, enum frame_status status,
                              enum http_refusal refusal);

/* ---- http_writer.c ---- */

struct http_writer {
    uint8_t *out;
    size_t size;
};

void http_write(struct http_writer *writer, struct span bytes);
void http_write_text(struct http_writer *writer, const char *text);

/* How a message's end is known. */
enum http_body { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED, HTTP_BODY_UNTIL_END };

/* ---- http_first_line.c ---- */

enum http_refusal http_request_line(struct http_head *head, struct span line, bool is_strict);
enum http_refusal http_status_line(struct http_head *head, struct span line);

/* ---- http_head.c ---- */

/* Reads one line of a head, without its CR LF, into the facts. */
enum http_refusal http_head_line(enum direction direction, struct http_head *head, struct span line,
                                 bool is_strict);

/* What only the whole head shows; `request` is what a response answers. */
enum http_refusal http_head_end(enum direction direction, struct http_head *head,
                                const struct request *request, bool is_strict);

/* RFC 9112 section 6.3. */
enum http_body http_request_body(const struct http_head *head);
enum http_body http_response_body(const struct http_head *head, const struct request *request);

/* Whether the client has to be told the end of the response by closing its connection. */
bool http_closes_client(const struct http_head *head, enum http_body body,
                        const struct request *request);

bool http_is_interim(const struct http_head *head);

/* Whether Connection names fields. */
bool http_has_options(const struct http_head *head);

/* One line behind the last chunk. */
enum http_refusal http_trailer_line(struct span line);

/* ---- http_body.c ---- */

/* Cuts the next piece; the framer is inside a body. */
enum frame_status http_body_next(const struct protocol_settings *settings, struct framer *framer,
                                 struct span bytes, struct frame *frame);

/* The digits of a chunk's size, and whether what follows it is nothing but extensions. */
size_t http_hex_size(struct span line);
bool http_are_extensions(struct span text);

/* ---- http_edit.c, http_challenge.c, http_reply.c, http_describe.c ---- */

size_t http_edit(const struct protocol_settings *settings, enum direction direction,
                 const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                 uint8_t *out);

/* Writes the fields of a head, with the empty line, or the line of a chunk, as they should have been. Returns
 * how many bytes that is: no more than before, but for a byte with each line that ends in LF alone. */
size_t http_mend_fields(struct span fields, uint8_t *out);
size_t http_mend_chunk_line(struct span line, uint8_t *out);

struct http_name {
    uint32_t start, size; /* in `fields` */
};

/* What Connection names in `fields`, a part of it at a time. */
struct http_names {
    struct span fields; /* borrows until it is read to its end */
    struct span rest, value;
    size_t count;
    struct http_name items[HTTP_NAMES_AT_ONCE];
};

void http_names_begin(struct http_names *names, struct span fields);
/* The next part. False: there is none. */
bool http_names_read(struct http_names *names);
bool http_names_have(const struct http_names *names, struct span name);

size_t http_finish(const struct request *request, uint8_t *out);

/* Writes the field `line` (with its CR LF) without challenges that bind a login to a connection;
 * writes nothing if none remains. */
void http_challenges_write(struct http_writer *writer, struct span line);

/* Whether credentials or a challenge name such a scheme. */
bool http_is_bound_login(struct span value);

struct reply http_error_reply(const struct protocol_settings *settings, enum trouble trouble,
                              uint16_t code, const struct request *request, uint8_t *out);

void http_describe(enum direction direction, struct span message, char *out, size_t capacity);

#endif
