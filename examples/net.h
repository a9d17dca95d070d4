/* SPDX-License-Identifier: MIT */
/*
 * The sockets that all examples share, so that each example is about its protocol only.
 *
 * A server's main() is one call of server_run with the function that serves one connection. Each
 * connection has its own thread and two streams; what is written to `out` leaves with fflush(out).
 */
#ifndef EXAMPLES_NET_H
#define EXAMPLES_NET_H

#include <stdio.h>

/* Serves one connection and returns when it is over. The streams are lent until then. */
typedef void serve_function(FILE *in, FILE *out);

/* Listens on 127.0.0.1, on the port that the first argument names or else 1234, and serves every
 * connection until SIGTERM or SIGINT. Prints the address, and each connection with its number.
 * Returns main's exit status, which is all there is to do after `--help` or a failure. */
int server_run(int argc, char **argv, const char *about, serve_function *serve);

/* Connects to "HOST:PORT". Prints what went wrong and returns -1 when that fails. */
int net_connect(const char *address);

/* SIGTERM and SIGINT end the process with status 0; writing to a closed connection only fails. */
void net_handle_signals(void);

#endif
