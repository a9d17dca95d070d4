/* SPDX-License-Identifier: MIT */
/*
 * Carries Modbus requests there and whatever is answered back, as the core does.
 *
 * The first two bytes are the identifier that the link gives, the third says where the stream of
 * requests ends and that of responses begins, in eighths. Each request is written for the target
 * and framed again: it is the same but for the identifier, and writing it back for the client gives
 * the bytes that the client sent. Each response is written for each request that it may answer: it
 * has the client's identifier and a true length, is framed again as one message, and still may
 * answer. Each error reply is a response like that.
 */
#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/units.h"
#include "fuzz.h"
#include "lib/guard.h"
#include "protocol/modbus.h"
#include "protocol/registry.h"

enum { HEAD_SIZE = 3, STREAM_MAX = 2048, REQUESTS_MAX = 16, EIGHTHS = 8 };

static const struct protocol_settings settings = {.message_bytes_max = MIB};

/* A whole message, and what its framer said. */
struct message {
    struct request request; /* of a request */
    uint32_t id;
    size_t size;
    uint8_t data[MODBUS_BYTES_MAX];
};

/* Frames the first message; size 0: there is none, or it is not whole. */
static struct message take(enum direction direction, struct span bytes)
{
    struct message message = {0};
    struct framer framer = {0};
    struct frame frame = {0};
    enum frame_status status =
        direction == TO_TARGET
            ? protocol_modbus.frame_request(&settings, &framer, bytes, &frame, &message.request)
            : protocol_modbus.frame_response(&settings, &framer, NULL, bytes, &frame);
    if (status == FRAME_PIECE) {
        assert(frame.ends && frame.size <= bytes.size && frame.size <= MODBUS_BYTES_MAX);
        message.id = frame.id;
        message.size = frame.size;
        memcpy(message.data, bytes.data, frame.size);
    }
    return message;
}

/* Writes a message for the other side; what is written ends at an unreadable page. */
static struct message carry(enum direction direction, const struct request *request, uint32_t id,
                            const struct message *message)
{
    struct guard guard;
    guard_init(&guard, message->size);
    uint8_t *out = guard_space(&guard, message->size); /* it grows by nothing */
    struct message carried = {.size =
                                  protocol_modbus.edit(&settings, direction, request, id, 0,
                                                       span_of(message->data, message->size), out)};
    assert(carried.size == message->size);
    memcpy(carried.data, out, carried.size);
    guard_deinit(&guard);
    return carried;
}

static void check_same_behind(const struct message *one, const struct message *other, size_t place)
{
    assert(one->size == other->size);
    assert(memcmp(one->data + place, other->data + place, one->size - place) == 0);
}

static void check_request(const struct message *asked, uint32_t id)
{
    struct message sent = carry(TO_TARGET, &asked->request, id, asked);
    check_same_behind(asked, &sent, MODBUS_PROTOCOL);
    struct message seen = take(TO_TARGET, span_of(sent.data, sent.size));
    assert(seen.size == sent.size && seen.request.id == id);
    assert(seen.request.key == asked->request.key && seen.request.kind == asked->request.kind);
    assert(seen.request.resendable == asked->request.resendable);
    if ((asked->data[MODBUS_FUNCTION] & MODBUS_EXCEPTION_BIT) == 0) {
        struct message back = carry(TO_CLIENT, &asked->request, id, &sent);
        check_same_behind(asked, &back, 0);
    }
}

static bool is_answer(const struct message *asked, const struct message *answer)
{
    return protocol_modbus.match(&settings, &asked->request, span_of(answer->data, answer->size)) !=
           MATCH_NONE;
}

/* What the client of the request gets is one response of its own. */
static void check_delivered(const struct message *asked, const struct message *got)
{
    struct message seen = take(TO_CLIENT, span_of(got->data, got->size));
    assert(seen.size == got->size);
    assert(seen.id == asked->request.id);
    assert(load_be16(got->data + MODBUS_LENGTH) == got->size - MODBUS_UNIT);
    assert(is_answer(asked, got));
    assert(got->data[MODBUS_UNIT] == asked->data[MODBUS_UNIT]);
}

static void check_response(const struct message *asked, const struct message *answer)
{
    if (!is_answer(asked, answer)) {
        return;
    }
    struct message got = carry(TO_CLIENT, &asked->request, answer->id, answer);
    check_same_behind(answer, &got, MODBUS_UNIT);
    check_delivered(asked, &got);
}

static void check_replies(const struct message *asked)
{
    for (unsigned trouble = 0; trouble < TROUBLE_COUNT; trouble++) {
        uint8_t out[REPLY_BYTES_MAX];
        struct reply reply =
            protocol_modbus.error_reply(&settings, (enum trouble)trouble, 0, &asked->request, out);
        struct message got = {.size = reply.size};
        assert(reply.size == 0 || reply.size == MODBUS_EXCEPTION_BYTES);
        if (reply.size > 0) {
            memcpy(got.data, out, reply.size);
            check_delivered(asked, &got);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message asked[REQUESTS_MAX];
    if (size <= HEAD_SIZE || size > HEAD_SIZE + STREAM_MAX) {
        return 0;
    }
    struct span stream = span_of(data + HEAD_SIZE, size - HEAD_SIZE);
    size_t border = stream.size * (data[2] % (EIGHTHS + 1)) / EIGHTHS, count = 0;
    struct span requests = span_of(stream.data, border), responses = span_from(stream, border);
    for (; count < REQUESTS_MAX; count++) {
        asked[count] = take(TO_TARGET, requests);
        if (asked[count].size == 0) {
            break;
        }
        check_request(&asked[count], load_be16(data));
        check_replies(&asked[count]);
        requests = span_from(requests, asked[count].size);
    }
    for (;;) { /* each round takes a response */
        struct message answer = take(TO_CLIENT, responses);
        if (answer.size == 0) {
            return 0;
        }
        for (size_t index = 0; index < count; index++) {
            check_response(&asked[index], &answer);
        }
        responses = span_from(responses, answer.size);
    }
}
