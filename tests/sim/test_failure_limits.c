/* SPDX-License-Identifier: MIT */
/*
 * Pace, limits and the end: each test plays one row of the failure table of DESIGN.md as a
 * scene and reads as a story. The protocol is `model` unless the row needs another: a request `N1.1.x`
 * reaches the target as `>N1.1.x`, and its answer `<yes` reaches the client as `yes`.
 *
 * `test_failure_limits NAME` runs only the tests whose name contains NAME.
 */
#include "model_scene.h"

/* ---- pacing ---- */

static void test_gap_runs_from_the_last_byte_and_delay_from_connecting(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.gap_ns = MS(50);
    scene->world->options.delay_ns = MS(200);
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\nN1.2.\n");
    time_passes(scene, MS(199));
    assert_string_equal(target_hears(scene), "");
    time_passes(scene, MS(1));
    if (strcmp(target_hears(scene), "") ==
        0) { /* a silent link is read first, and the gap may count */
        time_passes(scene, MS(50));
        assert_string_equal(target_hears(scene), ">N1.1.\n");
    }
    time_passes(scene, MS(10));
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    time_passes(scene, MS(49));
    assert_string_equal(target_hears(scene), "");
    time_passes(scene, MS(1)); /* on an idle machine at most 1 ms longer */
    assert_string_equal(target_hears(scene), ">N1.2.\n");
    scene_end(&scene);
}

/* ---- limits ---- */

static void test_over_max_clients__accepted_told_so_and_lingering_close(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.clients_max = 2;
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    uint32_t cid = client_connects(scene);
    assert_string_equal(client_hears(scene, cid), "E overloaded -\n");
    assert_true(client_sees_end(scene, cid));
    assert_int_equal(counters(scene)->clients_refused, 1);
    assert_served(scene, ann);
    client_half_closes(scene, bob);
    uint32_t dan = client_connects(scene);
    assert_served(scene, dan);
    scene_end(&scene);
}

static void test_request_waits_its_longest__error_reply(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.wait_timeout_ns = SECONDS(10);
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_hears(scene);
    client_says(scene, bob, "N2.1.\n");
    time_passes(scene, SECONDS(10) - MS(1));
    assert_string_equal(client_hears(scene, bob), "");
    time_passes(scene, MS(1));
    assert_string_equal(client_hears(scene, bob), "E overloaded 2.1\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_string_equal(target_hears(scene), ""); /* never sent behind its deadline */
    scene_end(&scene);
}

static void test_buffer_memory_is_spent__the_longest_stalled_partial_message_goes(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.memory_bytes_max = 14 * KIB;
    scene->world->options.settings.message_bytes_max = 12 * KIB;
    scene->world->options.backlog_bytes_max = 12 * KIB;
    scene_begin(scene);
    warm_up(scene);
    char part[5001];
    memset(part, 'p', 5000);
    part[5000] = '\0';
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    uint32_t cid = client_connects(scene);
    client_says(scene, ann, part);
    time_passes(scene, MS(10));
    client_says(scene, bob, part);
    time_passes(scene, MS(10));
    client_says(scene, cid, part);
    assert_string_equal(client_hears(scene, ann), "E overloaded -\n");
    assert_true(client_sees_end(scene, ann));
    assert_false(client_sees_end(scene, bob));
    assert_false(client_sees_end(scene, cid));
    scene_end(&scene);
}

/* The half-sent request's exchange was freed with its client, and then completed. */
static void
test_no_memory_for_an_early_response__the_client_goes_and_the_link_is_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    newest_link(scene)->down.style.capacity = 6;
    client_says(scene, ann, "N1.1.a long request\n");
    client_says(scene, bob, "N2.1.\n");
    static char response[40001];
    memset(response, 'r', 39999);
    response[0] = '<';
    response[39999] = '\n';
    response[40000] = '\0';
    memory_forget_failures();
    memory_fail_every(1);
    target_says(scene, response);
    memory_fail_every(0);
    assert_true(memory_failed() > 0);
    assert_true(client_is_closed(scene, ann));
    assert_string_equal(target_hears(scene), ">N1.1.");
    assert_true(target_sees_end(scene));
    target_lets_go(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
    memory_forget_failures();
}

/* ---- terminate signal ---- */

static void drain(struct scene *scene)
{
    fake_engine_drain(scene->world);
    scene_settle(scene);
}

static void
test_terminate__idle_clients_and_partial_requests_go_whole_requests_are_served(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t idle = client_connects(scene);
    uint32_t half = client_connects(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, half, "N3.1.half");
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\nN2.2.half");
    target_hears(scene);
    drain(scene);
    assert_true(client_sees_end(scene, idle));
    assert_true(client_sees_end(scene, half) || client_sees_reset(scene, half));
    assert_string_equal(client_hears(scene, half), "");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_true(client_sees_end(scene, ann));
    client_half_closes(scene, ann);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    assert_false(mux_is_finished(scene->world->mux));
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, bob), "2\n");
    assert_true(client_sees_end(scene, bob));
    client_half_closes(scene, bob);
    client_half_closes(scene, idle);
    client_half_closes(scene, half);
    assert_true(target_sees_end(scene)); /* links are retired last */
    target_ends(scene);
    assert_true(mux_is_finished(scene->world->mux));
    assert_int_equal(counters(scene)->cut, 0);
    scene_end(&scene);
}

