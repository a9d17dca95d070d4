/* SPDX-License-Identifier: MIT */
/* Claims about src/config/option.c, its table, and src/config/nearest.c. */
#include <string.h>

#include "unit.h"

#include "base/units.h"
#include "config/option.h"

/* The value of an option whose type is a number. */
static uint64_t number(const struct config *config, const struct option *option)
{
    uint64_t value;
    memcpy(&value, (const char *)config + option->offset, sizeof value);
    return value;
}

static bool is_number(const struct option *option)
{
    return option->type == OPTION_DURATION || option->type == OPTION_SIZE ||
           option->type == OPTION_COUNT;
}

/* ---- the table ---- */

static void test_every_spelling_and_letter_finds_its_own_row(void **state)
{
    (void)state;
    assert_true(options_count > 0);
    for (size_t i = 0; i < options_count; i++) {
        const char *spelling;
        size_t count = 0;
        while ((spelling = option_spelling(&options[i], count)) != NULL) {
            assert_ptr_equal(option_find(spelling), &options[i]);
            assert_true(strlen(spelling) < OPTION_NAME_BYTES_MAX);
            count++;
        }
        assert_true(count >= 1 && count <= OPTION_ALIASES_MAX + 1);
        if (options[i].letter != '\0') {
            assert_ptr_equal(option_find_letter(options[i].letter), &options[i]);
        }
    }
}

static void test_the_names_of_the_go_program_are_known(void **state)
{
    (void)state;
    static const char *const names[] = {
        "applicationProtocol", "targetServer", "listen", "timeout", "delay",
        "retryDelay",          "verbose",      "debug"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        assert_non_null(option_find(names[i]));
    }
    assert_ptr_equal(option_find("protocol"), option_find_letter('p'));
    assert_ptr_equal(option_find("target"), option_find_letter('t'));
    assert_ptr_equal(option_find("listen"), option_find_letter('l'));
    assert_ptr_equal(option_find("retryDelay"), option_find("retry-delay"));
}

static void test_other_names_are_unknown(void **state)
{
    (void)state;
    assert_null(option_find(""));
    assert_null(option_find("targetserver"));
    assert_null(option_find("--target"));
    assert_null(option_find_letter('\0'));
    assert_null(option_find_letter('z'));
}

static void test_every_row_can_be_shown(void **state)
{
    (void)state;
    for (size_t i = 0; i < options_count; i++) {
        const struct option *option = &options[i];
        size_t size = strlen(option->sentence);
        assert_true(size > 0);
        assert_int_not_equal(option->sentence[size - 1], '.');
        assert_null(strstr(option->sentence, ". "));
        assert_true((option->value_name == NULL) == (option->type == OPTION_FLAG));
        bool may_have_words = option->type == OPTION_CHOICE || option->type == OPTION_DURATION;
        assert_true(option->type != OPTION_CHOICE || option->choices[0] != NULL);
        assert_true(may_have_words || option->choices[0] == NULL);
        assert_true(!is_number(option) || option->fallback != NULL);
        assert_true(!is_number(option) || option->minimum < option->maximum);
    }
}

/* ---- values ---- */

static void test_values_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        uint64_t value;
    } rows[] = {
        {"timeout", "60", 60 * NS_PER_S},
        {"spin", "off", 0},
        {"spin", "auto", CONFIG_AUTO},
        {"spin", "50us", 50 * NS_PER_US},
        {"timeout", "1m30s", 90 * NS_PER_S},
        {"timeout", "1ms", NS_PER_MS},
        {"timeout", "365d", NS_PER_S * 3600 * 24 * 365},
        {"delay", "0", 0},
        {"gap", "1750us", 1750 * NS_PER_US},
        {"idle-timeout", "0s", 0},
        {"keepalive", "0", 0},
        {"keepalive", "1s", NS_PER_S},
        {"max-clients", "1", 1},
        {"max-clients", "1000000", 1000000},
        {"max-clients", "0000000000000000000000000007", 7},
        {"max-message", "1", 1},
        {"max-message", "256MiB", 256 * MIB},
        {"buffer-memory", "256KiB", 256 * KIB},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct config config;
        struct error error;
        config_init(&config);
        const struct option *option = option_find(rows[i].name);
        assert_non_null(option);
        assert_true(option_set(option, rows[i].text, true, &config, &error));
        assert_int_equal(number(&config, option), rows[i].value);
    }
}

