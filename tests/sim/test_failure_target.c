/* SPDX-License-Identifier: MIT */
/*
 * The target, and its connections: each test plays one row of the failure table of DESIGN.md as a
 * scene and reads as a story. The protocol is `model` unless the row needs another: a request `N1.1.x`
 * reaches the target as `>N1.1.x`, and its answer `<yes` reaches the client as `yes`.
 *
 * `test_failure_target NAME` runs only the tests whose name contains NAME.
 */
#include "model_scene.h"

/* ---- target unreachable ---- */

static void test_target_refuses__requests_wait_for_queue_timeout_then_error_reply(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->network.modes[0] = ADDRESS_REFUSES;
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    time_passes(scene, SECONDS(5) - MS(1));
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, MS(1));
    assert_string_equal(client_hears(scene, ann), "E unreachable 1.1\n");
    assert_false(client_sees_end(scene, ann)); /* the client stays */
    assert_true(counters(scene)->links_failed >= 2);
    assert_true(counters(scene)->links_failed <= 6); /* 1 s, 2 s, 2.5 s: no storm */
    scene_end(&scene);
}

static void test_target_comes_back__the_waiting_request_is_served(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->network.modes[0] = ADDRESS_REFUSES;
    scene_begin(scene);
    time_passes(scene, SECONDS(3600)); /* nobody waits: no attempt but the first */
    assert_int_equal(counters(scene)->link_attempts, 1);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    assert_int_equal(counters(scene)->link_attempts, 2); /* at once: the pause is long over */
    scene->world->network.modes[0] = ADDRESS_ACCEPTS;
    time_passes(scene, MS(2500)); /* half of --queue-timeout */
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    scene_end(&scene);
}

static void test_name_does_not_resolve__error_reply_after_queue_timeout(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->network.resolves = false;
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    time_passes(scene, SECONDS(5));
    assert_string_equal(client_hears(scene, ann), "E unreachable 1.1\n");
    scene_end(&scene);
}

static void test_name_service_hangs__after_ten_seconds_it_is_asked_again(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->network.resolver_hangs = true;
    scene->world->options.queue_timeout_ns = SECONDS(30);
    scene_begin(scene);
    client_says(scene, client_connects(scene), "N1.1.ask\n");
    time_passes(scene, SECONDS(10) - MS(1));
    assert_int_equal(counters(scene)->links_failed, 0);
    scene->world->network.resolver_hangs = false;
    time_passes(scene, MS(1));
    assert_int_equal(counters(scene)->links_failed, 1);
    time_passes(scene, MS(1250)); /* --retry-delay */
    assert_string_equal(target_hears(scene), ">N1.1.ask\n");
    scene_end(&scene);
}

static void test_first_address_hangs__connect_timeout_then_the_second_serves(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->network.addresses_count = 2;
    scene->world->network.modes[0] = ADDRESS_HANGS;
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    time_passes(scene, SECONDS(3));
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_int_equal(counters(scene)->links_failed, 1);
    scene_end(&scene);
}