static void test_terminate__what_is_left_after_grace_gets_the_error_reply(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    target_hears(scene);
    drain(scene);
    time_passes(scene, SECONDS(10) - MS(1));
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, MS(1));
    assert_string_equal(client_hears(scene, ann), "E shutdown 1.1\n");
    assert_string_equal(client_hears(scene, bob), "E shutdown 2.1\n");
    assert_true(client_sees_end(scene, ann));
    assert_true(client_sees_end(scene, bob));
    assert_int_equal(counters(scene)->cut, 2);
    time_passes(scene, SECONDS(4)); /* lingering, then the link is retired */
    assert_true(mux_is_finished(scene->world->mux));
    scene_end(&scene);
}

/* Its slabs may be needed again at once, and so stay for a moment. */
static void test_burst_is_over__its_memory_goes_back(void **state)
{
    (void)state;
    enum { REQUESTS = 900, IN_USE_BYTES = 150 * 1024, LEFT_BYTES = 70 * 1024 };
    struct scene *scene = warm_scene();
    char text[REQUESTS * sizeof "N1.123.\n"] = "";
    size_t size = 0;
    for (int request = 1; request <= REQUESTS; request++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "N1.%d.\n", request);
    }
    size_t before = memory_core_bytes();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, text);
    client_resets(scene, ann);
    assert_int_equal(counters(scene)->clients, 0);
    time_passes(scene, MS(99));
    assert_true(memory_core_bytes() > before + IN_USE_BYTES);
    time_passes(scene, MS(102));
    assert_true(memory_core_bytes() < before + LEFT_BYTES);
    scene_end(&scene);
}

/* What was not cut into requests when the signal came was taken for a request that closes. */
static void test_terminate__a_client_over_its_backlog_is_closed_for_it(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.backlog_bytes_max = 1;
    scene_begin(scene);
    warm_up(scene);
    uint32_t zoe = client_connects(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, zoe, "N0.1.\n");
    client_says(scene, ann, "N1.1.\nN1.2.half");
    assert_string_equal(target_hears(scene), ">N0.1.\n");
    drain(scene);
    target_says(scene, "<0\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_true(client_sees_end(scene, ann));
    client_half_closes(scene, ann);
    assert_int_equal(scene->world->witness.last_reason[MUX_CLIENT_CLOSED], REASON_SHUTDOWN);
    scene_end(&scene);
}

static void test_terminate__nobody_is_accepted_any_more(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    drain(scene);
    uint32_t bob = client_connects(scene);
    assert_true(client_sees_end(scene, bob));
    drain(scene); /* idempotent */
    assert_false(client_sees_end(scene, ann));
    scene_end(&scene);
}

/* ---- runner ---- */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gap_runs_from_the_last_byte_and_delay_from_connecting),
        cmocka_unit_test(test_over_max_clients__accepted_told_so_and_lingering_close),
        cmocka_unit_test(test_request_waits_its_longest__error_reply),
        cmocka_unit_test(test_buffer_memory_is_spent__the_longest_stalled_partial_message_goes),
        cmocka_unit_test(
            test_no_memory_for_an_early_response__the_client_goes_and_the_link_is_replaced),
        cmocka_unit_test(test_burst_is_over__its_memory_goes_back),
        cmocka_unit_test(
            test_terminate__idle_clients_and_partial_requests_go_whole_requests_are_served),
        cmocka_unit_test(test_terminate__what_is_left_after_grace_gets_the_error_reply),
        cmocka_unit_test(test_terminate__a_client_over_its_backlog_is_closed_for_it),
        cmocka_unit_test(test_terminate__nobody_is_accepted_any_more),
    };
    scenes_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
