/* SPDX-License-Identifier: MIT */
/* Claims about src/protocol/modbus.c. */
#include <string.h>

#include "unit.h"

#include "base/compiler.h"
#include "base/units.h"
#include "lib/framing.h"
#include "lib/guard.h"
#include "modbus_unit.h"

/* The functions of Application Protocol, 6, with a request and a response that fit together. */
static const struct example {
    uint8_t function;
    bool resendable, shareable;
    const char *request;
    size_t request_size;
    const char *response;
    size_t response_size;
} examples[] = {
    {1, true, true, BYTES("\x01\x00\x13\x00\x13"), BYTES("\x01\x03\xcd\x6b\x05")},
    {2, true, true, BYTES("\x02\x00\xc4\x00\x16"), BYTES("\x02\x03\xac\xdb\x35")},
    {3, true, true, BYTES("\x03\x00\x6b\x00\x02"), BYTES("\x03\x04\x02\x2b\x00\x64")},
    {4, true, true, BYTES("\x04\x00\x08\x00\x01"), BYTES("\x04\x02\x00\x0a")},
    {5, false, false, BYTES("\x05\x00\xac\xff\x00"), BYTES("\x05\x00\xac\xff\x00")},
    {6, false, false, BYTES("\x06\x00\x01\x00\x03"), BYTES("\x06\x00\x01\x00\x03")},
    {7, false, false, BYTES("\x07"), BYTES("\x07\x6d")},
    {8, false, false, BYTES("\x08\x00\x00\xa5\x37"), BYTES("\x08\x00\x00\xa5\x37")},
    {11, false, false, BYTES("\x0b"), BYTES("\x0b\xff\xff\x01\x08")},
    {12, false, false, BYTES("\x0c"), BYTES("\x0c\x08\x00\x00\x01\x08\x01\x21\x20\x00")},
    {15, false, false, BYTES("\x0f\x00\x13\x00\x0a\x02\xcd\x01"), BYTES("\x0f\x00\x13\x00\x0a")},
    {16, false, false, BYTES("\x10\x00\x01\x00\x02\x04\x00\x0a\x01\x02"),
     BYTES("\x10\x00\x01\x00\x02")},
    {17, true, false, BYTES("\x11"), BYTES("\x11\x03\x2a\xff\x01")},
    {20, true, false, BYTES("\x14\x07\x06\x00\x04\x00\x01\x00\x02"),
     BYTES("\x14\x06\x05\x06\x0d\xfe\x00\x20")},
    {21, false, false, BYTES("\x15\x09\x06\x00\x04\x00\x07\x00\x01\x06\xaf"),
     BYTES("\x15\x09\x06\x00\x04\x00\x07\x00\x01\x06\xaf")},
    {22, false, false, BYTES("\x16\x00\x04\x00\xf2\x00\x25"),
     BYTES("\x16\x00\x04\x00\xf2\x00\x25")},
    {23, false, false, BYTES("\x17\x00\x03\x00\x01\x00\x0e\x00\x01\x02\x00\xff"),
     BYTES("\x17\x02\x00\xfe")},
    {24, true, false, BYTES("\x18\x04\xde"), BYTES("\x18\x00\x06\x00\x02\x01\xb8\x12\x84")},
    {43, true, false, BYTES("\x2b\x0e\x01\x00"),
     BYTES("\x2b\x0e\x01\x01\x00\x00\x01\x00\x04"
           "Acme")},
    {65, false, false, BYTES("\x41\x24\x01\x00"), BYTES("\x41\x24\x02\x00\x01")},
};

/* ---- framing ---- */

static struct framing_outcome frame_all(enum direction direction, struct span stream, size_t limit)
{
    struct framing framing = {.protocol = &protocol_modbus,
                              .direction = direction,
                              .settings = {.message_bytes_max = limit}};
    struct framing_outcome outcome, by_order;
    framing_check(&framing, stream, &outcome);
    /* The framer does the same when the core knows what is answered. */
    framing.settings.ignore_id = true;
    framing_check(&framing, stream, &by_order);
    assert_true(framing_outcome_equals(&outcome, &by_order));
    framing_outcome_deinit(&by_order);
    return outcome;
}

