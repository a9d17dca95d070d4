/* SPDX-License-Identifier: MIT */
/*
 * A framer that was shown the beginning of something long does not look at it again when one more byte has
 * come: the pages between its first and its last bytes are unreadable then. So a sender of single bytes
 * costs time in proportion to its bytes.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/compiler.h"
#include "protocol/protocol.h"
#include "protocol/registry.h"
#include "unit.h"

enum { PAGES = 4 };

static const struct row {
    const char *protocol;
    enum direction direction;
    const char *before; /* whole pieces */
    const char *begin;  /* of what goes on and on, with `filler` */
    char filler;
} rows[] = {
    {"echo", TO_TARGET, "", "", 'a'},
    {"echo", TO_CLIENT, "", "", 'a'},
    {"mpu", TO_TARGET, "", "9999", 'a'},
    {"iso8583", TO_TARGET, "", "\xff\xff", 'a'},
    {"http", TO_TARGET, "", "GET /", 'a'},
    {"http", TO_TARGET, "", "GET / HTTP/1.1\r\nHost: h\r\nX: ", 'a'},
    {"http", TO_TARGET, "", "GET / HTTP/1.1\r\nHost: h\r\nConnection: ", ','},
    {"http", TO_CLIENT, "", "HTTP/1.1 200 ", 'a'},
    {"http", TO_CLIENT, "", "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"", ','},
    {"http", TO_TARGET, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
     "X: ", 'a'},
};

static const struct protocol_settings settings = {.message_bytes_max = 1 << 20,
                                                  .head_bytes_max = 1 << 16};
static const struct request request = {.expects_response = true};

static enum frame_status frame_next(const struct row *row, struct framer *framer, struct span bytes,
                                    struct frame *frame)
{
    const struct protocol *protocol = protocol_find(row->protocol);
    struct request asked;
    assert_non_null(protocol);
    return row->direction == TO_TARGET
               ? protocol->frame_request(&settings, framer, bytes, frame, &asked)
               : protocol->frame_response(&settings, framer, &request, bytes, frame);
}

static void expect_partial(const struct row *row, struct framer *framer, struct span bytes)
{
    struct frame frame = {0};
    assert_int_equal(frame_next(row, framer, bytes, &frame), FRAME_PARTIAL);
}

static void take_before(const struct row *row, struct framer *framer)
{
    for (size_t at = 0; at < strlen(row->before);) {
        struct frame frame = {0};
        struct span rest = span_of(row->before + at, strlen(row->before) - at);
        assert_int_equal(frame_next(row, framer, rest, &frame), FRAME_PIECE);
        at += frame.size;
    }
}

static void check(const struct row *row)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *bytes =
        mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    size_t size = (PAGES - 1) * page - page / 2;
    size_t begin_size = row->begin[0] == '\xff' ? 2 : strlen(row->begin);
    memset(bytes, row->filler, PAGES * page);
    memcpy(bytes, row->begin, begin_size);
    struct framer framer = {0};
    take_before(row, &framer);
    if (strcmp(row->protocol, "mpu") == 0) {
        size = 2 * page + 1; /* no message is longer than 10003 bytes */
    }
    expect_partial(row, &framer, span_of(bytes, size));
    assert_int_equal(mprotect(bytes + page, page, PROT_NONE), 0);
    for (size_t more = 1; more < 100; more++) {
        expect_partial(row, &framer, span_of(bytes, size + more));
    }
    assert_int_equal(munmap(bytes, PAGES * page), 0);
}

static void test_what_was_looked_at_is_not_looked_at_again(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(rows); index++) {
        check(&rows[index]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_looked_at_is_not_looked_at_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
