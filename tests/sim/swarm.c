/* SPDX-License-Identifier: MIT */
/* What a run is made of; see swarm.h. Limits come from short lists that hold tiny values and generous
 * ones, so that some runs hit them all the time and others never. */
#include "swarm.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "closer.h"
#include "message.h"
#include "model_id_protocol.h"
#include "model_protocol.h"
#include "stream_protocol.h"

#define PICK(choice, list) ((list)[choose((choice), ARRAY_COUNT(list))])

static const uint64_t times_ns[] = {10 * NS_PER_MS, 100 * NS_PER_MS, 1 * NS_PER_S, 5 * NS_PER_S,
                                    60 * NS_PER_S};

/* A percentage that is 0 in most runs. */
static uint32_t some(struct choice *choice, uint32_t percent_max)
{
    return choose(choice, 3) == 0 ? (uint32_t)choose_between(choice, 1, percent_max) : 0;
}

static const struct protocol *draw_protocol(struct choice *choice)
{
    static const char *const modelled[] = {"echo", "iso8583", "mpu"};
    uint64_t index = choose(choice, ARRAY_COUNT(modelled) * 3);
    if (index >= ARRAY_COUNT(modelled)) {
        return index % 3 == 0   ? &model_id_protocol
               : index % 3 == 1 ? &model_protocol
                                : &stream_protocol;
    }
    return protocol_find(modelled[index]);
}

static void draw_pipes(struct swarm *swarm, struct choice *choice, bool calm)
{
    static const size_t capacities[] = {7, 30, 100, 4000, 65536};
    static const uint64_t latencies[] = {0, 1000, NS_PER_MS, 5 * NS_PER_MS};
    struct pipe_style style = {
        .capacity = PICK(choice, capacities),
        .latency_max_ns = PICK(choice, latencies),
        .split_percent = some(choice, 90),
        .stall_percent = calm ? 0 : some(choice, 5),
        .stall_ns = PICK(choice, times_ns),
    };
    swarm->pipe_to_engine = swarm->pipe_to_peer = style;
    swarm->pipe_to_peer.capacity = PICK(choice, capacities);
    swarm->engine = (struct engine_habits){
        .short_send_percent = some(choice, 90),
        .short_read_percent = some(choice, 90),
        .late_percent = some(choice, 20),
        .full_percent = some(choice, 20),
        .full_ns = calm ? NS_PER_MS : PICK(choice, times_ns) / 5,
        .shuffles = true,
        .later_percent = some(choice, 50),
        .tick_max_ns = choose(choice, 2) == 0 ? 0 : 5000,
    };
}

static void draw_clients(struct client_habits *habits, struct choice *choice, bool calm)
{
    static const uint64_t thinks[] = {0, NS_PER_MS, 20 * NS_PER_MS};
    *habits = (struct client_habits){
        .count = (uint32_t)choose_between(choice, 1, 10),
        .requests_max = (uint32_t)choose_between(choice, 1, 12),
        .depth_max = (uint32_t)choose_between(choice, 1, 8),
        .think_max_ns = PICK(choice, thinks),
        .start_max_ns = choose(choice, 2) == 0 ? 0 : 100 * NS_PER_MS,
        .kinds_percent = choose(choice, 2) == 0 ? 80 : 0,
        .closes_percent = some(choice, 50),
        .half_closes_percent = some(choice, 100),
    };
    if (calm) {
        return;
    }
    habits->dribbles_percent = some(choice, 60);
    habits->dribble_ns = PICK(choice, times_ns) / 10;
    habits->pauses_percent = some(choice, 90);
    habits->sips_percent = some(choice, 60);
    habits->vanishes_percent = some(choice, 60);
    habits->garbage_percent = some(choice, 15);
    habits->oversize_percent = some(choice, 15);
    habits->stalls_percent = some(choice, 40);
    habits->stops_reading_percent = some(choice, 90);
    habits->stops_reading_ns = PICK(choice, times_ns) * 2;
    habits->floods_percent = some(choice, 30);
}

