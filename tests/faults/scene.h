/* SPDX-License-Identifier: MIT */
/*
 * One run: an engine and a core between peers, through a storm and out of it.
 *
 *     STORM       faults; clients come and go until all have ended
 *     SETTLING    no faults, no clients, for longer than any deadline
 *     LAST        one more client: it must get every answer
 *     CROWD       more clients, in some runs with faults again
 *     DRAINING    mux_drain in the middle of that; engine_run must return
 *
 * A run without faults, or with mild ones only, must answer every request over one link.
 */
#ifndef FAULTS_SCENE_H
#define FAULTS_SCENE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "faults/rates.h"

struct totals {
    uint64_t turns, requests_seen, answers, clients_cut, links;
};

/* Plays the seed; whatever is wrong is a failure on the spot. */
void scene_run(uint64_t seed, enum storm storm, struct log *log, struct totals *totals);

#endif
