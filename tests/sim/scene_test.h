/* SPDX-License-Identifier: MIT */
/* What the files of scenes share; see scene.h. */
#ifndef SIM_SCENE_TEST_H
#define SIM_SCENE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_engine.h"
#include "memory.h"
#include "scene.h"

#define MS(count)      ((uint64_t)(count)*NS_PER_MS)
#define SECONDS(count) ((uint64_t)(count)*NS_PER_S)

/* An argument of the program is a part of the names of those tests that are to run. */
void scenes_begin(int argc, char **argv);

/* The link answers once, for a client that is gone again; `answer` is what it hears of "up". */
void scene_warm_up(struct scene *scene, const char *answer);
/* Asks and is answered: the route works. `answer` is what the client hears of "well". */
void scene_is_served(struct scene *scene, uint32_t client, const char *answer);

/* The target ends a link that is replaced, no sooner than 250 ms after it was connected. */
void target_lets_go(struct scene *scene);

#endif
