/* SPDX-License-Identifier: MIT */
/* See cpu_quota.h. */
#include "net/cpu_quota.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What is longer is not read to its end. */
enum { PATH_BYTES = 4352, OWN_BYTES = 8192, LINE_BYTES = 64 };

/* The beginning of a file, as text: no stream, since the loop allocates nothing. False: there is none. */
static bool read_text(const char *path, char *text, size_t capacity)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t size = read(fd, text, capacity - 1);
    (void)close(fd);
    text[size > 0 ? size : 0] = '\0';
    return size > 0;
}

/* A file in a directory. False: there is none. */
static bool read_line(const char *directory, const char *name, char *line)
{
    char path[PATH_BYTES];
    int size = snprintf(path, sizeof path, "%s/%s", directory, name);
    return size < (int)sizeof path && read_text(path, line, LINE_BYTES);
}

/* A quota of none is no number (`max`), or below 0. */
static unsigned percent(long long quota_us, long long period_us)
{
    if (quota_us <= 0 || period_us <= 0 || quota_us / period_us >= UINT_MAX / 100) {
        return CPU_QUOTA_NONE;
    }
    return (unsigned)(quota_us * 100 / period_us);
}

static unsigned quota_of(const char *directory)
{
    char line[LINE_BYTES], period[LINE_BYTES];
    if (read_line(directory, "cpu.max", line)) {
        char *end;
        long long quota_us = strtoll(line, &end, 10);
        return percent(quota_us, strtoll(end, NULL, 10));
    }
    if (read_line(directory, "cpu.cfs_quota_us", line) &&
        read_line(directory, "cpu.cfs_period_us", period)) {
        return percent(strtoll(line, NULL, 10), strtoll(period, NULL, 10));
    }
    return CPU_QUOTA_NONE;
}

/* The lowest of the group at `path`, which stands below `root`, and of all above it. */
static unsigned lowest(const char *root, const char *path)
{
    char directory[PATH_BYTES];
    size_t root_size = strlen(root);
    unsigned least = CPU_QUOTA_NONE;
    if (snprintf(directory, sizeof directory, "%s%s", root, path) >= (int)sizeof directory) {
        return least;
    }
    for (;;) {
        unsigned quota = quota_of(directory);
        least = quota < least ? quota : least;
        char *slash = strrchr(directory, '/');
        if (slash == NULL || (size_t)(slash - directory) < root_size) {
            return least;
        }
        *slash = '\0';
    }
}

/* Whether one of the names, with commas between, is `cpu`. */
static bool names_cpu(const char *names)
{
    size_t size;
    for (; *names != '\0'; names += size + (names[size] == ',')) {
        size = strcspn(names, ",");
        if (size == 3 && memcmp(names, "cpu", size) == 0) {
            return true;
        }
    }
    return false;
}

/* A line is `NUMBER:CONTROLLERS:PATH`; of version 2 the number is 0 and no controller is named. */
static unsigned quota_of_line(char *line, const char *root)
{
    char *names = strchr(line, ':');
    char *path = names == NULL ? NULL : strchr(++names, ':');
    if (path == NULL) {
        return CPU_QUOTA_NONE;
    }
    *path++ = '\0';
    if (names[0] == '\0') {
        return lowest(root, path);
    }
    char directory[PATH_BYTES];
    if (!names_cpu(names) ||
        snprintf(directory, sizeof directory, "%s/cpu", root) >= (int)sizeof directory) {
        return CPU_QUOTA_NONE;
    }
    return lowest(directory, path);
}

unsigned cpu_quota_in(const char *own, const char *root)
{
    char text[OWN_BYTES];
    unsigned least = CPU_QUOTA_NONE;
    if (!read_text(own, text, sizeof text)) {
        return least;
    }
    char *rest = text;
    while (*rest != '\0') {
        char *line = rest;
        rest += strcspn(rest, "\n");
        if (*rest != '\0') {
            *rest++ = '\0';
        }
        unsigned quota = quota_of_line(line, root);
        least = quota < least ? quota : least;
    }
    return least;
}

unsigned cpu_quota_percent(void)
{
    return cpu_quota_in("/proc/self/cgroup", "/sys/fs/cgroup");
}
