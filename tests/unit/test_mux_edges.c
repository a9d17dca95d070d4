/* SPDX-License-Identifier: MIT */
/*
 * Rules of the core that a simulated world meets seldom or never, each played by hand.
 *
 * The engine here is a few lines: it grants every wish at once, except those that a test holds back
 * (a target that refuses, a link or clients that take no bytes). Time moves from deadline to
 * deadline. The protocol is the test's own: a length of seven digits, a letter, and the body.
 * Letter C: the connection ends after this exchange.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "mux/mux.h"
#include "unit.h"

enum { CLIENTS_MAX = 4, HEAD = 8, KEPT_MAX = 64, ROUNDS_MAX = 1000 };

#define SECONDS(count) ((uint64_t)(count)*NS_PER_S)
#define MS(count)      ((uint64_t)(count)*NS_PER_MS)

/* ---- the protocol ---- */

static bool reply_closes;

static enum frame_status frame_next(const struct protocol_settings *settings, struct span bytes,
                                    struct frame *frame)
{
    *frame = (struct frame){0};
    if (bytes.size < HEAD) {
        return FRAME_PARTIAL;
    }
    char digits[HEAD] = {0};
    memcpy(digits, bytes.data, HEAD - 1);
    frame->size = HEAD + strtoul(digits, NULL, 10);
    frame->ends = bytes.size >= frame->size;
    if (frame->size > settings->message_bytes_max) {
        return FRAME_TOO_LARGE;
    }
    return frame->ends ? FRAME_PIECE : FRAME_PARTIAL;
}

static enum frame_status frame_request(const struct protocol_settings *settings,
                                       struct framer *framer, struct span bytes,
                                       struct frame *frame, struct request *request)
{
    (void)framer;
    enum frame_status status = frame_next(settings, bytes, frame);
    if (status == FRAME_PIECE) {
        *request =
            (struct request){.expects_response = true, .closes = bytes.data[HEAD - 1] == 'C'};
    }
    return status;
}

static enum frame_status frame_response(const struct protocol_settings *settings,
                                        struct framer *framer, const struct request *request,
                                        struct span bytes, struct frame *frame)
{
    (void)framer;
    (void)request;
    return frame_next(settings, bytes, frame);
}

static struct reply error_reply(const struct protocol_settings *settings, enum trouble trouble,
                                uint16_t code, const struct request *request, uint8_t *out)
{
    (void)settings;
    (void)code;
    (void)trouble;
    (void)request;
    memcpy(out, "0000000E", HEAD);
    return (struct reply){.size = HEAD, .closes = reply_closes};
}

static const struct protocol protocol = {
    .name = "test",
    .sentence = "a length, a letter, a body",
    .matching = MATCH_BY_ORDER,
    .frame_request = frame_request,
    .frame_response = frame_response,
    .error_reply = error_reply,
};

/* ---- the engine ---- */

struct client {
    mux_id id;
    char got[KEPT_MAX]; /* the first bytes that it was sent */
    size_t got_size;    /* of all */
    bool is_shut, is_closed;
};

static struct bench {
    struct mux *mux;
    uint64_t now_ns;
    mux_id link;
    unsigned attempts;
    char heard[KEPT_MAX]; /* the first bytes that the target was sent */
    size_t heard_size;
    const char *greeting; /* what the target says before it is asked; read when a probe looks */
    bool link_is_ending, target_refuses, link_is_blocked, clients_are_blocked;
    struct client clients[CLIENTS_MAX];
    size_t clients_count;
} bench;

static uint8_t scratch[MUX_SCRATCH_BYTES];

static void keep(char kept[KEPT_MAX], size_t *size, struct span bytes)
{
    for (size_t index = 0; index < bytes.size && *size + index + 1 < KEPT_MAX; index++) {
        kept[*size + index] = (char)bytes.data[index];
    }
    *size += bytes.size;
}

/* The bytes have come; what follows from them waits for settle(). */
static void receive(mux_id id, const char *bytes, size_t size)
{
    size_t space;
    memcpy(mux_recv_space(bench.mux, id, &space), bytes, size);
    assert_true(size <= space);
    mux_received(bench.mux, id, size);
    mux_check(bench.mux);
}

