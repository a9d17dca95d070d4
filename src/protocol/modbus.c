/* SPDX-License-Identifier: MIT */
/*
 * Modbus TCP; modbus.h has the picture of a frame.
 *
 * Responses find their requests by the identifier ("transaction id"): each link counts its own, and
 * the client's is restored, so that clients may all use the same. Beside it a response has to show
 * the request's unit and function. What is behind the function passes byte for byte, whatever the
 * function, and unit 0 is asked like any other: on TCP it is an address and no broadcast
 * (Implementation Guide, on the
 * unit identifier).
 *
 * Exceptions are repaired. Nine bytes is all they can have, but devices are about that announce one
 * byte too few (they count only the protocol data unit) or one too many. So nine bytes are taken
 * whatever of the three is announced, and the client is told the true length. If the device sent
 * what it announced after all, the next frame is read one byte too late, and its length as 512 or
 * more, or one byte too early, and its protocol id or its length is wrong, or the one behind it: that is
 * noticed for sure.
 *
 * A length of 0 or 1 leaves no room for a function, but says where the frame ends: gateways are about that
 * answer so when a slave fails. It costs its own exchange; only an end that is not known costs the link. A
 * client that sends such a length is refused: what asks for nothing cannot be answered.
 *
 * Trouble is told as the exceptions of a gateway (Application Protocol, 7). A client whose bytes
 * are no request is told nothing: which identifier should it be told with?
 */
#include <string.h>

#include "base/endian.h"
#include "protocol/modbus.h"
#include "protocol/registry.h"

/* Where things stand in a request's key. Only shareable requests fill the lower half. */
enum { KEY_UNIT = 56, KEY_FUNCTION = 48, KEY_ADDRESS = 16 };

/* A read of coils, inputs or registers has an address and a count, and nothing else. */
enum { READ_LENGTH = 6 };

/* ---- framing ---- */

/* Looks at the header as far as it is there. FRAME_PIECE: it is there, and says where the frame ends. */
static enum frame_status header_check(struct span bytes, size_t length_min)
{
    for (size_t index = MODBUS_PROTOCOL; index < MODBUS_LENGTH; index++) {
        if (index < bytes.size && bytes.data[index] != 0) {
            return FRAME_INVALID;
        }
    }
    if (bytes.size < MODBUS_UNIT) {
        /* The first byte of a length of at most 254 is zero. */
        bool is_long = bytes.size > MODBUS_LENGTH && bytes.data[MODBUS_LENGTH] != 0;
        return is_long ? FRAME_INVALID : FRAME_PARTIAL;
    }
    uint16_t length = load_be16(bytes.data + MODBUS_LENGTH);
    bool is_right = length >= length_min && length <= MODBUS_LENGTH_MAX;
    return is_right ? FRAME_PIECE : FRAME_INVALID;
}

/* The frame has `size` bytes. Nothing need be remembered: the framer stays zeroed. */
static enum frame_status frame_take(const struct protocol_settings *settings, size_t size,
                                    struct span bytes, struct frame *frame)
{
    if (size > settings->message_bytes_max) {
        return FRAME_TOO_LARGE;
    }
    frame->size = size;
    if (bytes.size < size) {
        return FRAME_PARTIAL;
    }
    frame->ends = true;
    frame->id = load_be16(bytes.data + MODBUS_ID);
    return FRAME_PIECE;
}

static bool is_read(uint8_t function)
{
    return function >= MODBUS_READ_COILS && function <= MODBUS_READ_INPUT_REGISTERS;
}

/* Whether asking twice is the same as asking once. */
static bool is_harmless(struct span piece)
{
    uint8_t function = piece.data[MODBUS_FUNCTION];
    if (function == MODBUS_ENCAPSULATED) {
        return piece.size > MODBUS_DATA && piece.data[MODBUS_DATA] == MODBUS_MEI_IDENTIFICATION;
    }
    return is_read(function) || function == MODBUS_REPORT_SERVER_ID ||
           function == MODBUS_READ_FILE_RECORD || function == MODBUS_READ_FIFO_QUEUE;
}

static struct request request_of(struct span piece)
{
    uint8_t unit = piece.data[MODBUS_UNIT], function = piece.data[MODBUS_FUNCTION];
    struct request request = {
        .expects_response = true,
        .resendable = is_harmless(piece),
        .shareable = is_read(function) && piece.size == MODBUS_UNIT + READ_LENGTH,
        .kind = function,
        .id = load_be16(piece.data + MODBUS_ID),
        .key = (uint64_t)unit << KEY_UNIT | (uint64_t)function << KEY_FUNCTION,
    };
    if (request.shareable) {
        request.key |= (uint64_t)load_be16(piece.data + MODBUS_DATA) << KEY_ADDRESS |
                       load_be16(piece.data + MODBUS_DATA + 2);
    }
    return request;
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    (void)framer;
    *frame = (struct frame){0};
    enum frame_status status = header_check(bytes, MODBUS_LENGTH_MIN);
    if (status != FRAME_PIECE) {
        return status;
    }
    size_t size = MODBUS_UNIT + (size_t)load_be16(bytes.data + MODBUS_LENGTH);
    status = frame_take(settings, size, bytes, frame);
    if (status == FRAME_PIECE) {
        *request = request_of(span_of(bytes.data, size));
        request->is_blind = settings->ignore_id;
    }
    return status;
}

