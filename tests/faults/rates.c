/* SPDX-License-Identifier: MIT */
/*
 * Rates of faults; see rates.h.
 *
 * Half of the kinds are absent from a seed. The largest rate of a kind leaves a run able to get
 * somewhere: what costs a connection is rarer than what costs a call.
 */
#include "faults/rates.h"

#include <assert.h>

static const struct {
    const char *name;
    uint16_t permille_max;
} kinds[FAULTS_COUNT] = {
    [FAULT_INTERRUPT] = {"interrupt", 300},
    [FAULT_RECEIVE_AGAIN] = {"receive_again", 300},
    [FAULT_RECEIVE_SHORT] = {"receive_short", 500},
    [FAULT_SEND_AGAIN] = {"send_again", 300},
    [FAULT_SEND_SHORT] = {"send_short", 500},
    [FAULT_ACCEPT_AGAIN] = {"accept_again", 300},
    [FAULT_ACCEPT_NO_ROOM] = {"accept_no_room", 200},
    [FAULT_EVENTS_FEW] = {"events_few", 500},
    [FAULT_EVENTS_SHUFFLED] = {"events_shuffled", 1000},
    [FAULT_EVENTS_SPURIOUS] = {"events_spurious", 300},
    [FAULT_CONNECT_QUICK] = {"connect_quick", 500},
    [FAULT_CLOSE] = {"close", 300},
    [FAULT_PEERS_ACT] = {"peers_act", 500},
    [FAULT_ACCEPT_ABORTED] = {"accept_aborted", 100},
    [FAULT_SOCKET_NO_ROOM] = {"socket_no_room", 300},
    [FAULT_CONNECT_AT_ONCE] = {"connect_at_once", 200},
    [FAULT_CONNECT_LATER] = {"connect_later", 200},
    [FAULT_CONNECT_NEVER] = {"connect_never", 100},
    [FAULT_RECEIVE_RESET] = {"receive_reset", 60},
    [FAULT_SEND_RESET] = {"send_reset", 60},
    [FAULT_SHUTDOWN_RESET] = {"shutdown_reset", 300},
    [FAULT_REGISTER] = {"register", 100},
    [FAULT_CLOCK] = {"clock", 10},
};

static_assert(sizeof kinds / sizeof kinds[0] == FAULTS_COUNT, "every kind has a row");

void rates_draw(struct rates *rates, struct random *random, enum storm storm)
{
    *rates = (struct rates){0};
    for (unsigned fault = 0; fault < FAULTS_COUNT; fault++) {
        bool allowed = storm == STORM_HARD || (storm == STORM_MILD && fault < FAULT_FIRST_HARD);
        bool present = random_below(random, 2) == 0;
        uint64_t divisor = (uint64_t)1 << (2 * random_below(random, 3)); /* 1, 4 or 16 */
        if (allowed && present) {
            rates->permille[fault] =
                (uint16_t)((kinds[fault].permille_max + divisor - 1) / divisor);
        }
    }
}

const char *fault_name(enum fault fault)
{
    return kinds[fault].name;
}
