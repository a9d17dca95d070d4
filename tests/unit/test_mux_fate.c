/* SPDX-License-Identifier: MIT */
/*
 * Claims about src/mux/fate.c: for every cause and all facts it says what the table in ARCHITECTURE.md says,
 * and exactly one row of that table speaks of each. The test reads the table there, so the two cannot part.
 */
#include "mux/fate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

enum { FACTS = 5, CAUSES = 3, FATES = 6, ROWS_MAX = 32 };

static const char *const cause_names[CAUSES] = {"its client has gone", "its link has ended",
                                                "its own end"};
static const char *const fate_names[FATES] = {"DROP",       "ORPHAN", "RETURN",
                                              "SEND_AGAIN", "FAIL",   "CUT"};

struct row {
    enum cause cause;
    char facts[FACTS]; /* 'y', 'n', or '-': whatever */
    enum fate fate;
};

static struct row rows[ROWS_MAX];
static size_t rows_count;

static int index_of(const char *const *names, size_t count, const char *name)
{
    for (size_t index = 0; index < count; index++) {
        if (strcmp(names[index], name) == 0) {
            return (int)index;
        }
    }
    fail_msg("'%s' in the table is unknown here", name);
    return 0;
}

/* Cuts the next cell off a line of a table, without the spaces around it. */
static char *next_cell(char **rest)
{
    char *cell = *rest + strspn(*rest, " ");
    char *end = strchr(cell, '|');
    assert_non_null(end);
    *rest = end + 1;
    while (end > cell && end[-1] == ' ') {
        end--;
    }
    *end = '\0';
    return cell;
}

static void read_row(char *line)
{
    assert_true(rows_count < ROWS_MAX);
    struct row *row = &rows[rows_count++];
    char *rest = line + 1;
    row->cause = (enum cause)index_of(cause_names, CAUSES, next_cell(&rest));
    for (size_t fact = 0; fact < FACTS; fact++) {
        row->facts[fact] = next_cell(&rest)[0];
        assert_non_null(strchr("yn-", row->facts[fact]));
    }
    row->fate = (enum fate)index_of(fate_names, FATES, next_cell(&rest));
}

/* The rows below the heading whose last column is `fate`. */
static int read_table(void **state)
{
    (void)state;
    char line[512];
    FILE *file = fopen(getenv("ARCHITECTURE"), "r");
    assert_non_null(file);
    bool inside = false;
    while (fgets(line, sizeof line, file) != NULL) {
        if (inside && line[0] != '|') {
            break;
        }
        if (inside && line[1] != ':' && line[1] != '-') {
            read_row(line);
        }
        inside = inside || strstr(line, "| fate |") != NULL;
    }
    (void)fclose(file);
    return 0;
}

static bool speaks_of(const struct row *row, enum cause cause, unsigned facts)
{
    bool is_match = row->cause == cause;
    for (unsigned fact = 0; fact < FACTS; fact++) {
        char wanted = (facts >> fact & 1) != 0 ? 'y' : 'n';
        is_match = is_match && (row->facts[fact] == '-' || row->facts[fact] == wanted);
    }
    return is_match;
}

static void says_what_the_table_says(void **state)
{
    (void)state;
    for (unsigned number = 0; number < CAUSES << FACTS; number++) {
        enum cause cause = (enum cause)(number >> FACTS);
        struct exchange_facts facts = {
            .has_client = number & 1,
            .is_sent = number & 2,
            .is_delivered = number & 4,
            .may_be_repeated = number & 8,
            .has_time = number & 16,
        };
        unsigned found = 0;
        for (size_t index = 0; index < rows_count; index++) {
            if (speaks_of(&rows[index], cause, number)) {
                found++;
                assert_int_equal(exchange_fate(&facts, cause), rows[index].fate);
            }
        }
        assert_int_equal(found, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_table_says),
    };
    return cmocka_run_group_tests(tests, read_table, NULL);
}
