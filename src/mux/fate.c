/* SPDX-License-Identifier: MIT */
/* See fate.h. */
#include "mux/fate.h"

/* Its link took it along. */
static enum fate fate_with_link(const struct exchange_facts *facts)
{
    if (!facts->is_sent) {
        return facts->has_time ? FATE_RETURN : FATE_FAIL;
    }
    if (facts->may_be_repeated && !facts->is_delivered) {
        return facts->has_time ? FATE_SEND_AGAIN : FATE_FAIL;
    }
    return facts->is_delivered ? FATE_CUT : FATE_FAIL;
}

enum fate exchange_fate(const struct exchange_facts *facts, enum cause cause)
{
    if (cause == CAUSE_CLIENT_GONE) {
        return facts->is_sent ? FATE_ORPHAN : FATE_DROP;
    }
    if (!facts->has_client) {
        return FATE_DROP;
    }
    if (cause == CAUSE_LINK_ENDED) {
        return fate_with_link(facts);
    }
    return facts->is_delivered ? FATE_CUT : FATE_FAIL;
}