static enum frame_status status_of(enum direction direction, const char *bytes, size_t size)
{
    struct framing_outcome outcome = frame_all(direction, span_of(bytes, size), MIB);
    enum frame_status status = outcome.status;
    assert_int_equal(outcome.count, 0);
    framing_outcome_deinit(&outcome);
    return status;
}

static void expect_both(const char *bytes, size_t size, enum frame_status expected)
{
    assert_int_equal(status_of(TO_TARGET, bytes, size), expected);
    assert_int_equal(status_of(TO_CLIENT, bytes, size), expected);
}

static void test_every_function_passes_in_both_directions(void **state)
{
    (void)state;
    uint8_t streams[2][ARRAY_COUNT(examples) * MODBUS_BYTES_MAX];
    size_t sizes[2] = {0};
    for (size_t index = 0; index < ARRAY_COUNT(examples); index++) {
        const struct example *row = &examples[index];
        struct frame_bytes frames[] = {
            frame_of((uint16_t)(1000 + index), 1, row->request, row->request_size),
            frame_of((uint16_t)(1000 + index), 1, row->response, row->response_size)};
        for (int way = 0; way < 2; way++) {
            memcpy(streams[way] + sizes[way], frames[way].data, frames[way].size);
            sizes[way] += frames[way].size;
        }
    }
    for (int way = 0; way < 2; way++) {
        enum direction direction = way == 0 ? TO_TARGET : TO_CLIENT;
        struct framing_outcome outcome =
            frame_all(direction, span_of(streams[way], sizes[way]), MODBUS_BYTES_MAX);
        assert_int_equal(outcome.count, ARRAY_COUNT(examples));
        assert_int_equal(outcome.status, FRAME_PARTIAL);
        assert_int_equal(outcome.left, 0);
        for (size_t index = 0; index < outcome.count; index++) {
            size_t size = way == 0 ? examples[index].request_size : examples[index].response_size;
            assert_int_equal(outcome.messages[index].size, MODBUS_FUNCTION + size);
            assert_int_equal(outcome.messages[index].id, 1000 + index);
        }
        framing_outcome_deinit(&outcome);
    }
}

/* One call of a framer with these bytes, which show nothing of what may follow. */
static enum frame_status frame_once(enum direction direction, struct span bytes,
                                    struct frame *frame)
{
    struct protocol_settings settings = {.message_bytes_max = MIB};
    struct framer framer = {0};
    struct request request;
    return direction == TO_TARGET
               ? protocol_modbus.frame_request(&settings, &framer, bytes, frame, &request)
               : protocol_modbus.frame_response(&settings, &framer, NULL, bytes, frame);
}

/* What the length alone says of a frame. */
static enum frame_status status_of_length(enum direction direction, size_t length)
{
    if (length >= 2 && length <= 254) {
        return FRAME_PIECE;
    }
    return direction == TO_CLIENT && length < 2 ? FRAME_WRONG : FRAME_INVALID;
}

static void test_every_length_from_2_to_254_is_a_frame_and_no_other(void **state)
{
    (void)state;
    uint8_t stream[MODBUS_UNIT + 0xFFFF] = {0};
    for (size_t length = 0; length <= 0xFFFF; length++) {
        store_be16(stream + MODBUS_LENGTH, (uint16_t)length);
        for (int way = 0; way < 2; way++) {
            enum direction direction = way == 0 ? TO_TARGET : TO_CLIENT;
            struct frame frame;
            enum frame_status status =
                frame_once(direction, span_of(stream, MODBUS_UNIT + length), &frame);
            assert_int_equal(status, status_of_length(direction, length));
            assert_true(status == FRAME_INVALID || frame.size == MODBUS_UNIT + length);
            assert_true(status != FRAME_PIECE || frame.ends);
        }
    }
    static const size_t lengths[] = {2, 3, 4, 254};
    for (size_t index = 0; index < ARRAY_COUNT(lengths); index++) {
        store_be16(stream + MODBUS_LENGTH, (uint16_t)lengths[index]);
        for (int way = 0; way < 2; way++) {
            struct framing_outcome outcome =
                frame_all(way == 0 ? TO_TARGET : TO_CLIENT,
                          span_of(stream, MODBUS_UNIT + lengths[index]), MIB);
            assert_int_equal(outcome.count, 1);
            assert_int_equal(outcome.left, 0);
            framing_outcome_deinit(&outcome);
        }
    }
}

