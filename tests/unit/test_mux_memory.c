/* SPDX-License-Identifier: MIT */
/* The one rule for memory, played by hand: what counts, who is not read, who goes. */
#include <string.h>

#include "mux_play.h"

enum { TEXT_MAX = 300000, EXCHANGE_BYTES_MIN = 200 /* surely less than one occupies */ };

static char text[TEXT_MAX];

/* `size` letters without an end. */
static const char *part(size_t size)
{
    assert_true(size < sizeof text);
    memset(text, 'r', size);
    text[size] = '\0';
    return text;
}

/* `count` times the line. */
static const char *lines(const char *line, size_t count)
{
    size_t size = strlen(line);
    assert_true(count * size < sizeof text);
    for (size_t index = 0; index < count; index++) {
        memcpy(text + index * size, line, size);
    }
    text[count * size] = '\0';
    return text;
}

static struct mux_options limited_to(size_t bytes)
{
    struct mux_options options = play_options(&play_by_order);
    options.memory_bytes_max = bytes;
    options.settings.message_bytes_max = 40000;
    return options;
}

static void open_limited(size_t bytes)
{
    struct mux_options options = limited_to(bytes);
    play_open(&options);
}

static bool is_read(const struct peer *client)
{
    return (mux_wants(play.mux, client->id) & MUX_READ) != 0;
}

/* Says as much of it as is read. Returns what is left. */
static const char *offer(struct peer *client, const char *words)
{
    while (*words != '\0' && is_read(client)) {
        size_t space;
        uint8_t *bytes = mux_recv_space(play.mux, client->id, &space);
        size_t size = strlen(words) < space ? strlen(words) : space;
        memcpy(bytes, words, size);
        mux_received(play.mux, client->id, size);
        words += size;
        play_time(0);
    }
    return words;
}

/* A client that has sent this, and takes nothing. */
static struct peer *saying(const char *words)
{
    struct peer *client = play_client();
    client->blocked = true;
    (void)offer(client, words);
    return client;
}

static struct peer *bringing(size_t size)
{
    return saying(part(size));
}

/* ---- what counts ---- */

static void test_the_structs_of_queued_requests_count(void **state)
{
    (void)state;
    open_limited(32 * KIB);
    struct peer *clients[PLAY_CLIENTS_MAX];
    for (size_t index = 0; index < PLAY_CLIENTS_MAX; index++) {
        clients[index] = play_client();
    }
    for (size_t index = 0; index < PLAY_CLIENTS_MAX; index++) {
        (void)offer(clients[index], lines("w\n", 60));
        assert_true(play_counters()->memory <= 32 * KIB);
    }
    size_t open = (size_t)play_counters()->waiting + play_counters()->in_flight;
    assert_true(open * EXCHANGE_BYTES_MIN <= play_counters()->memory);
    assert_true(open * EXCHANGE_BYTES_MIN > 16 * KIB);
}

static void test_what_a_client_over_the_limit_is_told_counts(void **state)
{
    (void)state;
    enum { LIMIT = 4 * KIB + 128 };
    struct mux_options options = limited_to(LIMIT);
    options.clients_max = 1;
    play_open(&options);
    struct peer *client = bringing(3000);
    mux_id id = mux_accepted(play.mux, NULL);
    assert_true(play_counters()->memory <= LIMIT);
    mux_check(play.mux);
    mux_closed(play.mux, id);
    play_unblock(client);
    play_got(client, PLAY_OVERLOADED);
}

static void test_everything_that_is_held_back_while_memory_is_short_is_answered(void **state)
{
    (void)state;
    enum { MANY = 140, SOME = 60, IDLE = PLAY_CLIENTS_MAX - 2 };
    open_limited(64 * KIB);
    struct peer *greedy = play_client();
    struct peer *other = play_client();
    for (size_t index = 0; index < IDLE; index++) {
        (void)play_client();
    }
    assert_string_equal(offer(greedy, lines("w\n", MANY)), "");
    assert_string_equal(offer(other, lines("w\n", SOME)), "");
    assert_true(play_counters()->requests < MANY + SOME);
    for (size_t index = 0; index < MANY + SOME; index++) {
        play_link(1)->got_size = 0;
        play_say(play_link(1), "ok\n");
    }
    play_got(greedy, lines("ok\n", MANY));
    play_got(other, lines("ok\n", SOME));
    assert_true(is_read(greedy));
    assert_true(is_read(other));
    assert_int_equal(play_counters()->memory, 0);
}