/* The same whether or not the core knows what is answered: `matches` tells that. */
static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    (void)framer;
    (void)request;
    *frame = (struct frame){0};
    enum frame_status status = header_check(bytes, 0);
    if (status != FRAME_PIECE) {
        return status;
    }
    size_t length = load_be16(bytes.data + MODBUS_LENGTH);
    if (length < MODBUS_LENGTH_MIN) {
        status = frame_take(settings, MODBUS_UNIT + length, bytes, frame);
        return status == FRAME_PIECE ? FRAME_WRONG : status;
    }
    if (bytes.size <= MODBUS_FUNCTION) {
        return FRAME_PARTIAL; /* until it shows whether it is an exception, the size is not known */
    }
    if ((bytes.data[MODBUS_FUNCTION] & MODBUS_EXCEPTION_BIT) == 0) {
        return frame_take(settings, MODBUS_UNIT + length, bytes, frame);
    }
    if (length > MODBUS_EXCEPTION_LENGTH + 1) {
        return FRAME_INVALID; /* no known mistake: it is anyone's guess where the next begins */
    }
    return frame_take(settings, MODBUS_EXCEPTION_BYTES, bytes, frame);
}

/* ---- on the way ---- */

static enum match match(const struct protocol_settings *settings, const struct request *request,
                        struct span piece)
{
    uint8_t unit = (uint8_t)(request->key >> KEY_UNIT);
    uint8_t function = (uint8_t)(request->key >> KEY_FUNCTION);
    uint8_t answered = piece.data[MODBUS_FUNCTION];
    bool fits = (piece.data[MODBUS_UNIT] == unit || settings->modbus_ignore_unit) &&
                (answered == function || answered == (function | MODBUS_EXCEPTION_BIT));
    return fits ? MATCH_ANSWER : MATCH_NONE;
}

static size_t edit(const struct protocol_settings *settings, enum direction direction,
                   const struct request *request, uint32_t id, uint8_t kind, struct span piece,
                   uint8_t *out)
{
    (void)settings;
    (void)kind;
    memcpy(out, piece.data, piece.size);
    if (direction == TO_TARGET) {
        store_be16(out + MODBUS_ID, (uint16_t)id);
        return piece.size;
    }
    store_be16(out + MODBUS_ID, (uint16_t)request->id);
    out[MODBUS_UNIT] =
        (uint8_t)(request->key >> KEY_UNIT); /* it may differ: --modbus-ignore-unit */
    if ((piece.data[MODBUS_FUNCTION] & MODBUS_EXCEPTION_BIT) != 0) {
        store_be16(out + MODBUS_LENGTH, MODBUS_EXCEPTION_LENGTH);
    }
    return piece.size;
}

/* ---- trouble ---- */

/* The exception that says it; 0: there is none.
 *
 * "Device busy" asks for the request again later, so it is only for requests that were not sent. At
 * shutdown some were: whether the device did what was asked is not known, and "the target did not
 * respond" says just that. It is also what a link that broke amounts to. */
static uint8_t exception_of(enum trouble trouble)
{
    switch (trouble) {
    case TROUBLE_UNREACHABLE:
        return MODBUS_PATH_UNAVAILABLE;
    case TROUBLE_TIMEOUT:
    case TROUBLE_BROKEN:
    case TROUBLE_SHUTDOWN:
        return MODBUS_TARGET_SILENT;
    case TROUBLE_OVERLOADED:
        return MODBUS_DEVICE_BUSY;
    case TROUBLE_REFUSED:
        return MODBUS_ILLEGAL_FUNCTION;
    case TROUBLE_MALFORMED:
    case TROUBLE_TOO_LARGE:
    case TROUBLE_CLIENT_TIMEOUT:
        break;
    }
    return 0;
}

static struct reply error_reply(const struct protocol_settings *settings, enum trouble trouble,
                                uint16_t code, const struct request *request, uint8_t *out)
{
    (void)settings;
    (void)code;
    uint8_t exception = exception_of(trouble);
    if (request == NULL || exception == 0) {
        return (struct reply){0};
    }
    store_be16(out + MODBUS_ID, (uint16_t)request->id);
    store_be16(out + MODBUS_PROTOCOL, 0);
    store_be16(out + MODBUS_LENGTH, MODBUS_EXCEPTION_LENGTH);
    out[MODBUS_UNIT] = (uint8_t)(request->key >> KEY_UNIT);
    out[MODBUS_FUNCTION] = request->kind | MODBUS_EXCEPTION_BIT;
    out[MODBUS_DATA] = exception;
    return (struct reply){.size = MODBUS_EXCEPTION_BYTES};
}

const struct protocol protocol_modbus = {
    .name = "modbus",
    .sentence = "Modbus TCP; each client may use any transaction ids",
    .matching = MATCH_BY_ID,
    .id_max = 0xFFFF,
    .frame_request = frame_request,
    .frame_response = frame_response,
    .refuses_in_reply = true,
    .match = match,
    .edit = edit,
    .error_reply = error_reply,
    .describe = modbus_describe,
};
