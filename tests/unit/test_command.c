/* SPDX-License-Identifier: MIT */
/* Claims about src/cli/command.c, and about what is generated from its tables. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#include "base/units.h"
#include "cli/command.h"
#include "cli/completion.h"
#include "cli/document.h"
#include "cli/help.h"
#include "cli/text.h"

enum { WORDS_MAX = 8 };

static bool parse(const char *const words[WORDS_MAX], struct command *command, struct error *error)
{
    char program[] = PROGRAM_NAME;
    char *argv[WORDS_MAX + 2] = {program};
    int argc = 1;
    for (int i = 0; i < WORDS_MAX && words[i] != NULL; i++) {
        argv[argc++] = strdup(words[i]);
    }
    bool is_parsed = command_parse(argc, argv, command, error);
    while (argc > 1) {
        free(argv[--argc]);
    }
    return is_parsed;
}

/* Parses what must be right. */
static void accept(struct command *command, const char *const words[WORDS_MAX])
{
    struct error error = {.text = ""};
    if (!parse(words, command, &error)) {
        fail_msg("refused: %s", error.text);
    }
}

#define WORDS(...) ((const char *const[WORDS_MAX]){__VA_ARGS__})

/* ---- flags ---- */

static void test_the_command_line_of_the_go_program_is_understood(void **state)
{
    (void)state;
    struct command command;
    accept(&command, WORDS("server", "-p", "echo", "-t", "127.0.0.1:1", "-l", "8001"));
    assert_int_equal(command.kind, COMMAND_SERVER);
    assert_string_equal(command.config.protocol, "echo");
    assert_string_equal(command.config.target, "127.0.0.1:1");
    assert_int_equal(command.config.listen_count, 1);
    assert_string_equal(command.config.listen[0], "8001");
    accept(&command, WORDS("server", "--applicationProtocol", "mpu", "--targetServer=a:2",
                           "--retryDelay=2s", "--timeout", "5"));
    assert_string_equal(command.config.protocol, "mpu");
    assert_string_equal(command.config.target, "a:2");
    assert_int_equal(command.config.retry_delay_ns, 2 * NS_PER_S);
    assert_int_equal(command.config.timeout_ns, 5 * NS_PER_S);
}

