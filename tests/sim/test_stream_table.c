/* SPDX-License-Identifier: MIT */
/*
 * The failure table of DESIGN.md for messages that stream, row by row, as scenes. The protocol is `stream`: a
 * request `N1.1.:` and its body reach the target as `>N1.1.:` and the same body; an answer `<yes:` reaches
 * the client as `=yes:`, or as `/yes:` when its connection ends behind it, with a body in capitals.
 *
 * `test_stream_table NAME` runs only the tests whose name contains NAME.
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
#include "scene.h"
#include "stream_protocol.h"

#define MS(count)      ((uint64_t)(count)*NS_PER_MS)
#define SECONDS(count) ((uint64_t)(count)*NS_PER_S)

/* A scene in which 20 bytes of a request are enough for a link. */
static struct scene *prepared_scene(void)
{
    struct scene *scene = scene_prepare(&stream_protocol);
    scene->world->options.request_buffer_bytes = 20;
    return scene;
}

/* A link that has answered once, for a client that is gone again. */
static void warm_up(struct scene *scene)
{
    uint32_t zoe = client_connects(scene);
    client_says(scene, zoe, "N9.1.warm\n");
    assert_string_equal(target_hears(scene), ">N9.1.warm\n");
    target_says(scene, "<up\n");
    assert_string_equal(client_hears(scene, zoe), "=up\n");
    client_half_closes(scene, zoe);
    assert_true(client_is_closed(scene, zoe));
}

static struct scene *warm_scene(void)
{
    struct scene *scene = prepared_scene();
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
    assert_string_equal(client_hears(scene, client), "=well\n");
}

/* A client that holds the link with a request whose body is to come. */
static uint32_t uploader_connects(struct scene *scene)
{
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n+30\nabcdefghij");
    assert_string_equal(target_hears(scene), ">N1.1.:\n+30\nabcdefghij");
    return ann;
}

/* A client whose response has begun: a part of a body is there. */
static uint32_t downloader_connects(struct scene *scene, const char *request)
{
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, request);
    (void)target_hears(scene);
    target_says(scene, "<yes:\n+30\nabcdefghij");
    return ann;
}

/* So many bytes of a body in one chunk, without end. */
static char *large_chunk(const char *head, size_t count)
{
    char *text = malloc(count + 100);
    assert_non_null(text);
    int size = snprintf(text, 100, "%s+%zu\n", head, count);
    memset(text + size, 'x', count);
    text[(size_t)size + count] = '\0';
    return text;
}

/* ---- requests ---- */

static void test_request_gathers__it_holds_nothing_until_enough_of_it_is_there(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n+30\nabcdef");
    assert_string_equal(target_hears(scene), "");
    assert_served(scene, bob);
    client_says(scene, ann, "ghij");
    assert_string_equal(target_hears(scene), ">N1.1.:\n+30\nabcdefghij");
    client_says(scene, bob, "N2.1.\n");
    client_says(scene, ann, "klmno");
    assert_string_equal(target_hears(scene), "klmno"); /* as it comes */
    client_says(scene, ann, "pqrstuvwxyzabcd.\n");
    assert_string_equal(target_hears(scene), "pqrstuvwxyzabcd.\n");
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_eager_request__it_takes_the_link_with_its_head(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "E1.1.:\n");
    assert_string_equal(target_hears(scene), ">E1.1.:\n");
    target_says(scene, "<I go on\n");
    assert_string_equal(client_hears(scene, ann), "=I go on\n");
    client_says(scene, ann, "+3\nabc.\n");
    assert_string_equal(target_hears(scene), "+3\nabc.\n");
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    assert_served(scene, ann);
    scene_end(&scene);
}

static void test_one_way_request_streams__it_ends_when_it_is_sent(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "!1.1.:\n+30\nabcdefghij");
    assert_string_equal(target_hears(scene), ">!1.1.:\n+30\nabcdefghij");
    assert_int_equal(counters(scene)->one_way, 0);
    client_says(scene, ann, "klmnopqrstuvwxyzabcd.\nN1.2.\n");
    assert_string_equal(target_hears(scene), "klmnopqrstuvwxyzabcd.\n>N1.2.\n");
    assert_int_equal(counters(scene)->one_way, 1);
    scene_end(&scene);
}

