/* SPDX-License-Identifier: MIT */
/* See scene_test.h. */
#include "scene_test.h"

void scenes_begin(int argc, char **argv)
{
    if (argc > 1) {
        static char pattern[200];
        (void)snprintf(pattern, sizeof pattern, "*%s*", argv[1]);
        cmocka_set_test_filter(pattern);
    }
    trace_catch_signals();
}