static void test_a_value_may_be_written_in_every_way(void **state)
{
    (void)state;
    static const char *const ways[][WORDS_MAX] = {
        {"server", "--target", "x:1"},
        {"server", "--target=x:1"},
        {"server", "--targetServer=x:1"},
        {"server", "-t", "x:1"},
        {"server", "-tx:1"},
        {"server", "-t=x:1"},
        {"server", "-vdt", "x:1"},
        {"server", "-vtx:1"},
        {"-t", "x:1", "server"},
        {"--target=x:1", "server"},
        {"server", "-t", "y:2", "-t", "x:1"},
        {"-tx:1", "--", "server"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(ways); i++) {
        struct command command;
        accept(&command, ways[i]);
        assert_int_equal(command.kind, COMMAND_SERVER);
        assert_string_equal(command.config.target, "x:1");
    }
}

static void test_a_value_may_look_like_a_flag_or_hold_an_equals_sign(void **state)
{
    (void)state;
    struct command command;
    accept(&command, WORDS("server", "--target", "--hold"));
    assert_string_equal(command.config.target, "--hold");
    assert_false(command.config.hold);
    accept(&command, WORDS("server", "--target=a=b"));
    assert_string_equal(command.config.target, "a=b");
    accept(&command, WORDS("server", "--source="));
    assert_string_equal(command.config.source, "");
}

static void test_letters_without_value_may_stand_together(void **state)
{
    (void)state;
    struct command command;
    accept(&command, WORDS("-vd", "server"));
    assert_true(command.config.verbose && command.config.debug);
    accept(&command, WORDS("server", "-dv=false"));
    assert_false(command.config.verbose);
    assert_true(command.config.debug);
    accept(&command, WORDS("server", "--hold", "--hold=false", "--on-demand"));
    assert_false(command.config.hold);
    assert_true(command.config.on_demand);
}

static void test_listen_may_be_given_several_times(void **state)
{
    (void)state;
    struct command command;
    accept(&command, WORDS("server"));
    assert_int_equal(command.config.listen_count, 1);
    assert_string_equal(command.config.listen[0], "8000");
    accept(&command, WORDS("-l1", "server", "-l", "[::1]:2", "--listen=unix:/s"));
    assert_int_equal(command.config.listen_count, 3);
    assert_string_equal(command.config.listen[0], "1");
    assert_string_equal(command.config.listen[1], "[::1]:2");
    assert_string_equal(command.config.listen[2], "unix:/s");
}

/* ---- commands ---- */

static void test_commands_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX];
        enum command_kind kind;
        int topic; /* enum command_kind; -1: none */
    } rows[] = {
        {{NULL}, COMMAND_HELP, -1},
        {{"-h"}, COMMAND_HELP, -1},
        {{"--help"}, COMMAND_HELP, -1},
        {{"help"}, COMMAND_HELP, -1},
        {{"-v"}, COMMAND_HELP, -1},
        {{"--"}, COMMAND_HELP, -1},
        {{"--version", "-h"}, COMMAND_HELP, -1},
        {{"help", "server"}, COMMAND_HELP, COMMAND_SERVER},
        {{"help", "help"}, COMMAND_HELP, COMMAND_HELP},
        {{"help", "-h"}, COMMAND_HELP, COMMAND_HELP},
        {{"server", "-h"}, COMMAND_HELP, COMMAND_SERVER},
        {{"-h", "server"}, COMMAND_HELP, COMMAND_SERVER},
        {{"server", "-vh"}, COMMAND_HELP, COMMAND_SERVER},
        {{"server", "--hold", "--on-demand", "--help"}, COMMAND_HELP, COMMAND_SERVER},
        {{"completion", "-h"}, COMMAND_HELP, COMMAND_COMPLETION},
        {{"list", "--help=true"}, COMMAND_HELP, COMMAND_LIST},
        {{"list"}, COMMAND_LIST, -1},
        {{"list", "-v", "--help=false"}, COMMAND_LIST, -1},
        {{"version"}, COMMAND_VERSION, -1},
        {{"--version"}, COMMAND_VERSION, -1},
        {{"server"}, COMMAND_SERVER, -1},
        {{"completion", "zsh"}, COMMAND_COMPLETION, -1},
        {{"document", "man"}, COMMAND_DOCUMENT, -1},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct command command;
        accept(&command, rows[i].words);
        assert_int_equal(command.kind, rows[i].kind);
        assert_ptr_equal(command.topic, rows[i].topic < 0 ? NULL : &command_infos[rows[i].topic]);
    }
    struct command command;
    accept(&command, WORDS("completion", "fish"));
    assert_int_equal(command.choice, 2);
}

static void test_an_empty_argument_vector_asks_for_help(void **state)
{
    (void)state;
    struct command command;
    struct error error;
    char *argv[] = {NULL};
    assert_true(command_parse(0, argv, &command, &error));
    assert_int_equal(command.kind, COMMAND_HELP);
}

/* ---- errors ---- */

