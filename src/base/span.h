/* SPDX-License-Identifier: MIT */
/* A view of bytes that somebody else owns. Who lends it says how long it is valid. */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>

struct span {
    const uint8_t *data; /* borrowed; may be NULL only where size is 0 */
    size_t size;         /* bytes */
};

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){.data = data, .size = size};
}

/* The part of `span` from `offset` on; `offset` is at most its size. */
static inline struct span span_from(struct span span, size_t offset)
{
    return (struct span){.data = offset == 0 ? span.data : span.data + offset,
                         .size = span.size - offset};
}

#endif
