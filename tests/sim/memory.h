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

/* The core's `after`-th allocation from now on fails, once; 0: none does. */
void memory_fail_after(uint64_t after);
uint64_t memory_failed(void);

#endif
