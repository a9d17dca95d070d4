/* SPDX-License-Identifier: MIT */
/*
 * Finding options and setting their values; see option.h. The rows are in option_table.c.
 *
 * Every type has one function that turns text into its value. Nothing is written to the config
 * before the whole text was understood and is within its limits.
 */
#include "config/option.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/duration.h"

const char *option_spelling(const struct option *option, size_t index)
{
    if (index == 0) {
        return option->name;
    }
    return index <= OPTION_ALIASES_MAX ? option->aliases[index - 1] : NULL;
}

static bool has_spelling(const struct option *option, const char *name)
{
    const char *spelling;
    for (size_t i = 0; (spelling = option_spelling(option, i)) != NULL; i++) {
        if (strcmp(spelling, name) == 0) {
            return true;
        }
    }
    return false;
}

const struct option *option_find(const char *name)
{
    for (size_t i = 0; i < options_count; i++) {
        if (has_spelling(&options[i], name)) {
            return &options[i];
        }
    }
    return NULL;
}

const struct option *option_find_letter(char letter)
{
    for (size_t i = 0; i < options_count && letter != '\0'; i++) {
        if (options[i].letter == letter) {
            return &options[i];
        }
    }
    return NULL;
}

const char *shown_text(struct shown *shown, const char *typed)
{
    int length = snprintf(shown->text, sizeof shown->text, "%s", typed);
    if (length < 0 || (size_t)length >= sizeof shown->text) {
        memcpy(shown->text + sizeof shown->text - 4, "...", 4);
    }
    return shown->text;
}

/* ---- values ---- */

static void *member(struct config *config, size_t offset)
{
    assert(offset < sizeof *config);
    return (char *)config + offset;
}

bool bool_parse(const char *text, bool *value, struct error *error)
{
    static const char *const names[] = {"false", "true", "f", "t", "0", "1"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcasecmp(text, names[i]) == 0) {
            *value = i % 2 == 1;
            return true;
        }
    }
    struct shown shown;
    error_set(error, "'%s' is neither 'true' nor 'false'", shown_text(&shown, text));
    return false;
}

/* Whether the text fits and is clean: control bytes belong to no name, address or path of sense,
 * and would spoil log lines. */
static bool text_check(const struct option *option, const char *text, struct error *error)
{
    if (*text == '\0' && option->fallback != NULL) {
        error_set(error, "the value is empty, the default is '%s'", option->fallback);
        return false;
    }
    if (*text == '\0' && option->type == OPTION_LIST) {
        error_set(error, "the value is empty");
        return false;
    }
    if (strlen(text) >= option->capacity) {
        struct shown shown;
        error_set(error, "'%s' is longer than %zu bytes", shown_text(&shown, text),
                  option->capacity - 1);
        return false;
    }
    for (const char *byte = text; *byte != '\0'; byte++) {
        if ((unsigned char)*byte < ' ' || *byte == 0x7F) {
            struct shown shown;
            error_set(error, "'%s' has a control character", shown_text(&shown, text));
            return false;
        }
    }
    return true;
}

static bool set_list(const struct option *option, const char *text, bool first,
                     struct config *config, struct error *error)
{
    uint32_t *count = member(config, option->count_offset);
    uint32_t index = first ? 0 : *count;
    if (index >= option->maximum) {
        error_set(error, "given more than %" PRIu64 " times", option->maximum);
        return false;
    }
    char *texts = member(config, option->offset);
    memcpy(texts + index * option->capacity, text, strlen(text) + 1);
    *count = index + 1;
    return true;
}

/* `'one', 'two' and 'three'`. */
static void format_choices(const struct option *option, char *text, size_t capacity)
{
    size_t size = 0;
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        const char *before = i == 0 ? "" : option->choices[i + 1] == NULL ? " and " : ", ";
        int length = snprintf(text + size, capacity - size, "%s'%s'", before, option->choices[i]);
        assert(length > 0 && (size_t)length < capacity - size); /* the table's words are short */
        size += (size_t)length;
    }
}

