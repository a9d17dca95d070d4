/* SPDX-License-Identifier: MIT */
/* Bytes that end exactly at an unreadable page; see guard.h. */
#include "lib/guard.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void guard_init(struct guard *guard, size_t capacity)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t readable = (capacity / page + 1) * page;
    void *pages =
        mmap(NULL, readable + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(pages != MAP_FAILED);
    *guard = (struct guard){.pages = pages,
                            .pages_size = readable + page,
                            .end = (uint8_t *)pages + readable,
                            .capacity = readable};
    int result = mprotect(guard->end, page, PROT_NONE);
    assert(result == 0);
}

void guard_deinit(struct guard *guard)
{
    int result = munmap(guard->pages, guard->pages_size);
    assert(result == 0);
    *guard = (struct guard){0};
}

uint8_t *guard_space(struct guard *guard, size_t size)
{
    assert(size <= guard->capacity);
    return guard->end - size;
}

struct span guard_put(struct guard *guard, struct span bytes)
{
    uint8_t *copy = guard_space(guard, bytes.size);
    if (bytes.size > 0) {
        memcpy(copy, bytes.data, bytes.size);
    }
    return span_of(copy, bytes.size);
}
