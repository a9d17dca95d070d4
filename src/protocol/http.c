/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 (RFC 9110, RFC 9112): the table entry, and the framers.
 *
 * A message is a head, one piece of bounded size, and maybe a body, which is cut as it comes. The
 * lines of a head are read as they become whole, so that rubbish is refused at its first line and
 * not when a head is long overdue. Empty lines in front of one are skipped.
 *
 *     HTTP_IN_HEAD ── head ──► HTTP_IN_LENGTH, HTTP_IN_CHUNK_LINE, HTTP_IN_UNTIL_END
 *                      └─────► the message has ended: HTTP_IN_HEAD
 *
 * The targets of this protocol are shared: what would bind a connection to one client (CONNECT,
 * Upgrade, NTLM) is refused or taken out, and anything that target and multiplexer might frame
 * differently is refused, see http_refusals.def.
 */
#include "protocol/http.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "protocol/registry.h"

/* ---- heads ---- */

static size_t smaller(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* How many bytes of empty lines there are between two messages (RFC 9112 section 2.2). */
static size_t empty_lines(const struct protocol_settings *settings, struct span bytes)
{
    size_t at = 0;
    while (at < bytes.size) { /* each round takes a line */
        size_t size = bytes.size - at >= 2 && memcmp(bytes.data + at, "\r\n", 2) == 0 ? 2 : 0;
        size = bytes.data[at] == '\n' && !settings->http_strict ? 1 : size;
        if (size == 0) {
            break;
        }
        at += size;
    }
    return at;
}

/* Between two messages: what is skipped, or may be when more has come. FRAME_PIECE: neither. */
static enum frame_status skip_lines(const struct protocol_settings *settings, struct span bytes,
                                    struct frame *frame)
{
    if (bytes.size == 0 || bytes.data[0] > '\r') {
        return bytes.size == 0 ? FRAME_PARTIAL : FRAME_PIECE;
    }
    frame->size = empty_lines(settings, bytes);
    if (frame->size > 0) {
        return FRAME_SKIP;
    }
    frame->unbegun = bytes.size == 1 && bytes.data[0] == '\r';
    return frame->unbegun ? FRAME_PARTIAL : FRAME_PIECE;
}

/* What the first bytes show before there is a line. Nothing behind the limit counts, so that the outcome is
 * the same when it has not come. */
static enum http_refusal look_at_start(enum direction direction, struct span bytes, size_t limit)
{
    bytes.size = smaller(bytes.size, limit);
    if (bytes.size == 0) {
        return HTTP_FINE;
    }
    if (direction == TO_CLIENT) {
        static const char start[] = "HTTP/";
        size_t size = smaller(bytes.size, sizeof start - 1);
        return memcmp(bytes.data, start, size) == 0 ? HTTP_FINE : HTTP_REFUSAL_STATUS_LINE;
    }
    if (bytes.data[0] == 0x16) {
        return HTTP_REFUSAL_TLS;
    }
    bool is_for_line = bytes.data[0] < ' '; /* a CR, or what no line may hold */
    return is_for_line || http_is_token_byte(bytes.data[0]) ? HTTP_FINE : HTTP_REFUSAL_REQUEST_LINE;
}

static size_t limit_of(const struct protocol_settings *settings, enum direction direction,
                       const struct http_head *head)
{
    bool is_request_line = direction == TO_TARGET && (head->bits & HTTP_STARTED) == 0;
    return is_request_line ? smaller(settings->head_bytes_max, HTTP_REQUEST_LINE_BYTES_MAX)
                           : settings->head_bytes_max;
}

/* Of a first line nothing but text is taken. */
static unsigned allowed_in(const struct protocol_settings *settings, const struct http_head *head)
{
    bool is_started = (head->bits & HTTP_STARTED) != 0;
    return settings->http_strict ? 0U : HTTP_LF_ENDS | (is_started ? HTTP_CONTROLS_PASS : 0U);
}

/* Whether a line may go on in the next, which then begins with white space. */
static bool may_fold(const struct protocol_settings *settings, enum direction direction)
{
    return direction == TO_CLIENT && !settings->http_strict;
}

/* There is no whole line, and maybe no room for one. */
static enum frame_status wait_for_line(enum direction direction, struct framer *framer, size_t at,
                                       struct span bytes, size_t limit, struct frame *frame,
                                       const struct http_head *head)
{
    framer->scanned = (uint32_t)at;
    bool is_start = (head->bits & HTTP_STARTED) == 0 && direction == TO_TARGET;
    return bytes.size <= limit
               ? FRAME_PARTIAL
               : http_refuse(frame, FRAME_TOO_LARGE,
                             is_start ? HTTP_REFUSAL_REQUEST_LINE_LARGE : HTTP_REFUSAL_HEAD_LARGE);
}

/* Where the field begins whose last line begins at `start`. 0: there is none that such lines continue. */
static size_t field_start(struct span bytes, size_t start)
{
    while (start > 0 && (bytes.data[start] == ' ' || bytes.data[start] == '\t')) {
        start = http_line_start(bytes, start - 1);
    }
    return start;
}

/* Reads a line, with those in front of it that it continues. */
static enum http_refusal read_line(const struct protocol_settings *settings,
                                   enum direction direction, struct http_head *head,
                                   struct span bytes, size_t start, size_t end)
{
    bool is_started = (head->bits & HTTP_STARTED) != 0;
    if (is_started && may_fold(settings, direction)) {
        start = field_start(bytes, start);
        if (start == 0) {
            return HTTP_REFUSAL_FOLDED;
        }
    }
    return http_head_line(direction, head, http_part(bytes, start, end), settings->http_strict);
}

/* A line that ends in LF alone goes on with one byte more. */
static bool has_room_for_end(struct http_head *head, size_t line_size, size_t size)
{
    if (size - line_size == 1) {
        head->bits |= HTTP_MENDS;
        head->grown++;
    }
    return head->grown <= HTTP_LF_LINES_MAX;
}

/* Reads the lines that are whole, from framer->scanned on. FRAME_PIECE: the head is. */
static enum frame_status read_lines(const struct protocol_settings *settings,
                                    enum direction direction, struct framer *framer,
                                    struct span bytes, struct frame *frame, struct http_head *head)
{
    size_t at = framer->scanned;
    size_t start = SIZE_MAX; /* not known yet: who sends single bytes has each line searched once */
    for (;;) {               /* each round takes a line of at least one byte */
        size_t limit = limit_of(settings, direction, head);
        bool found;
        enum http_refusal refusal = http_line_find(bytes, smaller(bytes.size, limit),
                                                   allowed_in(settings, head), &at, &found);
        if (refusal != HTTP_FINE) {
            return http_refuse(frame, FRAME_INVALID, refusal);
        }
        if (!found) {
            return wait_for_line(direction, framer, at, bytes, limit, frame, head);
        }
        start = start == SIZE_MAX ? http_line_start(bytes, at - 1) : start;
        size_t size = http_line_text(http_part(bytes, start, at)).size;
        bool is_started = (head->bits & HTTP_STARTED) != 0;
        bool may_go_on = is_started && size > 0 && may_fold(settings, direction);
        if (may_go_on && at == bytes.size) {
            framer->scanned = (uint32_t)(start + size); /* where its end is found again */
            return FRAME_PARTIAL;
        }
        if (!has_room_for_end(head, size, at - start)) {
            return http_refuse(frame, FRAME_TOO_LARGE, HTTP_REFUSAL_HEAD_LARGE);
        }
        if (is_started && size == 0) {
            frame->size = at;
            return FRAME_PIECE;
        }
        if (may_go_on && (bytes.data[at] == ' ' || bytes.data[at] == '\t')) {
            head->bits |= HTTP_MENDS;
        } else {
            refusal = read_line(settings, direction, head, bytes, start, start + size);
        }
        if (refusal != HTTP_FINE) {
            return http_refuse(frame, FRAME_INVALID, refusal);
        }
        start = at;
    }
}

/* Cuts a head. FRAME_PIECE: `head` has its facts, and the framer is zeroed. */
static enum frame_status head_next(const struct protocol_settings *settings,
                                   enum direction direction, struct framer *framer,
                                   const struct request *request, struct span bytes,
                                   struct frame *frame, struct http_head *head)
{
    *frame = (struct frame){.kind = HTTP_PIECE_HEAD};
    enum frame_status status =
        framer->scanned == 0 ? skip_lines(settings, bytes, frame) : FRAME_PIECE;
    if (status != FRAME_PIECE) {
        return status;
    }
    enum http_refusal refusal = look_at_start(direction, bytes, settings->head_bytes_max);
    if (refusal != HTTP_FINE) {
        return http_refuse(frame, FRAME_INVALID, refusal);
    }
    *head =
        (struct http_head){.bits = framer->state, .length = framer->left, .grown = framer->seen};
    status = read_lines(settings, direction, framer, bytes, frame, head);
    if (status == FRAME_PARTIAL) {
        framer->state = head->bits;
        framer->left = head->length;
        framer->seen = head->grown;
    }
    if (status != FRAME_PIECE) {
        return status;
    }
    refusal = http_head_end(direction, head, request, settings->http_strict);
    if (refusal != HTTP_FINE) {
        return http_refuse(frame, FRAME_INVALID, refusal);
    }
    *framer = (struct framer){0};
    return FRAME_PIECE;
}

/* Goes on into the body, if there is one. */
static enum frame_status enter_body(const struct protocol_settings *settings, struct framer *framer,
                                    struct frame *frame, enum http_body body,
                                    const struct http_head *head)
{
    uint64_t limit = settings->body_bytes_max;
    frame->open_ended = body == HTTP_BODY_CHUNKED || body == HTTP_BODY_UNTIL_END;
    switch (body) {
    case HTTP_BODY_NONE:
        frame->ends = true;
        return FRAME_PIECE;
    case HTTP_BODY_LENGTH:
        if (limit > 0 && head->length > limit) {
            return http_refuse(frame, FRAME_TOO_LARGE, HTTP_REFUSAL_BODY_LARGE);
        }
        framer->left = head->length;
        framer->state = HTTP_IN_LENGTH;
        return FRAME_PIECE;
    case HTTP_BODY_CHUNKED:
        framer->state = HTTP_IN_CHUNK_LINE;
        return FRAME_PIECE;
    case HTTP_BODY_UNTIL_END:
        framer->state = HTTP_IN_UNTIL_END;
        return FRAME_PIECE;
    }
    return FRAME_PIECE;
}

/* ---- requests ---- */

static bool is_safe(unsigned method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS ||
           method == HTTP_TRACE;
}

static uint64_t request_key(const struct http_head *head)
{
    bool is_whole = (head->bits & HTTP_WHOLE_URI) != 0;
    return ((head->bits & HTTP_VERSION_10) != 0 ? HTTP_KEY_CLIENT_10 : 0U) |
           ((head->bits & HTTP_HOST) == 0 || is_whole ? HTTP_KEY_WRITES_HOST : 0U) |
           (is_whole ? HTTP_KEY_DROPS_HOST : 0U) |
           ((head->bits & HTTP_MENDS) != 0 ? HTTP_KEY_MENDS : 0U) |
           ((head->bits & HTTP_LOSES) != 0 ? HTTP_KEY_LOSES : 0U) |
           (http_has_options(head) ? HTTP_KEY_OPTIONS : 0U);
}

/* Whether programs that know the method expect a body with it. Of all others many answer without a look at
 * what follows the head: of GET because it has none, of one that they do not know because it is refused. */
static bool has_usual_body(unsigned method)
{
    return method == HTTP_POST || method == HTTP_PUT || method == HTTP_PATCH;
}

/* Whether the target may leave the body unread, and take it for the next request. Many small servers know no
 * chunks; and one that refuses what was expected need not read what it has not asked for. */
static bool is_guarded(enum body_guard guard, const struct http_head *head, enum http_body body)
{
    if (body == HTTP_BODY_NONE || guard == BODY_GUARD_OFF) {
        return false;
    }
    return guard == BODY_GUARD_ALL || !has_usual_body(http_head_number(head)) ||
           body == HTTP_BODY_CHUNKED || (head->bits & HTTP_EXPECT) != 0;
}

/* An HTTP/1.0 client closes unless it asks not to; its Expect means nothing (RFC 9110 10.1.1). */
static struct request request_of(const struct protocol_settings *settings,
                                 const struct http_head *head, enum http_body body)
{
    bool is_10 = (head->bits & HTTP_VERSION_10) != 0;
    bool asks_to_close = (head->bits & HTTP_CLOSE) != 0;
    bool asks_to_stay = (head->bits & HTTP_KEEP_ALIVE) != 0;
    bool has_body = body != HTTP_BODY_NONE;
    unsigned method = http_head_number(head);
    return (struct request){
        .expects_response = true,
        .resendable = is_safe(method) && !has_body,
        .alone = !is_safe(method) || has_body, /* RFC 9112 section 9.3.2 */
        .ends_link = is_guarded(settings->body_guard, head, body),
        .closes = asks_to_close || (is_10 && !asks_to_stay),
        .eager = has_body && !is_10 && (head->bits & HTTP_CONTINUE) != 0,
        .kind = (uint8_t)method,
        .key = request_key(head),
    };
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    if ((framer->state & HTTP_PHASE_BITS) != HTTP_IN_HEAD) {
        return http_body_next(settings, framer, bytes, frame);
    }
    struct http_head head = {0};
    enum frame_status status = head_next(settings, TO_TARGET, framer, NULL, bytes, frame, &head);
    if (status == FRAME_PIECE) {
        enum http_body body = http_request_body(&head);
        bool is_unusual = body != HTTP_BODY_NONE && !has_usual_body(http_head_number(&head));
        *request = request_of(settings, &head, body);
        status = settings->body_guard == BODY_GUARD_REFUSE && is_unusual
                     ? http_refuse(frame, FRAME_INVALID, HTTP_REFUSAL_BODY_UNEXPECTED)
                     : enter_body(settings, framer, frame, body, &head);
    }
    if (status != FRAME_PIECE && http_head_number(&head) == HTTP_HEAD) {
        frame->code |= HTTP_CODE_HEAD;
    }
    return status;
}

/* ---- responses ---- */

/* Whether the target may send the body that it announces, though the response has none. With 204 nothing may
 * be announced (RFC 9110 section 8.6), with 304 and to HEAD it may. */
static bool may_send_more(enum body_guard guard, const struct http_head *head, enum http_body body)
{
    bool is_announced = (head->bits & HTTP_CODED) != 0 || head->length > 0;
    return body == HTTP_BODY_NONE && is_announced &&
           (guard == BODY_GUARD_ALL || http_head_number(head) == 204);
}

/* HTTP/1.0 servers close unless they say otherwise (RFC 9112 section 9.3). */
static bool ends_link(const struct http_head *head, enum http_body body)
{
    bool says_to_stay = (head->bits & HTTP_KEEP_ALIVE) != 0;
    return body == HTTP_BODY_UNTIL_END || (head->bits & (HTTP_CLOSE | HTTP_AMBIGUOUS)) != 0 ||
           ((head->bits & HTTP_VERSION_10) != 0 && !says_to_stay);
}

/* Whether what has come of a head shows that it is the response's. A 408 that closes is the target's
 * own, on a link that it found idle for too long (RFC 9110 section 15.5.9). */
static bool has_begun(enum frame_status status, struct span bytes, const struct http_head *head)
{
    if (status == FRAME_PARTIAL) {
        return (head->bits & HTTP_STARTED) != 0 && http_head_number(head) != 408;
    }
    return look_at_start(TO_CLIENT, bytes, SIZE_MAX) == HTTP_FINE;
}

static uint8_t head_kind(const struct http_head *head)
{
    enum http_piece piece =
        (head->bits & HTTP_MENDS) != 0 ? HTTP_PIECE_MENDED_HEAD : HTTP_PIECE_HEAD;
    return (uint8_t)((unsigned)piece | ((head->bits & HTTP_LOSES) != 0 ? HTTP_PIECE_LOSES : 0U) |
                     (http_has_options(head) ? HTTP_PIECE_OPTIONS : 0U));
}

static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    if ((framer->state & HTTP_PHASE_BITS) != HTTP_IN_HEAD) {
        return http_body_next(settings, framer, bytes, frame);
    }
    struct http_head head = {0};
    if (request == NULL) { /* nobody waits for a response */
        *frame = (struct frame){0};
        enum frame_status between = skip_lines(settings, bytes, frame);
        return between == FRAME_PIECE ? FRAME_INVALID : between;
    }
    enum frame_status status = head_next(settings, TO_CLIENT, framer, request, bytes, frame, &head);
    if (status != FRAME_PIECE) {
        frame->unbegun = frame->unbegun || !has_begun(status, bytes, &head);
        return status;
    }
    frame->kind = head_kind(&head);
    if (http_is_interim(&head)) {
        frame->kind |= HTTP_PIECE_INTERIM;
        frame->interim = true;
        frame->ends = true;
        return FRAME_PIECE;
    }
    enum http_body body = http_response_body(&head, request);
    frame->closes = ends_link(&head, body) || may_send_more(settings->body_guard, &head, body);
    frame->declines = http_head_number(&head) == 408 && (head.bits & HTTP_CLOSE) != 0;
    frame->closes_client = http_closes_client(&head, body, request);
    frame->kind |= frame->closes_client ? HTTP_PIECE_CLOSES_CLIENT : 0U;
    frame->until_end = body == HTTP_BODY_UNTIL_END;
    frame->kind |= frame->until_end && !frame->closes_client ? HTTP_PIECE_CHUNKS : 0U;
    status = enter_body(settings, framer, frame, body, &head);
    if (status == FRAME_PIECE && !frame->ends) {
        framer->state |=
            (frame->closes ? HTTP_CLOSES : 0U) | (frame->closes_client ? HTTP_CLOSES_CLIENT : 0U);
    }
    return status;
}

/* Empty lines behind a response are. */
static bool is_harmless(const struct protocol_settings *settings, const struct request *request,
                        struct span message)
{
    (void)settings;
    return request == NULL && message.size == 0;
}

static const struct protocol_option options[] = {
    {"max-body", "0", "largest body of a request or response; 0: no limit"},
    {"via", "false", "add Via, which names this multiplexer, to requests and responses"},
    {"forwarded", "false", "add Forwarded, which names the client, to requests"},
    {"http-strict", "false",
     "refuse what is wrong but can mean one thing only, instead of repairing it"},
    {"http-body-guard", "get", "after which bodies the connection to the target ends"},
};

const struct protocol protocol_http = {
    .name = "http",
    .sentence = "HTTP/1.1 and HTTP/1.0; every client may keep its own connection",
    .matching = MATCH_BY_ORDER,
    .frame_request = frame_request,
    .frame_response = frame_response,
    .is_harmless = is_harmless,
    .edit = http_edit,
    .finish = http_finish,
    .error_reply = http_error_reply,
    .describe = http_describe,
    .options = options,
    .options_count = ARRAY_COUNT(options),
};