static void test_wrong_values_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *reason;
    } rows[] = {
        {"timeout", "0", "'0' is too little, the least is 1ms"},
        {"timeout", "366d", "'366d' is too much, the most is 365d"},
        {"idle-timeout", "1us", "'1us' is too little, the least is 1ms, or 0 for never"},
        {"keepalive", "10h", "'10h' is too much, the most is 9h"},
        {"max-clients", "0", "'0' is too little, the least is 1"},
        {"max-clients", "1000001", "'1000001' is too much, the most is 1000000"},
        {"max-clients", "99999999999999999999999", "is too much, the most is 1000000"},
        {"max-clients", "", "'' is not a whole number like 100"},
        {"max-clients", "-1", "'-1' is not a whole number like 100"},
        {"max-clients", "10k", "'10k' is not a whole number like 100"},
        {"max-clients", " 1", "' 1' is not a whole number like 100"},
        {"max-message", "0", "'0' is too little, the least is 1"},
        {"max-message", "257MiB", "'257MiB' is too much, the most is 256MiB"},
        {"max-message", "many", "'many'"},
        {"timeout", "soon", "'soon'"},
        {"timeout", "-5", "'-5'"},
        {"targetServer", "", "the value is empty, the default is '127.0.0.1:1234'"},
        {"targetServer", "a\nb", "has a control character"},
        {"targetServer", "a\x7F", "has a control character"},
        {"applicationProtocol", "0123456789012345678901234567890123", "is longer than 31 bytes"},
        {"listen", "", "the value is empty, the default is '8000'"},
        {"ignore-line", "", "the value is empty"},
        {"hold", "maybe", "'maybe' is neither 'true' nor 'false'"},
        {"hold", "", "'' is neither 'true' nor 'false'"},
        {"log-format", "jsno", "unknown choice 'jsno', did you mean 'json'?"},
        {"spin", "aut", "'aut' is neither 'off' nor 'auto' nor a duration like 50us"},
        {"spin", "2s", "'2s' is too much, the most is 1s"},
        {"log-format", "xml", "unknown choice 'xml', there are 'text' and 'json'"},
        {"log-format", "", "unknown choice '', there are 'text' and 'json'"},
        {"http-body-guard", "gat", "unknown choice 'gat', did you mean 'get'?"},
        {"http-body-guard", "yes please",
         "unknown choice 'yes please', there are 'get', 'all', 'refuse' and 'off'"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct config config, before;
        struct error error = {.text = ""};
        config_init(&config);
        before = config;
        const struct option *option = option_find(rows[i].name);
        assert_non_null(option);
        assert_false(option_set(option, rows[i].text, true, &config, &error));
        if (strstr(error.text, rows[i].reason) == NULL) {
            fail_msg("--%s '%s' says: %s", rows[i].name, rows[i].text, error.text);
        }
        assert_memory_equal(&config, &before, sizeof config);
    }
}

static void test_a_long_value_is_cut_off_in_the_error(void **state)
{
    (void)state;
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct config config;
    struct error error;
    config_init(&config);
    assert_false(option_set(option_find("target"), text, true, &config, &error));
    assert_non_null(strstr(error.text, "xxx...' is longer than 319 bytes"));
    assert_true(strlen(error.text) < 120);
}

