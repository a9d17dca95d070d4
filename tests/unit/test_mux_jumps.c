/* SPDX-License-Identifier: MIT */
/*
 * The clock jumps: whoever stopped the process, or paused the machine, did not ask which deadlines were due
 * meanwhile. Each situation in which deadlines run is met by a jump far beyond all of them; the harness
 * checks every invariant of the core afterwards, and somebody new has to be served.
 */
#include <string.h>

#include "mux_play.h"

#define DAY SECONDS(24 * 3600)

/* ---- one situation after the other ---- */

static struct mux_options short_times(void)
{
    struct mux_options options = play_options(&play_by_order);
    options.client_timeout_ns = options.write_timeout_ns = options.response_timeout_ns = SECONDS(2);
    options.idle_timeout_ns = SECONDS(3);
    options.link_lifetime_ns = SECONDS(4);
    options.link_idle_ns = SECONDS(5);
    options.backlog_bytes_max = 20;
    return options;
}

static struct peer *asking(const char *text)
{
    struct peer *client = play_client();
    play_say(client, text);
    return client;
}

static void delays(void)
{
    asking("g1\n");
}

static void waits_for_an_answer(void)
{
    asking("g1\n");
    asking("w2\n");
}

static void has_answered(void)
{
    asking("g1\n");
    play_say(play_link(1), "R1\n");
}

static void retires(void)
{
    play.sleeps = true;
    asking("g1\n");
    play_say(play_link(1), "R1\nstray\n");
}

static void uploads(void)
{
    asking("s1\nmore\n");
}

static void is_half_sent(void)
{
    asking("g1\n");
    play_say(play_link(1), "R1\n");
    play_link(1)->blocked = true;
    asking("g2\n");
    play_take(play_link(1), 2);
}

static void is_unsent(void)
{
    asking("g1\n");
    play_say(play_link(1), "R1\n");
    play_link(1)->blocked = true;
    asking("g2\n");
}

static void stalls_in_a_request(void)
{
    asking("g1");
}

static void reads_nothing(void)
{
    struct peer *client = asking("g1\n");
    client->blocked = true;
    play_say(play_link(1), "S1\na line of some length\n");
}

static void lingers(void)
{
    struct peer *client = asking("g1\n");
    play_say(client, "s2\nmo");
    play_time(SECONDS(1));
    play_time(SECONDS(1));
}

static void cannot_connect(void)
{
    play.refuses = true;
    asking("g1\n");
}

static void drains(void)
{
    struct peer *client = asking("g1\n");
    client->blocked = true;
    play_say(play_link(1), "S1\na line of some length\n");
    mux_drain(play.mux);
}

static const struct situation {
    const char *name;
    void (*arrange)(void);
    uint64_t delay_ns;
    uint32_t in_flight;
    bool ends;
} situations[] = {
    {"a link delays, and its lifetime is over as well", delays, SECONDS(1), 1, false},
    {"requests wait, in flight and behind", waits_for_an_answer, 0, 1, false},
    {"requests are in flight, one behind the other", waits_for_an_answer, 0, 4, false},
    {"nobody asks", has_answered, 0, 1, false},
    {"a link retires", retires, 0, 1, false},
    {"an upload holds the link", uploads, 0, 1, false},
    {"half of a request is sent", is_half_sent, 0, 1, false},
    {"nothing of a request is sent", is_unsent, 0, 1, false},
    {"a client stalls", stalls_in_a_request, 0, 1, false},
    {"a client does not read", reads_nothing, 0, 1, false},
    {"a client is about to linger", lingers, 0, 1, false},
    {"the target refuses", cannot_connect, 0, 1, false},
    {"the multiplexer is told to stop", drains, 0, 1, true},
};

static void serves_somebody_new(uint64_t delay_ns)
{
    play.refuses = play.sleeps = false;
    play_time(SECONDS(600)); /* the pause between attempts is over */
    struct peer *client = play_client();
    play_say(client, "g9\n");
    play_time(delay_ns);
    play_time(SECONDS(1)); /* the silence of a link whose predecessor had stray bytes */
    struct peer *link = play_link(play.links_count);
    link->got_size = 0;
    play_say(link, "R9\n");
    play_got(client, "R9\n");
}

static void test_a_jump_over_every_deadline_does_no_harm(void **state)
{
    for (size_t index = 0; index < ARRAY_COUNT(situations); index++) {
        const struct situation *situation = &situations[index];
        struct mux_options options = short_times();
        options.delay_ns = situation->delay_ns;
        options.in_flight_max = situation->in_flight;
        play_open(&options);
        situation->arrange();
        play_jump(DAY);
        play_jump(DAY);
        play_jump(DAY);
        if (situation->ends) {
            assert_true(mux_is_finished(play.mux));
        } else {
            serves_somebody_new(situation->delay_ns);
        }
        play_close(state);
    }
}

static void test_a_link_whose_lifetime_ran_out_while_it_delayed_is_not_used(void **state)
{
    (void)state;
    struct mux_options options = short_times();
    options.delay_ns = SECONDS(1);
    play_open(&options);
    asking("g1\n");
    play_jump(SECONDS(20));
    play_got(play_link(1), "");
    assert_true(play_link(1)->closed);
}

