/* SPDX-License-Identifier: MIT */
/* Scenes with the protocol `stream`. */
#ifndef SIM_STREAM_SCENE_H
#define SIM_STREAM_SCENE_H

#include "scene_test.h"
#include "stream_protocol.h"

/* A scene in which 20 bytes of a request are enough for a link. */
static inline struct scene *prepared_scene(void)
{
    struct scene *scene = scene_prepare(&stream_protocol);
    scene->world->options.request_buffer_bytes = 20;
    return scene;
}

/* A link that has answered once, for a client that is gone again. */
static inline void warm_up(struct scene *scene)
{
    scene_warm_up(scene, "=up\n");
}

static inline struct scene *warm_scene(void)
{
    struct scene *scene = prepared_scene();
    scene_begin(scene);
    warm_up(scene);
    return scene;
}

/* Asks and is answered: the route works. */
static inline void assert_served(struct scene *scene, uint32_t client)
{
    scene_is_served(scene, client, "=well\n");
}

/* A client that holds the link with a request whose body is to come. */
static inline uint32_t uploader_connects(struct scene *scene)
{
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n+30\nabcdefghij");
    assert_string_equal(target_hears(scene), ">N1.1.:\n+30\nabcdefghij");
    return ann;
}

/* A client whose response has begun: a part of a body is there. */
static inline uint32_t downloader_connects(struct scene *scene, const char *request)
{
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, request);
    (void)target_hears(scene);
    target_says(scene, "<yes:\n+30\nabcdefghij");
    return ann;
}

/* So many bytes of a body in one chunk, without end. */
static inline char *large_chunk(const char *head, size_t count)
{
    char *text = malloc(count + 100);
    assert_non_null(text);
    int size = snprintf(text, 100, "%s+%zu\n", head, count);
    memset(text + size, 'x', count);
    text[(size_t)size + count] = '\0';
    return text;
}

#endif
