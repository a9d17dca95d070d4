/* SPDX-License-Identifier: MIT */
/*
 * Addresses: what people write, and what sockets take.
 *
 * A *target* is `HOST:PORT`, `[IPV6]:PORT` or `unix:/path`; HOST is a name, an IPv4 or an IPv6
 * address. A *listen address* is `PORT`, `:PORT` (all addresses: IPv6 and IPv4, IPv4 alone where
 * there is no IPv6), `HOST:PORT`, `[IPV6]:PORT` or `unix:/path`; HOST is an address or a local
 * name, resolved at start. Port 0 lets the kernel choose and is for listening only. A *source* is
 * an address without port.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/compiler.h"
#include "base/error.h"

enum { HOST_BYTES_MAX = 256, ADDRESS_TEXT_MAX = 128 };

/* What was written, taken apart; nothing is resolved yet. */
struct endpoint {
    bool is_unix;
    bool is_wildcard;          /* a listen address without host */
    char host[HOST_BYTES_MAX]; /* without brackets; unix: the path */
    uint16_t port;
};

/* A socket address. */
struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    } is;
    socklen_t size;
};

bool endpoint_parse_target(const char *text, struct endpoint *endpoint,
                           struct error *error) MUST_USE;
bool endpoint_parse_listen(const char *text, struct endpoint *endpoint,
                           struct error *error) MUST_USE;
/* The endpoint as it would be written, at least ADDRESS_TEXT_MAX + HOST_BYTES_MAX capacity. */
char *endpoint_format(const struct endpoint *endpoint, char *text, size_t capacity);

/* The network interface that a host (an IPv6 address with a scope) names and this machine does not have now;
 * NULL: there is none such. Lends a part of `host`. */
const char *host_missing_interface(const char *host);

/* A source address: IPv4 or IPv6 without port. */
bool address_parse_source(const char *text, struct address *address, struct error *error) MUST_USE;

/* The endpoint's addresses without asking a name service (numeric and unix); 0: it is a name. */
size_t endpoint_numeric(const struct endpoint *endpoint, struct address *addresses,
                        size_t capacity);

/* `127.0.0.1:8000`, `[::1]:8000` (an IPv4 address inside IPv6 is shown as IPv4), `unix:/path`,
 * `unix` for an unnamed local peer. Returns `text`; ADDRESS_TEXT_MAX is enough. */
char *address_format(const struct address *address, char *text, size_t capacity);

/* The host alone, without port, brackets and zone: `127.0.0.1`, `::1`. False: the address has none. */
bool address_format_host(const struct address *address, char *text, size_t capacity);

#endif