static bool set_choice(const struct option *option, const char *text, uint8_t *value,
                       struct error *error)
{
    size_t count = 0;
    for (; option->choices[count] != NULL; count++) {
        if (strcmp(text, option->choices[count]) == 0) {
            *value = (uint8_t)count;
            return true;
        }
    }
    struct shown shown;
    const char *near = nearest_name(text, option->choices, count);
    if (near != NULL) {
        error_set(error, "unknown choice '%s', did you mean '%s'?", shown_text(&shown, text), near);
    } else {
        char choices[128];
        format_choices(option, choices, sizeof choices);
        error_set(error, "unknown choice '%s', there are %s", shown_text(&shown, text), choices);
    }
    return false;
}

static bool count_parse(const char *text, uint64_t *count, struct error *error)
{
    struct shown shown;
    if (*text == '\0' || text[strspn(text, "0123456789")] != '\0') {
        error_set(error, "'%s' is not a whole number like 100", shown_text(&shown, text));
        return false;
    }
    errno = 0;
    unsigned long long value = strtoull(text, NULL, 10);
    *count = errno == ERANGE ? UINT64_MAX : value;
    return true;
}

/* The number as one would write it. `capacity` 48 is enough. */
static const char *number_format(const struct option *option, uint64_t value, char *text,
                                 size_t capacity)
{
    if (option->type == OPTION_DURATION) {
        return duration_format(value, text, capacity);
    }
    if (option->type == OPTION_SIZE) {
        return size_format(value, text, capacity);
    }
    (void)snprintf(text, capacity, "%" PRIu64, value);
    return text;
}

static bool range_check(const struct option *option, const char *text, uint64_t value,
                        struct error *error)
{
    struct shown shown;
    char limit[48];
    if (value > option->maximum) {
        error_set(error, "'%s' is too much, the most is %s", shown_text(&shown, text),
                  number_format(option, option->maximum, limit, sizeof limit));
        return false;
    }
    if (value < option->minimum && !(value == 0 && option->zero_is_off)) {
        error_set(error, "'%s' is too little, the least is %s%s", shown_text(&shown, text),
                  number_format(option, option->minimum, limit, sizeof limit),
                  option->zero_is_off ? ", or 0 for never" : "");
        return false;
    }
    return true;
}

static bool set_number(const struct option *option, const char *text, uint64_t *number,
                       struct error *error)
{
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *number = i == 0 ? 0 : CONFIG_AUTO;
            return true;
        }
    }
    uint64_t value = 0;
    bool understood = option->type == OPTION_DURATION ? duration_parse(text, &value, error)
                      : option->type == OPTION_SIZE   ? size_parse(text, &value, error)
                                                      : count_parse(text, &value, error);
    if (!understood && option->choices[0] != NULL) {
        struct shown shown;
        error_set(error, "'%s' is neither '%s' nor '%s' nor a duration like 50us",
                  shown_text(&shown, text), option->choices[0], option->choices[1]);
    }
    if (!understood || !range_check(option, text, value, error)) {
        return false;
    }
    *number = value;
    return true;
}

static bool set_value(const struct option *option, const char *text, bool first,
                      struct config *config, struct error *error)
{
    switch (option->type) {
    case OPTION_FLAG:
        return bool_parse(text, member(config, option->offset), error);
    case OPTION_TEXT:
        if (!text_check(option, text, error)) {
            return false;
        }
        memcpy(member(config, option->offset), text, strlen(text) + 1);
        return true;
    case OPTION_LIST:
        return text_check(option, text, error) && set_list(option, text, first, config, error);
    case OPTION_DURATION:
    case OPTION_SIZE:
    case OPTION_COUNT:
        return set_number(option, text, member(config, option->offset), error);
    case OPTION_CHOICE:
        return set_choice(option, text, member(config, option->offset), error);
    }
    assert(false);
    return false;
}

bool option_set(const struct option *option, const char *text, bool first, struct config *config,
                struct error *error)
{
    if (!set_value(option, text, first, config, error)) {
        return false;
    }
    if (option->given_offset != 0) {
        *(bool *)member(config, option->given_offset) = true;
    }
    return true;
}
