/* SPDX-License-Identifier: MIT */
/*
 * A target for the benchmarks that is told how to behave. One thread, edge-triggered epoll.
 *
 *     connection  bytes in, cut into requests; answers out          target_connection.c
 *     wire        where a request ends, and what it is answered     target_wire.c
 *     job         a request under way, until its answer has left    target_job.c
 *
 * A job belongs to its connection's count of unanswered requests from when its request was whole; it
 * waits in one queue for its time, and then in its connection's list for the socket. A connection
 * that is closed stays until its last job has come out of the queue.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct connection;

/* The answer is `bytes` and then so much of the pattern. */
struct job {
    struct connection *connection;
    struct job *next; /* in the connection's list, or in the pool */
    uint64_t due_ns;
    bool is_moved; /* behind a younger one of its connection, once */
    uint8_t *bytes;
    size_t size, capacity;
    uint64_t pattern_offset, pattern_size;
    uint64_t sent; /* of both */
};

enum { PATH_MAX_BYTES = 128 };

struct connection {
    int fd; /* -1: closed */
    uint32_t unanswered;
    bool is_early;   /* more bytes came while a request was unanswered, and that was counted */
    bool is_touched; /* answers were added in this turn of the loop */
    struct connection *next_touched;
    uint8_t *kept; /* owns; the beginning of a request */
    size_t kept_size, kept_capacity;
    struct job *out_first, *out_last;

    /* of an http upload */
    uint64_t upload_size, upload_left;
    bool is_upload_right;
    char path[PATH_MAX_BYTES];
};

struct target_options {
    const struct target_wire *wire;
    bool is_serial, is_out_of_order, is_strict;
    uint64_t service_ns;
};

struct target {
    struct target_options options;
    int epoll;
    uint64_t violations, connections, requests;
};

extern struct target target;

/* ---- target_wire.c ---- */

struct target_wire {
    const char *name;

    /* The bytes of the request that these begin with; 0: not whole yet; SIZE_MAX: none begins so. */
    size_t (*cut)(const uint8_t *bytes, size_t size);

    /* Takes a whole request. */
    void (*take)(struct connection *connection, const uint8_t *bytes, size_t size);
};

/* NULL: there is none of that name. */
const struct target_wire *target_wire_find(const char *name);

/* Takes bytes of the upload that is under way, and returns how many were its. */
size_t target_wire_upload(struct connection *connection, const uint8_t *bytes, size_t size);

/* ---- target_job.c ---- */

/* A job with room for so many bytes, that has no answer yet. */
struct job *job_begin(struct connection *connection, size_t capacity);

/* Its answer is complete, and goes out when it is due. */
void job_enqueue(struct job *job);

/* The next job whose time has come; NULL: none. */
struct job *job_due(uint64_t now);

/* When the next is due; UINT64_MAX: none is there. */
uint64_t job_next_due_ns(void);

/* Back to the pool. */
void job_end(struct job *job);

/* ---- target_connection.c ---- */

void connection_open(int fd);

/* The open connection with this descriptor; NULL: none. */
struct connection *connection_find(int fd);

/* How many are open. Looks for ends that have not been received yet. */
size_t connections_open(void);

/* Receives and sends what it can. */
void connection_handle(struct connection *connection, uint32_t events);

void connection_close(struct connection *connection);

/* Takes the job, which is due, and sends it in connections_flush. */
void connection_answer(struct job *job);

/* Sends what was added in this turn. */
void connections_flush(void);

/* Counts, and says the first few on stderr. */
void violation(const char *sentence);

#endif
