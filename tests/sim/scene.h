/* SPDX-License-Identifier: MIT */
/*
 * A scripted scene: the core and the fake engine in a world without chance, where the script plays the
 * clients and the target. After every line of the script the engine works until it has nothing left to
 * do; time passes only when the script says so.
 *
 *     struct scene *scene = scene_prepare(&model_protocol);
 *     scene->world->options.gap_ns = 5 * NS_PER_MS;
 *     scene_begin(scene);
 *     uint32_t ann = client_connects(scene);
 *     client_says(scene, ann, "N1.1.hello\n");
 *     assert_string_equal(target_hears(scene), ">N1.1.hello\n");
 *     ...
 *     scene_end(&scene);
 */
#ifndef SIM_SCENE_H
#define SIM_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

enum { SCENE_CLIENTS_MAX = 200, SCENE_TEXT_MAX = 1024 * 1024 };

struct scene {
    struct choice choice;
    struct world *world; /* owns */
    struct connection *clients[SCENE_CLIENTS_MAX];
    uint32_t clients_count;
    char *heard; /* owns: what *_hears lends */
};

/* A world with the default options, instant pipes and a target that accepts. */
struct scene *scene_prepare(const struct protocol *protocol);
void scene_begin(struct scene *scene);
void scene_end(struct scene **scene);

/* Clients, by number from 0. *_hears reads everything that has arrived and lends it as a string. */
uint32_t client_connects(struct scene *scene);
void client_says(struct scene *scene, uint32_t client, const char *text);
const char *client_hears(struct scene *scene, uint32_t client);
void client_half_closes(struct scene *scene, uint32_t client);
void client_resets(struct scene *scene, uint32_t client);
bool client_sees_end(const struct scene *scene, uint32_t client);
bool client_sees_reset(const struct scene *scene, uint32_t client);
/* The engine has closed its descriptor. */
bool client_is_closed(const struct scene *scene, uint32_t client);

/* The target speaks and listens on its newest link. */
struct connection *newest_link(const struct scene *scene);
const char *target_hears(struct scene *scene);
void target_says(struct scene *scene, const char *text);
void target_ends(struct scene *scene);
void target_resets(struct scene *scene);
bool target_sees_end(const struct scene *scene);
uint64_t links_so_far(const struct scene *scene); /* connections the target has seen */

void time_passes(struct scene *scene, uint64_t ns);

/* The engine works until it has nothing left to do. */
void scene_settle(struct scene *scene);

const struct mux_counters *counters(const struct scene *scene);

#endif
