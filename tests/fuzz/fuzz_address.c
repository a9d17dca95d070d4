/* SPDX-License-Identifier: MIT */
/*
 * Reads any text as a target, a listen address and a source. What is taken must be the same after
 * it was written and read again; what is refused must say why. The text ends at an unreadable page.
 * No name service is asked.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "fuzz.h"
#include "lib/guard.h"
#include "net/address.h"

enum { INPUT_MAX = 1024 };

typedef bool parse_function(const char *text, struct endpoint *endpoint, struct error *error);

static void check_refusal(const struct error *error)
{
    assert(error->text[0] != '\0');
    assert(memchr(error->text, '\0', sizeof error->text) != NULL);
}

static void check_addresses(const struct address *addresses, size_t count)
{
    for (size_t index = 0; index < count; index++) {
        char text[ADDRESS_TEXT_MAX];
        memset(text, 'X', sizeof text);
        assert(addresses[index].size <= sizeof addresses[index].is);
        assert(address_format(&addresses[index], text, sizeof text) == text);
        assert(strlen(text) < sizeof text - 1); /* it was not cut */
    }
}

static void check_endpoint(const char *input, parse_function *parse)
{
    struct error error = {.text = ""};
    struct endpoint endpoint, again;
    if (!parse(input, &endpoint, &error)) {
        check_refusal(&error);
        return;
    }
    char text[ADDRESS_TEXT_MAX + HOST_BYTES_MAX];
    endpoint_format(&endpoint, text, sizeof text);
    bool is_taken = parse(text, &again, &error);
    assert(is_taken);
    assert(again.is_unix == endpoint.is_unix);
    assert(again.is_wildcard == endpoint.is_wildcard);
    assert(again.port == endpoint.port);
    assert(strcmp(again.host, endpoint.host) == 0);

    struct address addresses[2];
    size_t count = endpoint_numeric(&endpoint, addresses, ARRAY_COUNT(addresses));
    assert(count <= ARRAY_COUNT(addresses));
    check_addresses(addresses, count);
}

static void check_source(const char *input)
{
    struct error error = {.text = ""};
    struct address address;
    if (address_parse_source(input, &address, &error)) {
        check_addresses(&address, 1);
    } else {
        check_refusal(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) {
        return 0;
    }
    struct guard guard;
    guard_init(&guard, size + 1);
    char *input = (char *)guard_space(&guard, size + 1);
    if (size > 0) {
        memcpy(input, data, size);
    }
    input[size] = '\0';
    check_endpoint(input, endpoint_parse_target);
    check_endpoint(input, endpoint_parse_listen);
    check_source(input);
    guard_deinit(&guard);
    return 0;
}
