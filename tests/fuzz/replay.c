/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files: `fuzz_TARGET FILE_OR_DIRECTORY...`, directories with all below
 * them.
 *
 * Stands in for libFuzzer where that is not linked in. It prints how many files it ran, and fails
 * if there were none, so that a corpus in the wrong place shows.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { OPEN_DIRECTORIES_MAX = 8 };

static size_t files_count; /* nftw hands no context on */

/* The bytes are in a block of exactly their size, so that a sanitizer sees a read behind them. */
static int run_file(const char *path, size_t size)
{
    int result = -1;
    uint8_t *bytes = malloc(size);
    FILE *file = fopen(path, "rb");
    if (file == NULL || (bytes == NULL && size > 0) || fread(bytes, 1, size, file) != size) {
        fprintf(stderr, "cannot read '%s': %s\n", path, strerror(errno));
    } else {
        files_count++;
        result = LLVMFuzzerTestOneInput(bytes, size);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    free(bytes);
    return result;
}

static int visit(const char *path, const struct stat *status, int type, struct FTW *position)
{
    (void)position;
    if (type == FTW_D) {
        return 0;
    }
    if (type != FTW_F || !S_ISREG(status->st_mode)) {
        fprintf(stderr, "neither file nor directory: '%s'\n", path);
        return -1;
    }
    return run_file(path, (size_t)status->st_size);
}

int main(int argc, char **argv)
{
    for (int index = 1; index < argc; index++) {
        if (nftw(argv[index], visit, OPEN_DIRECTORIES_MAX, FTW_PHYS) != 0) {
            fprintf(stderr, "stopped at '%s'\n", argv[index]);
            return 1;
        }
    }
    printf("%zu files\n", files_count);
    return files_count == 0 ? 1 : 0;
}
