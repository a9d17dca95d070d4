/* SPDX-License-Identifier: MIT */
/*
 * Reads any command line. Its arguments are the lines of the input, so that seeds are readable; the
 * last ends at an unreadable page. What is taken must be fit for main.c to carry out; what is
 * refused must be told in one line.
 */
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "cli/command.h"
#include "fuzz.h"
#include "lib/guard.h"

enum { INPUT_MAX = 4096, ARGUMENTS_MAX = 128 };

/* Cuts the lines in place. Returns how many arguments there are with the program's name. */
static int split(char *input, size_t size, char *arguments[ARGUMENTS_MAX + 2])
{
    static char name[] = PROGRAM_NAME;
    int count = 0;
    arguments[count++] = name;
    char *end = input + size;
    while (input < end && count <= ARGUMENTS_MAX) {
        arguments[count++] = input;
        char *newline = memchr(input, '\n', (size_t)(end - input));
        input = newline == NULL ? end : newline + 1;
        if (newline != NULL) {
            *newline = '\0';
        }
    }
    arguments[count] = NULL;
    return count;
}

static void check_refusal(const struct error *error)
{
    assert(error->text[0] != '\0');
    assert(memchr(error->text, '\0', sizeof error->text) != NULL);
    for (const char *character = error->text; *character != '\0'; character++) {
        assert((unsigned char)*character >= 0x20 && *character != 0x7F);
    }
}

static bool is_terminated(const char *text, size_t capacity)
{
    return memchr(text, '\0', capacity) != NULL;
}

static void check_server(const struct command *command)
{
    const struct config *config = &command->config;
    assert(protocol_find(config->protocol) != NULL);
    assert(config->listen_count <= CONFIG_LISTEN_MAX);
    assert(is_terminated(config->target, sizeof config->target));
    assert(is_terminated(config->source, sizeof config->source));
    for (uint32_t index = 0; index < config->listen_count; index++) {
        assert(is_terminated(config->listen[index], sizeof config->listen[index]));
    }
    /* What was checked stays right when it is checked again. */
    struct config again = *config;
    struct error error;
    bool is_right = config_check(&again, &error);
    assert(is_right);
    assert(again.link_idle_ns == config->link_idle_ns);
}

static void check_command(const struct command *command)
{
    assert((unsigned)command->kind < COMMANDS_COUNT);
    if (command->kind == COMMAND_SERVER) {
        check_server(command);
    } else if (command->kind == COMMAND_COMPLETION || command->kind == COMMAND_DOCUMENT) {
        assert(command->choice < COMMAND_CHOICES_MAX);
        assert(command_infos[command->kind].choices[command->choice] != NULL);
    } else if (command->kind == COMMAND_HELP && command->topic != NULL) {
        assert(command->topic >= command_infos);
        assert(command->topic < command_infos + COMMANDS_COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_MAX) {
        return 0;
    }
    struct guard guard;
    guard_init(&guard, size + 1);
    char *input = (char *)guard_space(&guard, size + 1);
    if (size > 0) {
        memcpy(input, data, size);
    }
    input[size] = '\0';
    char *arguments[ARGUMENTS_MAX + 2];
    int count = split(input, size, arguments);

    struct command command;
    struct error error = {.text = ""};
    if (command_parse(count, arguments, &command, &error)) {
        check_command(&command);
    } else {
        check_refusal(&error);
    }
    guard_deinit(&guard);
    return 0;
}
