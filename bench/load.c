/* SPDX-License-Identifier: MIT */
/*
 * The load generator: many clients, which compare every byte of the answers that they get. This file
 * reads the command line; load.h has the parts.
 *
 *     bench-load HOST:PORT --clients 64 --seconds 3          measures requests, latency, CPU time
 *     bench-load HOST:PORT --clients 64 --rate 5000          the same at times that are fixed before
 *     bench-load HOST:PORT --clients 10000 --idle            opens connections and holds them
 *
 * An answer with a wrong byte ends the run at once with status 1. A connection that breaks counts as
 * an error, and so does each request that is not answered when nothing has happened for 10 s after
 * the end.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"
#include "net.h"
#include "text.h"

enum { CLIENTS_MAX = 999999, DEPTH_MAX = 10000, RATE_MAX = 100000000 };

static const struct wire *const wires[] = {&wire_echo, &wire_http, &wire_modbus, &wire_iso8583};

static _Noreturn void usage(int status)
{
    fprintf(
        status == 0 ? stdout : stderr,
        "usage: bench-load ADDRESS:PORT [OPTION]...\n\n"
        "  --wire WIRE    echo, http, modbus or iso8583 (echo)\n"
        "  --clients N    connections (1)\n"
        "  --seconds S    start requests for so long (3)\n"
        "  --requests N   start at most N requests in all\n"
        "  --size N       bytes of a message; of the body of an http answer (64)\n"
        "  --depth N      requests of a client ahead of their answers (1)\n"
        "  --rate R       R requests per second in all, due at fixed times, the clients in turns;\n"
        "                 the latency of one counts from when it was due, sent or not\n"
        "  --churn        a new connection for each request; --clients so many at a time\n"
        "  --beside N     N further connections, which ask once before and then are silent\n"
        "  --upload N     http: each request has a body of N bytes\n"
        "  --download N   http: each answer has a body of N bytes\n"
        "  --watch PID    measure the CPU time of this process, all its threads\n"
        "  --idle         do --requests requests (none unless given), say 'ready', and hold the\n"
        "                 connections until a byte comes on stdin\n"
        "  --help         this text\n");
    exit(status);
}

static _Noreturn void refuse(const char *sentence)
{
    fprintf(stderr, "%s\n", sentence);
    exit(2);
}

static const struct wire *parse_wire(const char *name)
{
    for (size_t i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        if (strcmp(wires[i]->name, name) == 0) {
            return wires[i];
        }
    }
    refuse("--wire is echo, http, modbus or iso8583");
}

static double parse_positive(const char *text, double maximum)
{
    char *end;
    double value = strtod(text, &end);
    if (*text < '0' || *text > '9' || *end != '\0' || !(value > 0 && value <= maximum)) {
        fprintf(stderr, "'%s' is not a number above 0, at most %.0f\n", text, maximum);
        exit(2);
    }
    return value;
}

/* Options that exclude each other, or need others. */
static void check_options(const struct options *options)
{
    bool has_body = options->upload > 0 || options->download > 0;
    if (options->size < options->wire->size_min || options->size > options->wire->size_max) {
        fprintf(stderr, "--size of %s is from %u to %u\n", options->wire->name,
                options->wire->size_min, options->wire->size_max);
        exit(2);
    }
    if (has_body && !options->wire->carries_bodies) {
        refuse("--upload and --download need --wire http");
    }
    if (options->download > 0 && options->download < options->wire->size_min) {
        refuse("--download is too small for what the answer has to hold");
    }
    if (options->upload > 0 && options->download > 0) {
        refuse("--upload and --download exclude each other");
    }
    if (options->depth > 1 && (has_body || options->churn)) {
        refuse("--depth is 1 with --upload, --download and --churn");
    }
    if (options->idle && (options->churn || options->beside > 0 || options->rate > 0)) {
        refuse("--idle excludes --churn, --beside and --rate");
    }
    if (options->clients + options->beside > CLIENTS_MAX) {
        refuse("--clients and --beside are too many");
    }
}

/* Options with a letter that getopt_long returns; the order is that of the help. */
static const struct option names[] = {{"wire", required_argument, NULL, 'p'},
                                      {"clients", required_argument, NULL, 'c'},
                                      {"seconds", required_argument, NULL, 's'},
                                      {"requests", required_argument, NULL, 'r'},
                                      {"size", required_argument, NULL, 'b'},
                                      {"depth", required_argument, NULL, 'd'},
                                      {"rate", required_argument, NULL, 'R'},
                                      {"churn", no_argument, NULL, 'C'},
                                      {"beside", required_argument, NULL, 'B'},
                                      {"upload", required_argument, NULL, 'U'},
                                      {"download", required_argument, NULL, 'D'},
                                      {"watch", required_argument, NULL, 'w'},
                                      {"idle", no_argument, NULL, 'i'},
                                      {"help", no_argument, NULL, 'h'},
                                      {0}};

static void take_option(struct options *options, int letter, const char *value)
{
    switch (letter) {
    case 'p':
        options->wire = parse_wire(value);
        break;
    case 'c':
        options->clients = (uint32_t)parse_number(value, 1, CLIENTS_MAX);
        break;
    case 's':
        options->seconds = parse_positive(value, 86400);
        break;
    case 'r':
        options->requests = parse_number(value, 1, UINT32_MAX);
        break;
    case 'b':
        options->size = (uint32_t)parse_number(value, 1, UINT32_MAX);
        break;
    case 'd':
        options->depth = (uint32_t)parse_number(value, 1, DEPTH_MAX);
        break;
    case 'R':
        options->rate = parse_positive(value, RATE_MAX);
        break;
    case 'C':
        options->churn = true;
        break;
    case 'B':
        options->beside = (uint32_t)parse_number(value, 1, CLIENTS_MAX);
        break;
    case 'U':
        options->upload = parse_number(value, 1, UINT32_MAX);
        break;
    case 'D':
        options->download = parse_number(value, 1, UINT32_MAX);
        break;
    case 'w':
        options->watched = (pid_t)parse_number(value, 1, INT32_MAX);
        break;
    case 'i':
        options->idle = true;
        break;
    default:
        usage(letter == 'h' ? 0 : 2);
    }
}

int main(int argc, char **argv)
{
    static struct options options = {
        .wire = &wire_echo, .clients = 1, .seconds = 3, .size = 64, .depth = 1};
    int letter;
    while ((letter = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        take_option(&options, letter, optarg);
    }
    if (argc - optind != 1) {
        usage(2);
    }
    options.target = parse_address(argv[optind]);
    check_options(&options);
    start_process();
    pattern_init();
    options.wire->prepare(&(struct wire_sizes){
        .message = options.size, .upload = options.upload, .download = options.download});
    return run_load(&options) == 0 ? 0 : 1;
}