static void test_back_off_doubles_up_to_its_limit_while_held(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.hold = true;
    scene->world->network.modes[0] = ADDRESS_REFUSES;
    scene_begin(scene);
    time_passes(scene, MS(999));
    assert_int_equal(counters(scene)->link_attempts, 1);
    time_passes(scene, SECONDS(1 + 2 + 4 + 8 + 16 + 30 * 10) * 5 / 4);
    assert_in_range(counters(scene)->link_attempts, 13, 20);
    scene->world->network.modes[0] = ADDRESS_ACCEPTS;
    time_passes(scene, SECONDS(38));
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_target_that_accepts_and_closes_at_once_is_not_stormed(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.hold = true;
    scene_begin(scene);
    for (uint32_t i = 0; i < 5; i++) {
        uint64_t before = links_so_far(scene);
        uint64_t waited_ms = 0;
        target_ends(scene);
        for (; links_so_far(scene) == before && waited_ms < 60000; waited_ms++) {
            time_passes(scene, MS(1));
        }
        assert_in_range(waited_ms, 1000U << i, (1250U << i) + 1);
    }
    scene_end(&scene);
}

/* ---- link breaks ---- */

static void test_link_breaks_before_a_byte_was_written__request_returns_to_the_head(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t zoe = client_connects(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    newest_link(scene)->down.style.capacity =
        7; /* full with the first, which expects no response */
    client_says(scene, zoe, "!9.2.\n");
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    target_resets(scene);
    assert_int_equal(counters(scene)->returned, 1);
    assert_int_equal(links_so_far(scene), 2); /* at once: the link had answered */
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_string_equal(client_hears(scene, bob), "2\n");
    scene_end(&scene);
}

static void test_link_breaks_after_bytes_were_written__error_reply_never_a_second_copy(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_resets(scene);
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n");
    assert_served(scene, ann);
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

static void test_link_breaks_and_the_request_is_resendable__it_is_sent_once_more(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "G1.1.\n");
    assert_string_equal(target_hears(scene), ">G1.1.\n");
    target_ends(scene);
    assert_int_equal(counters(scene)->resent, 1);
    assert_int_equal(links_so_far(scene), 2);
    assert_string_equal(target_hears(scene), ">G1.1.\n");
    target_ends(scene);
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n"); /* and not a third time */
    scene_end(&scene);
}

static void
test_link_that_never_answered_breaks__even_a_resendable_request_gets_the_error(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "G1.1.\n");
    assert_string_equal(target_hears(scene), ">G1.1.\n");
    target_ends(scene);
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n");
    scene_end(&scene);
}

static void test_link_breaks_inside_a_response__error_reply_and_nothing_of_the_half(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "G1.1.\n");
    target_hears(scene);
    target_says(scene, "<half a resp");
    target_ends(scene);
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n");
    assert_int_equal(counters(scene)->resent, 0); /* a response byte was seen */
    assert_served(scene, ann);
    scene_end(&scene);
}

static void test_link_breaks_behind_an_interim_response__the_client_is_closed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "G1.1.\n");
    target_hears(scene);
    target_says(scene, "<I wait\n");
    target_ends(scene);
    const char *heard = client_hears(scene, ann);
    assert_true(strcmp(heard, "I wait\n") == 0 || strcmp(heard, "I wait\nE broken 1.1\n") == 0);
    assert_int_equal(counters(scene)->resent, 0);
    scene_end(&scene);
}

static void test_link_breaks_in_a_protocol_without_error_replies__the_client_is_closed(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(protocol_find("echo"));
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "hello\n");
    client_says(scene, bob, "hello too\n");
    assert_string_equal(target_hears(scene), "hello\n");
    target_says(scene, "hel");
    target_resets(scene);
    assert_string_equal(client_hears(scene, ann), "");
    assert_true(client_sees_end(scene, ann));
    time_passes(scene, SECONDS(2)); /* the link had never answered: back-off */
    assert_string_equal(target_hears(scene), "hello too\n");
    target_says(scene, "hello too\n");
    assert_string_equal(client_hears(scene, bob), "hello too\n");
    scene_end(&scene);
}

/* ---- response late, early, stray, malformed ---- */

static void
test_response_does_not_come_in_time__error_reply_and_the_late_one_reaches_nobody(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_hears(scene);
    time_passes(scene, SECONDS(60) - MS(1));
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, MS(1));
    assert_string_equal(client_hears(scene, ann), "E timeout 1.1\n");
    assert_int_equal(counters(scene)->timeouts, 1);
    assert_true(target_sees_end(scene)); /* position is lost: the link is replaced */
    target_says(scene, "<late, for ann\n");
    assert_string_equal(client_hears(scene, ann), "");
    assert_string_equal(client_hears(scene, bob), "");
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, bob), "2\n");
    scene_end(&scene);
}

