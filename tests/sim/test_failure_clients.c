/* SPDX-License-Identifier: MIT */
/*
 * Clients, and what they do to others: each test plays one row of the failure table of DESIGN.md as a
 * scene and reads as a story. The protocol is `model` unless the row needs another: a request `N1.1.x`
 * reaches the target as `>N1.1.x`, and its answer `<yes` reaches the client as `yes`.
 *
 * `test_failure_clients NAME` runs only the tests whose name contains NAME.
 */
#include "model_scene.h"

/* ---- the ordinary course ---- */

static void test_response_reaches_the_client_that_asked(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene_begin(scene);
    assert_int_equal(links_so_far(scene), 1); /* eager: before anybody asks */
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.a\n");
    client_says(scene, bob, "N2.1.b\n");
    assert_string_equal(target_hears(scene), ">N1.1.a\n"); /* one in flight */
    target_says(scene, "<for ann\n");
    assert_string_equal(client_hears(scene, ann), "for ann\n");
    assert_string_equal(client_hears(scene, bob), "");
    assert_string_equal(target_hears(scene), ">N2.1.b\n");
    target_says(scene, "<for bob\n");
    assert_string_equal(client_hears(scene, bob), "for bob\n");
    assert_string_equal(client_hears(scene, ann), "");
    assert_int_equal(counters(scene)->responses, 2);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_polite_client_waits_for_one_request_of_each_other(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t flood = client_connects(scene);
    uint32_t polite = client_connects(scene);
    client_says(scene, flood, "N1.1.\nN1.2.\nN1.3.\nN1.4.\n");
    client_says(scene, polite, "N2.1.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    /* The flood's second was queued before, and stands behind the polite one's first all the same, or
     * just before it: one turn each. */
    const char *next = target_hears(scene);
    if (strcmp(next, ">N1.2.\n") == 0) {
        target_says(scene, "<2\n");
        next = target_hears(scene);
    }
    assert_string_equal(next, ">N2.1.\n");
    scene_end(&scene);
}

static void test_request_that_expects_no_response_ends_when_it_is_sent(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "!1.1.\nN1.2.\n");
    assert_string_equal(target_hears(scene), ">!1.1.\n>N1.2.\n");
    target_says(scene, "<second\n");
    assert_string_equal(client_hears(scene, ann), "second\n");
    assert_int_equal(counters(scene)->one_way, 1);
    scene_end(&scene);
}

static void test_request_that_closes_is_answered_then_closed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "C1.1.\nN1.2.\n");
    assert_string_equal(target_hears(scene), ">C1.1.\n");
    target_says(scene, "<bye\n");
    assert_string_equal(client_hears(scene, ann), "bye\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), ""); /* what came behind it does not count */
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_interim_response_does_not_end_the_exchange(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_hears(scene);
    target_says(scene, "<I soon\n");
    assert_string_equal(client_hears(scene, ann), "I soon\n");
    target_says(scene, "<now\n");
    assert_string_equal(client_hears(scene, ann), "now\n");
    assert_int_equal(counters(scene)->responses, 2); /* with the one of warm_up */
    scene_end(&scene);
}

static void test_response_that_ends_the_link_is_delivered_and_the_link_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_hears(scene);
    target_says(scene, "<Zlast\n");
    assert_string_equal(client_hears(scene, ann), "Zlast\n");
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_served(scene, ann);
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

static void test_request_that_ends_the_link_is_alone_and_the_link_replaced_behind_it(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.in_flight_max = 4;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, ann, "L1.2.\n");
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<first\n");
    assert_string_equal(target_hears(scene), ">L1.2.\n");
    target_says(scene, "<second\n<smuggled\n"); /* what follows is nobody's */
    assert_string_equal(client_hears(scene, ann), "first\nsecond\n");
    assert_true(target_sees_end(scene));
    target_says(scene, "<late\n");
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n"); /* at once, on the next link */
    target_says(scene, "<bob's\n");
    assert_string_equal(client_hears(scene, bob), "bob's\n");
    assert_string_equal(client_hears(scene, ann), "");
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

static void test_client_gone_in_front_of_the_response__its_request_still_ends_the_link(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "L1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(target_hears(scene), ">L1.1.\n");
    client_resets(scene, ann);
    target_says(scene, "<ann's\n");
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

/* ---- client gone ---- */

static void test_client_gone_while_its_request_waits__is_dropped_never_sent(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    uint32_t cid = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    client_says(scene, cid, "N3.1.\n");
    client_resets(scene, bob);
    assert_int_equal(counters(scene)->dropped, 1);
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(target_hears(scene), ">N3.1.\n");
    target_says(scene, "<3\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_string_equal(client_hears(scene, cid), "3\n");
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_client_gone_while_its_request_is_partly_sent__the_link_is_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    newest_link(scene)->down.style.capacity = 4;
    client_says(scene, ann, "N1.1.long\n");
    client_says(scene, bob, "N2.1.\n");
    client_resets(scene, ann);
    assert_string_equal(target_hears(scene), ">N1."); /* and never another's behind it */
    assert_true(target_sees_end(scene));
    assert_int_equal(links_so_far(scene), 1); /* the successor waits until the target has noticed */
    target_lets_go(scene);
    assert_int_equal(links_so_far(scene), 2);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, bob), "2\n");
    scene_end(&scene);
}

static void test_client_gone_while_its_request_is_in_flight__the_response_is_swallowed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    client_resets(scene, ann);
    assert_int_equal(counters(scene)->orphans, 1);
    assert_string_equal(target_hears(scene), ""); /* the place on the link is still taken */
    target_says(scene, "<for ann\n");
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    target_says(scene, "<for bob\n");
    assert_string_equal(client_hears(scene, bob), "for bob\n");
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_client_gone_with_a_huge_response_to_come__the_link_is_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_hears(scene);
    client_resets(scene, ann);
    char kilobyte[1025];
    memset(kilobyte, 'z', 1024);
    kilobyte[0] = '<';
    kilobyte[1024] = '\0';
    for (uint32_t i = 0; i < 255; i++) {
        target_says(scene, kilobyte);
        kilobyte[0] = 'z';
    }
    assert_false(target_sees_end(scene));
    target_says(scene, kilobyte);
    target_says(scene, kilobyte);
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_client_half_closes__pending_responses_are_delivered_then_it_is_closed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\nN1.2.\nN1.3.unfinished");
    client_half_closes(scene, ann);
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_false(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), ">N1.2.\n");
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, ann), "2\n");
    assert_true(client_sees_end(scene, ann));
    assert_true(client_is_closed(scene, ann));
    assert_string_equal(target_hears(scene), ""); /* an incomplete message is discarded */
    scene_end(&scene);
}

