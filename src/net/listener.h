/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets: one listen address of the configuration opens one or several. Private to net/.
 *
 * listener_open_all fills `listeners` with what one endpoint needs; listener_close closes one and
 * removes its file. A closed listener has fd -1 and stays where it is: the engine may still hold an
 * event for it.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/error.h"
#include "net/address.h"
#include "net/socket.h"
#include "net/source.h"

enum { LISTENERS_PER_ENDPOINT_MAX = 16 };

struct engine_route;

struct listener {
    struct source source;
    bool is_armed;              /* in the epoll set */
    int fd;                     /* owns; -1: closed */
    struct address address;     /* with the port that the kernel chose */
    struct engine_route *route; /* borrows */
    dev_t file_device;          /* unix: which file is ours */
    ino_t file_number;
};

/* Opens the sockets of `endpoint` and sets their count. False: none is left open. */
bool listener_open_all(const struct endpoint *endpoint, const struct socket_options *options,
                       struct listener listeners[static LISTENERS_PER_ENDPOINT_MAX],
                       size_t *listeners_count, struct error *error) MUST_USE;

/* Closes it and removes a unix socket's file, if it is still the one that was made. Idempotent. */
void listener_close(struct listener *listener);

#endif
