/* SPDX-License-Identifier: MIT */
/*
 * Silence in front of requests, as checks: --check-gap where answers show nothing of their requests, and
 * behind a greeting.
 */
#ifndef SIM_QUIET_H
#define SIM_QUIET_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct connection;

/* Of a link. */
struct quiet_watch {
    uint64_t greeted_at; /* the first byte that came before anything was sent; 0: none did */
    uint64_t silent_at;  /* the last of these */
    uint64_t looked_at;  /* the last request that was taken behind a silence; 0: none was */
    uint32_t taken;      /* requests that took the link */
    bool awaits_close;   /* the last that found it empty had to wait for a close */
};

/* The engine has read bytes of the link. True: they are a greeting. */
bool quiet_is_greeting(const struct world *world, struct connection *link);

/* A request takes the link. */
void check_link_was_quiet(const struct world *world, struct connection *link);

/* Whether it may still have to be silent before it takes a request. */
bool quiet_may_last(const struct world *world, const struct connection *link);

#endif