/* ---- client misbehaves ---- */

static void test_client_sends_garbage__error_reply_in_its_place_and_lingering_close(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\nX garbage\nN1.2.\n");
    assert_string_equal(client_hears(scene, ann), ""); /* what was asked before is answered first */
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\nE malformed -\n");
    assert_true(client_sees_end(scene, ann));
    assert_false(client_is_closed(scene, ann)); /* lingers, so that no reset destroys the reply */
    client_says(scene, ann, "more garbage\n");
    assert_false(client_sees_reset(scene, ann));
    assert_served(scene, bob);
    time_passes(scene, SECONDS(2));
    assert_true(client_is_closed(scene, ann));
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_client_lingers_no_longer_than_64_kib(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "X\n");
    assert_string_equal(client_hears(scene, ann), "E malformed -\n");
    char kilobyte[1025];
    memset(kilobyte, 'x', 1024);
    kilobyte[1024] = '\0';
    for (uint32_t i = 0; i < 64; i++) {
        assert_false(client_is_closed(scene, ann));
        client_says(scene, ann, kilobyte);
    }
    assert_true(client_is_closed(scene, ann));
    scene_end(&scene);
}

static void test_client_sends_an_oversized_message__error_reply_and_close(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.settings.message_bytes_max = 64;
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.0123456789012345678901234567890123456789012345678901234567890\n");
    assert_string_equal(client_hears(scene, ann), "E too_large -\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), "");
    scene_end(&scene);
}

static void
test_client_of_a_protocol_without_error_replies_sends_garbage__it_is_closed(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(protocol_find("mpu"));
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "12x4");
    assert_string_equal(client_hears(scene, ann), "");
    assert_true(client_sees_end(scene, ann));
    scene_end(&scene);
}

