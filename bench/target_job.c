/* SPDX-License-Identifier: MIT */
/*
 * Requests under way, and when they are answered; see target.h.
 *
 * All take the same time, so that they are due in the order in which they came: one queue, a ring, is
 * enough. In serial mode the time of a job begins when the one before it comes out of the queue.
 *
 * Out of order, a job that is due while a younger one of its connection waits is put behind that one,
 * once: none is answered before its time, and none is put off for ever. Jobs and their memory are
 * used again.
 */
#include <stdlib.h>

#include "net.h"
#include "target.h"

enum { CAPACITY_MIN = 512, SEARCHED_MAX = 64, QUEUE_MIN = 1024 };

static struct job *pool;
static struct job **ring;
static size_t ring_size, first, count; /* the size is a power of two */

static struct job **place(size_t index)
{
    return &ring[(first + index) & (ring_size - 1)];
}

struct job *job_begin(struct connection *connection, size_t capacity)
{
    struct job *job = pool;
    if (job == NULL) {
        job = calloc(1, sizeof *job);
    } else {
        pool = job->next;
    }
    if (job == NULL) {
        die("memory");
    }
    if (job->capacity < capacity) {
        job->capacity = capacity > CAPACITY_MIN ? capacity : CAPACITY_MIN;
        free(job->bytes);
        job->bytes = malloc(job->capacity);
        if (job->bytes == NULL) {
            die("memory");
        }
    }
    *job = (struct job){.connection = connection, .bytes = job->bytes, .capacity = job->capacity};
    connection->unanswered++;
    target.requests++;
    return job;
}

void job_end(struct job *job)
{
    job->next = pool;
    pool = job;
}

static void grow(void)
{
    size_t grown_size = ring_size > 0 ? 2 * ring_size : QUEUE_MIN;
    struct job **grown = calloc(grown_size, sizeof *grown);
    if (grown == NULL) {
        die("memory");
    }
    for (size_t i = 0; i < count; i++) {
        grown[i] = *place(i);
    }
    free(ring);
    ring = grown;
    ring_size = grown_size;
    first = 0;
}

void job_enqueue(struct job *job)
{
    if (count == ring_size) {
        grow();
    }
    job->due_ns = target.options.service_ns > 0 ? now_ns() + target.options.service_ns : 0;
    *place(count++) = job;
}

/* Whether the first was put behind a younger one of its connection. */
static bool move_back(void)
{
    struct job *job = *place(0);
    if (!target.options.is_out_of_order || job->is_moved) {
        return false;
    }
    for (size_t i = 1; i < count && i < SEARCHED_MAX; i++) {
        struct job *younger = *place(i);
        if (younger->connection == job->connection && !younger->is_moved) {
            for (size_t j = 0; j < i; j++) {
                *place(j) = *place(j + 1);
            }
            *place(i) = job;
            job->is_moved = true;
            job->due_ns = younger->due_ns;
            return true;
        }
    }
    return false;
}

struct job *job_due(uint64_t now)
{
    while (count > 0 && (*place(0))->due_ns <= now) {
        if (move_back()) {
            continue;
        }
        struct job *job = *place(0);
        first = (first + 1) & (ring_size - 1);
        count--;
        if (target.options.is_serial && count > 0) {
            (*place(0))->due_ns = now + target.options.service_ns;
        }
        return job;
    }
    return NULL;
}

uint64_t job_next_due_ns(void)
{
    return count > 0 ? (*place(0))->due_ns : UINT64_MAX;
}