static void test_a_text_may_fill_its_place(void **state)
{
    (void)state;
    char text[CONFIG_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct config config;
    struct error error;
    config_init(&config);
    assert_true(option_set(option_find("target"), text, true, &config, &error));
    assert_string_equal(config.target, text);
    assert_true(option_set(option_find("source"), "", true, &config, &error));
    assert_string_equal(config.source, "");
}

static void test_a_list_begins_anew_and_has_an_end(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    config_init(&config);
    const struct option *listen = option_find("listen");
    assert_true(option_set(listen, "1", true, &config, &error));
    assert_int_equal(config.listen_count, 1);
    for (int i = 1; i < CONFIG_LISTEN_MAX; i++) {
        assert_true(option_set(listen, "[::1]:9", false, &config, &error));
    }
    assert_int_equal(config.listen_count, CONFIG_LISTEN_MAX);
    assert_string_equal(config.listen[0], "1");
    assert_string_equal(config.listen[CONFIG_LISTEN_MAX - 1], "[::1]:9");
    assert_false(option_set(listen, "2", false, &config, &error));
    assert_string_equal(error.text, "given more than 64 times");
    assert_int_equal(config.listen_count, CONFIG_LISTEN_MAX);
    assert_true(option_set(listen, "3", true, &config, &error));
    assert_int_equal(config.listen_count, 1);
    assert_string_equal(config.listen[0], "3");
}

static void test_flags_and_choices_can_be_set_and_taken_back(void **state)
{
    (void)state;
    static const char *const yes[] = {"true", "TRUE", "t", "1"};
    static const char *const no[] = {"false", "False", "f", "0"};
    struct config config;
    struct error error;
    config_init(&config);
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++) {
        assert_true(option_set(option_find("hold"), yes[i], true, &config, &error));
        assert_true(config.hold);
        assert_true(option_set(option_find("hold"), no[i], true, &config, &error));
        assert_false(config.hold);
    }
    assert_true(option_set(option_find("log-format"), "json", true, &config, &error));
    assert_true(config.log_json);
    assert_true(option_set(option_find("log-format"), "text", true, &config, &error));
    assert_false(config.log_json);
    assert_int_equal(config.http_body_guard, BODY_GUARD_GET);
    static const char *const guards[] = {"get", "all", "refuse", "off"};
    for (uint8_t i = 0; i < ARRAY_COUNT(guards); i++) {
        assert_true(option_set(option_find("http-body-guard"), guards[i], true, &config, &error));
        assert_int_equal(config.http_body_guard, i);
    }
}

static void test_only_a_given_option_counts_as_given(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    config_init(&config);
    assert_false(config.link_idle_given);
    assert_false(option_set(option_find("link-idle"), "never", true, &config, &error));
    assert_false(config.link_idle_given);
    assert_true(option_set(option_find("link-idle"), "0", true, &config, &error));
    assert_true(config.link_idle_given);
}

/* ---- nearest ---- */

static void test_the_nearest_name_is_found(void **state)
{
    (void)state;
    static const char *const names[] = {"target",      "targetServer", "timeout",
                                        "hold",        "gap",          "client-timeout",
                                        "retry-delay", "mpu",          "in-flight"};
    static const struct {
        const char *typed, *near;
    } rows[] = {
        {"targt", "target"},   /* dropped */
        {"tarrget", "target"}, /* inserted */
        {"tatget", "target"},  /* replaced */
        {"tagret", "target"},  /* swapped counts once */
        {"hlod", "hold"},      /* so it is near enough for a short word */
        {"HOLD", "hold"},      /* case is nothing */
        {"client_timeout", "client-timeout"},
        {"clienttimeout", "client-timeout"},
        {"targetserver", "targetServer"},
        {"in-flite", "in-flight"}, /* three in nine letters, of which eight were typed */
        {"tim", "timeout"},        /* a beginning */
        {"retry", "retry-delay"},
        {"mp", "mpu"},
        {"ga", "gap"},
        {"xyzzy", NULL},
        {"hdlo", NULL}, /* two changes in four letters */
        {"g", NULL},
        {"", NULL},
        {"re", NULL}, /* too short for a beginning */
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *near = nearest_name(rows[i].typed, names, ARRAY_COUNT(names));
        if (rows[i].near == NULL ? near != NULL : near == NULL || strcmp(near, rows[i].near) != 0) {
            fail_msg("'%s' is near '%s'", rows[i].typed, near != NULL ? near : "nothing");
        }
    }
}

static void test_among_equals_the_first_is_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"cart", "card", "care"};
    assert_string_equal(nearest_name("carx", names, 3), "cart");
    assert_string_equal(nearest_name("care", names, 3), "care");
    assert_null(nearest_name("care", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_spelling_and_letter_finds_its_own_row),
        cmocka_unit_test(test_the_names_of_the_go_program_are_known),
        cmocka_unit_test(test_other_names_are_unknown),
        cmocka_unit_test(test_every_row_can_be_shown),
        cmocka_unit_test(test_values_are_understood),
        cmocka_unit_test(test_wrong_values_are_refused_with_a_reason),
        cmocka_unit_test(test_a_long_value_is_cut_off_in_the_error),
        cmocka_unit_test(test_a_text_may_fill_its_place),
        cmocka_unit_test(test_a_list_begins_anew_and_has_an_end),
        cmocka_unit_test(test_flags_and_choices_can_be_set_and_taken_back),
        cmocka_unit_test(test_only_a_given_option_counts_as_given),
        cmocka_unit_test(test_the_nearest_name_is_found),
        cmocka_unit_test(test_among_equals_the_first_is_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
