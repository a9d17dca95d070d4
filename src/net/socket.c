/* SPDX-License-Identifier: MIT */
/*
 * Opening sockets and setting their options; see socket.h.
 *
 * An accepted socket inherits the options of its listener on Linux, so clients get TCP_NODELAY and
 * keepalive through the listener and accepting costs no further system calls. An option that cannot
 * be set is no reason to refuse service, except the two that decide what an address means:
 * IPV6_V6ONLY and SO_REUSEADDR.
 */
#include "net/socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "net/sys.h"

enum {
    BACKLOG = 4096,            /* the kernel caps it at net.core.somaxconn */
    KEEPALIVE_INTERVAL_S = 10, /* a dead peer is found after the idle time plus 6 * 10 s */
    KEEPALIVE_PROBES = 6,
};

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof value);
}

static int in_range(uint64_t value, uint64_t max)
{
    return (int)(value < 1 ? 1 : value > max ? max : value);
}

/* The kernel takes 1 to 32767 seconds. */
static int keepalive_s(uint64_t idle_ns)
{
    return in_range((idle_ns + NS_PER_S - 1) / NS_PER_S, 32767);
}

static void set_tcp_options(int fd, const struct socket_options *options)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (options->keepalive_idle_ns == 0) {
        return;
    }
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive_s(options->keepalive_idle_ns));
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES);
}

/* Closes without disturbing errno. */
static int give_up(int fd)
{
    int error = errno;
    (void)sys_close(fd);
    errno = error;
    return -1;
}

static int open_stream(int family)
{
    return sys_socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool bind_and_listen(int fd, const struct address *address)
{
    int on = 1;
    int family = address->is.any.sa_family;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
        return false;
    }
    if (family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        return false;
    }
    return bind(fd, &address->is.any, address->size) == 0 && listen(fd, BACKLOG) == 0;
}

int socket_open_listener(const struct address *address, const struct socket_options *options)
{
    int fd = open_stream(address->is.any.sa_family);
    if (fd < 0) {
        return -1;
    }
    if (!bind_and_listen(fd, address)) {
        return give_up(fd);
    }
    if (address->is.any.sa_family != AF_UNIX) {
        set_tcp_options(fd, options);
    }
    return fd;
}

int socket_open_link(int family, const struct address *source, const struct socket_options *options)
{
    int fd = open_stream(family);
    if (fd < 0) {
        return -1;
    }
    if (family == AF_UNIX) {
        return fd;
    }
    set_tcp_options(fd, options);
    if (options->user_timeout_ns > 0) {
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT,
                   in_range(options->user_timeout_ns / NS_PER_MS, INT_MAX));
    }
    if (source != NULL) {
        /* The port is chosen when connecting, so that only the whole quadruple must be free. */
        set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        if (bind(fd, &source->is.any, source->size) != 0) {
            return give_up(fd);
        }
    }
    return fd;
}

bool socket_path_is_alive(const struct address *address)
{
    int fd = open_stream(AF_UNIX);
    if (fd < 0) {
        return true; /* not known: nothing is removed */
    }
    bool refused = sys_connect(fd, &address->is.any, address->size) != 0 && errno == ECONNREFUSED;
    (void)sys_close(fd);
    return !refused;
}

void socket_abort(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

struct address socket_local(int fd)
{
    struct address address = {.size = sizeof address.is};
    if (fd < 0 || getsockname(fd, &address.is.any, &address.size) != 0) {
        return (struct address){.size = 0};
    }
    return address;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool address_equals(const struct address *one, const struct address *other)
{
    if (one->is.any.sa_family != other->is.any.sa_family) {
        return false;
    }
    switch (one->is.any.sa_family) {
    case AF_INET:
        return one->is.v4.sin_port == other->is.v4.sin_port &&
               one->is.v4.sin_addr.s_addr == other->is.v4.sin_addr.s_addr;
    case AF_INET6:
        return one->is.v6.sin6_port == other->is.v6.sin6_port &&
               IN6_ARE_ADDR_EQUAL(&one->is.v6.sin6_addr, &other->is.v6.sin6_addr);
    default:
        return false;
    }
}

enum io_failure failure_of_connect(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ENOENT: /* unix: there is no such path (yet) */
    case EAGAIN: /* unix: the backlog is full */
        return IO_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case ETIMEDOUT:
        return IO_UNREACHABLE;
    default:
        return IO_OTHER;
    }
}

enum io_failure failure_of_transfer(int error)
{
    switch (error) {
    case ECONNRESET:
    case ECONNABORTED:
    case ECONNREFUSED:
    case EPIPE:
    case ENOTCONN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return IO_RESET;
    default:
        return IO_OTHER;
    }
}
