/* SPDX-License-Identifier: MIT */
/* See scene_test.h. */
#include "scene_test.h"

void scenes_begin(int argc, char **argv)
{
    if (argc > 1) {
        static char pattern[200];
        (void)snprintf(pattern, sizeof pattern, "*%s*", argv[1]);
        cmocka_set_test_filter(pattern);
    }
    trace_catch_signals();
}

void scene_warm_up(struct scene *scene, const char *answer)
{
    uint32_t zoe = client_connects(scene);
    client_says(scene, zoe, "N9.1.warm\n");
    assert_string_equal(target_hears(scene), ">N9.1.warm\n");
    target_says(scene, "<up\n");
    assert_string_equal(client_hears(scene, zoe), answer);
    client_half_closes(scene, zoe);
    assert_true(client_is_closed(scene, zoe));
}

void scene_is_served(struct scene *scene, uint32_t client, const char *answer)
{
    client_says(scene, client, "N8.8.well?\n");
    assert_string_equal(target_hears(scene), ">N8.8.well?\n");
    target_says(scene, "<well\n");
    assert_string_equal(client_hears(scene, client), answer);
}

void target_lets_go(struct scene *scene)
{
    uint64_t at = newest_link(scene)->connected_at + MS(250);
    uint64_t links = links_so_far(scene);
    target_ends(scene);
    if (scene->world->now_ns < at) {
        time_passes(scene, at - scene->world->now_ns - 1);
        assert_int_equal(links_so_far(scene), links);
        time_passes(scene, MS(1));
    }
}
