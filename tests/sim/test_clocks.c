/* SPDX-License-Identifier: MIT */
/*
 * No clock that the other side can wind for ever, as scenes: what trickles, stalls or is left behind has a
 * time in all. The protocol is `stream`; see test_stream_responses.c.
 */
#include "stream_scene.h"

/* ---- orphans ---- */

static void test_client_gone_inside_a_trickling_response__others_wait_two_seconds(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    uint32_t bob = client_connects(scene);
    client_resets(scene, ann);
    time_passes(scene, SECONDS(1));
    client_says(scene, bob, "N2.1.\n");
    target_says(scene, "k");
    time_passes(scene, SECONDS(1) - MS(1));
    target_says(scene, "l");
    assert_false(target_sees_end(scene));
    time_passes(scene, MS(1));
    assert_true(target_sees_end(scene)); /* bytes renew nothing */
    target_ends(scene);
    time_passes(scene, SECONDS(1) + MS(300));
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    assert_int_equal(counters(scene)->timeouts, 0);
    scene_end(&scene);
}

static void
test_client_gone_inside_a_trickling_response__nobody_waits_and_it_has_timeout(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    client_resets(scene, ann);
    for (size_t i = 0; i < 6; i++) {
        assert_false(target_sees_end(scene));
        target_says(scene, "k");
        time_passes(scene, SECONDS(10));
    }
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_client_gone_before_its_response__it_keeps_the_time_that_it_had(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    client_says(scene, bob, "N2.1.\n");
    time_passes(scene, SECONDS(30));
    client_resets(scene, ann);
    target_says(scene, "<I1\n"); /* an interim response is no beginning */
    time_passes(scene, SECONDS(29));
    assert_false(target_sees_end(scene));
    target_says(scene, "<ye"); /* of this no end is in sight, and it has had two seconds */
    assert_true(target_sees_end(scene));
    assert_int_equal(counters(scene)->timeouts, 0);
    scene_end(&scene);
}

static void
test_client_gone_inside_a_trickling_response__who_waits_for_this_link_counts(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.in_flight_max = 2;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n>N2.1.\n");
    target_says(scene, "<yes:\n+30\nabc");
    client_resets(scene, ann);
    time_passes(scene, SECONDS(1));
    client_says(scene, bob, "N2.2.\n"); /* which is to follow the first */
    time_passes(scene, SECONDS(1) - MS(1));
    assert_false(target_sees_end(scene));
    time_passes(scene, MS(1));
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

/* ---- what trickles ---- */

static void test_head_trickles__it_has_timeout_in_all(void **state)
{
    (void)state;
    static const char *const words[] = {"<I1\n", "<yes"};
    for (size_t which = 0; which < 2; which++) {
        struct scene *scene = warm_scene();
        uint32_t ann = uploader_connects(scene);
        time_passes(scene, SECONDS(8));
        client_says(scene, ann, "klmnopqrstuvwxyzabcd.\n"); /* from here on */
        (void)target_hears(scene);
        for (size_t i = 0; i < 6; i++) {
            assert_false(target_sees_end(scene));
            target_says(scene, i > 0 && which == 1 ? "s" : words[which]);
            time_passes(scene, SECONDS(10));
        }
        assert_true(target_sees_end(scene));
        assert_int_equal(counters(scene)->timeouts, 1);
        assert_true(strstr(client_hears(scene, ann), "timeout") != NULL);
        scene_end(&scene);
    }
}

static void
test_head_trickles_while_its_client_reads_slowly__own_silence_does_not_count(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.backlog_bytes_max = 1;
    scene->world->options.response_timeout_ns = SECONDS(5);
    scene->world->swarm.pipe_to_peer.capacity = 10;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    for (size_t i = 0; i < 4; i++) {
        time_passes(scene, SECONDS(1)); /* which counts */
        target_says(scene, "<Ianother word\n");
        time_passes(scene, SECONDS(3)); /* not read, since ann has to take it first */
        assert_true(strlen(client_hears(scene, ann)) > 0);
        assert_true(strlen(client_hears(scene, ann)) == 0);
    }
    assert_false(target_sees_end(scene));
    time_passes(scene, SECONDS(1));
    assert_true(target_sees_end(scene));
    assert_int_equal(counters(scene)->timeouts, 1);
    scene_end(&scene);
}

/* ---- clients ---- */

static void test_head_is_dribbled__it_has_client_timeout_in_all(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.");
    for (size_t i = 0; i < 6; i++) {
        assert_false(client_sees_end(scene, ann));
        client_says(scene, ann, "x");
        time_passes(scene, SECONDS(10));
    }
    assert_int_equal(counters(scene)->error_replies, 1);
    assert_string_equal(client_hears(scene, ann), "E client_timeout -\n");
    assert_true(client_sees_end(scene, ann));
    scene_end(&scene);
}

static void test_holders_do_nothing_while_others_wait__each_has_half_of_the_time(void **state)
{
    (void)state;
    static const uint64_t holds[] = {MS(10000), MS(5000), MS(2500), MS(1250)};
    struct scene *scene = prepared_scene();
    scene->world->options.retry_delay_min_ns = MS(1);
    scene_begin(scene);
    warm_up(scene);
    uint32_t first = client_connects(scene);
    client_says(scene, first, "E1.1.:\n");
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(target_hears(scene), ">E1.1.:\n");
        client_says(scene, client_connects(scene), "E1.1.:\n"); /* waits, and is the next */
        time_passes(scene, MS(500));
        target_says(scene, "<I1\n"); /* whatever it is told */
        time_passes(scene, holds[i] - MS(501));
        assert_false(target_sees_end(scene));
        time_passes(scene, MS(1));
        assert_true(target_sees_end(scene));
        target_ends(scene);
        time_passes(scene, MS(0));
    }
    client_says(scene, first + 4, ".\n");
    assert_string_equal(target_hears(scene), ">E1.1.:\n.\n");
    target_says(scene, "<thanks\n"); /* a whole answer ends the row */
    client_says(scene, client_connects(scene), "E1.1.:\n");
    (void)target_hears(scene);
    client_says(scene, client_connects(scene), "N2.1.\n");
    time_passes(scene, SECONDS(10) - MS(1));
    assert_false(target_sees_end(scene));
    time_passes(scene, MS(1));
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

/* It was closed for its silence, though it was not read. */
static void test_uploader_is_not_read_since_its_backlog_is_full__it_is_not_blamed(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.in_flight_max = 2;
    scene->world->options.backlog_bytes_max = 20;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "G1.1.abcdefghij\nE1.2.:\n+10\nabcdefghij.\n");
    assert_string_equal(target_hears(scene), ">G1.1.abcdefghij\n>E1.2.:\n");
    client_says(scene, client_connects(scene), "N2.1.\n");
    time_passes(scene, SECONDS(15));
    target_says(scene, "<yes\n");
    assert_string_equal(client_hears(scene, ann), "=yes\n");
    assert_string_equal(target_hears(scene), "+10\nabcdefghij.\n>N2.1.\n");
    scene_end(&scene);
}

/* A scene in which who does not read is slow after some bytes. */
static struct scene *scene_with_slow_readers(void)
{
    struct scene *scene = prepared_scene();
    scene->world->options.retry_delay_min_ns = MS(1);
    scene->world->options.backlog_bytes_max = 10;
    scene->world->swarm.pipe_to_peer.capacity = 10;
    scene_begin(scene);
    warm_up(scene);
    return scene;
}

/* Its turn has come, and it does not read what it is given. */
static void downloader_stops_reading(struct scene *scene)
{
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<yes:\n+30\nabcdefghijklmnopqrstuvwxyz");
}

static void
test_reader_takes_nothing_while_others_wait__it_has_half_of_the_time_after_another(void **state)
{
    (void)state;
    struct scene *scene = scene_with_slow_readers();
    for (size_t i = 0; i < 2; i++) {
        client_says(scene, client_connects(scene), "N1.1.\n");
    }
    client_says(scene, client_connects(scene), "N2.1.\n");
    uint32_t slow = client_connects(scene) - 3;
    for (uint64_t hold = MS(10000); hold >= MS(5000); hold /= 2, slow++) {
        downloader_stops_reading(scene);
        time_passes(scene, hold - MS(1));
        assert_false(client_is_closed(scene, slow));
        time_passes(scene, MS(1));
        assert_true(client_is_closed(scene, slow));
        time_passes(scene, SECONDS(2)); /* for what is left behind */
        assert_true(target_sees_end(scene));
        target_ends(scene);
        time_passes(scene, MS(0));
    }
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_uploader_and_reader_do_nothing_in_turn__the_row_goes_over_both(void **state)
{
    (void)state;
    struct scene *scene = scene_with_slow_readers();
    client_says(scene, client_connects(scene), "E1.1.:\n");
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, client_connects(scene), "E2.1.:\n");
    client_says(scene, client_connects(scene), "N3.1.\n");
    assert_string_equal(target_hears(scene), ">E1.1.:\n");
    time_passes(scene, MS(10000));
    assert_true(target_sees_end(scene));
    target_ends(scene);
    time_passes(scene, MS(0));
    downloader_stops_reading(scene);
    time_passes(scene, MS(5000) - MS(1));
    assert_false(client_is_closed(scene, ann));
    time_passes(scene, MS(1));
    assert_true(client_is_closed(scene, ann));
    time_passes(scene, SECONDS(2));
    assert_true(target_sees_end(scene));
    target_ends(scene);
    time_passes(scene, MS(0));
    assert_string_equal(target_hears(scene), ">E2.1.:\n");
    time_passes(scene, MS(2500) - MS(1));
    assert_false(target_sees_end(scene));
    time_passes(scene, MS(1));
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

/* ---- --max-hold ---- */

static void test_upload_keeps_the_link_for_max_hold__it_ends_though_it_moves(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.hold_max_ns = SECONDS(30);
    scene->world->options.write_timeout_ns = SECONDS(60);
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    for (size_t i = 0; i < 5; i++) {
        time_passes(scene, SECONDS(5));
        client_says(scene, ann, "k");
    }
    time_passes(scene, SECONDS(5) - MS(1));
    assert_false(client_sees_end(scene, ann));
    time_passes(scene, MS(1));
    assert_string_equal(client_hears(scene, ann), "E overloaded 1.1\n");
    assert_true(client_sees_end(scene, ann));
    assert_int_equal(counters(scene)->ended[REASON_HOLD], 1);
    (void)target_hears(scene);
    assert_true(target_sees_end(scene));
    target_ends(scene);
    time_passes(scene, MS(0));
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_transfer_keeps_the_link_for_max_hold__it_ends_when_others_wait(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.hold_max_ns = SECONDS(30);
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    uint32_t bob = client_connects(scene);
    for (size_t i = 0; i < 4; i++) {
        time_passes(scene, SECONDS(10));
        target_says(scene, "k");
    }
    assert_false(client_sees_end(scene, ann)); /* nobody waits */
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(client_hears(scene, ann), "=yes:\n=30\nABCDEFGHIJKKKK");
    assert_true(client_sees_end(scene, ann));
    assert_int_equal(counters(scene)->ended[REASON_HOLD], 1);
    assert_true(target_sees_end(scene));
    target_ends(scene);
    time_passes(scene, SECONDS(2));
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

/* ---- runner ---- */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_gone_inside_a_trickling_response__others_wait_two_seconds),
        cmocka_unit_test(
            test_client_gone_inside_a_trickling_response__nobody_waits_and_it_has_timeout),
        cmocka_unit_test(test_client_gone_before_its_response__it_keeps_the_time_that_it_had),
        cmocka_unit_test(
            test_client_gone_inside_a_trickling_response__who_waits_for_this_link_counts),
        cmocka_unit_test(test_head_trickles__it_has_timeout_in_all),
        cmocka_unit_test(
            test_head_trickles_while_its_client_reads_slowly__own_silence_does_not_count),
        cmocka_unit_test(test_head_is_dribbled__it_has_client_timeout_in_all),
        cmocka_unit_test(test_holders_do_nothing_while_others_wait__each_has_half_of_the_time),
        cmocka_unit_test(test_uploader_is_not_read_since_its_backlog_is_full__it_is_not_blamed),
        cmocka_unit_test(
            test_reader_takes_nothing_while_others_wait__it_has_half_of_the_time_after_another),
        cmocka_unit_test(test_uploader_and_reader_do_nothing_in_turn__the_row_goes_over_both),
        cmocka_unit_test(test_upload_keeps_the_link_for_max_hold__it_ends_though_it_moves),
        cmocka_unit_test(test_transfer_keeps_the_link_for_max_hold__it_ends_when_others_wait),
    };
    scenes_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
