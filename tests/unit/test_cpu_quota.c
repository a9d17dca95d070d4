/* SPDX-License-Identifier: MIT */
/*
 * Claims about src/net/cpu_quota.c: the lowest quota of the group and of those above it counts, of both
 * versions of control groups, and what cannot be read is none. The files stand in a directory of the test's
 * own.
 */
#include "net/cpu_quota.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

enum { PATH_BYTES = 512, FILES_MAX = 16 };

static char root[64];
static char paths[FILES_MAX][PATH_BYTES]; /* what was made, in this order */
static unsigned count;

static char *path_of(const char *name)
{
    assert_true(count < FILES_MAX);
    char *path = paths[count++];
    assert_true(snprintf(path, PATH_BYTES, "%s/%s", root, name) < PATH_BYTES);
    return path;
}

static void make_directory(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0700), 0);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(path_of(name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    count = 0;
    (void)snprintf(root, sizeof root, "/tmp/quota-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int end(void **state)
{
    (void)state;
    while (count > 0) {
        (void)remove(paths[--count]);
    }
    return rmdir(root);
}

static unsigned quota_of(const char *own)
{
    char path[PATH_BYTES];
    write_file("own", own);
    (void)snprintf(path, sizeof path, "%s/own", root);
    return cpu_quota_in(path, root);
}

static void test_half_a_processor(void **state)
{
    (void)state;
    make_directory("a");
    write_file("a/cpu.max", "50000 100000\n");
    assert_int_equal(quota_of("0::/a\n"), 50);
}

static void test_the_lowest_above_counts(void **state)
{
    (void)state;
    make_directory("a");
    make_directory("a/b");
    write_file("a/cpu.max", "25000 100000\n");
    write_file("a/b/cpu.max", "200000 100000\n");
    assert_int_equal(quota_of("0::/a/b\n"), 25);
}

static void test_no_quota_is_none(void **state)
{
    (void)state;
    make_directory("a");
    write_file("a/cpu.max", "max 100000\n");
    assert_int_equal(quota_of("0::/a\n"), CPU_QUOTA_NONE);
}

static void test_the_hosts_path_in_a_container(void **state)
{
    (void)state;
    write_file("cpu.max", "150000 100000\n");
    assert_int_equal(quota_of("0::/docker/0123\n"), 150);
}

static void test_version_1(void **state)
{
    (void)state;
    make_directory("cpu");
    make_directory("cpu/a");
    write_file("cpu/cpu.cfs_quota_us", "-1\n");
    write_file("cpu/cpu.cfs_period_us", "100000\n");
    write_file("cpu/a/cpu.cfs_quota_us", "75000\n");
    write_file("cpu/a/cpu.cfs_period_us", "100000\n");
    assert_int_equal(quota_of("5:memory:/a\n4:cpu,cpuacct:/a\n3:cpuset:/a\n0::/a\n"), 75);
}

static void test_what_is_not_there_or_rubbish_is_none(void **state)
{
    (void)state;
    assert_int_equal(cpu_quota_in("/nonexistent", root), CPU_QUOTA_NONE);
    write_file("cpu.max", "rubbish\n");
    assert_int_equal(quota_of("rubbish\n0:\n::\n0::/a\n"), CPU_QUOTA_NONE);
}

static void test_a_period_of_nothing_and_a_quota_of_very_much(void **state)
{
    (void)state;
    write_file("cpu.max", "50000 0\n");
    assert_int_equal(quota_of("0::/\n"), CPU_QUOTA_NONE);
    write_file("cpu.max", "9000000000000000 1\n");
    assert_int_equal(quota_of("0::/\n"), CPU_QUOTA_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_half_a_processor, begin, end),
        cmocka_unit_test_setup_teardown(test_the_lowest_above_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_no_quota_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_the_hosts_path_in_a_container, begin, end),
        cmocka_unit_test_setup_teardown(test_version_1, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_not_there_or_rubbish_is_none, begin, end),
        cmocka_unit_test_setup_teardown(test_a_period_of_nothing_and_a_quota_of_very_much, begin,
                                        end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
