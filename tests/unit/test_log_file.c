/* SPDX-License-Identifier: MIT */
/* Claims about a log that is a file of ours (log_open, log_reopen in src/base/log.c). */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "log_tally.h"

static char folder[] = "/tmp/tcpmux-log-XXXXXX";
static char file[64];

/* What the file has. */
static void drain_file(const char *path, struct tally *tally)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    (void)drain(fd, tally);
    assert_int_equal(close(fd), 0);
}

/* A turn may log more than the buffer holds. */
static void test_a_long_turn_writes_before_its_end(void **state)
{
    (void)state;
    struct tally tally = {.next = 1};
    struct error error;
    assert_true(log_open(&log_out, file, LOG_INFO, LOG_TEXT, &error));
    lines_written = 0;
    log_defer(&log_out, true);
    write_lines(20000, 100);
    log_write(&log_out, 1);
    log_deinit(&log_out);
    drain_file(file, &tally);
    assert_int_equal(tally.lines, 20000);
}

/* The limit cuts a line, whose rest comes first when there is room. */
static void test_a_file_at_its_limit_goes_on_where_it_was_cut(void **state)
{
    (void)state;
    struct tally tally = {.next = 1};
    struct error error;
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 5000, .rlim_max = before.rlim_max};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    assert_int_equal(sigaction(SIGXFSZ, &ignore, &old), 0);
    assert_true(log_open(&log_out, file, LOG_INFO, LOG_TEXT, &error));
    lines_written = 0;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    write_lines(5000, 100);
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_size, 5000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    log_write(&log_out, 1);
    assert_int_equal(sigaction(SIGXFSZ, &old, NULL), 0);
    log_deinit(&log_out);
    drain_file(file, &tally);
    assert_int_equal(tally.lines + tally.lost, 5000);
    assert_true(tally.lost > 0);
}

static void test_a_line_that_was_begun_is_whole_in_the_next_file(void **state)
{
    (void)state;
    int ends[2], small = 2048;
    struct error error;
    struct tally tally = {.next = 1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    log_init(&log_out, ends[1], LOG_INFO, LOG_TEXT);
    lines_written = 0;
    assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    log_defer(&log_out, true);
    write_lines(20, 4000); /* more than the socket takes */
    log_write(&log_out, 1);
    assert_true(log_out.sink.begun > 0 || log_out.sink.head > 0);
    (void)drain(ends[0], &tally);
    unsigned lines = tally.lines;
    tally.rest_size = 0; /* what the old one has of a line */

    log_out.sink.owns = false;
    assert_int_equal(close(log_out.sink.fd), 0);
    memcpy(log_out.path, file, sizeof file);
    log_out.sink.fd = -1;
    assert_true(log_reopen(&log_out, &error));
    log_write(&log_out, 1);
    log_deinit(&log_out);
    drain_file(file, &tally);
    assert_int_equal(tally.lines, 20);
    assert_true(lines < 20);
    assert_int_equal(close(ends[0]), 0);
}

static void test_a_file_is_opened_again_by_its_name(void **state)
{
    (void)state;
    struct error error;
    struct tally old = {.next = 1}, new = {.next = 6};
    char moved[80], working[256];
    (void)snprintf(moved, sizeof moved, "%s.1", file);
    assert_non_null(getcwd(working, sizeof working));
    assert_int_equal(chdir(folder), 0);
    assert_true(log_open(&log_out, "log", LOG_INFO, LOG_TEXT, &error));
    assert_int_equal(chdir("/"), 0); /* a relative name is where we were */
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 0777 & ~0640U, 0);
    lines_written = 0;
    log_defer(&log_out, true);
    int number = log_out.sink.fd;
    write_lines(5, 10);
    assert_int_equal(rename(file, moved), 0);
    assert_true(log_reopen(&log_out, &error));
    assert_int_equal(log_out.sink.fd, number);
    assert_true((fcntl(number, F_GETFD) & FD_CLOEXEC) != 0);
    write_lines(5, 10);
    log_write(&log_out, 1);

    drain_file(file, &new);
    assert_int_equal(new.lines, 5);

    /* What cannot be opened leaves the old one in use. */
    assert_int_equal(unlink(file), 0);
    assert_int_equal(mkdir(file, 0700), 0);
    assert_false(log_reopen(&log_out, &error));
    assert_non_null(strstr(error.text, file));
    assert_int_equal(log_out.sink.fd, number);
    assert_int_equal(rmdir(file), 0);
    log_deinit(&log_out);
    drain_file(moved, &old);
    assert_int_equal(old.lines, 5);
    assert_int_equal(unlink(moved), 0);
    assert_int_equal(chdir(working), 0);
}

static void test_a_file_that_cannot_be_opened_is_said(void **state)
{
    (void)state;
    struct error error;
    assert_false(log_open(&log_out, "/no/such/folder/log", LOG_INFO, LOG_TEXT, &error));
    assert_string_equal(error.text, "cannot open '/no/such/folder/log': no such file or directory");
}

static int group_setup(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(file, sizeof file, "%s/log", folder);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(file);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define FILE_TEST(name) cmocka_unit_test_teardown(name, teardown)
        FILE_TEST(test_a_long_turn_writes_before_its_end),
        FILE_TEST(test_a_file_at_its_limit_goes_on_where_it_was_cut),
        FILE_TEST(test_a_line_that_was_begun_is_whole_in_the_next_file),
        FILE_TEST(test_a_file_is_opened_again_by_its_name),
        FILE_TEST(test_a_file_that_cannot_be_opened_is_said),
#undef FILE_TEST
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