static void test_errors_name_what_is_wrong_and_what_is_near(void **state)
{
    (void)state;
    static const struct {
        const char *words[WORDS_MAX], *text;
    } rows[] = {
        {{"server", "--targt", "x"}, "unknown flag '--targt', did you mean '--target'?"},
        {{"server", "--targt=x"}, "unknown flag '--targt', did you mean '--target'?"},
        {{"--targt", "x"}, "unknown flag '--targt', did you mean '--target'?"},
        {{"server", "--helpp"}, "unknown flag '--helpp', did you mean '--help'?"},
        {{"--versoin"}, "unknown flag '--versoin', did you mean '--version'?"},
        {{"server", "--xyzzy"},
         "unknown flag '--xyzzy', 'tcp-multiplexer server --help' shows all"},
        {{"--xyzzy"}, "unknown flag '--xyzzy', 'tcp-multiplexer server --help' shows all"},
        {{"server", "--=x"}, "unknown flag '--', 'tcp-multiplexer server --help' shows all"},
        {{"server", "---target"}, "unknown flag '---target', did you mean '--target'?"},
        {{"server", "--in-flite", "2"}, "unknown flag '--in-flite', did you mean '--in-flight'?"},
        {{"server", "--conections=2"},
         "unknown flag '--conections', did you mean '--connections'?"},
        {{"server", "--listn", "1"}, "unknown flag '--listn', did you mean '--listen'?"},
        {{"server", "--time-out=2"}, "unknown flag '--time-out', did you mean '--timeout'?"},
        {{"server", "--buffer-memroy=2"},
         "unknown flag '--buffer-memroy', did you mean '--buffer-memory'?"},
        {{"server", "-protocol", "echo"}, "unknown flag '-protocol', did you mean '--protocol'?"},
        {{"-listen=8000", "server"}, "unknown flag '-listen', did you mean '--listen'?"},
        {{"server", "-targetServer", "x:1"},
         "unknown flag '-targetServer', did you mean '--targetServer'?"},
        {{"sever"}, "unknown command 'sever', did you mean 'server'?"},
        {{"server", "-p", "modbuss"},
         "unknown protocol 'modbuss', did you mean 'modbus'? 'tcp-multiplexer list' shows all"},
        {{"server", "-x"}, "unknown flag '-x', 'tcp-multiplexer server --help' shows all"},
        {{"server", "-vxd"}, "unknown flag '-vxd', 'tcp-multiplexer server --help' shows all"},
        {{"list", "--targt"}, "unknown flag '--targt', 'tcp-multiplexer list --help' shows all"},
        {{"list", "--target", "x"}, "unknown flag '--target' of 'list', it belongs to 'server'"},
        {{"-px", "list"}, "unknown flag '-p' of 'list', it belongs to 'server'"},
        {{"-p", "echo"}, "missing command: '-p' belongs to 'tcp-multiplexer server'"},
        {{"server", "--version"},
         "unknown flag '--version' of 'server', it stands without a command"},
        {{"serve"}, "unknown command 'serve', did you mean 'server'?"},
        {{"xyzzy"}, "unknown command 'xyzzy', 'tcp-multiplexer --help' shows all"},
        {{"documen"}, "unknown command 'documen', 'tcp-multiplexer --help' shows all"},
        {{""}, "unknown command '', 'tcp-multiplexer --help' shows all"},
        {{"help", "servr"}, "unknown command 'servr', did you mean 'server'?"},
        {{"server", "x"},
         "unexpected argument 'x', 'tcp-multiplexer server --help' shows what is taken"},
        {{"server", "-"},
         "unexpected argument '-', 'tcp-multiplexer server --help' shows what is taken"},
        {{"server", "--", "-v"},
         "unexpected argument '-v', 'tcp-multiplexer server --help' shows what is taken"},
        {{"help", "list", "x"},
         "unexpected argument 'x', 'tcp-multiplexer help --help' shows what is taken"},
        {{"server", "--target"}, "--target: missing value, write '--target address'"},
        {{"server", "-vt"}, "-t: missing value, write '-t address'"},
        {{"server", "-t="}, "-t: the value is empty, the default is '127.0.0.1:1234'"},
        {{"server", "--hold=maybe"}, "--hold: 'maybe' is neither 'true' nor 'false'"},
        {{"server", "--help=maybe"}, "--help: 'maybe' is neither 'true' nor 'false'"},
        {{"server", "--max-clients", "0"}, "--max-clients: '0' is too little, the least is 1"},
        {{"server", "--max-message=1T"}, "--max-message: '1T' is too much, the most is 256MiB"},
        {{"list", "--log-format=jso"}, "--log-format: unknown choice 'jso', did you mean 'json'?"},
        {{"server", "-p", "eco"},
         "unknown protocol 'eco', did you mean 'echo'? 'tcp-multiplexer list' shows all"},
        {{"server", "--hold", "--on-demand"},
         "'--hold' and '--on-demand' exclude each other, choose one"},
        {{"server", "--coalesce"},
         "'--coalesce' is an option of protocol modbus, and this route speaks echo"},
        {{"server", "-p", "http", "--iso-ignore-mti"},
         "'--iso-ignore-mti' is an option of protocol iso8583 and mpu, and this route speaks http"},
        {{"server", "-p", "http", "--modbus-ignore-id", "--in-flight", "2"},
         "'--modbus-ignore-id' is an option of protocol modbus, and this route speaks http"},
        {{"server", "-p", "eco", "--coalesce"},
         "unknown protocol 'eco', did you mean 'echo'? 'tcp-multiplexer list' shows all"},
        {{"completion"}, "missing argument of 'completion': 'bash', 'zsh' or 'fish'"},
        {{"completion", "zhs"}, "unknown argument 'zhs' of 'completion', did you mean 'zsh'?"},
        {{"completion", "tcl"},
         "unknown argument 'tcl' of 'completion', it takes 'bash', 'zsh' or 'fish'"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct command command;
        struct error error = {.text = ""};
        assert_false(parse(rows[i].words, &command, &error));
        assert_string_equal(error.text, rows[i].text);
    }
}

static void test_a_wrong_duration_names_the_flag_and_the_value(void **state)
{
    (void)state;
    struct command command;
    struct error error;
    assert_false(parse(WORDS("server", "--timeout", "soon"), &command, &error));
    assert_ptr_equal(strstr(error.text, "--timeout: "), error.text);
    assert_non_null(strstr(error.text, "'soon'"));
}

static void test_an_error_is_one_line_whatever_was_typed(void **state)
{
    (void)state;
    char lengthy[1000];
    memset(lengthy, '-', sizeof lengthy - 1);
    memset(lengthy + 4, 'x', 200);
    lengthy[sizeof lengthy - 1] = '\0';
    const char *const typed[] = {"a\nb", "--a\nb", "-\n",       "--timeout=\n\x1B[2J",
                                 "-p\n", lengthy,  lengthy + 2, "-\xC3\xB6"};
    for (size_t i = 0; i < ARRAY_COUNT(typed); i++) {
        struct command command;
        struct error error = {.text = ""};
        assert_false(parse(WORDS("server", typed[i]), &command, &error));
        assert_true(strlen(error.text) > 0);
        for (const char *byte = error.text; *byte != '\0'; byte++) {
            assert_true((unsigned char)*byte >= ' ' && *byte != 0x7F);
        }
    }
}

/* ---- what is generated ---- */

struct page {
    char *text; /* owns */
    size_t size;
};

static FILE *page_open(struct page *page)
{
    FILE *out = open_memstream(&page->text, &page->size);
    assert_non_null(out);
    return out;
}

static void assert_shows(const struct page *page, const char *text)
{
    if (strstr(page->text, text) == NULL) {
        fail_msg("'%s' is not in:\n%s", text, page->text);
    }
}

static void test_help_of_server_shows_every_flag_within_the_width(void **state)
{
    (void)state;
    struct page page;
    FILE *out = page_open(&page);
    help_write(out, &command_infos[COMMAND_SERVER]);
    fclose(out);
    assert_shows(&page, "\nUsage:\n  tcp-multiplexer server [flags]\n");
    assert_shows(&page, "\nFlags:\n  -p, --applicationProtocol string   ");
    assert_shows(&page, "(default \"echo\"; also");
    assert_shows(&page, "(default 1s; also --retryDelay)");
    assert_shows(&page, "\nGlobal Flags:\n");
    for (size_t i = 0; i < options_count; i++) {
        char flag[64];
        (void)snprintf(flag, sizeof flag, "--%s ", options[i].name);
        assert_shows(&page, flag);
    }
    for (char *line = page.text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 100);
    }
    free(page.text);
}

