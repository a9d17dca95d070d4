/* SPDX-License-Identifier: MIT */
/* What people write becomes endpoints and socket addresses, or an error that says what to write
 * instead. */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

typedef bool parse_function(const char *text, struct endpoint *endpoint, struct error *error);

struct good {
    const char *text;
    const char *host;
    uint16_t port;
    bool is_unix, is_wildcard;
    const char *formatted; /* NULL: the text itself */
};

struct bad {
    const char *text;
    const char *error;
};

static void check_good(parse_function *parse, const struct good *table, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        const struct good *good = &table[index];
        struct endpoint endpoint;
        struct error error = {.text = ""};
        char text[ADDRESS_TEXT_MAX + HOST_BYTES_MAX];
        if (!parse(good->text, &endpoint, &error)) {
            fail_msg("'%s' was refused: %s", good->text, error.text);
        }
        assert_string_equal(endpoint.host, good->host);
        assert_int_equal(endpoint.port, good->port);
        assert_int_equal(endpoint.is_unix, good->is_unix);
        assert_int_equal(endpoint.is_wildcard, good->is_wildcard);
        assert_string_equal(endpoint_format(&endpoint, text, sizeof text),
                            good->formatted == NULL ? good->text : good->formatted);
    }
}

static void check_bad(parse_function *parse, const struct bad *table, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        struct endpoint endpoint;
        struct error error = {.text = ""};
        if (parse(table[index].text, &endpoint, &error)) {
            fail_msg("'%s' was taken", table[index].text);
        }
        assert_string_equal(error.text, table[index].error);
    }
}

static void test_targets_are_taken_apart(void **state)
{
    (void)state;
    static const struct good table[] = {
        {.text = "127.0.0.1:1234", .host = "127.0.0.1", .port = 1234},
        {.text = "localhost:1", .host = "localhost", .port = 1},
        {.text = "plc-7.local:502", .host = "plc-7.local", .port = 502},
        {.text = "my_box:65535", .host = "my_box", .port = 65535},
        {.text = "example.com.:80", .host = "example.com.", .port = 80},
        {.text = "a1.b2c:00080", .host = "a1.b2c", .port = 80, .formatted = "a1.b2c:80"},
        {.text = "[::1]:8000", .host = "::1", .port = 8000},
        {.text = "[fe80::1%eth0]:502", .host = "fe80::1%eth0", .port = 502},
        {.text = "[::ffff:10.0.0.1]:80", .host = "::ffff:10.0.0.1", .port = 80},
        {.text = "unix:/run/x.sock", .host = "/run/x.sock", .is_unix = true},
        {.text = "unix:/with:colons:1", .host = "/with:colons:1", .is_unix = true},
    };
    check_good(endpoint_parse_target, table, ARRAY_COUNT(table));
}

static void test_listen_addresses_are_taken_apart(void **state)
{
    (void)state;
    static const struct good table[] = {
        {.text = "8000", .host = "", .port = 8000, .is_wildcard = true, .formatted = ":8000"},
        {.text = ":8000", .host = "", .port = 8000, .is_wildcard = true},
        {.text = "0", .host = "", .port = 0, .is_wildcard = true, .formatted = ":0"},
        {.text = ":0", .host = "", .port = 0, .is_wildcard = true},
        {.text = "0.0.0.0:0", .host = "0.0.0.0", .port = 0},
        {.text = "[::]:80", .host = "::", .port = 80},
        {.text = "localhost:80", .host = "localhost", .port = 80},
        {.text = "unix:/run/x.sock", .host = "/run/x.sock", .is_unix = true},
    };
    check_good(endpoint_parse_listen, table, ARRAY_COUNT(table));
}

#define TARGET_FORMS " (HOST:PORT, [IPV6]:PORT or unix:/path)"
#define LISTEN_FORMS " (PORT, HOST:PORT, [IPV6]:PORT or unix:/path)"

