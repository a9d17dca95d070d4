/* SPDX-License-Identifier: MIT */
/*
 * Identifiers of a link; see ids.h.
 *
 * The table has at least four times the places that exchanges may hold, and half of it may be retired: so
 * a quarter is always free, and mostly the next place is. Held places are stepped over: once around the table
 * that is three for each that is given, whichever are held, and at most three quarters of the table at once.
 */
#include "mux/ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES_MIN = 64 };

bool ids_init(struct ids *ids, uint32_t held_max, uint32_t id_max)
{
    assert((id_max & (id_max + 1)) == 0);
    uint32_t count = PLACES_MIN;
    while (count < 4 * held_max) {
        count *= 2;
    }
    assert(count - 1 <= id_max);
    *ids = (struct ids){.places = calloc(count, sizeof *ids->places),
                        .mask = count - 1,
                        .id_max = id_max,
                        .next = 1};
    return ids->places != NULL;
}

void ids_deinit(struct ids *ids)
{
    free(ids->places);
    *ids = (struct ids){0};
}

static struct id_place *place_of(const struct ids *ids, uint32_t id)
{
    return &ids->places[id & ids->mask];
}

uint32_t ids_give(struct ids *ids, struct exchange *exchange)
{
    assert(ids->places != NULL);
    while (place_of(ids, ids->next)->held) { /* ends: a quarter of the places is free */
        ids->next = (ids->next + 1) & ids->id_max;
    }
    uint32_t id = ids->next;
    *place_of(ids, id) = (struct id_place){.exchange = exchange, .id = id, .held = true};
    ids->next = (id + 1) & ids->id_max;
    return id;
}

struct exchange *ids_find(const struct ids *ids, uint32_t id)
{
    const struct id_place *place = place_of(ids, id);
    return place->held && place->id == id ? place->exchange : NULL;
}

void ids_free(struct ids *ids, uint32_t id)
{
    struct id_place *place = place_of(ids, id);
    assert(place->held);
    assert(place->id == id);
    *place = (struct id_place){0};
}

void ids_retire(struct ids *ids, uint32_t id)
{
    struct id_place *place = place_of(ids, id);
    assert(place->held);
    assert(place->id == id);
    place->exchange = NULL;
    ids->retired_count++;
}

bool ids_are_spent(const struct ids *ids)
{
    return ids->retired_count > ids->mask / 2;
}

void ids_clear(struct ids *ids)
{
    if (ids->places != NULL) {
        memset(ids->places, 0, ((size_t)ids->mask + 1) * sizeof *ids->places);
    }
    ids->retired_count = 0;
}

void ids_check(const struct ids *ids, uint32_t held_count)
{
    uint32_t held = 0;
    uint32_t retired = 0;
    for (uint32_t index = 0; ids->places != NULL && index <= ids->mask; index++) {
        const struct id_place *place = &ids->places[index];
        assert(!place->held || (place->id & ids->mask) == index);
        held += place->held && place->exchange != NULL;
        retired += place->held && place->exchange == NULL;
    }
    assert(held == held_count);
    assert(retired == ids->retired_count);
}
