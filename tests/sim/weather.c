/* SPDX-License-Identifier: MIT */
/* What happens to the target as a whole; see weather.h. */
#include "weather.h"

#include "fake_engine.h"
#include "target_model.h"
#include "world.h"

void weather_begin(struct world *world)
{
    world->weather_at = world->swarm.weather.period_ns == 0
                            ? TIME_NEVER
                            : world->now_ns + choose(world->choice, world->swarm.weather.period_ns);
    world->signal_at =
        world->swarm.drains_midway ? world->now_ns + world->swarm.midway_ns : TIME_NEVER;
}

uint64_t weather_due(const struct world *world)
{
    return world->weather_at < world->signal_at ? world->weather_at : world->signal_at;
}

static void clear_up(struct world *world)
{
    struct network *network = &world->network;
    network->resolves = true;
    network->resolver_hangs = false;
    for (uint32_t i = 0; i < NETWORK_ADDRESSES_MAX; i++) {
        network->modes[i] = ADDRESS_ACCEPTS;
    }
}

static void worsen(struct world *world)
{
    struct network *network = &world->network;
    switch (choose(world->choice, 3)) {
    case 0:
        network->resolves = false;
        network->resolver_hangs = choose(world->choice, 4) == 0;
        break;
    case 1:
        network->addresses_count =
            (uint32_t)choose_between(world->choice, 1, NETWORK_ADDRESSES_MAX);
        break;
    default:
        for (uint32_t i = 0; i < NETWORK_ADDRESSES_MAX; i++) {
            network->modes[i] = (enum address_mode)choose(world->choice, ADDRESS_HANGS + 1);
        }
        break;
    }
}

static void change(struct world *world)
{
    const struct weather_habits *habits = &world->swarm.weather;
    world->weather_at = world->now_ns + choose_between(world->choice, 1, habits->period_ns);
    if (choose_percent(world->choice, habits->restart_percent)) {
        for (uint32_t i = 0; i < world->live_count; i++) {
            if (world->live[i]->target != NULL) {
                target_link_restart(world, world->live[i]->target);
            }
        }
    }
    if (choose_percent(world->choice, habits->trouble_percent)) {
        worsen(world);
    } else {
        clear_up(world);
    }
    WORLD_TRACE(world, "the weather: name %s, %u addresses, modes %d %d %d",
                world->network.resolves ? "resolves" : "does not resolve",
                world->network.addresses_count, (int)world->network.modes[0],
                (int)world->network.modes[1], (int)world->network.modes[2]);
}

void weather_act(struct world *world)
{
    if (world->signal_at <= world->now_ns) {
        bool stopped = world_is_stopped(world); /* then it is seen when the stop is over */
        world->signal_at = stopped ? world->stops[world->stops_count - 1].until : TIME_NEVER;
        if (!stopped) {
            fake_engine_drain(world);
        }
    } else {
        change(world);
    }
}

void weather_heal(struct world *world)
{
    world->weather_at = world->signal_at = TIME_NEVER;
    clear_up(world);
}
