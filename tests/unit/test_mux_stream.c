/* SPDX-License-Identifier: MIT */
/*
 * Messages of several pieces through the core: HTTP bodies that stream, played by hand.
 *
 * The engine here obeys the changed list alone: what a connection wants is what it was told last, so a
 * wish that is not announced is a wish that is not granted. Sending is held back by a test that says so,
 * and then tried again as the kernel would announce it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "mux/mux.h"
#include "unit.h"

enum { CLIENTS_MAX = 3, KEPT_MAX = 1024, PART = 50000 };

struct peer {
    mux_id id;
    unsigned wants; /* as told last */
    bool blocked;   /* takes no bytes */
    bool closed, aborted;
    char got[KEPT_MAX]; /* the first bytes that it was sent */
    size_t got_size;    /* of all */
};

static uint8_t scratch[MUX_SCRATCH_BYTES];

static struct bench {
    struct mux *mux;
    uint64_t now_ns;
    struct peer link; /* the present one */
    unsigned links;   /* connected so far */
    struct peer clients[CLIENTS_MAX];
    size_t clients_count;
} bench;

static struct peer *peer_of(mux_id id)
{
    if (mux_id_is_link(id)) {
        if (bench.link.id != id) {
            bench.link = (struct peer){.id = id};
        }
        return &bench.link;
    }
    for (size_t index = 0; index < bench.clients_count; index++) {
        if (bench.clients[index].id == id) {
            return &bench.clients[index];
        }
    }
    fail_msg("the core names a client that there never was");
    abort();
}

static void flush(struct peer *peer)
{
    struct span view = mux_send_view(bench.mux, peer->id);
    while (!peer->blocked && view.size > 0) {
        for (size_t index = 0; index < view.size && peer->got_size + index + 1 < KEPT_MAX;
             index++) {
            peer->got[peer->got_size + index] = (char)view.data[index];
        }
        peer->got_size += view.size;
        mux_sent(bench.mux, peer->id, view.size);
        mux_check(bench.mux);
        view = mux_send_view(bench.mux, peer->id);
    }
}

static void grant(mux_id id)
{
    unsigned wants = mux_wants(bench.mux, id);
    struct peer *peer = peer_of(id);
    peer->wants = wants;
    if ((wants & MUX_CLOSE) != 0) {
        peer->closed = true;
        peer->aborted = (wants & MUX_ABORT) != 0;
        mux_closed(bench.mux, id);
    } else if ((wants & MUX_RESOLVE) != 0) {
        mux_resolved(bench.mux, id, 1);
    } else if ((wants & MUX_CONNECT) != 0) {
        bench.links++;
        mux_connected(bench.mux, id, NULL);
    } else if ((wants & MUX_PROBE) != 0) {
        mux_probed(bench.mux, id);
    }
    if ((wants & MUX_WRITE) != 0) {
        flush(peer);
    }
    mux_check(bench.mux);
}

static void settle(void)
{
    for (mux_id id = mux_next_changed(bench.mux); id != MUX_ID_NONE;
         id = mux_next_changed(bench.mux)) {
        grant(id);
    }
    mux_check(bench.mux);
}

static void unblock(struct peer *peer)
{
    peer->blocked = false;
    flush(peer);
    settle();
}

/* Bytes come from the peer; only when it is read. */
static void say_bytes(struct peer *peer, const char *bytes, size_t size)
{
    assert_true(size <= MUX_SCRATCH_BYTES);
    /* The wish as the engine knows it; READ withdrawn without a word is asked for again, as it would. */
    assert_true((peer->wants & mux_wants(bench.mux, peer->id) & MUX_READ) != 0);
    size_t space;
    memcpy(mux_recv_space(bench.mux, peer->id, &space), bytes, size);
    mux_received(bench.mux, peer->id, size);
    mux_check(bench.mux);
    settle();
}

static void say(struct peer *peer, const char *text)
{
    say_bytes(peer, text, strlen(text));
}

