/* SPDX-License-Identifier: MIT */
/* When links are opened and how long they live; see links.h. */
#include "links.h"

#include "memory.h"
#include "pipelines.h"
#include "turns.h"
#include "world.h"

void links_begin(struct dialling *dialling)
{
    *dialling = (struct dialling){.stranded_since = TIME_NEVER, .crowded_since = TIME_NEVER};
}

/* What system calls may take in one turn. */
static uint64_t slack_ns(const struct world *world)
{
    return world->swarm.engine.tick_max_ns * 64;
}

static bool is_usable(const struct connection *link)
{
    return link->is_link && link->was_up && !link->was_lost;
}

static uint32_t usable_count(const struct world *world)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->live_count; i++) {
        count += is_usable(world->live[i]);
    }
    return count;
}

/* ---- back-off ---- */

/* The least pause behind so many failed attempts in a row. Those who wait for any link at all do not wait
 * for longer than half of --queue-timeout. */
static uint64_t least_pause(const struct mux_options *options, uint64_t failed, bool is_extra)
{
    if (failed == 0) {
        return 0;
    }
    uint64_t pause = options->retry_delay_min_ns;
    for (uint64_t i = 1; i < failed && pause < options->retry_delay_max_ns; i++) {
        pause *= 2;
    }
    pause = pause < options->retry_delay_max_ns ? pause : options->retry_delay_max_ns;
    return is_extra || pause < options->queue_timeout_ns / 2 ? pause
                                                             : options->queue_timeout_ns / 2;
}

static void add_pause(struct dialling *dialling, bool is_extra, uint64_t from)
{
    struct failures *behind = &dialling->behind[is_extra];
    behind->count += behind->count == 0;
    if (from > behind->from) {
        behind->from = from;
    }
}

static void add_failure(struct dialling *dialling, bool is_extra, uint64_t from)
{
    dialling->behind[is_extra].count++;
    add_pause(dialling, is_extra, from);
}

/* One attempt runs at a time: the last one, if its link never came up, has failed. */
static void settle_attempt(struct dialling *dialling)
{
    if (dialling->is_open) {
        dialling->is_open = false;
        add_failure(dialling, dialling->is_extra, dialling->from);
    }
}

static bool is_dialling(const struct world *world)
{
    const struct dialling *dialling = &world->dialling;
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        if (!dialling->is_begun || (link->is_link && link->id != MUX_ID_NONE && !link->was_up &&
                                    !(link->told_failure && dialling->is_last))) {
            return true;
        }
    }
    return false;
}

static void check_no_storm(const struct world *world)
{
    const struct failures *failures = &world->dialling.behind[world->dialling.is_extra];
    uint64_t pause = least_pause(&world->options, failures->count, world->dialling.is_extra);
    uint64_t passed = world->now_ns - failures->from + slack_ns(world);
    if (passed < pause) {
        sim_fail(
            "recovery without a storm",
            "attempt at %s link begins %llu us after the last of %llu that failed, %llu us is the "
            "pause",
            world->dialling.is_extra ? "an extra" : "the first",
            (unsigned long long)(passed / NS_PER_US), (unsigned long long)failures->count,
            (unsigned long long)(pause / NS_PER_US));
    }
}

static void check_extra_link_is_needed(const struct world *world)
{
    if (!turns_may_wait_for_any_link(world)) {
        sim_fail("an extra link is opened only for somebody who waits", "nobody does");
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        if (is_usable(link) && !pipeline_may_be_full(world, link)) {
            sim_fail("an extra link is opened only where those there are full", "link %llu is not",
                     (unsigned long long)link->number);
        }
    }
}

void links_dial(struct world *world)
{
    struct dialling *dialling = &world->dialling;
    settle_attempt(dialling);
    dialling->is_open = true;
    dialling->is_begun = false;
    dialling->is_extra = usable_count(world) > 0;
    if (world->modelled) {
        check_no_storm(world);
    }
    if (world->modelled && dialling->is_extra) {
        check_extra_link_is_needed(world);
    }
    dialling->from = world->now_ns;
}

void links_succeeded(struct world *world, const struct connection *link)
{
    if (!is_dialling(world)) {
        settle_attempt(&world->dialling);
    }
    world->dialling.behind[link->is_extra] = (struct failures){0};
}

void links_lost(struct world *world, const struct connection *link, enum mux_reason reason)
{
    bool deliberate =
        reason == REASON_LINK_IDLE || reason == REASON_LINK_LIFETIME || reason == REASON_SHUTDOWN;
    bool is_clients_doing =
        reason == REASON_HALF_REQUEST || reason == REASON_ORPHAN || reason == REASON_MEMORY;
    if (link->watch.answered == 0 && is_clients_doing) {
        add_pause(&world->dialling, link->is_extra, link->connected_at);
    } else if (link->watch.answered == 0 && !deliberate) {
        add_failure(&world->dialling, link->is_extra, link->connected_at);
    }
    world->calm_links_lost_max += reason == REASON_LINK_LIFETIME;
}

