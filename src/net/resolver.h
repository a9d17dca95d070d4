/* SPDX-License-Identifier: MIT */
/*
 * The addresses of one name, looked up without keeping the loop waiting. Private to net/.
 *
 *     resolver_start(resolver)            returns at once
 *     resolver_fd becomes readable        then resolver_take gives the answer
 *
 * One lookup at a time. All functions are for the thread of the engine. resolver_destroy never
 * waits for a lookup that is under way.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "net/address.h"

enum { RESOLVED_MAX = 16 };

struct resolver;

/* `family` limits the answer to one address family; AF_UNSPEC: any. NULL: no memory or no
 * descriptor. */
struct resolver *resolver_create(const struct endpoint *endpoint, int family) MUST_USE;
void resolver_destroy(struct resolver **resolver);

/* The descriptor to watch for reading; the resolver's. */
int resolver_fd(const struct resolver *resolver);

/* Begins a lookup, unless one is under way; `*started` tells which. False: the system gives no
 * thread. */
bool resolver_start(struct resolver *resolver, bool *started) MUST_USE;

/* Takes the answer, if it is there: false otherwise. On success `*trouble` is NULL and `addresses`
 * has
 * `*count` >= 1 in the order to be tried; on failure `*trouble` is a text that is never freed. */
bool resolver_take(struct resolver *resolver, struct address addresses[static RESOLVED_MAX],
                   size_t *count, const char **trouble) MUST_USE;

#endif
