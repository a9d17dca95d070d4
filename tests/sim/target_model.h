/* SPDX-License-Identifier: MIT */
/*
 * The target's end of one link: reads requests, thinks, answers right, and misbehaves as often as the
 * swarm says: answers twice, late, never, too much or nonsense, speaks unasked, ends or resets at any
 * point, or stops reading.
 */
#ifndef SIM_TARGET_MODEL_H
#define SIM_TARGET_MODEL_H

#include <stdbool.h>
#include <stdint.h>

struct world;
struct connection;
struct target_link;

struct target_link *target_link_create(struct world *world, struct connection *link);
void target_link_destroy(struct target_link **target);

uint64_t target_link_due(const struct world *world, const struct target_link *target);
void target_link_act(struct world *world, struct target_link *target);

/* From now on it behaves; what it has already done to the link stands. */
void target_link_heal(struct world *world, struct target_link *target);

/* The target restarts: the link is reset or ended. */
void target_link_restart(struct world *world, struct target_link *target);

/* It speaks although nobody asked. */
void target_link_speak(struct world *world, struct target_link *target);

/* Whether it ever said anything but the right responses. */
bool target_link_has_lied(const struct target_link *target);

#endif
