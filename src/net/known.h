/* SPDX-License-Identifier: MIT */
/*
 * The addresses of a target, in the order to be tried: the one that was connected last stands first,
 * wherever a later lookup has it. A zeroed one has none. Private to net/.
 */
#ifndef NET_KNOWN_H
#define NET_KNOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"
#include "net/resolver.h"

struct known {
    struct address addresses[RESOLVED_MAX];
    size_t count;
    struct address worked; /* size 0: none has */
};

/* A lookup gave these. */
void known_set(struct known *known, const struct address *addresses, size_t count);

/* The address was connected: the next attempt begins with it (known_order). */
void known_worked(struct known *known, const struct address *address);

/* An attempt begins; until the next one the order stays. */
void known_order(struct known *known);

/* The name exists no more. */
void known_forget(struct known *known);

#endif
