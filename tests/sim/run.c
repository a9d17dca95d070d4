/* SPDX-License-Identifier: MIT */
/* A whole run; see run.h. */
#include "run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "checks.h"
#include "client_model.h"
#include "client_state.h"
#include "fake_engine.h"
#include "memory.h"
#include "model_id_protocol.h"
#include "model_protocol.h"
#include "stream_protocol.h"
#include "target_model.h"
#include "weather.h"
#include "world.h"

#define LIVE_NS (24 * 3600 * NS_PER_S) /* far beyond what all deadlines together allow */
#define REST_NS (5 * NS_PER_S)         /* longer than retiring a link takes */
#define STOP_NS (4 * NS_PER_S)         /* lingering, then retiring a link, behind --grace */

enum {
    FAULTY_STEPS_MAX = 4000,
    STEPS_MAX = 1000000,
    IDLE_BYTES_MAX = 512 * 1024, /* of a core that has served and is empty; kept blocks aside */
};

static struct world *world_create(struct choice *choice)
{
    struct world *world = calloc(1, sizeof *world);
    assert(world != NULL);
    world->choice = choice;
    world->now_ns = NS_PER_S;
    world->modelled = true;
    world->network = (struct network){.resolves = true, .addresses_count = 1};
    world->weather_at = world->signal_at = world->trouble_at = TIME_NEVER;
    links_begin(&world->dialling);
    return world;
}

static struct client *add_client(struct world *world, bool polite)
{
    assert(world->clients_count < WORLD_CLIENTS_MAX);
    struct client *client = sim_client_create(world, world->clients_count + 1, polite);
    world->clients[world->clients_count++] = client;
    return client;
}

static void draw_network(struct world *world)
{
    struct network *network = &world->network;
    network->addresses_count = (uint32_t)choose_between(world->choice, 1, 2);
    network->resolve_ns = choose(world->choice, 3 * NS_PER_MS);
    network->connect_ns = choose(world->choice, 3 * NS_PER_MS);
    uint32_t links_max = world->options.links_max;
    uint32_t slots_min = world->swarm.is_calm ? links_max : 1;
    network->slots = choose(world->choice, 2) == 0
                         ? (uint32_t)choose_between(world->choice, slots_min, links_max)
                         : 0;
}

/* ---- phases ---- */

static bool all_done(const struct world *world)
{
    for (uint32_t i = 0; i < world->clients_count; i++) {
        if (!sim_client_is_done(world->clients[i])) {
            return false;
        }
    }
    return true;
}

static void run_faulty(struct world *world)
{
    uint64_t until = world->now_ns + 2 * world->swarm.midway_ns;
    while (world->steps < FAULTY_STEPS_MAX && world_step(world, until)) {
    }
}

static void step_or_fail(struct world *world, uint64_t until, const char *what)
{
    if (!world_step(world, until)) {
        sim_fail("nothing hangs", "%s, and nobody will ever do anything again (or not in time)",
                 what);
    }
    if (world->steps > STEPS_MAX) {
        sim_fail("the world comes to rest", "%s, after %llu steps", what,
                 (unsigned long long)world->steps);
    }
}

static void run_until_all_are_done(struct world *world)
{
    uint64_t until = world->now_ns + LIVE_NS;
    while (!all_done(world)) {
        step_or_fail(world, until, "a client still waits");
    }
}

static bool is_at_rest(const struct world *world)
{
    const struct mux_counters *counters = mux_counters(world->mux);
    return counters->clients == 0 && counters->waiting == 0 && counters->in_flight == 0;
}

/* Orphans are swallowed or given up, links that were replaced are closed, and the back-off is over. */
static void run_until_rest(struct world *world)
{
    uint64_t until = world->now_ns + LIVE_NS;
    while (!is_at_rest(world)) {
        step_or_fail(world, until, "something of a client that has gone is left");
    }
    until = world->now_ns + REST_NS + 2 * world->options.retry_delay_max_ns;
    while (world_step(world, until)) {
    }
    world_reach(world, until);
}

/* Promise 7: after the faults a fresh client is served, without anybody's help. */
static void run_newcomer(struct world *world)
{
    if (world_is_stopped(
            world)) { /* it comes when the engine runs again, and the back-off is over */
        uint64_t until = time_after(world->stops[world->stops_count - 1].until,
                                    REST_NS + 2 * world->options.retry_delay_max_ns);
        while (world_step(world, until)) {
        }
        world_reach(world, until);
    }
    const struct client *client = add_client(world, true);
    run_until_all_are_done(world);
    if (!sim_client_is_satisfied(client)) {
        sim_fail("the multiplexer recovers by itself",
                 "client %u came after the faults and was not served", client->number);
    }
}

