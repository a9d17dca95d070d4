/* SPDX-License-Identifier: MIT */
/*
 * What happens to the target as a whole, from time to time: it restarts, refuses, hangs, some of its
 * addresses fail, its name no longer resolves. And the terminate signal, which is weather too.
 */
#ifndef SIM_WEATHER_H
#define SIM_WEATHER_H

#include <stdint.h>

struct world;

void weather_begin(struct world *world);
uint64_t weather_due(const struct world *world);
void weather_act(struct world *world);
void weather_heal(struct world *world);

#endif