static void test_what_is_no_modbus_is_known_from_the_first_byte_that_shows_it(void **state)
{
    (void)state;
    expect_both(BYTES(""), FRAME_PARTIAL);
    expect_both(BYTES("\xff\xff"), FRAME_PARTIAL);
    expect_both(BYTES("\xff\xff\x01"), FRAME_INVALID);
    expect_both(BYTES("\xff\xff\x00"), FRAME_PARTIAL);
    expect_both(BYTES("\xff\xff\x00\x01"), FRAME_INVALID);
    expect_both(BYTES("\xff\xff\x00\x00"), FRAME_PARTIAL);
    expect_both(BYTES("\xff\xff\x00\x00\x01"), FRAME_INVALID);
    expect_both(BYTES("\xff\xff\x00\x00\x00"), FRAME_PARTIAL);
    assert_int_equal(status_of(TO_TARGET, BYTES("\xff\xff\x00\x00\x00\x01")), FRAME_INVALID);
    expect_both(BYTES("\xff\xff\x00\x00\x00\xff"), FRAME_INVALID);
    expect_both(BYTES("\xff\xff\x00\x00\x00\xfe"), FRAME_PARTIAL);
    expect_both(BYTES("GET / HTTP/1.1\r\n\r\n"), FRAME_INVALID);
    assert_int_equal(status_of(TO_TARGET, BYTES("\x01\x03\x00\x00\x00\x01\x84\x0a")),
                     FRAME_INVALID); /* as on a serial line */
}

static void test_a_response_without_function_ends_where_its_length_says(void **state)
{
    (void)state;
    struct framing_outcome outcome =
        frame_all(TO_CLIENT,
                  span_of(BYTES("\x5f\xfd\x00\x00\x00\x01\x01"
                                "\x00\x01\x00\x00\x00\x00"
                                "\x00\x02\x00\x00\x00\x05\x01\x04\x02\x00\x2a"
                                "\x00\x03\x00\x00\x00\x01")),
                  MIB);
    assert_int_equal(outcome.wrongs, 2);
    assert_int_equal(outcome.wrong_bytes, 7 + 6);
    assert_int_equal(outcome.count, 1);
    assert_int_equal(outcome.messages[0].id, 2);
    assert_int_equal(outcome.status, FRAME_PARTIAL);
    assert_int_equal(outcome.wanted, 7);
    framing_outcome_deinit(&outcome);
    struct frame frame;
    assert_int_equal(frame_once(TO_CLIENT, span_of(BYTES("\x5f\xfd\x00\x00\x00\x01\x01")), &frame),
                     FRAME_WRONG);
    assert_int_equal(frame.id, 0x5FFD);
}

static void test_how_much_is_wanted_is_known_from_the_length(void **state)
{
    (void)state;
    struct framing_outcome outcome =
        frame_all(TO_TARGET, span_of(BYTES("\x00\x01\x00\x00\x00\x06")), MIB);
    assert_int_equal(outcome.wanted, 12);
    framing_outcome_deinit(&outcome);
    outcome = frame_all(TO_CLIENT, span_of(BYTES("\x00\x01\x00\x00\x00\x06\x01\x03")), MIB);
    assert_int_equal(outcome.wanted, 12);
    framing_outcome_deinit(&outcome);
}

static void test_a_frame_over_the_largest_message_is_too_large(void **state)
{
    (void)state;
    struct span stream = span_of(BYTES("\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x01"));
    for (int way = 0; way < 2; way++) {
        enum direction direction = way == 0 ? TO_TARGET : TO_CLIENT;
        struct framing_outcome outcome = frame_all(direction, stream, 12);
        assert_int_equal(outcome.count, 1);
        framing_outcome_deinit(&outcome);
        outcome = frame_all(direction, stream, 11);
        assert_int_equal(outcome.count, 0);
        assert_int_equal(outcome.status, FRAME_TOO_LARGE);
        framing_outcome_deinit(&outcome);
    }
    struct framing_outcome outcome =
        frame_all(TO_CLIENT, span_of(BYTES("\x00\x01\x00\x00\x00\x02\x01\x83")), 8);
    assert_int_equal(outcome.status, FRAME_TOO_LARGE); /* it has nine, whatever it says */
    framing_outcome_deinit(&outcome);
}

/* ---- requests ---- */