static void probe(mux_id id)
{
    if (bench.greeting != NULL) {
        receive(id, bench.greeting, strlen(bench.greeting));
        bench.greeting = NULL;
    }
    if ((mux_wants(bench.mux, id) & MUX_PROBE) != 0) {
        mux_probed(bench.mux, id);
    }
}

static void serve_link(mux_id id, unsigned wants)
{
    bench.link = id;
    if ((wants & MUX_CLOSE) != 0) {
        bench.link = MUX_ID_NONE;
        mux_closed(bench.mux, id);
    } else if ((wants & MUX_RESOLVE) != 0) {
        mux_resolved(bench.mux, id, 1);
    } else if ((wants & MUX_CONNECT) != 0) {
        bench.attempts++;
        bench.link_is_ending = false;
        if (bench.target_refuses) {
            mux_failed(bench.mux, id, IO_REFUSED);
        } else {
            mux_connected(bench.mux, id, NULL);
        }
    } else if ((wants & MUX_PROBE) != 0) {
        probe(id);
    } else if ((wants & MUX_WRITE) != 0 && !bench.link_is_blocked) {
        struct span view = mux_send_view(bench.mux, id);
        keep(bench.heard, &bench.heard_size, view);
        mux_sent(bench.mux, id, view.size);
    }
    bench.link_is_ending = bench.link_is_ending || (wants & MUX_END) != 0;
}

static struct client *client_of(mux_id id)
{
    for (size_t index = 0; index < bench.clients_count; index++) {
        if (bench.clients[index].id == id) {
            return &bench.clients[index];
        }
    }
    fail_msg("the core names a client that there never was");
    return NULL;
}

/* Takes at most `size` bytes. */
static void client_takes(struct client *client, size_t size)
{
    struct span view = mux_send_view(bench.mux, client->id);
    view.size = view.size < size ? view.size : size;
    keep(client->got, &client->got_size, view);
    mux_sent(bench.mux, client->id, view.size);
}

static void serve_client(mux_id id, unsigned wants)
{
    struct client *client = client_of(id);
    if ((wants & MUX_CLOSE) != 0) {
        client->is_closed = true;
        mux_closed(bench.mux, id);
    } else if ((wants & MUX_WRITE) != 0 && !bench.clients_are_blocked) {
        client_takes(client, SIZE_MAX);
    }
    client->is_shut = client->is_shut || (wants & MUX_END) != 0;
}

/* Grants what is wanted until nothing changes any more. */
static void settle(void)
{
    mux_id id;
    unsigned rounds = 0;
    mux_check(bench.mux);
    while ((id = mux_next_changed(bench.mux)) != MUX_ID_NONE) {
        mux_check(bench.mux);
        if (++rounds > ROUNDS_MAX) {
            fail_msg("the core wants without end");
        }
        unsigned wants = mux_wants(bench.mux, id);
        if (mux_id_is_link(id)) {
            serve_link(id, wants);
        } else {
            serve_client(id, wants);
        }
        mux_check(bench.mux);
    }
}

static void time_passes(uint64_t ns)
{
    uint64_t until = bench.now_ns + ns;
    for (uint64_t at = mux_deadline(bench.mux); at <= until; at = mux_deadline(bench.mux)) {
        bench.now_ns = at > bench.now_ns ? at : bench.now_ns;
        mux_time(bench.mux, bench.now_ns);
        settle();
    }
    bench.now_ns = until;
    mux_time(bench.mux, until);
    settle();
}

/* ---- what a test does ---- */

static struct mux_options quiet_options(void)
{
    struct mux_options options;
    mux_options_init(&options);
    options.protocol = &protocol;
    options.clients_max = CLIENTS_MAX;
    options.on_demand = true;
    return options;
}

static void open_bench(const struct mux_options *options)
{
    bench = (struct bench){.now_ns = SECONDS(1000)};
    reply_closes = false;
    bench.mux = mux_create(options, NULL, scratch, bench.now_ns);
    assert_non_null(bench.mux);
    settle();
}

static void close_bench(void)
{
    mux_destroy(&bench.mux);
}

static struct client *connect_client(void)
{
    assert_in_range(bench.clients_count, 0, CLIENTS_MAX - 1);
    struct client *client = &bench.clients[bench.clients_count++];
    *client = (struct client){.id = mux_accepted(bench.mux, NULL)};
    assert_int_not_equal(client->id, MUX_ID_NONE);
    settle();
    return client;
}

