/* SPDX-License-Identifier: MIT */
/*
 * Requests that come back to those that wait do not pass them one by one: the requests in the middle of
 * the queue are unreadable meanwhile. And they are as old as they are.
 */
#include <string.h>
#include <sys/mman.h>

#include "mux/state.h"

#include "mux_play.h"

enum { QUEUED = 1000, SLABS_MAX = 64 };

static uintptr_t slab_of(const void *object)
{
    return (uintptr_t)object / SLAB_BYTES;
}

/* Slabs that hold requests from the middle of the queue, and none of its first and last two. */
static size_t middle_slabs(const struct mux *mux, uintptr_t slabs[static SLABS_MAX])
{
    size_t count = 0;
    const struct list *head = &mux->waiting;
    const void *ends[] = {head->next, head->next->next, head->prev, head->prev->prev};
    for (struct list *node = list_first(head); node != NULL; node = list_next(head, node)) {
        uintptr_t slab = slab_of(node);
        bool is_left_out = count > 0 && slabs[count - 1] == slab;
        for (size_t index = 0; index < ARRAY_COUNT(ends); index++) {
            is_left_out = is_left_out || slab == slab_of(ends[index]);
        }
        if (!is_left_out) {
            assert_true(count < SLABS_MAX);
            slabs[count++] = slab;
        }
    }
    return count;
}

static void protect(const uintptr_t *slabs, size_t count, int protection)
{
    for (size_t index = 0; index < count; index++) {
        void *slab = (void *)(slabs[index] * SLAB_BYTES); /* NOLINT(performance-no-int-to-ptr) */
        assert_int_equal(mprotect(slab, SLAB_BYTES, protection), 0);
    }
}

/* Six clients have queued many requests each, and a seventh one, asked later, is in flight. */
static struct peer *one_behind_many(void)
{
    static char requests[2 * QUEUED + 1];
    for (size_t index = 0; index < QUEUED; index++) {
        memcpy(requests + 2 * index, "g\n", 2);
    }
    struct mux_options options = play_options(&play_by_order);
    play_open(&options);
    for (size_t index = 0; index < 6; index++) {
        play_say(play_client(), requests);
    }
    play_time(MS(1));
    struct peer *late = play_client();
    play_say(late, "glate\n");
    struct peer *link = play_link(1);
    while (strstr(link->got, "late") == NULL) {
        link->got_size = 0;
        play_say(link, "A\n");
        link->got[link->got_size] = '\0';
    }
    return late;
}

static void test_who_comes_back_passes_nobody(void **state)
{
    (void)state;
    (void)one_behind_many();
    uintptr_t slabs[SLABS_MAX];
    size_t count = middle_slabs(play.mux, slabs);
    assert_in_range(count, 8, SLABS_MAX);
    protect(slabs, count, PROT_NONE);
    mux_failed(play.mux, play_link(1)->id, IO_RESET);
    protect(slabs, count, PROT_READ | PROT_WRITE);
    assert_int_equal(play_counters()->resent, 1);
    assert_int_equal(play.mux->returned.count, 1);
    play_time(0);
}

static void test_who_comes_back_waits_no_longer_than_others(void **state)
{
    (void)state;
    struct peer *late = one_behind_many();
    play.refuses = true;
    play_reset(play_link(1));
    play_time(SECONDS(5) - MS(1)); /* --queue-timeout */
    play_got(late, "");
    play_time(MS(2));
    play_got(late, PLAY_UNREACHABLE);
    assert_int_equal(play_counters()->waiting, 0);
}

static void test_there_is_room_for_all_that_come_back(void **state)
{
    (void)state;
    static char requests[2 * 600 + 1];
    for (size_t index = 0; index < 600; index++) {
        memcpy(requests + 2 * index, "g\n", 2);
    }
    struct mux_options options = play_options(&play_by_order);
    options.in_flight_max = 600;
    play_open(&options);
    struct peer *client = play_client();
    play_say(client, "g\n");
    play_say(play_link(1), "A\n");
    play_say(client, requests);
    assert_int_equal(play_counters()->in_flight, 600);
    play.refuses = true;
    play_reset(play_link(1));
    assert_int_equal(play.mux->returned.count, 600);
}

/* Who has waited longest stands in the list, and who came back in the heap. */
static void test_who_waits_longer_than_who_came_back_ends_in_time(void **state)
{
    (void)state;
    struct mux_options options = play_options(&play_by_order);
    options.queue_timeout_ns = SECONDS(60);
    options.wait_timeout_ns = SECONDS(10);
    options.connect_timeout_ns = SECONDS(30);
    play_open(&options);
    struct peer *one = play_client();
    struct peer *other = play_client();
    play_say(one, "g1\ng2\n"); /* the second waits from now on */
    play_time(SECONDS(3));
    play_say(other, "g3\n");
    play_say(play_link(1), "A\n"); /* now it is the other's turn */
    play_got(one, "A\n");
    play_got(play_link(1), "g1\ng3\n");
    play.refuses = true;
    play_reset(play_link(1));
    play_time(SECONDS(7) - 1);
    play_got(one, "");
    play_time(1);
    play_got(one, PLAY_OVERLOADED);
    play_got(other, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_who_comes_back_passes_nobody, play_close),
        cmocka_unit_test_teardown(test_who_waits_longer_than_who_came_back_ends_in_time,
                                  play_close),
        cmocka_unit_test_teardown(test_there_is_room_for_all_that_come_back, play_close),
        cmocka_unit_test_teardown(test_who_comes_back_waits_no_longer_than_others, play_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
