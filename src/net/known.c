/* SPDX-License-Identifier: MIT */
/* The addresses of a target; see known.h. The others keep the order in which the lookup gave them. */
#include "net/known.h"

#include <assert.h>
#include <string.h>

#include "net/socket.h"

void known_set(struct known *known, const struct address *addresses, size_t count)
{
    assert(count <= RESOLVED_MAX);
    memcpy(known->addresses, addresses, count * sizeof *addresses);
    known->count = count;
    known_order(known);
}

void known_worked(struct known *known, const struct address *address)
{
    known->worked = *address;
}

void known_order(struct known *known)
{
    size_t index = 0;
    while (index < known->count && !address_equals(&known->addresses[index], &known->worked)) {
        index++;
    }
    if (known->worked.size == 0 || index == known->count) {
        return;
    }
    struct address worked = known->addresses[index];
    memmove(known->addresses + 1, known->addresses, index * sizeof *known->addresses);
    known->addresses[0] = worked;
}

void known_forget(struct known *known)
{
    *known = (struct known){.count = 0};
}