static void client_says(const struct client *client, const char *text)
{
    receive(client->id, text, strlen(text));
    settle();
}

static void target_says(const char *text)
{
    receive(bench.link, text, strlen(text));
    settle();
}

static void assert_target_heard(const char *text)
{
    assert_string_equal(bench.heard, text);
    memset(bench.heard, 0, sizeof bench.heard);
    bench.heard_size = 0;
}

static void assert_client_got(struct client *client, const char *text)
{
    assert_string_equal(client->got, text);
    memset(client->got, 0, sizeof client->got);
    client->got_size = 0;
}

/* The target closes the link, or ends its part of one that is being retired. */
static void target_ends(void)
{
    mux_ended(bench.mux, bench.link);
    settle();
}

/* ---- clients ---- */

static void test_a_late_fact_about_a_client_that_has_ended_is_nobodys(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    mux_id old = connect_client()->id;
    mux_failed(bench.mux, old, IO_RESET);
    settle();
    mux_id young = connect_client()->id;
    assert_int_equal(mux_id_slot(young), mux_id_slot(old)); /* or this test tests nothing */
    assert_int_not_equal(young, old);
    mux_failed(bench.mux, old, IO_RESET);
    settle();
    assert_int_equal(mux_counters(bench.mux)->clients, 1);
    close_bench();
}

static void test_the_queue_of_one_client_is_bounded_by_its_backlog(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.backlog_bytes_max = 100;
    open_bench(&options);
    bench.target_refuses = true;
    struct client *client = connect_client();
    for (size_t request = 0; request < 12; request++) {
        assert_int_equal(mux_wants(bench.mux, client->id) & MUX_READ, MUX_READ);
        client_says(client, "0000001Nx"); /* 9 bytes: the twelfth crosses the limit */
    }
    assert_int_equal(mux_wants(bench.mux, client->id) & MUX_READ, 0);
    close_bench();
}

static void test_a_single_byte_begins_a_request(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *client = connect_client();
    client_says(client, "0");
    time_passes(options.client_timeout_ns - 1);
    assert_false(client->is_shut);
    time_passes(1);
    assert_true(client->is_shut);
    close_bench();
}

static void test_an_error_reply_that_closes_ends_its_client(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    reply_closes = true;
    bench.target_refuses = true;
    struct client *client = connect_client();
    client_says(client, "0000001Na"
                        "0000001Nb");
    time_passes(options.queue_timeout_ns);
    assert_client_got(client, "0000000E"); /* and not a second one */
    assert_true(client->is_shut);
    close_bench();
}

/* A response of so many bytes for a client that takes none of it. */
static struct client *slow_client(unsigned body)
{
    struct client *client = connect_client();
    bench.clients_are_blocked = true;
    client_says(client, "0000001Nx");
    char *response = calloc(1, HEAD + body + 1);
    assert_non_null(response);
    (void)snprintf(response, HEAD + 1, "%07uN", body);
    for (size_t begin = 0; begin < HEAD + body; begin += sizeof scratch) {
        size_t size = HEAD + body - begin;
        receive(bench.link, response + begin, size < sizeof scratch ? size : sizeof scratch);
    }
    free(response);
    settle();
    return client;
}

static void test_a_slow_client_stays_while_it_takes_64_kib_in_time(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *client = slow_client(600 * 1024);
    for (size_t round = 0; round < 5; round++) {
        time_passes(options.write_timeout_ns - 1);
        assert_false(client->is_closed);
        client_takes(client, 64 * KIB);
        settle();
    }
    time_passes(options.write_timeout_ns - 1);
    client_takes(client, 64 * KIB - 1);
    settle();
    assert_false(client->is_closed);
    time_passes(1);
    assert_true(client->is_closed);
    close_bench();
}

static void test_our_own_silence_is_not_the_clients(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.client_timeout_ns = SECONDS(4);
    open_bench(&options);
    struct client *client = slow_client(100 * 1024);
    client_says(client, "000"); /* the beginning of its next request */
    time_passes(SECONDS(9));    /* we do not read it, since it does not take its response */
    client_takes(client, 40 * KIB);
    settle(); /* it is under its backlog: from here on its silence counts */
    bench.clients_are_blocked = false;
    client_takes(client, SIZE_MAX);
    settle();
    time_passes(SECONDS(4) - 1);
    assert_false(client->is_shut);
    time_passes(1);
    assert_true(client->is_shut);
    close_bench();
}