static void draw_target(struct target_habits *habits, struct choice *choice, bool calm)
{
    static const uint64_t thinks[] = {0, NS_PER_MS, 10 * NS_PER_MS};
    *habits = (struct target_habits){.think_max_ns = PICK(choice, thinks),
                                     .interim_percent = some(choice, 50)};
    if (calm) {
        return;
    }
    habits->last_percent = some(choice, 30);
    habits->duplicate_percent = some(choice, 20);
    habits->wrong_id_percent = some(choice, 30);
    habits->late_percent = some(choice, 20);
    habits->silent_percent = some(choice, 15);
    habits->garbage_percent = some(choice, 15);
    habits->oversize_percent = some(choice, 15);
    habits->endless_percent = some(choice, 15);
    habits->half_percent = some(choice, 40);
    habits->resets_percent = some(choice, 50);
    habits->closes_percent = some(choice, 40);
    habits->early_percent = some(choice, 40);
    habits->pauses_percent = some(choice, 60);
    habits->pause_ns = PICK(choice, times_ns) / 5;
    habits->trickles_percent = some(choice, 40);
    habits->spoils_percent = some(choice, 30);
    habits->stray_percent = some(choice, 60);
    habits->trails_percent = some(choice, 30);
    habits->wrong_percent = some(choice, 30);
    habits->closes_at_once_percent = some(choice, 40);
    habits->speaks_first_percent = some(choice, 30);
    habits->closes_idle_percent = some(choice, 90);
    habits->black_hole_percent = some(choice, 30);
    habits->stops_reading_percent = some(choice, 90);
    habits->lazy_close_percent = some(choice, 90);
}

