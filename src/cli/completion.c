/* SPDX-License-Identifier: MIT */
/* Which script is asked for; see completion.h. */
#include "cli/completion.h"

#include <assert.h>

#include "base/compiler.h"

void completion_write(FILE *out, size_t shell)
{
    static void (*const writers[])(FILE *) = {completion_write_bash, completion_write_zsh,
                                              completion_write_fish};
    assert(shell < ARRAY_COUNT(writers));
    writers[shell](out);
}
