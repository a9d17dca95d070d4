/* SPDX-License-Identifier: MIT */
/* The inside of the target's end of a link, shared by target_model.c (its moves) and target_answer.c (what
 * it is going to say). */
#ifndef SIM_TARGET_STATE_H
#define SIM_TARGET_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"

struct world;
struct connection;

enum { ANSWERS_MAX = 32 };

enum finale { FINALE_NONE, FINALE_END, FINALE_RESET };

struct answer {
    uint64_t at;
    uint8_t *bytes; /* owns */
    size_t size, done;
    size_t part_bytes_max; /* in parts, with pauses of at most pause_ns between them; 0: at once */
    uint64_t pause_ns;
    enum finale finale; /* behind the bytes */
};

struct target_link {
    struct connection *link; /* borrows */
    uint64_t parsed;         /* stream offset in `down` */
    uint32_t id;             /* of the request that is being answered */
    uint32_t heard_as;       /* its number, where there are identifiers */
    struct reader reader;    /* of the request that begins there, or goes on */
    bool head_seen;  /* of that request: it was decided whether to answer before it is whole */
    bool half_heard; /* answered before it was whole */
    struct answer answers[ANSWERS_MAX];
    uint32_t answers_count;
    bool lied;
    uint64_t deaf_until;
    uint64_t end_at, speak_at, hole_at; /* TIME_NEVER: never */
    uint64_t saw_end_at;                /* TIME_NEVER: not yet */
    bool lazy;
};

/* Decides what becomes of a request that has arrived. */
void target_answer(struct world *world, struct target_link *target, struct span request);

/* The same when only a part of it has arrived, whose head says all. False: it is answered when it is
 * whole. */
bool target_answer_early(struct world *world, struct target_link *target, struct span head);

/* Something that is no right answer to anything. */
void target_answer_wrong(struct world *world, struct target_link *target);
/* Something that nobody asked for. */
void target_speak(struct world *world, struct target_link *target);

#endif
