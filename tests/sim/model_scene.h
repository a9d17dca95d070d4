/* SPDX-License-Identifier: MIT */
/* Scenes with the protocol `model`. */
#ifndef SIM_MODEL_SCENE_H
#define SIM_MODEL_SCENE_H

#include "model_protocol.h"
#include "scene_test.h"

/* A scene with one link that has already answered once, for a client that is gone again. */
static inline void warm_up(struct scene *scene)
{
    scene_warm_up(scene, "up\n");
}

static inline struct scene *warm_scene(void)
{
    struct scene *scene = scene_prepare(&model_protocol);
    scene_begin(scene);
    warm_up(scene);
    return scene;
}

/* Asks and is answered: the route works. */
static inline void assert_served(struct scene *scene, uint32_t client)
{
    scene_is_served(scene, client, "well\n");
}

#endif