static void test_request_fills_its_backlog__what_came_behind_is_not_forgotten(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.backlog_bytes_max = scene->world->options.request_buffer_bytes = 100;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    char text[1000] = "N1.1.:\n";
    for (size_t i = 0; i < 50; i++) {
        memcpy(text + 7 + i * 14, "+10\nabcdefghij", 14);
    }
    memcpy(text + 7 + (size_t)50 * 14, ".\n", 3);
    client_says(scene, ann, text); /* all at once, and then no more */
    assert_string_equal(target_hears(scene) + 1, text);
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    scene_end(&scene);
}

static void test_target_takes_nothing__the_uploader_is_not_read_and_goes_on(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.backlog_bytes_max = 1000;
    scene->world->swarm.pipe_to_engine.capacity = 3000;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    newest_link(scene)->down.style.capacity = 10;
    client_says(scene, ann, "N1.1.:\n+5000\n");
    char part[101] = {0};
    memset(part, 'x', 100);
    struct pipe *up = &scene->clients[ann]->up;
    size_t said = 0;
    for (; pipe_available(up) < 500; said += 100) {
        client_says(scene, ann, part);
        assert_true(said < 3000); /* bounded, though the body is larger */
    }
    newest_link(scene)->down.style.capacity = 100000;
    size_t heard = strlen(target_hears(scene));
    assert_int_equal(heard, strlen(">N1.1.:\n+5000\n") + said);
    for (; said < 5000; said += 100) {
        client_says(scene, ann, part);
        heard += strlen(target_hears(scene));
    }
    client_says(scene, ann, ".\n");
    heard += strlen(target_hears(scene));
    assert_int_equal(heard, strlen(">N1.1.:\n+5000\n.\n") + said);
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    scene_end(&scene);
}

static void test_large_bodies_pass_in_bounded_memory(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    char *part = large_chunk("", 50000);
    client_says(scene, ann, "N1.1.:\n");
    for (size_t i = 0; i < 100; i++) {
        client_says(scene, ann, part);
        assert_int_equal(strlen(target_hears(scene)),
                         strlen(part) + (i == 0 ? strlen(">N1.1.:\n") : 0));
        assert_true(memory_core_bytes() < 1024 * 1024);
    }
    client_says(scene, ann, ".\n");
    target_says(scene, "<yes:\n");
    for (size_t i = 0; i < 100; i++) {
        target_says(scene, part);
        assert_true(strlen(client_hears(scene, ann)) >= strlen(part));
        assert_true(memory_core_bytes() < 1024 * 1024);
    }
    target_says(scene, ".\n");
    assert_string_equal(client_hears(scene, ann), ".\n");
    free(part);
    scene_end(&scene);
}