/* ---- requests that were taken, of which nothing was written ---- */

static struct client *blocked_request(void)
{
    struct client *client = connect_client();
    bench.link_is_blocked = true;
    client_says(client, "0000001Nx");
    assert_int_equal(mux_counters(bench.mux)->in_flight, 1);
    return client;
}

static void test_the_unsent_request_of_a_client_that_goes_is_not_sent(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *client = blocked_request();
    mux_failed(bench.mux, client->id, IO_RESET);
    settle();
    assert_int_equal(mux_wants(bench.mux, bench.link) & MUX_WRITE, 0);
    assert_int_equal(mux_send_view(bench.mux, bench.link).size, 0);
    close_bench();
}

static void test_bytes_that_come_before_a_request_was_sent_are_not_its_response(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *client = blocked_request();
    target_says("0000001Ny");
    assert_int_equal(client->got_size, 0);
    assert_int_equal(mux_counters(bench.mux)->strays, 1);
    assert_int_equal(mux_counters(bench.mux)->returned, 1);
    assert_true(bench.link_is_ending);
    close_bench();
}

static void test_a_request_that_the_target_does_not_take_ends_after_wait_timeout(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *client = blocked_request();
    time_passes(options.wait_timeout_ns - 1);
    assert_int_equal(client->got_size, 0);
    time_passes(1);
    assert_client_got(client, "0000000E");
    close_bench();
}

static void test_a_request_that_returns_has_waited_already(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.wait_timeout_ns = SECONDS(10);
    options.queue_timeout_ns = SECONDS(100);
    open_bench(&options);
    struct client *client = blocked_request();
    time_passes(SECONDS(6));
    bench.target_refuses = true;
    target_ends();
    assert_int_equal(mux_counters(bench.mux)->returned, 1);
    time_passes(SECONDS(4) - 1);
    assert_int_equal(client->got_size, 0);
    time_passes(1);
    assert_client_got(client, "0000000E");
    close_bench();
}

/* ---- waiting ---- */

static void test_the_next_request_goes_out_in_the_turn_that_frees_the_link(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *first = connect_client();
    struct client *second = connect_client();
    client_says(first, "0000001Na");
    client_says(second, "0000001Nb");
    assert_target_heard("0000001Na");
    target_says("0000001NA");
    assert_client_got(first, "0000001NA");
    assert_target_heard("0000001Nb");
    close_bench();
}

static void test_waiting_beside_a_link_does_not_count_for_queue_timeout(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *first = connect_client();
    struct client *second = connect_client();
    client_says(first, "0000001Na");
    client_says(second, "0000001Nb");
    time_passes(options.queue_timeout_ns - 1); /* for its turn */
    bench.target_refuses = true;
    target_ends();
    time_passes(options.queue_timeout_ns - 1);
    assert_int_equal(second->got_size, 0);
    time_passes(1);
    assert_client_got(second, "0000000E");
    close_bench();
}

/* An engine may know at once that a link is up, as with unix sockets: no clock in between. */
static void test_a_link_that_is_up_at_once_takes_the_request_in_the_same_turn(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    client_says(connect_client(), "0000001Na");
    assert_target_heard("0000001Na");
    close_bench();
}

static void test_a_target_is_asked_when_it_has_greeted(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    bench.greeting = "0000005Nhello";
    struct client *client = connect_client();
    client_says(client, "0000001Na");
    assert_target_heard("");
    time_passes(50 * NS_PER_MS);
    assert_target_heard("0000001Na");
    assert_int_equal(client->got_size, 0);
    assert_int_equal(mux_counters(bench.mux)->greetings, 1);
    assert_int_equal(mux_counters(bench.mux)->strays, 0);
    assert_false(bench.link_is_ending);
    close_bench();
}

/* ---- orphans ---- */

static void test_an_orphan_of_known_length_with_too_much_to_come_is_not_swallowed(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    open_bench(&options);
    struct client *client = connect_client();
    client_says(client, "0000001Nx");
    mux_failed(bench.mux, client->id, IO_RESET);
    settle();
    target_says("0262144N"); /* 256 KiB to come: still swallowed */
    assert_false(bench.link_is_ending);
    close_bench();

    open_bench(&options);
    client = connect_client();
    client_says(client, "0000001Nx");
    mux_failed(bench.mux, client->id, IO_RESET);
    settle();
    target_says("0262145N");
    assert_true(bench.link_is_ending);
    close_bench();
}