static struct request request_of(const struct frame_bytes *bytes)
{
    struct framing_outcome outcome = frame_all(TO_TARGET, span_of(bytes->data, bytes->size), MIB);
    assert_int_equal(outcome.count, 1);
    struct request request = outcome.messages[0].request;
    framing_outcome_deinit(&outcome);
    return request;
}

static struct request request_from(uint16_t id, uint8_t unit, const char *pdu, size_t size)
{
    struct frame_bytes bytes = frame_of(id, unit, pdu, size);
    return request_of(&bytes);
}

static void test_reads_may_be_sent_again_and_nothing_else(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(examples); index++) {
        const struct example *row = &examples[index];
        struct request request = request_from(7, 1, row->request, row->request_size);
        assert_int_equal(request.resendable, row->resendable);
        assert_int_equal(request.shareable, row->shareable);
        assert_int_equal(request.kind, row->function);
        assert_int_equal(request.id, 7);
        assert_true(request.expects_response);
        assert_false(request.closes);
        assert_false(request.alone);
    }
}

static void test_of_function_43_only_identification_may_be_sent_again(void **state)
{
    (void)state;
    assert_true(request_from(1, 1, BYTES("\x2b\x0e\x01\x00")).resendable);
    assert_false(request_from(1, 1, BYTES("\x2b\x0d\x01\x00")).resendable); /* CANopen */
    assert_false(request_from(1, 1, BYTES("\x2b")).resendable);
}

static void test_functions_that_nobody_knows_may_have_an_effect(void **state)
{
    (void)state;
    for (unsigned function = 0; function <= 0xFF; function++) {
        char pdu[] = {(char)function, 0, 0, 0, 1};
        struct request request = request_from(1, 1, pdu, sizeof pdu);
        bool is_read = function >= 1 && function <= 4;
        assert_true(request.expects_response);
        assert_int_equal(request.shareable, is_read);
        assert_int_equal(request.resendable,
                         is_read || function == 17 || function == 20 || function == 24);
    }
}

static void test_unit_0_is_asked_like_any_other(void **state)
{
    (void)state;
    struct request request = request_from(1, 0, BYTES("\x06\x00\x01\x00\x03"));
    assert_true(request.expects_response);
}

static void test_equal_keys_are_the_same_read(void **state)
{
    (void)state;
    static const struct {
        uint8_t unit;
        char pdu[6];
    } reads[] = {
        {1, "\x03\x00\x64\x00\x0a"}, {2, "\x03\x00\x64\x00\x0a"}, {1, "\x04\x00\x64\x00\x0a"},
        {1, "\x03\x00\x65\x00\x0a"}, {1, "\x03\x01\x64\x00\x0a"}, {1, "\x03\x00\x64\x00\x0b"},
        {1, "\x03\x00\x64\x01\x0a"}, {0, "\x03\x00\x64\x00\x0a"}, {1, "\x03\x00\x00\x64\x0a"},
    };
    for (size_t one = 0; one < ARRAY_COUNT(reads); one++) {
        for (size_t other = 0; other < ARRAY_COUNT(reads); other++) {
            struct request first = request_from(1, reads[one].unit, reads[one].pdu, 5);
            struct request second = request_from(2, reads[other].unit, reads[other].pdu, 5);
            assert_true(first.shareable);
            assert_int_equal(first.key == second.key, one == other);
        }
    }
}

static void test_a_read_that_is_not_as_it_should_be_is_not_shared(void **state)
{
    (void)state;
    assert_false(request_from(1, 1, BYTES("\x03\x00\x64\x00")).shareable);
    assert_false(request_from(1, 1, BYTES("\x03\x00\x64\x00\x0a\x00")).shareable);
    assert_false(request_from(1, 1, BYTES("\x03")).shareable);
}

/* ---- responses ---- */

static bool answers(const struct request *request, uint8_t unit, const char *pdu, size_t size)
{
    struct frame_bytes bytes = frame_of(1, unit, pdu, size);
    static const struct protocol_settings settings;
    return protocol_modbus.match(&settings, request, span_of(bytes.data, bytes.size)) != MATCH_NONE;
}

