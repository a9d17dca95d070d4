/* SPDX-License-Identifier: MIT */
/*
 * The failure table of DESIGN.md for messages that stream, row by row, as scenes. The protocol is `stream`: a
 * request `N1.1.:` and its body reach the target as `>N1.1.:` and the same body; an answer `<yes:` reaches
 * the client as `=yes:`, or as `/yes:` when its connection ends behind it, with a body in capitals.
 *
 * `test_stream_responses NAME` runs only the tests whose name contains NAME.
 */
#include "stream_scene.h"

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

static void test_response_until_the_end__it_goes_on_in_chunks_and_the_client_stays(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\nN1.2.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    target_says(scene, "def");
    assert_string_equal(client_hears(scene, ann), "=all*\n=3\nABC=3\nDEF");
    target_ends(scene);
    assert_string_equal(client_hears(scene, ann), ".\n");
    assert_false(client_sees_end(scene, ann));
    assert_int_equal(counters(scene)->responses, 2); /* with the one of warm_up */
    assert_string_equal(target_hears(scene), ">N1.2.\n");
    target_says(scene, "<second\n");
    assert_string_equal(client_hears(scene, ann), "=second\n");
    assert_served(scene, bob);
    scene_end(&scene);
}

/* The link was given up for an orphan, though the target had ended it. */
static void test_response_until_the_end__without_memory_to_say_so_only_its_client_goes(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    assert_string_equal(client_hears(scene, ann), "=all*\n=3\nABC");
    memory_forget_failures();
    while (memory_failed() == 0) { /* until no buffer is left */
        uint32_t bob = client_connects(scene);
        memory_fail_every(1);
        client_says(scene, bob, "N2.1.");
        memory_fail_every(0);
    }
    memory_fail_every(1);
    target_ends(scene);
    memory_fail_every(0);
    assert_true(client_is_closed(scene, ann));
    assert_int_equal(scene->world->witness.lost[REASON_ORPHAN], 0);
    assert_int_equal(scene->world->witness.lost[REASON_TARGET_ENDED], 1);
    assert_served(scene, client_connects(scene));
    scene_end(&scene);
    memory_forget_failures();
}

static void
test_response_until_the_end_breaks_off__its_client_is_closed_without_the_last_chunk(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    target_resets(scene);
    assert_string_equal(client_hears(scene, ann), "=all*\n=3\nABC");
    assert_true(client_sees_end(scene, ann));
    uint32_t bob = client_connects(scene);
    client_says(scene, bob, "N2.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    time_passes(scene, SECONDS(60) + MS(1)); /* --timeout */
    assert_string_equal(client_hears(scene, bob), "=all*\n=3\nABC");
    assert_true(client_sees_end(scene, bob));
    scene_end(&scene);
}

static void test_response_until_the_end_for_an_old_client__it_completes_it_and_the_client_is_closed(
    void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "O1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    target_says(scene, "def");
    assert_string_equal(client_hears(scene, ann), "/all*\nABCDEF");
    target_ends(scene);
    assert_true(client_sees_end(scene, ann));
    assert_false(client_sees_reset(scene, ann));
    assert_served(scene, bob);
    scene_end(&scene);
}

static void test_response_until_the_end_for_an_old_client_breaks_off__it_sees_a_reset(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    client_says(scene, ann, "O1.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    assert_string_equal(client_hears(scene, ann), "/all*\nABC");
    target_resets(scene);
    assert_true(client_sees_reset(scene, ann));
    scene_end(&scene);
}

static void test_client_gone_from_a_response_until_the_end__nobody_is_told_of_its_end(void **state)
{
    (void)state;
    struct scene *scene = warm_scene();
    uint32_t ann = client_connects(scene);
    uint32_t bob = client_connects(scene);
    client_says(scene, ann, "N1.1.\n");
    client_says(scene, bob, "N2.1.\n");
    (void)target_hears(scene);
    target_says(scene, "<all*\nabc");
    client_resets(scene, ann);
    target_ends(scene);
    assert_string_equal(client_hears(scene, bob), "");
    time_passes(scene, MS(250)); /* the target is not connected more often for a client's sake */
    assert_string_equal(target_hears(scene), ">N2.1.\n");
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
    target_lets_go(scene);
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
    target_lets_go(scene);
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

/* ---- runner ---- */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_response_streams__its_client_gets_it_as_it_comes),
        cmocka_unit_test(test_client_stops_reading_a_response__the_link_is_not_read_and_goes_on),
        cmocka_unit_test(test_buffer_memory_is_spent_by_responses__somebody_is_closed_for_it),
        cmocka_unit_test(test_response_is_cut_off__its_client_is_closed_and_gets_no_second),
        cmocka_unit_test(test_response_goes_wrong_in_the_middle__its_client_is_closed),
        cmocka_unit_test(test_response_until_the_end__it_goes_on_in_chunks_and_the_client_stays),
        cmocka_unit_test(
            test_response_until_the_end__without_memory_to_say_so_only_its_client_goes),
        cmocka_unit_test(
            test_response_until_the_end_breaks_off__its_client_is_closed_without_the_last_chunk),
        cmocka_unit_test(
            test_response_until_the_end_for_an_old_client__it_completes_it_and_the_client_is_closed),
        cmocka_unit_test(test_response_until_the_end_for_an_old_client_breaks_off__it_sees_a_reset),
        cmocka_unit_test(test_client_gone_from_a_response_until_the_end__nobody_is_told_of_its_end),
        cmocka_unit_test(test_old_client__its_response_ends_with_its_connection_and_the_link_stays),
        cmocka_unit_test(test_old_clients_response_is_cut_off__it_sees_a_reset),
        cmocka_unit_test(test_slow_client_of_a_response_that_ends_by_closing__it_sees_a_reset),
        cmocka_unit_test(
            test_old_client_ends_inside_its_request__its_response_does_not_look_complete),
        cmocka_unit_test(test_response_falls_silent__timeout_cuts_it_off),
        cmocka_unit_test(test_upload_lasts_longer_than_timeout__only_silence_counts),
        cmocka_unit_test(test_response_comes_before_the_request_is_whole__delivered_and_both_end),
        cmocka_unit_test(
            test_response_begins_before_the_request_is_sent__its_client_is_told_and_closed),
        cmocka_unit_test(test_client_gone_inside_a_response__the_rest_is_swallowed),
        cmocka_unit_test(test_client_gone_inside_an_endless_response__the_link_is_replaced),
        cmocka_unit_test(
            test_client_gone_with_much_of_a_response_announced__the_link_is_replaced_at_once),
        cmocka_unit_test(test_client_gone_before_its_response_begins__it_counts_what_is_announced),
        cmocka_unit_test(test_terminate__an_upload_on_the_link_goes_on_one_that_gathers_does_not),
        cmocka_unit_test(test_terminate__only_the_last_response_tells_the_end),
        cmocka_unit_test(test_terminate__a_response_that_outlasts_grace_is_cut_off),
    };
    scenes_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
