/* SPDX-License-Identifier: MIT */
/*
 * Frames any HTTP stream, writes its pieces as they go on, and frames that again.
 *
 * The first byte says what the stream is: requests, or responses to a method and for a client of
 * some version; and how much is seen at a time. What goes on has to be HTTP of as many messages,
 * with the same bodies, in the strict form, and none of the fields that are about one connection; so
 * nothing that one side of the multiplexer accepts can mean something else on the other.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/guard.h"
#include "protocol/http.h"
#include "protocol/registry.h"

enum { STREAM_MAX = 4096, RESPONSES = 1, TO_HEAD = 2, CLIENT_10 = 4, STAYS = 8, STEP_SHIFT = 4 };
enum { MESSAGES_MAX = STREAM_MAX / 4, OUT_MAX = STREAM_MAX * 6 + MESSAGES_MAX * 128 };

enum { HEAD_MAX = 2048 };

/* What came of a stream. */
struct outcome {
    enum frame_status status;
    size_t messages, interims; /* ended ones */
    size_t body_sizes[MESSAGES_MAX + 1];
    uint8_t bodies[STREAM_MAX * 2];
    size_t bodies_size;
    uint8_t out[OUT_MAX];
    size_t out_size;
    bool until_end, is_inside;
    bool ends_link; /* as the first request says */
    bool chunks;    /* the last response, without length, goes on in chunks */
    bool mends;     /* something goes on in another form */
};

static void take_data(struct outcome *outcome, const struct frame *frame, struct span piece)
{
    bool is_data = frame->kind == HTTP_PIECE_BODY || frame->kind == HTTP_PIECE_CHUNK;
    size_t size = is_data ? piece.size : frame->kind == HTTP_PIECE_CHUNK_END ? piece.size - 2 : 0;
    assert(outcome->bodies_size + size <= sizeof outcome->bodies);
    memcpy(outcome->bodies + outcome->bodies_size, piece.data, size);
    outcome->bodies_size += size;
    outcome->body_sizes[outcome->messages + outcome->interims] += size;
}

static void take(struct outcome *outcome, const struct protocol_settings *settings,
                 enum direction direction, const struct request *request, const struct frame *frame,
                 struct span piece)
{
    struct guard guard;
    guard_init(&guard, piece.size + EDIT_GROWTH_MAX);
    uint8_t *space = guard_space(&guard, piece.size + EDIT_GROWTH_MAX);
    size_t size = protocol_http.edit(settings, direction, request, 0, frame->kind, piece, space);
    assert(size <= piece.size + EDIT_GROWTH_MAX);
    assert(outcome->out_size + size <= sizeof outcome->out);
    memcpy(outcome->out + outcome->out_size, space, size);
    outcome->out_size += size;
    guard_deinit(&guard);
    take_data(outcome, frame, piece);
    outcome->until_end = frame->until_end;
    outcome->chunks = frame->until_end && !frame->closes_client;
    outcome->is_inside = !frame->ends;
    if (frame->ends) {
        assert(outcome->messages + outcome->interims < MESSAGES_MAX);
        *(frame->interim ? &outcome->interims : &outcome->messages) += 1;
    }
}

/* Frames the stream, `step` bytes more at a time. */
static void run(struct outcome *outcome, enum direction direction, struct request request,
                struct span stream, size_t step, size_t head_max)
{
    struct protocol_settings settings = {.head_bytes_max = head_max, .target = "target"};
    *outcome = (struct outcome){0};
    struct framer framer = {0};
    size_t start = 0, end = step < stream.size ? step : stream.size;
    for (;;) { /* each round takes a piece, or shows more bytes */
        struct frame frame = {0};
        struct span bytes = span_of(stream.data + start, end - start);
        outcome->status =
            direction == TO_TARGET
                ? protocol_http.frame_request(&settings, &framer, bytes, &frame, &request)
                : protocol_http.frame_response(&settings, &framer, &request, bytes, &frame);
        if (outcome->status == FRAME_PIECE) {
            unsigned sort = frame.kind & HTTP_PIECE_BITS;
            outcome->mends = outcome->mends || sort >= HTTP_PIECE_MENDED_LINE ||
                             (direction == TO_TARGET && (request.key & HTTP_KEY_MENDS) != 0);
            bool is_first = direction == TO_TARGET && outcome->messages == 0 && !outcome->is_inside;
            outcome->ends_link = is_first ? request.ends_link : outcome->ends_link;
            take(outcome, &settings, direction, &request, &frame, http_part(bytes, 0, frame.size));
            start += frame.size;
        } else if (outcome->status == FRAME_SKIP) {
            start += frame.size;
        } else if (outcome->status == FRAME_PARTIAL && end < stream.size) {
            end = step < stream.size - end ? end + step : stream.size;
        } else {
            return;
        }
    }
}