static void test_with_ignore_unit_a_response_shows_only_the_function(void **state)
{
    (void)state;
    struct protocol_settings settings = {.modbus_ignore_unit = true};
    struct request request = request_from(1, 5, BYTES("\x03\x00\x64\x00\x01"));
    struct frame_bytes right = frame_of(1, 6, BYTES("\x03\x02\x00\x00"));
    struct frame_bytes other = frame_of(1, 6, BYTES("\x04\x02\x00\x00"));
    assert_int_equal(protocol_modbus.match(&settings, &request, span_of(right.data, right.size)),
                     MATCH_ANSWER);
    assert_int_equal(protocol_modbus.match(&settings, &request, span_of(other.data, other.size)),
                     MATCH_NONE);
    uint8_t out[MODBUS_BYTES_MAX];
    size_t size = protocol_modbus.edit(&settings, TO_CLIENT, &request, 9, 0,
                                       span_of(right.data, right.size), out);
    right.data[MODBUS_UNIT] = 5;
    assert_int_equal(size, right.size);
    assert_memory_equal(out, right.data, size);
}

static void test_a_response_shows_unit_and_function_of_its_request(void **state)
{
    (void)state;
    struct request request = request_from(1, 5, BYTES("\x03\x00\x64\x00\x01"));
    assert_true(answers(&request, 5, BYTES("\x03\x02\x00\x00")));
    assert_true(answers(&request, 5, BYTES("\x83\x02")));
    assert_false(answers(&request, 6, BYTES("\x03\x02\x00\x00")));
    assert_false(answers(&request, 6, BYTES("\x83\x02")));
    assert_false(answers(&request, 5, BYTES("\x04\x02\x00\x00")));
    assert_false(answers(&request, 5, BYTES("\x84\x02")));
    assert_false(answers(&request, 0, BYTES("\x03\x02\x00\x00")));
    for (size_t index = 0; index < ARRAY_COUNT(examples); index++) {
        const struct example *row = &examples[index];
        request = request_from(1, 0, row->request, row->request_size);
        assert_true(answers(&request, 0, row->response, row->response_size));
        assert_false(answers(&request, 1, row->response, row->response_size));
        char exception[] = {(char)(row->function | 0x80), 1};
        assert_true(answers(&request, 0, exception, sizeof exception));
    }
}

/* ---- edits ---- */

/* Edits the bytes at an unreadable page into space that ends at one; only the growth that is
 * allowed is there. */
static struct frame_bytes edit(enum direction direction, const struct request *request, uint32_t id,
                               struct span piece)
{
    struct protocol_settings settings = {.message_bytes_max = MIB};
    struct guard from, to;
    guard_init(&from, piece.size);
    guard_init(&to, piece.size);
    struct span guarded = guard_put(&from, piece);
    uint8_t *space = guard_space(&to, piece.size);
    struct frame_bytes out;
    out.size = protocol_modbus.edit(&settings, direction, request, id, 0, guarded, space);
    assert_true(out.size <= piece.size);
    memcpy(out.data, space, out.size);
    assert_memory_equal(guarded.data, piece.data, piece.size);
    guard_deinit(&from);
    guard_deinit(&to);
    return out;
}

static void test_the_target_is_shown_the_id_of_the_link(void **state)
{
    (void)state;
    static const uint32_t ids[] = {0, 1, 0x1234, 0xFFFF};
    for (size_t index = 0; index < ARRAY_COUNT(examples); index++) {
        const struct example *row = &examples[index];
        struct frame_bytes bytes = frame_of(0xABCD, 9, row->request, row->request_size);
        struct request request = request_of(&bytes);
        for (size_t round = 0; round < ARRAY_COUNT(ids); round++) {
            struct frame_bytes out =
                edit(TO_TARGET, &request, ids[round], span_of(bytes.data, bytes.size));
            assert_int_equal(out.size, bytes.size);
            assert_int_equal(load_be16(out.data), ids[round]);
            assert_memory_equal(out.data + 2, bytes.data + 2, bytes.size - 2);
        }
    }
}

static void test_the_client_gets_its_own_id_back(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(examples); index++) {
        const struct example *row = &examples[index];
        struct request request = request_from(0xABCD, 9, row->request, row->request_size);
        struct frame_bytes bytes = frame_of(3, 9, row->response, row->response_size);
        struct frame_bytes out = edit(TO_CLIENT, &request, 3, span_of(bytes.data, bytes.size));
        assert_int_equal(out.size, bytes.size);
        assert_int_equal(load_be16(out.data), 0xABCD);
        assert_memory_equal(out.data + 2, bytes.data + 2, bytes.size - 2);
    }
}

