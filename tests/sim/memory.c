/* SPDX-License-Identifier: MIT */
/*
 * Counts the core's memory; see memory.h. Each block carries its size and owner in a head of 16 bytes
 * in front, so that it can be counted off whoever frees it.
 */
#include "memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct head {
    void *base;            /* of the real block */
    size_t size_and_owner; /* twice the size, plus one when it is the core's */
};

void *__real_malloc(size_t size);
void __real_free(void *block);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);

static bool in_core;
static size_t core_bytes;
static uint64_t fail_every, until_failure, failed;

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

void memory_fail_every(uint64_t every)
{
    fail_every = until_failure = every;
}

void memory_forget_failures(void)
{
    failed = 0;
}

uint64_t memory_failed(void)
{
    return failed;
}

static size_t size_of(const struct head *head)
{
    return head->size_and_owner / 2;
}

/* Whether this allocation is the one that is to fail. */
static bool is_to_fail(void)
{
    bool fails = in_core && fail_every > 0 && --until_failure == 0;
    until_failure = fails ? fail_every : until_failure;
    failed += fails;
    return fails;
}

/* Puts the head in front of `room` bytes into the real block, and counts. */
static void *dress(void *base, size_t room, size_t size)
{
    if (base == NULL) {
        return NULL;
    }
    struct head *head = (struct head *)(void *)((char *)base + room) - 1;
    *head = (struct head){.base = base, .size_and_owner = size * 2 + in_core};
    core_bytes += in_core ? size : 0;
    return head + 1;
}

void *__wrap_malloc(size_t size)
{
    return is_to_fail()
               ? NULL
               : dress(__real_malloc(sizeof(struct head) + size), sizeof(struct head), size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    assert(alignment >= sizeof(struct head));
    return is_to_fail() ? NULL
                        : dress(__real_aligned_alloc(alignment, alignment + size), alignment, size);
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
    if (head->size_and_owner % 2 == 1) {
        assert(core_bytes >= size_of(head));
        core_bytes -= size_of(head);
    }
    __real_free(head->base);
}

void *__wrap_realloc(void *block, size_t size)
{
    void *larger = __wrap_malloc(size);
    if (larger != NULL && block != NULL) {
        size_t old = size_of((struct head *)block - 1);
        memcpy(larger, block, old < size ? old : size);
        __wrap_free(block);
    }
    return larger;
}