static void check_fields(const struct outcome *outcome, bool is_response)
{
    static const enum http_field gone[] = {HTTP_FIELD_KEEP_ALIVE, HTTP_FIELD_PROXY_CONNECTION,
                                           HTTP_FIELD_TE, HTTP_FIELD_UPGRADE,
                                           HTTP_FIELD_CONNECTION};
    bool has_own = is_response || outcome->ends_link; /* Connection, which stands last */
    size_t count = sizeof gone / sizeof gone[0] - (has_own ? 1 : 0);
    struct span rest = span_of(outcome->out, outcome->out_size), line, name, value;
    while (http_line_next(&rest, &line) && line.size > 2) { /* the first head */
        for (size_t index = 0; index < count && http_field_split(line, &name, &value); index++) {
            assert(http_field_find(name) != gone[index]);
        }
    }
}

/* The other side makes of it what this side made of the stream. */
static void check_again(struct outcome *first, struct outcome *again, enum direction direction,
                        struct request request)
{
    bool unchunks = direction == TO_CLIENT && (request.key & HTTP_KEY_CLIENT_10) != 0;
    if (first->chunks) { /* the target ends, and with it the response */
        assert(first->out_size + REPLY_BYTES_MAX <= sizeof first->out);
        first->out_size += protocol_http.finish(&request, first->out + first->out_size);
        first->messages++;
        first->until_end = false;
    }
    run(again, direction, (struct request){.expects_response = true, .kind = request.kind},
        span_of(first->out, first->out_size), first->out_size + 1, HEAD_MAX + EDIT_GROWTH_MAX);
    assert(again->status == FRAME_PARTIAL);
    assert(!again->mends);
    if (unchunks) {
        return; /* where the first body ends is told by closing */
    }
    assert(again->messages == first->messages);
    assert(again->interims == first->interims);
    assert(again->until_end == first->until_end);
    assert(again->bodies_size == first->bodies_size);
    assert(memcmp(again->bodies, first->bodies, first->bodies_size) == 0);
    assert(memcmp(again->body_sizes, first->body_sizes, sizeof first->body_sizes) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct outcome whole, parts, again; /* too large for a stack */
    if (size <= 1 || size > 1 + STREAM_MAX) {
        return 0;
    }
    unsigned flags = data[0];
    enum direction direction = (flags & RESPONSES) != 0 ? TO_CLIENT : TO_TARGET;
    struct request request = {.expects_response = true,
                              .closes = (flags & STAYS) == 0,
                              .kind = (flags & TO_HEAD) != 0 ? HTTP_HEAD : HTTP_OTHER,
                              .key = (flags & CLIENT_10) != 0 ? HTTP_KEY_CLIENT_10 : 0};
    struct span stream = span_of(data + 1, size - 1);
    run(&whole, direction, request, stream, size, HEAD_MAX);
    run(&parts, direction, request, stream, 1 + (flags >> STEP_SHIFT), HEAD_MAX);
    assert(whole.status == parts.status);
    assert(whole.messages == parts.messages);
    assert(whole.chunks == parts.chunks);
    assert(whole.bodies_size == parts.bodies_size);
    assert(memcmp(whole.bodies, parts.bodies, whole.bodies_size) == 0);
    assert(whole.chunks || whole.out_size == parts.out_size); /* chunks are cut as the bytes came */
    assert(whole.chunks || memcmp(whole.out, parts.out, whole.out_size) == 0);
    check_fields(&whole, direction == TO_CLIENT);
    if (whole.status == FRAME_PARTIAL) {
        check_again(&whole, &again, direction, request);
        check_again(&parts, &again, direction, request);
    }
    return 0;
}