/* ---- exceptions ---- */

static void test_an_exception_has_nine_bytes_whichever_length_it_announces(void **state)
{
    (void)state;
    struct request request = request_from(0xABCD, 1, BYTES("\x03\x00\x64\x00\x01"));
    for (uint8_t length = 2; length <= 4; length++) {
        /* It, and a response behind it. */
        uint8_t stream[] = {0, 7, 0, 0, 0, length, 1, 0x83, 2, 0, 8, 0, 0, 0, 5, 1, 3, 2, 0, 1};
        struct framing_outcome outcome =
            frame_all(TO_CLIENT, span_of(stream, sizeof stream), MODBUS_BYTES_MAX);
        assert_int_equal(outcome.count, 2);
        assert_int_equal(outcome.messages[0].size, 9);
        assert_int_equal(outcome.messages[0].id, 7);
        assert_int_equal(outcome.messages[1].id, 8);
        assert_int_equal(outcome.left, 0);
        framing_outcome_deinit(&outcome);
        struct frame_bytes out = edit(TO_CLIENT, &request, 7, span_of(stream, 9));
        static const uint8_t repaired[] = {0xAB, 0xCD, 0, 0, 0, 3, 1, 0x83, 2};
        assert_int_equal(out.size, sizeof repaired);
        assert_memory_equal(out.data, repaired, sizeof repaired);
    }
}

static void test_an_exception_with_a_length_that_no_device_announces_is_invalid(void **state)
{
    (void)state;
    for (unsigned length = 0; length <= 0xFF; length++) {
        if (length >= 2 && length <= 4) {
            continue;
        }
        uint8_t stream[MODBUS_BYTES_MAX] = {0, 7, 0, 0, 0, (uint8_t)length, 1, 0x83, 2};
        struct frame frame;
        assert_int_equal(frame_once(TO_CLIENT, span_of(stream, sizeof stream), &frame),
                         length < 2 ? FRAME_WRONG : FRAME_INVALID);
    }
    expect_both(BYTES("\x00\x07\x00\x00\x01\x03\x01\x83\x02"), FRAME_INVALID);
    assert_int_equal(status_of(TO_CLIENT, BYTES("\x00\x07\x00\x00\x00\x05\x01\x83")),
                     FRAME_INVALID);
}

/* The rule of nine bytes is a guess; that it was wrong never goes unnoticed, whichever identifier
 * the next response has. */
static void test_a_device_that_sends_what_it_announces_is_found_out_at_the_next_frame(void **state)
{
    (void)state;
    for (unsigned id = 0; id <= 0xFFFF; id++) {
        uint8_t high = (uint8_t)(id >> 8), low = (uint8_t)id;
        uint8_t streams[][20] = {
            {0, 7, 0, 0, 0, 2, 1, 0x83, high, low, 0, 0, 0, 5, 1, 3, 2, 0, 1},
            {0, 7, 0, 0, 0, 4, 1, 0x83, 2, 0, high, low, 0, 0, 0, 5, 1, 3, 2, 0},
        };
        for (size_t index = 0; index < ARRAY_COUNT(streams); index++) {
            struct frame frame;
            struct span bytes = span_of(streams[index], sizeof streams[index]);
            assert_int_equal(frame_once(TO_CLIENT, bytes, &frame), FRAME_PIECE);
            assert_int_equal(frame.size, 9);
            struct span rest = span_from(bytes, 9);
            enum frame_status status = frame_once(TO_CLIENT, rest, &frame);
            if (status == FRAME_WRONG) { /* it looks like a length of 0 */
                assert_true(index == 1 && low == 0);
                status = frame_once(TO_CLIENT, span_from(rest, frame.size), &frame);
            }
            assert_int_equal(status, FRAME_INVALID);
        }
    }
}

static void test_a_request_with_that_bit_is_as_long_as_it_says(void **state)
{
    (void)state;
    struct request request = request_from(1, 1, BYTES("\x83\x00\x64\x00\x01"));
    assert_int_equal(request.kind, 0x83);
}

/* ---- error replies ---- */

static struct reply reply_to(enum trouble trouble, const struct request *request, uint8_t *out)
{
    struct protocol_settings settings = {.message_bytes_max = MIB};
    return protocol_modbus.error_reply(&settings, trouble, 0, request, out);
}

