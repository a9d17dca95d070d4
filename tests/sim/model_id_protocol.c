/* SPDX-License-Identifier: MIT */
/* The simulator's protocol with identifiers; see model_id_protocol.h. It leaves lines and kinds to `model`,
 * which it shows them without the digits. */
#include "model_id_protocol.h"

#include <assert.h>
#include <string.h>

#include "message.h"
#include "model_protocol.h"

static enum frame_status cut_line(const struct protocol_settings *settings, struct framer *framer,
                                  struct span bytes, struct frame *frame)
{
    *frame = (struct frame){0};
    struct span fresh = span_from(bytes, framer->scanned);
    const uint8_t *newline = fresh.size == 0 ? NULL : memchr(fresh.data, '\n', fresh.size);
    if (newline == NULL) {
        framer->scanned = (uint32_t)bytes.size;
        return bytes.size >= settings->message_bytes_max ? FRAME_TOO_LARGE : FRAME_PARTIAL;
    }
    *framer = (struct framer){0};
    frame->size = (size_t)(newline - bytes.data) + 1;
    frame->ends = true;
    return frame->size > settings->message_bytes_max ? FRAME_TOO_LARGE : FRAME_PIECE;
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    if (bytes.size > 0 && bytes.data[0] == 'X') {
        return FRAME_INVALID;
    }
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status != FRAME_PIECE) {
        return status;
    }
    char kind;
    uint32_t client, sequence;
    if (!message_request_parse(span_from(bytes, 2), &kind, &client, &sequence)) {
        return FRAME_INVALID;
    }
    *request = (struct request){.expects_response = kind != '!',
                                .resendable = kind == 'G' || kind == 'S',
                                .shareable = kind == 'S',
                                .alone = kind == 'A',
                                .kind = (uint8_t)kind,
                                .id = message_id(CLIENT_SIDE, bytes),
                                .key = (uint64_t)client << 32 | sequence};
    return status;
}

static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    assert(request == NULL);
    if (bytes.size > 0 && bytes.data[0] != '<') {
        return FRAME_INVALID;
    }
    enum frame_status status = cut_line(settings, framer, bytes, frame);
    if (status == FRAME_PIECE) {
        frame->id = message_id(TARGET_SIDE, bytes);
        frame->interim = bytes.data[3] == 'I';
        frame->closes = bytes.data[3] == 'Z';
    }
    return status == FRAME_PIECE && bytes.data[3] == '?' ? FRAME_WRONG : status;
}

static enum match match(const struct protocol_settings *settings, const struct request *request,
                        struct span piece)
{
    (void)settings;
    char kind;
    uint32_t client, sequence;
    bool fits = message_request_parse(span_from(piece, 3), &kind, &client, &sequence) &&
                client == request->key >> 32 &&
                (!request->shareable || sequence == (uint32_t)request->key);
    return fits ? MATCH_ANSWER : MATCH_NONE;
}

static size_t edit(const struct protocol_settings *settings, enum direction direction,
                   const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                   uint8_t *out)
{
    size_t size = model_protocol.edit(settings, direction, request, id, kind, piece, out);
    message_set_id(direction == TO_TARGET ? out + 1 : out,
                   direction == TO_TARGET ? id : request->id);
    return size;
}

static struct reply error_reply(const struct protocol_settings *settings, enum trouble trouble,
                                uint16_t code, const struct request *request, uint8_t *out)
{
    struct reply reply = model_protocol.error_reply(settings, trouble, code, request, out + 2);
    message_set_id(out, request == NULL ? 0 : request->id);
    reply.size += 2;
    return reply;
}

static void describe(enum direction direction, struct span message, char *text, size_t capacity)
{
    model_protocol.describe(direction, message, text, capacity);
}

#define MODEL_ID(most)                                                                             \
    {                                                                                              \
        .name = "model-id", .sentence = "protocol model with identifiers, for the simulator",      \
        .matching = MATCH_BY_ID, .id_max = (most), .frame_request = frame_request,                 \
        .frame_response = frame_response, .match = match, .edit = edit,                            \
        .error_reply = error_reply, .describe = describe,                                          \
    }

const struct protocol model_id_protocol = MODEL_ID(255);
const struct protocol model_id_few_protocol = MODEL_ID(63);