static void draw_sizes(struct swarm *swarm, struct mux_options *options, struct choice *choice,
                       bool calm)
{
    static const size_t messages[] = {128, 256, 1000, 8000, MIB};
    static const size_t memories[] = {64 * KIB, 80 * KIB, 112 * KIB, 64 * MIB};
    static const size_t backlogs[] = {1, 100, 4 * KIB, 64 * KIB};
    size_t message_max = PICK(choice, messages);
    options->settings.message_bytes_max = message_max;
    options->backlog_bytes_max = PICK(choice, backlogs);
    options->memory_bytes_max = calm ? 64 * MIB : PICK(choice, memories);
    options->clients_max =
        calm || choose(choice, 2) == 0 ? 10000 : (uint32_t)choose_between(choice, 1, 6);
    swarm->memory_is_tight = options->memory_bytes_max < MIB;
    size_t letters_max = (message_max < 2000 ? message_max : 2000) - MESSAGE_HEAD_BYTES_MAX;
    swarm->clients.letters_max = (uint32_t)(choose(choice, 2) == 0 ? 5 : letters_max);
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

/* Bodies, in protocol `stream`: far larger than the buffers, but not so large that narrow pipes carry
 * nothing else. */
static void draw_bodies(struct swarm *swarm, struct mux_options *options, struct choice *choice,
                        bool calm)
{
    static const size_t bodies[] = {20, 300, 5000, 70000, 300000};
    static const size_t chunks[] = {1, 7, 100, 5000, 400000};
    static const size_t buffers[] = {1, 50, 1000, 64 * KIB};
    size_t narrowest = least(swarm->pipe_to_engine.capacity, swarm->pipe_to_peer.capacity);
    size_t most = least(PICK(choice, bodies), narrowest * (calm ? 50 : 100));
    size_t chunk = PICK(choice, chunks);
    swarm->clients.body_bytes_max = most;
    swarm->dialect.response_bytes_max = least(PICK(choice, bodies), most);
    swarm->dialect.chunk_bytes = chunk < most / 500 ? most / 500 : chunk;
    swarm->dialect.has_until_end = !calm && choose(choice, 2) == 0;
    options->request_buffer_bytes = PICK(choice, buffers);
    if (swarm->memory_is_tight) { /* enough for one client that fills its backlogs */
        options->memory_bytes_max = 600 * KIB;
    }
    options->settings.body_bytes_max = choose(choice, 2) == 0 ? 0 : most;
}

static void draw_times(struct mux_options *options, struct choice *choice, bool calm)
{
    static const uint64_t pacings[] = {0, 0, NS_PER_MS, 20 * NS_PER_MS};
    options->delay_ns = PICK(choice, pacings);
    options->gap_ns = PICK(choice, pacings);
    options->check_gap_ns = PICK(choice, pacings);
    options->on_demand = choose(choice, 3) == 0;
    options->hold = !options->on_demand && choose(choice, 3) == 0;
    options->seed = choose(choice, 1000);
    if (calm) {
        return;
    }
    options->client_timeout_ns = PICK(choice, times_ns);
    options->idle_timeout_ns = choose(choice, 2) == 0 ? 0 : PICK(choice, times_ns);
    options->connect_timeout_ns = PICK(choice, times_ns);
    options->queue_timeout_ns = PICK(choice, times_ns);
    options->wait_timeout_ns =
        times_ns[choose_between(choice, 1, ARRAY_COUNT(times_ns) - 1)]; /* more than --delay */
    options->response_timeout_ns = PICK(choice, times_ns);
    options->write_timeout_ns = PICK(choice, times_ns);
    options->hold_max_ns = choose(choice, 4) == 0 ? PICK(choice, times_ns) : 0;
    options->retry_delay_min_ns = PICK(choice, times_ns) / 10;
    options->retry_delay_max_ns = options->retry_delay_min_ns * choose_between(choice, 1, 30);
    options->link_idle_ns = choose(choice, 2) == 0 ? 0 : PICK(choice, times_ns);
    options->grace_ns = choose(choice, 4) == 0 ? 0 : PICK(choice, times_ns);
}

/* What happens to all at once. */
static void draw_disasters(struct swarm *swarm, struct choice *choice)
{
    swarm->weather = (struct weather_habits){
        .period_ns = choose(choice, 2) == 0 ? 0 : PICK(choice, times_ns),
        .trouble_percent = some(choice, 90),
        .restart_percent = some(choice, 90),
    };
    swarm->memory_fails_every = choose(choice, 8) == 0 ? choose_between(choice, 2, 40) : 0;
    swarm->drains_midway = choose(choice, 8) == 0;
    swarm->stops_midway = choose(choice, 16) == 0;
}

/* A target whose only trouble is that it closes behind each answer, sooner or later, and does not say so. */
static void draw_slow_closer(struct swarm *swarm, uint64_t seed)
{
    enum { CLOSES_MS_MAX = 30 };
    swarm->target =
        (struct target_habits){.think_max_ns = swarm->target.think_max_ns,
                               .interim_percent = swarm->target.interim_percent,
                               .closes_behind = true,
                               .closes_behind_ns = seed % (CLOSES_MS_MAX + 1) * NS_PER_MS};
    uint64_t close_ns = swarm->target.closes_behind_ns + swarm->pipe_to_engine.latency_max_ns;
    swarm->target.closes_in_time = close_ns + swarm->engine.tick_max_ns * 64 < SIM_CLOSE_QUIET_NS;
    swarm->pipe_to_engine.stall_percent = swarm->pipe_to_peer.stall_percent = 0;
    swarm->weather = (struct weather_habits){0};
    swarm->memory_fails_every = 0;
}

/* How many links, for how long, and how many requests each carries at a time. */
static void draw_links(struct mux_options *options, struct choice *choice)
{
    static const uint32_t depths[] = {1, 2, 3, 8};
    static const uint32_t links[] = {1, 1, 2, 4};
    bool in_lock_step = options->protocol->lock_step != NULL || options->gap_ns > 0;
    options->in_flight_max = in_lock_step ? 1 : PICK(choice, depths);
    options->links_max = PICK(choice, links);
    options->link_lifetime_ns =
        choose(choice, 4) == 0 ? options->gap_ns + PICK(choice, times_ns) : 0;
}

/* So many requests on one link that its identifiers come back, while some responses do not come in time. */
static void draw_few_ids(struct swarm *swarm, struct mux_options *options, struct choice *choice)
{
    static const struct pipe_style wide = {.capacity = 4000};
    options->protocol = &model_id_few_protocol;
    options->links_max = 1;
    options->in_flight_max = (uint32_t)choose_between(choice, 2, 8);
    options->delay_ns = options->gap_ns = options->link_lifetime_ns = 0;
    swarm->pipe_to_engine = swarm->pipe_to_peer = wide;
    swarm->clients.count = (uint32_t)choose_between(choice, 4, 10);
    swarm->clients.requests_max = 40;
    swarm->clients.depth_max = 8;
    swarm->clients.think_max_ns = swarm->clients.start_max_ns = 0;
    swarm->clients.letters_max = 5;
    if (swarm->is_calm) {
        return;
    }
    options->response_timeout_ns = PICK(choice, times_ns) / 10;
    swarm->target = (struct target_habits){
        .think_max_ns = NS_PER_MS, .late_percent = 5, .silent_percent = some(choice, 10)};
    swarm->clients.vanishes_percent = swarm->clients.garbage_percent = 0;
    swarm->clients.oversize_percent = 0;
    swarm->weather.period_ns = 0;
}

/* Many ask at once, few links have room, and in a run with faults links end more often than they answer
 * wrong. */
static void draw_crowd(struct swarm *swarm, struct mux_options *options, struct choice *choice)
{
    swarm->clients.count = (uint32_t)choose_between(choice, 5, 10);
    swarm->clients.requests_max = 12;
    swarm->clients.think_max_ns = 0;
    options->links_max = (uint32_t)choose_between(choice, 1, 2);
    options->in_flight_max = options->gap_ns > 0 ? 1 : (uint32_t)choose_between(choice, 1, 3);
    if (swarm->is_calm) {
        return;
    }
    swarm->target.think_max_ns = NS_PER_MS;
    swarm->target.garbage_percent = swarm->target.oversize_percent = 0;
    swarm->target.wrong_id_percent = swarm->target.stray_percent = 0;
    swarm->target.resets_percent = some(choice, 30);
    swarm->target.closes_percent = some(choice, 30);
    swarm->target.silent_percent = some(choice, 15);
    swarm->clients.vanishes_percent = some(choice, 60);
}

/* Reads that may be shared, and mostly are. */
static void draw_sharing(struct swarm *swarm, struct mux_options *options, struct choice *choice)
{
    if (choose(choice, 4) == 0) {
        return;
    }
    options->coalesce = choose(choice, 5) > 0;
    swarm->clients.reads_percent = choose(choice, 2) == 0 ? 90 : 60;
    swarm->clients.keys_count = (uint32_t)choose_between(choice, 1, KEYS_MAX);
    if (choose(choice, 2) == 0) {
        draw_crowd(swarm, options, choice);
    }
}

void swarm_draw(struct swarm *swarm, struct mux_options *options, struct choice *choice, bool calm)
{
    memset(swarm, 0, sizeof *swarm);
    mux_options_init(options);
    swarm->is_calm = calm;
    options->protocol = draw_protocol(choice);
    draw_pipes(swarm, choice, calm);
    draw_clients(&swarm->clients, choice, calm);
    draw_target(&swarm->target, choice, calm);
    draw_sizes(swarm, options, choice, calm);
    if (options->protocol == &stream_protocol) {
        draw_bodies(swarm, options, choice, calm);
    }
    if (options->protocol->lock_step != NULL) { /* iso8583 and mpu */
        swarm->dialect.has_types = choose(choice, 2) == 0;
    }
    draw_times(options, choice, calm);
    swarm->midway_ns = PICK(choice, times_ns) / 2;
    if (!calm && options->seed % 5 == 0) {
        static const uint64_t stops_ns[] = {200 * NS_PER_MS, 5 * NS_PER_S, 5 * 3600 * NS_PER_S};
        swarm->engine.stop_max_ns = stops_ns[options->seed / 5 % ARRAY_COUNT(stops_ns)];
    }
    if (!calm && options->seed / 3 % 2 == 0) {
        swarm->engine.wake_ns = NS_PER_US;
    }
    static const enum link_close closes[] = {LINK_CLOSE_FIN, LINK_CLOSE_RST};
    if (options->seed / 16 % 8 < ARRAY_COUNT(closes)) {
        options->link_close = closes[options->seed / 16 % 8];
    }
    if (!calm) {
        draw_disasters(swarm, choice);
    }
    draw_links(options, choice);
    if (options->protocol == &model_id_protocol && choose(choice, 6) == 0) {
        draw_few_ids(swarm, options, choice);
    } else if (options->protocol == &model_id_protocol) {
        draw_sharing(swarm, options, choice);
    }
    if (!calm && options->seed / 128 == 6) { /* an eighth of the seeds */
        draw_slow_closer(swarm, options->seed);
    }
}
