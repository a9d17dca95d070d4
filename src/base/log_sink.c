/* SPDX-License-Identifier: MIT */
/*
 * Lines wait, are written, are lost and counted; see log_sink.h.
 *
 *     [ written | begun | waits | free ]
 *                head           tail
 *
 * The bytes move to the front when the free part is too small for the next line, or at once when nothing
 * waits: so a log that is read as it is written stays within the first pages of the buffer.
 */
#include "base/log_sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

#define RETRY_NS NS_PER_S

enum {
    HALF_BYTES = LOG_SINK_BYTES / 2,
    WRITE_AT_BYTES = 64 * 1024, /* within a turn: no need to wait for its end */
    SOCKET_BYTES_MAX = 64 * 1024,
};

/* ---- the descriptor ---- */

static enum log_sink_kind kind_of(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        return LOG_SINK_PLAIN; /* writing will say what is wrong */
    }
    if (S_ISSOCK(status.st_mode)) {
        return LOG_SINK_SOCKET;
    }
    bool is_stream = S_ISFIFO(status.st_mode) || (S_ISCHR(status.st_mode) && isatty(fd) == 1);
    return is_stream ? LOG_SINK_STREAM : LOG_SINK_PLAIN;
}

/* Another descriptor for the same pipe or terminal, with flags of its own. -1: not permitted, or no /proc. */
static int open_again(int fd)
{
    char path[32];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

void log_sink_init(struct log_sink *sink, int fd)
{
    sink->fd = fd;
    sink->owns = false;
    sink->kind = (uint8_t)kind_of(fd);
    sink->state = LOG_SINK_READY;
    sink->loses = false;
    sink->error = sink->lost_error = 0;
    sink->retry_ns = sink->lost = 0;
    sink->head = sink->begun = sink->tail = 0;
    if (sink->kind != LOG_SINK_STREAM) {
        return;
    }
    int again = open_again(fd);
    if (again < 0) {
        sink->kind = LOG_SINK_SHARED_STREAM;
        return;
    }
    sink->fd = again;
    sink->owns = true;
}

/* That its number stays matters to whoever watches it: a number that were closed here could soon be that of
 * somebody else's connection. */
void log_sink_take(struct log_sink *sink, int fd)
{
    if (sink->owns) {
        int result = dup3(fd, sink->fd, O_CLOEXEC);
        assert(result == sink->fd); /* both are open */
        (void)close(fd);
    } else {
        sink->fd = fd;
        sink->owns = true;
    }
    sink->kind = (uint8_t)kind_of(sink->fd);
    sink->state = LOG_SINK_READY;
    sink->begun = 0;
}

void log_sink_deinit(struct log_sink *sink)
{
    if (sink->owns) {
        (void)close(sink->fd);
    }
    sink->owns = false;
    sink->fd = -1;
}

/* ---- writing ---- */

/* Of a descriptor that blocks, and must stay so. */
static ssize_t write_shared(int fd, const char *bytes, size_t size)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};
    if (poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    const union {
        const char *constant;
        void *base; /* as iovec wants it, which serves reading too */
    } from = {.constant = bytes};
    const struct iovec part = {.iov_base = from.base, .iov_len = size};
    ssize_t written = pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
    if (written < 0 && (errno == EOPNOTSUPP || errno == ENOSYS)) {
        written = write(fd, bytes, size);
    }
    return written;
}

