/* SPDX-License-Identifier: MIT */
/* Claims about src/daemon/signals.c. */
#include <signal.h>
#include <unistd.h>

#include "unit.h"

#include "daemon/signals.h"

static struct signals signals;

static int setup(void **state)
{
    struct error error;
    (void)state;
    return signals_block(&signals, &error) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    signals_restore(&signals);
    return 0;
}

static void test_signals_are_read_instead_of_interrupting(void **state)
{
    (void)state;
    static const int read[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1};
    for (size_t index = 0; index < ARRAY_COUNT(read); index++) {
        assert_int_equal(kill(getpid(), read[index]), 0);
        assert_int_equal(signals_next(&signals), read[index]);
        assert_int_equal(signals_next(&signals), 0);
    }
}

static void test_what_is_ignored_ends_nobody_and_is_not_read(void **state)
{
    (void)state;
    static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGUSR2};
    for (size_t index = 0; index < ARRAY_COUNT(ignored); index++) {
        assert_int_equal(kill(getpid(), ignored[index]), 0);
        assert_int_equal(signals_next(&signals), 0);
    }
}

static void test_everything_is_put_back(void **state)
{
    (void)state;
    struct signals nested;
    struct sigaction before, after;
    struct error error;
    assert_int_equal(sigaction(SIGXFSZ, NULL, &before), 0);
    assert_true(signals_block(&nested, &error));
    signals_restore(&nested);
    assert_int_equal(sigaction(SIGXFSZ, NULL, &after), 0);
    assert_true(before.sa_handler == after.sa_handler);
    signals_restore(&signals);
    assert_int_equal(sigaction(SIGXFSZ, NULL, &after), 0);
    assert_true(after.sa_handler == SIG_DFL);
    assert_true(signals_block(&signals, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_signals_are_read_instead_of_interrupting, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_is_ignored_ends_nobody_and_is_not_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_everything_is_put_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
