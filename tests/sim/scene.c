/* SPDX-License-Identifier: MIT */
/* A scripted scene; see scene.h. */
#include "scene.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "fake_engine.h"

enum { PIPE_CAPACITY = 512 * 1024 };

struct scene *scene_prepare(const struct protocol *protocol)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert(scene != NULL);
    scene->world = calloc(1, sizeof *scene->world);
    scene->heard = malloc(SCENE_TEXT_MAX);
    assert(scene->world != NULL);
    assert(scene->heard != NULL);
    choice_init_first(&scene->choice);
    struct world *world = scene->world;
    world->choice = &scene->choice;
    world->now_ns = NS_PER_S;
    mux_options_init(&world->options);
    world->options.protocol = protocol;
    world->options.check_gap_ns = 0;
    world->swarm.pipe_to_engine = (struct pipe_style){.capacity = PIPE_CAPACITY};
    world->swarm.pipe_to_peer = (struct pipe_style){.capacity = PIPE_CAPACITY};
    world->network = (struct network){.resolves = true, .addresses_count = 1};
    return scene;
}

void scene_begin(struct scene *scene)
{
    world_open(scene->world,
               "build/tests/sim/test_failure_* or test_stream_*, with the name of the test");
    scene_settle(scene);
}

void scene_end(struct scene **scene_pointer)
{
    struct scene *scene = *scene_pointer;
    *scene_pointer = NULL;
    check_counters_match_events(scene->world);
    world_close(scene->world);
    free(scene->world);
    free(scene->heard);
    free(scene);
}

void scene_settle(struct scene *scene)
{
    struct world *world = scene->world;
    while (world_step(world, world->now_ns)) {
    }
}

void time_passes(struct scene *scene, uint64_t ns)
{
    struct world *world = scene->world;
    uint64_t until = world->now_ns + ns;
    while (world_step(world, until)) {
    }
    world->now_ns = until;
    world->turn_is_owed = true;
    scene_settle(scene);
}

/* Reads all of a pipe into scene->heard. */
static const char *hear(struct scene *scene, struct pipe *pipe)
{
    size_t size = 0;
    for (;;) {
        pipe_update(pipe, scene->world->now_ns);
        struct span view = pipe_view(pipe);
        if (view.size == 0) {
            break;
        }
        assert(size + view.size < SCENE_TEXT_MAX);
        memcpy(scene->heard + size, view.data, view.size);
        size += view.size;
        pipe_consume(pipe, view.size);
        scene_settle(scene);
    }
    scene->heard[size] = '\0';
    return scene->heard;
}

static void say(struct scene *scene, struct connection *connection, const char *text)
{
    struct span bytes = span_of(text, strlen(text));
    while (bytes.size > 0) {
        size_t size =
            connection_peer_write(connection, &scene->choice, scene->world->now_ns, bytes);
        bytes = span_from(bytes, size);
        scene_settle(scene);
        assert(size > 0); /* the script says more than the core takes */
    }
}

/* ---- clients ---- */

uint32_t client_connects(struct scene *scene)
{
    struct world *world = scene->world;
    assert(scene->clients_count < SCENE_CLIENTS_MAX);
    struct connection *connection = world_add_connection(world, false);
    connection_open_pipes(connection, &world->swarm.pipe_to_engine, &world->swarm.pipe_to_peer);
    scene->clients[scene->clients_count] = connection;
    scene_settle(scene);
    return scene->clients_count++;
}

void client_says(struct scene *scene, uint32_t client, const char *text)
{
    say(scene, scene->clients[client], text);
}

const char *client_hears(struct scene *scene, uint32_t client)
{
    return hear(scene, &scene->clients[client]->down);
}

void client_half_closes(struct scene *scene, uint32_t client)
{
    connection_peer_end(scene->clients[client], &scene->choice, scene->world->now_ns);
    scene_settle(scene);
}

void client_resets(struct scene *scene, uint32_t client)
{
    connection_peer_reset(scene->clients[client], &scene->choice, scene->world->now_ns);
    scene_settle(scene);
}

bool client_sees_end(const struct scene *scene, uint32_t client)
{
    return pipe_is_at_end(&scene->clients[client]->down, scene->world->now_ns);
}

bool client_sees_reset(const struct scene *scene, uint32_t client)
{
    return pipe_is_broken(&scene->clients[client]->down, scene->world->now_ns);
}

bool client_is_closed(const struct scene *scene, uint32_t client)
{
    return scene->clients[client]->stage == STAGE_CLOSED;
}

/* ---- target ---- */

struct connection *newest_link(const struct scene *scene)
{
    const struct world *world = scene->world;
    for (uint32_t i = world->connections_count; i > 0; i--) {
        struct connection *connection = world->connections[i - 1];
        if (connection->is_link && connection->connected_at > 0) {
            return connection;
        }
    }
    assert(false); /* the target has seen no link yet */
    return NULL;
}

const char *target_hears(struct scene *scene)
{
    return hear(scene, &newest_link(scene)->down);
}

void target_says(struct scene *scene, const char *text)
{
    say(scene, newest_link(scene), text);
}

void target_ends(struct scene *scene)
{
    connection_peer_close(newest_link(scene), &scene->choice, scene->world->now_ns);
    scene_settle(scene);
}

void target_resets(struct scene *scene)
{
    connection_peer_reset(newest_link(scene), &scene->choice, scene->world->now_ns);
    scene_settle(scene);
}

bool target_sees_end(const struct scene *scene)
{
    return pipe_is_at_end(&newest_link(scene)->down, scene->world->now_ns);
}

uint64_t links_so_far(const struct scene *scene)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < scene->world->connections_count; i++) {
        const struct connection *connection = scene->world->connections[i];
        count += connection->is_link && connection->connected_at > 0;
    }
    return count;
}

const struct mux_counters *counters(const struct scene *scene)
{
    return mux_counters(scene->world->mux);
}
