/* SPDX-License-Identifier: MIT */
/*
 * Reads any text as a duration and as a size. What is taken must be the same after it was written
 * and read again, and written the same; what is refused must say why. The text ends at an
 * unreadable page.
 */
#include <assert.h>
#include <string.h>

#include "base/duration.h"
#include "fuzz.h"
#include "lib/guard.h"

enum { TEXT_CAPACITY = 48, INPUT_MAX = 1024 };

typedef bool parse_function(const char *text, uint64_t *value, struct error *error);
typedef char *format_function(uint64_t value, char *text, size_t capacity);

static void check(const char *input, parse_function *parse, format_function *format)
{
    struct error error = {.text = ""};
    uint64_t value;
    if (!parse(input, &value, &error)) {
        assert(error.text[0] != '\0');
        assert(memchr(error.text, '\0', sizeof error.text) != NULL);
        return;
    }
    char text[TEXT_CAPACITY], again[TEXT_CAPACITY];
    format(value, text, sizeof text);
    uint64_t value_again;
    bool is_taken = parse(text, &value_again, &error);
    assert(is_taken);
    assert(value_again == value);
    assert(strcmp(format(value_again, again, sizeof again), text) == 0);
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
    check(input, duration_parse, duration_format);
    check(input, size_parse, size_format);
    guard_deinit(&guard);
    return 0;
}