static void run_until_finished(struct world *world)
{
    uint64_t from = world->drained_at;
    if (world_is_stopped(world)) { /* it goes on only then */
        from = world->stops[world->stops_count - 1].until;
    }
    from = time_after(from, world_stopped_since(world, world->drained_at));
    uint64_t until = time_after(from, world->options.grace_ns + STOP_NS);
    while (!mux_is_finished(world->mux)) {
        step_or_fail(world, until, "the multiplexer was told to stop and has not");
    }
}

/* In a calm run every request that counts was answered. */
static void check_everybody_was_answered(const struct world *world)
{
    for (uint32_t i = 0; i < world->clients_count; i++) {
        const struct client *client = world->clients[i];
        uint32_t poison = sim_client_poison(client);
        for (uint32_t j = 0; j < client->entries_count && j <= poison; j++) {
            enum outcome outcome = client->entries[j]->outcome;
            if (outcome != OUTCOME_ANSWERED && outcome != OUTCOME_SILENT) {
                sim_fail("a calm run answers everything", "request %u.%u was not", client->number,
                         j + 1);
            }
        }
    }
}

static void check_idle_memory(const struct world *world)
{
    size_t limit =
        IDLE_BYTES_MAX + (size_t)2 * BUF_KEPT_MAX + (size_t)world->witness.exchanges_open_max * 512;
    if (memory_core_bytes() > limit) {
        sim_fail("an empty core holds almost nothing", "%zu bytes, %zu are allowed",
                 memory_core_bytes(), limit);
    }
}

static void run_to_the_end(struct world *world)
{
    if (!world->draining) {
        fake_engine_drain(world);
    }
    run_until_finished(world);
    check_nothing_is_left_open(world);
    check_counters_match_events(world);
    check_few_requests_cross_a_close(world);
    check_reads_and_effects_are_in_order(world);
    check_reads_add_up(world);
    check_idle_memory(world);
    if (world->swarm.is_calm) {
        check_calm(world);
        check_everybody_was_answered(world);
    }
}

static void add_up(const struct world *world, struct tally *tally)
{
    const struct mux_counters *counters = mux_counters(world->mux);
    tally->steps += world->steps;
    tally->requests += counters->requests;
    tally->responses += counters->responses;
    tally->error_replies += counters->error_replies;
    tally->links += counters->links_up;
    tally->strays += counters->strays;
    tally->timeouts += counters->timeouts;
    tally->resent += counters->resent;
    tally->returned += counters->returned;
    tally->orphans += counters->orphans;
    tally->crossed += counters->crossed;
    tally->closers += world->witness.kinds[MUX_CLOSER];
    for (uint32_t i = 0; i < world->clients_count; i++) {
        tally->uploads += sim_client_uploads(world->clients[i]);
    }
    tally->half_uploads += world->witness.lost[REASON_HALF_REQUEST];
    tally->early_responses += world->witness.lost[REASON_EARLY_RESPONSE];
    tally->reads += world->sharing.reads;
    tally->joined += world->sharing.joined;
    tally->heirs += world->sharing.heirs;
    tally->served_by_orphans += world->sharing.served_by_orphans;
    tally->cut_off += world->witness.cut_off;
    tally->orphans_given_up += world->witness.lost[REASON_ORPHAN];
}

/* ---- drawn worlds ---- */

void run_drawn(struct choice *choice, bool calm, bool aloud, const char *replay,
               struct tally *tally)
{
    struct world *world = world_create(choice);
    world->trace.aloud = aloud;
    swarm_draw(&world->swarm, &world->options, choice, calm);
    draw_network(world);
    world->calm_links_lost_max = world->options.links_max; /* those that are retired at the end */
    world_open(world, replay);
    memory_forget_failures();
    memory_fail_every(world->swarm.memory_fails_every);
    weather_begin(world);
    for (uint32_t i = 0; i < world->swarm.clients.count; i++) {
        add_client(world, calm);
    }
    run_faulty(world);
    memory_fail_every(0);
    if (!world->swarm.stops_midway) {
        world_heal(world);
        run_until_all_are_done(world);
        if (!world->draining) {
            run_until_rest(world);
            run_newcomer(world);
        }
        run_to_the_end(world);
    }
    add_up(world, tally);
    world_close(world);
    free(world);
}

