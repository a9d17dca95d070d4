/* SPDX-License-Identifier: MIT */
/*
 * Counts the core's memory; see memory.h. Each block carries its size and owner in a head of 16 bytes,
 * so that it can be counted off whoever frees it.
 */
#include "memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct head {
    size_t size;
    size_t is_core;
};

void *__real_malloc(size_t size);
void __real_free(void *block);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static bool in_core;
static size_t core_bytes;
static uint64_t fail_after, failed;

void memory_core_begins(void)
{
    assert(!in_core);
    in_core = true;
}

void memory_core_ends(void)
{
    assert(in_core);
    in_core = false;
}

size_t memory_core_bytes(void)
{
    return core_bytes;
}

void memory_fail_after(uint64_t after)
{
    fail_after = after;
    failed = 0;
}

uint64_t memory_failed(void)
{
    return failed;
}

void *__wrap_malloc(size_t size)
{
    if (in_core && fail_after > 0 && --fail_after == 0) {
        failed++;
        return NULL;
    }
    struct head *head = __real_malloc(sizeof *head + size);
    if (head == NULL) {
        return NULL;
    }
    *head = (struct head){.size = size, .is_core = in_core};
    core_bytes += in_core ? size : 0;
    return head + 1;
}

void *__wrap_calloc(size_t count, size_t size)
{
    assert(size == 0 || count <= SIZE_MAX / size);
    void *block = __wrap_malloc(count * size);
    return block == NULL ? NULL : memset(block, 0, count * size);
}

void __wrap_free(void *block)
{
    if (block == NULL) {
        return;
    }
    struct head *head = (struct head *)block - 1;
    if (head->is_core != 0) {
        assert(core_bytes >= head->size);
        core_bytes -= head->size;
    }
    __real_free(head);
}

void *__wrap_realloc(void *block, size_t size)
{
    void *larger = __wrap_malloc(size);
    if (larger != NULL && block != NULL) {
        size_t old = ((struct head *)block - 1)->size;
        memcpy(larger, block, old < size ? old : size);
        __wrap_free(block);
    }
    return larger;
}
