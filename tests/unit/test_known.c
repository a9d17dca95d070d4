/* SPDX-License-Identifier: MIT */
/* Claims about src/net/known.c. */
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "net/known.h"

static struct address address_of(uint8_t last)
{
    struct address address = {.size = sizeof address.is.v4};
    address.is.v4.sin_family = AF_INET;
    address.is.v4.sin_port = htons(80);
    address.is.v4.sin_addr.s_addr = htonl(0x7F000000U + last);
    return address;
}

/* The last bytes of the addresses, in order. */
static void set(struct known *known, const char *lasts)
{
    struct address addresses[RESOLVED_MAX];
    for (size_t index = 0; index < strlen(lasts); index++) {
        addresses[index] = address_of((uint8_t)lasts[index]);
    }
    known_set(known, addresses, strlen(lasts));
}

static void expect(const struct known *known, const char *lasts)
{
    char text[RESOLVED_MAX + 1] = "";
    for (size_t index = 0; index < known->count; index++) {
        text[index] = (char)(ntohl(known->addresses[index].is.v4.sin_addr.s_addr) & 0xFF);
    }
    assert_string_equal(text, lasts);
}

static void worked(struct known *known, char last)
{
    struct address address = address_of((uint8_t)last);
    known_worked(known, &address);
}

static void test_the_address_that_worked_is_the_first(void **state)
{
    (void)state;
    struct known known = {.count = 0};
    set(&known, "abc");
    expect(&known, "abc");
    worked(&known, 'c');
    expect(&known, "abc"); /* an attempt may be under way */
    known_order(&known);
    expect(&known, "cab");
    known_order(&known);
    expect(&known, "cab");
}

static void test_it_is_the_first_of_a_new_answer_too(void **state)
{
    (void)state;
    struct known known = {.count = 0};
    set(&known, "abc");
    worked(&known, 'b');
    set(&known, "cab");
    expect(&known, "bca");
    set(&known, "xy"); /* it is not there */
    expect(&known, "xy");
    set(&known, "xyb");
    expect(&known, "bxy");
}

static void test_a_name_that_is_gone_leaves_nothing_behind(void **state)
{
    (void)state;
    struct known known = {.count = 0};
    set(&known, "ab");
    worked(&known, 'b');
    known_forget(&known);
    expect(&known, "");
    set(&known, "ab");
    expect(&known, "ab");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_address_that_worked_is_the_first),
        cmocka_unit_test(test_it_is_the_first_of_a_new_answer_too),
        cmocka_unit_test(test_a_name_that_is_gone_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
