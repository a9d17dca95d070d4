/* SPDX-License-Identifier: MIT */
/*
 * Sockets as this program wants them: non-blocking, close-on-exec, without Nagle's delay, with
 * keepalive. Private to net/.
 *
 * A function that opens returns a descriptor that the caller owns, or -1 with errno set.
 */
#ifndef NET_SOCKET_H
#define NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "mux/mux.h"
#include "net/address.h"

/* What both kinds of socket need to know. */
struct socket_options {
    uint64_t keepalive_idle_ns; /* 0: no keepalive */
    uint64_t user_timeout_ns;   /* links only; 0: the system's own */
};

/* A listening socket, bound to `address`. */
int socket_open_listener(const struct address *address,
                         const struct socket_options *options) MUST_USE;

/* A socket for a link, not connected yet, bound to `source` unless that is NULL. */
int socket_open_link(int family, const struct address *source,
                     const struct socket_options *options) MUST_USE;

/* Whether somebody accepts connections on a unix socket's path. */
bool socket_path_is_alive(const struct address *address);

/* Makes the close that follows a reset. */
void socket_abort(int fd);

/* The local address; size 0 when it is not known. */
struct address socket_local(int fd);

/* The pending error as an errno, 0 when there is none. Takes it: the next call gives 0. */
int socket_error(int fd);

bool address_equals(const struct address *one, const struct address *other);

/* What an errno means for a connection attempt, and for an established connection. */
enum io_failure failure_of_connect(int error);
enum io_failure failure_of_transfer(int error);

#endif
