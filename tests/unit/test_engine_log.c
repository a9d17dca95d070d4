/* SPDX-License-Identifier: MIT */
/*
 * Claims about how the engine writes the log: at the end of a turn, and when the descriptor or the time
 * lets it, without any other event.
 *
 * An engine without routes runs until it is stopped. The first event makes the turn that logs; a thread
 * reads the log and causes the event that stops the engine when it has seen what it waits for.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#include "base/units.h"
#include "net/engine.h"

struct play {
    struct log log;
    struct engine *engine;
    int ends[2]; /* of the log: where it is read, where it is written */
    int begin_fd, stop_fd;
    void (*turn)(struct play *play); /* NULL: the reader begins */
    pthread_t reader;
    const char *expected; /* by the reader */
};

static struct play play;

static void poke(int fd)
{
    const uint64_t one = 1;
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
}

static void *read_log(void *context)
{
    static char text[1024 * 1024];
    size_t size = 0;
    ssize_t got;
    (void)context;
    while ((got = read(play.ends[0], text + size, sizeof text - 1 - size)) > 0) {
        size += (size_t)got;
        text[size] = '\0';
        if (strstr(text, play.expected) != NULL) {
            poke(play.stop_fd);
            return NULL;
        }
    }
    return NULL;
}

static void begins(void *context)
{
    uint64_t count;
    (void)context;
    assert_int_equal(read(play.begin_fd, &count, sizeof count), sizeof count);
    if (play.turn == NULL) {
        assert_int_equal(pthread_create(&play.reader, NULL, read_log, NULL), 0);
        return;
    }
    void (*turn)(struct play * play) = play.turn;
    play.turn = NULL;
    turn(&play);
    poke(play.begin_fd);
}

static void stops(void *context)
{
    (void)context;
    engine_stop(play.engine);
}

static void open_pipe(void)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    play.ends[0] = fds[0];
    play.ends[1] = fds[1];
    log_init(&play.log, play.ends[1], LOG_INFO, LOG_TEXT);
}

static void open_engine(void (*turn)(struct play *play))
{
    struct error error;
    play.turn = turn;
    play.engine = engine_create(&play.log, &error);
    assert_non_null(play.engine);
    play.begin_fd = eventfd(0, EFD_CLOEXEC);
    play.stop_fd = eventfd(0, EFD_CLOEXEC);
    assert_true(engine_watch(play.engine, play.begin_fd, begins, NULL, &error));
    assert_true(engine_watch(play.engine, play.stop_fd, stops, NULL, &error));
    log_defer(&play.log, true);
}

static void close_all(void)
{
    engine_destroy(&play.engine);
    log_deinit(&play.log);
    (void)close(play.ends[0]);
    (void)close(play.ends[1]);
    (void)close(play.begin_fd);
    (void)close(play.stop_fd);
}

/* Runs the turn, and those that it asks for, until the text has come out of the log. */
static void run_until(const char *expected)
{
    play.expected = expected;
    poke(play.begin_fd);
    engine_run(play.engine);
    assert_int_equal(pthread_join(play.reader, NULL), 0);
    close_all();
}

static void log_one(struct play *of)
{
    log_event(&of->log, LOG_INFO, "e", "one line");
}

static void test_a_line_is_written_at_the_end_of_its_turn(void **state)
{
    (void)state;
    open_pipe();
    open_engine(log_one);
    run_until("one line\n");
}

static void log_many(struct play *of)
{
    for (unsigned index = 0; index < 10000; index++) {
        log_event(&of->log, LOG_INFO, "e", "line %u of more than pipe and buffer hold", index);
    }
    assert_true(log_blocked_fd(&of->log) >= 0);
    assert_true(of->log.sink.lost > 0);
}

static void test_what_waits_is_written_when_somebody_reads(void **state)
{
    (void)state;
    open_pipe();
    open_engine(log_many);
    run_until(" log lines were lost");
}

/* A fifo keeps the number of its descriptor when it is opened again, and is watched all the same. */
static void reopen_blocked(struct play *of)
{
    struct error error;
    assert_true(log_reopen(&of->log, &error));
}

static void block_and_reopen(struct play *of)
{
    log_many(of);
    of->turn = reopen_blocked;
}

static void test_a_log_that_is_opened_again_is_watched_again(void **state)
{
    (void)state;
    struct error error;
    char path[64];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fds[1]);
    play.ends[0] = fds[0];
    play.ends[1] = fds[1];
    assert_true(log_open(&play.log, path, LOG_INFO, LOG_TEXT, &error));
    open_engine(block_and_reopen);
    run_until(" log lines were lost");
}

static void leave_out(struct play *of)
{
    while (log_may_tell(&of->log, engine_now(), false)) {
    }
    of->log.flow.due_ns = engine_now() + 20 * NS_PER_MS;
}

static void test_what_was_left_out_is_said_when_it_is_due(void **state)
{
    (void)state;
    open_pipe();
    open_engine(leave_out);
    run_until(" 1 line about connections was left out lines=1\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_written_at_the_end_of_its_turn),
        cmocka_unit_test(test_what_waits_is_written_when_somebody_reads),
        cmocka_unit_test(test_a_log_that_is_opened_again_is_watched_again),
        cmocka_unit_test(test_what_was_left_out_is_said_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
