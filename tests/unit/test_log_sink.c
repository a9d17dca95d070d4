/* SPDX-License-Identifier: MIT */
/*
 * Claims about src/base/log_sink.c, and what src/base/log.c makes of it: nothing waits, lines stay whole
 * and in order, and what is lost is counted exactly, whatever the descriptor is.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "log_tally.h"

#include "base/units.h"

/* ---- what is written to, and read from ---- */

struct way {
    const char *name;
    void (*open)(int ends[2]);
};

static void open_pipe(int ends[2])
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    ends[0] = fds[0];
    ends[1] = fds[1];
}

static void open_stream_socket(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void open_terminal(int ends[2])
{
    ends[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(ends[0] >= 0);
    assert_int_equal(grantpt(ends[0]), 0);
    assert_int_equal(unlockpt(ends[0]), 0);
    ends[1] = open(ptsname(ends[0]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(ends[1] >= 0);
    struct termios modes;
    assert_int_equal(tcgetattr(ends[1], &modes), 0);
    cfmakeraw(&modes);
    assert_int_equal(tcsetattr(ends[1], TCSANOW, &modes), 0);
}

static const struct way ways[] = {
    {"pipe", open_pipe}, {"socket", open_stream_socket}, {"terminal", open_terminal}};

static void begin(const struct way *way, int ends[2])
{
    way->open(ends);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    log_init(&log_out, ends[1], LOG_INFO, LOG_TEXT);
    log_out.colour = false;
    lines_written = 0;
}

static void end(int ends[2])
{
    log_deinit(&log_out);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

/* Waits until there is something to read, or room to write. A terminal passes on what it took a moment later,
 * when its worker runs: until then it may take nothing and give nothing. */
static void await_either(int reading_fd)
{
    struct pollfd ready[] = {{.fd = log_blocked_fd(&log_out), .events = POLLOUT},
                             {.fd = reading_fd, .events = POLLIN}};
    assert_in_range(poll(ready, ARRAY_COUNT(ready), 30000), 1, ARRAY_COUNT(ready));
}

/* Nobody reads, then somebody does: every line is there or counted, in order. */
static void check_unread(const struct way *way, bool defers)
{
    int ends[2];
    struct tally tally = {.next = 1};
    begin(way, ends);
    log_defer(&log_out, defers);
    write_lines(10000, 100);
    log_write(&log_out, 1);
    assert_int_equal(log_blocked_fd(&log_out), log_out.sink.fd);
    assert_int_equal(log_deadline(&log_out), TIME_NEVER);
    assert_int_equal(log_out.sink.fd == ends[1], !log_out.sink.owns);
    while (!log_is_quiet(&log_out)) {
        await_either(ends[0]);
        (void)drain(ends[0], &tally);
        log_unblock(&log_out);
        log_write(&log_out, 1);
    }
    write_lines(10, 100);
    log_write(&log_out, 1);
    while (tally.next < 10011) {
        await_either(ends[0]);
        (void)drain(ends[0], &tally);
        log_unblock(&log_out);
        log_write(&log_out, 1);
    }
    assert_int_equal(tally.lines + tally.lost, 10010);
    assert_int_equal(tally.next, 10011);
    assert_int_equal(tally.rest_size, 0);
    assert_true(tally.lost > 0);
    assert_true(tally.lost_lines >= 1 && tally.lost_lines < 5);
    assert_true(tally.lines > LOG_SINK_BYTES / 200);
    end(ends);
}

static void test_what_nobody_reads_is_bounded_and_what_is_lost_is_counted(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(ways); index++) {
        check_unread(&ways[index], false);
        check_unread(&ways[index], true);
    }
}

static void test_the_descriptor_we_were_given_keeps_its_flags(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(ways); index++) {
        int ends[2];
        begin(&ways[index], ends);
        write_lines(10, 100);
        assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
        end(ends);
    }
}

/* Where /proc does not open it again: as if that were so. */
static void test_a_pipe_that_cannot_be_opened_again_does_not_block_either(void **state)
{
    (void)state;
    int ends[2];
    struct tally tally = {.next = 1};
    begin(&ways[0], ends);
    log_deinit(&log_out);
    log_out.sink.fd = ends[1];
    log_out.sink.kind = LOG_SINK_SHARED_STREAM;
    write_lines(10000, 100);
    assert_int_equal(log_blocked_fd(&log_out), ends[1]);
    while (drain(ends[0], &tally) > 0) {
        log_unblock(&log_out);
        log_write(&log_out, 1);
    }
    assert_int_equal(tally.lines + tally.lost, 10000);
    end(ends);
}

static void test_deferred_lines_are_one_write(void **state)
{
    (void)state;
    int ends[2];
    struct tally tally = {.next = 1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    log_init(&log_out, ends[1], LOG_INFO, LOG_TEXT);
    lines_written = 0;
    log_defer(&log_out, true);
    write_lines(20, 10);
    char bytes[65536];
    assert_int_equal(read(ends[0], bytes, sizeof bytes), -1);
    assert_false(log_is_quiet(&log_out));
    log_write(&log_out, 1);
    assert_true(log_is_quiet(&log_out));
    ssize_t size = read(ends[0], bytes, sizeof bytes);
    assert_true(size > 0);
    tally_bytes(&tally, bytes, (size_t)size);
    assert_int_equal(tally.lines, 20);
    end(ends);
}

/* So that what others write to it stands between two lines. */
static void test_a_pipe_that_is_full_ends_with_a_line(void **state)
{
    (void)state;
    int ends[2];
    struct tally tally = {.next = 1};
    begin(&ways[0], ends);
    assert_int_equal(fcntl(ends[1], F_SETPIPE_SZ, 8192), 8192);
    log_defer(&log_out, true);
    write_lines(1000, 100);
    log_write(&log_out, 1);
    assert_true(log_blocked_fd(&log_out) >= 0);
    assert_true(drain(ends[0], &tally) > 0);
    assert_int_equal(tally.rest_size, 0);
    end(ends);
}

/* In the loop that is log_write's; before it there is no other moment. */
static void test_before_the_loop_what_was_lost_is_said_before_the_next_line(void **state)
{
    (void)state;
    int ends[2];
    struct tally tally = {.next = 1};
    begin(&ways[1], ends);
    write_lines(10000, 100);
    assert_true(log_out.sink.lost > 0);
    while (drain(ends[0], &tally) > 0) {
        log_sink_write_now(&log_out.sink);
    }
    assert_int_equal(tally.lost, 0);
    write_lines(1, 100);
    (void)drain(ends[0], &tally);
    assert_int_equal(tally.lines + tally.lost, 10001);
    end(ends);
}

static void test_a_slow_reader_sees_few_gaps(void **state)
{
    (void)state;
    int ends[2];
    struct tally tally = {.next = 1};
    begin(&ways[0], ends);
    log_defer(&log_out, true);
    for (unsigned turn = 0; turn < 500; turn++) { /* twice as much is written as is read */
        char bytes[4096];
        write_lines(60, 100);
        log_unblock(&log_out);
        log_write(&log_out, 1);
        ssize_t size = read(ends[0], bytes, sizeof bytes);
        assert_true(size > 0);
        tally_bytes(&tally, bytes, (size_t)size);
    }
    assert_true(tally.lost > 1000);
    assert_true(tally.lost_lines < 50);
    end(ends);
}

/* ---- failures ---- */

static void test_a_full_disk_is_tried_again_every_second(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(full >= 0);
    log_init(&log_out, full, LOG_INFO, LOG_TEXT);
    lines_written = 0;
    log_defer(&log_out, true);
    write_lines(1, 10);
    log_write(&log_out, 10 * NS_PER_S);
    assert_int_equal(log_blocked_fd(&log_out), -1);
    assert_int_equal(log_deadline(&log_out), 11 * NS_PER_S);
    write_lines(10000, 100);
    assert_true(log_out.sink.lost > 0);

    /* Room comes back. */
    struct tally tally = {.next = 1};
    int ends[2];
    open_stream_socket(ends);
    log_out.sink.fd = ends[1];
    log_out.sink.kind = LOG_SINK_SOCKET;
    log_write(&log_out, 11 * NS_PER_S - 1);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(drain(ends[0], &tally), 0);
    log_write(&log_out, 11 * NS_PER_S);
    while (drain(ends[0], &tally) > 0) {
        log_unblock(&log_out);
        log_write(&log_out, 12 * NS_PER_S);
    }
    assert_int_equal(tally.lines + tally.lost, 10001);
    assert_true(tally.lost > 0);
    assert_int_equal(log_deadline(&log_out), TIME_NEVER);
    end(ends);
    assert_int_equal(close(full), 0);
}

static void test_a_descriptor_that_is_no_good_wakes_nobody(void **state)
{
    (void)state;
    int ends[2];
    begin(&ways[1], ends);
    log_defer(&log_out, true);
    assert_int_equal(shutdown(ends[1], SHUT_WR), 0);
    write_lines(10, 10);
    log_write(&log_out, 10 * NS_PER_S);
    assert_int_equal(log_blocked_fd(&log_out), -1);
    assert_int_equal(log_deadline(&log_out), TIME_NEVER);
    end(ends);
    log_init(&log_out, -1, LOG_INFO, LOG_TEXT);
    write_lines(10000, 100);
    log_write(&log_out, 10 * NS_PER_S);
    assert_int_equal(log_blocked_fd(&log_out), -1);
    assert_int_equal(log_deadline(&log_out), TIME_NEVER);
    log_finish(&log_out);
}

/* ---- the end ---- */

struct reader {
    int fd;
    struct tally *tally;
};

static void *read_to_the_end(void *context)
{
    const struct reader *reader = context;
    (void)drain(reader->fd, reader->tally);
    return NULL;
}

static void test_what_waits_at_the_end_is_written_if_somebody_reads(void **state)
{
    (void)state;
    int ends[2];
    static struct tally tally;
    tally = (struct tally){.next = 1};
    begin(&ways[0], ends);
    write_lines(2000, 100);
    assert_true(log_blocked_fd(&log_out) >= 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
    struct reader reader = {.fd = ends[0], .tally = &tally};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_to_the_end, &reader), 0);
    log_finish(&log_out);
    log_deinit(&log_out);
    assert_int_equal(close(ends[1]), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(tally.lines, 2000);
    assert_int_equal(close(ends[0]), 0);
}

static void test_the_end_does_not_wait_for_long(void **state)
{
    (void)state;
    int ends[2];
    begin(&ways[0], ends);
    write_lines(2000, 100);
    struct timespec from, to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    log_finish(&log_out);
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    assert_true(to.tv_sec - from.tv_sec < 10);
    assert_false(log_is_quiet(&log_out));
    end(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_nobody_reads_is_bounded_and_what_is_lost_is_counted),
        cmocka_unit_test(test_the_descriptor_we_were_given_keeps_its_flags),
        cmocka_unit_test(test_a_pipe_that_cannot_be_opened_again_does_not_block_either),
        cmocka_unit_test(test_deferred_lines_are_one_write),
        cmocka_unit_test(test_a_pipe_that_is_full_ends_with_a_line),
        cmocka_unit_test(test_before_the_loop_what_was_lost_is_said_before_the_next_line),
        cmocka_unit_test(test_a_slow_reader_sees_few_gaps),
        cmocka_unit_test(test_a_full_disk_is_tried_again_every_second),
        cmocka_unit_test(test_a_descriptor_that_is_no_good_wakes_nobody),
        cmocka_unit_test(test_what_waits_at_the_end_is_written_if_somebody_reads),
        cmocka_unit_test(test_the_end_does_not_wait_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
