/* SPDX-License-Identifier: MIT */
/*
 * Sockets for the examples; see net.h.
 *
 * Everything blocks, which is what makes it short: the main thread accepts, and each connection has
 * a thread. A signal ends the process at once, and the kernel closes what is open.
 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEFAULT_PORT = 1234 };

static void stop(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

void net_handle_signals(void)
{
    struct sigaction ending = {.sa_handler = stop};
    struct sigaction ignoring = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &ending, NULL);
    sigaction(SIGINT, &ending, NULL);
    sigaction(SIGPIPE, &ignoring, NULL);
}

/* What the thread of a connection is given, and frees. */
struct connection {
    int fd;
    serve_function *serve;
};

/* A connection has two streams over one socket, since a FILE cannot read and write at the same
 * time. */
static void *connection_main(void *argument)
{
    struct connection *connection = argument;
    int copy = dup(connection->fd);
    FILE *out = fdopen(connection->fd, "w");
    FILE *in = copy >= 0 ? fdopen(copy, "r") : NULL;
    if (in != NULL && out != NULL) {
        connection->serve(in, out);
    }
    if (in != NULL) {
        fclose(in);
    }
    if (out != NULL) {
        fclose(out);
    }
    free(connection);
    return NULL;
}

/* Takes the descriptor. */
static void start_thread(int fd, serve_function *serve)
{
    struct connection *connection = malloc(sizeof *connection);
    pthread_t thread;
    if (connection != NULL) {
        *connection = (struct connection){.fd = fd, .serve = serve};
        if (pthread_create(&thread, NULL, connection_main, connection) == 0) {
            pthread_detach(thread);
            return;
        }
    }
    fprintf(stderr, "no memory for another connection\n");
    free(connection);
    close(fd);
}

struct address_text {
    char text[INET_ADDRSTRLEN + sizeof ":65535"];
};

static struct address_text address_text(const struct sockaddr_in *address)
{
    char host[INET_ADDRSTRLEN] = "?";
    struct address_text result;
    inet_ntop(AF_INET, &address->sin_addr, host, sizeof host);
    snprintf(result.text, sizeof result.text, "%s:%u", host, ntohs(address->sin_port));
    return result;
}

static struct address_text local_text(int fd)
{
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;
    getsockname(fd, (struct sockaddr *)&local, &size);
    return address_text(&local);
}

/* Lines of an answer must not wait for each other in the kernel. */
static void send_without_delay(int fd)
{
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

/* Returns only when accepting fails for good. */
static void accept_connections(int listener, serve_function *serve)
{
    unsigned long number = 0;
    for (;;) {
        struct sockaddr_in remote = {0};
        socklen_t size = sizeof remote;
        int fd = accept4(listener, (struct sockaddr *)&remote, &size, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) {
            continue;
        }
        if (fd < 0) {
            perror("accept");
            return;
        }
        printf("%lu: %s <-> %s\n", ++number, local_text(fd).text, address_text(&remote).text);
        fflush(stdout);
        send_without_delay(fd);
        start_thread(fd, serve);
    }
}

/* A listening socket, or -1 with a message. */
static int listen_on(uint16_t port)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port)};
    local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0) {
        perror("socket");
        return -1;
    }
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(listener, (struct sockaddr *)&local, sizeof local) < 0 ||
        listen(listener, SOMAXCONN) < 0) {
        fprintf(stderr, "cannot listen on %s: %s\n", address_text(&local).text, strerror(errno));
        close(listener);
        return -1;
    }
    return listener;
}

static bool parse_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

int server_run(int argc, char **argv, const char *about, serve_function *serve)
{
    uint16_t port = DEFAULT_PORT;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "usage: %s [PORT]\n\n%s\nListens on 127.0.0.1 and prints each connection. PORT is %d "
            "unless given;\n0 lets the kernel choose one.\n",
            argv[0], about, DEFAULT_PORT);
        return 0;
    }
    if (argc > 2 || (argc == 2 && !parse_port(argv[1], &port))) {
        fprintf(stderr, "usage: %s [PORT]\n", argv[0]);
        return 2;
    }
    net_handle_signals();
    int listener = listen_on(port);
    if (listener < 0) {
        return 1;
    }
    printf("listening %s\n", local_text(listener).text);
    fflush(stdout);
    accept_connections(listener, serve);
    close(listener);
    return 1;
}

/* Splits at the last colon, into a copy that the caller frees; `*port` points into it. */
static char *split_address(const char *address, char **port)
{
    char *host = strdup(address);
    char *colon = host != NULL ? strrchr(host, ':') : NULL;
    if (colon == NULL) {
        free(host);
        return NULL;
    }
    *colon = '\0';
    *port = colon + 1;
    return host;
}

int net_connect(const char *address)
{
    char *port;
    char *host = split_address(address, &port);
    if (host == NULL) {
        fprintf(stderr, "'%s' is not HOST:PORT\n", address);
        return -1;
    }
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int failure = getaddrinfo(host, port, &wanted, &found);
    free(host);
    if (failure != 0) {
        fprintf(stderr, "cannot resolve '%s': %s\n", address, gai_strerror(failure));
        return -1;
    }
    int fd = -1;
    for (struct addrinfo *next = found; next != NULL && fd < 0; next = next->ai_next) {
        fd = socket(next->ai_family, next->ai_socktype | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, next->ai_addr, next->ai_addrlen) < 0) {
            int reason = errno;
            close(fd);
            errno = reason;
            fd = -1;
        }
    }
    if (fd < 0) {
        fprintf(stderr, "cannot connect to %s: %s\n", address, strerror(errno));
    } else {
        send_without_delay(fd);
    }
    freeaddrinfo(found);
    return fd;
}
