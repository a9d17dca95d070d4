/* SPDX-License-Identifier: MIT */
/* The commands, and what help says about each; see command.h. */
#include "cli/command.h"

const struct command_info command_infos[COMMANDS_COUNT] = {
    [COMMAND_COMPLETION] =
        {
            .name = "completion",
            .usage = "bash|zsh|fish",
            .sentence = "write the completion script of a shell",
            .text = "write the completion script of a shell to standard output",
            .examples = "  source <(tcp-multiplexer completion bash)\n"
                        "  tcp-multiplexer completion zsh > \"${fpath[1]}/_tcp-multiplexer\"\n"
                        "  tcp-multiplexer completion fish | source\n",
            .choices = {"bash", "zsh", "fish"},
        },
    [COMMAND_DOCUMENT] =
        {
            .name = "document",
            .usage = "markdown|man|man-commands|man-protocols",
            .sentence = "write a generated part of the documentation",
            .text = "write a part of the README (markdown) or of the manual page to standard "
                    "output; script/docs "
                    "puts them in their places",
            .choices = {"markdown", "man", "man-commands", "man-protocols"},
            .is_hidden = true,
        },
    [COMMAND_HELP] =
        {
            .name = "help",
            .usage = "[command]",
            .sentence = "tell about a command",
        },
    [COMMAND_LIST] =
        {
            .name = "list",
            .usage = "[flags]",
            .sentence = "list the application protocols",
        },
    [COMMAND_SERVER] =
        {
            .name = "server",
            .usage = "[flags]",
            .sentence = "start the multiplexer",
            .text =
                "start the multiplexer: accept clients, send their requests to the target over one "
                "connection, and give every response to the client that asked",
            .examples =
                "  tcp-multiplexer server -p echo -t 127.0.0.1:1234 -l 8000\n"
                "  tcp-multiplexer server -t device.local:9100 -l 127.0.0.1:8000 -l [::1]:8000\n",
            .footer = "A duration is written 250ms, 2s or 1m30s, a bare number is seconds. A size "
                      "is written 4096, "
                      "64KiB or 1MiB. SIGTERM and SIGINT stop the server once the requests it has "
                      "received are "
                      "served; a second one, or SIGQUIT, at once.",
            .takes_options = true,
        },
    [COMMAND_VERSION] =
        {
            .name = "version",
            .usage = "[flags]",
            .sentence = "show the version",
        },
};