/* ---- no waiting for nothing ---- */

/* When an attempt is due at the latest, but for what system calls take. */
static uint64_t due_at(const struct world *world, bool is_extra)
{
    const struct failures *failures = &world->dialling.behind[is_extra];
    uint64_t pause = least_pause(&world->options, failures->count, is_extra) * 5 / 4;
    return failures->count == 0 ? 0 : failures->from + pause;
}

/* A request that waits without any link is worth an attempt as soon as the pause is over. */
void check_recovery_is_prompt(struct world *world)
{
    struct dialling *dialling = &world->dialling;
    const struct mux_counters *counters = mux_counters(world->mux);
    if (counters->waiting == 0 || counters->links > 0) {
        dialling->stranded_since = TIME_NEVER;
        return;
    }
    settle_attempt(dialling);
    if (dialling->stranded_since == TIME_NEVER) {
        dialling->stranded_since = world->now_ns;
    }
    uint64_t at = due_at(world, false);
    at = at > dialling->stranded_since ? at : dialling->stranded_since;
    if (world->modelled && memory_failed() == 0 &&
        world->now_ns > at + NS_PER_MS + world_stopped_since(world, at)) {
        sim_fail("recovery is prompt",
                 "a request waits, %llu attempts have failed, and none was begun for %llu us",
                 (unsigned long long)dialling->behind[false].count,
                 (unsigned long long)((world->now_ns - at) / NS_PER_US));
    }
}

static bool is_crowded(const struct world *world)
{
    uint32_t links = mux_counters(world->mux)->links;
    if (!world->modelled || memory_failed() > 0 || world->draining ||
        links == world->options.links_max || links == 0 || links != usable_count(world) ||
        !turns_wait_for_any_link(world)) {
        return false;
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        if (is_usable(world->live[i]) && !pipeline_is_full(world, world->live[i])) {
            return false;
        }
    }
    return true;
}

void check_extra_links_are_opened(struct world *world)
{
    struct dialling *dialling = &world->dialling;
    if (!is_crowded(world)) {
        dialling->crowded_since = TIME_NEVER;
        return;
    }
    settle_attempt(dialling);
    if (dialling->crowded_since == TIME_NEVER) {
        dialling->crowded_since = world->now_ns;
    }
    uint64_t at = due_at(world, true);
    at = at > dialling->crowded_since ? at : dialling->crowded_since;
    if (world->now_ns > at + NS_PER_MS + world_stopped_since(world, at)) {
        sim_fail("an extra link is opened where those there are full",
                 "somebody waits, %llu attempts have failed, and none was begun for %llu us",
                 (unsigned long long)dialling->behind[true].count,
                 (unsigned long long)((world->now_ns - at) / NS_PER_US));
    }
}

/* ---- --link-lifetime ---- */

/* How long it has been able to carry requests. */
static uint64_t age_ns(const struct world *world, const struct connection *link)
{
    uint64_t from = link->connected_at + world->options.delay_ns;
    return world->now_ns > from ? world->now_ns - from : 0;
}

bool links_is_old(const struct world *world, const struct connection *link)
{
    uint64_t lifetime_ns = world->options.link_lifetime_ns;
    return lifetime_ns > 0 && age_ns(world, link) >= lifetime_ns;
}

void check_link_is_young(const struct world *world, const struct connection *link)
{
    uint64_t lifetime_ns = world->options.link_lifetime_ns;
    if (lifetime_ns > 0 && age_ns(world, link) > lifetime_ns + slack_ns(world)) {
        sim_fail("a link takes nothing after its --link-lifetime",
                 "link %llu takes a request, %llu us old", (unsigned long long)link->number,
                 (unsigned long long)(age_ns(world, link) / NS_PER_US));
    }
}

void check_link_lifetime(const struct world *world)
{
    uint64_t over_ns = world->options.link_lifetime_ns + NS_PER_MS;
    for (uint32_t i = 0; world->modelled && i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        if (is_usable(link) && links_is_old(world, link) && age_ns(world, link) > over_ns &&
            world_stopped_since(world, world->now_ns > NS_PER_MS ? world->now_ns - NS_PER_MS : 0) ==
                0 &&
            !pipeline_carries_anything(world, link) &&
            world->now_ns - link->watch.last_byte_at > NS_PER_MS) {
            sim_fail("a link ends when its --link-lifetime is over",
                     "link %llu carries nothing, and is there", (unsigned long long)link->number);
        }
    }
}