static void test_overview_shows_the_commands_but_the_hidden(void **state)
{
    (void)state;
    struct page page;
    FILE *out = page_open(&page);
    help_write(out, NULL);
    fclose(out);
    assert_shows(&page,
                 "\nUsage:\n  tcp-multiplexer [command]\n\nAvailable Commands:\n  completion  ");
    assert_shows(&page, "\n  server      start");
    assert_shows(&page, "\n  -h, --help  ");
    assert_shows(
        &page,
        "\nUse \"tcp-multiplexer [command] --help\" for more information about a command.\n");
    assert_null(strstr(page.text, "document"));
    assert_null(strstr(page.text, "--target"));
    free(page.text);
}

static void test_list_shows_every_protocol(void **state)
{
    (void)state;
    struct page page;
    FILE *out = page_open(&page);
    list_write(out);
    fclose(out);
    for (size_t i = 0; i < protocols_count; i++) {
        char line[64];
        (void)snprintf(line, sizeof line, "* %s ", protocols[i]->name);
        assert_shows(&page, line);
        assert_shows(&page, protocols[i]->sentence);
    }
    assert_shows(&page, "\n\nusage for example: ./tcp-multiplexer server -p echo\n");
    free(page.text);
}

static void test_every_spelling_is_completed_and_documented(void **state)
{
    (void)state;
    static const char *const dashes[] = {"--", "--",
                                         " -l "}; /* as the shell's script writes them */
    for (size_t shell = 0; shell < ARRAY_COUNT(dashes); shell++) {
        struct page page;
        FILE *out = page_open(&page);
        completion_write(out, shell);
        fclose(out);
        assert_null(strstr(page.text, "document"));
        for (size_t i = 0; i < protocols_count; i++) {
            assert_shows(&page, protocols[i]->name);
        }
        for (size_t i = 0; i < options_count; i++) {
            const char *spelling;
            for (size_t j = 0; (spelling = option_spelling(&options[i], j)) != NULL; j++) {
                char flag[64];
                (void)snprintf(flag, sizeof flag, "%s%s", dashes[shell], spelling);
                assert_shows(&page, flag);
            }
        }
        free(page.text);
    }
    struct page page;
    FILE *out = page_open(&page);
    document_write(out, 0);
    fclose(out);
    assert_shows(&page, "| `-p`, `--applicationProtocol`, `--protocol` | `echo` | ");
    assert_shows(&page, "| `--retry-delay`, `--retryDelay` | `1s` | ");
    free(page.text);
}

