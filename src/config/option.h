/* SPDX-License-Identifier: MIT */
/*
 * The option table: one row per option, from which parsing, help, completions, the manual page and
 * the README's table come.
 *
 * A row says how an option is written and where its value lives in `struct config`. option_set
 * checks a value by itself; what belongs together is checked by config_check. Errors say what is
 * wrong with the value; who called knows the place (a flag, later a line of a file) and prefixes
 * it.
 */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/error.h"
#include "config/config.h"

enum option_type {
    OPTION_FLAG, /* no value (also =true, =false): bool */
    OPTION_TEXT, /* bounded text: char[capacity] */
    OPTION_LIST, /* bounded text, may be given several times; the first replaces the default */
    OPTION_DURATION, /* base/duration.h: uint64_t nanoseconds; with `choices`, the first is 0 and the second
                        CONFIG_AUTO */
    OPTION_SIZE,   /* base/duration.h: uint64_t bytes */
    OPTION_COUNT,  /* a whole number: uint64_t */
    OPTION_CHOICE, /* one of the `choices`: uint8_t, or bool for two of them; the index */
};

/* In the order of help. */
enum option_group { GROUP_ROUTE, GROUP_TIME, GROUP_LIMIT, GROUP_GLOBAL };

enum {
    OPTION_GROUPS = GROUP_GLOBAL + 1,
    OPTIONS_MAX = 64,          /* rows the table may have */
    OPTION_ALIASES_MAX = 2,    /* per row */
    OPTION_CHOICES_MAX = 4,    /* per row */
    OPTION_PROTOCOLS_MAX = 2,  /* per row */
    OPTION_NAME_BYTES_MAX = 32 /* of a name or an alias, with the NUL */
};

struct option {
    const char *name; /* canonical, without dashes */
    const char
        *aliases[OPTION_ALIASES_MAX + 1]; /* other spellings of the long name, NULL-terminated */
    char letter;                          /* short form, 0: none */
    enum option_type type;
    enum option_group group;
    size_t offset;       /* of the value in struct config */
    size_t capacity;     /* OPTION_TEXT, OPTION_LIST: bytes of a text, with the NUL */
    size_t count_offset; /* OPTION_LIST: of the uint32_t that counts the texts, `maximum` at most */
    size_t given_offset; /* of a bool that is set when the option is given; 0: none */
    const char *fallback;      /* the default as one would write it; NULL: empty, or false */
    uint64_t minimum, maximum; /* of numbers, in their base unit */
    bool zero_is_off;          /* 0 is allowed although it is under `minimum` */
    const char *choices[OPTION_CHOICES_MAX + 1];     /* words that are values; NULL-terminated */
    const char *protocols[OPTION_PROTOCOLS_MAX + 1]; /* whose it is; none: everybody's */
    const char *value_name; /* in help: `duration`, `address`; a flag has none */
    const char *sentence;   /* for help; no full stop */
};

extern const struct option options[];
extern const size_t options_count;

/* By long name or alias; NULL: unknown. */
const struct option *option_find(const char *name);
const struct option *option_find_letter(char letter);

/* The names of an option: the canonical one for `index` 0, then the aliases, then NULL. */
const char *option_spelling(const struct option *option, size_t index);

/* Sets the option in `config` from text. `first` tells a list whether to begin anew. After a
 * failure the value is as it was. */
bool option_set(const struct option *option, const char *text, bool first, struct config *config,
                struct error *error) MUST_USE;

/* `true`, `false`, `t`, `f`, `1` or `0`, in any case. */
bool bool_parse(const char *text, bool *value, struct error *error) MUST_USE;

/* The name nearest to what was typed, NULL when none is near (config/nearest.c). Lends an entry of
 * `names`. Upper and lower case count as the same. */
const char *nearest_name(const char *typed, const char *const *names, size_t count);

/* What was typed, as it stands in an error: cut off visibly when it is long. Returns `shown->text`.
 */
struct shown {
    char text[72];
};
const char *shown_text(struct shown *shown, const char *typed);

#endif
