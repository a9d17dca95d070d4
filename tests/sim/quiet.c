/* SPDX-License-Identifier: MIT */
/* See quiet.h. The times stand in docs/echo.md, and are written here anew. */
#include "quiet.h"

#include <string.h>

#include "base/units.h"
#include "closer.h"
#include "pipelines.h"
#include "run.h"
#include "world.h"

enum { CHECKS_FIRST = 8 };

#define CHECK_NS_MAX    (10 * NS_PER_S)
#define GREETING_NS     (50 * NS_PER_MS)
#define GREETING_NS_MAX (1 * NS_PER_S)

/* Garbage of a client may be a request without a type. */
static bool may_be_blind(const struct world *world)
{
    return world->options.check_gap_ns > 0 && world->options.in_flight_max == 1 &&
           (dialect_counts(&world->dialect) || strcmp(world->dialect.protocol->name, "echo") == 0);
}

static bool is_blind(const struct world *world)
{
    return may_be_blind(world) && !world->dialect.has_types;
}

bool quiet_is_greeting(const struct world *world, struct connection *link)
{
    struct quiet_watch *quiet = &link->watch.quiet;
    if (link->taken_at > 0) {
        return false;
    }
    if (quiet->greeted_at == 0) {
        quiet->greeted_at = world->now_ns;
    }
    quiet->silent_at = world->now_ns;
    return true;
}

/* Since its last byte, or since it was connected, when the last request took it. */
static uint64_t silence_of(const struct connection *link)
{
    uint64_t from = link->watch.last_byte_at;
    from = from > link->connected_at ? from : link->connected_at;
    return link->taken_at > from ? link->taken_at - from : 0;
}

static uint64_t greeting_ends(const struct connection *link)
{
    uint64_t quiet_at = link->watch.quiet.silent_at + GREETING_NS;
    uint64_t last_at = link->watch.quiet.greeted_at + GREETING_NS_MAX;
    return quiet_at < last_at ? quiet_at : last_at;
}

void check_link_was_quiet(const struct world *world, struct connection *link)
{
    struct quiet_watch *quiet = &link->watch.quiet;
    uint64_t slack = (world->swarm.engine.tick_max_ns + world->swarm.engine.wake_ns) * 64;
    bool is_first = quiet->taken == 1;
    if (is_first && quiet->greeted_at != 0 && link->taken_at + slack < greeting_ends(link)) {
        sim_fail("the first request waits for the end of a greeting", "link %llu is used before",
                 (unsigned long long)link->number);
    }
    bool was_quiet = silence_of(link) + slack >= world->options.check_gap_ns;
    if (was_quiet || !is_blind(world)) {
        quiet->looked_at = link->taken_at;
        return;
    }
    if (quiet->taken <= CHECKS_FIRST) {
        sim_fail("--check-gap precedes the first requests of a link",
                 "link %llu is used %llu ns after its last byte", (unsigned long long)link->number,
                 (unsigned long long)silence_of(link));
    }
    if (link->taken_at - quiet->looked_at > CHECK_NS_MAX + slack) {
        sim_fail("--check-gap precedes a request every ten seconds", "link %llu had none",
                 (unsigned long long)link->number);
    }
}

bool quiet_may_last(const struct world *world, const struct connection *link)
{
    uint64_t late_ns = (world->swarm.engine.tick_max_ns + world->swarm.engine.wake_ns) * 64;
    if (closer_is_awaited(world, link, false) && !pipeline_carries_anything(world, link) &&
        world->now_ns < link->watch.last_byte_at + SIM_CLOSE_QUIET_NS + late_ns) {
        return true;
    }
    uint64_t from = link->watch.last_byte_at;
    from = from > link->connected_at ? from : link->connected_at;
    bool is_greeted = link->watch.quiet.greeted_at != 0 && link->taken_at == 0;
    if (is_greeted && world->now_ns < greeting_ends(link) + late_ns) {
        return true;
    }
    if (world->has_shifted && link->taken_at == 0 &&
        world->now_ns < link->connected_at + GREETING_NS_MAX + late_ns) {
        return true;
    }
    return may_be_blind(world) && world->now_ns < from + world->options.check_gap_ns + late_ns;
}