static void test_client_stops_reading__write_timeout_closes_it_and_nobody_waits(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.backlog_bytes_max = 16;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    scene->clients[ann]->down.style.capacity = 8;
    client_says(scene, ann, "N1.1.\nN1.2.\nN1.3.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<a response of more than sixteen bytes\n");
    assert_string_equal(target_hears(scene), ""); /* over its backlog: no turn for ann */
    assert_served(scene, bob);
    time_passes(scene, SECONDS(10) - MS(1));
    assert_false(client_is_closed(scene, ann));
    time_passes(scene, MS(1));
    assert_true(client_is_closed(scene, ann));
    assert_served(scene, bob);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_client_that_reads_again_in_time_goes_on(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.backlog_bytes_max = 16;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    scene->clients[ann]->down.style.capacity = 8;
    client_says(scene, ann, "N1.1.\nN1.2.\n");
    target_hears(scene);
    target_says(scene, "<a response of more than sixteen bytes\n");
    time_passes(scene, SECONDS(9));
    assert_string_equal(client_hears(scene, ann), "a response of more than sixteen bytes\n");
    time_passes(scene, SECONDS(9));
    assert_string_equal(target_hears(scene), ">N1.2.\n");
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, ann), "2\n");
    scene_end(&scene);
}

static void
test_client_stalls_inside_a_request__it_holds_nothing_and_client_timeout_ends_it(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.half");
    assert_served(scene, bob);
    time_passes(scene, SECONDS(60) - MS(1));
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, MS(1));
    assert_string_equal(client_hears(scene, ann), "E client_timeout -\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), "");
    scene_end(&scene);
}

static void test_idle_client_is_closed_after_idle_timeout_only(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.idle_timeout_ns = SECONDS(5);
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    time_passes(scene, SECONDS(5) - MS(1));
    assert_served(scene, ann);
    time_passes(scene, SECONDS(5) - MS(1));
    assert_false(client_sees_end(scene, ann));
    time_passes(scene, MS(1));
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(client_hears(scene, ann), "");
    scene_end(&scene);
}

/* ---- runner ---- */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_reaches_the_client_that_asked),
        cmocka_unit_test(test_polite_client_waits_for_one_request_of_each_other),
        cmocka_unit_test(test_request_that_expects_no_response_ends_when_it_is_sent),
        cmocka_unit_test(test_request_that_closes_is_answered_then_closed),
        cmocka_unit_test(test_interim_response_does_not_end_the_exchange),
        cmocka_unit_test(test_response_that_ends_the_link_is_delivered_and_the_link_replaced),
        cmocka_unit_test(test_request_that_ends_the_link_is_alone_and_the_link_replaced_behind_it),
        cmocka_unit_test(
            test_client_gone_in_front_of_the_response__its_request_still_ends_the_link),
        cmocka_unit_test(test_client_gone_while_its_request_waits__is_dropped_never_sent),
        cmocka_unit_test(test_client_gone_while_its_request_is_partly_sent__the_link_is_replaced),
        cmocka_unit_test(
            test_client_gone_while_its_request_is_in_flight__the_response_is_swallowed),
        cmocka_unit_test(test_client_gone_with_a_huge_response_to_come__the_link_is_replaced),
        cmocka_unit_test(
            test_client_half_closes__pending_responses_are_delivered_then_it_is_closed),
        cmocka_unit_test(test_client_sends_garbage__error_reply_in_its_place_and_lingering_close),
        cmocka_unit_test(test_client_lingers_no_longer_than_64_kib),
        cmocka_unit_test(test_client_sends_an_oversized_message__error_reply_and_close),
        cmocka_unit_test(
            test_client_of_a_protocol_without_error_replies_sends_garbage__it_is_closed),
        cmocka_unit_test(test_client_stops_reading__write_timeout_closes_it_and_nobody_waits),
        cmocka_unit_test(test_client_that_reads_again_in_time_goes_on),
        cmocka_unit_test(
            test_client_stalls_inside_a_request__it_holds_nothing_and_client_timeout_ends_it),
        cmocka_unit_test(test_idle_client_is_closed_after_idle_timeout_only),
    };
    scenes_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
