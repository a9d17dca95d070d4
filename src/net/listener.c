/* SPDX-License-Identifier: MIT */
/*
 * Opening and closing listening sockets; see listener.h.
 *
 * An endpoint gives a list of addresses: [::] and 0.0.0.0 for a bare port, what the name service
 * says for a name. All of them are opened; one that this machine does not have (no IPv6) is left
 * out as long as another one opens. With port 0 the first socket gets a port from the kernel and
 * the others are bound to the same; where one of them is taken, all are closed and the kernel is
 * asked again.
 *
 * A unix socket's file outlives a process that was killed. Such a file is taken over if it is a
 * socket on which nobody accepts. Between looking and removing another process may bind the path;
 * the loser is told so by bind, or has its file replaced: the usual risk of unix sockets, not worth
 * a lock file.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/sys.h"

enum { PORT_TRIES_MAX = 16 };

static bool cannot(struct error *error, const struct endpoint *endpoint, const char *trouble)
{
    char text[ADDRESS_TEXT_MAX + HOST_BYTES_MAX];
    error_set(error, "cannot listen on '%s': %s", endpoint_format(endpoint, text, sizeof text),
              trouble);
    return false;
}

static bool cannot_errno(struct error *error, const struct endpoint *endpoint, int number)
{
    char text[128];
    return cannot(error, endpoint, errno_text(number, text, sizeof text));
}

static uint16_t port_of(const struct address *address)
{
    return ntohs(address->is.any.sa_family == AF_INET6 ? address->is.v6.sin6_port
                                                       : address->is.v4.sin_port);
}

static void set_port(struct address *address, uint16_t port)
{
    if (address->is.any.sa_family == AF_INET6) {
        address->is.v6.sin6_port = htons(port);
    } else {
        address->is.v4.sin_port = htons(port);
    }
}

/* ---- unix ---- */

/* Removes the file at the path if it is a socket that nobody serves. NULL: done; else why not. */
static const char *remove_stale(const struct address *address)
{
    const char *path = address->is.local.sun_path;
    struct stat file;
    if (lstat(path, &file) != 0) {
        return errno == ENOENT ? NULL : "address already in use";
    }
    if (!S_ISSOCK(file.st_mode)) {
        return "the file exists and is no socket";
    }
    if (socket_path_is_alive(address)) {
        return "address already in use";
    }
    return unlink(path) == 0 ? NULL : "a stale socket file is in the way and cannot be removed";
}

static bool open_unix(const struct endpoint *endpoint, const struct socket_options *options,
                      struct listener *listener, struct error *error)
{
    size_t count = endpoint_numeric(endpoint, &listener->address, 1);
    assert(count == 1);
    listener->fd = socket_open_listener(&listener->address, options);
    if (listener->fd < 0 && errno == EADDRINUSE) {
        const char *trouble = remove_stale(&listener->address);
        if (trouble != NULL) {
            return cannot(error, endpoint, trouble);
        }
        listener->fd = socket_open_listener(&listener->address, options);
    }
    if (listener->fd < 0) {
        return cannot_errno(error, endpoint, errno);
    }
    struct stat file = {0};
    (void)lstat(listener->address.is.local.sun_path, &file);
    listener->file_device = file.st_dev;
    listener->file_number = file.st_ino;
    return true;
}

static void remove_file(const struct listener *listener)
{
    const char *path = listener->address.is.local.sun_path;
    struct stat file;
    if (lstat(path, &file) == 0 && file.st_dev == listener->file_device &&
        file.st_ino == listener->file_number) {
        (void)unlink(path);
    }
}

/* ---- TCP ---- */

/* The addresses of a local name. 0: error is set. */
static size_t look_up(const struct endpoint *endpoint, struct address *addresses, size_t capacity,
                      struct error *error)
{
    struct addrinfo hints = {.ai_flags = AI_ADDRCONFIG | AI_PASSIVE | AI_NUMERICSERV,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    (void)snprintf(service, sizeof service, "%u", endpoint->port);
    int trouble = getaddrinfo(endpoint->host, service, &hints, &found);
    if (trouble != 0) {
        const char *missing = host_missing_interface(endpoint->host);
        char text[HOST_BYTES_MAX + 16];
        (void)snprintf(text, sizeof text, "no interface %s", missing != NULL ? missing : "");
        (void)cannot(error, endpoint, missing != NULL ? text : gai_strerror(trouble));
        return 0;
    }
    size_t count = 0;
    for (struct addrinfo *info = found; info != NULL && count < capacity; info = info->ai_next) {
        assert(info->ai_addrlen <= sizeof addresses[count].is);
        addresses[count] = (struct address){.size = info->ai_addrlen};
        memcpy(&addresses[count++].is, info->ai_addr, info->ai_addrlen);
    }
    freeaddrinfo(found);
    return count;
}

static void close_some(struct listener *listeners, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        listener_close(&listeners[index]);
    }
}

/* This machine has no such address, or no such family. */
static bool is_absent(int error)
{
    return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* Opens all addresses that exist here, on one port. Returns 0 or an errno, with nothing left open.
 */
static int open_on_one_port(const struct address *addresses, size_t count,
                            const struct socket_options *options, struct listener *listeners,
                            size_t *opened)
{
    int absent = 0;
    uint16_t port = port_of(&addresses[0]);
    *opened = 0;
    for (size_t index = 0; index < count; index++) {
        struct listener *listener = &listeners[*opened];
        struct address address = addresses[index];
        set_port(&address, port);
        *listener = (struct listener){.fd = socket_open_listener(&address, options)};
        if (listener->fd < 0 && is_absent(errno)) {
            absent = errno;
            continue;
        }
        if (listener->fd < 0) {
            int error = errno;
            close_some(listeners, *opened);
            return error;
        }
        listener->address = socket_local(listener->fd);
        port = port_of(&listener->address);
        ++*opened;
    }
    return *opened > 0 ? 0 : absent;
}

static bool open_tcp(const struct endpoint *endpoint, const struct socket_options *options,
                     struct listener *listeners, size_t *listeners_count, struct error *error)
{
    struct address addresses[LISTENERS_PER_ENDPOINT_MAX];
    size_t count = endpoint_numeric(endpoint, addresses, LISTENERS_PER_ENDPOINT_MAX);
    if (count == 0) {
        count = look_up(endpoint, addresses, LISTENERS_PER_ENDPOINT_MAX, error);
    }
    if (count == 0) {
        return false;
    }
    int tries = endpoint->port == 0 ? PORT_TRIES_MAX : 1;
    int trouble = EADDRINUSE;
    while (tries-- > 0 && trouble == EADDRINUSE) {
        trouble = open_on_one_port(addresses, count, options, listeners, listeners_count);
    }
    return trouble == 0 ? true : cannot_errno(error, endpoint, trouble);
}

bool listener_open_all(const struct endpoint *endpoint, const struct socket_options *options,
                       struct listener listeners[static LISTENERS_PER_ENDPOINT_MAX],
                       size_t *listeners_count, struct error *error)
{
    *listeners_count = 0;
    if (!endpoint->is_unix) {
        return open_tcp(endpoint, options, listeners, listeners_count, error);
    }
    listeners[0] = (struct listener){.fd = -1};
    if (!open_unix(endpoint, options, &listeners[0], error)) {
        return false;
    }
    *listeners_count = 1;
    return true;
}

void listener_close(struct listener *listener)
{
    if (listener->fd < 0) {
        return;
    }
    if (listener->address.is.any.sa_family == AF_UNIX) {
        remove_file(listener);
    }
    (void)sys_close(listener->fd);
    listener->fd = -1;
}
