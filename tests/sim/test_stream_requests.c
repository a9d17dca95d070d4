/* SPDX-License-Identifier: MIT */
/*
 * The failure table of DESIGN.md for messages that stream, row by row, as scenes. The protocol is `stream`: a
 * request `N1.1.:` and its body reach the target as `>N1.1.:` and the same body; an answer `<yes:` reaches
 * the client as `=yes:`, or as `/yes:` when its connection ends behind it, with a body in capitals.
 *
 * `test_stream_requests NAME` runs only the tests whose name contains NAME.
 */
#include "stream_scene.h"

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
        time_passes(scene, SECONDS(10));
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
    target_lets_go(scene);
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
    target_lets_go(scene);
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
    target_lets_go(scene);
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

/* ---- runner ---- */

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_gathers__it_holds_nothing_until_enough_of_it_is_there),
        cmocka_unit_test(test_eager_request__it_takes_the_link_with_its_head),
        cmocka_unit_test(test_one_way_request_streams__it_ends_when_it_is_sent),
        cmocka_unit_test(test_request_fills_its_backlog__what_came_behind_is_not_forgotten),
        cmocka_unit_test(test_target_takes_nothing__the_uploader_is_not_read_and_goes_on),
        cmocka_unit_test(test_large_bodies_pass_in_bounded_memory),
        cmocka_unit_test(
            test_uploader_stalls_while_it_holds_the_link__error_reply_and_link_replaced),
        cmocka_unit_test(test_uploader_that_brings_enough_in_time_goes_on),
        cmocka_unit_test(test_client_stalls_while_its_request_gathers__client_timeout_ends_it),
        cmocka_unit_test(test_request_that_gathers_is_dropped__it_does_not_end_as_if_answered),
        cmocka_unit_test(test_uploader_ends_while_it_holds_the_link__both_end),
        cmocka_unit_test(test_uploader_vanishes_while_it_holds_the_link__the_link_is_replaced),
        cmocka_unit_test(test_body_goes_wrong_behind_its_head__error_reply_and_link_replaced),
        cmocka_unit_test(
            test_body_becomes_too_large_behind_its_head__error_reply_and_link_replaced),
        cmocka_unit_test(test_body_goes_wrong_while_it_gathers__the_target_sees_nothing_of_it),
        cmocka_unit_test(test_body_goes_wrong_behind_a_full_backlog__error_reply_and_link_replaced),
        cmocka_unit_test(test_body_goes_wrong_before_a_byte_was_sent__the_link_stays),
        cmocka_unit_test(test_link_breaks_inside_an_upload__error_reply_and_the_rest_is_discarded),
        cmocka_unit_test(
            test_link_breaks_before_a_byte_of_an_upload_was_written__it_is_sent_on_the_next),
        cmocka_unit_test(
            test_link_breaks_before_an_upload_was_written__the_client_may_stall_as_before),
    };
    scenes_begin(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