static void test_bad_targets_are_explained(void **state)
{
    (void)state;
    static const struct bad table[] = {
        {"", "invalid target '': it is empty" TARGET_FORMS},
        {"127.0.0.1", "invalid target '127.0.0.1': port is missing" TARGET_FORMS},
        {"127.0.0.1:", "invalid target '127.0.0.1:': port is missing" TARGET_FORMS},
        {"8000", "invalid target '8000': port is missing" TARGET_FORMS},
        {":8000", "invalid target ':8000': host is missing" TARGET_FORMS},
        {"host:0", "invalid target 'host:0': port '0' is not a number from 1 to 65535"},
        {"host:65536", "invalid target 'host:65536': port '65536' is not a number from 1 to 65535"},
        {"host:99999999999999999999",
         "invalid target 'host:99999999999999999999': port '99999999999999999999' is not a number "
         "from 1 to 65535"},
        {"host:http", "invalid target 'host:http': port 'http' is not a number from 1 to 65535"},
        {"host:-1", "invalid target 'host:-1': port '-1' is not a number from 1 to 65535"},
        {"host: 1", "invalid target 'host: 1': port ' 1' is not a number from 1 to 65535"},
        {"::1:80", "invalid target '::1:80': an IPv6 address needs brackets, and a port behind "
                   "them" TARGET_FORMS},
        {"::1", "invalid target '::1': an IPv6 address needs brackets, and a port behind "
                "them" TARGET_FORMS},
        {"[::1", "invalid target '[::1': ']' is missing" TARGET_FORMS},
        {"[::1]", "invalid target '[::1]': port is missing" TARGET_FORMS},
        {"[::1]80", "invalid target '[::1]80': ':' is missing after ']'" TARGET_FORMS},
        {"[]:80", "invalid target '[]:80': host is missing" TARGET_FORMS},
        {"[::1%]:80", "invalid target '[::1%]:80': '::1%' is not an IPv6 address"},
        {"[1.2.3.4]:80", "invalid target '[1.2.3.4]:80': '1.2.3.4' is not an IPv6 address"},
        {"[host]:80", "invalid target '[host]:80': 'host' is not an IPv6 address"},
        {"256.1.1.1:80", "invalid target '256.1.1.1:80': '256.1.1.1' is not an IPv4 address"},
        {"1.2.3:80", "invalid target '1.2.3:80': '1.2.3' is not an IPv4 address"},
        {"http://host:80", "invalid target 'http://host:80': a URL is not understood" TARGET_FORMS},
        {"a b:80", "invalid target 'a b:80': 'a b' has a character that no host name has"},
        {"a..b:80", "invalid target 'a..b:80': 'a..b' is not a host name"},
        {"-a:80", "invalid target '-a:80': '-a' is not a host name"},
        {"unix:", "invalid target 'unix:': path is missing" TARGET_FORMS},
    };
    check_bad(endpoint_parse_target, table, ARRAY_COUNT(table));
}

static void test_bad_listen_addresses_are_explained(void **state)
{
    (void)state;
    static const struct bad table[] = {
        {"", "invalid listen address '': it is empty" LISTEN_FORMS},
        {"localhost", "invalid listen address 'localhost': port is missing" LISTEN_FORMS},
        {":", "invalid listen address ':': port is missing" LISTEN_FORMS},
        {"70000", "invalid listen address '70000': port '70000' is not a number from 0 to 65535"},
        {"::", "invalid listen address '::': an IPv6 address needs brackets, and a port behind "
               "them" LISTEN_FORMS},
        {"*:80", "invalid listen address '*:80': '*' has a character that no host name has"},
    };
    check_bad(endpoint_parse_listen, table, ARRAY_COUNT(table));
}