/* ---- small worlds ---- */

const char *small_name(enum small_trouble trouble)
{
    static const char *const names[SMALL_COUNT] = {
        [SMALL_NONE] = "no trouble",
        [SMALL_CLIENT_RESETS] = "a client resets",
        [SMALL_CLIENT_CLOSES] = "a client closes",
        [SMALL_TARGET_ENDS] = "the target ends the link",
        [SMALL_TARGET_RESETS] = "the target resets the link",
        [SMALL_TARGET_STRAYS] = "the target speaks unasked",
        [SMALL_DRAIN] = "the terminate signal",
    };
    return names[trouble];
}

static void make_trouble(struct world *world)
{
    enum small_trouble trouble = (enum small_trouble)world->small_trouble;
    world->trouble_at = TIME_NEVER;
    WORLD_TRACE(world, "trouble: %s", small_name(trouble));
    if (trouble == SMALL_DRAIN) {
        fake_engine_drain(world);
        return;
    }
    for (uint32_t i = 0; i < world->live_count; i++) {
        struct connection *connection = world->live[i];
        bool for_link = trouble >= SMALL_TARGET_ENDS;
        if (connection->is_link != for_link || !connection->peer_open) {
            continue;
        }
        if (trouble == SMALL_TARGET_STRAYS) {
            target_link_speak(world, connection->target);
        } else if (trouble == SMALL_TARGET_ENDS) {
            connection_peer_close(connection, world->choice, world->now_ns);
        } else if (trouble == SMALL_TARGET_RESETS) {
            connection_peer_reset(connection, world->choice, world->now_ns);
        } else {
            sim_client_leave(world, connection->client, trouble == SMALL_CLIENT_RESETS);
        }
        return;
    }
}

static void draw_small(struct world *world, enum small_asks asks)
{
    static const struct protocol *const small_protocols[SMALL_ASKS_COUNT] = {
        [SMALL_PLAIN] = &model_protocol,
        [SMALL_SHARES] = &model_id_protocol,
        [SMALL_STREAMS] = &stream_protocol,
    };
    enum { BODY_BYTES = 40, PART_BYTES = 30 };
    struct swarm *swarm = &world->swarm;
    mux_options_init(&world->options);
    world->options.protocol = small_protocols[asks];
    world->options.coalesce = asks == SMALL_SHARES;
    world->options.in_flight_max = asks == SMALL_SHARES ? 4 : 1;
    world->options.request_buffer_bytes = PART_BYTES / 2;
    swarm->pipe_to_engine.capacity = swarm->pipe_to_peer.capacity =
        asks == SMALL_STREAMS ? PART_BYTES : 4096;
    swarm->clients = (struct client_habits){.count = 2,
                                            .requests_max = 1,
                                            .depth_max = 1,
                                            .body_bytes_max = BODY_BYTES,
                                            .keys_count = 1,
                                            .script = asks == SMALL_SHARES ? "SNSS" : NULL};
    swarm->dialect.response_bytes_max = BODY_BYTES;
    swarm->dialect.chunk_bytes = BODY_BYTES / 2;
}

void run_small(struct choice *choice, enum small_asks asks, enum small_trouble trouble,
               const char *replay, struct tally *tally)
{
    struct world *world = world_create(choice);
    draw_small(world, asks);
    world->swarm.is_brisk = true;
    world->small_trouble = (uint32_t)trouble;
    world->swarm.is_calm = trouble == SMALL_NONE;
    world->make_trouble = make_trouble;
    world->calm_links_lost_max = 1;
    choice->paused = true;
    world_open(world, replay);
    weather_begin(world);
    while (world_step(world, world->now_ns)) {
    } /* the link is up */
    choice->paused = false;
    world->trouble_at = trouble == SMALL_NONE ? TIME_NEVER : world->now_ns;
    for (uint32_t i = 0; i < 2; i++) {
        struct client *client = add_client(world, true);
        client->requests_count = 2;
        client->depth = i + 1; /* one waits for its answer, the other does not */
    }
    run_until_all_are_done(world);
    run_to_the_end(world);
    add_up(world, tally);
    world_close(world);
    free(world);
}