static ssize_t write_some(const struct log_sink *sink, const char *bytes, size_t size)
{
    switch ((enum log_sink_kind)sink->kind) {
    case LOG_SINK_PLAIN:
    case LOG_SINK_STREAM:
        return write(sink->fd, bytes, size);
    case LOG_SINK_SOCKET:
        return send(sink->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    case LOG_SINK_SHARED_STREAM:
        return write_shared(sink->fd, bytes, size);
    }
    assert(false);
    return -1;
}

static size_t bytes_max(enum log_sink_kind kind)
{
    switch (kind) {
    case LOG_SINK_PLAIN:
        return LOG_SINK_BYTES;
    case LOG_SINK_SOCKET:
        return SOCKET_BYTES_MAX;
    case LOG_SINK_STREAM:
    case LOG_SINK_SHARED_STREAM:
        return PIPE_BUF;
    }
    assert(false);
    return 0;
}

/* How much of what waits goes out at once: whole lines, unless one alone is too long. */
static size_t portion(const struct log_sink *sink, const char *bytes)
{
    size_t size = (size_t)(sink->bytes + sink->tail - bytes);
    size_t max = bytes_max((enum log_sink_kind)sink->kind);
    if (size <= max) {
        return size;
    }
    const char *last = memrchr(bytes, '\n', max);
    return last == NULL ? max : (size_t)(last + 1 - bytes);
}

static void consume(struct log_sink *sink, size_t size)
{
    size_t end = sink->head + sink->begun + size;
    assert(end <= sink->tail);
    const char *last = memrchr(sink->bytes + sink->head, '\n', end - sink->head);
    if (last != NULL) {
        sink->head = (size_t)(last + 1 - sink->bytes);
    }
    sink->begun = end - sink->head;
    if (log_sink_is_empty(sink)) {
        sink->head = sink->tail = 0;
    }
}

static void stop_at(struct log_sink *sink, int error)
{
    sink->error = error;
    sink->state = error == EAGAIN || error == EWOULDBLOCK ? LOG_SINK_BLOCKED : LOG_SINK_FAILED;
}

void log_sink_write_now(struct log_sink *sink)
{
    sink->state = LOG_SINK_READY;
    while (!log_sink_is_empty(sink) && sink->state == LOG_SINK_READY) {
        const char *bytes = sink->bytes + sink->head + sink->begun;
        ssize_t written = write_some(sink, bytes, portion(sink, bytes));
        if (written > 0) {
            consume(sink, (size_t)written);
        } else if (written == 0) {
            stop_at(sink, EIO);
        } else if (errno != EINTR) {
            stop_at(sink, errno);
        }
    }
}

void log_sink_write(struct log_sink *sink, uint64_t now_ns)
{
    if (sink->state == LOG_SINK_BLOCKED ||
        (sink->state == LOG_SINK_FAILED && now_ns < sink->retry_ns)) {
        return;
    }
    log_sink_write_now(sink);
    sink->retry_ns = sink->state == LOG_SINK_FAILED ? time_after(now_ns, RETRY_NS) : 0;
}

void log_sink_unblock(struct log_sink *sink)
{
    if (sink->state == LOG_SINK_BLOCKED) {
        sink->state = LOG_SINK_READY;
    }
}

uint64_t log_sink_deadline(const struct log_sink *sink)
{
    if (sink->state != LOG_SINK_FAILED || log_sink_is_empty(sink)) {
        return TIME_NEVER;
    }
    bool may_pass = sink->error == ENOSPC || sink->error == EDQUOT || sink->error == EFBIG ||
                    sink->error == ENOBUFS || sink->error == ENOMEM;
    return may_pass ? sink->retry_ns : TIME_NEVER;
}

static uint64_t clock_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void log_sink_finish(struct log_sink *sink, uint64_t ns)
{
    uint64_t until_ns = time_after(clock_ns(), ns);
    log_sink_write_now(sink);
    for (uint64_t now_ns = clock_ns(); sink->state == LOG_SINK_BLOCKED && now_ns < until_ns;
         now_ns = clock_ns()) {
        struct pollfd ready = {.fd = sink->fd, .events = POLLOUT};
        (void)poll(&ready, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1);
        log_sink_write_now(sink);
    }
}

/* ---- lines ---- */

static size_t size_waiting(const struct log_sink *sink)
{
    return sink->tail - sink->head;
}

static void move_to_front(struct log_sink *sink)
{
    memmove(sink->bytes, sink->bytes + sink->head, size_waiting(sink));
    sink->tail -= sink->head;
    sink->head = 0;
}

static char *lose(struct log_sink *sink)
{
    if (sink->lost == 0) {
        sink->lost_error = sink->state == LOG_SINK_FAILED ? sink->error : 0;
    }
    sink->lost++;
    sink->loses = true;
    return NULL;
}

char *log_sink_lend(struct log_sink *sink, size_t size)
{
    if (sink->loses) {
        return lose(sink);
    }
    if (size_waiting(sink) + size > WRITE_AT_BYTES && sink->state == LOG_SINK_READY) {
        log_sink_write_now(sink);
    }
    if (size > LOG_SINK_BYTES - size_waiting(sink)) {
        return lose(sink);
    }
    if (size > LOG_SINK_BYTES - sink->tail) {
        move_to_front(sink);
    }
    return sink->bytes + sink->tail;
}

void log_sink_give(struct log_sink *sink, size_t size)
{
    assert(size > 0 && size <= LOG_SINK_BYTES - sink->tail);
    sink->tail += size;
    assert(sink->bytes[sink->tail - 1] == '\n');
}

uint64_t log_sink_take_lost(struct log_sink *sink, int *error)
{
    if (sink->lost == 0 || size_waiting(sink) > HALF_BYTES) {
        return 0;
    }
    uint64_t lost = sink->lost;
    *error = sink->lost_error;
    sink->lost = 0;
    sink->loses = false;
    return lost;
}
