/* SPDX-License-Identifier: MIT */
/* What the completion scripts have in common; see completion.h. */
#include "cli/completion.h"

#include <assert.h>

#include "base/compiler.h"
#include "protocol/protocol.h"

void completion_write(FILE *out, size_t shell)
{
    static void (*const writers[])(FILE *) = {completion_write_bash, completion_write_zsh,
                                              completion_write_fish};
    assert(shell < ARRAY_COUNT(writers));
    writers[shell](out);
}

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
