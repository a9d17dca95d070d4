/* SPDX-License-Identifier: MIT */
/*
 * Generated parts of the documentation, from the tables: script/docs puts them into the README and
 * the manual page.
 */
#ifndef CLI_DOCUMENT_H
#define CLI_DOCUMENT_H

#include <stddef.h>
#include <stdio.h>

/* `piece` is an index into the choices of COMMAND_DOCUMENT. */
void document_write(FILE *out, size_t piece);

#endif
