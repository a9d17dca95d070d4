/* SPDX-License-Identifier: MIT */
/*
 * Claims about src/daemon/reporter.c: the events that its observer ignores are those that would have
 * left no trace.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#include "daemon/reporter.h"
#include "protocol/registry.h"

enum { KINDS_COUNT = MUX_PAUSED + 1 };

static struct log log_out;
static int far_end;

static void begin(struct reporter *reporter, enum log_level level)
{
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    far_end = ends[1];
    log_init(&log_out, ends[0], level, LOG_TEXT);
    memset(reporter, 0, sizeof *reporter);
    reporter->log = &log_out;
    reporter->protocol = protocol_find("echo");
    reporter->target = "target";
    reporter->failed_reason = REASON_TARGET_STRAY;
    reporter->failures = 1;
}

static void end(void)
{
    assert_int_equal(close(log_out.sink.fd), 0);
    assert_int_equal(close(far_end), 0);
}

/* Tells of an event of the kind that has everything an event can have; whether a line came. */
static bool writes(struct reporter *reporter, enum mux_event_kind kind)
{
    static const struct address nowhere = {0};
    const struct engine_origin origin = {.local = &nowhere, .remote = &nowhere};
    const struct mux_event event = {
        .kind = kind,
        .reason = REASON_TARGET_STRAY,
        .client = 1,
        .link = 1,
        .exchange = 2,
        .leader = 1,
        .bytes = {(const uint8_t *)"x\n", 2},
        .origin = &origin,
    };
    struct mux_observer observer = reporter_observer(reporter);
    observer.event(observer.context, &event);
    char line[4096];
    bool wrote = recv(far_end, line, sizeof line, 0) > 0;
    while (recv(far_end, line, sizeof line, 0) > 0) {
    }
    return wrote;
}

static bool ignores(struct reporter *reporter, enum mux_event_kind kind)
{
    return (reporter_observer(reporter).ignored >> kind & 1) != 0;
}

static void check_that_ignored_events_leave_no_trace(enum log_level level)
{
    for (unsigned kind = 0; kind < KINDS_COUNT; kind++) {
        struct reporter reporter, before;
        begin(&reporter, level);
        memcpy(&before, &reporter, sizeof before);
        bool wrote = writes(&reporter, (enum mux_event_kind)kind);
        if (ignores(&reporter, (enum mux_event_kind)kind)) {
            assert_false(wrote);
            assert_memory_equal(&before, &reporter, sizeof before);
        }
        end();
    }
}

static void test_what_is_ignored_would_have_left_no_trace(void **state)
{
    (void)state;
    check_that_ignored_events_leave_no_trace(LOG_ERROR);
    check_that_ignored_events_leave_no_trace(LOG_WARN);
    check_that_ignored_events_leave_no_trace(LOG_INFO);
    check_that_ignored_events_leave_no_trace(LOG_DEBUG);
}

static void test_the_events_of_every_message_are_ignored_unless_they_are_logged(void **state)
{
    (void)state;
    static const enum mux_event_kind of_every_message[] = {MUX_REQUEST, MUX_REQUEST_TAKEN,
                                                           MUX_RESPONSE, MUX_EXCHANGE_ENDED};
    struct reporter reporter;
    begin(&reporter, LOG_INFO);
    for (size_t index = 0; index < sizeof of_every_message / sizeof *of_every_message; index++) {
        assert_true(ignores(&reporter, of_every_message[index]));
    }
    end();
}

static void test_with_verbose_everything_that_happens_has_a_line(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < KINDS_COUNT; kind++) {
        struct reporter reporter;
        begin(&reporter, LOG_DEBUG);
        /* A request when it is taken, or when it ends untaken; a first byte with --dont-log-null only. */
        bool is_told_later = kind == MUX_REQUEST || kind == MUX_CLIENT_SPOKE;
        assert_int_equal(writes(&reporter, (enum mux_event_kind)kind), !is_told_later);
        assert_int_equal(ignores(&reporter, (enum mux_event_kind)kind), is_told_later);
        end();
    }
}

/* How many lines have come. */
static unsigned lines(void)
{
    char line[4096];
    unsigned count = 0;
    while (recv(far_end, line, sizeof line, 0) > 0) {
        count++;
    }
    return count;
}

