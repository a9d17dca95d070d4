/* SPDX-License-Identifier: MIT */
/*
 * The simulator's one source of choice. Whatever may happen this way or that asks choose(), so a run
 * is a pure function of the choices, and the same world serves three masters:
 *
 *     seeded       a generator seeded with one number: thousands of random runs, each replayable
 *     bytes        the input of a fuzzer, which is guided by coverage
 *     enumerated   every combination of the first so many choices, for small worlds
 *
 * A choice among one costs nothing and is not recorded.
 */
#ifndef SIM_CHOICE_H
#define SIM_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/random.h"
#include "base/span.h"

enum { CHOICE_DEPTH_MAX = 64 };

enum choice_back { CHOICE_FIRST, CHOICE_SEEDED, CHOICE_BYTES, CHOICE_ENUMERATED };

struct choice {
    enum choice_back back;
    struct random random; /* seeded */
    struct span bytes;    /* bytes: borrowed, what is left */
    bool paused;          /* the first of each, which is no choice */
    uint32_t depth;       /* enumerated: how many choices are varied */
    uint32_t length;      /* enumerated: choices of `path` made so far in this run */
    uint32_t known;       /* enumerated: choices of `path` that are prescribed */
    uint32_t path[CHOICE_DEPTH_MAX];
    uint32_t width[CHOICE_DEPTH_MAX];
    uint64_t beyond; /* enumerated: choices that were made behind the depth, always 0 */
};

/* Always the first: for scripted scenes. */
void choice_init_first(struct choice *choice);
void choice_init_seeded(struct choice *choice, uint64_t seed);
void choice_init_bytes(struct choice *choice, struct span bytes);
void choice_init_enumerated(struct choice *choice, uint32_t depth);

/* Enumerated: moves to the next combination. False: all have been run. */
bool choice_next_run(struct choice *choice) MUST_USE;

/* A number from 0 to count - 1; `count` may be 0 or 1, which gives 0. */
uint64_t choose(struct choice *choice, uint64_t count);

/* True in about `percent` of all cases; 0 and 100 are no choice. */
bool choose_percent(struct choice *choice, uint32_t percent);

/* A number from `low` to `high`, both included. */
uint64_t choose_between(struct choice *choice, uint64_t low, uint64_t high);

#endif
