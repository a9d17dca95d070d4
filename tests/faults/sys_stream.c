/* SPDX-License-Identifier: MIT */
/*
 * The system calls on sockets, with faults; see sys_faulty.h.
 *
 * What a kernel may do, and so what is done here:
 *
 *  - Descriptors of connections are edge-triggered: each change is announced once. A receive that
 *    says EAGAIN or gives less than asked, while there is more, tells of bytes that come just
 *    after; then the kernel announces them. The layer does so by arming the descriptor again
 *    (EPOLL_CTL_MOD), some waits later. The same for a send's EAGAIN: room is announced. A short
 *    send announces nothing.
 *  - Once the end of the stream was announced, nothing can come behind what is in the socket: from
 *    then on receives are honest.
 *  - A connection breaks as it does when the peer resets it: what had arrived can still be read,
 *    then comes the error, once, then the end. The layer takes what had arrived, breaks the real
 *    connection with a reset that the peer sees, and plays the rest. An error that a send found is
 *    not found again.
 *  - Running out of something changes nothing: the client stays in the backlog.
 *  - close has closed, whatever it says.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/units.h"
#include "faults/failure.h"
#include "faults/sys_faulty_private.h"
#include "net/sys.h"

enum {
    KEPT_BYTES_MAX = 512 * 1024, /* more than arrives while nobody reads */
    REARM_WAITS_MAX = 4,
};

/* A shortage of descriptors or memory goes on for a while. Within it the engine asks each time that
 * something was closed, and now and then. */
#define SHORTAGE_NS_MAX (600 * NS_PER_MS)
enum { SHORTAGE_TRIES = 8 };

/* ---- breaking a connection ---- */

/* Takes what has arrived. Returns what comes behind it: EAGAIN (nothing yet), 0 (the end), or the
 * error of a reset that was faster than ours. */
static int take_arrived(int fd, struct descriptor *descriptor)
{
    descriptor->kept = malloc(KEPT_BYTES_MAX);
    if (descriptor->kept == NULL) {
        failure("no memory");
    }
    descriptor->kept_begin = descriptor->kept_end = 0;
    for (;;) {
        ssize_t got = recv(fd, descriptor->kept + descriptor->kept_end,
                           KEPT_BYTES_MAX - descriptor->kept_end, MSG_DONTWAIT);
        if (got <= 0) {
            return got == 0 ? 0 : errno;
        }
        descriptor->kept_end += (size_t)got;
        assert(descriptor->kept_end < KEPT_BYTES_MAX);
    }
}

/* Resets the real connection, which the kernel announces. Where the end has arrived, receives give
 * the end, and only sends tell of the reset. */
static void break_connection(int fd, struct descriptor *descriptor, int error)
{
    static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    assert(!descriptor->is_broken);
    int behind = take_arrived(fd, descriptor);
    descriptor->is_broken = true;
    descriptor->error = behind == EAGAIN ? error : behind;
    if (connect(fd, &nowhere, sizeof nowhere) != 0) {
        failure("cannot reset a connection: %s", strerror(errno));
    }
    failure_note("%llu broke %d: %s, behind %zu bytes", (unsigned long long)faulty.waits, fd,
                 descriptor->error == 0 ? "end" : strerrorname_np(descriptor->error),
                 descriptor->kept_end);
}

