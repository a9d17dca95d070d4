/* SPDX-License-Identifier: MIT */
/*
 * The failure table of DESIGN.md, row by row: each test plays one row as a scene and reads as a story. The
 * protocol is `model` unless the row needs another: a request `N1.1.x` reaches the target as `>N1.1.x`,
 * and its answer `<yes` reaches the client as `yes`.
 *
 * `test_failure_table NAME` runs only the tests whose name contains NAME.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_engine.h"
#include "memory.h"
#include "model_protocol.h"
#include "scene.h"

#define MS(count)      ((uint64_t)(count)*NS_PER_MS)
#define SECONDS(count) ((uint64_t)(count)*NS_PER_S)

/* A scene with one link that has already answered once, for a client that is gone again. */
static void warm_up(struct scene *scene)
{
    uint32_t zoe = client_connects(scene);
    client_says(scene, zoe, "N9.1.warm\n");
    assert_string_equal(target_hears(scene), ">N9.1.warm\n");
    target_says(scene, "<up\n");
    assert_string_equal(client_hears(scene, zoe), "up\n");
    client_half_closes(scene, zoe);
    assert_true(client_is_closed(scene, zoe));
}

static struct scene *warm_scene(void)
{
    struct scene *scene = scene_prepare(&model_protocol);
    scene_begin(scene);
    warm_up(scene);
    return scene;
}

/* Asks and is answered: the route works. */
static void assert_served(struct scene *scene, uint32_t client)
{
    client_says(scene, client, "N8.8.well?\n");
    assert_string_equal(target_hears(scene), ">N8.8.well?\n");
    target_says(scene, "<well\n");
    assert_string_equal(client_hears(scene, client), "well\n");
}

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
    target_ends(scene);
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
    target_ends(scene);
    assert_served(scene, ann);
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

static void test_target_speaks_before_it_is_asked__the_link_is_replaced(void **state)
{
    (void)state;
    struct scene *scene = scene_prepare(&model_protocol);
    scene->world->options.delay_ns = MS(50);
    scene_begin(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    target_says(scene, "<welcome\n"); /* during --delay */
    assert_true(target_sees_end(scene));
    assert_string_equal(client_hears(scene, ann), "");
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
    target_ends(scene);
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
    scene->world->options.memory_bytes_max = 16 * KIB;
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
    target_ends(scene);
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
        cmocka_unit_test(test_response_reaches_the_client_that_asked),
        cmocka_unit_test(test_polite_client_waits_for_one_request_of_each_other),
        cmocka_unit_test(test_request_that_expects_no_response_ends_when_it_is_sent),
        cmocka_unit_test(test_request_that_closes_is_answered_then_closed),
        cmocka_unit_test(test_interim_response_does_not_end_the_exchange),
        cmocka_unit_test(test_response_that_ends_the_link_is_delivered_and_the_link_replaced),
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
        cmocka_unit_test(test_target_refuses__requests_wait_for_queue_timeout_then_error_reply),
        cmocka_unit_test(test_target_comes_back__the_waiting_request_is_served),
        cmocka_unit_test(test_name_does_not_resolve__error_reply_after_queue_timeout),
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
        cmocka_unit_test(test_target_speaks_before_it_is_asked__the_link_is_replaced),
        cmocka_unit_test(test_target_sends_garbage__link_replaced_and_error_reply),
        cmocka_unit_test(test_target_sends_an_oversized_message__link_replaced_and_error_reply),
        cmocka_unit_test(test_target_closes_while_idle__nothing_is_lost),
        cmocka_unit_test(test_target_closes_while_idle_and_hold__a_link_is_opened_at_once),
        cmocka_unit_test(test_target_closed_unnoticed__a_silent_link_is_read_before_it_is_used),
        cmocka_unit_test(test_idle_link_is_retired_in_order),
        cmocka_unit_test(test_idle_link_is_retired_in_time_when_a_request_gave_up_waiting),
        cmocka_unit_test(test_gap_runs_from_the_last_byte_and_delay_from_connecting),
        cmocka_unit_test(test_over_max_clients__accepted_told_so_and_lingering_close),
        cmocka_unit_test(test_request_waits_its_longest__error_reply),
        cmocka_unit_test(test_buffer_memory_is_spent__the_longest_stalled_partial_message_goes),
        cmocka_unit_test(
            test_no_memory_for_an_early_response__the_client_goes_and_the_link_is_replaced),
        cmocka_unit_test(test_terminate__a_client_over_its_backlog_is_closed_for_it),
        cmocka_unit_test(
            test_terminate__idle_clients_and_partial_requests_go_whole_requests_are_served),
        cmocka_unit_test(test_terminate__what_is_left_after_grace_gets_the_error_reply),
        cmocka_unit_test(test_terminate__nobody_is_accepted_any_more),
    };
    if (argc > 1) {
        static char pattern[200];
        (void)snprintf(pattern, sizeof pattern, "*%s*", argv[1]);
        cmocka_set_test_filter(pattern);
    }
    trace_catch_signals();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