static void
test_uploader_stalls_while_it_holds_the_link__error_reply_and_link_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    time_passes(scene, SECONDS(9));
    client_says(scene, ann, "k"); /* which is too little to count */
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, SECONDS(1) + MS(1)); /* --write-timeout */
    assert_string_equal(client_hears(scene, ann), "E client_timeout 1.1\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), "k");
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_uploader_that_brings_enough_in_time_goes_on(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    char *part = large_chunk("", 35000); /* two of them are enough for 10 s */
    client_says(scene, ann, "E1.1.:\n");
    for (size_t i = 0; i < 8; i++) {
        time_passes(scene, SECONDS(4));
        client_says(scene, ann, part);
        assert_true(strlen(target_hears(scene)) >= strlen(part));
    }
    client_says(scene, ann, ".\n");
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    free(part);
    scene_end(&scene);
}

static void test_client_stalls_while_its_request_gathers__client_timeout_ends_it(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n");
    for (size_t i = 0; i < 5; i++) {
        time_passes(scene, SECONDS(50));
        client_says(scene, ann, "+1\na");
    }
    assert_string_equal(target_hears(scene), ">N1.1.:\n+1\na+1\na+1\na+1\na"); /* enough by now */
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.:\n+1\n");
    time_passes(scene, SECONDS(60) + MS(1));
    assert_string_equal(client_hears(scene, bob), "E client_timeout 2.1\n");
    scene_end(&scene);
}

static void test_request_that_gathers_is_dropped__it_does_not_end_as_if_answered(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n+3\na");
    client_says(scene, bob, "N2.1.:\n+3\na");
    client_half_closes(scene, ann);
    assert_true(client_is_closed(scene, ann));
    assert_int_equal(counters(scene)->ended[REASON_CLIENT_ENDED], 1);
    fake_engine_drain(scene->world);
    scene_settle(scene);
    assert_true(client_is_closed(scene, bob));
    assert_int_equal(counters(scene)->ended[REASON_SHUTDOWN], 1);
    assert_int_equal(counters(scene)->dropped, 2);
    scene_end(&scene);
}

static void test_uploader_ends_while_it_holds_the_link__both_end(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    client_half_closes(scene, ann);
    assert_true(client_is_closed(scene, ann));
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_uploader_vanishes_while_it_holds_the_link__the_link_is_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    client_resets(scene, ann);
    assert_string_equal(target_hears(scene), ""); /* never another's behind half of one */
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_body_goes_wrong_behind_its_head__error_reply_and_link_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    client_says(scene, ann, "klmnopqrstuvwxyzabcd*nonsense\nN1.2.\n");
    assert_string_equal(client_hears(scene, ann), "E malformed 1.1\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), "");
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void test_body_becomes_too_large_behind_its_head__error_reply_and_link_replaced(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.settings.body_bytes_max = 35;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = uploader_connects(scene);
    client_says(scene, ann, "klmnopqrstuvwxyzabcd+6\nabcdef.\n");
    assert_string_equal(client_hears(scene, ann), "E too_large 1.1\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), "");
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_body_goes_wrong_while_it_gathers__the_target_sees_nothing_of_it(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n+2\nab*nonsense\n");
    assert_string_equal(client_hears(scene, ann), "E malformed 1.1\n");
    assert_true(client_sees_end(scene, ann));
    assert_string_equal(target_hears(scene), "");
    assert_served(scene, bob);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_body_goes_wrong_behind_a_full_backlog__error_reply_and_link_replaced(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.backlog_bytes_max = scene->world->options.request_buffer_bytes = 20;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.:\n+3\nabc+10\nabcdefghij*nonsense\n");
    assert_string_equal(target_hears(scene), ">N1.1.:\n+3\nabc+10\nabcdefghij");
    assert_string_equal(client_hears(scene, ann), "E malformed 1.1\n"); /* found when it was sent */
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_body_goes_wrong_before_a_byte_was_sent__the_link_stays(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    newest_link(scene)->down.style.capacity = 0;
    client_says(scene, ann, "N1.1.:\n+10\nabcdefghij");
    client_says(scene, bob, "N2.1.\n");
    client_says(scene, ann, "*nonsense\n");
    assert_string_equal(client_hears(scene, ann), "E malformed 1.1\n");
    newest_link(scene)->down.style.capacity = 100;
    assert_string_equal(target_hears(scene), "");
    time_passes(scene, MS(1));
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_link_breaks_inside_an_upload__error_reply_and_the_rest_is_discarded(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    target_resets(scene);
    assert_string_equal(client_hears(scene, ann), "E broken 1.1\n");
    assert_true(client_sees_end(scene, ann));
    client_says(scene, ann, "klmnopqrstuvwxyzabcd.\n");
    uint32_t bob = client_connects(scene);
    assert_served(scene, bob);
    assert_int_equal(links_so_far(scene), 2);
    scene_end(&scene);
}

static void
test_link_breaks_before_a_byte_of_an_upload_was_written__it_is_sent_on_the_next(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    newest_link(scene)->down.style.capacity = 0;
    client_says(scene, ann, "N1.1.:\n+30\nabcdefghij");
    client_says(scene, ann, "klm");
    target_resets(scene);
    client_says(scene, ann, "nopqrstuvwxyzabcd.\n");
    assert_string_equal(target_hears(scene), ">N1.1.:\n+30\nabcdefghijklmnopqrstuvwxyzabcd.\n");
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    assert_int_equal(counters(scene)->returned, 1);
    scene_end(&scene);
}

static void
test_link_breaks_before_an_upload_was_written__the_client_may_stall_as_before(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.client_timeout_ns = SECONDS(2);
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    newest_link(scene)->down.style.capacity = 0;
    client_says(scene, ann, "N1.1.:\n+30\nabcdefghij"); /* on the link: --write-timeout */
    time_passes(scene, SECONDS(3));
    assert_string_equal(client_hears(scene, ann), "");
    scene->world->network.modes[0] = ADDRESS_HANGS;
    target_resets(scene); /* waiting again: --client-timeout, from now on */
    assert_int_equal(counters(scene)->returned, 1);
    time_passes(scene, SECONDS(2) - MS(1));
    assert_string_equal(client_hears(scene, ann), "");
    time_passes(scene, MS(2));
    assert_string_equal(client_hears(scene, ann), "E client_timeout 1.1\n");
    scene_end(&scene);
}

/* ---- responses ---- */

static void test_response_streams__its_client_gets_it_as_it_comes(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    assert_string_equal(client_hears(scene, ann), "=yes:\n=30\nABCDEFGHIJ");
    target_says(scene, "klmnopqrstuvwxyzabcd~not for you\n");
    assert_string_equal(client_hears(scene, ann), "KLMNOPQRSTUVWXYZABCD");
    target_says(scene, "+2\nab.\n");
    assert_string_equal(client_hears(scene, ann), "=2\nAB.\n");
    assert_served(scene, ann);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_client_stops_reading_a_response__the_link_is_not_read_and_goes_on(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.backlog_bytes_max = 1000;
    scene->world->options.response_timeout_ns = SECONDS(5);
    scene->world->swarm.pipe_to_peer.capacity = 100;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    char *text = large_chunk("<yes:\n", 3000);
    target_says(scene, text);
    target_says(scene, "+3\nabc");
    assert_int_equal(pipe_available(&newest_link(scene)->up), 6); /* which is left there */
    time_passes(scene, SECONDS(6)); /* the silence is the multiplexer's own: no --timeout */
    size_t heard = strlen(client_hears(scene, ann));
    assert_int_equal(heard, strlen(text) + 6);
    target_says(scene, text + strlen("<yes:\n"));
    time_passes(scene, SECONDS(6)); /* the same with nothing left to read */
    assert_int_equal(strlen(client_hears(scene, ann)), strlen(text) - strlen("<yes:\n"));
    time_passes(scene, SECONDS(4)); /* the target's own silence begins now */
    target_says(scene, ".\n");
    assert_string_equal(client_hears(scene, ann), ".\n");
    free(text);
    scene_end(&scene);
}

static void test_buffer_memory_is_spent_by_responses__somebody_is_closed_for_it(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.memory_bytes_max = (size_t)300 * 1024;
    scene->world->swarm.pipe_to_peer.capacity = 50;
    scene_begin(scene);
    warm_up(scene);
    char *text = large_chunk("<yes:\n", 60000);
    for (size_t i = 0; i < 14; i++) {
        client_says(scene, client_connects(scene), "N1.1.\n");
    }
    for (size_t i = 0; i < 14; i++) { /* none of them over its backlog, none reads */
        (void)target_hears(scene);
        target_says(scene, text);
        target_says(scene, ".\n");
        assert_true(memory_core_bytes() < (size_t)600 * 1024);
    }
    free(text);
    scene_end(&scene);
}

static void test_response_is_cut_off__its_client_is_closed_and_gets_no_second(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    target_ends(scene);
    assert_string_equal(client_hears(scene, ann), "=yes:\n=30\nABCDEFGHIJ");
    assert_true(client_sees_end(scene, ann));
    assert_false(client_sees_reset(scene, ann));
    assert_int_equal(counters(scene)->error_replies, 0);
    scene_end(&scene);
}

static void test_response_goes_wrong_in_the_middle__its_client_is_closed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    target_says(scene, "klmnopqrstuvwxyzabcd*nonsense\n");
    assert_string_equal(client_hears(scene, ann), "=yes:\n=30\nABCDEFGHIJKLMNOPQRSTUVWXYZABCD");
    assert_true(client_sees_end(scene, ann));
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_response_until_the_end__it_completes_it_and_the_client_is_closed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    target_says(scene, "def");
    assert_string_equal(client_hears(scene, ann), "/all*\nABCDEF");
    target_ends(scene);
    assert_true(client_sees_end(scene, ann));
    assert_false(client_sees_reset(scene, ann));
    assert_int_equal(counters(scene)->responses, 2); /* with the one of warm_up */
    assert_served(scene, bob);
    scene_end(&scene);
}

static void test_response_until_the_end_breaks_off__its_client_sees_a_reset(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    assert_string_equal(client_hears(scene, ann), "/all*\nABC");
    target_resets(scene);
    assert_true(client_sees_reset(scene, ann));
    scene_end(&scene);
}

static void test_old_client__its_response_ends_with_its_connection_and_the_link_stays(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "O1.1.\n");
    uint32_t bob = client_connects(scene);
    target_says(scene, "klmnopqrstuvwxyzabcd+2\nab.\n");
    assert_string_equal(client_hears(scene, ann), "/yes:\nABCDEFGHIJKLMNOPQRSTUVWXYZABCDAB");
    assert_true(client_sees_end(scene, ann));
    assert_false(client_sees_reset(scene, ann));
    assert_served(scene, bob);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_old_clients_response_is_cut_off__it_sees_a_reset(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "O1.1.\n");
    target_ends(scene);
    assert_string_equal(client_hears(scene, ann), "/yes:\nABCDEFGHIJ");
    assert_true(client_sees_reset(scene, ann));
    scene_end(&scene);
}

/* What ends by closing must not end so before all of it was taken. */
static void test_slow_client_of_a_response_that_ends_by_closing__it_sees_a_reset(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.backlog_bytes_max = 100;
    scene->world->swarm.pipe_to_peer.capacity = 50;
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "O1.1.\n");
    client_says(scene, bob, "O2.1.\n");
    (void)target_hears(scene);
    char *text = large_chunk("<yes:\n", 1000);
    target_says(scene, text); /* and more to come */
    time_passes(scene, SECONDS(10) + MS(1));
    assert_true(client_sees_reset(scene, ann));
    target_says(scene, ".\n");
    assert_string_equal(target_hears(scene), ">O2.1.\n");
    target_says(scene, text);
    target_says(scene, ".\n"); /* all of it, but bob takes no more than the kernel does */
    time_passes(scene, SECONDS(10) + MS(1));
    assert_true(client_sees_reset(scene, bob));
    free(text);
    scene_end(&scene);
}

static void
test_old_client_ends_inside_its_request__its_response_does_not_look_complete(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "O1.1.:\n+30\nabcdefghij");
    target_says(scene, "<yes:\n+3\nab"); /* early */
    client_half_closes(scene, ann);
    assert_string_equal(client_hears(scene, ann), "/yes:\nAB");
    assert_true(client_sees_reset(scene, ann));
    scene_end(&scene);
}

static void test_response_falls_silent__timeout_cuts_it_off(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    for (size_t i = 0; i < 3; i++) {
        time_passes(scene, SECONDS(59));
        target_says(scene, "k"); /* --timeout is the longest silence, not the whole */
    }
    assert_false(client_sees_end(scene, ann));
    time_passes(scene, SECONDS(60) + MS(1));
    assert_string_equal(client_hears(scene, ann), "=yes:\n=30\nABCDEFGHIJKKK");
    assert_true(client_sees_end(scene, ann));
    assert_int_equal(counters(scene)->timeouts, 1);
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_upload_lasts_longer_than_timeout__only_silence_counts(void **state)
{
    (void)state;
    struct scene *scene = prepared_scene();
    scene->world->options.response_timeout_ns = SECONDS(5);
    scene_begin(scene);
    warm_up(scene);
    uint32_t ann = uploader_connects(scene);
    time_passes(scene, SECONDS(4));
    client_says(scene, ann, "klmno");
    time_passes(scene, SECONDS(4));
    client_says(scene, ann, "pqrstuvwxyzabcd.\n");
    (void)target_hears(scene);
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "=thanks\n");
    scene_end(&scene);
}

static void test_response_comes_before_the_request_is_whole__delivered_and_both_end(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    target_says(scene, "<no:\n+3\nabc.\n");
    assert_string_equal(client_hears(scene, ann), "/no:\n=3\nABC.\n");
    assert_true(client_sees_end(scene, ann));
    client_says(scene, ann, "klmnopqrstuvwxyzabcd.\n");
    assert_string_equal(target_hears(scene), ""); /* no more of it */
    assert_true(target_sees_end(scene));
    target_ends(scene);
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    scene_end(&scene);
}

static void
test_response_begins_before_the_request_is_sent__its_client_is_told_and_closed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    newest_link(scene)->down.style.capacity = 5;
    client_says(scene, ann, "N1.1.long\nN1.2.\n");
    target_says(scene, "<yes:\n+3\nab");
    assert_string_equal(client_hears(scene, ann), "/yes:\n=3\nAB");
    newest_link(scene)->down.style.capacity = 100;
    assert_string_equal(target_hears(scene), ">N1.1.long\n"); /* whole before the response is */
    target_says(scene, "c.\n");
    assert_string_equal(client_hears(scene, ann), "C.\n");
    assert_true(client_sees_end(scene, ann)); /* as it was told */
    assert_string_equal(target_hears(scene), "");
    uint32_t bob = client_connects(scene);
    assert_served(scene, bob);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

/* ---- orphans ---- */

static void test_client_gone_inside_a_response__the_rest_is_swallowed(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    uint32_t bob = client_connects(scene);
    client_resets(scene, ann);
    target_says(scene, "klmnopqrstuvwxyzabcd.\n");
    assert_served(scene, bob);
    assert_int_equal(links_so_far(scene), 1);
    scene_end(&scene);
}

static void test_client_gone_inside_an_endless_response__the_link_is_replaced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "N1.1.\n");
    client_resets(scene, ann);
    target_says(scene, "klmnopqrstuvwxyzabcd");
    char *part = large_chunk("", 60000);
    for (size_t i = 0; i < 4; i++) {
        target_says(scene, part);
        assert_false(target_sees_end(scene));
    }
    target_says(scene, part); /* more than 256 KiB by now */
    assert_true(target_sees_end(scene));
    free(part);
    scene_end(&scene);
}

static void
test_client_gone_with_much_of_a_response_announced__the_link_is_replaced_at_once(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<yes:\n+300000\nabc");
    client_resets(scene, ann); /* and the target says nothing more */
    assert_true(target_sees_end(scene));
    target_ends(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    assert_string_equal(target_hears(scene), ">N2.1.\n");
    target_says(scene, "<all*\nabc");
    client_resets(scene, bob);
    assert_true(target_sees_end(scene));
    scene_end(&scene);
}

static void test_client_gone_before_its_response_begins__it_counts_what_is_announced(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    client_resets(scene, ann);
    target_says(scene, "<yes:\n+200000\n");
    assert_false(target_sees_end(scene));
    char *body = large_chunk("", 200000);
    target_says(scene, strchr(body, '\n') + 1);
    target_says(scene, ".\n");
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    (void)target_hears(scene);
    client_resets(scene, bob);
    target_says(scene, "<yes:\n+200000\n"); /* each orphan counts for itself */
    target_says(scene, strchr(body, '\n') + 1);
    target_says(scene, "+60000\n");
    assert_false(target_sees_end(scene));
    target_says(scene, "abc");
    target_says(scene, strchr(body, '\n') + 1 + 200000 - 59997);
    target_says(scene, ".\n");
    uint32_t cid = client_connects(scene);
    client_says(scene, cid, "N3.1.\n");
    assert_string_equal(target_hears(scene), ">N3.1.\n");
    client_resets(scene, cid);
    target_says(scene, "<yes:\n+300000\n");
    assert_true(target_sees_end(scene));
    target_ends(scene);
    uint32_t dan = client_connects(scene);
    client_says(scene, dan, "N4.1.\n");
    assert_string_equal(target_hears(scene), ">N4.1.\n");
    client_resets(scene, dan);
    target_says(scene, "<all*\nabc"); /* and nobody knows how much */
    assert_true(target_sees_end(scene));
    free(body);
    scene_end(&scene);
}

/* ---- the terminate signal ---- */

static void test_terminate__an_upload_on_the_link_goes_on_one_that_gathers_does_not(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = uploader_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.:\n+3\n");
    fake_engine_drain(scene->world);
    scene_settle(scene);
    assert_true(client_is_closed(scene, bob));
    client_says(scene, ann, "klmnopqrstuvwxyzabcd.\n");
    assert_string_equal(target_hears(scene), "klmnopqrstuvwxyzabcd.\n");
    target_says(scene, "<thanks\n");
    assert_string_equal(client_hears(scene, ann), "/thanks\n");
    assert_true(client_sees_end(scene, ann));
    client_half_closes(scene, ann);
    target_ends(scene);
    assert_true(mux_is_finished(scene->world->mux));
    scene_end(&scene);
}

static void test_terminate__only_the_last_response_tells_the_end(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\nN1.2.\n");
    assert_string_equal(target_hears(scene), ">N1.1.\n");
    fake_engine_drain(scene->world);
    target_says(scene, "<first\n");
    assert_string_equal(client_hears(scene, ann), "=first\n"); /* else it would not look for more */
    assert_string_equal(target_hears(scene), ">N1.2.\n");
    target_says(scene, "<second\n");
    assert_string_equal(client_hears(scene, ann), "/second\n");
    assert_true(client_sees_end(scene, ann));
    scene_end(&scene);
}

static void test_terminate__a_response_that_outlasts_grace_is_cut_off(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = downloader_connects(scene, "O1.1.\n");
    fake_engine_drain(scene->world);
    time_passes(scene, SECONDS(10) + MS(1));
    assert_string_equal(client_hears(scene, ann), "/yes:\nABCDEFGHIJ");
    assert_true(client_sees_reset(scene, ann));
    assert_int_equal(counters(scene)->cut, 1);
    scene_end(&scene);
}

#define TEST(name) cmocka_unit_test(test_##name)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(request_gathers__it_holds_nothing_until_enough_of_it_is_there),
        TEST(eager_request__it_takes_the_link_with_its_head),
        TEST(one_way_request_streams__it_ends_when_it_is_sent),
        TEST(request_fills_its_backlog__what_came_behind_is_not_forgotten),
        TEST(target_takes_nothing__the_uploader_is_not_read_and_goes_on),
        TEST(large_bodies_pass_in_bounded_memory),
        TEST(uploader_stalls_while_it_holds_the_link__error_reply_and_link_replaced),
        TEST(uploader_that_brings_enough_in_time_goes_on),
        TEST(client_stalls_while_its_request_gathers__client_timeout_ends_it),
        TEST(request_that_gathers_is_dropped__it_does_not_end_as_if_answered),
        TEST(uploader_ends_while_it_holds_the_link__both_end),
        TEST(uploader_vanishes_while_it_holds_the_link__the_link_is_replaced),
        TEST(body_goes_wrong_behind_its_head__error_reply_and_link_replaced),
        TEST(body_becomes_too_large_behind_its_head__error_reply_and_link_replaced),
        TEST(body_goes_wrong_while_it_gathers__the_target_sees_nothing_of_it),
        TEST(body_goes_wrong_behind_a_full_backlog__error_reply_and_link_replaced),
        TEST(body_goes_wrong_before_a_byte_was_sent__the_link_stays),
        TEST(link_breaks_inside_an_upload__error_reply_and_the_rest_is_discarded),
        TEST(link_breaks_before_a_byte_of_an_upload_was_written__it_is_sent_on_the_next),
        TEST(link_breaks_before_an_upload_was_written__the_client_may_stall_as_before),
        TEST(response_streams__its_client_gets_it_as_it_comes),
        TEST(client_stops_reading_a_response__the_link_is_not_read_and_goes_on),
        TEST(buffer_memory_is_spent_by_responses__somebody_is_closed_for_it),
        TEST(response_is_cut_off__its_client_is_closed_and_gets_no_second),
        TEST(response_goes_wrong_in_the_middle__its_client_is_closed),
        TEST(response_until_the_end__it_completes_it_and_the_client_is_closed),
        TEST(response_until_the_end_breaks_off__its_client_sees_a_reset),
        TEST(old_client__its_response_ends_with_its_connection_and_the_link_stays),
        TEST(old_clients_response_is_cut_off__it_sees_a_reset),
        TEST(slow_client_of_a_response_that_ends_by_closing__it_sees_a_reset),
        TEST(old_client_ends_inside_its_request__its_response_does_not_look_complete),
        TEST(response_falls_silent__timeout_cuts_it_off),
        TEST(upload_lasts_longer_than_timeout__only_silence_counts),
        TEST(response_comes_before_the_request_is_whole__delivered_and_both_end),
        TEST(response_begins_before_the_request_is_sent__its_client_is_told_and_closed),
        TEST(client_gone_inside_a_response__the_rest_is_swallowed),
        TEST(client_gone_inside_an_endless_response__the_link_is_replaced),
        TEST(client_gone_with_much_of_a_response_announced__the_link_is_replaced_at_once),
        TEST(client_gone_before_its_response_begins__it_counts_what_is_announced),
        TEST(terminate__an_upload_on_the_link_goes_on_one_that_gathers_does_not),
        TEST(terminate__only_the_last_response_tells_the_end),
        TEST(terminate__a_response_that_outlasts_grace_is_cut_off),
    };
    if (argc > 1) {
        static char pattern[200];
        (void)snprintf(pattern, sizeof pattern, "*%s*", argv[1]);
        cmocka_set_test_filter(pattern);
    }
    trace_catch_signals();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
