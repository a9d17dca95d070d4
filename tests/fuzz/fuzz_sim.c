/* SPDX-License-Identifier: MIT */
/* The simulator with a fuzzer as its source of choice: the bytes are the choices of one run, and
 * coverage of the core guides them. The first byte says whether the world is calm. */
#include <stddef.h>
#include <stdint.h>

#include "run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    struct choice choice;
    struct tally tally = {0};
    choice_init_bytes(&choice, span_of(data + 1, size - 1));
    run_drawn(&choice, data[0] % 8 == 0, false, "build-fuzz/tests/fuzz/fuzz_sim FILE", &tally);
    return 0;
}