static void tell(struct reporter *reporter, struct mux_event event)
{
    static const struct address nowhere = {0};
    const struct engine_origin origin = {.local = &nowhere, .remote = &nowhere};
    event.origin = &origin;
    struct mux_observer observer = reporter_observer(reporter);
    if ((observer.ignored >> event.kind & 1) == 0) {
        observer.event(observer.context, &event);
    }
}

static void test_a_client_that_says_nothing_has_no_line_if_that_is_asked_for(void **state)
{
    (void)state;
    struct reporter reporter;
    begin(&reporter, LOG_DEBUG);
    const struct mux_event opened = {.kind = MUX_CLIENT_OPENED, .client = 1};
    const struct mux_event spoke = {.kind = MUX_CLIENT_SPOKE, .client = 1};
    struct mux_event closed = {
        .kind = MUX_CLIENT_CLOSED, .reason = REASON_CLIENT_ENDED, .client = 1, .silent = true};
    tell(&reporter, opened);
    tell(&reporter, closed);
    assert_int_equal(lines(), 2);

    reporter.omits_silent = true;
    tell(&reporter, opened);
    tell(&reporter, closed);
    closed.reason = REASON_CLIENT_RESET;
    tell(&reporter, closed);
    assert_int_equal(lines(), 0);
    closed.reason = REASON_CLIENT_LIMIT; /* that is about us: once in ten seconds */
    tell(&reporter, closed);
    tell(&reporter, closed);
    assert_int_equal(lines(), 1);

    tell(&reporter, opened);
    assert_int_equal(lines(), 0);
    tell(&reporter, spoke);
    assert_int_equal(lines(), 1);
    closed = (struct mux_event){
        .kind = MUX_CLIENT_CLOSED, .reason = REASON_CLIENT_ENDED, .client = 1, .silent = false};
    tell(&reporter, closed);
    assert_int_equal(lines(), 1);
    end();
}

/* Lines that come while the bucket fills up again are few. */
static unsigned lines_of(enum log_level level, struct mux_event event)
{
    struct reporter reporter;
    unsigned sum = 0;
    begin(&reporter, level);
    for (unsigned index = 0; index < 2000; index++) {
        tell(&reporter, event);
        sum += lines();
    }
    end();
    return sum;
}

static void test_lines_about_connections_are_limited_unless_everything_is_asked_for(void **state)
{
    (void)state;
    static const struct mux_event of_connections[] = {
        {.kind = MUX_CLIENT_OPENED, .client = 1},
        {.kind = MUX_CLIENT_CLOSED, .client = 1, .reason = REASON_CLIENT_ENDED},
        {.kind = MUX_CLIENT_CLOSED, .client = 1, .reason = REASON_CLIENT_MALFORMED},
        {.kind = MUX_LINK_UP, .link = 1},
        {.kind = MUX_LINK_LOST, .link = 1, .reason = REASON_TARGET_ENDED},
    };
    for (size_t index = 0; index < ARRAY_COUNT(of_connections); index++) {
        assert_in_range(lines_of(LOG_INFO, of_connections[index]), 50, 1000);
        assert_int_equal(lines_of(LOG_DEBUG, of_connections[index]), 2000);
    }
}

static void test_a_flood_of_clients_does_not_hide_the_links(void **state)
{
    (void)state;
    struct reporter reporter;
    begin(&reporter, LOG_INFO);
    for (unsigned index = 0; index < 1000; index++) {
        tell(&reporter, (struct mux_event){.kind = MUX_CLIENT_OPENED, .client = 1});
        (void)lines();
    }
    tell(&reporter, (struct mux_event){.kind = MUX_LINK_UP, .link = 1});
    assert_int_equal(lines(), 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_ignored_would_have_left_no_trace),
        cmocka_unit_test(test_the_events_of_every_message_are_ignored_unless_they_are_logged),
        cmocka_unit_test(test_with_verbose_everything_that_happens_has_a_line),
        cmocka_unit_test(test_a_client_that_says_nothing_has_no_line_if_that_is_asked_for),
        cmocka_unit_test(test_lines_about_connections_are_limited_unless_everything_is_asked_for),
        cmocka_unit_test(test_a_flood_of_clients_does_not_hide_the_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