static void test_trouble_with_a_request_is_an_exception_of_a_gateway(void **state)
{
    (void)state;
    static const struct {
        enum trouble trouble;
        uint8_t code;
    } rows[] = {
        {TROUBLE_UNREACHABLE, 0x0A}, {TROUBLE_TIMEOUT, 0x0B}, {TROUBLE_BROKEN, 0x0B},
        {TROUBLE_OVERLOADED, 0x06},  {TROUBLE_REFUSED, 0x01}, {TROUBLE_SHUTDOWN, 0x0B},
    };
    struct request request = request_from(0xABCD, 17, BYTES("\x10\x00\x01\x00\x01\x02\x00\x0a"));
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        uint8_t out[REPLY_BYTES_MAX];
        memset(out, 0xEE, sizeof out);
        struct reply reply = reply_to(rows[index].trouble, &request, out);
        const uint8_t expected[] = {0xAB, 0xCD, 0, 0, 0, 3, 17, 0x90, rows[index].code};
        assert_int_equal(reply.size, sizeof expected);
        assert_false(reply.closes);
        assert_memory_equal(out, expected, sizeof expected);
        /* It is what a device would have said. */
        assert_int_equal(protocol_modbus.match(&(struct protocol_settings){0}, &request,
                                               span_of(out, reply.size)),
                         MATCH_ANSWER);
        struct framing_outcome outcome =
            frame_all(TO_CLIENT, span_of(out, reply.size), MODBUS_BYTES_MAX);
        assert_int_equal(outcome.count, 1);
        assert_int_equal(outcome.messages[0].id, 0xABCD);
        framing_outcome_deinit(&outcome);
    }
}

static void test_what_is_no_request_is_answered_with_silence(void **state)
{
    (void)state;
    struct request request = request_from(1, 1, BYTES("\x03\x00\x64\x00\x01"));
    static const enum trouble silent[] = {TROUBLE_MALFORMED, TROUBLE_TOO_LARGE,
                                          TROUBLE_CLIENT_TIMEOUT};
    uint8_t out[REPLY_BYTES_MAX];
    for (size_t index = 0; index < ARRAY_COUNT(silent); index++) {
        assert_int_equal(reply_to(silent[index], &request, out).size, 0);
    }
    for (unsigned trouble = 0; trouble < TROUBLE_COUNT; trouble++) {
        assert_int_equal(reply_to((enum trouble)trouble, NULL, out).size, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_function_passes_in_both_directions),
        cmocka_unit_test(test_every_length_from_2_to_254_is_a_frame_and_no_other),
        cmocka_unit_test(test_what_is_no_modbus_is_known_from_the_first_byte_that_shows_it),
        cmocka_unit_test(test_a_response_without_function_ends_where_its_length_says),
        cmocka_unit_test(test_how_much_is_wanted_is_known_from_the_length),
        cmocka_unit_test(test_a_frame_over_the_largest_message_is_too_large),
        cmocka_unit_test(test_reads_may_be_sent_again_and_nothing_else),
        cmocka_unit_test(test_of_function_43_only_identification_may_be_sent_again),
        cmocka_unit_test(test_functions_that_nobody_knows_may_have_an_effect),
        cmocka_unit_test(test_unit_0_is_asked_like_any_other),
        cmocka_unit_test(test_equal_keys_are_the_same_read),
        cmocka_unit_test(test_a_read_that_is_not_as_it_should_be_is_not_shared),
        cmocka_unit_test(test_a_response_shows_unit_and_function_of_its_request),
        cmocka_unit_test(test_with_ignore_unit_a_response_shows_only_the_function),
        cmocka_unit_test(test_the_target_is_shown_the_id_of_the_link),
        cmocka_unit_test(test_the_client_gets_its_own_id_back),
        cmocka_unit_test(test_an_exception_has_nine_bytes_whichever_length_it_announces),
        cmocka_unit_test(test_an_exception_with_a_length_that_no_device_announces_is_invalid),
        cmocka_unit_test(test_a_device_that_sends_what_it_announces_is_found_out_at_the_next_frame),
        cmocka_unit_test(test_a_request_with_that_bit_is_as_long_as_it_says),
        cmocka_unit_test(test_trouble_with_a_request_is_an_exception_of_a_gateway),
        cmocka_unit_test(test_what_is_no_request_is_answered_with_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