/* ---- dialling ---- */

static void test_a_link_that_ends_after_an_hour_without_an_answer_is_replaced_at_once(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.on_demand = false;
    options.hold = true;
    open_bench(&options);
    assert_int_equal(bench.attempts, 1);
    time_passes(SECONDS(3600));
    target_ends();
    assert_int_equal(bench.attempts, 2);
    close_bench();
}

static void test_the_pause_never_exceeds_its_limit(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.on_demand = false;
    options.hold = true;
    options.retry_delay_min_ns = MS(1000);
    options.retry_delay_max_ns = MS(1100);
    open_bench(&options);
    bench.target_refuses = true;
    target_ends();
    time_passes(SECONDS(140)); /* 1.1 s, and at most a quarter of that on top */
    assert_in_range(bench.attempts, 140 * 1000 / 1375, 140 * 1000 / 1100 + 2);
    close_bench();
}

static void test_a_response_ends_the_back_off(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.on_demand = false;
    options.hold = true;
    options.retry_delay_min_ns = options.retry_delay_max_ns = SECONDS(30);
    options.queue_timeout_ns = SECONDS(60);
    open_bench(&options);
    bench.target_refuses = true;
    target_ends();
    time_passes(SECONDS(100));
    client_says(connect_client(), "0000001Nx");
    bench.target_refuses = false;
    unsigned attempts = bench.attempts;
    time_passes(SECONDS(30) * 5 / 4);
    assert_int_equal(bench.attempts, attempts + 1);
    target_says("0000001Ny");
    target_ends();
    assert_int_equal(bench.attempts, attempts + 2);
    close_bench();
}

/* ---- stopping ---- */

static void test_a_core_that_stops_does_not_wait_for_a_client_that_takes_nothing(void **state)
{
    (void)state;
    struct mux_options options = quiet_options();
    options.write_timeout_ns = SECONDS(1000);
    open_bench(&options);
    struct client *client = slow_client(100 * 1024);
    mux_drain(bench.mux);
    settle();
    time_passes(options.grace_ns + SECONDS(2) - 1);
    assert_false(client->is_closed);
    time_passes(1);
    assert_true(client->is_closed);
    time_passes(SECONDS(1)); /* the link is retired */
    assert_true(mux_is_finished(bench.mux));
    close_bench();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_late_fact_about_a_client_that_has_ended_is_nobodys),
        cmocka_unit_test(test_the_queue_of_one_client_is_bounded_by_its_backlog),
        cmocka_unit_test(test_a_single_byte_begins_a_request),
        cmocka_unit_test(test_an_error_reply_that_closes_ends_its_client),
        cmocka_unit_test(test_a_slow_client_stays_while_it_takes_64_kib_in_time),
        cmocka_unit_test(test_our_own_silence_is_not_the_clients),
        cmocka_unit_test(test_the_unsent_request_of_a_client_that_goes_is_not_sent),
        cmocka_unit_test(test_bytes_that_come_before_a_request_was_sent_are_not_its_response),
        cmocka_unit_test(test_a_request_that_the_target_does_not_take_ends_after_wait_timeout),
        cmocka_unit_test(test_a_request_that_returns_has_waited_already),
        cmocka_unit_test(test_the_next_request_goes_out_in_the_turn_that_frees_the_link),
        cmocka_unit_test(test_waiting_beside_a_link_does_not_count_for_queue_timeout),
        cmocka_unit_test(test_a_link_that_is_up_at_once_takes_the_request_in_the_same_turn),
        cmocka_unit_test(test_a_target_is_asked_when_it_has_greeted),
        cmocka_unit_test(test_an_orphan_of_known_length_with_too_much_to_come_is_not_swallowed),
        cmocka_unit_test(test_a_link_that_ends_after_an_hour_without_an_answer_is_replaced_at_once),
        cmocka_unit_test(test_the_pause_never_exceeds_its_limit),
        cmocka_unit_test(test_a_response_ends_the_back_off),
        cmocka_unit_test(test_a_core_that_stops_does_not_wait_for_a_client_that_takes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
