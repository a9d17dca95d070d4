/* SPDX-License-Identifier: MIT */
/*
 * The source of choice; see choice.h.
 *
 * Enumeration is a counter with a different base in every place: a run follows the prescribed path
 * and takes 0 behind it, noting how wide each place was; the next run adds one to the last place that
 * is not at its end and forgets what was behind it. Ends when no place is left. Choices deeper than
 * `depth` are 0 and counted, so that the tool can say what it did not cover.
 */
#include "choice.h"

#include <assert.h>
#include <string.h>

void choice_init_first(struct choice *choice)
{
    memset(choice, 0, sizeof *choice);
    choice->back = CHOICE_FIRST;
}

void choice_init_seeded(struct choice *choice, uint64_t seed)
{
    memset(choice, 0, sizeof *choice);
    choice->back = CHOICE_SEEDED;
    random_init(&choice->random, seed);
}

void choice_init_bytes(struct choice *choice, struct span bytes)
{
    memset(choice, 0, sizeof *choice);
    choice->back = CHOICE_BYTES;
    choice->bytes = bytes;
}

void choice_init_enumerated(struct choice *choice, uint32_t depth)
{
    assert(depth <= CHOICE_DEPTH_MAX);
    memset(choice, 0, sizeof *choice);
    choice->back = CHOICE_ENUMERATED;
    choice->depth = depth;
}

bool choice_next_run(struct choice *choice)
{
    assert(choice->back == CHOICE_ENUMERATED);
    uint32_t place = choice->length;
    while (place > 0 && choice->path[place - 1] + 1 >= choice->width[place - 1]) {
        place--;
    }
    if (place == 0) {
        return false;
    }
    choice->path[place - 1]++;
    choice->known = place;
    choice->length = 0;
    return true;
}

static uint64_t choose_byte(struct choice *choice, uint64_t count)
{
    uint64_t value = 0;
    for (uint64_t reach = 1; reach < count && choice->bytes.size > 0; reach <<= 8) {
        value = value << 8 | choice->bytes.data[0];
        choice->bytes = span_from(choice->bytes, 1);
        if (reach > UINT64_MAX >> 8) {
            break;
        }
    }
    return value % count;
}

static uint64_t choose_enumerated(struct choice *choice, uint64_t count)
{
    if (choice->length == choice->depth) {
        choice->beyond++;
        return 0;
    }
    uint32_t place = choice->length++;
    if (place >= choice->known) {
        choice->path[place] = 0;
    }
    choice->width[place] = (uint32_t)count;
    assert(choice->path[place] < count); /* a world that is not deterministic */
    return choice->path[place];
}

uint64_t choose(struct choice *choice, uint64_t count)
{
    if (count <= 1 || choice->paused) {
        return 0;
    }
    switch (choice->back) {
    case CHOICE_FIRST:
        return 0;
    case CHOICE_SEEDED:
        return random_below(&choice->random, count);
    case CHOICE_BYTES:
        return choose_byte(choice, count);
    case CHOICE_ENUMERATED:
        return choose_enumerated(choice, count);
    }
    assert(false);
    return 0;
}

bool choose_percent(struct choice *choice, uint32_t percent)
{
    if (percent == 0 || percent >= 100) {
        return percent != 0;
    }
    if (choice->back == CHOICE_ENUMERATED) {
        return choose(choice, 2) == 1;
    }
    return choose(choice, 100) >= 100 - percent;
}

uint64_t choose_between(struct choice *choice, uint64_t low, uint64_t high)
{
    assert(low <= high);
    return low + choose(choice, high - low + 1);
}