static void test_a_host_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char text[HOST_BYTES_MAX + 8];
    struct endpoint endpoint;
    struct error error;
    memset(text, 'a', HOST_BYTES_MAX);
    memcpy(text + HOST_BYTES_MAX, ":80", 4);
    assert_false(endpoint_parse_target(text, &endpoint, &error));
    assert_non_null(strstr(error.text, "host is too long"));
    assert_true(endpoint_parse_target(text + 1, &endpoint, &error));
    assert_int_equal(strlen(endpoint.host), HOST_BYTES_MAX - 1);
}

static void test_a_unix_path_fits_a_socket_address(void **state)
{
    (void)state;
    char text[128] = "unix:/";
    struct endpoint endpoint;
    struct address address;
    struct error error;
    memset(text + strlen(text), 'p', 106);
    assert_true(endpoint_parse_target(text, &endpoint, &error));
    assert_int_equal(endpoint_numeric(&endpoint, &address, 1), 1);
    assert_string_equal(address.is.local.sun_path, text + 5);
    char formatted[ADDRESS_TEXT_MAX];
    assert_string_equal(address_format(&address, formatted, sizeof formatted), text);

    memcpy(text + strlen(text), "p", sizeof "p");
    assert_false(endpoint_parse_target(text, &endpoint, &error));
    assert_non_null(strstr(error.text, "a unix socket's path has at most 107 bytes, this has 108"));
}

static void test_sources_are_addresses_without_port(void **state)
{
    (void)state;
    struct address address;
    struct error error;
    char text[ADDRESS_TEXT_MAX];
    assert_true(address_parse_source("10.1.2.3", &address, &error));
    assert_string_equal(address_format(&address, text, sizeof text), "10.1.2.3:0");
    assert_true(address_parse_source("::1", &address, &error));
    assert_string_equal(address_format(&address, text, sizeof text), "[::1]:0");
    assert_true(address_parse_source("[fe80::1%lo]", &address, &error));
    assert_string_equal(address_format(&address, text, sizeof text), "[fe80::1%lo]:0");

    static const char *const bad[] = {"",    "localhost",  "10.1.2.3:80", "10.1.2",
                                      "[::", "[10.1.2.3]", "[]",          "eth0"};
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++) {
        char expected[128];
        assert_false(address_parse_source(bad[index], &address, &error));
        (void)snprintf(expected, sizeof expected,
                       "invalid source '%s': it is no IPv4 or IPv6 address (without port)",
                       bad[index]);
        assert_string_equal(error.text, expected);
    }
    assert_false(address_parse_source("fe80::1%nosuch0", &address, &error));
    assert_string_equal(error.text, "invalid source 'fe80::1%nosuch0': no interface nosuch0");
}

static void test_an_interface_that_a_host_names_may_be_missing(void **state)
{
    (void)state;
    const char *missing = host_missing_interface("fe80::1%nosuch0");
    assert_non_null(missing);
    assert_string_equal(missing, "nosuch0");
    static const char *const others[] = {"fe80::1%lo", "fe80::1%7", "fe80::1",
                                         "::1",        "10.1.2.3",  "name%nosuch0"};
    for (size_t index = 0; index < ARRAY_COUNT(others); index++) {
        assert_null(host_missing_interface(others[index]));
    }
}

static void test_a_host_stands_without_port_brackets_and_zone(void **state)
{
    (void)state;
    static const struct {
        const char *source, *host;
    } hosts[] = {{"10.1.2.3", "10.1.2.3"},
                 {"::1", "::1"},
                 {"::ffff:10.1.2.3", "10.1.2.3"},
                 {"[fe80::1%lo]", "fe80::1"}};
    char text[ADDRESS_TEXT_MAX];
    struct address address;
    struct error error;
    for (size_t index = 0; index < ARRAY_COUNT(hosts); index++) {
        assert_true(address_parse_source(hosts[index].source, &address, &error));
        assert_true(address_format_host(&address, text, sizeof text));
        assert_string_equal(text, hosts[index].host);
    }
    address =
        (struct address){.is.any.sa_family = AF_UNIX, .size = sizeof address.is.any.sa_family};
    assert_false(address_format_host(&address, text, sizeof text));
    address.size = 0;
    assert_false(address_format_host(&address, text, sizeof text));
}