static void test_no_line_of_the_manual_page_is_taken_for_a_macro(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < COMMAND_CHOICES_MAX; piece++) {
        struct page page;
        FILE *out = page_open(&page);
        document_write(out, piece);
        fclose(out);
        for (char *line = page.text; *line != '\0'; line += strcspn(line, "\n") + 1) {
            assert_int_not_equal(*line, '\'');
            assert_true(*line != '.' || (line[1] >= 'A' && line[1] <= 'Z'));
            assert_true(strcspn(line, "\n") <= 80);
        }
        free(page.text);
    }
}

static void test_text_is_wrapped_at_blanks(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t column, indent, width;
        const char *wrapped;
    } rows[] = {
        {"", 0, 0, 10, ""},
        {"one two three", 0, 0, 13, "one two three"},
        {"one two three", 0, 0, 12, "one two\nthree"},
        {"one two three", 4, 2, 8, "one\n  two\n  three"},
        {"a-word-that-is-long b", 0, 1, 5, "a-word-that-is-long\n b"},
        {"  one   two ", 0, 0, 20, "one two"},
    };
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct page page;
        FILE *out = page_open(&page);
        text_wrap(out, rows[i].text, rows[i].column, rows[i].indent, rows[i].width);
        fclose(out);
        assert_string_equal(page.text, rows[i].wrapped);
        free(page.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_command_line_of_the_go_program_is_understood),
        cmocka_unit_test(test_a_value_may_be_written_in_every_way),
        cmocka_unit_test(test_a_value_may_look_like_a_flag_or_hold_an_equals_sign),
        cmocka_unit_test(test_letters_without_value_may_stand_together),
        cmocka_unit_test(test_listen_may_be_given_several_times),
        cmocka_unit_test(test_commands_are_named),
        cmocka_unit_test(test_an_empty_argument_vector_asks_for_help),
        cmocka_unit_test(test_errors_name_what_is_wrong_and_what_is_near),
        cmocka_unit_test(test_a_wrong_duration_names_the_flag_and_the_value),
        cmocka_unit_test(test_an_error_is_one_line_whatever_was_typed),
        cmocka_unit_test(test_help_of_server_shows_every_flag_within_the_width),
        cmocka_unit_test(test_overview_shows_the_commands_but_the_hidden),
        cmocka_unit_test(test_list_shows_every_protocol),
        cmocka_unit_test(test_every_spelling_is_completed_and_documented),
        cmocka_unit_test(test_no_line_of_the_manual_page_is_taken_for_a_macro),
        cmocka_unit_test(test_text_is_wrapped_at_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