/* The kernel's error is told once: here, so not by SO_ERROR. */
static void take_socket_error(int fd)
{
    int error;
    socklen_t size = sizeof error;
    (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

static ssize_t receive_broken(int fd, struct descriptor *descriptor, void *bytes, size_t size)
{
    size_t left = descriptor->kept_end - descriptor->kept_begin;
    if (left > 0) {
        size_t given = left < size ? left : size;
        memcpy(bytes, descriptor->kept + descriptor->kept_begin, given);
        descriptor->kept_begin += given;
        return (ssize_t)given;
    }
    int error = descriptor->error;
    if (error == 0) {
        return 0;
    }
    descriptor->error = 0;
    take_socket_error(fd);
    errno = error;
    return -1;
}

static int break_error(void)
{
    /* The last one is none that the engine has a name for. */
    static const int errors[] = {ECONNRESET, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EPROTO};
    return faulty_one_of(errors, ARRAY_COUNT(errors));
}

/* ---- receiving and sending ---- */

static void rearm_later(struct descriptor *descriptor)
{
    if (descriptor->rearm_in == 0) {
        descriptor->rearm_in = (uint8_t)(1 + random_below(&faulty.random, REARM_WAITS_MAX));
    }
}

/* Fewer bytes than there may be. */
static ssize_t receive_short(int fd, struct descriptor *descriptor, void *bytes, size_t size)
{
    size_t few = 1 + random_below(&faulty.random, random_below(&faulty.random, 2) == 0 ? 8 : 4096);
    few = few < size ? few : size;
    ssize_t got = recv(fd, bytes, few, 0);
    if (got == (ssize_t)few && few < size) {
        failure_note("%llu recv(%d): short, %zu", (unsigned long long)faulty.waits, fd, few);
        rearm_later(descriptor);
    }
    return got;
}

ssize_t sys_recv(int fd, void *bytes, size_t size)
{
    struct descriptor *descriptor = faulty_descriptor(fd);
    faulty_maybe_act();
    if (faulty_strikes(FAULT_INTERRUPT)) {
        return faulty_fail("recv", fd, EINTR);
    }
    if (!descriptor->is_broken && faulty_strikes(FAULT_RECEIVE_RESET)) {
        break_connection(fd, descriptor, break_error());
    }
    if (descriptor->is_broken) {
        return receive_broken(fd, descriptor, bytes, size);
    }
    if (!descriptor->end_announced && faulty_strikes(FAULT_RECEIVE_AGAIN)) {
        rearm_later(descriptor);
        return faulty_fail("recv", fd, EAGAIN);
    }
    if (!descriptor->end_announced && faulty_strikes(FAULT_RECEIVE_SHORT)) {
        return receive_short(fd, descriptor, bytes, size);
    }
    return recv(fd, bytes, size, 0);
}

static ssize_t send_broken(int fd, struct descriptor *descriptor)
{
    int error = descriptor->error == 0 ? EPIPE : descriptor->error;
    descriptor->error = 0;
    take_socket_error(fd);
    return faulty_fail("send", fd, error);
}

ssize_t sys_send(int fd, const void *bytes, size_t size)
{
    struct descriptor *descriptor = faulty_descriptor(fd);
    faulty_maybe_act();
    if (faulty_strikes(FAULT_INTERRUPT)) {
        return faulty_fail("send", fd, EINTR);
    }
    if (!descriptor->is_broken && faulty_strikes(FAULT_SEND_RESET)) {
        break_connection(fd, descriptor,
                         random_below(&faulty.random, 4) == 0 ? EPIPE : break_error());
    }
    if (descriptor->is_broken) {
        return send_broken(fd, descriptor);
    }
    if (faulty_strikes(FAULT_SEND_AGAIN)) {
        rearm_later(descriptor);
        return faulty_fail("send", fd, EAGAIN);
    }
    if (size > 1 && faulty_strikes(FAULT_SEND_SHORT)) {
        size_t few =
            1 + random_below(&faulty.random, random_below(&faulty.random, 2) == 0 ? 8 : size);
        size = few < size ? few : size;
        failure_note("%llu send(%d): at most %zu", (unsigned long long)faulty.waits, fd, size);
    }
    return send(fd, bytes, size, MSG_NOSIGNAL);
}

/* ENOTCONN: the reset was faster. */
int sys_shutdown_write(int fd)
{
    struct descriptor *descriptor = faulty_descriptor(fd);
    faulty_maybe_act();
    if (!descriptor->is_broken && faulty_strikes(FAULT_SHUTDOWN_RESET)) {
        break_connection(fd, descriptor, ECONNRESET);
    }
    return descriptor->is_broken ? faulty_fail("shutdown", fd, ENOTCONN) : shutdown(fd, SHUT_WR);
}

/* ---- opening and closing ---- */

int sys_socket(int domain, int type, int protocol)
{
    static const int errors[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    if (faulty_strikes(FAULT_SOCKET_NO_ROOM)) {
        return faulty_fail("socket", -1, faulty_one_of(errors, ARRAY_COUNT(errors)));
    }
    return socket(domain, type, protocol);
}

/* Whether the connection is there already. */
static bool is_connected(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    return poll(&wait, 1, 0) == 1 && (wait.revents & (POLLERR | POLLHUP)) == 0;
}

int sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    static const int errors[] = {ECONNREFUSED, ETIMEDOUT,     ENETUNREACH,
                                 EHOSTUNREACH, EADDRNOTAVAIL, ECONNRESET};
    faulty_descriptor(fd)->is_connection = true;
    faulty_maybe_act();
    if (faulty_strikes(FAULT_CONNECT_AT_ONCE)) {
        return faulty_fail("connect", fd, faulty_one_of(errors, ARRAY_COUNT(errors)));
    }
    if (faulty_strikes(FAULT_CONNECT_LATER)) {
        failure_note("%llu connect(%d): to be refused", (unsigned long long)faulty.waits, fd);
        return connect(fd, (struct sockaddr *)&faulty.refusing, sizeof faulty.refusing);
    }
    if (faulty_strikes(FAULT_CONNECT_NEVER)) {
        failure_note("%llu connect(%d): no answer", (unsigned long long)faulty.waits, fd);
        return connect(fd, (struct sockaddr *)&faulty.silent, sizeof faulty.silent);
    }
    int result = connect(fd, address, size);
    if (result != 0 && errno == EINPROGRESS && faulty_strikes(FAULT_INTERRUPT)) {
        return faulty_fail("connect", fd, EINTR); /* it goes on all the same */
    }
    if (result != 0 && errno == EINPROGRESS && faulty_strikes(FAULT_CONNECT_QUICK) &&
        is_connected(fd)) {
        failure_note("%llu connect(%d): at once", (unsigned long long)faulty.waits, fd);
        return 0;
    }
    return result;
}

static void reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    (void)close(fd);
}

static bool has_shortage(void)
{
    if (faulty.now_ns < faulty.shortage_until_ns) {
        if (faulty.shortage_tries-- == 0) {
            failure("the engine accepts again and again while there is no descriptor");
        }
        return true;
    }
    if (faulty_strikes(FAULT_ACCEPT_NO_ROOM)) {
        faulty.shortage_until_ns = faulty.now_ns + random_below(&faulty.random, SHORTAGE_NS_MAX);
        faulty.shortage_tries = SHORTAGE_TRIES;
        return true;
    }
    return false;
}

int sys_accept(int fd, struct sockaddr *address, socklen_t *size)
{
    static const int no_room[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};
    static const int aborted[] = {ECONNABORTED, ECONNABORTED, EPROTO,
                                  EPERM,        ETIMEDOUT,    EHOSTUNREACH};
    faulty_maybe_act();
    if (faulty_strikes(FAULT_INTERRUPT)) {
        return faulty_fail("accept", fd, EINTR);
    }
    if (faulty_strikes(FAULT_ACCEPT_AGAIN)) {
        return faulty_fail("accept", fd, EAGAIN); /* level-triggered: announced again anyhow */
    }
    if (has_shortage()) {
        return faulty_fail("accept", fd, faulty_one_of(no_room, ARRAY_COUNT(no_room)));
    }
    int client = accept4(fd, address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0) {
        return client;
    }
    if (faulty_strikes(FAULT_ACCEPT_ABORTED)) {
        reset(client);
        return faulty_fail("accept", fd, faulty_one_of(aborted, ARRAY_COUNT(aborted)));
    }
    faulty_forget(client);
    faulty_descriptor(client)->is_connection = true;
    return client;
}

int sys_close(int fd)
{
    faulty_forget(fd);
    int result = close(fd);
    faulty.shortage_tries++;
    assert(result == 0); /* the engine closes what it owns, once */
    faulty_maybe_act();
    return faulty_strikes(FAULT_CLOSE) ? faulty_fail("close", fd, EINTR) : result;
}