static void test_a_part_of_a_response_counts_and_goes_with_the_client_that_asked(void **state)
{
    (void)state;
    open_limited(19 * KIB);
    struct peer *asker = saying(lines("w\n", 12)); /* without them there would be room enough */
    struct peer *other = bringing(3000);
    play_say(play_link(1), part(7000));
    assert_true(play_counters()->memory >= 8000);
    assert_false(asker->closed);
    play_say(play_link(1), part(7000));
    assert_true(asker->closed);
    assert_false(other->closed);
    assert_true(play_link(1)->closed); /* the rest belongs to nobody */
    assert_true(play_counters()->memory < 5000);
}

static void test_what_the_target_does_not_take_counts_for_who_sends_it(void **state)
{
    (void)state;
    open_limited(22 * KIB);
    struct peer *first = saying("w\n");
    play_link(1)->got_size = 0;
    play_link(1)->blocked = true;
    struct peer *asker = saying(part(6000));
    play_say(asker, "\n");
    play_say(play_link(1), "ok\n"); /* the request is copied to the link, and may be sent again */
    struct peer *other = bringing(3000);
    assert_true(play_counters()->memory >= 15000);
    assert_false(asker->closed);
    (void)bringing(6000);
    assert_true(asker->closed);
    assert_false(other->closed);
    assert_false(first->closed);
}

/* As the command line promises for '--max-message'. */
static void test_a_lone_client_may_have_the_largest_message(void **state)
{
    (void)state;
    for (size_t message = 20000; message < 230000; message += 7000) {
        size_t limit = 3 * message + 64 * KIB;
        struct mux_options options = limited_to(limit < 256 * KIB ? 256 * KIB : limit);
        options.settings.message_bytes_max = message;
        play_open(&options);
        struct peer *asker = saying("g\n");
        play_say(play_link(1), "ok\n");
        play_link(1)->blocked = true;
        asker->blocked = false;
        play_time(0);
        asker->blocked = true;
        (void)part(message - 1);
        text[0] = 'g'; /* may be sent again, so that its bytes stay where they are as well */
        text[message - 1] = '\n';
        memset(text + message, 'g', 60000);
        text[message + 60000] = '\0';
        (void)offer(asker, text);
        assert_true(play_counters()->memory >= 2 * message);
        play_take(play_link(1), message);
        for (size_t rest = message - 1; rest > 0;) {
            size_t size = rest < 60000 ? rest : 60000;
            play_say(play_link(1), part(size));
            rest -= size;
        }
        play_say(play_link(1), "\n");
        assert_false(asker->closed);
        assert_int_equal(play_counters()->responses, 2);
        play_reset(asker);
        (void)play_close(NULL);
    }
    open_limited(MIB); /* for the teardown */
}

/* ---- who goes ---- */

static void test_who_holds_most_goes_whatever_it_holds(void **state)
{
    (void)state;
    open_limited(22 * KIB);
    struct peer *old = bringing(1000);
    struct peer *large = bringing(9000);
    struct peer *young = bringing(1000);
    struct peer *asker = saying("w\n");
    play_say(play_link(1), lines("answer\n", 1));
    large->blocked = false;
    (void)bringing(9000);
    play_got(large, PLAY_OVERLOADED);
    assert_false(old->closed);
    assert_false(young->closed);
    assert_false(asker->closed);
}

static void test_of_those_that_hold_about_as_much_who_has_held_it_longest_goes(void **state)
{
    (void)state;
    open_limited(26 * KIB);
    struct peer *clients[5];
    for (size_t index = 0; index < 5; index++) {
        clients[index] = bringing(index == 0 ? 3900 : 3000);
        clients[index]->blocked = false;
        play_time(MS(10));
    }
    play_say(clients[0], "\n"); /* no longer; and the others have no more than before */
    play_say(play_link(1), "ok\n");
    play_got(clients[0], "ok\n");
    (void)bringing(3000);
    (void)bringing(3000);
    play_got(clients[1], "");
    (void)bringing(3000);
    play_got(clients[1], PLAY_OVERLOADED);
    for (size_t index = 2; index < 5; index++) {
        play_got(clients[index], "");
    }
    play_got(clients[0], "");
}

/* A line of so many letters, at once. */
static void answer_with(struct peer *link, size_t size)
{
    (void)part(size);
    text[size - 1] = '\n';
    play_say(link, text);
}

/* What it was given a moment ago counts as well: memory is spent in the middle of what happens. */
static void test_who_was_given_most_just_now_goes(void **state)
{
    (void)state;
    open_limited(24 * KIB);
    struct peer *ann = saying("g1\n");
    struct peer *link = play_link(1);
    answer_with(link, 6000);
    struct peer *bob = saying("g2\n");
    answer_with(link, 20000);
    assert_true(bob->closed);
    assert_false(ann->closed);
}

