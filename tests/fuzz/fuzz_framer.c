/* SPDX-License-Identifier: MIT */
/*
 * Cuts any stream of any protocol, whole and in parts, and demands the same outcome.
 *
 * The first byte chooses protocol and direction, the second the largest message and how the stream
 * is split; the rest is the stream. tests/lib/framing.c asserts what protocol.h promises: bytes
 * behind those that are there are never read, nothing is looked at twice, every call makes
 * progress. Each message that comes out is described, which may not read too much, write too much
 * or leave the line.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "base/random.h"
#include "base/units.h"
#include "fuzz.h"
#include "lib/framing.h"
#include "lib/guard.h"
#include "protocol/registry.h"

enum { HEAD_SIZE = 2, STREAM_MAX = 4096, TO_CLIENT_BIT = 0x80 };

/* The place is what the corpus means by a number, so a new one goes to the end. */
static const struct protocol *const table[] = {
    &protocol_echo, &protocol_http, &protocol_iso8583, &protocol_mpu, &protocol_modbus,
};

static const size_t limits[] = {MIB, 65537, 10003, 300, 64, 16, 3, 1};

static size_t split(uint8_t way, size_t size, size_t *ends)
{
    struct random random;
    random_init(&random, way);
    size_t step_max = way == 0 ? 1 : (size_t)4 << random_below(&random, 9);
    size_t count = 0;
    for (size_t end = 0; end < size; count++) {
        size_t step = 1 + (size_t)random_below(&random, step_max);
        end = step < size - end ? end + step : size;
        ends[count] = end;
    }
    return count;
}

/* One line of printable text that ends within `capacity`. */
static void check_line(const char *text, size_t capacity)
{
    assert(memchr(text, '\0', capacity) != NULL);
    for (const char *character = text; *character != '\0'; character++) {
        assert((unsigned char)*character >= 0x20 && *character != 0x7F);
    }
}

static void check_description(const struct framing *framing, struct span message)
{
    struct guard message_guard, text_guard;
    guard_init(&message_guard, message.size);
    guard_init(&text_guard, DESCRIBE_BYTES_MAX);
    struct span guarded = guard_put(&message_guard, message);
    size_t capacities[] = {DESCRIBE_BYTES_MAX, 1 + message.size % DESCRIBE_BYTES_MAX};
    for (size_t index = 0; index < ARRAY_COUNT(capacities); index++) {
        char *text = (char *)guard_space(&text_guard, capacities[index]);
        framing->protocol->describe(framing->direction, guarded, text, capacities[index]);
        check_line(text, capacities[index]);
    }
    guard_deinit(&message_guard);
    guard_deinit(&text_guard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    assert(ARRAY_COUNT(table) == protocols_count); /* none is forgotten */
    if (size <= HEAD_SIZE || size > HEAD_SIZE + STREAM_MAX) {
        return 0;
    }
    struct framing framing = {
        .protocol = table[(data[0] & (TO_CLIENT_BIT - 1)) % ARRAY_COUNT(table)],
        .direction = (data[0] & TO_CLIENT_BIT) != 0 ? TO_CLIENT : TO_TARGET,
        .settings = {.message_bytes_max = limits[data[1] % ARRAY_COUNT(limits)],
                     .head_bytes_max = limits[data[1] % ARRAY_COUNT(limits)]},
        .request = {.expects_response = true}};
    struct span stream = span_of(data + HEAD_SIZE, size - HEAD_SIZE);

    struct framing_outcome whole, parts;
    framing_run(&framing, stream, &stream.size, 1, &whole);
    size_t ends[STREAM_MAX];
    size_t count = split(data[1] / ARRAY_COUNT(limits), stream.size, ends);
    framing_run(&framing, stream, ends, count, &parts);
    assert(framing_outcome_equals(&whole, &parts));

    size_t start = whole.skipped;
    for (size_t index = 0; index < whole.count; index++) {
        /* Further pieces are bodies, which have no limit. */
        assert(whole.messages[index].first_size <= framing.settings.message_bytes_max);
        if (index < 4 && whole.skipped == 0) {
            check_description(&framing, span_of(stream.data + start, whole.messages[index].size));
        }
        start += whole.messages[index].size;
    }
    assert(start + whole.left == stream.size);
    framing_outcome_deinit(&whole);
    framing_outcome_deinit(&parts);
    return 0;
}
