/* SPDX-License-Identifier: MIT */
/*
 * An HTTP/1.1 server that answers every request with a line of text: its method, its path, and how
 * long its body was.
 *
 *     $ http-server 1234 &
 *     $ curl -d hello http://127.0.0.1:1234/greeting
 *     POST /greeting, 5 bytes of body
 *
 * Connections are kept open from request to request. A request's body needs a Content-Length; one
 * that comes in chunks is refused.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/types.h>

#include "net.h"

enum { LINE_MAX_BYTES = 8192, FIELDS_MAX = 100 };

struct request {
    char method[32];
    char path[LINE_MAX_BYTES];
    unsigned long long body_bytes;
    bool keep_alive; /* the connection, after the answer */
    bool chunked;
    bool expects_continue; /* the client waits for our word before it sends the body */
};

/* Reads a line without its line end; false at the end of the stream and for an overlong line. */
static bool read_line(FILE *in, char line[LINE_MAX_BYTES])
{
    if (fgets(line, LINE_MAX_BYTES, in) == NULL || strchr(line, '\n') == NULL) {
        return false;
    }
    line[strcspn(line, "\r\n")] = '\0';
    return true;
}

static void read_field(struct request *request, char *line)
{
    char *colon = strchr(line, ':');
    if (colon == NULL) {
        return;
    }
    *colon = '\0';
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    if (strcasecmp(line, "Content-Length") == 0) {
        request->body_bytes = strtoull(value, NULL, 10);
    } else if (strcasecmp(line, "Transfer-Encoding") == 0) {
        request->chunked = true;
    } else if (strcasecmp(line, "Expect") == 0) {
        request->expects_continue = strcasecmp(value, "100-continue") == 0;
    } else if (strcasecmp(line, "Connection") == 0 && strcasecmp(value, "close") == 0) {
        request->keep_alive = false;
    } else if (strcasecmp(line, "Connection") == 0 && strcasecmp(value, "keep-alive") == 0) {
        request->keep_alive = true;
    }
}

/* Reads the request line and the fields, up to the empty line that ends them. */
static bool read_head(FILE *in, struct request *request)
{
    char line[LINE_MAX_BYTES];
    int minor;
    *request = (struct request){0};
    if (!read_line(in, line) ||
        sscanf(line, "%31s %8191s HTTP/1.%d", request->method, request->path, &minor) != 3) {
        return false;
    }
    request->keep_alive = minor >= 1;
    for (int fields = 0; fields < FIELDS_MAX; fields++) {
        if (!read_line(in, line)) {
            return false;
        }
        if (line[0] == '\0') {
            return true;
        }
        read_field(request, line);
    }
    return false;
}

static bool skip_body(FILE *in, unsigned long long bytes)
{
    char piece[4096];
    while (bytes > 0) {
        size_t size = fread(piece, 1, bytes < sizeof piece ? (size_t)bytes : sizeof piece, in);
        if (size == 0) {
            return false;
        }
        bytes -= size;
    }
    return true;
}

static void answer(FILE *out, const char *status, const struct request *request)
{
    char text[LINE_MAX_BYTES + 128];
    int size = snprintf(text, sizeof text, "%s %s", request->method, request->path);
    if (request->body_bytes > 0) {
        size += snprintf(text + size, sizeof text - (size_t)size, ", %llu bytes of body",
                         request->body_bytes);
    }
    fprintf(out, "HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n", status,
            size + 1);
    fprintf(out, "Connection: %s\r\n\r\n", request->keep_alive ? "keep-alive" : "close");
    if (strcmp(request->method, "HEAD") != 0) {
        fprintf(out, "%s\n", text);
    }
}

static void serve_requests(FILE *in, FILE *out)
{
    struct request request = {.keep_alive = true};
    while (request.keep_alive && read_head(in, &request)) {
        if (request.chunked) {
            request.keep_alive = false;
            answer(out, "411 Length Required", &request);
        } else {
            if (request.expects_continue) {
                fputs("HTTP/1.1 100 Continue\r\n\r\n", out);
                fflush(out);
            }
            if (!skip_body(in, request.body_bytes)) {
                return;
            }
            answer(out, "200 OK", &request);
        }
        if (fflush(out) != 0) {
            return;
        }
    }
}

int main(int argc, char **argv)
{
    return server_run(argc, argv, "Answers HTTP requests with their method and path.\n",
                      serve_requests);
}