static void say_part(struct peer *peer)
{
    static char part[PART];
    memset(part, 'x', sizeof part);
    say_bytes(peer, part, sizeof part);
}

/* Whether the engine knows that it should read, and the core agrees. */
static bool is_read(const struct peer *peer)
{
    return (peer->wants & mux_wants(bench.mux, peer->id) & MUX_READ) != 0;
}

static struct peer *client_connects(void)
{
    struct peer *client = &bench.clients[bench.clients_count++];
    *client = (struct peer){.id = mux_accepted(bench.mux, NULL)};
    settle();
    return client;
}

static int set_up(void **state)
{
    (void)state;
    struct mux_options options;
    mux_options_init(&options);
    options.protocol = protocol_find("http");
    assert_non_null(options.protocol);
    bench = (struct bench){.now_ns = NS_PER_S};
    bench.mux = mux_create(&options, NULL, scratch, bench.now_ns);
    assert_non_null(bench.mux);
    settle();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mux_destroy(&bench.mux);
    return 0;
}

#define GET     "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OLD_GET "GET / HTTP/1.0\r\n\r\n"
#define UPLOAD  "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n"

/* ---- requests ---- */

static void test_a_request_gathers_before_it_takes_the_link(void **state)
{
    (void)state;
    struct peer *slow = client_connects();
    struct peer *other = client_connects();
    say(slow, UPLOAD);
    say(slow, "some of it");
    assert_int_equal(bench.link.got_size, 0);
    say(other, GET);
    assert_string_equal(bench.link.got, GET);
    say(&bench.link, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_true(other->got_size > 0);
    say_part(slow);
    assert_int_equal(bench.link.got_size, strlen(GET));
    say_part(slow); /* --buffer-requests of it are there */
    assert_true(bench.link.got_size > 2 * PART);
    assert_memory_equal(bench.link.got + strlen(GET), UPLOAD "some of it", strlen(UPLOAD) + 10);
}

static void test_an_upload_waits_for_a_link_that_is_full_and_goes_on(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, UPLOAD);
    say_part(client);
    say_part(client); /* under way, and all of it sent */
    size_t said = 2 * PART;
    assert_int_equal(bench.link.got_size, strlen(UPLOAD) + said);
    bench.link.blocked = true;
    while (is_read(client)) {
        say_part(client);
        said += PART;
        assert_true(said <= 6 * PART); /* bounded, however large the body */
    }
    assert_int_equal(bench.link.got_size, strlen(UPLOAD) + 2 * PART);
    unblock(&bench.link);
    assert_int_equal(bench.link.got_size, strlen(UPLOAD) + said);
    for (; said < 500000; said += PART) {
        say_part(client);
    }
    assert_int_equal(bench.link.got_size, strlen(UPLOAD) + 500000);
    say(&bench.link, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_memory_equal(client->got, "HTTP/1.1 204", 12);
    assert_int_equal(bench.links, 1);
}

static void test_half_an_upload_is_never_followed_by_anothers_request(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    struct peer *other = client_connects();
    say(client, UPLOAD);
    say_part(client);
    say_part(client);
    assert_true(bench.link.got_size > 0);
    size_t before = bench.link.got_size;
    mux_failed(bench.mux, client->id, IO_RESET);
    settle();
    assert_true((bench.link.wants & MUX_END) != 0);
    say(other, GET);
    assert_int_equal(bench.link.got_size, before);
    mux_ended(bench.mux, bench.link.id);
    settle();
    bench.now_ns =
        mux_deadline(bench.mux); /* a link that never answered: the next waits its pause */
    mux_time(bench.mux, bench.now_ns);
    settle();
    assert_int_equal(bench.links, 2);
    assert_string_equal(bench.link.got, GET);
}

static void test_an_upload_that_ends_early_is_discarded(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, UPLOAD "some of it");
    mux_ended(bench.mux, client->id);
    settle();
    assert_true(client->closed);
    assert_int_equal(bench.link.got_size, 0);
    assert_int_equal(mux_counters(bench.mux)->waiting, 0);
}

