/* SPDX-License-Identifier: MIT */
/*
 * The system calls of sys.h, one function each.
 *
 * Only waiting is more than one call: epoll_pwait2 takes nanoseconds but is missing in kernels
 * before 5.11 and in some sandboxes (which answer EPERM), where epoll_wait with whole milliseconds,
 * rounded up, has to do. That is found out once.
 */
#include "net/sys.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"

/* One for all threads; that two of them find it out at the same time does no harm. */
static atomic_bool pwait2_is_missing;

int sys_socket(int domain, int type, int protocol)
{
    return socket(domain, type, protocol);
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return connect(fd, address, size);
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    return accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

ssize_t sys_recv(int fd, void *bytes, size_t size)
{
    return recv(fd, bytes, size, 0);
}

ssize_t sys_send(int fd, const void *bytes, size_t size)
{
    return send(fd, bytes, size, MSG_NOSIGNAL);
}

int sys_shutdown_write(int fd)
{
    return shutdown(fd, SHUT_WR);
}

int sys_close(int fd)
{
    return close(fd);
}

int sys_epoll_control(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    return epoll_ctl(epoll_fd, operation, fd, event);
}

static int timeout_ms(int64_t timeout_ns)
{
    if (timeout_ns < 0) {
        return -1;
    }
    int64_t whole_ms = timeout_ns / (int64_t)NS_PER_MS;
    int64_t ms = whole_ms + (timeout_ns % (int64_t)NS_PER_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

int sys_epoll_wait(int epoll_fd, struct epoll_event *events, int capacity, int64_t timeout_ns)
{
    if (!atomic_load_explicit(&pwait2_is_missing, memory_order_relaxed)) {
        struct timespec timeout = {.tv_sec = timeout_ns / (int64_t)NS_PER_S,
                                   .tv_nsec = timeout_ns % (int64_t)NS_PER_S};
        int count =
            epoll_pwait2(epoll_fd, events, capacity, timeout_ns < 0 ? NULL : &timeout, NULL);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return count;
        }
        atomic_store_explicit(&pwait2_is_missing, true, memory_order_relaxed);
    }
    return epoll_wait(epoll_fd, events, capacity, timeout_ms(timeout_ns));
}

int sys_processors_count(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void sys_yield(void)
{
    (void)sched_yield(); /* cannot fail */
}

uint64_t sys_clock_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}
