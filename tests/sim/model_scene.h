/* SPDX-License-Identifier: MIT */
/* Scenes with the protocol `model`. */
#ifndef SIM_MODEL_SCENE_H
#define SIM_MODEL_SCENE_H

#include "model_protocol.h"
#include "scene_test.h"

/* A scene with one link that has already answered once, for a client that is gone again. */
static inline void warm_up(struct scene *scene)
{
    uint32_t zoe = client_connects(scene);
    client_says(scene, zoe, "N9.1.warm\n");
    assert_string_equal(target_hears(scene), ">N9.1.warm\n");
    target_says(scene, "<up\n");
    assert_string_equal(client_hears(scene, zoe), "up\n");
    client_half_closes(scene, zoe);
    assert_true(client_is_closed(scene, zoe));
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
    client_says(scene, client, "N8.8.well?\n");
    assert_string_equal(target_hears(scene), ">N8.8.well?\n");
    target_says(scene, "<well\n");
    assert_string_equal(client_hears(scene, client), "well\n");
}

#endif