static struct endpoint target(const char *text)
{
    struct endpoint endpoint;
    struct error error;
    assert_true(endpoint_parse_target(text, &endpoint, &error));
    return endpoint;
}

static void test_numeric_endpoints_need_no_name_service(void **state)
{
    (void)state;
    static const char *const numeric[] = {"127.0.0.1:80", "[::1]:80", "[fe80::1%lo]:80", "unix:/x"};
    for (size_t index = 0; index < ARRAY_COUNT(numeric); index++) {
        struct endpoint endpoint = target(numeric[index]);
        struct address addresses[2];
        char text[ADDRESS_TEXT_MAX];
        assert_int_equal(endpoint_numeric(&endpoint, addresses, 2), 1);
        assert_string_equal(address_format(&addresses[0], text, sizeof text), numeric[index]);
    }
    struct endpoint name = target("localhost:80");
    struct address address;
    assert_int_equal(endpoint_numeric(&name, &address, 1), 0);
    struct endpoint numeric_one = target("1.2.3.4:80");
    assert_int_equal(endpoint_numeric(&numeric_one, &address, 0), 0);
}

static void test_a_bare_port_means_both_families(void **state)
{
    (void)state;
    struct endpoint endpoint;
    struct error error;
    struct address addresses[2];
    char text[ADDRESS_TEXT_MAX];
    assert_true(endpoint_parse_listen("80", &endpoint, &error));
    assert_int_equal(endpoint_numeric(&endpoint, addresses, 2), 2);
    assert_string_equal(address_format(&addresses[0], text, sizeof text), "[::]:80");
    assert_string_equal(address_format(&addresses[1], text, sizeof text), "0.0.0.0:80");
    assert_int_equal(endpoint_numeric(&endpoint, addresses, 1), 1);
}

static void test_addresses_are_shown_as_people_know_them(void **state)
{
    (void)state;
    char text[ADDRESS_TEXT_MAX];
    struct address mapped = {.size = sizeof mapped.is.v6};
    mapped.is.v6.sin6_family = AF_INET6;
    mapped.is.v6.sin6_port = htons(8000);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.1", &mapped.is.v6.sin6_addr), 1);
    assert_string_equal(address_format(&mapped, text, sizeof text), "192.0.2.1:8000");

    struct address unknown_scope = mapped;
    assert_int_equal(inet_pton(AF_INET6, "fe80::1", &unknown_scope.is.v6.sin6_addr), 1);
    unknown_scope.is.v6.sin6_scope_id = 99999;
    assert_string_equal(address_format(&unknown_scope, text, sizeof text), "[fe80::1%99999]:8000");

    struct address unnamed = {.size = sizeof unnamed.is.any.sa_family};
    unnamed.is.any.sa_family = AF_UNIX;
    assert_string_equal(address_format(&unnamed, text, sizeof text), "unix");

    struct address nothing = {.size = 0};
    assert_string_equal(address_format(&nothing, text, sizeof text), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets_are_taken_apart),
        cmocka_unit_test(test_listen_addresses_are_taken_apart),
        cmocka_unit_test(test_bad_targets_are_explained),
        cmocka_unit_test(test_bad_listen_addresses_are_explained),
        cmocka_unit_test(test_a_host_that_is_too_long_is_refused),
        cmocka_unit_test(test_a_unix_path_fits_a_socket_address),
        cmocka_unit_test(test_an_interface_that_a_host_names_may_be_missing),
        cmocka_unit_test(test_a_host_stands_without_port_brackets_and_zone),
        cmocka_unit_test(test_sources_are_addresses_without_port),
        cmocka_unit_test(test_numeric_endpoints_need_no_name_service),
        cmocka_unit_test(test_a_bare_port_means_both_families),
        cmocka_unit_test(test_addresses_are_shown_as_people_know_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
