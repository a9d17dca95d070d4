/* SPDX-License-Identifier: MIT */
/* The table of reasons; see reason.h. */
#include "mux/reason.h"

#include <assert.h>

#include "base/compiler.h"

struct reason_row {
    const char *text;
    bool fault;
    enum trouble trouble;
    const char *sentence;
};

static const struct reason_row rows[] = {
#define REASON(name, text, fault, trouble, sentence) {text, fault, trouble, sentence},
#include "mux/reason.def"
#undef REASON
};

static_assert(ARRAY_COUNT(rows) == REASON_COUNT, "one row per reason");
static_assert(REASON_NONE == 0, "a zeroed reason is none");

const char *reason_text(enum mux_reason reason)
{
    assert((unsigned)reason < REASON_COUNT);
    return rows[reason].text;
}

const char *reason_sentence(enum mux_reason reason)
{
    assert((unsigned)reason < REASON_COUNT);
    return rows[reason].sentence;
}

bool reason_is_fault(enum mux_reason reason)
{
    assert((unsigned)reason < REASON_COUNT);
    return rows[reason].fault;
}

enum trouble reason_trouble(enum mux_reason reason)
{
    assert((unsigned)reason < REASON_COUNT);
    return rows[reason].trouble;
}