static void test_a_response_before_the_upload_is_whole_is_delivered_and_ends_both(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, "PUT /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
    assert_true(bench.link.got_size > 0); /* with its head, in its turn */
    say(&bench.link, "HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno");
    assert_non_null(strstr(client->got, "HTTP/1.1 417 No"));
    assert_non_null(strstr(client->got, "Connection: close"));
    assert_true((client->wants & MUX_END) != 0);
    assert_true((bench.link.wants & MUX_END) != 0);
}

/* ---- responses ---- */

static void test_a_download_waits_for_its_client_and_goes_on(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, GET);
    client->blocked = true;
    say(&bench.link, "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n");
    size_t said = 0;
    while (is_read(&bench.link)) {
        say_part(&bench.link);
        said += PART;
        assert_true(said <= 4 * PART);
    }
    unblock(client);
    for (; said < 500000; said += PART) {
        say_part(&bench.link);
    }
    assert_true(client->got_size > 500000);
    assert_false(client->closed);
    say(client, GET);
    assert_int_equal(bench.links, 1);
}

static void test_a_second_answer_is_never_glued_to_half_of_the_first(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, GET);
    say(&bench.link, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    size_t before = client->got_size;
    mux_failed(bench.mux, bench.link.id, IO_RESET);
    settle();
    assert_int_equal(client->got_size, before);
    assert_true((client->wants & MUX_END) != 0);
}

static void test_a_response_until_the_end_is_completed_by_it(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, OLD_GET);
    say(&bench.link, "HTTP/1.1 200 OK\r\n\r\nall of it");
    mux_ended(bench.mux, bench.link.id);
    settle();
    assert_non_null(strstr(client->got, "all of it"));
    assert_true((client->wants & MUX_END) != 0);
    assert_int_equal(mux_counters(bench.mux)->responses, 1);
}

static void test_a_response_until_the_end_goes_to_others_in_chunks(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, GET);
    say(&bench.link, "HTTP/1.1 200 OK\r\n\r\nall of it");
    assert_non_null(strstr(client->got, "\r\n\r\n9\r\nall of it\r\n"));
    assert_null(strstr(client->got, "0\r\n\r\n"));
    mux_ended(bench.mux, bench.link.id);
    settle();
    assert_non_null(strstr(client->got, "9\r\nall of it\r\n0\r\n\r\n"));
    assert_true((client->wants & MUX_READ) != 0);
    assert_true((client->wants & (MUX_END | MUX_CLOSE)) == 0);
    assert_int_equal(mux_counters(bench.mux)->responses, 1);
}

static void test_a_response_until_the_end_that_breaks_off_ends_in_a_reset(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, OLD_GET);
    say(&bench.link, "HTTP/1.1 200 OK\r\n\r\nhalf of it");
    mux_failed(bench.mux, bench.link.id, IO_RESET);
    settle();
    assert_true(client->closed);
    assert_true(client->aborted);
}

static void test_interim_responses_go_before_the_final_one(void **state)
{
    (void)state;
    struct peer *client = client_connects();
    say(client, GET);
    say(&bench.link, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
    assert_non_null(strstr(client->got, "103 Early Hints"));
    say(&bench.link, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_non_null(strstr(client->got, "200 OK"));
    assert_int_equal(mux_counters(bench.mux)->responses, 1);
    assert_int_equal(mux_counters(bench.mux)->strays, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_request_gathers_before_it_takes_the_link, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_an_upload_waits_for_a_link_that_is_full_and_goes_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_an_upload_is_never_followed_by_anothers_request,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_upload_that_ends_early_is_discarded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_response_before_the_upload_is_whole_is_delivered_and_ends_both, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(test_a_download_waits_for_its_client_and_goes_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_answer_is_never_glued_to_half_of_the_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_response_until_the_end_is_completed_by_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_response_until_the_end_goes_to_others_in_chunks,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_response_until_the_end_that_breaks_off_ends_in_a_reset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interim_responses_go_before_the_final_one, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
