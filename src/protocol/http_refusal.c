/* SPDX-License-Identifier: MIT */
/*
 * Why a message is refused, and with which status; the rows are in http_refusals.def.
 */
#include <assert.h>

#include "base/compiler.h"
#include "protocol/http.h"

static const struct {
    uint16_t status;
    const char *sentence;
} refusals[] = {
    {200, "nothing is wrong"},
#define REFUSAL(name, status, sentence) {status, sentence},
#include "protocol/http_refusals.def"
#undef REFUSAL
};
static_assert(ARRAY_COUNT(refusals) == HTTP_REFUSAL_COUNT, "one row per refusal");
static_assert(ARRAY_COUNT(refusals) <= HTTP_CODE_REFUSAL_BITS, "refusals fit into their bits");

unsigned http_refusal_status(enum http_refusal refusal)
{
    assert(refusal < HTTP_REFUSAL_COUNT);
    return refusals[refusal].status;
}

const char *http_refusal_sentence(enum http_refusal refusal)
{
    assert(refusal < HTTP_REFUSAL_COUNT);
    return refusals[refusal].sentence;
}

enum frame_status http_refuse(struct frame *frame, enum frame_status status,
                              enum http_refusal refusal)
{
    *frame = (struct frame){.code = (uint16_t)refusal};
    return status;
}
