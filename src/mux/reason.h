/* SPDX-License-Identifier: MIT */
/*
 * Why something ended: one table for clients, links and exchanges (reason.def), from which the
 * enum, counters, log text and documentation come.
 */
#ifndef MUX_REASON_H
#define MUX_REASON_H

#include <stdbool.h>

#include "protocol/protocol.h"

enum mux_reason {
#define REASON(name, text, fault, trouble, sentence) REASON_##name,
#include "mux/reason.def"
#undef REASON
};

#define REASON(name, text, fault, trouble, sentence) +1
enum {
    REASON_COUNT = 0
#include "mux/reason.def"
};
#undef REASON

/* Stable short name for logs and metrics (`response_timeout`). */
const char *reason_text(enum mux_reason reason);
/* One sentence for people. */
const char *reason_sentence(enum mux_reason reason);
/* Whether an operator may want to know (otherwise the normal course of things). */
bool reason_is_fault(enum mux_reason reason);
/* What a client is told when its exchange ends for this reason. */
enum trouble reason_trouble(enum mux_reason reason);

#endif
