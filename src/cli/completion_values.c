/* SPDX-License-Identifier: MIT */
/* What the values of an option may be, for all shells; see completion.h. */
#include "base/compiler.h"
#include "cli/completion.h"
#include "protocol/protocol.h"

static bool is_protocol(const struct option *option)
{
    return option->offset == offsetof(struct config, protocol);
}

bool completion_has_values(const struct option *option)
{
    return is_protocol(option) || option->choices[0] != NULL;
}

void completion_write_values(FILE *out, const struct option *option)
{
    for (size_t i = 0; is_protocol(option) && i < protocols_count; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : " ", protocols[i]->name);
    }
    for (size_t i = 0; option->choices[i] != NULL; i++) {
        fprintf(out, "%s%s", i == 0 ? "" : " ", option->choices[i]);
    }
}
