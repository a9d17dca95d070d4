/* SPDX-License-Identifier: MIT */
/*
 * How the target is reached: whether its name resolves, to how many addresses, and what each of them
 * does to a connection.
 */
#ifndef SIM_NETWORK_H
#define SIM_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

enum { NETWORK_ADDRESSES_MAX = 3 };

enum address_mode {
    ADDRESS_ACCEPTS,
    ADDRESS_REFUSES,
    ADDRESS_UNREACHABLE,
    ADDRESS_HANGS, /* never answers */
};

struct network {
    bool resolves;
    bool resolver_hangs;
    uint32_t addresses_count;
    enum address_mode modes[NETWORK_ADDRESSES_MAX];
    uint64_t resolve_ns, connect_ns;
    uint32_t
        slots; /* connections that the target holds at a time, more are refused; 0: any number */
};

#endif
