/* SPDX-License-Identifier: MIT */
/* When links are opened and how long they live; see links.h. */
#include "links.h"

#include "memory.h"
#include "pipelines.h"
#include "turns.h"
#include "world.h"

void links_begin(struct dialling *dialling)
{
    *dialling = (struct dialling){
        .stranded_since = TIME_NEVER, .crowded_since = TIME_NEVER, .out_since = TIME_NEVER};
}

/* What system calls may take in one turn. */
static uint64_t slack_ns(const struct world *world)
{
    return (world->swarm.engine.tick_max_ns + world->swarm.engine.wake_ns) * 64;
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

/* ---- outages ---- */

static bool is_dialling(const struct world *world);

/* No link is usable, but for the pause between one that did not fail and the attempt that follows. */
static void note_outage(struct world *world)
{
    struct dialling *dialling = &world->dialling;
    bool is_out = usable_count(world) == 0 && !dialling->is_replacing;
    if (is_out != (dialling->out_since != TIME_NEVER)) {
        dialling->outage_ns = links_outage_ns(world);
        dialling->out_since = is_out ? world->now_ns : TIME_NEVER;
        dialling->outages++;
    }
}

uint64_t links_outage_ns(const struct world *world)
{
    const struct dialling *dialling = &world->dialling;
    return dialling->outage_ns +
           (dialling->out_since == TIME_NEVER ? 0 : world->now_ns - dialling->out_since);
}

bool links_were_out(const struct world *world, const struct ledger_entry *entry, uint64_t ns)
{
    uint64_t out_ns = links_outage_ns(world) - entry->ready_outage_ns;
    uint64_t changes = world->dialling.outages - entry->ready_outages;
    return out_ns + (changes + 1) * slack_ns(world) >= ns;
}

bool links_are_well(const struct world *world)
{
    for (uint32_t i = 0; i < world->live_count; i++) {
        const struct connection *link = world->live[i];
        bool tries = link->stage == STAGE_RESOLVING || link->stage == STAGE_CONNECTING;
        if (link->is_link && tries && (!link->succeeds || link->due_at == TIME_NEVER)) {
            return false;
        }
    }
    return world->dialling.misses == world->dialling.misses_made_up;
}

/* What attempts take that succeed is no outage of the target's, but counts. */
bool links_were_well(const struct world *world, const struct ledger_entry *entry)
{
    const struct dialling *dialling = &world->dialling;
    uint64_t attempts = dialling->outages - entry->ready_outages + 1;
    uint64_t attempt_ns = dialling->attempt_ns + slack_ns(world) + NS_PER_MS;
    return entry->ready_well && links_are_well(world) && dialling->misses == entry->ready_misses &&
           world_stopped_since(world, entry->ready_at) == 0 &&
           attempts * attempt_ns < world->options.queue_timeout_ns;
}

/* ---- back-off ---- */

/* How a link ends, and what that means for the next attempt. */
enum ending { ENDING_OVER, ENDING_REPLACED, ENDING_FAILED };

/* Whether it is for a client's sake, or our own. */
static bool is_clients(enum mux_reason reason)
{
    return reason == REASON_HALF_REQUEST || reason == REASON_ORPHAN || reason == REASON_HOLD ||
           reason == REASON_MEMORY;
}

static enum ending ending_of(const struct connection *link, enum mux_reason reason)
{
    const struct link_watch *watch = &link->watch;
    bool is_over = reason == REASON_LINK_IDLE || reason == REASON_LINK_LIFETIME ||
                   reason == REASON_SHUTDOWN || reason == REASON_RESPONSE_CLOSES ||
                   reason == REASON_REQUEST_CLOSES || reason == REASON_EARLY_RESPONSE;
    bool is_the_targets = reason == REASON_TARGET_ENDED || reason == REASON_TARGET_RESET ||
                          reason == REASON_IO_ERROR || reason == REASON_TARGET_MALFORMED ||
                          reason == REASON_TARGET_TOO_LARGE || reason == REASON_TARGET_STRAY;
    if (is_over || (is_the_targets && watch->answered > 0)) {
        return ENDING_OVER;
    }
    return is_clients(reason) || watch->heard ? ENDING_REPLACED : ENDING_FAILED;
}

static uint64_t smaller(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t doubled(const struct mux_options *options, uint64_t pause)
{
    return pause == 0 ? options->retry_delay_min_ns
                      : smaller(2 * pause, options->retry_delay_max_ns);
}

/* What the pause is at most while requests wait for any link, in the first minute. */
static uint64_t short_pause(const struct mux_options *options)
{
    uint64_t half = options->queue_timeout_ns / 2;
    return half > options->retry_delay_min_ns ? half : options->retry_delay_min_ns;
}

static bool is_short(const struct failures *failures)
{
    return failures->from < time_after(failures->since, 60 * NS_PER_S);
}

/* Whoever waited when it failed, the pause is between the two. */
static void add_failure(const struct world *world, struct dialling *dialling, bool is_extra,
                        uint64_t from)
{
    struct failures *behind = &dialling->behind[is_extra];
    const struct mux_options *options = &world->options;
    dialling->misses++;
    behind->since = behind->count++ == 0 ? world->now_ns : behind->since;
    behind->from = from > behind->from ? from : behind->from;
    behind->least = doubled(options, behind->least);
    behind->most = doubled(options, behind->most);
    if (!is_extra && is_short(behind)) {
        behind->least = smaller(behind->least, short_pause(options));
    }
}

/* One attempt runs at a time: the last one, if its link never came up, has failed. */
static void settle_attempt(const struct world *world, struct dialling *dialling)
{
    if (dialling->is_open) {
        dialling->is_open = false;
        add_failure(world, dialling, dialling->is_extra, dialling->from);
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
    const struct dialling *dialling = &world->dialling;
    const struct failures *failures = &dialling->behind[dialling->is_extra];
    uint64_t pause = failures->least;
    uint64_t passed = world->now_ns - failures->from + slack_ns(world);
    if (passed < pause) {
        sim_fail(
            "recovery without a storm",
            "attempt at %s link begins %llu us after the last of %llu that failed, %llu us is the "
            "pause",
            dialling->is_extra ? "an extra" : "the first", (unsigned long long)(passed / NS_PER_US),
            (unsigned long long)failures->count, (unsigned long long)(pause / NS_PER_US));
    }
    passed = world->now_ns - dialling->connected_at + slack_ns(world);
    if (dialling->replacements > 0 && passed < SIM_REPLACE_NS) {
        sim_fail("clients cannot have the target hammered",
                 "a link is replaced %llu us after the previous connection",
                 (unsigned long long)(passed / NS_PER_US));
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
    settle_attempt(world, dialling);
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
    dialling->replacements -= dialling->replacements > 0;
    dialling->is_replacing = false;
    note_outage(world);
}

void links_up(struct world *world)
{
    world->dialling.connected_at = world->now_ns;
    world->dialling.misses_made_up = world->dialling.misses;
    note_outage(world);
}

void links_succeeded(struct world *world, const struct connection *link)
{
    if (!is_dialling(world)) {
        settle_attempt(world, &world->dialling);
    }
    world->dialling.behind[link->is_extra] = (struct failures){0};
    world->dialling.broken = 0;
}

void links_lost(struct world *world, const struct connection *link, enum mux_reason reason)
{
    struct dialling *dialling = &world->dialling;
    enum ending ending = ending_of(link, reason);
    if (ending == ENDING_REPLACED && link->watch.answered == 0 && !is_clients(reason) &&
        ++dialling->broken > SIM_BROKEN_MAX) {
        ending = ENDING_FAILED;
    }
    dialling->is_replacing = ending != ENDING_FAILED && !is_dialling(world);
    note_outage(world);
    if (ending == ENDING_REPLACED) {
        dialling->replacements++;
    } else if (ending == ENDING_FAILED) {
        add_failure(world, dialling, link->is_extra, link->connected_at);
    }
    world->calm_links_lost_max += reason == REASON_LINK_LIFETIME;
}

/* ---- no waiting for nothing ---- */

/* When an attempt is due at the latest, but for what system calls take. */
static uint64_t due_at(const struct world *world, bool is_extra)
{
    const struct dialling *dialling = &world->dialling;
    const struct failures *failures = &dialling->behind[is_extra];
    uint64_t pause = failures->most * 5 / 4;
    if (!is_extra && is_short(failures)) {
        pause = smaller(pause, short_pause(&world->options));
    }
    uint64_t at = failures->count == 0 ? 0 : failures->from + pause;
    uint64_t replaced_at =
        dialling->replacements == 0 ? 0 : dialling->connected_at + SIM_REPLACE_NS;
    return at > replaced_at ? at : replaced_at;
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
    settle_attempt(world, dialling);
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
    settle_attempt(world, dialling);
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
    uint64_t from = link->connected_at + world->options.delay_ns + world->options.check_gap_ns;
    uint64_t greeted_at = link->watch.quiet.greeted_at;
    if (greeted_at != 0 && greeted_at + NS_PER_S > from) {
        from = greeted_at + NS_PER_S;
    }
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
