/* SPDX-License-Identifier: MIT */
/* Small words about the compiler that every layer uses. */
#ifndef BASE_COMPILER_H
#define BASE_COMPILER_H

#include <stddef.h>

/* The result of the function must be looked at. */
#define MUST_USE __attribute__((warn_unused_result))

/* The function formats like printf: the format is argument `f`, its first value argument `v`. */
#define PRINTF_LIKE(f, v) __attribute__((format(printf, f, v)))

/* The struct that contains `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