/* ---- what has come since the last look ---- */

/* The link's lifetime ends by then, the time for the answer does not. */
static void test_what_became_due_after_the_last_look_waits(void **state)
{
    (void)state;
    struct mux_options options = short_times();
    options.link_lifetime_ns = SECONDS(1);
    play_open(&options);
    struct peer *client = asking("g1\n");
    play_late(SECONDS(3), SECONDS(2) - 1);
    play_say(play_link(1), "R1\n");
    play_got(client, "R1\n");
    play_late(0, 0);
    assert_true(play_link(1)->closed);
}

/* The engine always looks a little later than what was due. */
static void test_a_link_that_has_expired_ends_however_late_each_look_is(void **state)
{
    (void)state;
    struct mux_options options = short_times();
    options.link_lifetime_ns = SECONDS(1);
    play_open(&options);
    struct peer *client = asking("g1\n");
    play_late(SECONDS(1) + MS(1), SECONDS(1));
    play_say(play_link(1), "R1\n");
    play_got(client, "R1\n");
    play_late(MS(2), MS(1));
    assert_true(play_link(1)->closed);
}

static void test_what_was_due_before_the_last_look_ends(void **state)
{
    (void)state;
    struct mux_options options = short_times();
    play_open(&options);
    struct peer *client = asking("g1\n");
    play_late(SECONDS(3), SECONDS(2));
    play_got(client, PLAY_TIMEOUT);
}

/* ---- a clock that stood still ---- */

static void test_a_stall_ages_a_link_that_carries_nothing(void **state)
{
    (void)state;
    struct mux_options options = short_times();
    options.link_lifetime_ns = 0;
    play_open(&options);
    has_answered();
    play_stall(SECONDS(4));
    assert_false(play_link(1)->closed);
    play_stall(SECONDS(1)); /* --link-idle */
    assert_true(play_link(1)->closed);
}

static void test_a_stall_takes_nothing_of_a_requests_time(void **state)
{
    (void)state;
    struct mux_options options = short_times();
    play_open(&options);
    struct peer *client = asking("g1\n");
    play_stall(DAY);
    play_say(play_link(1), "R1\n");
    play_got(client, "R1\n");
}

/* ---- what a jump brought to light ---- */

static void test_an_uploader_is_read_again_when_a_request_in_front_is_taken_back(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.in_flight_max = 4;
    options.backlog_bytes_max = 20;
    play_open(&options);
    asking("g1\n");
    play_say(play_link(1), "R1\n");
    play_link(1)->blocked = true;
    struct peer *one = asking("g12345678\n");
    struct peer *uploader = asking("s1\n");
    play_say(uploader, "1234567\n");
    assert_int_equal(mux_wants(play.mux, uploader->id) & MUX_READ, 0);
    play_reset(one);
    play_say(uploader, ".\n");
}

/* One that has joined does not read, and goes for that while half of its next request is sent. */
static void test_the_end_of_one_who_shares_takes_nobodys_response(void **state)
{
    (void)state;
    /* What the greedy one's request takes here and on the link, and one and a half edited responses. */
    enum { LETTERS = 20000, HERE = 20 * KIB, THERE = 24 * KIB, EDITED = 7 * KIB, SMALL = 3 * KIB };
    static char request[LETTERS + 8] = "g0002";
    memset(request + 5, 'x', LETTERS);
    request[5 + LETTERS] = '\n';
    struct mux_options options = play_options(&play_by_id);
    options.in_flight_max = 4;
    options.coalesce = true;
    options.memory_bytes_max = HERE + THERE + EDITED + SMALL;
    play_open(&options);
    struct peer *leader = asking("r0001a\n");
    play_got(play_link(1), "r0001a\n");
    struct peer *greedy = asking("r0001a\n");
    struct peer *other = asking("r0001a\n");
    greedy->blocked = play_link(1)->blocked = true;
    play_say(greedy, request);
    play_take(play_link(1), 100);
    assert_false(greedy->closed);
    play_say(play_link(1), "r0001A\n");
    assert_true(greedy->closed);
    play_got(leader, "r0001A\n");
    play_got(other, "r0001A\n");
    assert_false(leader->closed);
    assert_true(play_link(1)->ended); /* half a request stands on it */
}

#define PLAYED(test) cmocka_unit_test_teardown(test, play_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAYED(test_a_jump_over_every_deadline_does_no_harm),
        PLAYED(test_a_link_whose_lifetime_ran_out_while_it_delayed_is_not_used),
        PLAYED(test_what_became_due_after_the_last_look_waits),
        PLAYED(test_a_link_that_has_expired_ends_however_late_each_look_is),
        PLAYED(test_what_was_due_before_the_last_look_ends),
        PLAYED(test_a_stall_ages_a_link_that_carries_nothing),
        PLAYED(test_a_stall_takes_nothing_of_a_requests_time),
        PLAYED(test_an_uploader_is_read_again_when_a_request_in_front_is_taken_back),
        PLAYED(test_the_end_of_one_who_shares_takes_nobodys_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