/* An upload that waits for its turn has brought what it may: its silence is ours. */
static void test_time_in_which_a_client_is_not_read_does_not_count(void **state)
{
    (void)state;
    struct mux_options options = limited_to(16 * KIB);
    options.backlog_bytes_max = 3000;
    play_open(&options);
    struct peer *holder = saying("w\n");
    struct peer *uploader = play_client();
    (void)offer(uploader, lines("s2345678\n", 400));
    assert_false(is_read(uploader));
    play_time(MS(10));
    struct peer *young = bringing(3000);
    (void)bringing(3000);
    assert_int_equal(uploader->got_size, 0);
    young->blocked = false;
    (void)bringing(3000);
    assert_false(uploader->closed);
    assert_int_equal(uploader->got_size, 0);
    play_unblock(young);
    play_got(young, PLAY_OVERLOADED);
    assert_false(holder->closed);
}

/* ---- who is not read ---- */

static void test_a_client_above_its_share_is_not_read_while_memory_is_short(void **state)
{
    (void)state;
    open_limited(64 * KIB);
    struct peer *clients[PLAY_CLIENTS_MAX];
    for (size_t index = 0; index < PLAY_CLIENTS_MAX; index++) {
        clients[index] = play_client();
    }
    (void)offer(clients[0], part(25000));
    (void)offer(clients[1], lines("w\n", 60));
    (void)offer(clients[2], "w\n");
    assert_true(is_read(clients[0])); /* in the middle of a message */
    assert_false(is_read(clients[1]));
    assert_true(is_read(clients[2])); /* has less than its share */
    play_reset(clients[0]);
    play_say(play_link(1), "ok\n");
    assert_true(is_read(clients[1]));
}

/* ---- who takes nothing ---- */

static void test_who_takes_nothing_has_a_deadline_however_little_it_is(void **state)
{
    (void)state;
    struct mux_options options = limited_to(MIB);
    play_open(&options);
    struct peer *client = saying("w\n");
    play_say(play_link(1), "ok\n");
    play_time(options.write_timeout_ns - MS(1));
    assert_false(client->closed);
    play_time(MS(3));
    assert_true(client->closed);
}

static void test_who_takes_a_little_has_time_for_the_rest(void **state)
{
    (void)state;
    struct mux_options options = limited_to(MIB);
    play_open(&options);
    struct peer *client = saying("w\n");
    play_say(play_link(1), "answer\n");
    for (size_t index = 0; index < 5; index++) {
        play_time(options.write_timeout_ns - MS(3));
        mux_sent(play.mux, client->id, 1);
        mux_check(play.mux);
    }
    assert_false(client->closed);
    play_time(options.write_timeout_ns + MS(3));
    assert_true(client->closed);
}

static void test_the_time_to_take_begins_with_each_answer(void **state)
{
    (void)state;
    struct mux_options options = limited_to(MIB);
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "w\n");
    play_say(play_link(1), "ok\n");
    play_got(client, "ok\n");
    play_time(2 * options.write_timeout_ns);
    client->blocked = true;
    play_say(client, "w\n");
    play_say(play_link(1), "ok\n");
    play_time(options.write_timeout_ns - MS(1));
    assert_false(client->closed);
}

static int tear_down(void **state)
{
    return play_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_who_was_given_most_just_now_goes, tear_down),
        cmocka_unit_test_teardown(test_the_structs_of_queued_requests_count, tear_down),
        cmocka_unit_test_teardown(test_what_a_client_over_the_limit_is_told_counts, tear_down),
        cmocka_unit_test_teardown(
            test_everything_that_is_held_back_while_memory_is_short_is_answered, tear_down),
        cmocka_unit_test_teardown(
            test_a_part_of_a_response_counts_and_goes_with_the_client_that_asked, tear_down),
        cmocka_unit_test_teardown(test_what_the_target_does_not_take_counts_for_who_sends_it,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_lone_client_may_have_the_largest_message, tear_down),
        cmocka_unit_test_teardown(test_who_holds_most_goes_whatever_it_holds, tear_down),
        cmocka_unit_test_teardown(
            test_of_those_that_hold_about_as_much_who_has_held_it_longest_goes, tear_down),
        cmocka_unit_test_teardown(test_time_in_which_a_client_is_not_read_does_not_count,
                                  tear_down),
        cmocka_unit_test_teardown(test_a_client_above_its_share_is_not_read_while_memory_is_short,
                                  tear_down),
        cmocka_unit_test_teardown(test_who_takes_nothing_has_a_deadline_however_little_it_is,
                                  tear_down),
        cmocka_unit_test_teardown(test_who_takes_a_little_has_time_for_the_rest, tear_down),
        cmocka_unit_test_teardown(test_the_time_to_take_begins_with_each_answer, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
