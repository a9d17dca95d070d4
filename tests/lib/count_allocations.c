/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a program, counts how often it asks for memory, and writes the number into the file that
 * COUNT_ALLOCATIONS names when the program ends.
 *
 *     COUNT_ALLOCATIONS=count LD_PRELOAD=.../libcount-allocations.so tcp-multiplexer server ...
 *
 * glibc lends its own functions under second names, so that nothing has to be looked up.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_ulong allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
    allocations++;
    return __libc_realloc(block, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    allocations++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **block, size_t alignment, size_t size)
{
    allocations++;
    *block = __libc_memalign(alignment, size);
    return *block == NULL ? ENOMEM : 0;
}

__attribute__((destructor)) static void tell(void)
{
    unsigned long count = allocations; /* without those of the lines below */
    const char *path = getenv("COUNT_ALLOCATIONS");
    FILE *file = path == NULL ? NULL : fopen(path, "w");
    if (file != NULL) {
        fprintf(file, "%lu\n", count);
        fclose(file);
    }
}