static void
test_response_comes_before_the_request_is_wholly_sent__delivered_and_both_end(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    newest_link(scene)->down.style.capacity = 6;
    client_says(scene, ann, "N1.1.a long request\n");
    client_says(scene, bob, "N2.1.\n");
    target_says(scene, "<no need\n");
    assert_string_equal(client_hears(scene, ann), "no need\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), ">N1.1."); /* no more of it */
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_bytes_on_an_idle_link__counted_dropped_and_the_link_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    target_says(scene, "<nobody asked\n");
    assert_int_equal(counters(scene)->strays, 1);
    assert_true(target_sees_end(scene));
    target_lets_go(scene);
    client_says(scene, ann, "N1.1.\n");
    time_passes(scene, MS(50)); /* it might have been a late greeting */
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    target_says(scene, "<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

static void test_response_sent_twice__the_second_reaches_nobody(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    target_hears(scene);
    target_says(scene, "<1\n<1\n");
    assert_string_equal(client_hears(scene, ann), "1\n");
    assert_string_equal(client_hears(scene, bob), "");
    assert_int_equal(counters(scene)->strays, 1);
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n"); /* it had not been sent before */
    target_says(scene, "<2\n");
    assert_string_equal(client_hears(scene, bob), "2\n");
    scene_end(&scene);
}

static void test_target_speaks_before_it_is_asked__nobody_gets_it_and_the_link_is_used(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.delay_ns = MS(50);
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_says(scene, "<welcome\n"); /* during --delay */
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, MS(100));
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    assert_string_equal(client_hears(scene, ann), "");
    assert_false(target_sees_end(scene));
    scene_end(&scene);
}

static void test_target_sends_garbage__link_replaced_and_error_reply(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "G1.1.\n");
    target_hears(scene);
    target_says(scene, "garbage\n");
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n");
    assert_true(target_sees_end(scene));
    target_lets_go(scene);
    assert_served(scene, ann);
    scene_end(&scene);
}

static void test_target_sends_an_oversized_message__link_replaced_and_error_reply(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.settings.message_bytes_max = 32;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_hears(scene);
    target_says(scene, "<a message of more than thirty-two bytes, without an end");
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n");
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

/* ---- target closes while idle ---- */

static void test_target_closes_while_idle__nothing_is_lost(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    time_passes(scene, SECONDS(100));
    target_ends(scene);
    assert_int_equal(links_so_far(scene), 1); /* not before somebody asks */
    assert_served(scene, ann);
    assert_int_equal(links_so_far(scene), 2);
    assert_int_equal(counters(scene)->error_replies, 0);
    scene_end(&scene);
}

static void test_target_closes_while_idle_and_hold__a_link_is_opened_at_once(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.hold = true;
    scene_begin(scene);
    warm_up(scene);
    target_ends(scene);
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

static void test_target_closed_unnoticed__a_silent_link_is_read_before_it_is_used(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    time_passes(scene, SECONDS(1));
    /* The end-of-stream and the request come in the same turn. */
    struct connection *link = newest_link(scene);
    connection_peer_close(link, &scene->choice, scene->world->now_ns);
    connection_peer_write(scene->clients[ann], &scene->choice, scene->world->now_ns,
                          span_of("N1.1.\n", 6));
    scene_settle(scene);
    assert_int_equal(links_so_far(scene), 2);
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    assert_int_equal(counters(scene)->error_replies, 0);
    scene_end(&scene);
}

static void test_idle_link_is_retired_in_order(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.on_demand = true;
    scene->world->options.link_idle_ns = SECONDS(30);
    scene_begin(scene);
    assert_int_equal(counters(scene)->link_attempts, 0);
    uint32_t ann = client_connects(scene);
    assert_int_equal(counters(scene)->link_attempts, 0); /* a client alone is no demand */
    assert_served(scene, ann);
    time_passes(scene, SECONDS(30) - MS(1));
    assert_false(target_sees_end(scene));
    time_passes(scene, MS(1));
    assert_true(target_sees_end(scene));
    client_says(scene, ann, "N1.1.\n");
    assert_int_equal(links_so_far(scene), 1); /* the old one still counts */
    time_passes(scene, SECONDS(1));           /* the target does not close: given up */
    assert_int_equal(links_so_far(scene), 2);
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    scene_end(&scene);
}

/* The deadline of a link was not armed when the last waiting request gave up. */
static void test_idle_link_is_retired_in_time_when_a_request_gave_up_waiting(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.gap_ns = SECONDS(20);
    scene->world->options.wait_timeout_ns = SECONDS(10);
    scene->world->options.link_idle_ns = SECONDS(15);
    scene_begin(scene);
    time_passes(scene, SECONDS(1));
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    time_passes(scene, SECONDS(10));
    assert_string_equal(client_hears(scene, ann), "E overloaded 1.1\n");
    time_passes(scene, SECONDS(4) - MS(1));
    assert_false(target_sees_end(scene));
    time_passes(scene, MS(1));
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

/* ---- runner ---- */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_target_refuses__requests_wait_for_queue_timeout_then_error_reply),
        cmocka_unit_test(test_target_comes_back__the_waiting_request_is_served),
        cmocka_unit_test(test_name_does_not_resolve__error_reply_after_queue_timeout),
        cmocka_unit_test(test_name_service_hangs__after_ten_seconds_it_is_asked_again),
        cmocka_unit_test(test_first_address_hangs__connect_timeout_then_the_second_serves),
        cmocka_unit_test(test_back_off_doubles_up_to_its_limit_while_held),
        cmocka_unit_test(test_target_that_accepts_and_closes_at_once_is_not_stormed),
        cmocka_unit_test(test_link_breaks_before_a_byte_was_written__request_returns_to_the_head),
        cmocka_unit_test(
            test_link_breaks_after_bytes_were_written__error_reply_never_a_second_copy),
        cmocka_unit_test(test_link_breaks_and_the_request_is_resendable__it_is_sent_once_more),
        cmocka_unit_test(
            test_link_that_never_answered_breaks__even_a_resendable_request_gets_the_error),
        cmocka_unit_test(test_link_breaks_inside_a_response__error_reply_and_nothing_of_the_half),
        cmocka_unit_test(test_link_breaks_behind_an_interim_response__the_client_is_closed),
        cmocka_unit_test(
            test_link_breaks_in_a_protocol_without_error_replies__the_client_is_closed),
        cmocka_unit_test(
            test_response_does_not_come_in_time__error_reply_and_the_late_one_reaches_nobody),
        cmocka_unit_test(
            test_response_comes_before_the_request_is_wholly_sent__delivered_and_both_end),
        cmocka_unit_test(test_bytes_on_an_idle_link__counted_dropped_and_the_link_replaced),
        cmocka_unit_test(test_response_sent_twice__the_second_reaches_nobody),
        cmocka_unit_test(
            test_target_speaks_before_it_is_asked__nobody_gets_it_and_the_link_is_used),
        cmocka_unit_test(test_target_sends_garbage__link_replaced_and_error_reply),
        cmocka_unit_test(test_target_sends_an_oversized_message__link_replaced_and_error_reply),
        cmocka_unit_test(test_target_closes_while_idle__nothing_is_lost),
        cmocka_unit_test(test_target_closes_while_idle_and_hold__a_link_is_opened_at_once),
        cmocka_unit_test(test_target_closed_unnoticed__a_silent_link_is_read_before_it_is_used),
        cmocka_unit_test(test_idle_link_is_retired_in_order),
        cmocka_unit_test(test_idle_link_is_retired_in_time_when_a_request_gave_up_waiting),
    };
    scenes_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
