/* SPDX-License-Identifier: MIT */
/* Claims about src/config/config.c: defaults, and what belongs together. */
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "base/units.h"
#include "config/config.h"
#include "config/option.h"

static void set(struct config *config, const char *name, const char *text)
{
    struct error error;
    const struct option *option = option_find(name);
    assert_non_null(option);
    assert_true(option_set(option, text, true, config, &error));
}

static void test_defaults_are_those_of_the_design(void **state)
{
    (void)state;
    struct config config;
    config_init(&config);
    assert_string_equal(config.protocol, "echo");
    assert_string_equal(config.target, "127.0.0.1:1234");
    assert_int_equal(config.listen_count, 1);
    assert_string_equal(config.listen[0], "8000");
    assert_string_equal(config.source, "");
    assert_false(config.on_demand || config.hold || config.verbose || config.debug ||
                 config.log_json);
    assert_int_equal(config.client_timeout_ns, 60 * NS_PER_S);
    assert_int_equal(config.idle_timeout_ns, 0);
    assert_int_equal(config.connect_timeout_ns, 3 * NS_PER_S);
    assert_int_equal(config.queue_timeout_ns, 5 * NS_PER_S);
    assert_int_equal(config.wait_timeout_ns, 60 * NS_PER_S);
    assert_int_equal(config.timeout_ns, 60 * NS_PER_S);
    assert_int_equal(config.write_timeout_ns, 10 * NS_PER_S);
    assert_int_equal(config.delay_ns, 0);
    assert_int_equal(config.gap_ns, 0);
    assert_int_equal(config.retry_delay_ns, NS_PER_S);
    assert_int_equal(config.retry_delay_max_ns, 30 * NS_PER_S);
    assert_int_equal(config.link_idle_ns, 0);
    assert_int_equal(config.grace_ns, 10 * NS_PER_S);
    assert_int_equal(config.keepalive_ns, 60 * NS_PER_S);
    assert_int_equal(config.max_clients, 10000);
    assert_int_equal(config.max_message_bytes, MIB);
    assert_int_equal(config.buffer_requests_bytes, 64 * KIB);
    assert_int_equal(config.buffer_memory_bytes, 64 * MIB);
    assert_int_equal(config.client_backlog_bytes, 64 * KIB);
}

static void test_defaults_belong_together(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    config_init(&config);
    assert_true(config_check(&config, &error));
    assert_int_equal(config.link_idle_ns, 0);
}

static void test_what_does_not_belong_together_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *names[2], *texts[2], *reason;
    } rows[] = {
        {{"hold", "on-demand"},
         {"1", "1"},
         "'--hold' and '--on-demand' exclude each other, choose one"},
        {{"modbus-ignore-id", "modbus-ignore-unit"},
         {"1", "1"},
         "'--modbus-ignore-id' and '--modbus-ignore-unit' exclude each other: without ids, only "
         "the "
         "unit would show whose a response is"},
        {{"retry-delay"},
         {"31s"},
         "'--retry-delay' of 31s is longer than '--retry-delay-max' of 30s, raise that too"},
        {{"retry-delay-max"},
         {"500ms"},
         "'--retry-delay' of 1s is longer than '--retry-delay-max' of 500ms, raise that too"},
        {{"link-lifetime", "gap"},
         {"1s", "1s"},
         "'--link-lifetime' of 1s is not longer than '--gap' of 1s: no connection would ever carry "
         "a "
         "request"},
        {{"max-message"},
         {"22MiB"},
         "'--max-message' of 22MiB needs '--buffer-memory' of at least 67648KiB, and that is "
         "64MiB: "
         "raise it, or lower '--max-message'"},
        {{"buffer-memory"},
         {"3MiB"},
         "'--max-message' of 1MiB needs '--buffer-memory' of at least 3136KiB, and that is 3MiB: "
         "raise it, or lower '--max-message'"},
        {{"buffer-requests", "buffer-memory"},
         {"5MiB", "4MiB"},
         "'--buffer-requests' of 5MiB is larger than '--buffer-memory' of 4MiB, raise that too"},
        {{"client-backlog", "buffer-memory"},
         {"5MiB", "4MiB"},
         "'--client-backlog' of 5MiB is larger than '--buffer-memory' of 4MiB, raise that too"},
        {{"protocol"},
         {"eco"},
         "unknown protocol 'eco', did you mean 'echo'? 'tcp-multiplexer list' shows all"},
        {{"protocol"}, {"xyzzy"}, "unknown protocol 'xyzzy', 'tcp-multiplexer list' shows all"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct config config;
        struct error error = {.text = ""};
        config_init(&config);
        for (size_t j = 0; j < 2 && rows[i].names[j] != NULL; j++) {
            set(&config, rows[i].names[j], rows[i].texts[j]);
        }
        assert_false(config_check(&config, &error));
        assert_string_equal(error.text, rows[i].reason);
    }
}

static void test_equal_is_not_over(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    config_init(&config);
    set(&config, "retry-delay", "30s");
    set(&config, "buffer-memory", "3136KiB");
    set(&config, "client-backlog", "3136KiB");
    assert_true(config_check(&config, &error));
}

static void test_on_demand_lets_go_of_an_idle_link_unless_told(void **state)
{
    (void)state;
    struct config config;
    struct error error;
    config_init(&config);
    set(&config, "on-demand", "1");
    assert_true(config_check(&config, &error));
    assert_int_equal(config.link_idle_ns, 30 * NS_PER_S);

    config_init(&config);
    set(&config, "on-demand", "1");
    set(&config, "link-idle", "0");
    assert_true(config_check(&config, &error));
    assert_int_equal(config.link_idle_ns, 0);
}

static void test_every_protocol_may_be_chosen(void **state)
{
    (void)state;
    for (size_t i = 0; i < protocols_count; i++) {
        struct config config;
        struct error error;
        config_init(&config);
        set(&config, "protocol", protocols[i]->name);
        assert_true(config_check(&config, &error));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_are_those_of_the_design),
        cmocka_unit_test(test_defaults_belong_together),
        cmocka_unit_test(test_what_does_not_belong_together_is_refused),
        cmocka_unit_test(test_equal_is_not_over),
        cmocka_unit_test(test_on_demand_lets_go_of_an_idle_link_unless_told),
        cmocka_unit_test(test_every_protocol_may_be_chosen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
