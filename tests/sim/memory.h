/* SPDX-License-Identifier: MIT */
/*
 * The memory of the core, counted from outside: malloc and its relatives are wrapped by the linker, and
 * what is allocated between memory_core_begins and memory_core_ends is the core's.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

void memory_core_begins(void);
void memory_core_ends(void);

/* Bytes that the core holds now. */
size_t memory_core_bytes(void);

/* Each `every`-th allocation of the core fails from now on; 0: none does. */
void memory_fail_every(uint64_t every);

/* How many have failed since memory_forget_failures. */
uint64_t memory_failed(void);
void memory_forget_failures(void);

#endif
