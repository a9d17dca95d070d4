/* SPDX-License-Identifier: MIT */
/*
 * The program: carries out what the command line says (command.h).
 *
 * Exit status: 0 done, 1 the system said no, 2 the command line is wrong. Every failure is one line
 * on standard error.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/units.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/document.h"
#include "cli/help.h"
#include "cli/version.h"
#include "daemon/server.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_BAD_VALUE = 2 };

/* Standard error may be a pipe that nobody reads: whoever starts the program again when it has failed must
 * see it end. */
#define FAIL_NS (500 * NS_PER_MS)

static int fail(int status, const struct error *error)
{
    static struct log_sink sink;
    char text[sizeof error->text + 64];
    int size = snprintf(text, sizeof text, "%s: %s\n", PROGRAM_NAME, error->text);
    log_sink_init(&sink, STDERR_FILENO);
    char *room = log_sink_lend(&sink, (size_t)size);
    assert(room != NULL); /* it is empty */
    memcpy(room, text, (size_t)size);
    log_sink_give(&sink, (size_t)size);
    log_sink_finish(&sink, FAIL_NS);
    log_sink_deinit(&sink);
    return status;
}

/* A descriptor 0, 1 or 2 that the parent closed would be given to the first socket, which would
 * then get what is printed. Its place is taken here, for the direction that is not its own, so that
 * using it still fails. */
static void occupy_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            int taken = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            assert(taken == fd || taken == -1); /* the lowest free one */
        }
    }
}

static void write_version(FILE *out)
{
    fprintf(out, "%s %s (commit %s, %s)\n", PROGRAM_NAME, TCPMUX_VERSION, TCPMUX_COMMIT,
            TCPMUX_COMPILER);
}

static bool open_log(struct log *log, const struct config *config, struct error *error)
{
    enum log_level level = config->verbose || config->debug ? LOG_DEBUG : LOG_INFO;
    enum log_format format = config->log_json ? LOG_JSON : LOG_TEXT;
    if (config->log_file[0] != '\0') {
        return log_open(log, config->log_file, level, format, error);
    }
    log_init(log, STDERR_FILENO, level, format);
    return true;
}

static int run_server(const struct config *config)
{
    static struct log log;
    struct error error;
    if (!open_log(&log, config, &error)) {
        error_prefix(&error, "--log-file");
        return fail(EXIT_FAILED, &error);
    }
    enum server_end end = server_run(config, &log, &error);
    log_deinit(&log);
    switch (end) {
    case SERVER_STOPPED:
        return EXIT_DONE;
    case SERVER_BAD_VALUE:
        return fail(EXIT_BAD_VALUE, &error);
    case SERVER_FAILED:
        return fail(EXIT_FAILED, &error);
    }
    assert(false);
    return EXIT_FAILED;
}

/* What was printed counts as printed only when the system took it. */
static int finish_output(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return EXIT_DONE;
    }
    struct error error;
    error_set(&error, "standard output: %s", errno != 0 ? strerror(errno) : "cannot be written");
    return fail(EXIT_FAILED, &error);
}

/* Blocks of this size and more come from the system one by one, and go back to it when they are freed:
 * the memory of a burst does not stay with a process that runs for years. glibc would move the
 * threshold up with the first such block that is freed. */
static void return_freed_memory(void)
{
#ifdef M_MMAP_THRESHOLD
    (void)mallopt(M_MMAP_THRESHOLD, 32 * 1024);
#endif
}

int main(int argc, char *argv[])
{
    occupy_standard_descriptors();
    return_freed_memory();
    struct command command;
    struct error error;
    if (!command_parse(argc, argv, &command, &error)) {
        return fail(EXIT_BAD_VALUE, &error);
    }
    switch (command.kind) {
    case COMMAND_SERVER:
        return run_server(&command.config);
    case COMMAND_COMPLETION:
        completion_write(stdout, command.choice);
        break;
    case COMMAND_DOCUMENT:
        document_write(stdout, command.choice);
        break;
    case COMMAND_HELP:
        help_write(stdout, command.topic);
        break;
    case COMMAND_LIST:
        list_write(stdout);
        break;
    case COMMAND_VERSION:
        write_version(stdout);
        break;
    }
    return finish_output();
}
